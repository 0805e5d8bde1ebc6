/* json_test.c - JSON texts that must and must not be read, and how each type is written. */
#include "base/error.h"
#include "support/check.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What a text is written as after it was read. */
typedef struct good_row {
    const char *text, *again; /* NULL: the same */
} good_row;

static const good_row good[] = {
    {"null", NULL},
    {"true", NULL},
    {"false", NULL},
    {"0", NULL},
    {"-0", NULL},
    {"-1", NULL},
    {"9007199254740993", NULL},
    {"9223372036854775807", NULL},
    {"9223372036854775808", NULL},
    {"18446744073709551615", NULL},
    {"18446744073709551616", NULL},
    {"-9223372036854775808", NULL},
    {"-9223372036854775809", NULL},
    {"123456789012345678901234567890", NULL},
    {"1.5", NULL},
    {"-0.0", "-0"},
    {"1.0", "1"},
    {"1e2", "100"},
    {"1E+2", "100"},
    {"1e-2", "0.01"},
    {"0.1", NULL},
    {"0.30000000000000004", NULL},
    {"1e-6", "0.000001"},
    {"1e-7", NULL},
    {"1.5e-7", NULL},
    {"1e16", "10000000000000000"},
    {"1e17", "1e+17"},
    {"1e21", "1e+21"},
    {"1.7976931348623157e+308", NULL},
    {"5e-324", NULL},
    {"2.2250738585072014e-308", NULL},
    {"1e-400", "0"},
    {"0e999999999999999999999", "0"},
    {"0.000000000000000000000000000000000000000001e42", "1"},
    {"123456.789", NULL},
    {"\"\"", NULL},
    {"\"plain\"", NULL},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\"a\\u0000b\"", NULL},
    {"\"\\u001f\x7f\"", NULL},
    {"\"\xd0\x9f\xd1\x80\xd0\xb8\"", NULL},
    {"\"x\\ny\xc3\xa9 and a longer tail\"", NULL},
    {"[]", NULL},
    {"{}", NULL},
    {" [ ] ", "[]"},
    {"\t{\r\n}\n", "{}"},
    {"[1,\"two\",[3,[]],{},null]", NULL},
    {" [ 1 , 2 ] ", "[1,2]"},
    {"{\"a\":1,\"b\":{\"c\":[true]}}", NULL},
    {"{ \"b\" : 1 , \"a\" : [ ] }", "{\"b\":1,\"a\":[]}"},
    {"{\"\":0}", NULL},
    {"{\"b\":1,\"a\":2,\"B\":3,\"ab\":4,\"c\":5,\"d\":6,\"e\":7,\"f\":8,\"g\":9,\"h\":10}", NULL},
    {"[[[[]]],{\"a\":{\"b\":{}}}]", NULL},
};

static void test_value_parse_reads_what_json_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        netron_scope_auto(scope);
        netron_value value;
        if (netron_value_parse(&scope, netron_s(good[i].text), &value) != NETRON_OK)
            fail_msg("%s: %s", good[i].text, netron_last_error()->message);
        const char *again = netron_value_json(&scope, &value);
        assert_string_equal(again, good[i].again != NULL ? good[i].again : good[i].text);
    }
}

typedef struct bad_row {
    const char *text, *says;
} bad_row;

