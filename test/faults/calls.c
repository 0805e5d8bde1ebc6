/* calls.c - steps that call: one by one, many at once, too late, cancelled, by name. */
#include "scenario.h"

#include <string.h>

static bool query(actor *a, lab *proxy)
{
    if (!ended_as(a, "query", lab__query(a->hub, proxy), NETRON_OK))
        return false;
    proxy->nt_proxy.options.scope = &a->scope;
    return true;
}

void step_add(actor *a)
{
    lab proxy;
    if (!query(a, &proxy))
        return;
    for (uint32_t i = draw(a, 5); i != UINT32_MAX; i--) {
        int64_t x = (int64_t)draw(a, UINT32_MAX) << draw(a, 30), sum = -1;
        if (ended_as(a, "add", lab_add(&proxy, x, i, &sum), NETRON_OK))
            EXPECT_RIGHT(a, sum == x + i);
    }
    lab__release(&proxy);
}

void step_pipelined(actor *a)
{
    enum { MOST = 60 };
    lab proxy;
    lab__add_future futures[MOST];
    uint32_t count = 1 + draw(a, MOST), step = 1 + draw(a, 2);
    if (!query(a, &proxy))
        return;
    for (uint32_t i = 0; i < count; i++)
        futures[i] = lab__add_start(&proxy, i, 1000);
    /* In the order they were started, or the even ones backwards and then the odd ones. */
    for (uint32_t turn = 0; turn < step; turn++)
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = step == 1 ? i : count - 1 - i;
            int64_t sum = -1;
            if (step == 2 && at % 2 != turn)
                continue;
            if (draw(a, 8) == 0)
                lab__add_drop(&futures[at]);
            else if (ended_as(a, "add", lab__add_wait(&futures[at], &sum), NETRON_OK))
                EXPECT_RIGHT(a, sum == at + 1000);
        }
    lab__release(&proxy);
}

void step_large(actor *a)
{
    static const uint32_t sizes[] = {0, 1, 100, 600, 3000, 70000, 300000};
    lab proxy;
    netron_str text;
    netron_bytes blob;
    uint32_t size = DICE_ONE_OF(&a->chance, sizes);
    char *data = netron_scope_alloc(&a->scope, size + 1);
    EXPECT(a, data != NULL);
    for (uint32_t i = 0; i < size; i++)
        data[i] = (char)('a' + (i * 31 >> 3) % 26);
    if (!query(a, &proxy))
        return;
    if (ended_as(a, "text", lab_text(&proxy, (netron_str){data, size}, &text), NETRON_OK))
        EXPECT_RIGHT(a, text.size == size && memcmp(text.data, data, size) == 0);
    if (ended_as(a, "blob", lab_blob(&proxy, (netron_bytes){data, size}, &blob), NETRON_OK))
        EXPECT_RIGHT(a, blob.size == size && memcmp(blob.data, data, size) == 0);
    lab__release(&proxy);
}

void step_nap(actor *a)
{
    lab proxy;
    uint32_t ms = draw(a, 3000), slept = 0;
    if (!query(a, &proxy))
        return;
    uint64_t before = virtual_time_ms();
    if (ended_as(a, "nap", lab_nap(&proxy, ms, &slept), NETRON_OK)) {
        EXPECT_RIGHT(a, slept == ms);
        EXPECT_RIGHT(a, virtual_time_ms() - before >= ms);
    }
    lab__release(&proxy);
}

void step_refuse(actor *a)
{
    static const int32_t codes[] = {400, 401, 403, 409, 418, 500, 999};
    lab proxy;
    int32_t code = DICE_ONE_OF(&a->chance, codes);
    if (!query(a, &proxy))
        return;
    if (ended_as(a, "refuse", lab_refuse(&proxy, code, netron_s("as I say")), (netron_err)code))
        EXPECT_RIGHT(a, strcmp(netron_last_error()->message, "as I say") == 0);
    lab__release(&proxy);
}

void step_too_late(actor *a)
{
    lab proxy;
    uint32_t ms = 20 + draw(a, 300), slept;
    if (!query(a, &proxy))
        return;
    uint64_t before = virtual_time_ms();
    netron_err err = lab_nap(netron_with(&proxy, .timeout_ms = ms), 60000, &slept);
    /* Its time is up when it is up, whatever the network does. */
    EXPECT_RIGHT(a, virtual_time_ms() - before <= ms + 2);
    if (err != NETRON_TIMEOUT)
        (void)ended_as(a, "nap with a time-out", err, NETRON_TIMEOUT);
    else
        EXPECT(a, virtual_time_ms() - before >= ms);
    lab__release(&proxy);
}

