/* vm/rmap.h: from a page to the entries that map it
 *
 * A page knows its root and its index there (vm/page.h). A root is a file's mapping, or an
 * anon_vma: the anonymous pages that were first written in one area of one address space. The root
 * knows the areas that may map a page of an index, in a tree of intervals of indices:
 *
 *     mapping  ── shared ──► areas that map the file
 *     anon_vma ── chain ───► the area it was made for, and those that forks, splits and merges of
 *                            it made since
 *
 * A fork gives the child's area chains to all anon_vmas of the parent's area, whose pages it
 * shares, and an anon_vma of its own for what it will write. So a page is looked for in the area
 * that wrote it and in its descendants', not in all the family's. All anon_vmas of a family share
 * the lock of their root.
 *
 * Linux: mm/rmap.c; the structure is its struct anon_vma_chain's (2010).
 */
#ifndef VM_RMAP_H
#define VM_RMAP_H

#include "vm/internal.h"

/* ---- roots -------------------------------------------------------------------------------------
 *
 * Pages name their root by an id and hold no reference to it. So an id may be free, or another
 * root's, by the time that somebody asks for the root of a page; but never while that matters:
 *
 *   - A page that an entry maps is in an area with a chain to the page's anon_vma, or to the first
 *     of its family (rmap_set_anon), or that maps the file; and an anon_vma lives as long as some
 *     area has a chain to it. So the id is still the root's, and all entries are found.
 *   - A page of a file is in the file's array, and a mapping goes only after its pages did; when a
 *     page leaves the array its root becomes 0, under the page lock.
 *   - While entries of a page are migration entries, who moves it holds a reference to the root.
 *   - Anonymous pages of the swap cache that no entry maps are mapped again only by areas whose
 *     entries mean their slot: those have chains to the root, as they had when they mapped the page
 *     or inherited them by fork. When no such area is left the root may be gone, and the id
 *     another's: but then nobody maps the page, so that there is nothing to walk for; and a walk of
 *     the wrong root finds nothing, since what is looked for is the page's own frame. A page that
 *     was read anew from its slot has no root, and gets one by rmap_set_anon.
 */

/* The table of ids. -ENOMEM; destroy: no root is left. */
QUIRE_MUST_CHECK int roots_create(struct quire_vm *vm);
void roots_destroy(struct quire_vm *vm);

struct root;
/* With a root's last reference. */
typedef void root_release_fn(struct quire_vm *vm, struct root *root);

/* What anon_vmas and mappings begin with: what a page's root id leads to. */
struct root {
    uint32_t id;
    uint32_t refs; /* the table of ids holds none */
    enum page_kind kind;
    struct root *locked; /* whose `lock` guards: itself, or the family's first, referenced */
    struct rwlock lock;  /* of `areas`, of all whose `locked` it is */
    struct tree areas;   /* intervals */
    root_release_fn *release;
};

/* Gives a root its id and one reference. Its `locked` is `family`, which gets a reference that
 * `release` has to give back, or itself (NULL): for good, since others may walk it from here on.
 * -ENOMEM, -ENOSPC. */
QUIRE_MUST_CHECK int root_init(struct quire_vm *vm, struct root *root, enum page_kind kind,
                               struct root *family, root_release_fn *release);
void root_get(struct root *root);
/* With the last reference the id is free again, then `release` is called. */
void root_put(struct quire_vm *vm, struct root *root);
/* The root of a page that the caller keeps locked, with a reference; NULL: it has none (any more).
 */
struct root *root_of_page(struct quire_vm *vm, const struct quire_page *page);

/* ---- families of anonymous pages ------------------------------------------------------------- */

struct anon_vma {
    struct root root;
    struct anon_vma *parent; /* NULL: the first of its family. Lives at least as long */
    /* anon_vmas whose parent it is; areas whose anon_vma it is. Under the family's lock */
    unsigned nr_children, nr_active;
};

struct anon_vma_chain {
    struct quire_vma *vma;
    struct anon_vma *anon_vma;
    struct list same_vma;     /* of vma->chains */
    struct interval interval; /* of anon_vma->root.areas */
};

/* Before the first anonymous page of an area; a neighbour's anon_vma where they could merge. Caller
 * has mm->lock (reader suffices). -ENOMEM. */
QUIRE_MUST_CHECK int anon_vma_make(struct quire_vma *vma);
QUIRE_MUST_CHECK static inline int anon_vma_prepare(struct quire_vma *vma)
{
    return quire_likely(quire_load_acquire(&vma->anon_vma)) ? 0 : anon_vma_make(vma);
}
/* `to`, which has no chains yet, gets chains to all anon_vmas of `from`, and its anon_vma: for
 * splits, merges, mremap. Its range is what it will be. -ENOMEM: nothing changed. Writer of
 * mm->lock. */
QUIRE_MUST_CHECK int anon_vma_clone(struct quire_vma *to, struct quire_vma *from);
/* For a fork: clones, and gives `child` an anon_vma of its own, or an ancestor's that no area
 * writes to any more and that has no other child: so chains of forks whose parents go stay short.
 * -ENOMEM: nothing changed. */
QUIRE_MUST_CHECK int anon_vma_fork(struct quire_vma *child, struct quire_vma *parent);
/* The area goes away: its chains, and anon_vmas that nobody uses any more. */
void anon_vma_unlink(struct quire_vma *vma);
/* Whether two areas' anonymous pages may be in one area: they have the same anon_vma, or one has
 * none and the other one that no fork's parent shares. */
