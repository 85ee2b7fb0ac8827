/* vm/swap.h: swap areas, their slots, and the swap cache
 *
 * A slot holds a page's content for as many entries (of page tables, of shared memory's arrays) as
 * its count says. While the page is in memory too it is in the swap cache: found by slot, and the
 * slot by the page. Slot and page are the same content unless PG_DIRTY says otherwise.
 *
 *     area ── count[slot]      entries that mean it; at most SLOT_MAX, more make the fork or unmap
 *          │                   that wants one fail
 *          └─ word[slot]       in the swap cache: the page's frame; else what workingset_eviction
 *                              said of it
 */
#ifndef VM_SWAP_H
#define VM_SWAP_H

#include "vm/internal.h"

/* An area and slot as entries say it: entry_make(area + 1, slot). */
typedef uint64_t swap_entry;
struct alloc_place; /* vm/mempolicy.h: whom a page is read for */

int swap_create(struct quire_vm *vm); /* -ENOMEM */
void swap_destroy(struct quire_vm *vm);

/* One more entry means the slot: fork. False: as many as there can be. */
QUIRE_MUST_CHECK bool swap_duplicate(struct quire_vm *vm, swap_entry entry);
/* One less: with the last one, and no page in the swap cache, the slot is free. */
void swap_free(struct quire_vm *vm, swap_entry entry);
/* Entries that mean the slot. */
unsigned swap_count(struct quire_vm *vm, swap_entry entry);

/* A page, locked and in no swap cache, gets a slot and is put into the swap cache, dirty: one user
 * more. 0; -ENOSPC: no slot; -ENOMEM: it has as many users as there can be. Allocates nothing. */
QUIRE_MUST_CHECK int swap_cache_add(struct quire_vm *vm, struct quire_page *page);
/* The page out of it, dirty then; the slot goes if no entry means it. Locked and pinned by the
 * caller, or used otherwise; no write-back. The user is given back. */
void swap_cache_remove(struct quire_vm *vm, struct quire_page *page);
/* For reclaim: the same if the caller's pin and the cache are all that is left of the page; leaves
 * the shadow. */
QUIRE_MUST_CHECK bool swap_cache_evict(struct quire_vm *vm, struct quire_page *page);
/* The page's slot, as an entry. It is in the swap cache, and locked. */
swap_entry swap_cache_entry(struct quire_vm *vm, const struct quire_page *page);
/* Whether the page is the slot's. O(1), where swap_cache_entry looks for it. */
bool swap_cache_is(struct quire_vm *vm, swap_entry entry, const struct quire_page *page);
/* The page of a slot, pinned, not locked; NULL: it isn't in memory. */
struct quire_page *swap_cache_find(struct quire_vm *vm, swap_entry entry);
/* Removes it if nothing but the cache uses it, and no entry means its slot; pinned by the caller,
 * who doesn't have the page lock. */
void swap_cache_drop_unused(struct quire_vm *vm, struct quire_page *page);
/* page_unuse of a page that is, or was just now, in the swap cache. */
void swap_cache_unuse(struct quire_vm *vm, struct quire_page *page);
/* Migration: the slot's page is `to`; both locked, flags and users are the caller's. -EAGAIN:
 * `from` has other users than the cache, or more references than theirs and one: somebody found it,
 * and waits for its lock. */
QUIRE_MUST_CHECK int swap_cache_replace(struct quire_vm *vm, struct quire_page *from,
                                        struct quire_page *to);

/* The page of a slot that some entry means: from the cache, or read, with neighbours (read-ahead).
 * Pinned and locked, up to date; *major: it was read. NULL and *error: -EIO, -ENOMEM, -EAGAIN (the
 * entry isn't what it was any more: look again). */
struct quire_page *swap_in(struct quire_vm *vm, swap_entry entry, const struct alloc_place *place,
                           bool *major, int *error);
/* Writes a page of the swap cache to its slot: locked, pinned. `mapping`: the shared memory whose
 * array means the slot, at the page's index; NULL: entries of page tables do. 0 or a negative
 * errno, after having tried another slot. */
QUIRE_MUST_CHECK int swap_write_page(struct quire_vm *vm, struct quire_page *page,
                                     struct quire_mapping *mapping);

/* The same of several that page tables mean, neighbouring slots in one go. Bit i of the result:
 * page i wasn't written. At most 32. */
QUIRE_MUST_CHECK uint32_t swap_write_pages(struct quire_vm *vm, struct quire_page *const *pages,
                                           unsigned count);

/* Areas, also those that a swapoff is at work on. */
unsigned swap_nr_areas(struct quire_vm *vm);
unsigned long swap_total_pages(struct quire_vm *vm);
unsigned long swap_free_pages(struct quire_vm *vm);

#endif
