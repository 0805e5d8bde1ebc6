/* call_meta_test.c - what stands before the arguments of a request, byte by byte, in both directions. */
#include "comm/call_meta.h"

#include "base/arena.h"
#include "base/slice.h"
#include "comm/session.h"
#include "support/check.h"
#include "support/far_end.h"

#include <netron/dynamic.h>

#include <stdio.h>

static const char ours[] = "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"cancel\",\"meta\"]}";
static const char base[] = "{\"type\":\"client-id\",\"id\":\"base\",\"ext\":[\"cancel\"]}";

/* A service of the node whose handler does what the test says. */
typedef struct fixture {
    far_end far;
    netron_err (*handler)(netron_ctx *ctx, struct fixture *f);
    int64_t deadline_ms;
    const char *tenant;
    unsigned begun, ended;
    netron_err ended_with, err;
    netron_call_options options;
} fixture;

static netron_err serve(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    const netron_value *tenant = netron_meta(ctx, "tenant");
    (void)operation, (void)member, (void)args, (void)count, (void)result;
    f->begun++;
    f->deadline_ms = netron_deadline_ms(ctx);
    f->tenant = tenant != NULL ? nt_arena_text(&f->far.memory, tenant->as.str.data, tenant->as.str.size)
                               : NULL;
    netron_err err = f->handler != NULL ? f->handler(ctx, f) : NETRON_OK;
    f->ended_with = err;
    f->ended++;
    return err;
}

static void open_with(fixture *f, const char *hello)
{
    static const char text[] = "{\"name\":\"it\",\"version\":\"\",\"properties\":{},"
                               "\"methods\":{\"go\":{\"type\":\"any\",\"arguments\":[]}}}";
    netron_value meta;
    *f = (fixture){0};
    far_end_open(&f->far, NULL);
    far_end_greet(&f->far, hello);
    assert_int_equal(netron_value_parse(&f->far.memory, netron_s(text), &meta), NETRON_OK);
    netron_service service = {.meta = &meta, .handler = serve, .user = f};
    assert_int_equal(netron_expose(f->far.node, &service), NETRON_OK);
}

/* ---- what the node says ---- */

static const uint8_t plain_task[] = {0x91, 0xa2, 'd', 'o'};

static void run_task(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    (void)ctx;
    f->err = netron_run_task(f->far.peer, "do", NULL, &f->options, NULL);
}

/* The task "do" with these bytes before its arguments; what the node waits for is answered. */
static void check_said(fixture *f, const void *meta, size_t size)
{
    far_end_run(&f->far, run_task, f);
    netron_bytes said = far_end_hear(&f->far);
    const uint8_t *at = said.data;
    assert_int_equal(said.size, 5 + size + sizeof plain_task);
    assert_int_equal(at[4], size != 0 ? 0x64 : 0x44);
    assert_memory_equal(at + 5, meta, size);
    assert_memory_equal(at + 5 + size, plain_task, sizeof plain_task);
    netron_value nothing = netron_null();
    far_end_send(&f->far,
        &(netron_packet){.id = nt_be_load32(at), .type = NETRON_PACKET_TASK}, &nothing);
    assert_int_equal(f->err, NETRON_OK);
}

static void test_plain_call_says_nothing_of_itself(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, ours);
    check_said(&f, "", 0);
    far_end_close(&f.far);
}

static void test_what_a_call_says_stands_before_its_arguments(void **state)
{
    static const uint8_t meta[] = "\x83\xa8" "deadline\xcd\x03\xe8\xa4" "user\x81\xa1k\x01"
                                  "\xab" "traceparent\xa1t";
    netron_entry entries[] = {{netron_str_value(netron_s("k")), netron_i64_value(1)},
        {netron_str_value(netron_s("traceparent")), netron_str_value(netron_s("t"))}};
    netron_value map = netron_map_value(entries, 2);
    fixture f;
    (void)state;
    open_with(&f, ours);
    f.options = (netron_call_options){.timeout_ms = 1000};
    check_said(&f, "\x81\xa8" "deadline\xcd\x03\xe8", 13);
    f.options.meta = &map;
    check_said(&f, meta, sizeof meta - 1);
    far_end_close(&f.far);
}

static void test_other_peers_are_told_nothing(void **state)
{
    netron_entry entry = {netron_str_value(netron_s("k")), netron_i64_value(1)};
    netron_value map = netron_map_value(&entry, 1);
    fixture f;
    (void)state;
    open_with(&f, base);
    f.options = (netron_call_options){.timeout_ms = 1000, .meta = &map};
    check_said(&f, "", 0);
    far_end_close(&f.far);
}

