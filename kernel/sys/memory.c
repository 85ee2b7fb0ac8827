/* kernel/sys/memory.c: mmap(2) and its relatives
 *
 * Quire's operations have Linux's arguments and errors, so most calls pass them on. What is decided
 * here is what the library can't know: what a descriptor allows, and which address space it is.
 */
#include "memory.h"
#include "errno.h"
#include "fs/file.h"
#include "fs/files.h"
#include "sys/abi_memory.h"
#include "sys/calls_memory.h"
#include "task/capability.h"
#include "task/give_way.h"
#include "task/shm.h"
#include "task/task.h"
#include "user.h"

#define LOW_BITS (QUIRE_PAGE_SIZE - 1)
#define READ_IMPLIES_EXEC 0x0400000u /* of personality(2) */

static struct quire_mm *current_mm(void)
{
    return current_process()->mm;
}

/* ---- mmap ------------------------------------------------------------------------------------ */

/* What the open file allows. Sets the mapping, or makes it anonymous: what /dev/zero is. */
static int check_file(struct file *file, unsigned prot, unsigned *flags,
                      struct quire_mapping **mapping)
{
    unsigned type = *flags & QUIRE_MAP_TYPE;
    bool is_shared = type == QUIRE_MAP_SHARED || type == QUIRE_MAP_SHARED_VALIDATE;
    if (is_shared && !file_may_write(file)) {
        if (prot & QUIRE_PROT_WRITE)
            return -EACCES;
        *flags |= QUIRE_MAP_NO_WRITE;
    }
    if (!file_may_read(file))
        return -EACCES;
    if (file_is_zero(file)) {
        *flags |= QUIRE_MAP_ANONYMOUS;
        return 0;
    }
    return file_mapping(file, mapping);
}

static unsigned effective_prot(unsigned prot)
{
    bool implied = current_process()->attributes.personality & READ_IMPLIES_EXEC;
    return implied && (prot & QUIRE_PROT_READ) ? prot | QUIRE_PROT_EXEC : prot;
}

struct map_request {
    uintptr_t address;
    size_t length;
    unsigned prot, flags;
    int fd;
    uint64_t offset;
};

static int64_t map_file(struct map_request *r)
{
    struct quire_mapping *mapping = NULL;
    struct file *file = files_get(current->files, r->fd);
    if (!file || (file->flags & O_PATH)) {
        if (file)
            file_put(file);
        return -EBADF;
    }
    /* As Linux: what the length says comes between the descriptor and its rights. */
    int64_t at = r->length ? check_file(file, r->prot, &r->flags, &mapping) : -EINVAL;
    if (!at)
        at = quire_mmap(current_mm(), r->address, r->length, r->prot, r->flags, mapping,
                        mapping ? r->offset : 0);
    file_put(file);
    return at;
}

static long map(struct map_request *r)
{
    int64_t at;
    r->prot = effective_prot(r->prot);
    r->flags &= ~QUIRE_MAP_NO_WRITE; /* the kernel's own */
    if (r->flags & QUIRE_MAP_ANONYMOUS)
        at = quire_mmap(current_mm(), r->address, r->length, r->prot, r->flags, NULL, r->offset);
    else
        at = map_file(r);
    shm_reap();
    return (long)at;
}

#if defined(__x86_64__)
long sys_mmap(const unsigned long *arg)
{
    struct map_request request = {.address = arg[0],
                                  .length = arg[1],
                                  .prot = (unsigned)arg[2],
                                  .flags = (unsigned)arg[3],
                                  .fd = (int)arg[4],
                                  .offset = arg[5]};
    return arg[5] & LOW_BITS ? -EINVAL : map(&request);
}
#else
/* The offset counts pages. */
long sys_mmap2(const unsigned long *arg)
{
    struct map_request request = {.address = arg[0],
                                  .length = arg[1],
                                  .prot = (unsigned)arg[2],
                                  .flags = (unsigned)arg[3],
                                  .fd = (int)arg[4],
                                  .offset = (uint64_t)arg[5] << QUIRE_PAGE_SHIFT};
    return map(&request);
}

long sys_old_mmap(const unsigned long *arg)
{
    struct abi_mmap in;
    if (copy_from_user(&in, arg[0], sizeof in))
        return -EFAULT;
    struct map_request request = {.address = in.address,
                                  .length = in.length,
                                  .prot = in.prot,
                                  .flags = in.flags,
                                  .fd = (int)in.fd,
                                  .offset = in.offset};
    return in.offset & LOW_BITS ? -EINVAL : map(&request);
}
#endif

/* ---- the break, and what changes areas ------------------------------------------------------- */

long sys_brk(const unsigned long *arg)
{
    long end = (long)quire_brk(current_mm(), arg[0]);
    shm_reap();
    return end;
}

