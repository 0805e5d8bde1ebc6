/* version_test.c - versions, ranges, names and ids, in tables. */
#include "service/version.h"

#include "support/check.h"

#include <stdio.h>

static nt_version version(const char *text)
{
    nt_version v;
    if (nt_version_parse(netron_s(text), &v) != NETRON_OK)
        fail_msg("%s", netron_last_error()->message);
    return v;
}

static void test_version_parse_gives_all_parts(void **state)
{
    (void)state;
    nt_version v = version("1.20.300-beta.1.x-y+build.007");
    assert_true(v.major == 1 && v.minor == 20 && v.patch == 300);
    assert_true(netron_eq(v.pre, netron_s("beta.1.x-y")));
    assert_true(netron_eq(v.build, netron_s("build.007")));
    v = version("0.0.9007199254740991");
    assert_true(v.patch == NT_VERSION_NUMBER_MAX && v.pre.size == 0 && v.build.size == 0);
    v = version("1.0.0+0.build.1-rc.10000aaa-kk-0.1");
    assert_true(v.pre.size == 0 && v.build.size != 0);
    assert_true(netron_eq(version("1.0.0---").pre, netron_s("--")));
    assert_true(netron_eq(version("1.0.0-0A.is.legal").pre, netron_s("0A.is.legal")));
}

static void test_version_parse_refuses_what_semver_does(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "1", "1.2", "1.2.3.4", "v1.2.3", "=1.2.3", "01.2.3",
        "1.02.3", "1.2.03", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3-a.", "1.2.3-a.01",
        "1.2.3+a+b", "1.2.3-\xc3\xa9", "1.2.3 ", " 1.2.3", "1.2.x", "-1.2.3", "+1.2.3", "1..3",
        "a.b.c", "1.2.3_4", "9007199254740992.0.0", "99999999999999999999999.1.1", "1.2.3-a_b"};
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        nt_version v = {.major = 4711};
        NT_CHECK_ROW(nt_version_parse(netron_s(bad[i]), &v) == NETRON_INVALID, bad[i]);
        NT_CHECK_ROW(v.major == 4711, bad[i]);
        NT_CHECK_ROW(strstr(netron_last_error()->message, "e.g. 1.2.3") != NULL, bad[i]);
    }
}

static void test_version_compare_orders_as_semver_does(void **state)
{
    (void)state;
    static const char *const ascending[] = {"0.0.0-0", "0.0.0", "0.0.1", "0.1.0", "1.0.0-0",
        "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-18446744073709551616", "1.0.0--", "1.0.0-A",
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0-beta11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0", "2.0.0-beta.1",
        "2.0.0"};
    for (size_t i = 0; i < NT_COUNT(ascending); i++) {
        for (size_t k = 0; k < NT_COUNT(ascending); k++) {
            nt_version a = version(ascending[i]), b = version(ascending[k]);
            int order = nt_version_compare(&a, &b);
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s and %s: %d", ascending[i], ascending[k], order);
        }
    }
}

