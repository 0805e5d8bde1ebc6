/* numbers_test.c - numbers on the wire, byte for byte, between a node and a peer that announced
 * int64 and one that did not (docs/protocol.md §13.1): none is lost in silence.
 *
 * That they come back unchanged through two nodes of ours is services_types_test.c's.
 */
#include "support/check.h"
#include "support/far_end.h"
#include "wire/packet.h"

NETRON_SERVICE(numbers, "numbers@1.0.0", whole, natural, real);
NETRON_METHOD(numbers, whole, i64, (i64, value));
NETRON_METHOD(numbers, natural, u64, (u64, value));
NETRON_METHOD(numbers, real, f64, (f64, value));

struct numbers__self {
    uint32_t calls;
};

#define COMES_BACK(name, type)                                                                     \
    netron_err numbers__##name##_impl(netron_ctx *ctx, numbers__self *self, type value,            \
        type *result)                                                                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        self->calls++;                                                                             \
        *result = value;                                                                           \
        return NETRON_OK;                                                                          \
    }
COMES_BACK(whole, int64_t)
COMES_BACK(natural, uint64_t)
COMES_BACK(real, double)
NETRON_PROVIDE(numbers, whole, natural, real);

static const char base_hello[] = "{\"type\":\"client-id\",\"id\":\"base\"}";
static const char ours_hello[] = "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"int64\"]}";

typedef struct wire_form {
    const char *bytes;
    size_t size;
} wire_form;

#define FORM(bytes) {bytes, sizeof(bytes) - 1}

/* What an integer is to a peer with int64, and to any other. */
typedef struct integer_row {
    int64_t value;
    wire_form native, base;
} integer_row;

static const integer_row integers[] = {
    {0, FORM("\x00"), FORM("\x00")},
    {-1, FORM("\xff"), FORM("\xff")},
    {UINT32_MAX, FORM("\xce\xff\xff\xff\xff"), FORM("\xce\xff\xff\xff\xff")},
    {INT64_C(4294967296), FORM("\xcf\0\0\0\1\0\0\0\0"), FORM("\xcb\x41\xf0\0\0\0\0\0\0")},
    {INT32_MIN, FORM("\xd2\x80\0\0\0"), FORM("\xd2\x80\0\0\0")},
    {INT64_C(-2147483649), FORM("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
        FORM("\xcb\xc1\xe0\0\0\0\x20\0\0")},
    {INT64_C(1) << 53, FORM("\xcf\0\x20\0\0\0\0\0\0"), FORM("\xcb\x43\x40\0\0\0\0\0\0")},
    {(INT64_C(1) << 53) + 1, FORM("\xcf\0\x20\0\0\0\0\0\1"),
        FORM("\xc7\x11\x78\xb0" "9007199254740993")},
    {-(INT64_C(1) << 53) - 1, FORM("\xd3\xff\xdf\xff\xff\xff\xff\xff\xff"),
        FORM("\xc7\x12\x78\xb1-9007199254740993")},
    {INT64_MAX, FORM("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"),
        FORM("\xc7\x14\x78\xb3" "9223372036854775807")},
    {INT64_MIN, FORM("\xd3\x80\0\0\0\0\0\0\0"), FORM("\xc7\x15\x78\xb4-9223372036854775808")},
};

static const wire_form u64_max_native = FORM("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
static const wire_form u64_max_base = FORM("\xc7\x15\x78\xb4" "18446744073709551615");

typedef struct fixture {
    far_end far;
    numbers__self self;
    uint32_t last_id;
} fixture;

static void open_with(fixture *f, const char *hello)
{
    *f = (fixture){0};
    far_end_open(&f->far, NULL);
    assert_int_equal(numbers__expose(f->far.node, &f->self), NETRON_OK);
    far_end_greet(&f->far, hello);
}

/* ---- the node serves ------------------------------------------------------------------------ */

/* A call with one argument as it stands in `arg`; what the node answers, whole. */
static nt_slice call_raw(fixture *f, const char *member, wire_form arg)
{
    uint8_t room[256];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    nt_packet_head(&writer, ++f->last_id, NETRON_PACKET_CALL | NT_PACKET_IMPULSE);
    netron_abi_put_list(&writer, 3);
    nt_put_text(&writer, "numbers@1.0.0");
    nt_put_text(&writer, member);
    nt_put_raw(&writer, arg.bytes, arg.size);
    assert_int_equal(writer.err, NETRON_OK);
    far_end_say(&f->far, room, nt_writer_size(&writer));
    netron_bytes answer = far_end_hear(&f->far);
    assert_true(answer.size > NT_PACKET_HEAD);
    assert_int_equal(nt_be_load32(answer.data), f->last_id);
    return (nt_slice){answer.data, answer.size};
}

static void check_answer(fixture *f, const char *member, wire_form arg, wire_form expected)
{
    nt_slice answer = call_raw(f, member, arg);
    assert_int_equal(answer.ptr[4], NETRON_PACKET_CALL);
    assert_int_equal(answer.len - NT_PACKET_HEAD, expected.size);
    assert_memory_equal(answer.ptr + NT_PACKET_HEAD, expected.bytes, expected.size);
}

/* The answer is a failure with this code, and the handler has not run. */
static void check_refused(fixture *f, const char *member, wire_form arg)
{
    uint32_t calls = f->self.calls;
    nt_slice answer = call_raw(f, member, arg);
    netron_packet packet;
    netron_value value;
    assert_int_equal(netron_packet_decode(answer.ptr, answer.len, &packet), NETRON_OK);
    assert_true(packet.error);
    assert_int_equal(netron_packet_value(&f->far.memory, &packet, &value), NETRON_OK);
    assert_int_equal(value.type, NETRON_TYPE_ERROR);
    assert_int_equal(value.as.error->code.as.i, NETRON_INVALID);
    assert_int_equal(f->self.calls, calls);
}

static void test_base_peer_is_answered_with_bigint_beyond_two_to_53(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, base_hello);
    for (size_t i = 0; i < NT_COUNT(integers); i++)
        check_answer(&f, "whole", integers[i].base, integers[i].base);
    check_answer(&f, "natural", u64_max_base, u64_max_base);
    far_end_close(&f.far);
}

static void test_peer_with_int64_is_answered_natively(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello);
    for (size_t i = 0; i < NT_COUNT(integers); i++)
        check_answer(&f, "whole", integers[i].native, integers[i].native);
    check_answer(&f, "natural", u64_max_native, u64_max_native);
    far_end_close(&f.far);
}

