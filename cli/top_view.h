/* top_view.h - a sample as lines of text: the node's figures, then its connections, busiest first. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "top_sample.h"

typedef struct top_view {
    const top_sample *now;    /* sorted */
    const top_sample *before; /* empty: there are no rates yet */
    top_sort sort;
    const char *url;
    const char *own_id; /* of the node that asks */
    size_t columns;
    size_t rows; /* 0: as many as it takes, and for no screen */
    bool has_colour;
    const char *note; /* what is wrong; or NULL */
} top_view;

/* The whole picture, yours to free; NULL when memory is out. With `rows` each line clears what was there
 * before, and the last one has no newline. */
char *top_view_draw(const top_view *view);

/* The same for programs: {at, node, perSecond, peers}, in `scope`; undefined when memory is out. */
netron_value top_view_value(const top_view *view, netron_scope *scope);

#endif
