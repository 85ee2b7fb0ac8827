/* vm/page.h: what this layer keeps in the descriptors of its pages
 *
 *     owner_word   mapped (1 bit) | users (23) | index, high 8 bits
 *     owner        index, low 32 | place: root's id (26) | list (4) | kind (2) | next | previous
 *
 * Users. A page is used by every entry of a page table that maps it, and by each cache that it is
 * in (page cache, swap cache). All users together hold one reference, which is the one that phys
 * counts as the owner's: a second one is somebody who pins the page for a moment (a fault, reclaim,
 * migration, I/O). So a page with one reference can be moved, one with one user is its user's
 * alone, and fork touches one word of each page.
 *
 *   invariant   users > 0, or the page is on its way in (its allocator's) or out (page_unuse)
 *   invariant   a page is on at most one LRU list, `list` says which; links and list change under
 *               the lock of its node's lists. What has no user is on none
 *
 * Who looks a page up in a cache takes a reference under the cache's lock, which its membership
 * needs too; who finds it on a list, under the list's lock. vm_put_page gives references back.
 */
#ifndef VM_PAGE_H
#define VM_PAGE_H

#include <quire/vm.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/events.h"

/* Owner's flags: the two highest are the slab layer's, and clear here. */
#define PG_LOCKED 0x1000u     /* somebody has the page to himself: see page_lock */
#define PG_WAITERS 0x2000u    /* and somebody waits for it */
#define PG_UPTODATE 0x4000u   /* the content is valid: else reading it failed, or isn't done */
#define PG_DIRTY 0x8000u      /* to be written before it may be dropped */
#define PG_WRITEBACK 0x10000u /* being written; changes under the page lock */
#define PG_SWAPCACHE 0x20000u /* in the swap cache: a user. Changes under the page lock */
#define PG_REFERENCED 0x40000u
#define PG_WORKINGSET 0x80000u /* was active when it was evicted, or is so now */
#define PG_RECLAIM 0x100000u   /* written so that it can go: drop it when that is done */
#define PG_FLAGS 0x1ff000u
_Static_assert((PG_FLAGS & ~QUIRE_PAGE_OWNER_FLAGS) == 0, "owner's flags");
_Static_assert((PG_FLAGS & (QUIRE_PAGE_SLAB | QUIRE_PAGE_LARGE)) == 0, "kfree tells pages apart");

/* Low bits of `place`. */
enum page_kind {
    PAGE_KIND_NONE,
    PAGE_KIND_ANON,  /* root: an anon_vma */
    PAGE_KIND_FILE,  /* root: a mapping with an owner */
    PAGE_KIND_SHMEM, /* root: a mapping without: swapped like anonymous memory */
};
#define PLACE_KIND 0x3u
#define PLACE_LIST_SHIFT 2
#define PLACE_LIST 0x3cu
#define PLACE_ID_SHIFT 6
#define MAX_ROOT_ID ((1u << (32 - PLACE_ID_SHIFT)) - 1)

#define PAGE_USER 0x100u        /* one, in owner_word */
#define PAGE_MAPPED 0x80000000u /* counted in NR_ANON_MAPPED or NR_FILE_MAPPED: see rmap_add */
#define MAX_USERS 0x7ffff0u
#define PAGE_INDEX_BITS 40

#define NO_PFN UINT32_MAX

struct page_owner {
    uint32_t index_low, place, next, prev;
};
_Static_assert(sizeof(struct page_owner) == sizeof(((struct quire_page *)0)->owner), "it fits");

static inline struct page_owner *page_owner(struct quire_page *page)
{
    return (struct page_owner *)(void *)&page->owner;
}

static inline const struct page_owner *page_owner_const(const struct quire_page *page)
{
    return (const struct page_owner *)(const void *)&page->owner;
}

/* ---- flags ----------------------------------------------------------------------------------- */

static inline uint32_t page_flags_of(const struct quire_page *page)
{
    return quire_load_acquire(&page->flags);
}

static inline bool page_has(const struct quire_page *page, uint32_t flag)
{
    return page_flags_of(page) & flag;
}