static const bad_row bad[] = {
    {"", "line 1, column 1: expected a value, found the end"},
    {"  ", "column 3: expected a value, found the end"},
    {"nul", "column 1: expected a value, found 'n'"},
    {"nulll", "column 5: expected the end of the text, found 'l'"},
    {"True", "expected a value, found 'T'"},
    {"NaN", "expected a value"},
    {"Infinity", "expected a value"},
    {"undefined", "expected a value"},
    {"\xef\xbb\xbf{}", "column 1: expected a value"},
    {"'a'", "expected a value, found '''"},
    {"1 2", "column 3: expected the end of the text, found '2'"},
    {"// c\n1", "expected a value, found '/'"},
    {"01", "column 2: a number does not begin with 0"},
    {"-", "expected a digit, found the end"},
    {"-a", "expected a digit, found 'a'"},
    {"+1", "expected a value, found '+'"},
    {".5", "expected a value, found '.'"},
    {"1.", "a digit after the point, found the end"},
    {"1.e5", "a digit after the point, found 'e'"},
    {"1e", "a digit of the exponent, found the end"},
    {"1e+", "a digit of the exponent, found the end"},
    {"1e+-1", "a digit of the exponent, found '-'"},
    {"0x10", "expected the end of the text, found 'x'"},
    {"1,5", "expected the end of the text, found ','"},
    {"1e309", "column 1: a number that is too large for a double"},
    {"[1e999999999999999999999]", "column 2: a number that is too large"},
    {"\"", "closing quote of a string"},
    {"\"abc", "closing quote of a string"},
    {"\"a\nb\"", "column 3: expected the closing quote of a string, or \\u and its code, found the "
                 "control character U+000A"},
    {"\"a\\", "after a backslash, found the end"},
    {"\"\\x\"", "after a backslash, found 'x'"},
    {"\"\\\xc3\xa9\"", "after a backslash, found '\xc3\xa9'"},
    {"\"\\u12\"", "four hexadecimal digits after \\u, found '\"'"},
    {"\"\\u12g4\"", "four hexadecimal digits after \\u, found 'g'"},
    {"\"\\u", "four hexadecimal digits after \\u, found the end"},
    {"\"x\\ud800\"", "column 3: half of a surrogate pair"},
    {"\"\\udc00\"", "half of a surrogate pair"},
    {"\"\\ud800\\ud800\"", "half of a surrogate pair"},
    {"\"\\ud800\\n\"", "half of a surrogate pair"},
    {"\"\\ud800\\u12", "four hexadecimal digits"},
    {"[", "expected a value, found the end"},
    {"[1", "expected ',' or ']', found the end"},
    {"[1 2]", "column 4: expected ',' or ']', found '2'"},
    {"[1,]", "column 4: expected a value, found ']'"},
    {"[,1]", "column 2: expected a value, found ','"},
    {"[1}", "expected ',' or ']', found '}'"},
    {"]", "expected a value, found ']'"},
    {"[]]", "expected the end of the text, found ']'"},
    {"{", "expected a name in quotes, found the end"},
    {"{a:1}", "expected a name in quotes, found 'a'"},
    {"{1:1}", "expected a name in quotes, found '1'"},
    {"{\"a\"}", "expected ':' after a name, found '}'"},
    {"{\"a\" 1}", "expected ':' after a name, found '1'"},
    {"{\"a\":}", "expected a value, found '}'"},
    {"{\"a\":1", "expected ',' or '}', found the end"},
    {"{\"a\":1,}", "column 8: expected a name in quotes, found '}'"},
    {"{\"a\":1]", "expected ',' or '}', found ']'"},
    {"{\"a\":1 \"b\":2}", "expected ',' or '}', found '\"'"},
    {"{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 3: the name \"a\" stands twice"},
    {"{\"\xc3\xa9\":1,\"\\u00e9\":2}", "column 8: the name \"\xc3\xa9\" stands twice"},
    {"{\"\":1,\"\":2}", "the name \"\" stands twice"},
    {"{\"k\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"k\":2}",
        "column 56: the name \"k\" stands twice"},
    {"\"\xff\"", "column 2: a byte that is not UTF-8"},
    {"\"\xed\xa0\x80\"", "column 2: a byte that is not UTF-8"},
    {"\"\xc3\xa9\xc3\"", "column 3: a byte that is not UTF-8"},
    {"\x01", "found the control character U+0001"},
};

static void test_value_parse_says_where_and_what_was_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        netron_scope_auto(scope);
        netron_value value = {.type = NETRON_TYPE_DATE};
        NT_CHECK_ROW(netron_value_parse(&scope, netron_s(bad[i].text), &value) == NETRON_INVALID,
            bad[i].text);
        NT_CHECK_ROW(value.type == NETRON_TYPE_DATE, bad[i].text);
        if (strstr(netron_last_error()->message, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].text, netron_last_error()->message);
    }
}

static void test_value_parse_refuses_a_zero_byte_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,\"b\",true]} ";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        netron_scope_auto(scope);
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[at] = '\0';
        netron_value value;
        assert_int_equal(netron_value_parse(&scope, (netron_str){copy, sizeof text - 1}, &value),
            NETRON_INVALID);
    }
}

