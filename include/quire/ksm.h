/* quire/ksm.h: pages of the same content become one (layer 4)
 *
 * Private memory that madvise(MADV_MERGEABLE) names is looked through again and again, by whoever
 * calls quire_ksm_scan. Pages that didn't change since they were looked at last, and are alike, are
 * replaced by one that nobody can write to; who writes gets a copy, as after a fork. Such a page
 * isn't swapped nor moved.
 *
 * Linux: mm/ksm.c, Documentation/admin-guide/mm/ksm.rst.
 */
#ifndef QUIRE_KSM_H
#define QUIRE_KSM_H

#include <quire/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Looks at `pages` addresses of mergeable areas, going on where the last call stopped, and merges
 * what it can: with no memory for that, less, and nobody is killed for it. How many were looked at;
 * fewer: that was the end of all of them, and the next call begins anew. One at a time runs. Locks:
 * reader of the address spaces, one after the other. About 130 bytes of memory for each page that
 * it has seen and that one address alone has. */
unsigned long quire_ksm_scan(struct quire_vm *vm, unsigned long pages);

/* Whoever shares a merged page gets his own again, and nothing is known of pages any more. Waits
 * for a scan. -ENOMEM: some are merged still; nobody is killed for it. O(mergeable pages). */
QUIRE_MUST_CHECK int quire_ksm_unmerge(struct quire_vm *vm);

/* For who doesn't scan any more: frees what is known of pages that aren't merged, and merged pages
 * that nobody has any more. The next scan begins anew. How many merged pages are left, O(those). */
unsigned long quire_ksm_trim(struct quire_vm *vm);

/* A merged page is for this many addresses at most, 256 if nobody says otherwise; the next ones
 * with that content get another one. -EINVAL: fewer than 2; -EBUSY: there are merged pages;
 * -ENOMEM. Waits for a scan, as the next ones do. */
QUIRE_MUST_CHECK int quire_ksm_set_max_sharing(struct quire_vm *vm, unsigned most);
/* Whether pages of several nodes become one, which they do if nobody says otherwise. Else each node
 * has merged pages of its own. -EBUSY: there are merged pages; -ENOMEM. */
QUIRE_MUST_CHECK int quire_ksm_set_across_nodes(struct quire_vm *vm, bool across);
/* Whether a page of nothing but zeroes becomes the one that all share who only read, rather than a
 * merged one. Nobody counts those, and they stay where pages are given back. -ENOMEM. */
QUIRE_MUST_CHECK int quire_ksm_set_zero_pages(struct quire_vm *vm, bool use);

struct quire_ksm_info {
    unsigned long shared;   /* merged pages that several addresses have */
    unsigned long sharing;  /* addresses beyond the first of each */
    unsigned long unshared; /* pages that stay the same, and are like no other */
    unsigned long changing; /* pages that changed since they were looked at last, or are new */
    unsigned long full_scans;
    unsigned long chains,
        duplicates; /* contents with several merged pages, and how many those are */
};
/* shared, sharing, chains and duplicates as they are, the others of the last whole scan. Waits for
 * a scan. O(merged pages). */
void quire_ksm_info(struct quire_vm *vm, struct quire_ksm_info *info);

#ifdef __cplusplus
}
#endif

#endif
