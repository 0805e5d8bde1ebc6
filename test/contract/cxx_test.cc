// Both sides of probe.h in C++17: implementations that throw, loops that are left by an exception,
// options as a value. A plain program: 0 when all claims hold.
#include "probe.h"

#include <stdexcept>
#include <string>

struct probe__self {
    netron_str version;
    int32_t level;
    std::string label;
};
NETRON_FIELD(probe, version);
NETRON_FIELD(probe, level);
NETRON_ACCESS(probe, label);

netron_err probe__add_impl(netron_ctx *ctx, probe__self *, int64_t a, int64_t b, int64_t *result)
{
    *result = a + b;
    return probe__changed_emit(ctx, netron_s("sum"), *result);
}

netron_err probe__echo_impl(netron_ctx *, probe__self *, thing it, netron_opt_i64, netron_str,
    thing *result)
{
    *result = it;
    return NETRON_OK;
}

netron_err probe__nothing_impl(netron_ctx *, probe__self *)
{
    throw 1;
}

netron_err probe__refuse_impl(netron_ctx *, probe__self *, int64_t code, int64_t *)
{
    throw std::runtime_error("refused with " + std::to_string(code));
}

netron_err probe__numbers_impl(netron_ctx *, probe__self *, int64_t from, int64_t to,
    int64_t fail_at, probe__numbers_out *out)
{
    for (int64_t i = from; i < to; i++) {
        if (i == fail_at)
            throw std::out_of_range("not this one");
        NETRON_TRY(probe__numbers_yield(out, i));
    }
    return NETRON_OK;
}

netron_err probe__label_get_impl(netron_ctx *, probe__self *self, netron_str *value)
{
    *value = netron_s(self->label.c_str());
    return NETRON_OK;
}

netron_err probe__label_set_impl(netron_ctx *, probe__self *self, netron_str value)
{
    self->label = std::string(value.data, value.size);
    return NETRON_OK;
}
NETRON_PROVIDE(probe, add, echo, nothing, refuse, numbers, version, level, label, changed);

static int failed;

#define CLAIM(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            failed = 1;                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                    \
        }                                                                                          \
    } while (0)

static void on_changed(void *user, netron_str, int64_t to)
{
    *static_cast<int64_t *>(user) = to;
}

static void check_calls(const probe *proxy, const netron_call_options &options)
{
    int64_t sum = 0, heard = 0;
    netron_str text;
    netron_subscription *subscription = nullptr;
    CLAIM(probe__changed_on(proxy, on_changed, nullptr, &heard, &subscription) == NETRON_OK);
    CLAIM(probe_add(proxy, 5, 3, &sum) == NETRON_OK && sum == 8);
    CLAIM(probe_add(netron_with(proxy, options), 5, 4, &sum) == NETRON_OK && sum == 9);
    CLAIM(heard == 9);
    netron_unsubscribe(subscription);
    probe__add_future future = probe__add_start(netron_with(proxy, options), 1, 1);
    CLAIM(probe__add_wait(&future, &sum) == NETRON_OK && sum == 2);
    CLAIM(probe__label_set(proxy, netron_s("label")) == NETRON_OK);
    CLAIM(probe__label_get(netron_with(proxy, options), &text) == NETRON_OK);
    CLAIM(netron_eq(text, netron_s("label")));
}

static void check_exceptions(const probe *proxy)
{
    int64_t result = 42;
    CLAIM(probe_refuse(proxy, 5, &result) == NETRON_INTERNAL && result == 42);
    CLAIM(std::string(netron_last_error()->message) == "refused with 5");
    CLAIM(probe_nothing(proxy) == NETRON_INTERNAL);
    CLAIM(probe_add(proxy, 1, 1, &result) == NETRON_OK);
}

static void check_loops(const probe *proxy)
{
    int64_t sum = 0;
    netron_err err = NETRON_INVALID;
    netron_each(n, &err, probe_numbers(proxy, 1, 5, -1))
        sum = sum * 10 + n;
    CLAIM(sum == 1234 && err == NETRON_OK);
    netron_each(n, &err, probe_numbers(proxy, 1, 5, 3))
        sum += n;
    CLAIM(err == NETRON_INTERNAL);
    try {
        netron_each(n, nullptr, probe_numbers(proxy, 0, 100, -1))
            if (n == 3)
                throw std::runtime_error("enough");
        CLAIM(false);
    } catch (const std::runtime_error &) {
    }
    netron_each(n, &err, probe_numbers(proxy, 0, 10, -1)) {
        CLAIM(err == NETRON_OK);
        err = NETRON_TOO_LARGE;
        break;
    }
    CLAIM(err == NETRON_TOO_LARGE);
    netron_each(a, &err, probe_numbers(proxy, 0, 3, -1))
        netron_each(b, nullptr, probe_numbers(proxy, 0, 9, -1)) {
            if (b == a)
                break;
            sum++;
        }
    CLAIM(err == NETRON_OK);
}

int main()
{
    probe__self self = {netron_s("1.2.0"), 2, ""};
    netron *node = netron_new(nullptr);
    netron_peer *peer = nullptr;
    probe proxy;
    netron_scope scope = {};
    netron_call_options options = {};
    options.timeout_ms = 1000;
    options.scope = &scope;
    CLAIM(probe__expose(node, &self) == NETRON_OK);
    CLAIM(netron_listen(node, "memory://probe") == NETRON_OK);
    CLAIM(netron_connect(node, "memory://probe", &peer) == NETRON_OK);
    CLAIM(probe__query(peer, &proxy) == NETRON_OK);
    check_calls(&proxy, options);
    check_exceptions(&proxy);
    check_loops(&proxy);
    probe__release(&proxy);
    netron_free(node);
    netron_scope_end(&scope);
    return failed;
}
