/* mailbox_test.c - order, closing, and senders on several threads at once. */
#include "base/mailbox.h"

#include "support/check.h"

#include <pthread.h>

enum { SENDERS = 3, EACH = 20000 };

typedef struct letter {
    nt_mail mail; /* first */
    unsigned sender, number;
} letter;

static void test_mail_arrives_in_the_order_it_was_sent(void **state)
{
    nt_mailbox box = {NULL};
    nt_mail mails[4] = {0};
    (void)state;
    assert_null(nt_mailbox_take(&box));
    assert_int_equal(nt_mailbox_put(&box, &mails[0]), NT_DELIVERED_FIRST);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(nt_mailbox_put(&box, &mails[i]), NT_DELIVERED);
    nt_mail *at = nt_mailbox_take(&box);
    for (unsigned i = 0; i < 4; i++, at = at->next)
        assert_ptr_equal(at, &mails[i]);
    assert_null(at);
    assert_null(nt_mailbox_take(&box));
    assert_int_equal(nt_mailbox_put(&box, &mails[0]), NT_DELIVERED_FIRST);
}

static void test_a_closed_mailbox_returns_what_it_held_and_refuses_more(void **state)
{
    nt_mailbox box = {NULL};
    nt_mail held = {0}, late = {0};
    (void)state;
    assert_int_equal(nt_mailbox_put(&box, &held), NT_DELIVERED_FIRST);
    assert_ptr_equal(nt_mailbox_close(&box), &held);
    assert_int_equal(nt_mailbox_put(&box, &late), NT_REFUSED);
    assert_null(nt_mailbox_take(&box));
    assert_null(nt_mailbox_close(&box));
    nt_mailbox_open(&box);
    assert_int_equal(nt_mailbox_put(&box, &late), NT_DELIVERED_FIRST);
    nt_mailbox_open(&box); /* an open one stays as it is */
    assert_ptr_equal(nt_mailbox_take(&box), &late);
}

typedef struct sender {
    nt_mailbox *box;
    letter *letters;
    unsigned woken; /* times that the receiver was to be woken */
} sender;

static void *send_all(void *arg)
{
    sender *s = arg;
    for (unsigned i = 0; i < EACH; i++)
        s->woken += nt_mailbox_put(s->box, &s->letters[i].mail) == NT_DELIVERED_FIRST;
    return NULL;
}

static void test_senders_on_several_threads_lose_and_reorder_nothing(void **state)
{
    static letter letters[SENDERS][EACH];
    nt_mailbox box = {NULL};
    sender senders[SENDERS];
    pthread_t threads[SENDERS];
    unsigned next[SENDERS] = {0}, got = 0, rounds = 0, woken = 0;
    (void)state;
    for (unsigned s = 0; s < SENDERS; s++) {
        for (unsigned i = 0; i < EACH; i++)
            letters[s][i] = (letter){.sender = s, .number = i};
        senders[s] = (sender){&box, letters[s], 0};
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    while (got < SENDERS * EACH) {
        nt_mail *at = nt_mailbox_take(&box);
        rounds += at != NULL;
        for (; at != NULL; at = at->next, got++) {
            const letter *one = (const letter *)(void *)at;
            assert_int_equal(one->number, next[one->sender]++);
        }
    }
    for (unsigned s = 0; s < SENDERS; s++) {
        assert_int_equal(pthread_join(threads[s], NULL), 0);
        woken += senders[s].woken;
    }
    /* Once for each time that something was there, no more and no less. */
    assert_int_equal(woken, rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_arrives_in_the_order_it_was_sent),
        cmocka_unit_test(test_a_closed_mailbox_returns_what_it_held_and_refuses_more),
        cmocka_unit_test(test_senders_on_several_threads_lose_and_reorder_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
