/* pattern.h - names of events with wildcards.
 *
 * A name is segments with '.' or ':' between them. In a pattern the segment '*' stands for any one
 * segment, and '**' for any number of them, none included. Matching looks at a name once, from left to
 * right: a set of states, a bit each, goes along, so no pattern makes it slow.
 */
#ifndef NT_SERVICE_PATTERN_H
#define NT_SERVICE_PATTERN_H

#include <netron/value.h>

enum { NT_PATTERN_BYTES_MAX = 256, NT_PATTERN_SEGMENTS_MAX = 32 };

typedef struct nt_pattern {
    const char *text;
    uint16_t count;
    uint32_t any;  /* bit i: segment i is '*' */
    uint32_t deep; /* bit i: it is '**' */
    uint16_t at[NT_PATTERN_SEGMENTS_MAX];
    uint16_t size[NT_PATTERN_SEGMENTS_MAX];
} nt_pattern;

/* What is not a plain name has a star. */
static inline bool nt_is_pattern(netron_str name)
{
    return name.size != 0 && memchr(name.data, '*', name.size) != NULL;
}

/* Take a pattern apart; `text` is borrowed. NETRON_INVALID: it says what is wrong with it. */
NETRON_MUST_CHECK netron_err nt_pattern_read(nt_pattern *pattern, netron_str text);

bool nt_pattern_matches(const nt_pattern *pattern, netron_str name);

#endif