static void test_every_form_is_read_from_everybody(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, base_hello);
    for (size_t i = 0; i < NT_COUNT(integers); i++)
        check_answer(&f, "whole", integers[i].native, integers[i].base);
    check_answer(&f, "natural", u64_max_native, u64_max_base);
    far_end_close(&f.far);
    open_with(&f, ours_hello);
    for (size_t i = 0; i < NT_COUNT(integers); i++)
        check_answer(&f, "whole", integers[i].base, integers[i].native);
    check_answer(&f, "natural", u64_max_base, u64_max_native);
    far_end_close(&f.far);
}

static void test_integer_reaches_a_float_and_a_fraction_no_integer(void **state)
{
    (void)state;
    fixture f;
    wire_form five = FORM("\x05"), five_as_float = FORM("\xcb\x40\x14\0\0\0\0\0\0");
    wire_form and_a_half = FORM("\xcb\x40\x16\0\0\0\0\0\0");
    wire_form five_as_bigint = FORM("\xd5\x78\xa1" "5");
    wire_form five_as_long = FORM("\xc7\x09\x77\0\0\0\0\0\0\0\0\5");
    open_with(&f, base_hello);
    check_answer(&f, "real", five, five);
    check_answer(&f, "real", five_as_bigint, five);
    check_answer(&f, "real", five_as_long, five);
    check_answer(&f, "real", and_a_half, and_a_half);
    check_answer(&f, "whole", five_as_float, five);
    check_answer(&f, "whole", five_as_bigint, five);
    check_answer(&f, "whole", five_as_long, five);
    check_refused(&f, "whole", and_a_half);
    check_refused(&f, "natural", and_a_half);
    far_end_close(&f.far);
}

static void test_integer_that_a_double_cannot_hold_reaches_no_float(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello);
    wire_form held = FORM("\xcb\x43\x40\0\0\0\0\0\0");
    check_answer(&f, "real", (wire_form)FORM("\xcf\0\x20\0\0\0\0\0\0"), held);
    check_refused(&f, "real", (wire_form)FORM("\xcf\0\x20\0\0\0\0\0\1"));
    check_refused(&f, "real", (wire_form)FORM("\xd3\xff\xdf\xff\xff\xff\xff\xff\xff"));
    check_refused(&f, "real", (wire_form)FORM("\xc7\x11\x78\xb0" "9007199254740993"));
    check_refused(&f, "real", u64_max_native);
    check_refused(&f, "whole", u64_max_native);
    check_refused(&f, "natural", (wire_form)FORM("\xff"));
    far_end_close(&f.far);
}

