/* hops_test.c - failures through two relays: the same at both ends, with the node where they arose, and their
 * causes; and what nodes without extensions hear of it. */
#include "pair.h"

#include "service/node.h"

NETRON_SERVICE(shop, "shop@1.0.0", buy, order, wait);
NETRON_METHOD(shop, buy, none, (u16, code));
NETRON_METHOD(shop, order, none, (u8, count));
NETRON_METHOD(shop, wait, none);

struct shop__self {
    unsigned waiting;
};

/* A failure with all that it can have. */
netron_err shop__buy_impl(netron_ctx *ctx, shop__self *self, uint16_t code)
{
    (void)self;
    return netron_fail(ctx, (netron_err)code, "nobody buys %u", (unsigned)code);
}

/* One that another one is the cause of. */
netron_err shop__order_impl(netron_ctx *ctx, shop__self *self, uint8_t count)
{
    (void)self;
    (void)netron_fail(ctx, NETRON_GONE, "the shelf is empty");
    for (uint8_t i = 1; i < count; i++)
        (void)netron_fail_because(ctx, NETRON_INVALID, "cause %u", (unsigned)i);
    return netron_fail_because(ctx, NETRON_CONFLICT, "nothing can be ordered");
}

netron_err shop__wait_impl(netron_ctx *ctx, shop__self *self)
{
    self->waiting++;
    return netron_sleep(ctx, UINT32_MAX);
}

NETRON_PROVIDE(shop, buy, order, wait);

/* owner - first - second - user: the service is published along the row. */
enum { OWNER, FIRST, SECOND, USER, NODES };

static const char *const names[NODES] = {"owner", "first", "second", "user"};

typedef struct row {
    netron *nodes[NODES];
    netron_peer *next[NODES]; /* as seen by the one before it */
    shop__self self;
    shop proxy;
} row;

static void open_row(row *r, int base)
{
    char url[64] = "";
    *r = (row){0};
    for (int i = OWNER; i < NODES; i++) {
        char own[64];
        (void)snprintf(own, sizeof own, "memory://%s", names[i]);
        r->nodes[i] = netron_new(&(netron_options){.id = names[i],
            .listen = own,
            .loop = i != OWNER ? netron_loop(r->nodes[OWNER]) : NULL,
            .allow_remote_expose = "*"});
        if (r->nodes[i] == NULL)
            fail_msg("no node: %s", netron_last_error()->message);
        if (i == base)
            r->nodes[i]->peers.config.extensions = 0;
    }
    CHECK_OK(shop__expose(r->nodes[OWNER], &r->self));
    for (int i = OWNER; i + 1 < NODES; i++) {
        (void)snprintf(url, sizeof url, "memory://%s", names[i + 1 < USER ? i + 1 : SECOND]);
        netron *from = r->nodes[i + 1 < USER ? i : USER];
        CHECK_OK(netron_connect(from, url, &r->next[i]));
        if (i + 1 < USER)
            CHECK_OK(netron_publish(r->next[i], "shop"));
    }
    CHECK_OK(shop__query_as(r->next[SECOND], "shop", &r->proxy));
}

static void close_row(row *r)
{
    for (int i = USER; i > OWNER; i--)
        netron_free(r->nodes[i]);
    netron_free(r->nodes[OWNER]);
}

static void check_hop(const char *hop, netron_executed executed)
{
    assert_string_equal(netron_last_error()->hop, hop);
    assert_int_equal(netron_last_error()->executed, executed);
}

static void test_failure_is_the_same_two_relays_further(void **state)
{
    static const uint16_t codes[] = {404, 409, 429, 503, 507, 777};
    row r;
    (void)state;
    open_row(&r, NODES);
    for (size_t i = 0; i < NT_COUNT(codes); i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "nobody buys %u", (unsigned)codes[i]);
        CHECK_ERR(shop_buy(&r.proxy, codes[i]), (netron_err)codes[i]);
        assert_string_equal(netron_last_error()->message, text);
        check_hop("owner", NETRON_EXECUTED_YES);
    }
    close_row(&r);
}

