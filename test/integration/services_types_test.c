/* services_types_test.c - every type of a contract goes to another node and comes back, and numbers
 * lose nothing. */
#include "pair.h"

#include <math.h>
#include <stdlib.h>

NETRON_ENUM(size_of_it, tiny, huge);
NETRON_STRUCT(beast, (str, name), (opt_u8, age), (size_of_it, size), (list_str, calls), (date, born));
NETRON_LIST(herd, beast);
NETRON_MAP(census, beast);
NETRON_OPT(maybe_beast, beast);
NETRON_STRUCT(park, (herd, animals), (maybe_beast, star), (census, by_name), (map_f64, weights),
    (opt_any, note), (bytes, map));

NETRON_SERVICE(zoo, "zoo@1.0.0", t_bool, t_i8, t_i16, t_i32, t_i64, t_u8, t_u16, t_u32, t_u64, t_f32,
    t_f64, t_str, t_bytes, t_date, t_any, t_enum, t_struct, t_park, t_list, t_lists, t_map, t_opt,
    t_opt_str, none, many);
NETRON_LIST(lists, list_i64);
#define ECHO(name, type)                                                                           \
    NETRON_METHOD(zoo, name, type, (type, value));                                                 \
    netron_err zoo__##name##_impl(netron_ctx *ctx, zoo__self *self, nt_type_##type value,          \
        nt_type_##type *result)                                                                    \
    {                                                                                              \
        (void)self;                                                                                \
        if (netron_yield(ctx) != NETRON_OK) /* arguments outlive a wait */                         \
            return NETRON_CANCELLED;                                                               \
        *result = value;                                                                           \
        return NETRON_OK;                                                                          \
    }
ECHO(t_bool, bool)
ECHO(t_i8, i8)
ECHO(t_i16, i16)
ECHO(t_i32, i32)
ECHO(t_i64, i64)
ECHO(t_u8, u8)
ECHO(t_u16, u16)
ECHO(t_u32, u32)
ECHO(t_u64, u64)
ECHO(t_f32, f32)
ECHO(t_f64, f64)
ECHO(t_str, str)
ECHO(t_bytes, bytes)
ECHO(t_date, date)
ECHO(t_any, any)
ECHO(t_enum, size_of_it)
ECHO(t_struct, beast)
ECHO(t_park, park)
ECHO(t_list, list_i64)
ECHO(t_lists, lists)
ECHO(t_map, map_i32)
ECHO(t_opt, opt_i64)
ECHO(t_opt_str, opt_str)
NETRON_METHOD(zoo, none, none);
NETRON_METHOD(zoo, many, i64, (i64, a1), (i64, a2), (i64, a3), (i64, a4), (i64, a5), (i64, a6),
    (i64, a7), (i64, a8), (i64, a9), (i64, a10), (i64, a11), (i64, a12), (i64, a13), (i64, a14),
    (i64, a15), (i64, a16));

struct zoo__self {
    int nones;
};
netron_err zoo__none_impl(netron_ctx *ctx, zoo__self *self)
{
    (void)ctx;
    self->nones++;
    return NETRON_OK;
}
netron_err zoo__many_impl(netron_ctx *ctx, zoo__self *self, int64_t a1, int64_t a2, int64_t a3,
    int64_t a4, int64_t a5, int64_t a6, int64_t a7, int64_t a8, int64_t a9, int64_t a10, int64_t a11,
    int64_t a12, int64_t a13, int64_t a14, int64_t a15, int64_t a16, int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = a1 + 2 * a2 + 3 * a3 + 4 * a4 + 5 * a5 + 6 * a6 + 7 * a7 + 8 * a8 + 9 * a9 + 10 * a10 +
              11 * a11 + 12 * a12 + 13 * a13 + 14 * a14 + 15 * a15 + 16 * a16;
    return NETRON_OK;
}
NETRON_PROVIDE(zoo, t_bool, t_i8, t_i16, t_i32, t_i64, t_u8, t_u16, t_u32, t_u64, t_f32, t_f64,
    t_str, t_bytes, t_date, t_any, t_enum, t_struct, t_park, t_list, t_lists, t_map, t_opt, t_opt_str,
    none, many);