/* ---- what it takes ---- */

/* A call of it.go as packet 7, with `meta` before the arguments. */
static void call(fixture *f, const void *meta, size_t size)
{
    static const uint8_t arguments[] = {0x92, 0xa2, 'i', 't', 0xa2, 'g', 'o'};
    uint8_t packet[8192] = {0, 0, 0, 7, 0x63};
    assert_true(5 + size + sizeof arguments <= sizeof packet);
    memcpy(packet + 5, meta, size);
    memcpy(packet + 5 + size, arguments, sizeof arguments);
    far_end_say(&f->far, packet, 5 + size + sizeof arguments);
}

static void check_answer(fixture *f, netron_err code, const char *executed)
{
    netron_value value;
    netron_packet packet = far_end_receive(&f->far, &value);
    assert_int_equal(packet.id, 7);
    assert_int_equal(packet.error, code != NETRON_OK);
    if (code == NETRON_OK)
        return;
    assert_int_equal(value.as.error->code.as.i, code);
    const netron_value *said = netron_map_get(&value.as.error->context, "executed");
    assert_int_equal(said != NULL, executed != NULL);
    if (executed != NULL)
        assert_true(netron_eq(said->as.str, netron_s(executed)));
}

#define META(text) (text), sizeof(text) - 1

static void test_handler_reads_what_came_along(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, ours);
    call(&f, META("\x80"));
    check_answer(&f, NETRON_OK, NULL);
    assert_int_equal(f.deadline_ms, -1);
    assert_null(f.tenant);
    call(&f, META("\x83\xa8" "deadline\xcd\x03\xe8\xa4hops\x93\x01\x02\x03"
                  "\xa4user\x81\xa6tenant\xa4" "acme"));
    check_answer(&f, NETRON_OK, NULL);
    assert_int_equal(f.deadline_ms, 1000);
    assert_string_equal(f.tenant, "acme");
    /* As many as there are, and no more than can be. */
    call(&f, META("\x81\xa8" "deadline\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    check_answer(&f, NETRON_OK, NULL);
    assert_int_equal(f.deadline_ms, UINT32_MAX);
    far_end_close(&f.far);
}

static void test_meta_that_is_none_is_refused(void **state)
{
    static uint8_t large[5000];
    fixture f;
    (void)state;
    open_with(&f, ours);
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {META("")},                                 /* the list of arguments itself */
        {META("\xc0")},
        {META("\x81\x01\x02")},                  /* a key that is no text */
        {META("\x81\xa8" "deadline\xff")},       /* negative */
        {META("\x81\xa8" "deadline\xa1x")},
        {META("\x81\xa4user\x91\x01")},
        {META("\x81\xa4user\x81\xa1k\xd7\x6c" "12345678")}, /* a reference */
        {META("\x81\xab" "traceparent\x01")},
        {META("\xde\x00\x21")},                  /* 33 keys */
        {META("\xdf\xff\xff\xff\xff")},
        {META("\x81\xa1x\xc1")},
        {META("\x81\xa4user\x81\xa1k\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01")},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        call(&f, rows[i].bytes, rows[i].size);
        check_answer(&f, NETRON_INVALID, "no");
    }
    memset(large, 'x', sizeof large);
    memcpy(large, "\x81\xa1x\xda\x13\x82", 6); /* 4994 bytes of text */
    call(&f, large, 6 + 4994);
    check_answer(&f, NETRON_INVALID, "no");
    assert_int_equal(f.begun, 0);
    far_end_close(&f.far);
}

static void test_bit_means_nothing_from_other_peers(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, base);
    call(&f, "", 0);
    check_answer(&f, NETRON_OK, NULL);
    assert_int_equal(f.begun, 1);
    far_end_close(&f.far);
}

static void test_refusal_is_told_to_who_understands_it(void **state)
{
    static const uint8_t nowhere[] = {0, 0, 0, 7, 0x43, 0x92, 0xa2, 'n', 'o', 0xa2, 'g', 'o'};
    static const char *const hellos[] = {ours, base};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(hellos); i++) {
        fixture f;
        open_with(&f, hellos[i]);
        far_end_say(&f.far, nowhere, sizeof nowhere);
        check_answer(&f, NETRON_NOT_FOUND, hellos[i] == ours ? "no" : NULL);
        far_end_close(&f.far);
    }
}

