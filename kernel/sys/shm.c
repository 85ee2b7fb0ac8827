/* kernel/sys/shm.c: calls of System V shared memory (man 7 sysvipc; Linux, ipc/shm.c) */
#include "task/shm.h"

#include "errno.h"
#include "fs/inode.h"
#include "sys/abi_memory.h"
#include "sys/calls_memory.h"
#include "sys/shm_segment.h"
#include "task/capability.h"
#include "task/task.h"
#include "user.h"

#define IPC_RMID 0
#define IPC_SET 1
#define IPC_STAT 2
#define IPC_INFO 3

#define SHM_RDONLY 010000u
#define SHM_RND 020000u
#define SHM_REMAP 040000u
#define SHM_EXEC 0100000u
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_STAT_ANY 15

static int64_t now_seconds(void)
{
    return fs_time_now().seconds;
}

long sys_shmget(const unsigned long *arg)
{
    int key = (int)arg[0];
    size_t size = arg[1];
    unsigned flags = (unsigned)arg[2];
    struct segment *segment;
    while (!(segment = key == IPC_PRIVATE ? NULL : segment_by_key(key))) {
        bool create = key == IPC_PRIVATE || (flags & IPC_CREAT);
        int id = create ? segment_create(key, size, flags) : -ENOENT;
        if (id != -EEXIST)
            return id;
    }
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (size > segment->size)
        return -EINVAL;
    int error = segment_permission(segment, flags & SHM_PERMISSIONS);
    return error ? error : segment_id(segment);
}

/* ---- shmat, shmdt ---------------------------------------------------------------------------- */

/* 0 or -EINVAL; the address may be rounded. */
static int check_address(uintptr_t *address, unsigned flags)
{
    const uintptr_t low_bits = QUIRE_PAGE_SIZE - 1;
    if (!*address)
        return flags & SHM_REMAP ? -EINVAL : 0;
    if (*address & low_bits) {
        if (!(flags & SHM_RND))
            return -EINVAL;
        *address &= ~low_bits;
        if (!*address && (flags & SHM_REMAP))
            return -EINVAL;
    }
    return 0;
}

static int64_t map_segment(const struct segment *segment, uintptr_t address, bool fixed,
                           unsigned flags)
{
    unsigned prot = QUIRE_PROT_READ, map_flags = QUIRE_MAP_SHARED;
    if (flags & SHM_RDONLY)
        map_flags |= QUIRE_MAP_NO_WRITE;
    else
        prot |= QUIRE_PROT_WRITE;
    if (flags & SHM_EXEC)
        prot |= QUIRE_PROT_EXEC;
    if (fixed)
        map_flags |= flags & SHM_REMAP ? QUIRE_MAP_FIXED : QUIRE_MAP_FIXED_NOREPLACE;
    int64_t at = quire_mmap(current_process()->mm, address, segment->size, prot, map_flags,
                            segment->mapping, 0);
    return at == -EEXIST ? -EINVAL : at;
}

long sys_shmat(const unsigned long *arg)
{
    uintptr_t address = arg[1];
    unsigned flags = (unsigned)arg[2];
    struct segment *segment;
    uint32_t wanted = flags & SHM_RDONLY ? 0444 : 0666;
    if ((int)arg[0] < 0 || check_address(&address, flags))
        return -EINVAL;
    int error = segment_find((int)arg[0], &segment);
    if (!error)
        error = segment_permission(segment, wanted | (flags & SHM_EXEC ? 0111 : 0));
    if (error)
        return error;
    segment_hold(segment);
    int64_t at = segment->mapping ? map_segment(segment, address, arg[1], flags) : -EINVAL;
    if (at >= 0) {
        segment->attached = now_seconds();
        segment->last = current_process()->pid;
    }
    segment_release(segment);
    return (long)at;
}

/* The first area from *from on that belongs to an attachment at `address`: as far behind it as its
 * place in the segment. With `segment` set, one of that segment's. */
static bool find_area(uintptr_t address, quire_linear_t from, struct segment **segment,
                      struct quire_area *area)
{
    while (!quire_mm_area(current_process()->mm, from, area)) {
        struct segment *owner = segment_of(area->mapping);
        bool fits = area->start >= address && area->start - address == area->offset;
        if (owner && fits && (!*segment || owner == *segment)) {
            *segment = owner;
            return true;
        }
        from = area->end;
    }
    return false;
}

/* What is left of the attachment goes, whatever was mapped into its place. */
long sys_shmdt(const unsigned long *arg)
{
    uintptr_t address = arg[0];
    struct segment *segment = NULL;
    struct quire_area area;
    if (address & (QUIRE_PAGE_SIZE - 1) || !find_area(address, address, &segment, &area))
        return -EINVAL;
    uint64_t end = address + (segment_pages(segment->size) << QUIRE_PAGE_SHIFT);
    int error = 0;
    segment_hold(segment);
    do
        error = quire_munmap(current_process()->mm, area.start, area.end - area.start);
    while (!error && find_area(address, area.end, &segment, &area) && area.end <= end);
    segment->detached = now_seconds();
    segment->last = current_process()->pid;
    segment_release(segment);
    return error;
}