typedef struct fixture {
    pair p;
    zoo proxy;
    zoo__self self;
    netron_scope scope;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    pair_open(&f->p, NULL, NULL, NULL);
    CHECK_OK(zoo__expose(f->p.server, &f->self));
    CHECK_OK(zoo__query(f->p.peer, &f->proxy));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    zoo__release(&f->proxy);
    netron_scope_end(&f->scope);
    pair_close(&f->p);
    free(f);
    return 0;
}

#define WITH netron_with(&f->proxy, .scope = &f->scope)
#define SAME(name, type, ...)                                                                      \
    do {                                                                                           \
        static const type in_[] = {__VA_ARGS__};                                                   \
        for (size_t i_ = 0; i_ < NT_COUNT(in_); i_++) {                                            \
            type out_ = 0;                                                                         \
            CHECK_OK(zoo_##name(&f->proxy, in_[i_], &out_));                                       \
            if (memcmp(&out_, &in_[i_], sizeof out_) != 0)                                         \
                fail_msg(#name ", row %zu, came back changed", i_);                                \
        }                                                                                          \
    } while (0)

static void test_integers_come_back_unchanged(void **state)
{
    fixture *f = *state;
    SAME(t_i8, int8_t, INT8_MIN, -1, 0, 127);
    SAME(t_i16, int16_t, INT16_MIN, -129, -128, 255, 256, INT16_MAX);
    SAME(t_i32, int32_t, INT32_MIN, -32769, 65535, 65536, INT32_MAX);
    SAME(t_i64, int64_t, INT64_MIN, INT64_MIN + 1, -(INT64_C(1) << 53) - 1, -(INT64_C(1) << 53),
        -4294967297, -33, -32, -1, 0, 127, 128, 4294967296, (INT64_C(1) << 53),
        (INT64_C(1) << 53) + 1, INT64_MAX - 1, INT64_MAX);
    SAME(t_u8, uint8_t, 0, 127, 128, 255);
    SAME(t_u16, uint16_t, 0, 256, UINT16_MAX);
    SAME(t_u32, uint32_t, 0, 65536, UINT32_MAX);
    SAME(t_u64, uint64_t, 0, 128, UINT32_MAX, UINT64_C(1) << 53, (UINT64_C(1) << 53) + 1, INT64_MAX,
        (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX);
}

static void test_floats_come_back_unchanged(void **state)
{
    fixture *f = *state;
    SAME(t_f32, float, 0.0f, 0.1f, -1.5f, 3.4028235e38f, 1e-45f);
    SAME(t_f64, double, 0.1, -1.5, 5e-324, 1.7976931348623157e308, 9007199254740993.0);
    double out = 0;
    CHECK_OK(zoo_t_f64(&f->proxy, (double)INFINITY, &out));
    assert_true(isinf(out) && out > 0);
    CHECK_OK(zoo_t_f64(&f->proxy, (double)NAN, &out));
    assert_true(isnan(out));
    CHECK_OK(zoo_t_f64(&f->proxy, -0.0, &out));
    assert_true(fpclassify(out) == FP_ZERO);
}

static void test_scalars_come_back_unchanged(void **state)
{
    fixture *f = *state;
    bool flag = false;
    netron_date date = {0};
    size_of_it size = size_of_it_tiny;
    netron_str text;
    netron_bytes blob;
    CHECK_OK(zoo_t_bool(&f->proxy, true, &flag));
    assert_true(flag);
    CHECK_OK(zoo_t_date(&f->proxy, (netron_date){1700000000123}, &date));
    assert_int_equal(date.ms, 1700000000123);
    CHECK_OK(zoo_t_enum(&f->proxy, size_of_it_huge, &size));
    assert_int_equal(size, size_of_it_huge);
    CHECK_OK(zoo_t_str(WITH, netron_s("na\xc3\xafve \xf0\x9f\x90\x98"), &text));
    CHECK_STR(text, "na\xc3\xafve \xf0\x9f\x90\x98");
    CHECK_OK(zoo_t_str(WITH, (netron_str){"a\0b", 3}, &text));
    assert_true(text.size == 3 && memcmp(text.data, "a\0b", 3) == 0);
    CHECK_OK(zoo_t_str(WITH, netron_s(""), &text));
    assert_int_equal(text.size, 0);
    CHECK_OK(zoo_t_bytes(WITH, (netron_bytes){"\xff\0\x80", 3}, &blob));
    assert_true(blob.size == 3 && memcmp(blob.data, "\xff\0\x80", 3) == 0);
    CHECK_OK(zoo_none(&f->proxy));
    assert_int_equal(f->self.nones, 1);
}

static void test_lists_maps_and_optionals_come_back_unchanged(void **state)
{
    fixture *f = *state;
    int64_t numbers[] = {1, -2, INT64_MAX};
    netron_list_i64 rows[] = {{numbers, 3}, {NULL, 0}, {numbers, 1}};
    netron_map_i32_entry entries[] = {{netron_s("a"), 1}, {netron_s(""), -7}};
    netron_list_i64 list;
    lists nested;
    netron_map_i32 map;
    netron_opt_i64 opt;
    netron_opt_str opt_text;
    CHECK_OK(zoo_t_list(WITH, (netron_list_i64){numbers, 3}, &list));
    assert_true(list.count == 3 && memcmp(list.items, numbers, sizeof numbers) == 0);
    CHECK_OK(zoo_t_lists(WITH, (lists){rows, 3}, &nested));
    assert_true(nested.count == 3 && nested.items[0].items[2] == INT64_MAX &&
                nested.items[1].count == 0 && nested.items[2].items[0] == 1);
    CHECK_OK(zoo_t_map(WITH, (netron_map_i32){entries, 2}, &map));
    assert_true(map.count == 2 && map.entries[1].value == -7);
    CHECK_STR(map.entries[0].key, "a");
    CHECK_OK(zoo_t_opt(&f->proxy, (netron_opt_i64){true, 7}, &opt));
    assert_true(opt.present && opt.value == 7);
    CHECK_OK(zoo_t_opt(&f->proxy, (netron_opt_i64){false, 0}, &opt));
    assert_false(opt.present);
    CHECK_OK(zoo_t_opt_str(WITH, (netron_opt_str){true, netron_s("x")}, &opt_text));
    assert_true(opt_text.present);
    CHECK_STR(opt_text.value, "x");
    /* 20,000 items are more than one read brings. */
    int64_t *long_list = calloc(20000, sizeof *long_list);
    for (int64_t i = 0; i < 20000; i++)
        long_list[i] = i * 1000003;
    CHECK_OK(zoo_t_list(WITH, (netron_list_i64){long_list, 20000}, &list));
    assert_true(list.count == 20000 && memcmp(list.items, long_list, 20000 * sizeof(int64_t)) == 0);
    free(long_list);
}

static void test_structs_come_back_unchanged(void **state)
{
    fixture *f = *state;
    netron_str calls[] = {netron_s("oo"), netron_s("ah")};
    beast ape = {netron_s("Ape"), {true, 9}, size_of_it_huge, {calls, 2}, {86400000}};
    beast bee = {netron_s("Bee"), {false, 0}, size_of_it_tiny, {NULL, 0}, {0}};
    beast both[] = {ape, bee}, one;
    census_entry named[] = {{netron_s("bee"), bee}};
    netron_map_f64_entry weights[] = {{netron_s("ape"), 80.5}, {netron_s("bee"), 0.0001}};
    park in = {{both, 2}, {true, bee}, {named, 1}, {weights, 2}, {true, netron_i64_value(5)},
        {"map", 3}};
    park out;
    CHECK_OK(zoo_t_struct(WITH, ape, &one));
    CHECK_STR(one.name, "Ape");
    assert_true(one.age.present && one.age.value == 9 && one.size == size_of_it_huge);
    assert_int_equal(one.calls.count, 2);
    CHECK_STR(one.calls.items[1], "ah");
    CHECK_OK(zoo_t_park(WITH, in, &out));
    assert_int_equal(out.animals.count, 2);
    CHECK_STR(out.animals.items[0].calls.items[0], "oo");
    assert_false(out.animals.items[1].age.present);
    assert_true(out.star.present);
    CHECK_STR(out.star.value.name, "Bee");
    CHECK_STR(out.by_name.entries[0].value.name, "Bee");
    assert_true(out.weights.count == 2 && out.weights.entries[1].value > 0.00009);
    assert_true(out.note.present && out.note.value.as.i == 5);
    assert_true(out.map.size == 3);
}

static void test_any_keeps_every_kind_of_value(void **state)
{
    fixture *f = *state;
    netron_str source[] = {netron_s("a+"), netron_s("gi")};
    netron_value items[] = {netron_i64_value(1), netron_str_value(netron_s("two"))};
    netron_entry entries[] = {{netron_str_value(netron_s("k")), netron_list_value(items, 2)}};
    netron_entry any_keys[] = {{netron_i64_value(7), netron_bool_value(true)}};
    netron_value rows[] = {netron_null(), netron_bool_value(true), netron_i64_value(INT64_MIN),
        netron_u64_value(UINT64_MAX), netron_f64_value(0.5), netron_str_value(netron_s("text")),
        netron_bytes_value((netron_bytes){"\0\1", 2}), netron_date_value((netron_date){12345}),
        netron_list_value(items, 2), netron_map_value(entries, 1),
        {.type = NETRON_TYPE_LONG, .as.i = -5}, {.type = NETRON_TYPE_ULONG, .as.u = UINT64_MAX},
        {.type = NETRON_TYPE_BIGINT, .as.str = netron_s("-123456789012345678901234567890")},
        {.type = NETRON_TYPE_REGEXP, .as.regexp = {source}},
        {.type = NETRON_TYPE_SET, .as.list = {items, 2}},
        {.type = NETRON_TYPE_DICT, .as.map = {any_keys, 1}}, netron_undefined()};
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_value out;
        CHECK_OK(zoo_t_any(WITH, rows[i], &out));
        if (!netron_value_equal(&rows[i], &out))
            fail_msg("row %zu, %s, came back as %s %s", i, netron_type_name(rows[i].type),
                netron_type_name(out.type), netron_value_json(&f->scope, &out));
    }
}

static void test_sixteen_parameters_keep_their_places(void **state)
{
    fixture *f = *state;
    int64_t result = 0;
    CHECK_OK(zoo_many(&f->proxy, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, &result));
    assert_int_equal(result, 1496);
}

/* A call by name, with JSON for arguments; not checked here, but at the far side. */
static netron_err call(fixture *f, const char *method, const netron_value *args, size_t count,
    netron_value *result)
{
    netron_value definition;
    netron_entry entries[8];
    netron_proxy proxy;
    (void)definition;
    (void)entries;
    CHECK_OK(netron_proxy_query(f->p.peer, "zoo", &proxy));
    proxy.options.scope = &f->scope;
    netron_err err = netron_invoke(&proxy, NETRON_CALL, method, args, count, result);
    netron_proxy_release(&proxy);
    return err;
}

static netron_err call_one(fixture *f, const char *method, netron_value arg, netron_value *result)
{
    return call(f, method, &arg, 1, result);
}

static void test_integer_parameter_takes_every_form_of_an_integer(void **state)
{
    fixture *f = *state;
    netron_value out;
    static const char big[] = "9007199254740993";
    CHECK_OK(call_one(f, "t_i64", netron_f64_value(5.0), &out));
    assert_true(out.type == NETRON_TYPE_INT && out.as.i == 5);
    CHECK_OK(call_one(f, "t_i64", (netron_value){.type = NETRON_TYPE_LONG, .as.i = -6}, &out));
    assert_int_equal(out.as.i, -6);
    CHECK_OK(call_one(f, "t_i64", (netron_value){.type = NETRON_TYPE_BIGINT, .as.str = netron_s(big)},
        &out));
    assert_int_equal(out.as.i, 9007199254740993);
    CHECK_OK(call_one(f, "t_u64",
        (netron_value){.type = NETRON_TYPE_BIGINT, .as.str = netron_s("18446744073709551615")},
        &out));
    assert_true(out.type == NETRON_TYPE_UINT && out.as.u == UINT64_MAX);
}

static void test_integer_parameter_refuses_what_does_not_fit(void **state)
{
    fixture *f = *state;
    netron_value out;
    const struct {
        const char *method;
        netron_value arg;
    } rows[] = {
        {"t_i64", netron_f64_value(5.5)},
        {"t_i64", netron_u64_value(UINT64_MAX)},
        {"t_i64", netron_f64_value(1e300)},
        {"t_i64", netron_f64_value((double)NAN)},
        {"t_i64", {.type = NETRON_TYPE_BIGINT, .as.str = netron_s("9223372036854775808")}},
        {"t_u64", netron_i64_value(-1)},
        {"t_u64", {.type = NETRON_TYPE_BIGINT, .as.str = netron_s("18446744073709551616")}},
        {"t_i8", netron_i64_value(128)},
        {"t_i8", netron_i64_value(-129)},
        {"t_u8", netron_i64_value(256)},
        {"t_u8", netron_i64_value(-1)},
        {"t_u16", netron_i64_value(65536)},
        {"t_i32", netron_i64_value(2147483648)},
        {"t_u32", netron_i64_value(4294967296)},
        {"t_i64", netron_str_value(netron_s("5"))},
        {"t_i64", netron_bool_value(true)},
        {"t_i64", netron_null()},
        {"t_f32", netron_f64_value(1e300)},
        {"t_str", netron_i64_value(1)},
        {"t_bytes", netron_str_value(netron_s("x"))},
        {"t_date", netron_i64_value(1)},
        {"t_bool", netron_i64_value(1)},
        {"t_enum", netron_str_value(netron_s("middling"))},
        {"t_enum", netron_i64_value(0)},
        {"t_list", netron_str_value(netron_s("x"))},
        {"t_struct", netron_str_value(netron_s("x"))},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_err err = call_one(f, rows[i].method, rows[i].arg, &out);
        if (err != NETRON_INVALID)
            fail_msg("row %zu, %s: %d", i, rows[i].method, (int)err);
    }
}

static void test_float_parameter_takes_integers(void **state)
{
    fixture *f = *state;
    netron_value out;
    double number = 0;
    CHECK_OK(call_one(f, "t_f64", netron_i64_value(5), &out));
    CHECK_OK(netron_value_f64(&out, &number));
    assert_true(number > 4.99 && number < 5.01);
    CHECK_OK(call_one(f, "t_f32", netron_i64_value(-3), &out));
    CHECK_ERR(call_one(f, "t_f64", netron_str_value(netron_s("5")), &out), NETRON_INVALID);
}

static void test_arguments_are_counted(void **state)
{
    fixture *f = *state;
    netron_value out, two[] = {netron_i64_value(1), netron_i64_value(2)};
    CHECK_ERR(call(f, "t_i64", NULL, 0, &out), NETRON_INVALID);
    CHECK_SAYS("value");
    CHECK_ERR(call(f, "t_i64", two, 2, &out), NETRON_INVALID);
    CHECK_ERR(call(f, "none", two, 1, &out), NETRON_INVALID);
    CHECK_OK(call(f, "t_opt", NULL, 0, &out)); /* optional at the end */
    assert_int_equal(out.type, NETRON_TYPE_UNDEFINED);
    CHECK_OK(call_one(f, "t_opt", netron_null(), &out));
}

static void test_struct_argument_is_read_by_its_keys(void **state)
{
    fixture *f = *state;
    netron_value in, out;
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"zebra\": [1, {}], \"size\": \"huge\", \"calls\": [], \"name\": \"Cow\"}"), &in));
    netron_entry entries[8];
    memcpy(entries, in.as.map.entries, 4 * sizeof *entries);
    entries[4] = (netron_entry){netron_str_value(netron_s("born")),
        netron_date_value((netron_date){1})};
    netron_value cow = netron_map_value(entries, 5);
    CHECK_OK(call_one(f, "t_struct", cow, &out));
    CHECK_STR(netron_map_get(&out, "name")->as.str, "Cow");
    assert_null(netron_map_get(&out, "age"));
    assert_null(netron_map_get(&out, "zebra"));
    netron_value no_born = netron_map_value(entries, 4);
    CHECK_ERR(call_one(f, "t_struct", no_born, &out), NETRON_INVALID);
    CHECK_SAYS("born");
    entries[3].value = netron_i64_value(4);
    CHECK_ERR(call_one(f, "t_struct", cow, &out), NETRON_INVALID);
    CHECK_SAYS("name");
    CHECK_SAYS("str");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_integers_come_back_unchanged),
        TEST(test_floats_come_back_unchanged),
        TEST(test_scalars_come_back_unchanged),
        TEST(test_lists_maps_and_optionals_come_back_unchanged),
        TEST(test_structs_come_back_unchanged),
        TEST(test_any_keeps_every_kind_of_value),
        TEST(test_sixteen_parameters_keep_their_places),
        TEST(test_integer_parameter_takes_every_form_of_an_integer),
        TEST(test_integer_parameter_refuses_what_does_not_fit),
        TEST(test_float_parameter_takes_integers),
        TEST(test_arguments_are_counted),
        TEST(test_struct_argument_is_read_by_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
