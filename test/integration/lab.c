/* lab.c - see lab.h. */
#include "lab.h"

#include <string.h>

NETRON_FIELD(lab, serial);
NETRON_FIELD(lab, level);
NETRON_PROVIDE(lab, add, text, blob, nap, refuse, count, pages, open_counts, ask_home, say, serial,
    level, said);
NETRON_PROVIDE(home, greet, visitors);

netron_err lab_expose(netron *node, lab__self *self)
{
    return lab__expose(node, self);
}

netron_err lab_expose_concurrent(netron *node, lab__self *self)
{
    static nt_provider concurrent;
    concurrent = *lab__provider();
    concurrent.is_concurrent = true;
    return netron_abi_expose(node, &concurrent, self, 0);
}

netron_err home_expose(netron *node, home__self *self)
{
    return home__expose(node, self);
}

netron_err lab__add_impl(netron_ctx *ctx, lab__self *self, int64_t a, int64_t b, int64_t *result)
{
    (void)self;
    return __builtin_add_overflow(a, b, result)
               ? netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits")
               : NETRON_OK;
}

netron_err lab__text_impl(netron_ctx *ctx, lab__self *self, netron_str text, netron_str *result)
{
    (void)ctx;
    (void)self;
    *result = text;
    return NETRON_OK;
}

netron_err lab__blob_impl(netron_ctx *ctx, lab__self *self, netron_bytes blob, netron_bytes *result)
{
    (void)self;
    /* Waited for: what was borrowed stays. */
    NETRON_TRY(netron_yield(ctx));
    *result = blob;
    return NETRON_OK;
}

netron_err lab__nap_impl(netron_ctx *ctx, lab__self *self, uint32_t ms, uint32_t *result)
{
    (void)self;
    *result = ms;
    return netron_sleep(ctx, ms);
}

netron_err lab__refuse_impl(netron_ctx *ctx, lab__self *self, int32_t code, netron_str message)
{
    (void)self;
    return netron_fail(ctx, (netron_err)code, "%.*s", NETRON_STR(message));
}

netron_err lab__count_impl(netron_ctx *ctx, lab__self *self, uint32_t n, uint32_t fail_at,
    lab__count_out *out)
{
    netron_err err = NETRON_OK;
    self->open++;
    self->begun++;
    for (uint32_t i = 0; i < n && err == NETRON_OK; i++)
        err = i == fail_at ? netron_fail(ctx, NETRON_CONFLICT, "not %u", (unsigned)i)
                           : lab__count_yield(out, i);
    self->open--;
    self->ended_with = err;
    return err;
}

size_t lab_page(uint32_t i, uint8_t *first)
{
    static const size_t sizes[] = {9, 5000, 33000, 65536, 70000, LAB_PAGE_MAX, 65536, 1};
    *first = (uint8_t)(i * 7 + 1);
    return sizes[i % (sizeof sizes / sizeof *sizes)];
}

void lab_page_fill(uint8_t *page, size_t size, uint8_t first)
{
    enum { RUN = 100 };
    for (size_t k = 0; k < size; k += RUN)
        memset(page + k, (uint8_t)(first + k / RUN), size - k < RUN ? size - k : RUN);
}

netron_err lab__pages_impl(netron_ctx *ctx, lab__self *self, uint32_t n, lab__pages_out *out)
{
    netron_err err = NETRON_OK;
    uint8_t *page = netron_alloc(ctx, LAB_PAGE_MAX);
    (void)self;
    if (page == NULL)
        return NETRON_NO_MEMORY;
    for (uint32_t i = 0; i < n && err == NETRON_OK; i++) {
        uint8_t first;
        size_t size = lab_page(i, &first);
        lab_page_fill(page, size, first);
        err = lab__pages_yield(out, (netron_bytes){page, size});
        /* It is ours again. */
        memset(page, 0xee, size);
    }
    return err;
}

netron_err lab__open_counts_impl(netron_ctx *ctx, lab__self *self, uint32_t *result)
{
    (void)ctx;
    *result = self->open;
    return NETRON_OK;
}

netron_err lab__ask_home_impl(netron_ctx *ctx, lab__self *self, netron_str name, netron_str *result)
{
    home proxy;
    (void)self;
    NETRON_TRY(home__query(netron_caller(ctx), &proxy));
    netron_err err = home_greet(netron_with(&proxy, .ctx = ctx), name, result);
    home__release(&proxy);
    return err;
}

netron_err lab__say_impl(netron_ctx *ctx, lab__self *self, netron_str what, uint32_t times)
{
    (void)self;
    for (uint32_t i = 0; i < times; i++)
        NETRON_TRY(lab__said_emit(ctx, what, i));
    return NETRON_OK;
}

netron_err home__greet_impl(netron_ctx *ctx, home__self *self, netron_str name, netron_str *result)
{
    char *text = netron_alloc(ctx, name.size + 8);
    if (text == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    self->greeted++;
    memcpy(text, "hello, ", 7);
    memcpy(text + 7, name.data, name.size);
    *result = netron_s(text);
    return NETRON_OK;
}

netron_err home__visitors_impl(netron_ctx *ctx, home__self *self, uint32_t n,
    home__visitors_out *out)
{
    static const char *const names[] = {"Ann", "Bob", "Cy"};
    (void)ctx;
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        NETRON_TRY(home__visitors_yield(out, netron_s(names[i % 3])));
    return NETRON_OK;
}
