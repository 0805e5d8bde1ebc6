/* list_test.c - the ring: order, taking out anywhere, and walks that remove what they visit. */
#include "base/list.h"

#include "support/check.h"

#include <string.h>

typedef struct bead {
    int number;
    nt_list link;
} bead;

enum { COUNT = 5 };

typedef struct string {
    nt_list list;
    bead beads[COUNT];
} string;

static void fill(string *s)
{
    nt_list_init(&s->list);
    for (int i = 0; i < COUNT; i++) {
        s->beads[i].number = i;
        nt_list_append(&s->list, &s->beads[i].link);
    }
}

/* The numbers in the list, in both directions. */
static void check_order(nt_list *list, const char *expected)
{
    size_t size = strlen(expected), at_number = 0;
    NT_LIST_FOREACH(at, list) {
        assert_true(at_number < size);
        assert_int_equal(NT_ITEM(at, bead, link)->number, expected[at_number++] - '0');
    }
    assert_int_equal(at_number, size);
    for (nt_list *at = list->prev; at != list; at = at->prev)
        assert_int_equal(NT_ITEM(at, bead, link)->number, expected[--at_number] - '0');
    assert_int_equal(at_number, 0);
    assert_int_equal(nt_list_is_empty(list), size == 0);
}

static void test_append_keeps_the_order_and_take_takes_the_first(void **state)
{
    (void)state;
    string s;
    fill(&s);
    check_order(&s.list, "01234");
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(nt_list_take(&s.list), &s.beads[i].link);
    assert_null(nt_list_take(&s.list));
    check_order(&s.list, "");
}

static void test_remove_takes_out_the_first_the_last_and_one_between(void **state)
{
    (void)state;
    string s;
    fill(&s);
    nt_list_remove(&s.beads[0].link);
    nt_list_remove(&s.beads[2].link);
    nt_list_remove(&s.beads[4].link);
    check_order(&s.list, "13");
    nt_list_append(&s.list, &s.beads[2].link);
    check_order(&s.list, "132");
}

static void test_remove_of_what_is_in_no_list_does_nothing(void **state)
{
    (void)state;
    string s;
    bead zeroed = {0};
    fill(&s);
    nt_list_remove(&zeroed.link);
    nt_list_remove(&s.beads[1].link);
    nt_list_remove(&s.beads[1].link);
    check_order(&s.list, "0234");
}

static void test_safe_walk_goes_on_when_the_visited_one_is_removed(void **state)
{
    (void)state;
    string s;
    fill(&s);
    int visited = 0;
    NT_LIST_FOREACH_SAFE(at, &s.list) {
        assert_int_equal(NT_ITEM(at, bead, link)->number, visited++);
        if (visited % 2 != 0)
            nt_list_remove(at);
    }
    assert_int_equal(visited, COUNT);
    check_order(&s.list, "13");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_keeps_the_order_and_take_takes_the_first),
        cmocka_unit_test(test_remove_takes_out_the_first_the_last_and_one_between),
        cmocka_unit_test(test_remove_of_what_is_in_no_list_does_nothing),
        cmocka_unit_test(test_safe_walk_goes_on_when_the_visited_one_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
