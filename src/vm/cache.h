/* vm/cache.h: mappings and the pages of files that are in memory
 *
 * A mapping's pages are in an array by index, under its spinlock: a pointer to the page, a number
 * that remembers an evicted one (vm/lru.h), or, of shared memory, a number that says where in swap
 * it is.
 *
 *     mapping ── pages[index] ── page ── root: the mapping's id, index
 *        │                         └ one user for being here
 *        └── resize: readers fill, the writer changes the size and drops
 *
 *   invariant   a page's root is the mapping exactly as long as it is in the array; both change
 *               under the page lock and the mapping's. So who has locked a page that he found asks
 *               cache_holds whether it is still what he was looking for
 *   invariant   what isn't UPTODATE is locked by who fills it
 *   invariant   a marked index is a dirty page's, of a file
 *   invariant   no page lies beyond the end; `size` changes under `resize` (writer) and `lock`
 *
 * Locks, in addition to vm/internal.h: an address space's, `resize`, a page's. Where resize is said
 * to be held a reader suffices; reclaim and write-back don't take it. A dirty page's entries may be
 * writable, a clean one's are not (page_mkclean): so PG_DIRTY tells all that has to be written.
 */
#ifndef VM_CACHE_H
#define VM_CACHE_H

#include "vm/mempolicy.h"
#include "vm/rmap.h"
#include "vm/xarray.h"

/* What was read last, and how much more to read should it go on in order. */
struct readahead {
    uint64_t next; /* the index after the last window */
    unsigned pages;
};

struct quire_mapping {
    struct root root; /* its areas: struct quire_vma.shared */
    struct quire_vm *vm;
    struct quire_mapping_config config;
    uint32_t users; /* quire_mapping_get and _put; together one reference of the root */
    uint64_t size;  /* bytes */
    struct rwlock resize;
    quire_port_spinlock_t lock;
    struct xarray pages;
    unsigned long nr_pages, nr_dirty, nr_swapped, nr_bad; /* nr_bad: shared memory's, poisoned */
    struct readahead readahead;
    int error; /* of write-back, not yet told to a sync */
    bool is_shmem;
    long accounted;                 /* pages of shared memory, committed */
    struct mempolicy_runs policies; /* of shared memory: under `lock` */
    struct list link;               /* of vm->mappings */
};

static inline struct quire_mapping *mapping_of_root(struct root *root)
{
    return quire_container_of(root, struct quire_mapping, root);
}

static inline void mapping_lock(struct quire_mapping *mapping)
{
    quire_port_preempt_disable();
    quire_port_spin_lock(&mapping->lock);
}

static inline void mapping_unlock(struct quire_mapping *mapping)
{
    quire_port_spin_unlock(&mapping->lock);
    quire_port_preempt_enable();
}

/* Pages that `bytes` take. */
static inline uint64_t pages_of_bytes(uint64_t bytes)
{
    return (bytes >> QUIRE_PAGE_SHIFT) + ((bytes & (QUIRE_PAGE_SIZE - 1)) != 0);
}
#define MAX_FILE_SIZE ((UINT64_C(1) << (PAGE_INDEX_BITS + QUIRE_PAGE_SHIFT)) - QUIRE_PAGE_SIZE)
/* Pages of shared memory are accounted in a long. */
static inline bool mapping_size_is_valid(bool is_shmem, uint64_t size)
{
    return size <= MAX_FILE_SIZE && (!is_shmem || pages_of_bytes(size) <= ~0ul >> 1);
}
#define LAST_INDEX ((UINT64_C(1) << PAGE_INDEX_BITS) - 1)

/* ---- the array (cache.c) --------------------------------------------------------------------- */

static inline struct quire_page *cache_word_page(uintptr_t word)
{
    return word && !xa_is_number(word) ? (struct quire_page *)word : NULL;
}

/* Whether a page, which the caller has locked, is the mapping's at an index. */
static inline bool cache_holds(const struct quire_mapping *mapping, const struct quire_page *page,
                               uint64_t index)
{
    return page_root_id(page) == mapping->root.id && page_kind(page) == mapping->root.kind &&
           page_index(page) == index;
}

/* The page if it is in memory and up to date, pinned, not locked; NULL. For fault-around and
 * mincore. */