/* Each front of the text in its own block, so that the sanitizer sees reads past its end. */
static void test_value_parse_refuses_every_truncation(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1.5e3,\"b\\u00e9\\ud83d\\ude00\\n\",true,null],\"c\":{\"d\":-1}}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        netron_scope_auto(scope);
        char *copy = test_malloc(n + 1);
        memcpy(copy + 1, text, n);
        netron_value value;
        assert_int_equal(
            netron_value_parse(&scope, (netron_str){copy + 1, n}, &value), NETRON_INVALID);
        test_free(copy);
    }
}

static void test_value_parse_keeps_integers_exact(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value v;
    assert_int_equal(netron_value_parse(&scope, netron_s("9223372036854775807"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_INT && v.as.i == INT64_MAX);
    assert_int_equal(netron_value_parse(&scope, netron_s("-9223372036854775808"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_INT && v.as.i == INT64_MIN);
    assert_int_equal(netron_value_parse(&scope, netron_s("9223372036854775808"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_UINT && v.as.u == (uint64_t)INT64_MAX + 1);
    assert_int_equal(netron_value_parse(&scope, netron_s("18446744073709551615"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_UINT && v.as.u == UINT64_MAX);
    assert_int_equal(netron_value_parse(&scope, netron_s("18446744073709551616"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_BIGINT);
    assert_true(netron_eq(v.as.str, netron_s("18446744073709551616")));
    assert_int_equal(netron_value_parse(&scope, netron_s("-9223372036854775809"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_BIGINT);
    assert_int_equal(netron_value_parse(&scope, netron_s("1.0"), &v), NETRON_OK);
    assert_true(v.type == NETRON_TYPE_FLOAT);
}

static void test_value_parse_keeps_its_limits(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    static char text[2 * NT_JSON_VALUES_MAX + 8];
    netron_value value;
    memset(text, '[', NT_JSON_DEPTH_MAX + 1);
    memset(text + NT_JSON_DEPTH_MAX + 1, ']', NT_JSON_DEPTH_MAX + 1);
    netron_str deepest = {text + 1, (size_t)2 * NT_JSON_DEPTH_MAX};
    assert_int_equal(netron_value_parse(&scope, deepest, &value), NETRON_OK);
    netron_str deeper = {text, (size_t)2 * NT_JSON_DEPTH_MAX + 2};
    assert_int_equal(netron_value_parse(&scope, deeper, &value), NETRON_INVALID);
    assert_non_null(strstr(netron_last_error()->message, "column 65: more than 64"));
    memset(text, '7', NT_JSON_NUMBER_MAX + 1);
    assert_int_equal(
        netron_value_parse(&scope, (netron_str){text, NT_JSON_NUMBER_MAX}, &value), NETRON_OK);
    text[1] = '.';
    assert_int_equal(
        netron_value_parse(&scope, (netron_str){text, NT_JSON_NUMBER_MAX}, &value), NETRON_OK);
    assert_int_equal(netron_value_parse(&scope, (netron_str){text, NT_JSON_NUMBER_MAX + 1}, &value),
        NETRON_INVALID);
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, i == 0 ? "[0" : ",0", 2);
    netron_str most = {text, (size_t)2 * NT_JSON_VALUES_MAX + 1};
    text[most.size - 1] = ']';
    assert_int_equal(netron_value_parse(&scope, most, &value), NETRON_OK);
    assert_int_equal(value.as.list.count, NT_JSON_VALUES_MAX);
    memcpy(text + most.size - 1, ",0]", 3);
    most.size += 2;
    assert_int_equal(netron_value_parse(&scope, most, &value), NETRON_INVALID);
    assert_non_null(strstr(netron_last_error()->message, "too many values"));
}

static void test_value_parse_finds_one_doubled_name_among_many(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    static char text[NAMES * 16];
    for (int doubled = 0; doubled <= 1; doubled++) {
        netron_scope_auto(scope);
        char *at = text;
        for (int i = 0; i < NAMES; i++)
            at += sprintf(at, "%c\"n%d\":%d", i == 0 ? '{' : ',', i, i);
        (void)sprintf(at, "%s}", doubled ? ",\"n4711\":0" : "");
        netron_value value;
        netron_err err = netron_value_parse(&scope, netron_s(text), &value);
        assert_int_equal(err, doubled ? NETRON_INVALID : NETRON_OK);
        if (doubled)
            assert_non_null(strstr(netron_last_error()->message, "\"n4711\" stands twice"));
    }
}

static void check_json(netron_value value, const char *expected)
{
    netron_scope_auto(scope);
    const char *text = netron_value_json(&scope, &value);
    assert_non_null(text);
    assert_string_equal(text, expected);
}

static netron_value str(const char *text)
{
    return (netron_value){.type = NETRON_TYPE_STR, .as.str = netron_s(text)};
}

static netron_value integer(int64_t i)
{
    return (netron_value){.type = NETRON_TYPE_INT, .as.i = i};
}

static const netron_value undefined = {.type = NETRON_TYPE_UNDEFINED};

static void test_value_json_writes_what_json_lacks(void **state)
{
    (void)state;
    check_json(undefined, "null");
    check_json((netron_value){.type = NETRON_TYPE_FLOAT, .as.f = (double)NAN}, "null");
    check_json((netron_value){.type = NETRON_TYPE_FLOAT, .as.f = (double)-INFINITY}, "null");
    check_json((netron_value){.type = NETRON_TYPE_LONG, .as.i = INT64_MIN}, "-9223372036854775808");
    check_json(
        (netron_value){.type = NETRON_TYPE_ULONG, .as.u = UINT64_MAX}, "18446744073709551615");
    check_json(
        (netron_value){.type = NETRON_TYPE_BIGINT, .as.str = netron_s("-12345678901234567890")},
        "-12345678901234567890");
    check_json((netron_value){.type = NETRON_TYPE_BIGINT, .as.str = netron_s("1,2")}, "\"1,2\"");
    check_json((netron_value){.type = NETRON_TYPE_BIGINT, .as.str = netron_s("-")}, "\"-\"");
    netron_str parts[] = {netron_s("a\\d\"/"), netron_s("gi")};
    check_json(
        (netron_value){.type = NETRON_TYPE_REGEXP, .as.regexp = {parts}}, "\"/a\\\\d\\\"//gi\"");
}

static void test_value_json_writes_lists_sets_maps_and_dicts(void **state)
{
    (void)state;
    netron_value items[] = {integer(1), undefined, str("x")};
    check_json((netron_value){.type = NETRON_TYPE_LIST, .as.list = {items, 3}}, "[1,null,\"x\"]");
    check_json((netron_value){.type = NETRON_TYPE_SET, .as.list = {items, 1}}, "[1]");
    check_json((netron_value){.type = NETRON_TYPE_SET}, "[]");
    netron_entry entries[] = {{str("gone"), undefined}, {str("a"), integer(1)},
        {str("gone"), undefined}, {str("b\""), {.type = NETRON_TYPE_LIST, .as.list = {items, 2}}},
        {integer(7), integer(8)}};
    check_json((netron_value){.type = NETRON_TYPE_MAP, .as.map = {entries, 5}},
        "{\"a\":1,\"b\\\"\":[1,null],\"7\":8}");
    check_json((netron_value){.type = NETRON_TYPE_MAP, .as.map = {entries, 1}}, "{}");
    check_json((netron_value){.type = NETRON_TYPE_DICT, .as.map = {entries, 5}},
        "[[\"gone\",null],[\"a\",1],[\"gone\",null],[\"b\\\"\",[1,null]],[7,8]]");
    check_json((netron_value){.type = NETRON_TYPE_DICT}, "[]");
}

static void test_value_json_writes_errors_services_references_and_streams(void **state)
{
    (void)state;
    netron_value_error error = {
        .titan = true, .name = str("TitanError"), .message = str("no"), .code = integer(404)};
    check_json((netron_value){.type = NETRON_TYPE_ERROR, .as.error = &error},
        "{\"name\":\"TitanError\",\"message\":\"no\",\"code\":404}");
    netron_value_error plain = {.standard = 5, .name = str("RangeError"), .message = str("far")};
    check_json((netron_value){.type = NETRON_TYPE_ERROR, .as.error = &plain},
        "{\"name\":\"RangeError\",\"message\":\"far\"}");
    netron_entry meta[] = {{str("name"), str("bank")}, {str("id"), str("other")},
        {str("version"), str("1.0.0")}, {str("contract"), undefined}};
    netron_value_definition definition = {.id = str("i"),
        .parent_id = str(""),
        .peer_id = str("p"),
        .meta = {.type = NETRON_TYPE_MAP, .as.map = {meta, 4}}};
    check_json((netron_value){.type = NETRON_TYPE_DEFINITION, .as.definition = &definition},
        "{\"id\":\"i\",\"parentId\":\"\",\"peerId\":\"p\",\"name\":\"bank\",\"version\":\"1.0.0\"}");
    definition.meta = undefined;
    check_json((netron_value){.type = NETRON_TYPE_DEFINITION, .as.definition = &definition},
        "{\"id\":\"i\",\"parentId\":\"\",\"peerId\":\"p\"}");
    check_json((netron_value){.type = NETRON_TYPE_REFERENCE, .as.str = netron_s("r")},
        "{\"reference\":\"r\"}");
    netron_str peer = netron_s("p");
    check_json(
        (netron_value){.type = NETRON_TYPE_STREAM, .as.stream = {&peer, UINT32_MAX, true, false}},
        "{\"stream\":4294967295,\"writable\":true,\"live\":false,\"peerId\":\"p\"}");
    check_json((netron_value){.type = NETRON_TYPE_STREAM, .as.stream = {NULL, 1, false, true}},
        "{\"stream\":1,\"writable\":false,\"live\":true}");
}

typedef struct date_row {
    int64_t ms;
    const char *text;
} date_row;

/* As new Date(ms).toISOString() has them. */
static const date_row dates[] = {
    {0, "\"1970-01-01T00:00:00.000Z\""},
    {1700000000000, "\"2023-11-14T22:13:20.000Z\""},
    {951782400001, "\"2000-02-29T00:00:00.001Z\""},
    {4107542399999, "\"2100-02-28T23:59:59.999Z\""},
    {4107542400000, "\"2100-03-01T00:00:00.000Z\""},
    {253402300799999, "\"9999-12-31T23:59:59.999Z\""},
    {253402300800000, "\"+010000-01-01T00:00:00.000Z\""},
    {-1, "\"1969-12-31T23:59:59.999Z\""},
    {-62167219200000, "\"0000-01-01T00:00:00.000Z\""},
    {-62167219200001, "\"-000001-12-31T23:59:59.999Z\""},
    {8640000000000000, "\"+275760-09-13T00:00:00.000Z\""},
    {-8640000000000000, "\"-271821-04-20T00:00:00.000Z\""},
    {8640000000000001, "null"},
    {INT64_MAX, "null"},
    {INT64_MIN, "null"},
};

static void test_value_json_writes_dates_as_javascript_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(dates); i++)
        check_json(
            (netron_value){.type = NETRON_TYPE_DATE, .as.date = {dates[i].ms}}, dates[i].text);
}

static void test_value_json_writes_bytes_as_base64(void **state)
{
    (void)state;
    static const char *const encoded[] = {"\"\"", "\"Zg==\"", "\"Zm8=\"", "\"Zm9v\"",
        "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""}; /* RFC 4648 10 */
    for (size_t n = 0; n < NT_COUNT(encoded); n++)
        check_json(
            (netron_value){.type = NETRON_TYPE_BYTES, .as.bytes = {"foobar", n}}, encoded[n]);
    netron_scope_auto(scope);
    size_t size = ((size_t)3 << 20) + 1; /* more than is encoded in one step */
    netron_value large = {.type = NETRON_TYPE_BYTES, .as.bytes = {calloc(size, 1), size}};
    const char *text = netron_value_json(&scope, &large);
    assert_int_equal(strlen(text), 2 + (size + 2) / 3 * 4);
    assert_int_equal(strspn(text + 1, "A"), (size - 1) / 3 * 4 + 2);
    assert_string_equal(text + strlen(text) - 3, "==\"");
    void *data;
    memcpy(&data, &large.as.bytes.data, sizeof data);
    free(data);
}

static void test_value_json_replaces_bad_utf8(void **state)
{
    (void)state;
    check_json(str("a\xff\xc3z\xed\xa0\x80"),
        "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_value_json_gives_null_for_a_value_that_is_too_deep(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value levels[NT_JSON_WRITE_DEPTH_MAX + 1];
    levels[0] = (netron_value){.type = NETRON_TYPE_LIST};
    for (size_t i = 1; i < NT_COUNT(levels); i++)
        levels[i] = (netron_value){.type = NETRON_TYPE_LIST, .as.list = {&levels[i - 1], 1}};
    assert_non_null(netron_value_json(&scope, &levels[NT_JSON_WRITE_DEPTH_MAX - 1]));
    assert_null(netron_value_json(&scope, &levels[NT_JSON_WRITE_DEPTH_MAX]));
    assert_int_equal(netron_last_error()->code, NETRON_INVALID);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: the same numbers in every run */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool round_trips(double f)
{
    netron_scope_auto(scope);
    netron_value value = {.type = NETRON_TYPE_FLOAT, .as.f = f};
    netron_value again;
    const char *text = netron_value_json(&scope, &value);
    if (netron_value_parse(&scope, netron_s(text), &again) != NETRON_OK)
        return false;
    double read = again.type == NETRON_TYPE_INT ? (double)again.as.i : again.as.f;
    return memcmp(&read, &f, sizeof f) == 0;
}

static void check_random_doubles(void)
{
    uint64_t random = 4711;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&random);
        double f;
        memcpy(&f, &bits, sizeof f);
        if (isfinite(f) && !round_trips(f))
            fail_msg("%a", f);
        if (!round_trips((double)(int64_t)bits / 1024))
            fail_msg("%a", (double)(int64_t)bits / 1024);
    }
}

static void test_doubles_survive_the_round_trip(void **state)
{
    (void)state;
    static const double edges[] = {0.0, -0.0, 1.0, -1.0, DBL_MAX, DBL_MIN, DBL_TRUE_MIN,
        DBL_EPSILON, 9007199254740993.0, 1e15, 1e16, 1e17, 1e-6, 1e-7, 123456789012345680.0,
        0.1 + 0.2, 5e-324};
    for (size_t i = 0; i < NT_COUNT(edges); i++)
        assert_true(round_trips(edges[i]));
    check_random_doubles();
}

static void test_numbers_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    static const char *const names[] = {
        "de_DE.UTF-8", "de_DE.utf8", "de_DE", "ru_RU.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    int found = 0;
    for (size_t i = 0; i < NT_COUNT(names); i++) {
        if (setlocale(LC_ALL, names[i]) == NULL)
            continue;
        found++;
        check_json((netron_value){.type = NETRON_TYPE_FLOAT, .as.f = 1234567.5}, "1234567.5");
        check_random_doubles();
    }
    (void)setlocale(LC_ALL, "C");
    if (found == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_parse_reads_what_json_writes),
        cmocka_unit_test(test_value_parse_says_where_and_what_was_expected),
        cmocka_unit_test(test_value_parse_refuses_a_zero_byte_anywhere),
        cmocka_unit_test(test_value_parse_refuses_every_truncation),
        cmocka_unit_test(test_value_parse_keeps_integers_exact),
        cmocka_unit_test(test_value_parse_keeps_its_limits),
        cmocka_unit_test(test_value_parse_finds_one_doubled_name_among_many),
        cmocka_unit_test(test_value_json_writes_what_json_lacks),
        cmocka_unit_test(test_value_json_writes_lists_sets_maps_and_dicts),
        cmocka_unit_test(test_value_json_writes_errors_services_references_and_streams),
        cmocka_unit_test(test_value_json_writes_dates_as_javascript_does),
        cmocka_unit_test(test_value_json_writes_bytes_as_base64),
        cmocka_unit_test(test_value_json_replaces_bad_utf8),
        cmocka_unit_test(test_value_json_gives_null_for_a_value_that_is_too_deep),
        cmocka_unit_test(test_doubles_survive_the_round_trip),
        cmocka_unit_test(test_numbers_do_not_depend_on_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
