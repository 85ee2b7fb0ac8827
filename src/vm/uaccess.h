/* vm/uaccess.h: user memory and pages of the kernel's, for who holds locks that faults take
 *
 * Bytes are copied as a processor would: under the lock of the entry that allows it, which is
 * marked accessed and dirty. So the page is the address space's while they are copied, whoever
 * forks, unmaps or reclaims, and no page is pinned. What isn't there isn't faulted in: that is for
 * the caller, when he has let his locks go.
 */
#ifndef VM_UACCESS_H
#define VM_UACCESS_H

#include "vm/internal.h"

/* The other side of a copy: bytes, or else a page from byte `offset` on, or else zeros. */
struct user_other {
    char *bytes;
    struct quire_page *page;
    size_t offset;
};

/* How many of `size` bytes from `at` on, 1 to a page's, were copied before the first page that
 * isn't there, or not for this. Takes mm->tables (reader) and entry locks. */
size_t user_copy_present(struct quire_mm *mm, quire_linear_t at, const struct user_other *other,
                         size_t size, bool to_user);

/* Faults in what isn't there: how many bytes of [at, at + size), from the first on, the program may
 * access so. They may be gone again. Takes mm->lock (reader). */
size_t user_fault_in(struct quire_mm *mm, quire_linear_t at, size_t size, bool write);

#endif
