/* event_patterns.h - patterns and names, and which of them match: the matcher, a node, and two nodes must
 * all agree with this table. */
#ifndef NT_SUPPORT_EVENT_PATTERNS_H
#define NT_SUPPORT_EVENT_PATTERNS_H

#include <stdbool.h>

static const struct event_pattern {
    const char *pattern, *name;
    bool is_match;
} event_patterns[] = {
    {"order.*", "order.new", true},
    {"order.*", "order.", true},
    {"order.*", "order", false},
    {"order.*", "order.new.eu", false},
    {"order.*", "orders.new", false},
    {"order.*", "order:new", false},
    {"order.*", "Order.new", false},
    {"*.new", "order.new", true},
    {"*.new", "new", false},
    {"*.new", "a.b.new", false},
    {"*", "order", true},
    {"*", "order.new", false},
    {"*", "peer:connect", false},
    {"*.*", "order.new", true},
    {"*.*", "order", false},
    {"*.*", "a.b.c", false},
    {"**", "order", true},
    {"**", "order.new.eu", true},
    {"**", "peer:connect", true},
    {"order.**", "order", true},
    {"order.**", "order.new", true},
    {"order.**", "order.new.eu.west", true},
    {"order.**", "orders", false},
    {"**.new", "new", true},
    {"**.new", "order.new", true},
    {"**.new", "order.eu.new", true},
    {"**.new", "order.new.eu", false},
    {"a.**.z", "a.z", true},
    {"a.**.z", "a.b.c.z", true},
    {"a.**.z", "a.b.z.c", false},
    {"a.**.z", "a.z.z", true},
    {"a.*.c.**", "a.b.c", true},
    {"a.*.c.**", "a.b.c.d.e", true},
    {"a.*.c.**", "a.c", false},
    {"**.a.**.a", "a.a", true},
    {"**.a.**.a", "x.a.b.a", true},
    {"**.a.**.a", "a.b", false},
    {"**.**", "a", true},
    {"*.**", "a", true},
    {"peer:*", "peer:connect", true},
    {"peer:*", "peer.connect", false},
    {"peer:*", "service:expose", false},
    {"*:expose", "service:expose", true},
};

enum { EVENT_PATTERNS = sizeof event_patterns / sizeof *event_patterns };

#endif
