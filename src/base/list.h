/* base/list.h: circular doubly linked lists with the link inside the element
 *
 *   invariant   an empty head points to itself; an element on no list has undefined links
 */
#ifndef QUIRE_BASE_LIST_H
#define QUIRE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define quire_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list *entry, struct list *prev, struct list *next)
{
    entry->prev = prev;
    entry->next = next;
    prev->next = entry;
    next->prev = entry;
}

static inline void list_add(struct list *head, struct list *entry)
{
    list_insert_between(entry, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *entry)
{
    list_insert_between(entry, head->prev, head);
}

static inline void list_del(struct list *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
}

#define list_for_each(pos, head)                                                                   \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

#endif