static void test_version_order_lists_what_is_no_version_first(void **state)
{
    (void)state;
    static const char *const ascending[] = {
        "", "1", "one", "0.9.0", "1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "2.0.0", "10.0.0"};
    for (size_t i = 0; i < NT_COUNT(ascending); i++) {
        for (size_t k = 0; k < NT_COUNT(ascending); k++) {
            int order = nt_version_order(netron_s(ascending[i]), netron_s(ascending[k]));
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s and %s: %d", ascending[i], ascending[k], order);
        }
    }
}

static void test_version_compare_ignores_build_metadata(void **state)
{
    (void)state;
    nt_version a = version("1.0.0+a"), b = version("1.0.0+b");
    assert_int_equal(nt_version_compare(&a, &b), 0);
}

typedef struct range_row {
    const char *range, *yes, *no; /* versions, separated by spaces */
} range_row;

/* The rows agree with node-semver's. */
static const range_row ranges[] = {
    {"1.2.3", "1.2.3 1.2.3+7", "1.2.4 1.2.3-beta"},
    {"=1.2.3", "1.2.3", "1.2.2"},
    {"1.2.3-beta.1", "1.2.3-beta.1", "1.2.3 1.2.3-beta.2"},
    {"*", "0.0.0 1.0.0 9.9.9", "1.0.0-beta 0.0.0-0"},
    {"x", "1.0.0", "1.0.0-beta"},
    {"1", "1.0.0 1.9.9", "0.9.9 2.0.0 2.0.0-0 1.0.0-beta"},
    {"1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"},
    {"1.X.x", "1.0.0 1.9.9", "2.0.0"},
    {"1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"},
    {"1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0 1.3.0-0"},
    {"=1.2", "1.2.7", "1.3.0"},
    {"^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0 2.0.0-beta 1.3.0-beta"},
    {"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"},
    {"^1", "1.0.0 1.9.0", "2.0.0 0.9.9"},
    {"^1.x", "1.0.0 1.9.0", "2.0.0"},
    {"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"},
    {"^0.0.3", "0.0.3", "0.0.4 0.0.2"},
    {"^0.0", "0.0.0 0.0.9", "0.1.0"},
    {"^0", "0.0.0 0.9.9", "1.0.0"},
    {"^0.x", "0.0.0 0.9.9", "1.0.0"},
    {"^*", "0.0.0 7.0.0", "7.0.0-a"},
    {"^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.4 1.2.3 1.9.0", "1.2.3-beta.1 1.2.4-beta.2 2.0.0"},
    {"^0.0.3-beta", "0.0.3-beta 0.0.3-pr.2 0.0.3", "0.0.4"},
    {"~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"},
    {"~1.2", "1.2.0 1.2.9", "1.3.0"},
    {"~1", "1.0.0 1.9.0", "2.0.0"},
    {"~0.2.3", "0.2.3 0.2.9", "0.3.0"},
    {"~1.2.3-beta.2", "1.2.3-beta.4 1.2.3", "1.2.4-beta.2 1.3.0"},
    {"~*", "1.0.0", "1.0.0-a"},
    {">=1 <3", "1.0.0 2.9.9", "0.9.9 3.0.0 3.0.0-beta 2.0.0-beta"},
    {">= 1.2   < 1.4", "1.2.0 1.3.9", "1.4.0"},
    {">1", "2.0.0", "1.0.0 1.9.9 2.0.0-beta"},
    {">1.2", "1.3.0 2.0.0", "1.2.9"},
    {">1.2.3", "1.2.4", "1.2.3"},
    {"<1", "0.9.9", "1.0.0 1.0.0-beta"},
    {"<1.2.3", "1.2.2", "1.2.3 1.2.3-beta"},
    {"<=1", "1.9.9 0.1.0", "2.0.0 2.0.0-0"},
    {"<=1.2", "1.2.9", "1.3.0"},
    {"<=1.2.3", "1.2.3", "1.2.4"},
    {">*", "", "0.0.0 1.0.0 1.0.0-a"},
    {"<*", "", "0.0.0 0.0.0-0"},
    {">=*", "0.0.0", "0.0.1-a"},
    {"<=*", "0.0.0", "0.0.1-a"},
    {">1.2.3-alpha.3", "1.2.3-alpha.7 3.4.5", "3.4.5-alpha.9 1.2.3-alpha.3"},
    {"<2.0.0-beta", "2.0.0-alpha 1.0.0", "2.0.0-beta 1.0.0-alpha"},
    {"1.2 - 2.3", "1.2.0 2.3.9", "1.1.9 2.4.0 2.4.0-0"},
    {"1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"},
    {"1 - 2", "1.0.0 2.9.9", "3.0.0"},
    {"1.2.3 - *", "1.2.3 9.0.0", "1.2.2"},
    {"* - 2", "0.0.0 2.9.9", "3.0.0"},
    {"1.2.3-a - 2.0.0-b", "1.2.3-b 1.2.3 2.0.0-a", "1.5.0-a 2.0.0-c 2.0.0"},
    {"1.2 || 2.x", "1.2.5 2.0.0", "1.3.0 3.0.0"},
    {"1.2||^3||=4.0.1", "1.2.0 3.9.9 4.0.1", "4.0.0 2.0.0"},
    {">=1.0.0-a <1.0.0 || 3", "1.0.0-b 3.1.0", "1.0.0 2.0.0"},
    {"  1.2.3  ", "1.2.3", "1.2.4"},
    {"^1.2.3+build.7", "1.2.3 1.3.0", "2.0.0"},
    {"<9007199254740991.1.1", "1.0.0", "9007199254740991.1.1"},
    {"^9007199254740991.0.0", "9007199254740991.0.0", "1.0.0"},
};

static void check_matches(const range_row *row, const char *versions, bool expected)
{
    nt_range range;
    if (nt_range_parse(netron_s(row->range), &range) != NETRON_OK)
        fail_msg("%s", netron_last_error()->message);
    for (const char *at = versions; *at != '\0';) {
        size_t size = strcspn(at, " ");
        nt_version v;
        assert_int_equal(nt_version_parse((netron_str){at, size}, &v), NETRON_OK);
        if (nt_range_matches(&range, &v) != expected)
            fail_msg("'%s' and %.*s: not %d", row->range, (int)size, at, (int)expected);
        at += size + strspn(at + size, " ");
    }
}

static void test_range_matches_as_npm_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ranges); i++) {
        check_matches(&ranges[i], ranges[i].yes, true);
        check_matches(&ranges[i], ranges[i].no, false);
    }
}

