/* vm/cache.h: mappings and the pages of files that are in memory
 *
 * A mapping's pages are in an array by index, under its spinlock: a pointer to the page, a number
 * that remembers an evicted one (vm/lru.h), or, of shared memory, a number that is a swap entry.
 */
#ifndef VM_CACHE_H
#define VM_CACHE_H

#include "vm/rmap.h"
#include "vm/xarray.h"

struct quire_mapping {
    struct root root; /* its areas: struct quire_vma.shared */
    struct quire_vm *vm;
    struct quire_mapping_config config;
    uint64_t size;        /* bytes: atomic, changes under `resize` */
    struct rwlock resize; /* truncation against faults: fillers are readers */
    quire_port_spinlock_t lock;
    struct xarray pages;
    unsigned long nr_pages, nr_dirty, nr_swapped;
    int error; /* of write-back, not yet told to a sync */
    bool is_shmem;
    long accounted;   /* pages of shared memory, committed */
    struct list link; /* of vm->mappings */
};

static inline struct quire_mapping *mapping_of_root(struct root *root)
{
    return quire_container_of(root, struct quire_mapping, root);
}

/* In numbers of a mapping's array: */
#define CACHE_SHADOW 0x0u
#define CACHE_SWAP 0x1u /* shared memory: number >> 1 is area << 26 | slot ... see swap.h */

/* Pages of files for faults and for read and write. The page at `index`, up to date, pinned and
 * locked, read if need be (*major is set then). NULL and *error: -EINVAL beyond the end, -EIO,
 * -ENOMEM. */
struct quire_page *cache_get_page(struct quire_mapping *mapping, uint64_t index, bool for_write,
                                  uint32_t vma_flags, bool *major, int *error);
/* The page if it is in memory and up to date, pinned, not locked; NULL. For fault-around and
 * mincore. */
struct quire_page *cache_find(struct quire_mapping *mapping, uint64_t index);
/* Marks a page of a mapping dirty, for the mapping's own count and sync. */
void cache_set_dirty(struct quire_mapping *mapping, struct quire_page *page);

/* Takes a page out, for reclaim: locked, pinned by the caller, clean, not mapped. Leaves `shadow`
 * (0: nothing). False: somebody else uses it. */
QUIRE_MUST_CHECK bool cache_remove(struct quire_mapping *mapping, struct quire_page *page,
                                   uint32_t shadow);
/* Writes a dirty page of a file: locked by the caller, pinned. Clears dirty first, sets it again
 * when writing fails. 0 or a negative errno. */
QUIRE_MUST_CHECK int cache_write_page(struct quire_mapping *mapping, struct quire_page *page);
/* Shared memory goes to swap: the page, which is locked, not mapped and in no swap cache yet,
 * leaves the mapping for a slot of the swap cache. 0; -ENOMEM, -ENOSPC: no slot. */
QUIRE_MUST_CHECK int shmem_swap_out(struct quire_mapping *mapping, struct quire_page *page);
/* Migration: `to` takes `from`'s place; both locked. 0; -EAGAIN: `from` has other users. */
QUIRE_MUST_CHECK int cache_replace(struct quire_mapping *mapping, struct quire_page *from,
                                   struct quire_page *to);

/* Faults on areas with a mapping (vm/fault.h calls them). */

#endif
