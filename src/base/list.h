/* list.h - a doubly linked ring through the items themselves. */
#ifndef NT_BASE_LIST_H
#define NT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct nt_list {
    struct nt_list *next, *prev;
} nt_list;

/* The item of type `type` whose member `member` is `link`. */
#define NT_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void nt_list_init(nt_list *list)
{
    list->next = list->prev = list;
}

static inline bool nt_list_is_empty(const nt_list *list)
{
    return list->next == list;
}

static inline void nt_list_append(nt_list *list, nt_list *item)
{
    item->prev = list->prev;
    item->next = list;
    list->prev->next = item;
    list->prev = item;
}

/* Take the item out. Out of no list is fine: a zeroed or removed item. */
static inline void nt_list_remove(nt_list *item)
{
    if (item->next == NULL)
        return;
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->next = item->prev = NULL;
}

/* Take the first item out; NULL when empty. */
static inline nt_list *nt_list_take(nt_list *list)
{
    nt_list *item = list->next;
    if (item == list)
        return NULL;
    nt_list_remove(item);
    return item;
}

#define NT_LIST_FOREACH(at, list) for (nt_list *at = (list)->next; at != (list); at = at->next)
#define NT_LIST_FOREACH_SAFE(at, list)                                                             \
    for (nt_list *at = (list)->next, *nt_next_ = at->next; at != (list);                           \
         at = nt_next_, nt_next_ = at->next)

#endif
