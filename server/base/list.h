/* SPDX-License-Identifier: Apache-2.0 */
/* list.h -- things in a row, each of which can leave it at any time: what
 * stands in it has a place for that in itself, and one for each list that it
 * may be in. Whether it is in, its owner knows. */
#ifndef IDS_LIST_H
#define IDS_LIST_H

#include <stddef.h>
#include <stdint.h>

typedef struct ids_listed {
    struct ids_listed *prev, *next;
} ids_listed;

typedef struct ids_list {
    ids_listed *head, *tail; /* NULL: it is empty */
} ids_list;

/* The thing whose member this place in a list is. */
#define IDS_LISTED(type, member, place) \
    ((type *)(void *)((uint8_t *)(place)-offsetof(type, member)))

/* The first thing in the list; NULL: it is empty. */
#define IDS_LIST_FIRST(type, member, list) \
    ((list)->head ? IDS_LISTED(type, member, (list)->head) : NULL)

static inline void ids_list_append(ids_list *list, ids_listed *one) {
    one->next = NULL;
    one->prev = list->tail;
    if (list->tail)
        list->tail->next = one;
    else
        list->head = one;
    list->tail = one;
}

static inline void ids_list_remove(ids_list *list, ids_listed *one) {
    if (one->prev)
        one->prev->next = one->next;
    else
        list->head = one->next;
    if (one->next)
        one->next->prev = one->prev;
    else
        list->tail = one->prev;
}

#endif