bool anon_vma_compatible(const struct quire_vma *a, const struct quire_vma *b);

/* The areas that map a file. */
void mapping_link_vma(struct quire_vma *vma);
void mapping_unlink_vma(struct quire_vma *vma);

/* Keeps walks of the area's reverse maps out, of its file and its anonymous pages. */
void rmap_lock_walks(struct quire_vma *vma);
void rmap_unlock_walks(struct quire_vma *vma);

/* An area's range or pgoff changes, or what walkers read of its flags: out of all its trees before,
 * back in after. Both roots' locks are held in between (writer), so nothing may sleep but for other
 * locks further in, and one area changes at a time: where two exchange a range, the one that grows
 * goes first, so that a walk in between meets the range twice and not never. */
void rmap_begin_change(struct quire_vma *vma);
void rmap_end_change(struct quire_vma *vma);

/* Waits for walks that are under way in the area's roots. Walkers write entries by the flags that
 * they see (remove_migration_entries): who changed flags calls this before he looks at entries, and
 * what is written later is by the new flags. Without root's locks held. */
void rmap_wait_for_walks(struct quire_vma *vma);

/* ---- pages ----------------------------------------------------------------------------------- */

/* A new anonymous page, before its entry is written: root, index, and a user for the entry, counted
 * as by rmap_add. The area has an anon_vma. */
void rmap_new_anon(struct quire_page *page, struct quire_vma *vma, quire_linear_t address);
/* Root and index of an anonymous page that no entry maps, as it comes back from swap. Unless it is
 * exclusively this area's, others of its family may come to map it, so it gets the family's first
 * root. Under the page lock; the area has an anon_vma. */
void rmap_set_anon(struct quire_page *page, struct quire_vma *vma, quire_linear_t address,
                   bool exclusive);
/* One more entry for a page that has a root. False: too many users. Counts rss, and the page as a
 * mapped one until page_unuse finds that no entry is left. */
QUIRE_MUST_CHECK bool rmap_add(struct quire_mm *mm, struct quire_page *page);
/* The same without rss. */
void rmap_count_mapped(struct quire_vm *vm, struct quire_page *page);
QUIRE_MUST_CHECK static inline bool rmap_add_user(struct quire_vm *vm, struct quire_page *page)
{
    if (!page_use(page))
        return false;
    if (!(quire_load_relaxed(&page->owner_word) & PAGE_MAPPED))
        rmap_count_mapped(vm, page);
    return true;
}
/* Its counts back, when an entry was taken out; the user itself goes by page_unuse after the flush.
 */
void rmap_remove(struct quire_mm *mm, struct quire_page *page);

/* Calls `one` for each area that may map the page, with the address where, until it returns false;
 * a fork's parent before its child. The caller has the page lock, and pins the page. Under the
 * root's lock (reader) and the address space's `tables` (reader): `one` changes entries, and
 * neither allocates nor takes other locks but spinlocks. */
typedef bool rmap_one_fn(void *arg, struct quire_vma *vma, quire_linear_t address);
void rmap_walk(struct quire_vm *vm, struct quire_page *page, rmap_one_fn *one, void *arg);

/* The same for all pages of a range of a mapping, whether they exist or not: for truncation. */
void rmap_walk_mapping(struct quire_mapping *mapping, uint64_t first, uint64_t last,
                       void (*one)(void *arg, struct quire_vma *vma, quire_linear_t start,
                                   quire_linear_t end),
                       void *arg);

/* Entries that referenced the page since the last look; *flags gets those of the areas (VM_LOCKED,
 * VM_EXEC). Clears accessed bits. */
unsigned page_referenced(struct quire_vm *vm, struct quire_page *page, uint32_t *flags);

#define UNMAP_MIGRATION                                                                            \
    0x1u /* entries become migration entries; the caller has a user of his own                     \
          * on the page, and a reference to its root */
#define UNMAP_IGNORE_LOCKED 0x2u /* also where the area is VM_LOCKED */
#define UNMAP_POISON 0x4u        /* entries become such of a bad frame: vm/hwpoison.c */
/* Takes a page out of all page tables: anonymous ones leave a swap entry if they are in the swap
 * cache, or nothing if they were given up (MADV_FREE: neither page nor entries are dirty, and
 * nobody but the caller pins the page), those of files nothing. Dirty bits go to the page. True: no
 * entry maps it any more. False: a locked area does, it came back meanwhile, or it was, or may be,
 * written to after having been given up. The page is locked and pinned. */
QUIRE_MUST_CHECK bool try_to_unmap(struct quire_vm *vm, struct quire_page *page, unsigned flags);
/* Entries that migration left for `from` lead to `to` (which may be `from`) again. `to` has root
 * and index, and a user of the caller's. */
void remove_migration_entries(struct quire_vm *vm, struct quire_page *from, struct quire_page *to);
/* The mover that phys's compaction calls; and that there is none any more. migrate.c */
QUIRE_MUST_CHECK int migrate_register(struct quire_vm *vm);
void migrate_unregister(struct quire_vm *vm);

/* Write-protects a file's page in all shared areas and gathers dirty bits: true if there was one.
 */
bool page_mkclean(struct quire_vm *vm, struct quire_page *page);

#endif