struct quire_page *cache_find(struct quire_mapping *mapping, uint64_t index);
/* The page if it is in memory, locked and pinned; NULL: *word says what is there. */
struct quire_page *cache_lock_page(struct quire_mapping *mapping, uint64_t index, uintptr_t *word);
/* The pages of [*index, last] that are in memory, or only the dirty ones, in order and pinned: at
 * most CACHE_BATCH, *index is behind the last of them then. Their number. */
#define CACHE_BATCH 16u
unsigned cache_find_batch(struct quire_mapping *mapping, uint64_t *index, uint64_t last, bool dirty,
                          struct quire_page **pages);
/* How many of [index, + count), at most CACHE_BATCH, have nothing in their places, from the first
 * on. */
unsigned cache_count_vacant(struct quire_mapping *mapping, uint64_t index, unsigned count);
/* Unlocks a page and drops the pin. */
void cache_put_page(struct quire_mapping *mapping, struct quire_page *page);

/* Puts new pages, which nobody else has seen, into consecutive places, locked and with a pin beside
 * the cache's user: as many as have a place without a page. Their number, which is less than count
 * also when memory is short: then *error is -ENOMEM. On lists when it returns. */
unsigned cache_insert(struct quire_mapping *mapping, uint64_t index, struct quire_page **pages,
                      unsigned count, int *error);
/* A page gets the mapping as its root, and the user that its place in the array is. With both
 * locks, or before anybody sees the page. */
void cache_belong(struct quire_mapping *mapping, struct quire_page *page, uint64_t index);
/* A page's word becomes another; it loses its root, and is counted no more. With both locks; the
 * caller gives the user back after he let the mapping's go. */
void cache_take_out(struct quire_mapping *mapping, struct quire_page *page, uintptr_t word);
/* Takes a page out: locked, pinned, mapped nowhere. */
void cache_delete(struct quire_mapping *mapping, struct quire_page *page);
/* Forgets the numbers of a range; slots of swap are free. */
void cache_drop_numbers(struct quire_mapping *mapping, uint64_t first, uint64_t last);

/* Marks a page of a mapping dirty, for the mapping's own count and sync. The page is locked, or
 * has a user that keeps it from going. */
void cache_set_dirty(struct quire_mapping *mapping, struct quire_page *page);
/* A page, locked, is about to be written to: of a clean one the owner is asked. 0, or his error,
 * and the page is what it was. */
QUIRE_MUST_CHECK int cache_make_dirty(struct quire_mapping *mapping, struct quire_page *page);
/* Whether it was; the caller has the page lock. */
bool cache_clear_dirty(struct quire_mapping *mapping, struct quire_page *page);

/* Takes a page out, for reclaim: locked, pinned by the caller, clean, not mapped. Leaves `shadow`
 * (0: nothing). False: somebody else uses it, or it is none of the mapping's any more. */
QUIRE_MUST_CHECK bool cache_remove(struct quire_mapping *mapping, struct quire_page *page,
                                   uint32_t shadow);
/* Migration: `to` takes `from`'s place, root and index, and the cache's user of it; both locked.
 * from's reference stays for who calls, it has no user any more. 0; -EAGAIN: `from` has other
 * users, or more references than theirs and one. */
QUIRE_MUST_CHECK int cache_replace(struct quire_mapping *mapping, struct quire_page *from,
                                   struct quire_page *to);

/* ---- pages with content (readahead.c) -------------------------------------------------------- */

/* What becomes of a page that isn't in memory. */
enum cache_fill {
    CACHE_READ,  /* it is read, with others after it */
    CACHE_ZERO,  /* it is zero */
    CACHE_LEAVE, /* the caller fills all of it, then sets UPTODATE, before he unlocks it */
};
/* The page at `index`, up to date, pinned and locked (*major is set when it was read). NULL and
 * *error: -EINVAL beyond the end (unless it isn't read), -ENOMEM, what reading said. The caller
 * holds `resize`, and no page's lock. */
struct quire_page *cache_get_page(struct quire_mapping *mapping, uint64_t index,
                                  enum cache_fill fill, uint32_t vma_flags, bool *major,
                                  int *error);
/* Reads what of [first, last] isn't in memory, as far as that is easy: MADV_WILLNEED. */
void cache_willneed(struct quire_mapping *mapping, uint64_t first, uint64_t last);