static void test_range_parse_refuses_what_it_cannot_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"", " ", "||", "1 ||", "|| 1", "1 | 2", "1 |", "a", "latest",
        "1.x.3", "1.2.3.4", "01", "1.", "1.2-beta", "1.x-beta", "^", "~", ">", ">=", "<>1", "=>1",
        ">==1", "1 -", "- 1", "1 - 2 - 3", "1 - >2", "^1 - 2", "1 -2", "v1.2.3", "~>1", "1,2",
        "1\t2", "1.2.3-", "9007199254740992"};
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        nt_range range = {.count = 42};
        NT_CHECK_ROW(nt_range_parse(netron_s(bad[i]), &range) == NETRON_INVALID, bad[i]);
        NT_CHECK_ROW(range.count == 42, bad[i]);
        NT_CHECK_ROW(strstr(netron_last_error()->message, "e.g. ^1.2") != NULL, bad[i]);
    }
}

static void test_range_parse_keeps_its_limits(void **state)
{
    (void)state;
    nt_range range;
    char text[NT_RANGE_MAX + 2];
    int size = sprintf(text, "1.0.0");
    for (int i = 1; i < NT_CONDITIONS_MAX; i++)
        size += sprintf(text + size, "||1.0.0");
    assert_int_equal(nt_range_parse(netron_s(text), &range), NETRON_OK);
    (void)sprintf(text + size, "||1.0.0");
    assert_int_equal(nt_range_parse(netron_s(text), &range), NETRON_INVALID);
    assert_non_null(strstr(netron_last_error()->message, "more than 16 conditions"));
    memset(text, ' ', sizeof text);
    text[0] = '1';
    assert_int_equal(nt_range_parse((netron_str){text, NT_RANGE_MAX}, &range), NETRON_OK);
    assert_int_equal(nt_range_parse((netron_str){text, NT_RANGE_MAX + 1}, &range), NETRON_INVALID);
}

static void test_service_name_check_knows_the_rules(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "calculator", "user-management", "user_management",
        "a.b.c", "com.example.Billing2", "9", "-", "_x"};
    static const char *const bad[] = {
        "", ".", ".a", "a.", "a..b", "a b", "a@b", "a/b", "caf\xc3\xa9", "a\n", "a*"};
    for (size_t i = 0; i < NT_COUNT(good); i++)
        NT_CHECK_ROW(nt_service_name_check(netron_s(good[i])) == NETRON_OK, good[i]);
    for (size_t i = 0; i < NT_COUNT(bad); i++)
        NT_CHECK_ROW(nt_service_name_check(netron_s(bad[i])) == NETRON_INVALID, bad[i]);
    char name[NT_SERVICE_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    assert_int_equal(nt_service_name_check((netron_str){name, sizeof name - 1}), NETRON_OK);
    assert_int_equal(nt_service_name_check((netron_str){name, sizeof name}), NETRON_INVALID);
}

static void test_service_id_split_gives_name_and_version(void **state)
{
    (void)state;
    netron_str name, number;
    assert_int_equal(nt_service_id_split("user-management@1.2.3-rc.1", &name, &number), NETRON_OK);
    assert_true(netron_eq(name, netron_s("user-management")));
    assert_true(netron_eq(number, netron_s("1.2.3-rc.1")));
    assert_int_equal(nt_service_id_split("a.b", &name, &number), NETRON_OK);
    assert_true(netron_eq(name, netron_s("a.b")));
    assert_int_equal(number.size, 0);
}

static void test_service_id_split_refuses_bad_ids_and_shows_a_right_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "@", "@1.0.0", "user management@1.2.3",
        "user-management@", "user-management@1.2", "user-management@^1.2.3", "a@1.2.3@4",
        "a@1.2.3 ", "a..b@1.0.0", "a@latest"};
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        netron_str name = netron_s("untouched"), number;
        NT_CHECK_ROW(nt_service_id_split(bad[i], &name, &number) == NETRON_INVALID, bad[i]);
        NT_CHECK_ROW(netron_eq(name, netron_s("untouched")), bad[i]);
        const char *message = netron_last_error()->message;
        NT_CHECK_ROW(strstr(message, "e.g. user-management@1.2.3, not '") != NULL, message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_parse_gives_all_parts),
        cmocka_unit_test(test_version_parse_refuses_what_semver_does),
        cmocka_unit_test(test_version_compare_orders_as_semver_does),
        cmocka_unit_test(test_version_order_lists_what_is_no_version_first),
        cmocka_unit_test(test_version_compare_ignores_build_metadata),
        cmocka_unit_test(test_range_matches_as_npm_does),
        cmocka_unit_test(test_range_parse_refuses_what_it_cannot_read),
        cmocka_unit_test(test_range_parse_keeps_its_limits),
        cmocka_unit_test(test_service_name_check_knows_the_rules),
        cmocka_unit_test(test_service_id_split_gives_name_and_version),
        cmocka_unit_test(test_service_id_split_refuses_bad_ids_and_shows_a_right_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