/* ---- shmctl ---------------------------------------------------------------------------------- */

static long info_limits(uintptr_t to)
{
    struct abi_shminfo info = {.max = (unsigned long)shm_limits.bytes,
                               .min = 1,
                               .max_segments = (unsigned long)shm_limits.segments,
                               .max_of_process = (unsigned long)shm_limits.segments,
                               .all = (unsigned long)shm_limits.pages};
    return copy_to_user(to, &info, sizeof info) ? -EFAULT : segment_highest_index();
}

static long info_use(uintptr_t to)
{
    struct abi_shm_info info;
    memset(&info, 0, sizeof info);
    info.nr_segments = (int32_t)shm_segments.count;
    info.pages = (unsigned long)shm_segments.nr_pages;
    list_for_each (at, &shm_segments.list) {
        struct quire_mapping_info use = segment_info(quire_container_of(at, struct segment, link));
        info.resident += use.nr_pages;
        info.swapped += use.nr_swapped;
    }
    return copy_to_user(to, &info, sizeof info) ? -EFAULT : segment_highest_index();
}

static struct abi_shm_time shm_time(int64_t seconds)
{
    struct abi_shm_time time = {.low = (unsigned long)seconds};
#if !defined(__x86_64__)
    time.high = (unsigned long)(seconds >> 32);
#endif
    return time;
}

static long stat_segment(struct segment *segment, bool by_index, uintptr_t to)
{
    struct abi_shmid out;
    int id = segment_id(segment);
    memset(&out, 0, sizeof out);
    out.perm.key = segment->key;
    out.perm.uid = segment->uid;
    out.perm.gid = segment->gid;
    out.perm.cuid = segment->cuid;
    out.perm.cgid = segment->cgid;
    out.perm.mode = segment->mode;
    out.perm.sequence = (uint16_t)segment->sequence;
    out.size = (unsigned long)segment->size;
    out.attached = shm_time(segment->attached);
    out.detached = shm_time(segment->detached);
    out.changed = shm_time(segment->changed);
    out.creator = segment->creator;
    out.last = segment->last;
    out.nr_attached = segment_info(segment).nr_areas;
    if (copy_to_user(to, &out, sizeof out))
        return -EFAULT;
    return by_index ? id : 0;
}

static long set_segment(int id, uintptr_t from)
{
    struct abi_shmid in;
    struct segment *segment;
    if (copy_from_user(&in, from, sizeof in))
        return -EFAULT;
    int error = segment_find(id, &segment);
    if (error)
        return error;
    if (!segment_is_owner(segment))
        return -EPERM;
    if (in.perm.uid == UINT32_MAX || in.perm.gid == UINT32_MAX)
        return -EINVAL;
    segment->uid = in.perm.uid;
    segment->gid = in.perm.gid;
    segment->mode = (segment->mode & ~SHM_PERMISSIONS) | (in.perm.mode & SHM_PERMISSIONS);
    segment->changed = now_seconds();
    return 0;
}

static long remove_segment(struct segment *segment)
{
    if (!segment_is_owner(segment))
        return -EPERM;
    segment_remove(segment);
    shm_reap();
    return 0;
}

/* Noted and told. Segments stay as swappable as they were: the library locks areas, not files. */
static long lock_segment(struct segment *segment, bool lock)
{
    const struct process *process = current_process();
    bool may = caller_can(CAP_IPC_LOCK);
    if (!may && !segment_is_users(segment))
        return -EPERM;
    if (lock && !may && !quire_mm_limit(process->mm, QUIRE_LIMIT_MEMLOCK))
        return -EPERM;
    segment->mode = lock ? segment->mode | SHM_LOCKED : segment->mode & ~SHM_LOCKED;
    return 0;
}

static long stat_by_id(int id, int command, uintptr_t to)
{
    struct segment *segment = NULL;
    int error = 0;
    if (command == IPC_STAT)
        error = segment_find(id, &segment);
    else if (!(segment = segment_at(id)))
        error = -EINVAL;
    if (!error && command != SHM_STAT_ANY)
        error = segment_permission(segment, 0444);
    if (error)
        return error;
    segment_hold(segment);
    long result = stat_segment(segment, command != IPC_STAT, to);
    segment_release(segment);
    return result;
}

static long control_segment(int id, int command)
{
    struct segment *segment;
    int error = segment_find(id, &segment);
    if (error)
        return error;
    return command == IPC_RMID ? remove_segment(segment)
                               : lock_segment(segment, command == SHM_LOCK);
}

long sys_shmctl(const unsigned long *arg)
{
    int id = (int)arg[0], command = (int)arg[1];
    uintptr_t buffer = arg[2];
    if (id < 0 || command < 0)
        return -EINVAL;
    switch (command) {
    case IPC_INFO:
        return info_limits(buffer);
    case SHM_INFO:
        return info_use(buffer);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return stat_by_id(id, command, buffer);
    case IPC_SET:
        return set_segment(id, buffer);
    case IPC_RMID:
    case SHM_LOCK:
    case SHM_UNLOCK:
        return control_segment(id, command);
    default:
        return -EINVAL;
    }
}
