/* numbers.c - numbers there and back: a service that answers what it is given, and a client.
 *
 *   numbers serve URL
 *   numbers call URL       prints each number that came back as another
 */
#include <netron/netron.h>

NETRON_SERVICE(
    numbers, "numbers@1.0.0", same_i64, same_u64, same_f64, same_any, same_list, both_ends, last);
NETRON_METHOD(numbers, same_i64, i64, (i64, n));
NETRON_METHOD(numbers, same_u64, u64, (u64, n));
NETRON_METHOD(numbers, same_f64, f64, (f64, x));
NETRON_METHOD(numbers, same_any, any, (any, value));
NETRON_METHOD(numbers, same_list, list_u64, (list_u64, n));
NETRON_STREAM(numbers, both_ends, u64);
NETRON_PROP_RW(numbers, last, u64);

struct numbers__self {
    uint64_t last;
};
NETRON_FIELD(numbers, last);

netron_err numbers__same_i64_impl(netron_ctx *ctx, numbers__self *self, int64_t n, int64_t *result)
{
    (void)ctx, (void)self;
    *result = n;
    return NETRON_OK;
}

netron_err numbers__same_u64_impl(
    netron_ctx *ctx, numbers__self *self, uint64_t n, uint64_t *result)
{
    (void)ctx, (void)self;
    *result = n;
    return NETRON_OK;
}

netron_err numbers__same_f64_impl(netron_ctx *ctx, numbers__self *self, double x, double *result)
{
    (void)ctx, (void)self;
    *result = x;
    return NETRON_OK;
}

netron_err numbers__same_any_impl(
    netron_ctx *ctx, numbers__self *self, netron_value value, netron_value *result)
{
    (void)ctx, (void)self;
    *result = value;
    return NETRON_OK;
}

netron_err numbers__same_list_impl(
    netron_ctx *ctx, numbers__self *self, netron_list_u64 n, netron_list_u64 *result)
{
    (void)ctx, (void)self;
    *result = n;
    return NETRON_OK;
}

netron_err numbers__both_ends_impl(
    netron_ctx *ctx, numbers__self *self, numbers__both_ends_out *out)
{
    (void)ctx, (void)self;
    NETRON_TRY(numbers__both_ends_yield(out, 0));
    return numbers__both_ends_yield(out, UINT64_MAX);
}
NETRON_PROVIDE(numbers, same_i64, same_u64, same_f64, same_any, same_list, both_ends, last);

static const int64_t signed_ones[] = {0, -1, INT32_MIN, UINT32_MAX, (INT64_C(1) << 53) + 1,
    -(INT64_C(1) << 53) - 1, INT64_MIN, INT64_MAX};
static const uint64_t unsigned_ones[] = {
    0, UINT32_MAX, (UINT64_C(1) << 53) + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};

static netron_err call(netron *node, const char *url)
{
    netron_peer *peer;
    numbers proxy;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(numbers__query(peer, &proxy));
    for (size_t i = 0; i < sizeof signed_ones / sizeof *signed_ones; i++) {
        int64_t back;
        NETRON_TRY(numbers_same_i64(&proxy, signed_ones[i], &back));
        if (back != signed_ones[i])
            printf("%" PRId64 " came back as %" PRId64 "\n", signed_ones[i], back);
    }
    for (size_t i = 0; i < sizeof unsigned_ones / sizeof *unsigned_ones; i++) {
        uint64_t back, kept;
        NETRON_TRY(numbers_same_u64(&proxy, unsigned_ones[i], &back));
        NETRON_TRY(numbers__last_set(&proxy, unsigned_ones[i]));
        NETRON_TRY(numbers__last_get(&proxy, &kept));
        if (back != unsigned_ones[i] || kept != unsigned_ones[i])
            printf("%" PRIu64 " came back as %" PRIu64 " and %" PRIu64 "\n", unsigned_ones[i], back,
                kept);
    }
    return NETRON_OK;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    bool serves = strcmp(argv[1], "serve") == 0;
    netron *node = netron_new(&(netron_options){.listen = serves ? argv[2] : NULL});
    numbers__self self = {0};
    bool failed =
        node == NULL || (serves ? numbers__expose(node, &self) != NETRON_OK || netron_run(node) != 0
                                : call(node, argv[2]) != NETRON_OK);
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
