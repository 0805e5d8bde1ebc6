/* relay_test.c - a service that an owner publishes here: what it returns is given back to it, and it
 * stands behind services of the node itself. */
#include "service/relay.h"

#include "support/check.h"
#include "support/far_end.h"

static const char hello[] = "{\"type\":\"client-id\",\"id\":\"owner\"}";
static const char ours[] = "{\"type\":\"client-id\",\"id\":\"owner\",\"ext\":[\"cancel\",\"meta\"]}";
static const char theirs[] = "01a204e2-8e09-7ff8-938b-f9c67888f4c6";

enum { PROXIES = 2 };

/* The far end is the owner; the node calls its service by way of itself. */
typedef struct fixture {
    far_end far;
    netron_value meta;
    netron_proxy shop, items[PROXIES];
    unsigned next;
    netron_err err;
    bool is_done;
} fixture;

static void say_definition(fixture *f, uint32_t id, const char *definition_id)
{
    netron_value_definition definition = {.id = netron_str_value(netron_s(definition_id)),
        .parent_id = netron_str_value(netron_s("")),
        .peer_id = netron_str_value(netron_s("owner")),
        .meta = f->meta};
    netron_value value = {.type = NETRON_TYPE_DEFINITION, .as.definition = &definition};
    far_end_send(&f->far, &(netron_packet){.id = id, .type = NETRON_PACKET_CALL}, &value);
}

static void find_shop(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    f->err = netron_proxy_query(netron_local(netron_node(ctx)), "shop", &f->shop);
}

