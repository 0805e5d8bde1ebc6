/* fault_test.c - a failure goes out as a TitanError and comes in as whatever the far side sends. */
#include "wire/fault.h"

#include "base/arena.h"
#include "base/error.h"
#include "support/bytes.h"
#include "support/check.h"

static const int64_t now_ms = 1700000000000;

static int clear(void **state)
{
    (void)state;
    nt_error_thread_fini();
    nt_arena_trim();
    return 0;
}

static nt_slice written(nt_writer *writer, netron_err code)
{
    nt_writer_heap(writer, SIZE_MAX / 2);
    nt_fault_write(writer, code, now_ms);
    assert_int_equal(writer->err, NETRON_OK);
    return (nt_slice){writer->start, nt_writer_size(writer)};
}

static netron_value value_of(netron_scope *scope, nt_slice bytes)
{
    netron_value value;
    nt_reader reader;
    nt_reader_init(&reader, bytes, scope);
    assert_true(nt_value_read(&reader, &value));
    assert_ptr_equal(reader.at, reader.end);
    return value;
}

static netron_err read_fault(const netron_value *value)
{
    nt_writer writer;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    nt_value_write(&writer, value);
    assert_int_equal(writer.err, NETRON_OK);
    netron_err err = nt_fault_read((nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer); /* what is kept must not lie in it */
    assert_int_equal(netron_last_error()->code, err);
    return err;
}

/* ---- out ---- */

static void test_failure_is_thirteen_values_and_no_stack(void **state)
{
    (void)state;
    static const char expected[] =
        "\xc7\x2e\x6e\xaaTitanError\xcd\1\x99\xa5taken\x80\x80\xcb\x42\x78\xbc\xfe\x56\x80\0\0"
        "\xd4\0\0\xd4\0\0\xd4\0\0\xd4\0\0\xc0\xc0\xc0";
    nt_writer writer;
    (void)nt_fail(NETRON_CONFLICT, "taken");
    nt_slice bytes = written(&writer, NETRON_CONFLICT);
    assert_int_equal(bytes.len, sizeof expected - 1);
    assert_memory_equal(bytes.ptr, expected, sizeof expected - 1);
    nt_writer_free(&writer);
}

static void test_details_go_out(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    netron_entry entry = {netron_str_value(netron_s("name")), netron_i64_value(7)};
    netron_value details = netron_map_value(&entry, 1);
    (void)nt_fail(NETRON_INVALID, "bad name");
    nt_error_last()->details = &details;
    netron_value got = value_of(&scope, written(&writer, NETRON_INVALID));
    nt_writer_free(&writer);
    assert_true(netron_value_equal(&got.as.error->details, &details));
}

/* A handler may return a code that no failure was described for. */
static void test_code_that_is_not_the_last_failures_is_described_by_its_text(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    (void)nt_fail(NETRON_CONFLICT, "something else");
    netron_value got = value_of(&scope, written(&writer, NETRON_GONE));
    nt_writer_free(&writer);
    assert_int_equal(got.as.error->code.as.i, NETRON_GONE);
    assert_true(netron_eq(got.as.error->message.as.str, netron_s("gone")));
}

static void test_payload_of_the_failure_goes_out_instead(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    netron_value payload = netron_str_value(netron_s("just text"));
    (void)nt_fail(NETRON_INVALID, "unseen");
    nt_error_set_payload(&payload);
    netron_value got = value_of(&scope, written(&writer, NETRON_INVALID));
    nt_writer_free(&writer);
    assert_true(netron_value_equal(&got, &payload));
    got = value_of(&scope, written(&writer, NETRON_GONE)); /* but not for another failure */
    nt_writer_free(&writer);
    assert_int_equal(got.type, NETRON_TYPE_ERROR);
}

static void test_message_that_is_not_utf8_does_not_spoil_the_answer(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    (void)nt_fail(NETRON_INVALID, "no such name: %s", "ab\xc3");
    netron_value got = value_of(&scope, written(&writer, NETRON_INVALID));
    nt_writer_free(&writer);
    assert_true(netron_eq(got.as.error->message.as.str, netron_s("no such name: ab")));
}

/* ---- what ours add ---- */

static void write_told(nt_writer *writer, netron_err code, netron_executed executed)
{
    nt_writer_heap(writer, SIZE_MAX / 2);
    nt_fault_write_executed(writer, code, now_ms, executed);
    assert_int_equal(writer->err, NETRON_OK);
}

NETRON_PRINTF(2, 3) static void because(netron_err code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)nt_fail_because_v(code, format, args);
    va_end(args);
}

