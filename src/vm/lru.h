/* vm/lru.h: pages by how soon they may go
 *
 * Each node has lists of its pages, linked through their descriptors by frame number, under one
 * spinlock. Which lists there are and what they mean is the policy's; the lock, the links and the
 * counts are here. List 1 is UNEVICTABLE for all policies, 0 is none.
 *
 * The lock comes after phys's: movers take it from within a zone's lock, so nothing may be freed or
 * allocated under it.
 */
#ifndef VM_LRU_H
#define VM_LRU_H

#include "vm/internal.h"

#define LIST_NONE 0u
#define LIST_UNEVICTABLE 1u
#define LIST_FIRST 2u /* the policy's lists: up to 14 */
#define NR_LISTS 16u

struct page_list {
    uint32_t first, last; /* frames; NO_PFN */
    unsigned long count;
};

struct node_lists {
    quire_port_spinlock_t lock;
    struct page_list list[NR_LISTS];
    unsigned long nonresident_age; /* evictions and activations: the clock of refault distances */
    unsigned long policy_word[8];  /* the policy's own */
    uint32_t wanted;               /* background reclaim was asked for */
};

int lists_create(struct quire_vm *vm); /* -ENOMEM */
void lists_destroy(struct quire_vm *vm);

/* A new page, when it has its root and users: to where the policy puts new ones, or an activated
 * one; unevictable if `flags` of its area say VM_LOCKED. */
void lru_add(struct quire_vm *vm, struct quire_page *page, uint32_t vma_flags);
/* Off its list; false: it was on none. */
bool lru_remove(struct quire_vm *vm, struct quire_page *page);
/* The same of pages without users, which don't come back: one lock for all of a node. */
void lru_remove_unused(struct quire_vm *vm, struct quire_page *const *pages, unsigned count);
/* Back onto a list after lru_remove: as the policy thinks. */
void lru_putback(struct quire_vm *vm, struct quire_page *page);
/* Used by a system call, or a fault that found it in a cache. Linux: folio_mark_accessed. */
void lru_mark_accessed(struct quire_vm *vm, struct quire_page *page);
/* To where pages go next: MADV_COLD, MADV_FREE, a page that was written for reclaim. */
void lru_deactivate(struct quire_vm *vm, struct quire_page *page);
/* An area that holds it was locked or unlocked. */
void lru_mlock(struct quire_vm *vm, struct quire_page *page);
void lru_munlock(struct quire_vm *vm, struct quire_page *page);

/* Refaults. What to remember of a page that is evicted: 31 bits, never 0; and what that means when
 * the page comes back: sets PG_WORKINGSET and counts. Linux: mm/workingset.c. */
uint32_t workingset_eviction(struct quire_vm *vm, struct quire_page *page);
void workingset_refault(struct quire_vm *vm, struct quire_page *page, uint32_t shadow);

/* Whether reclaim takes it for one in use: what isn't evictable is, too. */
bool lru_is_active(struct quire_vm *vm, const struct quire_page *page);

/* Sums over all nodes, by Linux's kinds, for views. */
struct lru_counts {
    unsigned long active_anon, inactive_anon, active_file, inactive_file, unevictable;
};
void lru_counts(struct quire_vm *vm, struct lru_counts *counts);

/* Pages that are isolated and looked at in one go: Linux's SWAP_CLUSTER_MAX. */
#define RECLAIM_BATCH 32u

/* Reclaims those of some given pages, at most RECLAIM_BATCH, that can be: MADV_PAGEOUT. The
 * caller's pins are given back in any case. */
void reclaim_pages(struct quire_vm *vm, struct quire_page *const *pages, unsigned count);

/* Tells phys who reclaims; and that nobody does. vmscan.c */
void reclaim_register(struct quire_vm *vm);
void reclaim_unregister(struct quire_vm *vm);

#endif
