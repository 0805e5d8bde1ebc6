/* transport_test.c - the unkind network itself: each kind of fault happens, is the same for the same
 * seed, and leaves whole what it must not touch. */
#include <netron/netron.h>

#include "support/check.h"
#include "support/fault_transport.h"
#include "support/virtual_time.h"
#include "transport/listener.h"

#include <stdlib.h>
#include <string.h>

typedef struct bench {
    fault_net net;
    netron *server, *client;
} bench;

static const struct {
    const char *name;
    netron_framing framing;
} schemes[] = {
    {"fault+memory", NETRON_FRAMING_LENGTH},
    {"fault+ws", NETRON_FRAMING_WEBSOCKET},
    {"fault+box", NETRON_FRAMING_NONE},
};

static netron_err add_schemes(bench *b, netron *node)
{
    for (size_t i = 0; i < NT_COUNT(schemes); i++)
        NETRON_TRY(fault_transport_add(
            node, schemes[i].name, &nt_memory_ops, NULL, schemes[i].framing, &b->net));
    return NETRON_OK;
}

static netron_err echo(
    netron_ctx *ctx, void *user, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    ++*(unsigned *)user;
    *result = count != 0 ? args[0] : netron_null();
    return NETRON_OK;
}

static void open_bench(bench *b, uint64_t seed, unsigned faults, unsigned *served)
{
    netron_options options = {.log_level = NETRON_LOG_NONE, .handshake_timeout_ms = 200000};
    virtual_time_start(seed);
    fault_net_init(&b->net, seed, faults);
    if (getenv("NETRON_FAULT_TRACE") != NULL)
        b->net.trace = stderr;
    b->server = netron_new(&options);
    options.loop = netron_loop(b->server);
    b->client = netron_new(&options);
    assert_int_equal(add_schemes(b, b->server), NETRON_OK);
    assert_int_equal(add_schemes(b, b->client), NETRON_OK);
    assert_int_equal(netron_task_add(b->server, "echo", echo, served), NETRON_OK);
    for (size_t i = 0; i < NT_COUNT(schemes); i++) {
        char url[64];
        (void)snprintf(url, sizeof url, "%s://here%zu", schemes[i].name, i);
        assert_int_equal(netron_listen(b->server, url), NETRON_OK);
    }
}

static void close_bench(bench *b)
{
    netron_free(b->client);
    netron_free(b->server);
    assert_int_equal(b->net.lanes_open, 0);
    virtual_time_stop();
}

/* Twenty echoes over a connection of each framing; how many came back, and right. */
static unsigned run_echoes(bench *b, size_t scheme, uint32_t timeout_ms)
{
    static char text[3000];
    netron_scope scope = {0};
    netron_peer *peer;
    unsigned right = 0;
    memset(text, 'x', sizeof text);
    if (netron_connect(b->client, netron_listening(b->server, scheme), &peer) != NETRON_OK) {
        fault_net_note(&b->net, "no connection: %s", netron_last_error()->message);
        return 0;
    }
    for (uint32_t i = 0; i < 20; i++) {
        netron_call_options options = {.scope = &scope, .timeout_ms = timeout_ms};
        netron_str sent = {text, 150 * i};
        netron_value arg = netron_str_value(sent), args = netron_list_value(&arg, 1), result;
        if (netron_run_task(peer, "echo", &args, &options, &result) != NETRON_OK)
            continue;
        right += result.type == NETRON_TYPE_STR && netron_eq(result.as.str, sent);
    }
    netron_scope_end(&scope);
    return right;
}

static void test_benign_faults_happen_and_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (size_t i = 0; i < NT_COUNT(schemes); i++) {
            bench b;
            unsigned served = 0;
            open_bench(&b, seed, FAULTS_BENIGN, &served);
            assert_int_equal(run_echoes(&b, i, 5000), 20);
            assert_int_equal(served, 20);
            close_bench(&b);
        }
}

static void test_every_kind_of_fault_happens(void **state)
{
    unsigned done[FAULT_KINDS] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++)
        for (unsigned kind = 3; kind < FAULT_KINDS; kind++) {
            bench b;
            unsigned served = 0;
            open_bench(&b, seed, FAULTS_BENIGN | 1u << kind, &served);
            (void)run_echoes(&b, kind >= 9 ? 2 : seed % 2, 200);
            for (unsigned i = 0; i < FAULT_KINDS; i++) {
                done[i] += b.net.done[i];
                if (i != kind)
                    assert_int_equal(b.net.done[i], 0);
            }
            close_bench(&b);
        }
    for (unsigned kind = 3; kind < FAULT_KINDS; kind++)
        if (done[kind] == 0)
            fail_msg("kind %u never happened", kind);
}

static void test_same_seed_does_the_same(void **state)
{
    (void)state;
    uint64_t digests[3], before = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (size_t run = 0; run < 2; run++) {
            bench b;
            unsigned served = 0;
            open_bench(&b, seed, UINT32_MAX, &served);
            for (size_t i = 0; i < NT_COUNT(schemes); i++)
                (void)run_echoes(&b, i, 200);
            close_bench(&b);
            digests[run] = b.net.digest;
        }
        assert_true(digests[0] == digests[1]);
        assert_true(digests[0] != before);
        before = digests[0];
    }
}

static netron_err cut_soon(netron_ctx *ctx, void *arg)
{
    NETRON_TRY(netron_sleep(ctx, 70));
    fault_net_cut(arg);
    return NETRON_OK;
}

static netron_err nap(
    netron_ctx *ctx, void *user, const netron_value *args, size_t count, netron_value *result)
{
    (void)args;
    (void)count;
    *result = netron_null();
    netron_err err = netron_sleep(ctx, 3600 * 1000);
    *(netron_err *)user = err;
    return err;
}

static void test_cut_ends_a_call_at_once(void **state)
{
    bench b;
    netron_err napped = NETRON_OK;
    netron_peer *peer;
    netron_scope scope = {0};
    netron_call_options options = {.scope = &scope, .timeout_ms = 4000 * 1000};
    netron_value args = netron_list_value(NULL, 0), result;
    (void)state;
    open_bench(&b, 1, 0, NULL);
    assert_int_equal(netron_task_add(b.server, "nap", nap, &napped), NETRON_OK);
    assert_int_equal(netron_connect(b.client, "fault+memory://here0", &peer), NETRON_OK);
    uint64_t before = virtual_time_ms();
    assert_int_equal(netron_spawn(netron_context(b.client), cut_soon, &b.net, NULL), NETRON_OK);
    assert_int_equal(netron_run_task(peer, "nap", &args, &options, &result), NETRON_UNAVAILABLE);
    assert_int_equal(virtual_time_ms() - before, 70);
    assert_false(netron_peer_is_connected(peer));
    assert_int_equal(b.net.cuts, 2);
    netron_scope_end(&scope);
    close_bench(&b);
    assert_int_equal(napped, NETRON_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_benign_faults_happen_and_change_nothing),
        cmocka_unit_test(test_every_kind_of_fault_happens),
        cmocka_unit_test(test_same_seed_does_the_same),
        cmocka_unit_test(test_cut_ends_a_call_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