/* ---- the deadline of what is served ---- */

static netron_err sleep_long(netron_ctx *ctx, fixture *f)
{
    (void)f;
    return netron_sleep(ctx, 600 * 1000);
}

/* No CANCEL comes. */
static void test_handler_is_cancelled_when_its_time_is_over(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, ours);
    f.handler = sleep_long;
    call(&f, META("\x81\xa8" "deadline\x0a"));
    assert_int_equal(f.begun, 1);
    assert_int_equal(f.ended, 0);
    while (f.ended == 0)
        uv_run(f.far.uv, UV_RUN_ONCE);
    assert_int_equal(f.ended_with, NETRON_CANCELLED);
    check_answer(&f, NETRON_TIMEOUT, NULL);
    far_end_close(&f.far);
}

static void test_call_whose_time_was_over_on_its_way_is_not_served(void **state)
{
    fixture f;
    (void)state;
    open_with(&f, ours);
    call(&f, META("\x81\xa8" "deadline\x00"));
    check_answer(&f, NETRON_TIMEOUT, "no");
    assert_int_equal(f.begun, 0);
    far_end_close(&f.far);
}

static netron_err ask_back(netron_ctx *ctx, fixture *f)
{
    return netron_run_task(netron_caller(ctx), "do", NULL, &f->options, NULL);
}

/* The caller is called back: what is left, and its trace, but not its keys. */
static void test_nested_call_tells_what_is_left(void **state)
{
    fixture f;
    netron_value answer = netron_null();
    (void)state;
    static const struct {
        uint32_t timeout_ms;
        uint16_t told;
    } rows[] = {{0, 5000}, {600, 600}, {60000, 20000}}; /* the default is 5000 */
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        uint8_t expected[] = "\x82\xa8" "deadline\xcd??\xab" "traceparent\xa1t";
        open_with(&f, ours);
        f.handler = ask_back;
        f.options.timeout_ms = rows[i].timeout_ms;
        call(&f, META("\x83\xa8" "deadline\xcd\x4e\x20\xa4user\x81\xa6tenant\xa4" "acme"
                      "\xab" "traceparent\xa1t"));
        expected[11] = (uint8_t)(rows[i].told >> 8);
        expected[12] = (uint8_t)rows[i].told;
        netron_bytes said = far_end_hear(&f.far);
        const uint8_t *at = said.data;
        assert_int_equal(at[4], 0x64);
        assert_memory_equal(at + 5, expected, sizeof expected - 1);
        far_end_send(&f.far,
            &(netron_packet){.id = nt_be_load32(at), .type = NETRON_PACKET_TASK}, &answer);
        check_answer(&f, NETRON_OK, NULL);
        far_end_close(&f.far);
    }
}

/* Only relays count one more. */
static void test_nested_call_tells_the_hops_of_what_is_served(void **state)
{
    static const uint8_t expected[] = "\x81\xa4hops\x03";
    fixture f;
    netron_value answer = netron_null();
    (void)state;
    open_with(&f, ours);
    f.handler = ask_back;
    call(&f, META("\x81\xa4hops\x03"));
    netron_bytes said = far_end_hear(&f.far);
    const uint8_t *at = said.data;
    assert_int_equal(at[4], 0x64);
    assert_memory_equal(at + 5, expected, sizeof expected - 1);
    far_end_send(
        &f.far, &(netron_packet){.id = nt_be_load32(at), .type = NETRON_PACKET_TASK}, &answer);
    check_answer(&f, NETRON_OK, NULL);
    far_end_close(&f.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_call_says_nothing_of_itself),
        cmocka_unit_test(test_what_a_call_says_stands_before_its_arguments),
        cmocka_unit_test(test_other_peers_are_told_nothing),
        cmocka_unit_test(test_handler_reads_what_came_along),
        cmocka_unit_test(test_meta_that_is_none_is_refused),
        cmocka_unit_test(test_bit_means_nothing_from_other_peers),
        cmocka_unit_test(test_refusal_is_told_to_who_understands_it),
        cmocka_unit_test(test_handler_is_cancelled_when_its_time_is_over),
        cmocka_unit_test(test_call_whose_time_was_over_on_its_way_is_not_served),
        cmocka_unit_test(test_nested_call_tells_what_is_left),
        cmocka_unit_test(test_nested_call_tells_the_hops_of_what_is_served),
    };
    return cmocka_run_group_tests_name("call_meta", tests, NULL, NULL);
}