/* ---- the node calls ------------------------------------------------------------------------- */

typedef struct outward {
    fixture *f;
    numbers proxy;
    int64_t sent, got;
    netron_err err;
} outward;

static void find_numbers(netron_ctx *ctx, void *arg)
{
    outward *o = arg;
    (void)ctx;
    o->err = numbers__query(o->f->far.peer, &o->proxy);
}

static void call_whole(netron_ctx *ctx, void *arg)
{
    outward *o = arg;
    (void)ctx;
    o->err = numbers_whole(&o->proxy, o->sent, &o->got);
}

/* The far end's Definition, as an existing node would give it. */
static void answer_query(fixture *f)
{
    static const char meta_text[] =
        "{\"name\":\"numbers\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
        "\"whole\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Number\"}]},"
        "\"natural\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Number\"}]},"
        "\"real\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Number\"}]}}}";
    netron_packet query = far_end_receive(&f->far, NULL);
    assert_int_equal(query.type, NETRON_PACKET_TASK);
    netron_value_definition definition = {
        .id = netron_str_value(netron_s("018c0000-0000-7000-8000-000000000001")),
        .parent_id = netron_str_value(netron_s("")),
        .peer_id = netron_str_value(netron_s("base")),
    };
    assert_int_equal(
        netron_value_parse(&f->far.memory, netron_s(meta_text), &definition.meta), NETRON_OK);
    netron_value answer = {.type = NETRON_TYPE_DEFINITION, .as.definition = &definition};
    netron_packet reply = {.id = query.id, .type = NETRON_PACKET_TASK};
    far_end_send(&f->far, &reply, &answer);
}

/* A call of the node goes out in one form and its answer comes back in the same. */
static void check_call(outward *o, int64_t value, wire_form form)
{
    fixture *f = o->f;
    o->sent = value;
    o->got = ~value;
    o->err = NETRON_INTERNAL;
    far_end_run(&f->far, call_whole, o);
    netron_bytes call = far_end_hear(&f->far);
    assert_true(call.size > NT_PACKET_HEAD + form.size);
    const uint8_t *end = (const uint8_t *)call.data + call.size;
    assert_memory_equal(end - form.size, form.bytes, form.size); /* the last argument */
    uint8_t answer[64];
    memcpy(answer, call.data, 4);
    answer[4] = NETRON_PACKET_CALL;
    memcpy(answer + NT_PACKET_HEAD, form.bytes, form.size);
    far_end_say(&f->far, answer, NT_PACKET_HEAD + form.size);
    assert_int_equal(o->err, NETRON_OK);
    assert_true(o->got == value);
}

static void check_calls(const char *hello, bool is_native)
{
    fixture f;
    open_with(&f, hello);
    outward o = {.f = &f, .err = NETRON_INTERNAL};
    far_end_run(&f.far, find_numbers, &o);
    answer_query(&f);
    assert_int_equal(o.err, NETRON_OK);
    for (size_t i = 0; i < NT_COUNT(integers); i++)
        check_call(&o, integers[i].value, is_native ? integers[i].native : integers[i].base);
    far_end_close(&f.far);
}

static void test_base_peer_is_called_with_bigint_beyond_two_to_53(void **state)
{
    (void)state;
    check_calls(base_hello, false);
}

static void test_peer_with_int64_is_called_natively(void **state)
{
    (void)state;
    check_calls(ours_hello, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_peer_is_answered_with_bigint_beyond_two_to_53),
        cmocka_unit_test(test_peer_with_int64_is_answered_natively),
        cmocka_unit_test(test_every_form_is_read_from_everybody),
        cmocka_unit_test(test_integer_reaches_a_float_and_a_fraction_no_integer),
        cmocka_unit_test(test_integer_that_a_double_cannot_hold_reaches_no_float),
        cmocka_unit_test(test_base_peer_is_called_with_bigint_beyond_two_to_53),
        cmocka_unit_test(test_peer_with_int64_is_called_natively),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
