/* lab.h - the services that every transport is tried with. */
#ifndef NT_INTEGRATION_LAB_H
#define NT_INTEGRATION_LAB_H

#include <netron/netron.h>

NETRON_SERVICE(lab, "lab@1.0.0", add, text, blob, nap, refuse, count, pages, open_counts, ask_home,
    say, serial, level, said);
NETRON_METHOD(lab, add, i64, (i64, a), (i64, b));
NETRON_METHOD(lab, text, str, (str, text));
NETRON_METHOD(lab, blob, bytes, (bytes, blob));
NETRON_METHOD(lab, nap, u32, (u32, ms));
NETRON_METHOD(lab, refuse, none, (i32, code), (str, message));
NETRON_STREAM(lab, count, u32, (u32, n), (u32, fail_at));
/* n pages of all sizes; lab_page() says which. */
NETRON_STREAM(lab, pages, bytes, (u32, n));
NETRON_METHOD(lab, open_counts, u32);
/* Calls home.greet of the caller. */
NETRON_METHOD(lab, ask_home, str, (str, name));
NETRON_METHOD(lab, say, none, (str, what), (u32, times));
NETRON_PROP_RO(lab, serial, str);
NETRON_PROP_RW(lab, level, i32);
NETRON_EVENT(lab, said, (str, what), (u32, time));

struct lab__self {
    netron_str serial;
    int32_t level;
    _Atomic uint32_t open; /* generators that have begun and not ended */
    _Atomic uint32_t begun;
    _Atomic netron_err ended_with;
};

NETRON_SERVICE(home, "home@1.0.0", greet, visitors);
NETRON_METHOD(home, greet, str, (str, name));
NETRON_STREAM(home, visitors, str, (u32, n));

struct home__self {
    uint32_t greeted;
};

/* How large page `i` is, and how it begins and ends. */
size_t lab_page(uint32_t i, uint8_t *first);
enum { LAB_PAGE_MAX = 300000 };
/* Its bytes. */
void lab_page_fill(uint8_t *page, size_t size, uint8_t first);

/* What lab and home are served by, in a file of its own: lab.c. */
netron_err lab_expose(netron *node, lab__self *self);
/* The same, served on all loops of the node. */
netron_err lab_expose_concurrent(netron *node, lab__self *self);
netron_err home_expose(netron *node, home__self *self);

#endif