static netron_err nap_long(netron_ctx *ctx, void *arg)
{
    uint32_t slept;
    return lab_nap(netron_with((const lab *)arg, .ctx = ctx, .timeout_ms = 60000), 50000, &slept);
}

void step_cancel(actor *a)
{
    lab proxy;
    netron_fiber *fiber;
    if (!query(a, &proxy))
        return;
    EXPECT(a, netron_spawn(a->ctx, nap_long, &proxy, &fiber) == NETRON_OK);
    EXPECT(a, netron_sleep(a->ctx, draw(a, 200)) == NETRON_OK);
    uint64_t before = virtual_time_ms();
    netron_fiber_cancel(fiber);
    (void)ended_as(a, "a cancelled nap", netron_join(a->ctx, fiber, NULL), NETRON_CANCELLED);
    EXPECT(a, virtual_time_ms() == before);
    lab__release(&proxy);
}

void step_drop(actor *a)
{
    lab proxy;
    if (!query(a, &proxy))
        return;
    for (uint32_t i = draw(a, 10); i != UINT32_MAX; i--) {
        lab__nap_future future = lab__nap_start(&proxy, draw(a, 10000));
        if (draw(a, 2) == 0)
            EXPECT(a, netron_sleep(a->ctx, draw(a, 100)) == NETRON_OK);
        lab__nap_drop(&future);
    }
    lab__release(&proxy);
}

void step_property(actor *a)
{
    lab proxy;
    netron_str serial;
    int32_t wanted = (int32_t)draw(a, 1000), level = -1;
    if (!query(a, &proxy))
        return;
    if (ended_as(a, "serial", lab__serial_get(&proxy, &serial), NETRON_OK))
        EXPECT_RIGHT(a, netron_eq(serial, netron_s("L-7")));
    EXPECT(a, netron_mutex_lock(a->ctx, &a->w->level) == NETRON_OK);
    if (ended_as(a, "level, set", lab__level_set(&proxy, wanted), NETRON_OK) &&
        ended_as(a, "level", lab__level_get(&proxy, &level), NETRON_OK))
        /* In a storm one that was given up before may still arrive. */
        EXPECT(a, level == wanted || !all_succeeds(a->w));
    netron_mutex_unlock(&a->w->level);
    lab__release(&proxy);
}

void step_dynamic(actor *a)
{
    netron_call_options options = {.scope = &a->scope};
    netron_value pair[2] = {netron_i64_value(draw(a, 1000)), netron_i64_value(draw(a, 1000))};
    netron_value args = netron_list_value(pair, 2), result;
    if (ended_as(a, "call by name", netron_call(a->hub, "lab", "add", &args, &options, &result),
            NETRON_OK))
        EXPECT_RIGHT(
            a, result.type == NETRON_TYPE_INT && result.as.i == pair[0].as.i + pair[1].as.i);
    if (ended_as(
            a, "get by name", netron_get(a->hub, "lab", "serial", &options, &result), NETRON_OK))
        EXPECT_RIGHT(
            a, result.type == NETRON_TYPE_STR && netron_eq(result.as.str, netron_s("L-7")));
    if (ended_as(a, "list", netron_list_services(a->hub, &a->scope, &result), NETRON_OK))
        EXPECT_RIGHT(a, result.type == NETRON_TYPE_LIST && result.as.list.count >= 2);
}

void step_unknown(actor *a)
{
    netron_call_options options = {.scope = &a->scope};
    netron_value none = netron_list_value(NULL, 0), result;
    lab proxy;
    (void)ended_as(
        a, "an unknown service", lab__query_as(a->hub, "lab2@1.0.0", &proxy), NETRON_NOT_FOUND);
    (void)ended_as(
        a, "an unknown version", lab__query_as(a->hub, "lab@^2", &proxy), NETRON_NOT_FOUND);
    (void)ended_as(a, "an unknown member",
        netron_call(a->hub, "lab", "subtract", &none, &options, &result), NETRON_NOT_FOUND);
}

void step_call_back(actor *a)
{
    lab proxy;
    netron_str text;
    if (!query(a, &proxy))
        return;
    if (ended_as(a, "ask_home", lab_ask_home(&proxy, netron_s("Ann"), &text), NETRON_OK))
        EXPECT_RIGHT(a, netron_eq(text, netron_s("hello, Ann")));
    lab__release(&proxy);
}