static void open_shop_for(fixture *f, const char *who)
{
    static const char meta[] = "{\"name\":\"shop\",\"version\":\"\",\"properties\":{},"
                               "\"methods\":{\"item\":{\"type\":\"any\",\"arguments\":[]}}}";
    *f = (fixture){0};
    far_end_open(&f->far, &(netron_options){.allow_remote_expose = "*"});
    far_end_greet(&f->far, who);
    assert_int_equal(netron_value_parse(&f->far.memory, netron_s(meta), &f->meta), NETRON_OK);
    netron_value parts[] = {netron_str_value(netron_s("expose_service")), f->meta};
    netron_value list = netron_list_value(parts, 2);
    far_end_send(
        &f->far, &(netron_packet){.id = 1, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
    assert_false(far_end_receive(&f->far, NULL).error);
    far_end_run(&f->far, find_shop, f);
    assert_int_equal(f->err, NETRON_OK);
}

static void open_shop(fixture *f)
{
    open_shop_for(f, hello);
}

static void get_item(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    netron_value result;
    netron_scope scope = {0};
    netron_peer *local = netron_local(netron_node(ctx));
    f->shop.options.scope = &scope;
    f->err = netron_invoke(&f->shop, NETRON_CALL, "item", NULL, 0, &result);
    if (f->err == NETRON_OK)
        f->err = netron_proxy_from(local, &result, &f->items[f->next++]);
    netron_scope_end(&scope);
    f->is_done = true;
}

static void release_item(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    (void)ctx;
    netron_proxy_release(&f->items[--f->next]);
}

static void release_shop(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    (void)ctx;
    netron_proxy_release(&f->shop);
}

/* The owner is asked for an item, and returns a service. */
static void return_item(fixture *f)
{
    f->is_done = false;
    far_end_run(&f->far, get_item, f);
    netron_packet call = far_end_receive(&f->far, NULL);
    assert_int_equal(call.type, NETRON_PACKET_CALL);
    say_definition(f, call.id, theirs);
    assert_true(f->is_done);
    assert_int_equal(f->err, NETRON_OK);
    assert_true(far_end_is_silent(&f->far));
}

static void check_given_back(fixture *f)
{
    netron_value payload;
    netron_packet task = far_end_receive(&f->far, &payload);
    assert_int_equal(task.type, NETRON_PACKET_TASK);
    assert_int_equal(payload.type, NETRON_TYPE_LIST);
    assert_int_equal(payload.as.list.count, 2);
    assert_true(netron_eq(payload.as.list.items[0].as.str, netron_s("unref_service")));
    assert_true(netron_eq(payload.as.list.items[1].as.str, netron_s(theirs)));
}

static void test_returned_service_is_given_back_to_its_owner(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    return_item(&f);
    far_end_run(&f.far, release_item, &f);
    check_given_back(&f);
    assert_true(far_end_is_silent(&f.far));
    far_end_close(&f.far);
}

static void test_it_is_given_back_as_often_as_it_was_returned(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    for (unsigned i = 0; i < PROXIES; i++)
        return_item(&f);
    for (unsigned i = 0; i < PROXIES; i++) {
        far_end_run(&f.far, release_item, &f);
        check_given_back(&f);
        assert_true(far_end_is_silent(&f.far));
    }
    far_end_close(&f.far);
}

static void test_published_service_is_not_a_reference(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    far_end_run(&f.far, release_shop, &f);
    assert_true(far_end_is_silent(&f.far));
    far_end_close(&f.far);
}

/* Nobody is told when the owner has left first. */
static void test_owner_that_has_left_is_told_nothing(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    return_item(&f);
    far_end_hang_up(&f.far);
    far_end_run(&f.far, release_item, &f);
    assert_true(far_end_is_silent(&f.far));
    far_end_close(&f.far);
}

/* ---- hops ---- */

/* The far end plays the next relay of a circle: what it is asked, it asks the node again. */
static void ask_again(fixture *f, const void *meta, size_t size)
{
    static const uint8_t arguments[] = {0x92, 0xa4, 's', 'h', 'o', 'p', 0xa4, 'i', 't', 'e', 'm'};
    uint8_t packet[64] = {0, 0, 0, 7, 0x63};
    memcpy(packet + 5, meta, size);
    memcpy(packet + 5 + size, arguments, sizeof arguments);
    if (size == 0)
        packet[4] = 0x43;
    far_end_say(&f->far, packet, 5 + size + sizeof arguments);
}

static void check_refused(fixture *f)
{
    netron_value answer;
    netron_packet packet = far_end_receive(&f->far, &answer);
    assert_int_equal(packet.id, 7);
    assert_true(packet.error);
    assert_int_equal(answer.as.error->code.as.i, NETRON_LOOP);
    const netron_value *executed = netron_map_get(&answer.as.error->context, "executed");
    assert_true(executed != NULL && netron_eq(executed->as.str, netron_s("no")));
}

static void test_circle_of_relays_ends(void **state)
{
    enum { MOST = 16 };
    fixture f;
    uint8_t meta[] = {0x81, 0xa4, 'h', 'o', 'p', 's', 0};
    (void)state;
    open_shop_for(&f, ours);
    for (uint8_t hops = 1; hops <= MOST; hops++) {
        ask_again(&f, meta, hops != 1 ? sizeof meta : 0);
        netron_bytes said = far_end_hear(&f.far);
        meta[6] = hops;
        assert_int_equal(((const uint8_t *)said.data)[4], 0x63);
        assert_memory_equal((const uint8_t *)said.data + 5, meta, sizeof meta);
    }
    ask_again(&f, meta, sizeof meta);
    check_refused(&f);
    assert_true(far_end_is_silent(&f.far));
    /* Whatever the number, it is not counted round to 0. */
    ask_again(&f, "\x81\xa4hops\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 15);
    check_refused(&f);
    far_end_close(&f.far);
}

static void test_base_peer_is_told_nothing_of_hops(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    ask_again(&f, "", 0);
    netron_bytes said = far_end_hear(&f.far);
    assert_int_equal(((const uint8_t *)said.data)[4], 0x43);
    assert_int_equal(((const uint8_t *)said.data)[5], 0x92);
    far_end_close(&f.far);
}

/* ---- names ---- */

static netron_err sell_nothing(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)user, (void)operation, (void)member, (void)args, (void)count, (void)result;
    return netron_fail(ctx, NETRON_UNSUPPORTED, "nothing is sold here");
}

static void expose_own(fixture *f, const char *meta_text)
{
    netron_value meta;
    assert_int_equal(netron_value_parse(&f->far.memory, netron_s(meta_text), &meta), NETRON_OK);
    assert_int_equal(
        netron_expose(f->far.node, &(netron_service){.meta = &meta, .handler = sell_nothing}),
        NETRON_OK);
}

/* Whether the bare name stands for the owner's service. */
static bool is_the_owners(const fixture *f)
{
    nt_stub *found;
    assert_int_equal(nt_stub_resolve(f->far.node, netron_s("shop"), true, &found), NETRON_OK);
    return found->owner == f->far.peer;
}

static void test_bare_name_is_the_nodes_own_service_although_a_peer_came_first(void **state)
{
    fixture f;
    (void)state;
    open_shop(&f);
    assert_true(is_the_owners(&f));
    expose_own(&f, "{\"name\":\"shop\",\"version\":\"1.0.0\"}");
    assert_false(is_the_owners(&f));
    assert_int_equal(netron_unexpose(f.far.node, "shop@1.0.0"), NETRON_OK);
    assert_true(is_the_owners(&f));
    far_end_close(&f.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returned_service_is_given_back_to_its_owner),
        cmocka_unit_test(test_it_is_given_back_as_often_as_it_was_returned),
        cmocka_unit_test(test_published_service_is_not_a_reference),
        cmocka_unit_test(test_owner_that_has_left_is_told_nothing),
        cmocka_unit_test(test_circle_of_relays_ends),
        cmocka_unit_test(test_base_peer_is_told_nothing_of_hops),
        cmocka_unit_test(test_bare_name_is_the_nodes_own_service_although_a_peer_came_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