static inline void page_set(struct quire_page *page, uint32_t flag)
{
    (void)quire_fetch_or(&page->flags, flag);
}

static inline void page_clear(struct quire_page *page, uint32_t flag)
{
    (void)quire_fetch_and(&page->flags, ~flag);
}

/* Whether it was set. */
static inline bool page_test_and_set(struct quire_page *page, uint32_t flag)
{
    return quire_fetch_or(&page->flags, flag) & flag;
}

static inline bool page_test_and_clear(struct quire_page *page, uint32_t flag)
{
    return quire_fetch_and(&page->flags, ~flag) & flag;
}

/* ---- place ----------------------------------------------------------------------------------- */

static inline uint32_t page_place(const struct quire_page *page)
{
    return quire_load_acquire(&page_owner_const(page)->place);
}

static inline enum page_kind page_kind(const struct quire_page *page)
{
    return (enum page_kind)(page_place(page) & PLACE_KIND);
}

static inline bool page_is_anon(const struct quire_page *page)
{
    return page_kind(page) == PAGE_KIND_ANON;
}

/* Anonymous or shared memory: goes to swap. */
static inline bool page_is_swapbacked(const struct quire_page *page)
{
    return page_place(page) & 1;
}
_Static_assert((PAGE_KIND_ANON & 1) && (PAGE_KIND_SHMEM & 1) && !(PAGE_KIND_FILE & 1),
               "page_is_swapbacked");

static inline uint32_t page_root_id(const struct quire_page *page)
{
    return page_place(page) >> PLACE_ID_SHIFT;
}

/* The LRU list that it is on; 0: none. */
static inline unsigned page_list(const struct quire_page *page)
{
    return (page_place(page) & PLACE_LIST) >> PLACE_LIST_SHIFT;
}

static inline void page_set_list(struct quire_page *page, unsigned list)
{
    uint32_t *place = &page_owner(page)->place, old = quire_load_relaxed(place);
    while (!quire_compare_exchange(place, &old,
                                   (old & ~PLACE_LIST) | (uint32_t)list << PLACE_LIST_SHIFT))
        ;
}

/* Whose it is, to who wants to know of events. */
static inline void page_tell_kind(const struct quire_page *page, enum page_kind kind)
{
    quire_tell_event(OWNER, page->pfn, 0, EVENT_OWNER_ANON + kind - PAGE_KIND_ANON);
}

/* Where a page belongs: root and index. Before anyone else can find it, or under the page lock. The
 * list stays. */
static inline void page_set_root(struct quire_page *page, enum page_kind kind, uint32_t id)
{
    uint32_t *place = &page_owner(page)->place, old = quire_load_relaxed(place);
    while (!quire_compare_exchange(place, &old, (old & PLACE_LIST) | kind | id << PLACE_ID_SHIFT))
        ;
    if (kind)
        page_tell_kind(page, kind);
}

static inline uint64_t page_index(const struct quire_page *page)
{
    return (uint64_t)(quire_load_relaxed(&page->owner_word) & 0xff) << 32 |
           quire_load_relaxed(&page_owner_const(page)->index_low);
}

/* ---- users ----------------------------------------------------------------------------------- */

static inline unsigned page_users(const struct quire_page *page)
{
    return (quire_load_acquire(&page->owner_word) & ~PAGE_MAPPED) / PAGE_USER;
}

/* A page fresh from phys: no users, no root, no list; its allocator holds the one reference, which
 * page_unuse drops if it comes to nothing. */
static inline void page_start(struct quire_page *page)
{
    struct page_owner *its = page_owner(page);
    quire_store_relaxed(&page->owner_word, 0);
    quire_store_relaxed(&its->index_low, 0);
    quire_store_relaxed(&its->place, 0);
    its->next = its->prev = NO_PFN;
}

/* Of a page that nobody else can see, or under the page lock. */
static inline void page_set_index(struct quire_page *page, uint64_t index)
{
    uint32_t old = quire_load_relaxed(&page->owner_word);
    quire_store_relaxed(&page_owner(page)->index_low, (uint32_t)index);
    while (
        !quire_compare_exchange(&page->owner_word, &old, (old & ~0xffu) | (uint32_t)(index >> 32)))
        ;
}