/* A failure that arose at node "n", because of another one of "m". */
static void fail_with_cause(void)
{
    (void)nt_fail(NETRON_UNAVAILABLE, "the connection broke");
    nt_error_last()->hop = "m";
    nt_error_last()->executed = NETRON_EXECUTED_UNKNOWN;
    because(NETRON_CONFLICT, "no: %s", netron_last_error()->message);
    nt_error_last()->hop = "n";
}

static void test_hop_and_cause_go_out_and_come_in(void **state)
{
    (void)state;
    nt_writer writer;
    fail_with_cause();
    write_told(&writer, NETRON_CONFLICT, NETRON_EXECUTED_NO);
    nt_error_clear();
    assert_int_equal(
        nt_fault_read((nt_slice){writer.start, nt_writer_size(&writer)}), NETRON_CONFLICT);
    nt_writer_free(&writer);
    const netron_error *last = netron_last_error();
    assert_string_equal(last->message, "no: the connection broke");
    assert_string_equal(last->hop, "n");
    assert_int_equal(last->executed, NETRON_EXECUTED_NO);
    assert_non_null(last->cause);
    assert_int_equal(last->cause->code, NETRON_UNAVAILABLE);
    assert_string_equal(last->cause->message, "the connection broke");
    assert_string_equal(last->cause->hop, "m");
    assert_int_equal(last->cause->executed, NETRON_EXECUTED_UNKNOWN);
    assert_null(last->cause->cause);
}

/* ... whether it is made here or passed on. */
static void test_others_get_nothing_of_it_but_the_cause(void **state)
{
    (void)state;
    for (int is_passed_on = 0; is_passed_on < 2; is_passed_on++) {
        netron_scope_auto(scope);
        nt_writer writer;
        fail_with_cause();
        if (is_passed_on) {
            write_told(&writer, NETRON_CONFLICT, NETRON_EXECUTED_NO);
            (void)nt_fault_read((nt_slice){writer.start, nt_writer_size(&writer)});
            nt_writer_free(&writer);
            nt_error_set_payload(nt_error_origin());
        }
        netron_value got = value_of(&scope, written(&writer, NETRON_CONFLICT));
        nt_writer_free(&writer);
        assert_int_equal(got.as.error->context.as.map.count, 0);
        const netron_value *cause = &got.as.error->cause;
        assert_int_equal(cause->type, NETRON_TYPE_ERROR);
        assert_int_equal(cause->as.error->context.as.map.count, 0);
        assert_true(netron_eq(cause->as.error->message.as.str, netron_s("the connection broke")));
    }
}