/* ---- write-back (writeback.c) ---------------------------------------------------------------- */

/* Writes a dirty page of a file: locked by the caller, pinned. Clears dirty first, sets it again
 * when writing fails. 0 or a negative errno. */
QUIRE_MUST_CHECK int cache_write_page(struct quire_mapping *mapping, struct quire_page *page);
/* What one sync is told of: what was written is lost. The first such error counts. */
void cache_note_error(struct quire_mapping *mapping, int error);

/* ---- truncation (truncate.c) ----------------------------------------------------------------- */

/* Zeroes bytes of a page that is in memory or in swap. 0, or why it couldn't be had. */
QUIRE_MUST_CHECK int cache_zero_part(struct quire_mapping *mapping, uint64_t index, size_t from,
                                     size_t to);
/* Drops the pages [first, last], written or not, mapped or not. Writer of `resize`, or the last
 * user. */
void cache_drop_range(struct quire_mapping *mapping, uint64_t first, uint64_t last);
/* The size, with what is accounted for it; nothing else. Writer of `resize`. -ENOMEM. */
QUIRE_MUST_CHECK int mapping_set_size(struct quire_mapping *mapping, uint64_t size);
/* The same for a larger size, with zeros behind the old end. Also what cache_zero_part says. */
QUIRE_MUST_CHECK int mapping_grow(struct quire_mapping *mapping, uint64_t size);

/* ---- shared memory (shmem.c) ----------------------------------------------------------------- */

/* Pages that aren't in the array and not in swap are zero, or (`leave`) as CACHE_LEAVE says.
 * Arguments and result as of cache_get_page. */
struct quire_page *shmem_get_page(struct quire_mapping *mapping, uint64_t index, bool leave,
                                  bool *major, int *error);
/* Shared memory goes to swap: the page, which is locked, pinned, not mapped and in no swap cache
 * yet, leaves the mapping for a slot of the swap cache. 0; -ENOMEM, -ENOSPC: no slot; -EAGAIN: it
 * is none of the mapping's any more. */
QUIRE_MUST_CHECK int shmem_swap_out(struct quire_mapping *mapping, struct quire_page *page);
/* The same page, when it couldn't be written: back into its place, or out of the swap cache if that
 * is another's by now. */
void shmem_swap_back(struct quire_mapping *mapping, struct quire_page *page);
/* The array remembers another slot of the page at an index, if it does remember `from`. */
void shmem_change_slot(struct quire_mapping *mapping, uint64_t index, uint64_t from, uint64_t to);
/* Brings back every page that is in slots of a swap area, by its type in entries: swapoff. 0;
 * -ENOMEM, -EIO: some are there still. */
QUIRE_MUST_CHECK int shmem_unuse(struct quire_vm *vm, unsigned type);
/* What the array remembers of a page in swap, and back. Where words have 32 bits there is none for
 * slots from 2^26 on; another entry comes back then. */
uintptr_t shmem_word_of_entry(uint64_t entry);
uint64_t shmem_entry_of_word(uintptr_t word);
/* The page leaves a mark of its bad frame in its place: who asks for it gets -EHWPOISON. Locked,
 * and mapped by nobody; the cache's user is given back. */
void shmem_poison(struct quire_mapping *mapping, struct quire_page *page);
/* A word that leads to no page is taken out: the count that it was in. With the lock. */
void shmem_forget_word(struct quire_mapping *mapping, uintptr_t word);
/* A slot, or such a mark, that the array doesn't lead to any more. */
void shmem_drop_slot(struct quire_mapping *mapping, uint64_t entry);
/* What is accounted changes by that many pages. -ENOMEM. */
QUIRE_MUST_CHECK int shmem_commit(struct quire_mapping *mapping, long pages);
/* A page is gone from `noreserve` memory. */
void shmem_uncommit_page(struct quire_mapping *mapping);

/* ---- all mappings (mapping.c) ---------------------------------------------------------------- */

/* One after the other: the first of vm's for NULL, with a reference, and `mapping`'s is given back.
 * NULL: no more. */
struct quire_mapping *mapping_next(struct quire_vm *vm, struct quire_mapping *mapping);

#endif
