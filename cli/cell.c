/* cell.c - see cell.h. */
#include "cell.h"

/* One character, and how it is shown. */
typedef struct glyph {
    size_t size;    /* bytes of the text */
    size_t columns; /* 0, 1 or 2 */
    bool is_odd;    /* shown as "?" */
} glyph;

typedef struct range {
    uint32_t first, last;
} range;

/* Unicode 15, East Asian Width W and F, and pictures; coarse where nothing is in between. */
static const range wide[] = {{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x2614, 0x2615},
    {0x26a1, 0x26a1}, {0x2705, 0x2705}, {0x274c, 0x274c}, {0x2753, 0x2757}, {0x2b1b, 0x2b1c},
    {0x2b50, 0x2b50}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3},
    {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x18cff},
    {0x1b000, 0x1b2ff}, {0x1f18e, 0x1f19a}, {0x1f200, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

/* They stand over the character before. */
static const range combining[] = {{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a},
    {0x64b, 0x65f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};

/* Controls, and what changes the direction or the lines of text or cannot be seen. */
static const range odd[] = {{0x0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xd800, 0xf8ff},
    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff}};

static bool is_in(const range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof *(ranges), c)

/* The character at `at`, of which `left` bytes are there. False: no UTF-8. */
static bool decode(const unsigned char *at, size_t left, uint32_t *c, size_t *size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *size = at[0] < 0x80       ? 1
            : at[0] >> 5 == 6  ? 2
            : at[0] >> 4 == 14 ? 3
            : at[0] >> 3 == 30 ? 4
                               : 0;
    if (*size == 0 || *size > left)
        return false;
    *c = *size == 1 ? at[0] : at[0] & (0xffu >> (*size + 1));
    for (size_t i = 1; i < *size; i++) {
        if (at[i] >> 6 != 2)
            return false;
        *c = *c << 6 | (at[i] & 0x3fu);
    }
    return *c >= least[*size] && *c <= 0x10ffff;
}

static glyph glyph_at(netron_str text, size_t at)
{
    uint32_t c = 0;
    size_t size;
    if (!decode((const unsigned char *)text.data + at, text.size - at, &c, &size))
        return (glyph){.size = 1, .columns = 1, .is_odd = true};
    if (IS_IN(odd, c))
        return (glyph){.size = size, .columns = 1, .is_odd = true};
    size_t columns = IS_IN(combining, c) ? 0 : IS_IN(wide, c) ? 2 : 1;
    return (glyph){.size = size, .columns = columns};
}

size_t cli_cell_width(netron_str text)
{
    size_t columns = 0;
    for (size_t at = 0; at < text.size;) {
        glyph g = glyph_at(text, at);
        columns += g.columns;
        at += g.size;
    }
    return columns;
}

static void put_glyph(FILE *to, netron_str text, size_t at, glyph g)
{
    if (g.is_odd)
        fputc('?', to);
    else
        fwrite(text.data + at, 1, g.size, to);
}

/* As much of the text as fits from byte *at on, which becomes where it ended; returns the columns. */
static size_t put_fitting(FILE *to, netron_str text, size_t *at, size_t columns)
{
    size_t taken = 0;
    while (*at < text.size) {
        glyph g = glyph_at(text, *at);
        if (taken + g.columns > columns)
            break;
        put_glyph(to, text, *at, g);
        taken += g.columns;
        *at += g.size;
    }
    return taken;
}

/* Where the last `columns` columns of the text begin, of `width` in all. */
static size_t find_end(netron_str text, size_t width, size_t columns)
{
    size_t at = 0;
    while (at < text.size && width > columns) {
        glyph g = glyph_at(text, at);
        width -= g.columns;
        at += g.size;
    }
    while (at < text.size && glyph_at(text, at).columns == 0)
        at += glyph_at(text, at).size; /* it belongs to one that is not shown */
    return at;
}

void cli_cell_put(FILE *to, netron_str text, size_t columns)
{
    size_t width = cli_cell_width(text), at = 0;
    if (width > columns && columns == 0)
        return;
    bool is_cut = width > columns;
    size_t taken = put_fitting(to, text, &at, is_cut ? (columns - 1) / 2 : columns);
    if (is_cut) {
        fputs("…", to);
        at = find_end(text, width, columns - 1 - taken);
        taken += 1 + put_fitting(to, text, &at, columns - 1 - taken);
    }
    for (; taken < columns; taken++)
        fputc(' ', to);
}