static void test_failure_that_is_passed_on_says_where_it_came_from(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    (void)nt_fail(NETRON_CONFLICT, "taken");
    nt_slice bytes = written(&writer, NETRON_CONFLICT);
    (void)nt_fault_read(bytes);
    nt_writer_free(&writer);
    nt_error_last()->hop = "owner";
    nt_error_set_payload(nt_error_origin());
    write_told(&writer, NETRON_CONFLICT, NETRON_EXECUTED_YES);
    netron_value got = value_of(&scope, (nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
    const netron_value *hop = netron_map_get(&got.as.error->context, "hop");
    assert_true(hop != NULL && netron_eq(hop->as.str, netron_s("owner")));
}

/* A context of somebody else's stays as it is. */
static void test_context_of_others_is_not_touched(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    nt_writer writer;
    netron_entry entries[] = {{netron_str_value(netron_s("hop")), netron_str_value(netron_s("x"))},
        {netron_str_value(netron_s("mine")), netron_i64_value(1)}};
    netron_value_error error = {.titan = true,
        .code = netron_i64_value(409),
        .name = netron_str_value(netron_s("AppError")),
        .message = netron_str_value(netron_s("why")),
        .context = netron_map_value(entries, 2)};
    netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
    assert_int_equal(read_fault(&value), NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->hop, "");
    nt_error_last()->hop = "owner";
    nt_error_set_payload(nt_error_origin());
    write_told(&writer, NETRON_CONFLICT, NETRON_EXECUTED_YES);
    netron_value got = value_of(&scope, (nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
    assert_true(netron_value_equal(&got.as.error->context, &error.context));
}

static void test_cause_of_an_existing_node_is_read(void **state)
{
    (void)state;
    netron_entry entries[] = {
        {netron_str_value(netron_s("__errorType")), netron_str_value(netron_s("Error"))},
        {netron_str_value(netron_s("name")), netron_str_value(netron_s("RangeError"))},
        {netron_str_value(netron_s("message")), netron_str_value(netron_s("too far"))}};
    netron_value_error plain = {.standard = 1,
        .name = netron_str_value(netron_s("Error")),
        .message = netron_str_value(netron_s("plain"))};
    const struct {
        netron_value cause;
        const char *name, *message; /* NULL: there is none */
    } rows[] = {
        {netron_map_value(entries, 3), "RangeError", "too far"},
        {{.type = NETRON_TYPE_ERROR, .as.error = &plain}, "Error", "plain"},
        {netron_str_value(netron_s("text")), NULL, NULL},
        {netron_null(), NULL, NULL},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_value_error error = {.titan = true,
            .code = netron_i64_value(409),
            .message = netron_str_value(netron_s("why")),
            .cause = rows[i].cause};
        netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
        assert_int_equal(read_fault(&value), NETRON_CONFLICT);
        const netron_error *cause = netron_last_error()->cause;
        assert_int_equal(cause != NULL, rows[i].name != NULL);
        if (cause == NULL)
            continue;
        assert_string_equal(cause->name, rows[i].name);
        assert_string_equal(cause->message, rows[i].message);
    }
}

/* ---- in ---- */

static void test_titan_error_keeps_code_name_message_and_details(void **state)
{
    (void)state;
    nt_writer writer;
    netron_entry entry = {netron_str_value(netron_s("name")), netron_i64_value(7)};
    netron_value details = netron_map_value(&entry, 1);
    (void)nt_fail(NETRON_CONFLICT, "taken");
    nt_error_last()->details = &details;
    nt_slice bytes = written(&writer, NETRON_CONFLICT);
    nt_error_clear();
    assert_int_equal(nt_fault_read(bytes), NETRON_CONFLICT);
    nt_writer_free(&writer);
    const netron_error *last = netron_last_error();
    assert_int_equal(last->code, NETRON_CONFLICT);
    assert_string_equal(last->name, "TitanError");
    assert_string_equal(last->message, "taken");
    assert_true(netron_value_equal(last->details, &details));
    assert_int_equal(nt_error_origin()->type, NETRON_TYPE_ERROR);
}

static void test_code_out_of_range_is_an_internal_error(void **state)
{
    (void)state;
    const struct {
        netron_value code;
        netron_err expected;
    } rows[] = {
        {netron_i64_value(1), (netron_err)1},
        {netron_i64_value(418), (netron_err)418}, /* not in our table, yet a code */
        {netron_i64_value(999), (netron_err)999},
        {netron_f64_value(404.5), NETRON_NOT_FOUND},
        {netron_i64_value(0), NETRON_INTERNAL},
        {netron_i64_value(-404), NETRON_INTERNAL},
        {netron_i64_value(1000), NETRON_INTERNAL},
        {netron_i64_value(INT64_MAX), NETRON_INTERNAL},
        {netron_u64_value(UINT64_MAX), NETRON_INTERNAL},
        {netron_f64_value(1e300), NETRON_INTERNAL},
        {netron_f64_value(0.5), NETRON_INTERNAL},
        {netron_str_value(netron_s("404")), NETRON_INTERNAL},
        {netron_null(), NETRON_INTERNAL},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_value_error error = {.titan = true,
            .code = rows[i].code,
            .name = netron_str_value(netron_s("AppError")),
            .message = netron_str_value(netron_s("why"))};
        netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
        netron_err err = read_fault(&value);
        if (err != rows[i].expected)
            fail_msg("row %zu: %d", i, (int)err);
        assert_string_equal(netron_last_error()->name, "AppError");
        assert_string_equal(netron_last_error()->message, "why");
        assert_null(netron_last_error()->details);
    }
}

static void test_plain_error_is_an_internal_one_with_its_name_and_fields(void **state)
{
    (void)state;
    netron_entry field = {netron_str_value(netron_s("limit")), netron_i64_value(3)};
    netron_value_error error = {.standard = 5,
        .name = netron_str_value(netron_s("RangeError")),
        .message = netron_str_value(netron_s("too far")),
        .fields = {&field, 1}};
    netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
    assert_int_equal(read_fault(&value), NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->name, "RangeError");
    assert_string_equal(netron_last_error()->message, "too far");
    assert_true(netron_value_equal(nt_error_origin(), &value)); /* a relay passes it on whole */
}

static void test_error_without_a_message_gets_one(void **state)
{
    (void)state;
    netron_value_error error = {.titan = true, .code = netron_i64_value(404)};
    netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
    assert_int_equal(read_fault(&value), NETRON_NOT_FOUND);
    assert_string_equal(netron_last_error()->name, "Error");
    assert_true(strlen(netron_last_error()->message) != 0);
}

static void test_other_values_are_internal_errors_with_what_text_they_have(void **state)
{
    (void)state;
    netron_entry entries[] = {
        {netron_str_value(netron_s("code")), netron_i64_value(404)},
        {netron_str_value(netron_s("message")), netron_str_value(netron_s("from a map"))}};
    netron_value text = netron_str_value(netron_s("thrown text"));
    netron_value map = netron_map_value(entries, 2);
    netron_value empty_map = netron_map_value(NULL, 0);
    netron_value number = netron_i64_value(404);
    netron_value null = netron_null();
    assert_int_equal(read_fault(&text), NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "thrown text");
    assert_int_equal(read_fault(&map), NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "from a map");
    const netron_value *const without[] = {&empty_map, &number, &null};
    for (size_t i = 0; i < NT_COUNT(without); i++) {
        assert_int_equal(read_fault(without[i]), NETRON_INTERNAL);
        assert_string_equal(
            netron_last_error()->message, "the far side failed without a message");
        assert_true(netron_value_equal(nt_error_origin(), without[i]));
    }
}

static void test_payload_that_cannot_be_read_is_an_internal_error(void **state)
{
    (void)state;
    static const nt_slice rows[] = {
        NT_BYTES("\xc1"), NT_BYTES("\xc7\2\x6e\xa0\xa0"), NT_BYTES("\xd4\x7f\0"), {NULL, 0}};
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        (void)nt_fail(NETRON_INVALID, "an older one");
        assert_int_equal(nt_fault_read(rows[i]), NETRON_INTERNAL);
        assert_int_equal(netron_last_error()->code, NETRON_INTERNAL);
        assert_non_null(strstr(netron_last_error()->message, "cannot be read"));
        assert_null(nt_error_origin());
    }
}

static void test_zero_in_a_text_ends_it_for_c(void **state)
{
    (void)state;
    netron_value text = netron_str_value((netron_str){"ab\0cd", 5});
    assert_int_equal(read_fault(&text), NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "ab");
}

/* ---- of a reader ---- */

static void test_readers_mistake_says_what_where_and_why(void **state)
{
    (void)state;
    static const nt_slice in = NT_BYTES("\xa1x"), cut = NT_BYTES("\xcd\1");
    bool flag;
    nt_reader reader;
    nt_reader_init(&reader, in, NULL);
    assert_false(netron_abi_get_bool(&reader, &flag));
    (void)netron_abi_bad_field(&reader, "is_on");
    (void)netron_abi_bad_item(&reader, 2);
    assert_int_equal(
        nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "the result"), NETRON_UNPROCESSABLE);
    assert_string_equal(
        netron_last_error()->message, "the result[2].is_on: expected bool, found str");
    nt_reader_init(&reader, in, NULL);
    assert_false(netron_abi_get_bool(&reader, &flag));
    (void)netron_abi_bad_field(&reader, "is_on");
    (void)nt_fault_of_reader(&reader, NETRON_INVALID, "argument a");
    assert_string_equal(
        netron_last_error()->message, "argument a.is_on: expected bool, found str");
    nt_reader_init(&reader, cut, NULL);
    assert_false(netron_abi_get_bool(&reader, &flag));
    assert_int_equal(nt_fault_of_reader(&reader, NETRON_INVALID, "argument a"), NETRON_PROTOCOL);
    assert_string_equal(
        netron_last_error()->message, "argument a cannot be read: the packet is cut short");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failure_is_thirteen_values_and_no_stack),
        TEST(test_details_go_out),
        TEST(test_code_that_is_not_the_last_failures_is_described_by_its_text),
        TEST(test_payload_of_the_failure_goes_out_instead),
        TEST(test_message_that_is_not_utf8_does_not_spoil_the_answer),
        TEST(test_hop_and_cause_go_out_and_come_in),
        TEST(test_others_get_nothing_of_it_but_the_cause),
        TEST(test_failure_that_is_passed_on_says_where_it_came_from),
        TEST(test_context_of_others_is_not_touched),
        TEST(test_cause_of_an_existing_node_is_read),
        TEST(test_titan_error_keeps_code_name_message_and_details),
        TEST(test_code_out_of_range_is_an_internal_error),
        TEST(test_plain_error_is_an_internal_one_with_its_name_and_fields),
        TEST(test_error_without_a_message_gets_one),
        TEST(test_other_values_are_internal_errors_with_what_text_they_have),
        TEST(test_payload_that_cannot_be_read_is_an_internal_error),
        TEST(test_zero_in_a_text_ends_it_for_c),
        TEST(test_readers_mistake_says_what_where_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
