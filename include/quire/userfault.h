/* quire/userfault.h: faults that a program sees to itself (layer 4)
 *
 * userfaultfd(2)'s part of the layer. A monitor watches ranges of one address space: for pages that
 * are missing, and for writes to pages that it has protected. Who comes upon such a page waits
 * (`wait`) until the monitor has filled it or taken the protection away, and tries again.
 *
 *     quire_userfault_create(&monitor, mm, &config);
 *     quire_userfault_register(monitor, at, size, QUIRE_USERFAULT_MISSING);
 *         a thread's access: wait(arg, address, ...)          another one, who was told of it:
 *                                                              quire_userfault_fill(monitor, ...)
 *                                                              wakes the first
 *
 * Private anonymous memory only. A child of a fork isn't watched, nor is what mremap moves; what
 * it leaves behind still is. Populating (MAP_POPULATE, mlock, MADV_POPULATE_*) doesn't wait, and
 * ends at a page that it would have to wait for, as at one that can't be had.
 *
 * Linux: fs/userfaultfd.c, mm/userfaultfd.c.
 */
#ifndef QUIRE_USERFAULT_H
#define QUIRE_USERFAULT_H

#include <quire/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_userfault;

/* What is watched for, and what a fault is. */
#define QUIRE_USERFAULT_MISSING 1u
#define QUIRE_USERFAULT_WP 2u

struct quire_userfault_config {
    /* By who faulted, holding no lock. `reason` is MISSING or WP, `flags` are the fault's
     * (QUIRE_FAULT_FLAG_*). So that none is missed: tell of the fault first, then ask
     * quire_userfault_waits, then sleep. 0: the access is tried again; else it fails, with
     * QUIRE_VM_BUS_ADRERR or -EFAULT. */
    int (*wait)(void *arg, quire_linear_t address, unsigned reason, unsigned flags);
    /* Nobody has it any more. */
    void (*release)(void *arg);
    void *arg;
};

/* A monitor of an address space, which may end before it. -ENOMEM. */
QUIRE_MUST_CHECK int quire_userfault_create(struct quire_userfault **monitor, struct quire_mm *mm,
                                            const struct quire_userfault_config *config);
/* Its areas are watched no longer. Who waits still has it: wake them afterwards. Locks: writer.
 * O(areas + pages of those that had protected ones). */
void quire_userfault_destroy(struct quire_userfault *monitor);

/* From now on [start, + length) is watched for `modes`. Locks: writer.
 *   -EINVAL   not of whole pages, empty, or beyond the address space; no mode, or an unknown one;
 *             nothing is there, or something that isn't private anonymous memory
 *   -ENOMEM   no area ends above start; too many areas, or no memory: the range may be watched in
 *             part
 *   -EPERM    the memory can't become writable
 *   -EBUSY    another monitor's */
QUIRE_MUST_CHECK int quire_userfault_register(struct quire_userfault *monitor, quire_linear_t start,
                                              uint64_t length, unsigned modes);
/* Not any more; holes are passed over. The caller wakes who waits. Locks: writer. -EINVAL, -ENOMEM
 * as above; -EINVAL: another monitor's, some of it, whose waiting threads the caller doesn't know.
 */
QUIRE_MUST_CHECK int quire_userfault_unregister(struct quire_userfault *monitor,
                                                quire_linear_t start, uint64_t length);

/* Whether an access at `address` would still have to wait. Locks: reader. */
bool quire_userfault_waits(struct quire_userfault *monitor, quire_linear_t address, bool write);

/* What a missing page becomes: a page with these bytes (of the kernel's memory), one of zeros, or
 * one whose use is SIGBUS. */
enum quire_userfault_fill { QUIRE_USERFAULT_BYTES, QUIRE_USERFAULT_ZERO, QUIRE_USERFAULT_POISON };

/* Fills the page at `at`, in a watched area that has `length` bytes there (at least); `protect`:
 * and writes to it wait. Doesn't wake. Locks: reader. O(log areas).
 *   -EINVAL   not of whole pages, beyond the address space; `protect`, and the area isn't watched
 *             for it
 *   -ENOENT   not all of it is in one watched area
 *   -ESRCH    the address space has ended
 *   -EEXIST   something is there
 *   -ENOMEM */
QUIRE_MUST_CHECK int quire_userfault_fill(struct quire_userfault *monitor, quire_linear_t at,
                                          uint64_t length, enum quire_userfault_fill how,
                                          const void *bytes, bool protect);

/* Pages that are there can't be written any more, or again, without waiting. Doesn't wake. Locks:
 * writer. O(log areas + pages). -EINVAL: as above; -ENOENT: no area that is watched for writes
 * holds all of it; -ESRCH. */
QUIRE_MUST_CHECK int quire_userfault_protect(struct quire_userfault *monitor, quire_linear_t start,
                                             uint64_t length, bool protect);

#ifdef __cplusplus
}
#endif

#endif
