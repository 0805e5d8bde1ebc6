/* demo.c - a node to try things on: the services of contracts.h on ws://127.0.0.1:7070.
 *
 * usage: demo [--port PORT]      0 takes a free port
 *
 * The address is the first line it prints. It runs until Ctrl-C or SIGTERM.
 */
#include "contracts.h"

/* ---- calculator ---- */

struct calculator__self {
    netron_str version;
    int32_t precision;
};
NETRON_FIELD(calculator, version);
NETRON_ACCESS(calculator, precision);

netron_err calculator__precision_get_impl(netron_ctx *ctx, calculator__self *self, int32_t *value)
{
    (void)ctx;
    *value = self->precision;
    return NETRON_OK;
}

netron_err calculator__precision_set_impl(netron_ctx *ctx, calculator__self *self, int32_t value)
{
    if (value < 0 || value > 15)
        return netron_fail(ctx, NETRON_INVALID, "precision: from 0 to 15, not %" PRId32, value);
    self->precision = value;
    return NETRON_OK;
}

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits");
    return calculator__computed_emit(ctx, netron_s("add"), (double)*result);
}

netron_err calculator__divide_impl(netron_ctx *ctx, calculator__self *self, double a, double b,
    double *result)
{
    char text[400]; /* DBL_MAX has 309 digits before its point */
    if (b == 0)
        return netron_fail(ctx, NETRON_INVALID, "b: cannot divide by zero");
    snprintf(text, sizeof text, "%.*f", (int)self->precision, a / b);
    *result = strtod(text, NULL);
    return calculator__computed_emit(ctx, netron_s("divide"), *result);
}

netron_err calculator__fibonacci_impl(netron_ctx *ctx, calculator__self *self, uint32_t n,
    calculator__fibonacci_out *out)
{
    (void)self;
    if (n > 94)
        return netron_fail(ctx, NETRON_INVALID, "n: at most 94 numbers fit 64 bits");
    for (uint64_t a = 0, b = 1; n > 0; n--) {
        NETRON_TRY(calculator__fibonacci_yield(out, a));
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return NETRON_OK;
}

NETRON_PROVIDE(calculator, add, divide, fibonacci, version, precision, computed);

/* ---- users ---- */

struct users__self {
    netron_str version;
};
NETRON_FIELD(users, version);

netron_err users__get_user_by_id_impl(netron_ctx *ctx, users__self *self, netron_str id,
    user *result)
{
    static const char *const known[][2] = {{"u1", "Alice"}, {"u2", "Bob"}};
    (void)self;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (netron_eq(id, netron_s(known[i][0]))) {
            result->id = netron_s(known[i][0]);
            result->name = netron_s(known[i][1]);
            return NETRON_OK;
        }
    }
    return netron_fail(ctx, NETRON_NOT_FOUND, "no such user: %.*s", NETRON_STR(id));
}

NETRON_PROVIDE(users, version, get_user_by_id);

/* ---- feed ---- */

struct feed__self {
    uint32_t left;
};
NETRON_FIELD(feed, left);

netron_err feed__stream_data_impl(netron_ctx *ctx, feed__self *self, uint32_t count,
    feed__stream_data_out *out)
{
    (void)ctx;
    for (uint32_t i = 0; i < count; i++) {
        data_chunk chunk = {.index = i, .payload = {"ab", 2}};
        netron_err err = feed__stream_data_yield(out, chunk);
        if (err != NETRON_OK) { /* the reader left */
            self->left++;
            return err;
        }
    }
    return NETRON_OK;
}

NETRON_PROVIDE(feed, stream_data, left);

/* ---- account ---- */

struct account__self {
    account_status status;
};
NETRON_FIELD(account, status);

netron_err account__activate_impl(netron_ctx *ctx, account__self *self)
{
    (void)ctx;
    self->status = account_status_active;
    return NETRON_OK;
}

netron_err account__deactivate_impl(netron_ctx *ctx, account__self *self)
{
    (void)ctx;
    self->status = account_status_inactive;
    return NETRON_OK;
}

NETRON_PROVIDE(account, status, activate, deactivate);

/* ---- auth, twice ---- */

struct auth_v1__self {
    char unused;
};
struct auth_v2__self {
    char unused;
};

netron_err auth_v1__whoami_impl(netron_ctx *ctx, auth_v1__self *self, netron_str token,
    netron_str *result)
{
    (void)ctx, (void)self, (void)token;
    *result = netron_s("v1");
    return NETRON_OK;
}

netron_err auth_v2__whoami_impl(netron_ctx *ctx, auth_v2__self *self, netron_str token,
    netron_str realm, netron_str *result)
{
    (void)ctx, (void)self, (void)token, (void)realm;
    *result = netron_s("v2");
    return NETRON_OK;
}

NETRON_PROVIDE(auth_v1, whoami);
NETRON_PROVIDE(auth_v2, whoami);

/* ---- kinds ---- */

struct kinds__self {
    char unused;
};

netron_err kinds__calculate_impl(netron_ctx *ctx, kinds__self *self, double x, double *result)
{
    (void)ctx, (void)self;
    *result = x * 2;
    return NETRON_OK;
}

NETRON_PROVIDE(kinds, calculate);

/* ---- slow ---- */

struct slow__self {
    uint32_t count;
};

netron_err slow__fetch_data_impl(netron_ctx *ctx, slow__self *self, uint32_t wait_ms, data *result)
{
    NETRON_TRY(netron_sleep(ctx, wait_ms)); /* suspends this call; an error: the caller left */
    result->id = ++self->count;
    result->text = netron_s("done");
    return NETRON_OK;
}

NETRON_PROVIDE(slow, fetch_data);

/* ---- the node ---- */

/* What is served; outlives the node. */
typedef struct services {
    calculator__self calculator;
    users__self users;
    feed__self feed;
    account__self account;
    auth_v1__self auth_v1;
    auth_v2__self auth_v2;
    kinds__self kinds;
    slow__self slow;
} services;

static netron_err expose_all(netron *node, services *all)
{
    NETRON_TRY(calculator__expose(node, &all->calculator));
    NETRON_TRY(users__expose(node, &all->users));
    NETRON_TRY(feed__expose(node, &all->feed));
    NETRON_TRY(account__expose(node, &all->account));
    NETRON_TRY(auth_v1__expose(node, &all->auth_v1));
    NETRON_TRY(auth_v2__expose(node, &all->auth_v2));
    NETRON_TRY(kinds__expose(node, &all->kinds));
    return slow__expose(node, &all->slow);
}

static int fail(void)
{
    fprintf(stderr, "demo: %s\n", netron_last_error()->message);
    return EXIT_FAILURE;
}

static int serve(netron *node, services *all)
{
    if (expose_all(node, all) != NETRON_OK)
        return fail();
    printf("listening on %s\n", netron_listening(node, 0));
    fflush(stdout);
    return netron_run(node);
}

int main(int argc, char **argv)
{
    const char *port = "7070";
    char address[64];
    services all = {
        .calculator = {.version = netron_s("1.0.0"), .precision = 2},
        .users = {.version = netron_s("1.0.0")},
        .account = {.status = account_status_active},
    };
    if (argc == 3 && strcmp(argv[1], "--port") == 0) {
        port = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: demo [--port PORT]\n");
        return 2;
    }
    snprintf(address, sizeof address, "ws://127.0.0.1:%s", port);
    netron *node = netron_new(&(netron_options){.listen = address});
    if (node == NULL)
        return fail();
    int code = serve(node, &all);
    netron_free(node);
    return code;
}
