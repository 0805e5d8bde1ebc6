/* Contract types over the library's own codec: what is written is read back, and what is wrong is
 * refused with its place. */
#include <netron/service.h>

#include "support/check.h"
#include "wire/msgpack.h"

#include <math.h>

NETRON_ENUM  (color, red, green);
NETRON_STRUCT(person, (str, name), (opt_u8, age), (color, eyes), (list_str, tags));
NETRON_LIST  (people, person);
NETRON_MAP   (directory, person);
NETRON_OPT   (maybe_person, person);
NETRON_STRUCT(team, (people, members), (maybe_person, lead), (directory, by_name), (bool, open));
NETRON_STRUCT(point, (f64, x), (f64, y), (opt_date, seen));
NETRON_LIST  (grid, list_i8);

typedef struct fixture {
    nt_writer writer;
    nt_reader reader;
    netron_scope scope;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){.scope = {0}};
    nt_writer_heap(&f.writer, 1 << 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    nt_writer_free(&f->writer);
    netron_scope_end(&f->scope);
    return 0;
}

/* What was written is now read. */
static nt_reader *turn(fixture *f)
{
    assert_int_equal(f->writer.err, NETRON_OK);
    nt_slice written = {f->writer.start, nt_writer_size(&f->writer)};
    nt_reader_init(&f->reader, written, &f->scope);
    return &f->reader;
}

static const char *path(const nt_reader *reader)
{
    static char text[NT_PATH_MAX + 1];
    size_t size = reader->path_size;
    memcpy(text, reader->path + NT_PATH_MAX - size, size);
    text[size] = 0;
    return text;
}

