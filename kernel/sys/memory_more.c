/* kernel/sys/memory_more.c: calls of memory that few programs make: remap_file_pages, mseal,
 * cachestat, and protection keys on a processor without them
 */
#include "errno.h"
#include "memory.h"
#include "sys/calls_memory.h"
#include "sys/file_user.h"
#include "task/give_way.h"
#include "task/shm.h"

/* remap_file_pages(start, size, prot, index, flags). */
long sys_remap_file_pages(const unsigned long *arg)
{
    if (arg[3] + (arg[1] >> QUIRE_PAGE_SHIFT) < arg[3]) /* in words of this class */
        return -EINVAL;
    int error = quire_remap_file_pages(current_process()->mm, arg[0], arg[1], (unsigned)arg[2],
                                       arg[3], (unsigned)arg[4]);
    shm_reap();
    return error;
}

#if defined(__x86_64__)
/* mseal(start, length, flags): of 64-bit machines, as on Linux. */
long sys_mseal(const unsigned long *arg)
{
    return arg[2] ? -EINVAL : quire_mseal(current_process()->mm, arg[0], arg[1]);
}
#endif

/* ---- cachestat ------------------------------------------------------------------------------- */

struct abi_cachestat_range {
    uint64_t offset, length;
};
_Static_assert(sizeof(struct quire_cachestat) == 40, "Linux's struct cachestat");

static long cachestat_of(struct file *file, const unsigned long *arg)
{
    struct abi_cachestat_range range;
    struct quire_cachestat stat = {0};
    if (copy_from_user(&range, arg[1], sizeof range))
        return -EFAULT;
    if (arg[3] & UINT32_MAX)
        return -EINVAL;
    struct quire_mapping *mapping = NULL;
    int error = (file->inode->mode & S_IFMT) == S_IFREG ? file_mapping(file, &mapping) : -ENODEV;
    if (error == -ENOMEM)
        return error;
    uint64_t last = range.length ? range.offset + range.length - 1 : UINT64_MAX;
    if (!error)
        quire_mapping_cachestat(mapping, range.offset >> QUIRE_PAGE_SHIFT, last >> QUIRE_PAGE_SHIFT,
                                &stat);
    return copy_to_user(arg[2], &stat, sizeof stat) ? -EFAULT : 0;
}

/* cachestat(fd, range, answer, flags). */
long sys_cachestat(const unsigned long *arg)
{
    struct file *file = user_file(arg[0]);
    long result = file ? cachestat_of(file, arg) : -EBADF;
    file_put(file);
    return result;
}

/* ---- protection keys (man 7 pkeys) ----------------------------------------------------------- */

#define PKEY_RIGHTS 3u

/* pkey_mprotect(start, length, prot, key): key -1 is none. */
long sys_pkey_mprotect(const unsigned long *arg)
{
    return (int)arg[3] == -1 ? sys_mprotect(arg) : -EINVAL;
}

/* pkey_alloc(flags, rights): Linux says so, too, where the processor hasn't got them. */
long sys_pkey_alloc(const unsigned long *arg)
{
    return arg[0] || arg[1] & ~(unsigned long)PKEY_RIGHTS ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(const unsigned long *arg)
{
    (void)arg;
    return -EINVAL;
}
