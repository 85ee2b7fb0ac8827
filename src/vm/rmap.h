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

/* The table of ids. -ENOMEM; destroy: no root is left. */
QUIRE_MUST_CHECK int roots_create(struct quire_vm *vm);
void roots_destroy(struct quire_vm *vm);

/* What anon_vmas and mappings begin with: what a page's root id leads to. */
struct root {
    uint32_t id;
    uint32_t refs; /* page table of ids keeps none: see root_get */
    enum page_kind kind;
    struct root *locked; /* whose `lock` guards: itself, or the family's first */
    struct rwlock lock;  /* of `areas` */
    struct tree areas;   /* intervals */
    void (*release)(struct quire_vm *vm, struct root *root); /* with the last reference */
};

/* Gives a root its id and one reference. -ENOMEM, -ENOSPC. */
QUIRE_MUST_CHECK int root_init(struct quire_vm *vm, struct root *root, enum page_kind kind);
/* A root's id is free again with its last reference; pages don't count as references, so those that
 * still name it must be gone or pinned by who looks: root_of_page. */
void root_put(struct quire_vm *vm, struct root *root);
/* The root of a page that the caller keeps locked, with a reference; NULL: it has none (any more).
 */
struct root *root_of_page(struct quire_vm *vm, const struct quire_page *page);

struct anon_vma {
    struct root root;
    struct anon_vma *parent;
    unsigned nr_children, nr_active; /* anon_vmas whose parent it is; areas whose anon_vma it is */
};

struct anon_vma_chain {
    struct quire_vma *vma;
    struct anon_vma *anon_vma;
    struct list same_vma;  /* of vma->chains */
    struct tree_node node; /* of anon_vma->root.areas */
    uint64_t last;         /* of the subtree */
};

/* Before the first anonymous page of an area; a neighbour's anon_vma where they could merge. Caller
 * has mm->lock (reader suffices). -ENOMEM. */
QUIRE_MUST_CHECK int anon_vma_prepare(struct quire_vma *vma);
/* `to` gets chains to all anon_vmas of `from`, and its anon_vma: for splits, mremap. -ENOMEM:
 * nothing changed. */
QUIRE_MUST_CHECK int anon_vma_clone(struct quire_vma *to, struct quire_vma *from);
/* For a fork: clones, and gives `child` an anon_vma of its own. */
QUIRE_MUST_CHECK int anon_vma_fork(struct quire_vma *child, struct quire_vma *parent);
/* The area goes away: its chains, and anon_vmas that nobody uses any more. */
void anon_vma_unlink(struct quire_vma *vma);
/* Whether two areas' anonymous pages may be in one area. */
bool anon_vma_compatible(const struct quire_vma *a, const struct quire_vma *b);

/* The areas that map a file. */
void mapping_link_vma(struct quire_vma *vma);
void mapping_unlink_vma(struct quire_vma *vma);

/* Keeps walks of the file's reverse maps out; nothing without a file. */
void rmap_lock_mapping(struct quire_vma *vma);
void rmap_unlock_mapping(struct quire_vma *vma);

/* An area's range or pgoff changes: out of all its trees before, back in after. Both roots' locks
 * are held in between (writer), so nothing may sleep but for other locks further in. */
void rmap_begin_change(struct quire_vma *vma);
void rmap_end_change(struct quire_vma *vma);

/* ---- pages ----------------------------------------------------------------------------------- */

/* A new anonymous page, before its entry is written: root, index, and a user for the entry, counted
 * as by rmap_add. The area has an anon_vma. */
void rmap_new_anon(struct quire_page *page, struct quire_vma *vma, quire_linear_t address);
/* One more entry for a page that has a root. False: too many users. Counts rss and mapped stats. */
QUIRE_MUST_CHECK bool rmap_add(struct quire_mm *mm, struct quire_page *page);
/* Its counts back, when an entry was taken out; the user itself goes by page_unuse after the flush.
 */
void rmap_remove(struct quire_mm *mm, struct quire_page *page);

/* Calls `one` for each area that may map the page, with the address where, until it returns false.
 * The caller has the page lock. Under the root's lock (reader) and the address space's `tables`
 * (reader): `one` changes entries, and neither allocates nor takes other locks but spinlocks. */
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

#define UNMAP_MIGRATION 0x1u     /* entries become migration entries */
#define UNMAP_IGNORE_LOCKED 0x2u /* also where the area is VM_LOCKED */
/* Takes a page out of all page tables: anonymous ones leave a swap entry (the page is in the swap
 * cache), those of files nothing. Dirty bits go to the page. True: no entry maps it any more.
 * False: a locked area does, or it came back meanwhile. The page is locked and pinned. */
QUIRE_MUST_CHECK bool try_to_unmap(struct quire_vm *vm, struct quire_page *page, unsigned flags);
/* Entries that migration left for `from` lead to `to` (which may be `from`) again. */
void remove_migration_entries(struct quire_vm *vm, struct quire_page *from, struct quire_page *to);
/* The mover that phys's compaction calls; and that there is none any more. migrate.c */
QUIRE_MUST_CHECK int migrate_register(struct quire_vm *vm);
void migrate_unregister(struct quire_vm *vm);

/* Write-protects a file's page in all shared areas and gathers dirty bits: true if there was one.
 */
bool page_mkclean(struct quire_vm *vm, struct quire_page *page);

#endif