#define ROUND_TRIP(type, value, claim)                                                             \
    do {                                                                                           \
        nt_type_##type nt_in = (value);                                                            \
        nt_type_##type got = {0};                                                                  \
        f->writer.at = f->writer.start;                                                            \
        nt_put_##type(&f->writer, nt_in);                                                          \
        assert_true(nt_load_##type(turn(f), &got));                                                \
        assert_true(f->reader.at == f->reader.end);                                                \
        assert_true(claim);                                                                        \
    } while (0)

static void test_scalars_come_back(void **state)
{
    fixture *f = *state;
    ROUND_TRIP(bool, true, got);
    ROUND_TRIP(i8, INT8_MIN, got == INT8_MIN);
    ROUND_TRIP(i16, INT16_MIN, got == INT16_MIN);
    ROUND_TRIP(i32, INT32_MIN, got == INT32_MIN);
    ROUND_TRIP(i64, INT64_MIN, got == INT64_MIN);
    ROUND_TRIP(i64, -1, got == -1);
    ROUND_TRIP(u8, UINT8_MAX, got == UINT8_MAX);
    ROUND_TRIP(u16, UINT16_MAX, got == UINT16_MAX);
    ROUND_TRIP(u32, UINT32_MAX, got == UINT32_MAX);
    ROUND_TRIP(u64, UINT64_MAX, got == UINT64_MAX);
    ROUND_TRIP(f32, 0.1f, memcmp(&got, &nt_in, sizeof got) == 0);
    ROUND_TRIP(f64, 0.1, memcmp(&got, &nt_in, sizeof got) == 0);
    ROUND_TRIP(f32, INFINITY, isinf(got));
    ROUND_TRIP(str, netron_s("text"), netron_eq(got, netron_s("text")));
    ROUND_TRIP(bytes, ((netron_bytes){"\0\1", 2}),
        got.size == 2 && memcmp(got.data, "\0\1", 2) == 0);
    ROUND_TRIP(date, (netron_date){86400000}, got.ms == 86400000);
    ROUND_TRIP(any, netron_str_value(netron_s("x")), netron_value_equal(&got, &nt_in));
    ROUND_TRIP(color, color_green, got == color_green);
}

static void test_containers_come_back(void **state)
{
    fixture *f = *state;
    int32_t numbers[] = {1, -2, 300000};
    bool flags[] = {true, false};
    netron_map_str_entry texts[] = {{netron_s("a"), netron_s("A")}, {netron_s("b"), netron_s("B")}};
    int8_t row[] = {1, 2};
    netron_list_i8 rows[] = {{row, 2}, {NULL, 0}};

    ROUND_TRIP(list_i32, ((netron_list_i32){numbers, 3}), got.count == 3 && got.items[2] == 300000);
    ROUND_TRIP(list_bool, ((netron_list_bool){flags, 2}), got.count == 2 && !got.items[1]);
    ROUND_TRIP(list_i32, ((netron_list_i32){NULL, 0}), got.count == 0);
    ROUND_TRIP(map_str, ((netron_map_str){texts, 2}),
        got.count == 2 && netron_eq(got.entries[1].key, netron_s("b")) &&
            netron_eq(got.entries[1].value, netron_s("B")));
    ROUND_TRIP(opt_i64, ((netron_opt_i64){true, 7}), got.present && got.value == 7);
    ROUND_TRIP(opt_i64, ((netron_opt_i64){false, 7}), !got.present);
    ROUND_TRIP(grid, ((grid){rows, 2}), got.items[0].items[1] == 2 && got.items[1].count == 0);
}

static void test_structs_come_back_nested(void **state)
{
    fixture *f = *state;
    netron_str tag = netron_s("x");
    person alice = {netron_s("Alice"), {true, 30}, color_green, {&tag, 1}};
    person bob = {netron_s("Bob"), {false, 0}, color_red, {NULL, 0}};
    person both[] = {alice, bob};
    directory_entry entry = {netron_s("bob"), bob};
    team in = {{both, 2}, {true, alice}, {&entry, 1}, true};

    ROUND_TRIP(team, in, got.members.count == 2 && got.open);
    team got;
    assert_true(nt_get_team(turn(f), &got));
    assert_int_equal(got.members.items[0].age.value, 30);
    assert_true(netron_eq(got.members.items[0].tags.items[0], tag));
    assert_false(got.members.items[1].age.present);
    assert_true(got.lead.present && netron_eq(got.lead.value.name, netron_s("Alice")));
    assert_true(netron_eq(got.by_name.entries[0].value.name, netron_s("Bob")));
}

static void test_absent_field_is_not_sent(void **state)
{
    fixture *f = *state;
    netron_value value;
    nt_put_point(&f->writer, (point){.x = 1, .y = 2});
    assert_true(nt_get_any(turn(f), &value));
    assert_int_equal(value.type, NETRON_TYPE_MAP);
    assert_int_equal(value.as.map.count, 2);
}

static void test_unknown_key_is_skipped(void **state)
{
    fixture *f = *state;
    point got = {.seen.present = true};
    netron_abi_put_map(&f->writer, 3);
    nt_put_str(&f->writer, netron_s("y"));
    nt_put_f64(&f->writer, 2);
    nt_put_str(&f->writer, netron_s("z"));
    nt_put_list_i32(&f->writer, (netron_list_i32){(int32_t[]){1, 2}, 2});
    nt_put_str(&f->writer, netron_s("x"));
    nt_put_i64(&f->writer, 1);
    assert_true(nt_get_point(turn(f), &got));
    assert_true(got.x == 1 && got.y == 2 && !got.seen.present);
    assert_true(f->reader.at == f->reader.end);
}

static void test_missing_field_is_named(void **state)
{
    fixture *f = *state;
    point got;
    netron_abi_put_map(&f->writer, 1);
    nt_put_str(&f->writer, netron_s("x"));
    nt_put_f64(&f->writer, 1.5);
    assert_false(nt_get_point(turn(f), &got));
    assert_int_equal(f->reader.err, NETRON_INVALID);
    assert_string_equal(path(&f->reader), "y");
}

static void test_mistake_below_is_placed(void **state)
{
    fixture *f = *state;
    team got;
    netron_abi_put_map(&f->writer, 1);
    nt_put_str(&f->writer, netron_s("members"));
    netron_abi_put_list(&f->writer, 1);
    netron_abi_put_map(&f->writer, 1);
    nt_put_str(&f->writer, netron_s("age"));
    nt_put_i64(&f->writer, 256);
    assert_false(nt_get_team(turn(f), &got));
    assert_int_equal(f->reader.err, NETRON_INVALID);
    assert_string_equal(path(&f->reader), "members[0].age");
    assert_string_equal(f->reader.expected, "u8");
}

static void test_integers_are_bounded(void **state)
{
    fixture *f = *state;
    int8_t i8;
    uint32_t u32;
    nt_put_i64(&f->writer, 128);
    assert_false(nt_get_i8(turn(f), &i8));
    assert_string_equal(f->reader.expected, "i8");
    assert_true(nt_get_u32(turn(f), &u32));
    assert_int_equal(u32, 128);
    f->writer.at = f->writer.start;
    nt_put_i64(&f->writer, -1);
    assert_false(nt_get_u32(turn(f), &u32));
    assert_true(nt_get_i8(turn(f), &i8));
    assert_int_equal(i8, -1);
}

static void test_f32_refuses_what_it_cannot_hold(void **state)
{
    fixture *f = *state;
    float got;
    nt_put_f64(&f->writer, 1e39);
    assert_false(nt_get_f32(turn(f), &got));
    assert_int_equal(f->reader.err, NETRON_INVALID);
    assert_string_equal(f->reader.expected, "f32");
    f->writer.at = f->writer.start;
    nt_put_str(&f->writer, netron_s("1"));
    assert_false(nt_get_f32(turn(f), &got));
    assert_string_equal(f->reader.expected, "f32");
}

static void test_enum_takes_its_names_only(void **state)
{
    fixture *f = *state;
    color got;
    nt_put_str(&f->writer, netron_s("blue"));
    assert_false(nt_get_color(turn(f), &got));
    assert_int_equal(f->reader.err, NETRON_INVALID);
    f->writer.at = f->writer.start;
    nt_put_color(&f->writer, (color)7);
    assert_int_not_equal(f->writer.err, NETRON_OK);
}

static void test_nothing_is_absent(void **state)
{
    fixture *f = *state;
    netron_opt_str got = {.present = true};
    netron_str text;
    nt_put_any(&f->writer, netron_null());
    assert_true(nt_get_opt_str(turn(f), &got));
    assert_false(got.present);
    assert_false(nt_get_str(turn(f), &text));
    assert_true(nt_missing_opt_str(&got));
    assert_false(nt_missing_str(&text));
}

static void test_every_truncation_is_refused(void **state)
{
    fixture *f = *state;
    netron_str tag = netron_s("x");
    person in = {netron_s("Alice"), {true, 30}, color_green, {&tag, 1}};
    person got;
    nt_put_person(&f->writer, in);
    for (size_t size = 0; size < nt_writer_size(&f->writer); size++) {
        turn(f)->end = f->writer.start + size;
        assert_false(nt_get_person(&f->reader, &got));
        assert_int_not_equal(f->reader.err, NETRON_OK);
    }
}

static void test_flat_types_point_to_nothing(void **state)
{
    (void)state;
    assert_int_equal(nt_flat_i64, 1);
    assert_int_equal(nt_flat_color, 1);
    assert_int_equal(nt_flat_point, 1);
    assert_int_equal(nt_flat_opt_u8, 1);
    assert_int_equal(nt_flat_str, 0);
    assert_int_equal(nt_flat_opt_str, 0);
    assert_int_equal(nt_flat_person, 0);
    assert_int_equal(nt_flat_people, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scalars_come_back),
        TEST(test_containers_come_back),
        TEST(test_structs_come_back_nested),
        TEST(test_absent_field_is_not_sent),
        TEST(test_unknown_key_is_skipped),
        TEST(test_missing_field_is_named),
        TEST(test_mistake_below_is_placed),
        TEST(test_integers_are_bounded),
        TEST(test_f32_refuses_what_it_cannot_hold),
        TEST(test_enum_takes_its_names_only),
        TEST(test_nothing_is_absent),
        TEST(test_every_truncation_is_refused),
        TEST(test_flat_types_point_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
