/* events_test.c - subscriptions of this program at a peer: when they begin, and how they end. */
#include "service/events.h"

#include "support/check.h"
#include "support/far_end.h"

static const char hello[] = "{\"type\":\"client-id\",\"id\":\"source\"}";

/* One subscription, and what became of it. */
typedef struct hearer {
    far_end *far;
    netron_subscription *subscription;
    bool has_begun;   /* netron_on() has returned, */
    netron_err begun; /* this */
    netron_err ended;
    unsigned heard, ends;
} hearer;

static void on_event(void *user, const netron_value *args, size_t count)
{
    hearer *h = user;
    (void)args, (void)count;
    h->heard++;
}

static void on_end(void *user, netron_err reason)
{
    hearer *h = user;
    h->ends++;
    h->ended = reason;
}

static void subscribe(netron_ctx *ctx, void *arg)
{
    hearer *h = arg;
    (void)ctx;
    h->begun = netron_on(h->far->peer, "tick", on_event, on_end, h, &h->subscription);
    h->has_begun = true;
}

/* ---- a connection that breaks while main waits ---- */

typedef struct breaker {
    uv_prepare_t prepare; /* first */
    far_end *far;
} breaker;

/* The far side hangs up at the first word. */
static void break_off(uv_prepare_t *prepare)
{
    breaker *b = (breaker *)prepare;
    if (far_end_is_silent(b->far))
        return;
    uv_prepare_stop(prepare);
    far_end_break(b->far);
}

static void test_connection_that_breaks_while_main_subscribes_is_an_error_alone(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    breaker b = {.far = &far};
    (void)state;
    far_end_open_own(&far, NULL);
    far_end_greet(&far, hello);
    assert_int_equal(uv_prepare_init(far.uv, &b.prepare), 0);
    assert_int_equal(uv_prepare_start(&b.prepare, break_off), 0);
    subscribe(netron_context(far.node), &h);
    assert_int_equal(h.begun, NETRON_UNAVAILABLE);
    uv_close((uv_handle_t *)&b.prepare, NULL);
    far_end_close(&far);
    assert_int_equal(h.ends, 0); /* what never began has no last call */
}

static void test_subscription_that_began_has_one_last_call(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    netron_value undefined = netron_undefined();
    (void)state;
    far_end_open(&far, NULL);
    far_end_greet(&far, hello);
    far_end_run(&far, subscribe, &h);
    assert_false(h.has_begun);
    netron_packet request = far_end_receive(&far, NULL);
    far_end_send(&far, &(netron_packet){.id = request.id, .type = NETRON_PACKET_TASK}, &undefined);
    assert_true(h.has_begun);
    assert_int_equal(h.begun, NETRON_OK);
    far_end_hang_up(&far);
    assert_int_equal(h.ends, 1);
    assert_int_equal(h.ended, NETRON_UNAVAILABLE);
    far_end_close(&far);
    assert_int_equal(h.ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_that_breaks_while_main_subscribes_is_an_error_alone),
        cmocka_unit_test(test_subscription_that_began_has_one_last_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