static void test_cause_comes_along(void **state)
{
    row r;
    (void)state;
    open_row(&r, NODES);
    CHECK_ERR(shop_order(&r.proxy, 1), NETRON_CONFLICT);
    check_hop("owner", NETRON_EXECUTED_YES);
    const netron_error *cause = netron_last_error()->cause;
    assert_non_null(cause);
    assert_int_equal(cause->code, NETRON_GONE);
    assert_string_equal(cause->message, "the shelf is empty");
    assert_null(cause->cause);
    /* A chain has an end, however long it was. */
    unsigned length = 0;
    CHECK_ERR(shop_order(&r.proxy, 100), NETRON_CONFLICT);
    for (cause = netron_last_error()->cause; cause != NULL; cause = cause->cause)
        length++;
    assert_in_range(length, 1, 8);
    close_row(&r);
}

static void test_relay_that_refuses_is_the_hop(void **state)
{
    row r;
    (void)state;
    open_row(&r, NODES);
    r.nodes[FIRST]->peers.config.max_calls = 1;
    shop__wait_future first = shop__wait_start(&r.proxy);
    RUN_UNTIL(r.nodes[USER], r.self.waiting == 1);
    CHECK_ERR(shop_buy(&r.proxy, 409), NETRON_TOO_MANY);
    check_hop("first", NETRON_EXECUTED_NO);
    shop__wait_drop(&first);
    close_row(&r);
}

typedef struct breaking {
    row *r;
    int at; /* the connection between this one and the next breaks */
} breaking;

static netron_err break_connection(netron_ctx *ctx, void *arg)
{
    const breaking *b = arg;
    while (b->r->self.waiting == 0)
        NETRON_TRY(netron_yield(ctx));
    netron_disconnect(b->r->next[b->at], NULL);
    return NETRON_OK;
}

/* Whoever is beyond the connection that broke is the hop: nobody knows what became of it there. */
static void test_connection_that_breaks_is_named_by_its_far_end(void **state)
{
    static const int at[] = {OWNER, FIRST};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(at); i++) {
        row r;
        netron_fiber *fiber;
        breaking b = {&r, at[i]};
        open_row(&r, NODES);
        CHECK_OK(netron_spawn(netron_context(r.nodes[OWNER]), break_connection, &b, &fiber));
        CHECK_ERR(shop_wait(&r.proxy), NETRON_UNAVAILABLE);
        check_hop(names[at[i]], NETRON_EXECUTED_UNKNOWN);
        CHECK_OK(netron_join(netron_context(r.nodes[OWNER]), fiber, NULL));
        /* Nothing is sent any more. */
        netron_err err = shop_buy(&r.proxy, 409);
        assert_true(err == NETRON_UNAVAILABLE || err == NETRON_NOT_FOUND);
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
        close_row(&r);
    }
}

/* A node that knows nothing of hops stands for all that is behind it. */
static void test_node_without_extensions_is_the_hop_for_what_is_behind_it(void **state)
{
    static const struct {
        int base;
        const char *hop;
    } rows[] = {{OWNER, "owner"}, {FIRST, "first"}, {SECOND, "second"}, {USER, "second"}};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        row r;
        open_row(&r, rows[i].base);
        CHECK_ERR(shop_buy(&r.proxy, 409), NETRON_CONFLICT);
        check_hop(rows[i].hop, NETRON_EXECUTED_YES);
        assert_string_equal(netron_last_error()->message, "nobody buys 409");
        close_row(&r);
    }
}

static void test_relays_that_a_call_may_pass_are_bounded(void **state)
{
    row r;
    (void)state;
    open_row(&r, NODES);
    r.nodes[SECOND]->max_hops = 1; /* it is the first on the way */
    CHECK_ERR(shop_buy(&r.proxy, 409), NETRON_CONFLICT);
    r.nodes[FIRST]->max_hops = 1;
    CHECK_ERR(shop_buy(&r.proxy, 409), NETRON_LOOP);
    CHECK_SAYS("max_hops");
    check_hop("first", NETRON_EXECUTED_NO);
    close_row(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure_is_the_same_two_relays_further),
        cmocka_unit_test(test_cause_comes_along),
        cmocka_unit_test(test_relay_that_refuses_is_the_hop),
        cmocka_unit_test(test_connection_that_breaks_is_named_by_its_far_end),
        cmocka_unit_test(test_node_without_extensions_is_the_hop_for_what_is_behind_it),
        cmocka_unit_test(test_relays_that_a_call_may_pass_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
