/* pattern.c - see pattern.h. */
#include "service/pattern.h"

#include "base/error.h"

static bool is_separator(char c)
{
    return c == '.' || c == ':';
}

static size_t segment_size(netron_str text, size_t at)
{
    size_t end = at;
    while (end < text.size && !is_separator(text.data[end]))
        end++;
    return end - at;
}

static netron_err read_segment(nt_pattern *pattern, const char *segment, size_t size)
{
    uint32_t bit = (uint32_t)1 << pattern->count;
    if (size == 0)
        return nt_fail(NETRON_INVALID, "the pattern of an event has an empty segment");
    if (memchr(segment, '*', size) == NULL)
        return NETRON_OK;
    if (size > 2 || segment[0] != '*' || segment[size - 1] != '*')
        return nt_fail(NETRON_INVALID,
            "in the pattern of an event * and ** stand for whole segments: order.*, not order*");
    if (size == 1)
        pattern->any |= bit;
    else
        pattern->deep |= bit;
    return NETRON_OK;
}

netron_err nt_pattern_read(nt_pattern *pattern, netron_str text)
{
    *pattern = (nt_pattern){.text = text.data};
    if (text.size > NT_PATTERN_BYTES_MAX)
        return nt_fail(NETRON_INVALID, "the pattern of an event has at most %d bytes",
            NT_PATTERN_BYTES_MAX);
    for (size_t at = 0; at <= text.size;) {
        size_t size = segment_size(text, at);
        if (pattern->count == NT_PATTERN_SEGMENTS_MAX)
            return nt_fail(NETRON_INVALID, "the pattern of an event has at most %d segments",
                NT_PATTERN_SEGMENTS_MAX);
        NETRON_TRY(read_segment(pattern, text.data + at, size));
        pattern->at[pattern->count] = (uint16_t)at;
        pattern->size[pattern->count++] = (uint16_t)size;
        at += size + 1;
    }
    return NETRON_OK;
}

/* State i: the segments before i have matched. One that may stand for nothing is passed at once. */
static uint64_t pass_deep(const nt_pattern *pattern, uint64_t states)
{
    for (unsigned i = 0; i < pattern->count; i++)
        if ((states >> i & 1) != 0 && (pattern->deep >> i & 1) != 0)
            states |= (uint64_t)1 << (i + 1);
    return states;
}

static bool takes(const nt_pattern *pattern, unsigned i, netron_str name, size_t at, size_t size)
{
    if (i != 0 && at != 0 && pattern->text[pattern->at[i] - 1] != name.data[at - 1])
        return false;
    return (pattern->any >> i & 1) != 0 ||
           (pattern->size[i] == size &&
               memcmp(pattern->text + pattern->at[i], name.data + at, size) == 0);
}

bool nt_pattern_matches(const nt_pattern *pattern, netron_str name)
{
    uint64_t states = pass_deep(pattern, 1);
    for (size_t at = 0; at <= name.size && states != 0;) {
        size_t size = segment_size(name, at);
        uint64_t next = states & pattern->deep;
        for (unsigned i = 0; i < pattern->count; i++)
            if ((states >> i & 1) != 0 && (pattern->deep >> i & 1) == 0 &&
                takes(pattern, i, name, at, size))
                next |= (uint64_t)1 << (i + 1);
        states = pass_deep(pattern, next);
        at += size + 1;
    }
    return (states >> pattern->count & 1) != 0;
}