long sys_munmap(const unsigned long *arg)
{
    int error = quire_munmap(current_mm(), arg[0], arg[1]);
    shm_reap();
    return error;
}

long sys_mprotect(const unsigned long *arg)
{
    return quire_mprotect(current_mm(), arg[0], arg[1], effective_prot((unsigned)arg[2]));
}

/* Signals return through the vDSO, and i386's library calls through it: so may this call. */
static void follow_vdso(uintptr_t from, uintptr_t size, uintptr_t to)
{
    struct process *process = current_process();
    const uintptr_t pc = trap_frame_pc(current->frame);
    if (process->vdso - from >= size)
        return;
    process->vdso += to - from;
    if (pc - from < size)
        trap_frame_set_pc(current->frame, pc + (to - from));
}

long sys_mremap(const unsigned long *arg)
{
    long at = (long)quire_mremap(current_mm(), arg[0], arg[1], arg[2], (unsigned)arg[3], arg[4]);
    shm_reap();
    if (at >= 0 || (unsigned long)at < -4095ul)
        follow_vdso(arg[0], arg[1], (uintptr_t)at);
    return at;
}

/* Frames are the machine's, and what others have in them, too. Whether there is a range at all is
 * looked at first. */
long sys_madvise(const unsigned long *arg)
{
    int advice = (int)arg[2];
    bool breaks = advice == QUIRE_MADV_HWPOISON || advice == QUIRE_MADV_SOFT_OFFLINE;
    const uint64_t low = QUIRE_PAGE_SIZE - 1, size = (arg[1] + low) & ~low;
    bool is_range = size && !(arg[0] & low) && arg[0] + size >= arg[0];
    if (breaks && is_range && !caller_can(CAP_SYS_ADMIN))
        return -EPERM;
    return quire_madvise(current_mm(), arg[0], arg[1], (int)arg[2]);
}

long sys_msync(const unsigned long *arg)
{
    return quire_msync(current_mm(), arg[0], arg[1], (unsigned)arg[2]);
}

/* ---- mincore --------------------------------------------------------------------------------- */

/* By pieces of a page of answers; those below a hole have been given then, as on Linux. */
static long mincore_pieces(uintptr_t address, size_t nr_pages, uintptr_t vec, unsigned char *piece)
{
    while (nr_pages) {
        if (!give_way())
            return -EINTR;
        size_t count = nr_pages < QUIRE_PAGE_SIZE ? nr_pages : QUIRE_PAGE_SIZE;
        int error =
            quire_mincore(current_mm(), address, (uint64_t)count << QUIRE_PAGE_SHIFT, piece);
        if (error)
            return error;
        if (copy_to_user(vec, piece, count))
            return -EFAULT;
        address += count << QUIRE_PAGE_SHIFT;
        vec += count;
        nr_pages -= count;
    }
    return 0;
}

long sys_mincore(const unsigned long *arg)
{
    uintptr_t address = arg[0], vec = arg[2];
    size_t length = arg[1], nr_pages = (length >> QUIRE_PAGE_SHIFT) + !!(length & LOW_BITS);
    if (address & LOW_BITS)
        return -EINVAL;
    if (address > USER_END || length > USER_END - address)
        return -ENOMEM;
    if (vec > USER_END || nr_pages > USER_END - vec)
        return -EFAULT;
    unsigned char *piece = quire_kmalloc(machine_slab, QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    if (!piece)
        return -EAGAIN;
    long result = mincore_pieces(address, nr_pages, vec, piece);
    quire_kfree(machine_slab, piece);
    return result;
}

/* ---- locks of memory ------------------------------------------------------------------------- */

/* Rounded up to pages a length may wrap around to nothing, of which nothing is locked. */
static bool is_nothing(uintptr_t address, unsigned long length)
{
    return !((length + (address & (QUIRE_PAGE_SIZE - 1)) + QUIRE_PAGE_SIZE - 1) &
             ~(QUIRE_PAGE_SIZE - 1ul));
}

long sys_mlock(const unsigned long *arg)
{
    return is_nothing(arg[0], arg[1]) ? 0 : quire_mlock(current_mm(), arg[0], arg[1], 0);
}

long sys_mlock2(const unsigned long *arg)
{
    return quire_mlock(current_mm(), arg[0], arg[1], (unsigned)arg[2]);
}

long sys_munlock(const unsigned long *arg)
{
    return quire_munlock(current_mm(), arg[0], arg[1]);
}

long sys_mlockall(const unsigned long *arg)
{
    return quire_mlockall(current_mm(), (unsigned)arg[0]);
}

long sys_munlockall(const unsigned long *arg)
{
    (void)arg;
    return quire_munlockall(current_mm());
}
