/* vm/fault.h: pages into and out of areas */
#ifndef VM_FAULT_H
#define VM_FAULT_H

#include "vm/area.h"

/* Takes all pages of [start, end) out of an area's page tables, with counts, users and swap slots;
 * tables stay. Writer or reader of mm->lock (madvise). */
void zap_range(struct quire_vma *vma, quire_linear_t start, quire_linear_t end);
/* The first entry of a range that isn't 0; `end`: none. */
quire_linear_t next_entry(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);
/* zap_range under a walk of reverse maps, for truncation: only pages of the mapping, unless `even`
 * private copies (truncation takes those too). */
void zap_mapping(struct quire_mapping *mapping, uint64_t first, uint64_t last, bool even_private);

/* An area's entries after its flags changed from `old_flags`: mprotect. May split huge pages, so
 * -ENOMEM. */
QUIRE_MUST_CHECK int change_protection(struct quire_vma *vma, quire_linear_t start,
                                       quire_linear_t end, uint32_t old_flags);
/* mremap: entries and pages of [from, from + size) go to `to_vma` at `to`. The reverse maps must
 * lead to both places meanwhile. -ENOMEM (tables): some may have been moved; the caller moves them
 * back. */
QUIRE_MUST_CHECK int move_entries(struct quire_vma *from_vma, quire_linear_t from,
                                  struct quire_vma *to_vma, quire_linear_t to, quire_linear_t size);
/* fork: entries of an area. -ENOMEM: the child's are taken out again by its teardown. */
QUIRE_MUST_CHECK int copy_entries(struct quire_mm *child, const struct quire_vma *parent,
                                  quire_linear_t end);

/* Faults in [start, end), reader's lock held, before anyone accesses. AHEAD, for MAP_POPULATE and
 * mlock, gives private pages that may be written their own content at once; the others are as if
 * read or written. 0; -EFAULT, -ENOMEM: stopped there. */
enum populate { POPULATE_AHEAD, POPULATE_READ, POPULATE_WRITE };
QUIRE_MUST_CHECK int populate_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                                    enum populate how);

/* One fault in an area that allows the access, counted; mm->lock held by the caller (reader). */
enum quire_fault_result fault_in_area(struct quire_vma *vma, quire_linear_t address,
                                      unsigned flags);

/* Kinds of faults, by file. `entry` is what was seen there. QUIRE_VM_MINOR also when somebody else
 * was faster. */
struct fault {
    struct quire_vma *vma;
    struct quire_mm *mm;
    quire_linear_t address; /* of the page */
    unsigned flags;
    uint64_t entry;
    void
        *where; /* the entry itself, until mm->lock is given up; NULL: not looked up, or no table */
};
enum quire_fault_result fault_anon(struct fault *fault);  /* anon.c: nothing there, private */
enum quire_fault_result fault_write(struct fault *fault); /* cow.c: present, not writable */
enum quire_fault_result fault_swap(struct fault *fault); /* swap_fault.c: swap or migration entry */
/* The same of a swap entry, with `extra` for the page: for swapoff, which kills nobody. */
enum quire_fault_result fault_swap_gfp(struct fault *fault, quire_gfp_t extra);
enum quire_fault_result fault_file(struct fault *fault); /* file_fault.c: nothing there, mapping */

/* The area's monitor sees to it (vm/userfault.c): nothing was done, and who has no lock waits for
 * it. */
#define FAULT_WAITS ((enum quire_fault_result)(QUIRE_VM_OOM + 1))

/* Maps a page of vm_alloc_page's, with its content, where nothing is; `rights` are PRESENT or what
 * else the entry says. 0; -EAGAIN: something is there; -ENOMEM. anon.c */
QUIRE_MUST_CHECK int fault_map_anon(struct fault *fault, struct quire_page *page, uint64_t rights);

/* A present, read-only entry of a shared area is written to: file_fault.c. */
enum quire_fault_result fault_shared_write(struct fault *fault);

/* Whether fault->entry is still the entry, but for what hardware sets. */
bool fault_entry_is_unchanged(const struct fault *fault);
/* The page of fault->entry, pinned, if that is still the entry; NULL. */
struct quire_page *fault_pin_page(struct fault *fault);

/* Fills fault->entry, which was empty. 0, -EAGAIN: it wasn't; -ENOMEM: no table. */
QUIRE_MUST_CHECK int fault_fill_entry(struct fault *fault, uint64_t entry);

/* Replaces fault->entry, which was present, as quire_update_entry_at does. */
QUIRE_MUST_CHECK int fault_update_entry(struct fault *fault, uint64_t entry, bool *flush);

/* Writes an entry for a page that has its root and a user counted for it, where fault->entry was.
 * False: it changed; the caller gives the user back. */
QUIRE_MUST_CHECK bool fault_set_entry(struct fault *fault, uint64_t entry);

#endif