/* One more user of a page that has some, or whose first reference is the caller's. False: there are
 * too many, and the caller does without. */
QUIRE_MUST_CHECK static inline bool page_use(struct quire_page *page)
{
    if (quire_unlikely(page_users(page) >= MAX_USERS))
        return false;
    (void)__atomic_fetch_add(&page->owner_word, PAGE_USER, __ATOMIC_RELAXED);
    return true;
}

/* The same for who has nothing but a pin: its users may have gone, and their reference with them.
 */
QUIRE_MUST_CHECK static inline bool page_use_unless_unused(struct quire_page *page)
{
    uint32_t old = quire_load_relaxed(&page->owner_word);
    do {
        unsigned users = (old & ~PAGE_MAPPED) / PAGE_USER;
        if (!users || users >= MAX_USERS)
            return false;
    } while (!quire_compare_exchange(&page->owner_word, &old, old + PAGE_USER));
    return true;
}

/* In the swap cache or a file's array: a user. */
static inline bool page_is_cached(const struct quire_page *page)
{
    return page_has(page, PG_SWAPCACHE) ||
           (page_kind(page) >= PAGE_KIND_FILE && page_root_id(page) != 0);
}

/* Entries of page tables that map it. */
static inline unsigned page_mapcount(const struct quire_page *page)
{
    unsigned users = page_users(page), cached = page_is_cached(page);
    return users > cached ? users - cached : 0;
}

/* One user less. The last one takes the page off its list and drops the users' reference. Takes
 * the lock of the node's lists; not under it, nor before a flush of what mapped it.
 * vm/page.c. */
void page_unuse(struct quire_vm *vm, struct quire_page *page);
/* The same for who knows that the swap cache isn't left alone with the page by it: the cache. */
void page_drop_user(struct quire_vm *vm, struct quire_page *page);

/* References that pin. Not for the last one of a page with users. vm/page.c */
static inline void page_pin(struct quire_page *page)
{
    (void)__atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED);
}
void vm_put_page(struct quire_vm *vm, struct quire_page *page);

/* An order-0 page for users, started, with the mover set; NULL. `gfp` beside HIGHUSER_MOVABLE. */
struct quire_page *vm_alloc_page(struct quire_vm *vm, quire_gfp_t extra);
/* Makes a page of phys's such a one. */
void page_dress(struct quire_vm *vm, struct quire_page *page);

/* Who has the page lock decides about content, dirtiness, caches and roots. Sleeps; the order is:
 * an address space's lock, a page's, a root's. Two pages' locks: by trylock only. vm/page.c */
void page_lock(struct quire_page *page);
QUIRE_MUST_CHECK bool page_trylock(struct quire_page *page);
void page_unlock(struct quire_page *page);
/* Until PG_LOCKED may be clear, or sooner, of a page that the caller doesn't even pin: who waits
 * for a migration has seen no more than an entry with its frame. */
void page_wait_locked(struct quire_page *page);
/* Until PG_WRITEBACK is clear; the caller pins the page, and holds no lock that writing needs. */
void page_wait_writeback(struct quire_page *page);
void page_end_writeback(struct quire_page *page);

/* Content, through the direct map or a window of this CPU. vm/page.c */
void page_zero(struct quire_vm *vm, struct quire_page *page);
void page_zero_part(struct quire_vm *vm, struct quire_page *page, size_t from, size_t size);
void page_copy(struct quire_vm *vm, struct quire_page *to, struct quire_page *from);
/* Bytes of one page to another, or within it: there they may overlap. */
void page_copy_part(struct quire_vm *vm, struct quire_page *to, size_t to_at,
                    struct quire_page *from, size_t from_at, size_t size);
void page_read(struct quire_vm *vm, struct quire_page *page, size_t at, void *to, size_t size);
void page_write(struct quire_vm *vm, struct quire_page *page, size_t at, const void *from,
                size_t size);

#endif
