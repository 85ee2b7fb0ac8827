/* kernel/sys/file_stat.c: stat(2), statx(2), statfs(2) */
#include "memory.h"
#include "sys/abi_file.h"
#include "sys/file_user.h"

/* ---- whose attributes ------------------------------------------------------------------------ */

/* By path, or with AT_EMPTY_PATH and an empty one by descriptor. */
static int attributes_at(struct attributes *attributes, unsigned long directory, uintptr_t text,
                         unsigned flags)
{
    struct walk walk;
    unsigned follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
    int error = user_walk(&walk, directory, text, flags, follow);
    if (error)
        return error;
    inode_attributes(walk.inode, attributes);
    walk_end(&walk);
    return 0;
}

static int attributes_of_file(struct attributes *attributes, unsigned long fd)
{
    struct file *file = user_file_any(fd);
    if (!file)
        return -EBADF;
    inode_attributes(file->inode, attributes);
    file_put(file);
    return 0;
}

/* ---- stat ------------------------------------------------------------------------------------ */

static struct abi_file_time time_of(struct fs_time time)
{
    return (struct abi_file_time){(unsigned long)time.seconds, time.nanoseconds};
}

static long put_stat(uintptr_t to, const struct attributes *a)
{
    struct abi_stat stat = {
        .device = a->device,
        .number = a->number,
        .nlink = a->nlink,
        .mode = a->mode,
        .uid = a->uid,
        .gid = a->gid,
        .rdev = a->rdev,
        .size = (int64_t)a->size,
        .block_size = a->block_size,
        .blocks = (int64_t)a->blocks,
        .accessed = time_of(a->accessed),
        .modified = time_of(a->modified),
        .changed = time_of(a->changed),
    };
#if !defined(__x86_64__)
    stat.old_number = (uint32_t)a->number;
#endif
    return copy_to_user(to, &stat, sizeof stat);
}

static long stat_at(unsigned long directory, uintptr_t text, uintptr_t to, unsigned long flags)
{
    struct attributes attributes;
    if (flags & ~(unsigned long)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    int error = attributes_at(&attributes, directory, text, (unsigned)flags);
    return error ? error : put_stat(to, &attributes);
}

static long stat_file(unsigned long fd, uintptr_t to)
{
    struct attributes attributes;
    int error = attributes_of_file(&attributes, fd);
    return error ? error : put_stat(to, &attributes);
}

#if defined(__x86_64__)
long sys_stat(const unsigned long *arg)
{
    return stat_at((unsigned long)AT_FDCWD, arg[0], arg[1], 0);
}

long sys_lstat(const unsigned long *arg)
{
    return stat_at((unsigned long)AT_FDCWD, arg[0], arg[1], AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(const unsigned long *arg)
{
    return stat_file(arg[0], arg[1]);
}

long sys_newfstatat(const unsigned long *arg)
{
    return stat_at(arg[0], arg[1], arg[2], arg[3]);
}
#else
long sys_stat64(const unsigned long *arg)
{
    return stat_at((unsigned long)AT_FDCWD, arg[0], arg[1], 0);
}

long sys_lstat64(const unsigned long *arg)
{
    return stat_at((unsigned long)AT_FDCWD, arg[0], arg[1], AT_SYMLINK_NOFOLLOW);
}

long sys_fstat64(const unsigned long *arg)
{
    return stat_file(arg[0], arg[1]);
}

long sys_fstatat64(const unsigned long *arg)
{
    return stat_at(arg[0], arg[1], arg[2], arg[3]);
}
#endif

/* ---- statx ----------------------------------------------------------------------------------- */

#define STATX_BASIC_STATS 0x07ffu
#define STATX_BTIME 0x0800u
#define STATX_RESERVED 0x80000000u

static struct abi_statx_time statx_time_of(struct fs_time time)
{
    return (struct abi_statx_time){time.seconds, time.nanoseconds, 0};
}

static uint32_t major_of(uint64_t device)
{
    return (uint32_t)(device >> 8 & 0xfff);
}

static uint32_t minor_of(uint64_t device)
{
    return (uint32_t)((device & 0xff) | (device >> 12 & 0xfff00));
}

static long put_statx(uintptr_t to, const struct attributes *a)
{
    struct abi_statx statx = {
        .mask = STATX_BASIC_STATS | STATX_BTIME,
        .block_size = a->block_size,
        .nlink = a->nlink,
        .uid = a->uid,
        .gid = a->gid,
        .mode = (uint16_t)a->mode,
        .number = a->number,
        .size = a->size,
        .blocks = a->blocks,
        .accessed = statx_time_of(a->accessed),
        .born = statx_time_of(a->born),
        .changed = statx_time_of(a->changed),
        .modified = statx_time_of(a->modified),
        .rdev_major = major_of(a->rdev),
        .rdev_minor = minor_of(a->rdev),
        .device_major = major_of(a->device),
        .device_minor = minor_of(a->device),
    };
    return copy_to_user(to, &statx, sizeof statx);
}

long sys_statx(const unsigned long *arg)
{
    struct attributes attributes;
    unsigned flags = (unsigned)arg[2];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || arg[3] & STATX_RESERVED)
        return -EINVAL;
    int error = attributes_at(&attributes, arg[0], arg[1], flags);
    return error ? error : put_statx(arg[4], &attributes);
}

/* ---- statfs ---------------------------------------------------------------------------------- */

#define ST_VALID 0x20u
#define ST_RELATIME 0x1000u
#define PROC_MAGIC 0x9fa0u

/* As a tmpfs of half the memory and swap, or of what it has when that is more; /proc has no size.
 * What is free may be in use by others: then it isn't available. */
static void fill_statfs(struct abi_statfs64 *statfs, const struct volume *volume)
{
    bool sized = volume->magic != PROC_MAGIC;
    const struct memory_swap swap = memory_swap();
    uint64_t half = (quire_nr_managed_pages(machine_mem) + swap.total) / 2;
    uint64_t used = volume->nr_pages;
    uint64_t blocks = !sized ? 0 : half > used ? half : used;
    uint64_t free = sized ? blocks - used : 0,
             available = quire_nr_free_pages(machine_mem) + swap.free;
    available = available < free ? available : free;
    *statfs = (struct abi_statfs64){
        .type = volume->magic,
        .block_size = QUIRE_PAGE_SIZE,
        .blocks = blocks,
        .free = free,
        .available = available,
        .files = blocks,
        .free_files = free,
        .id = {(int32_t)volume->minor, 0},
        .name_max = FS_NAME_MAX,
        .fragment_size = QUIRE_PAGE_SIZE,
        .flags = ST_VALID | ST_RELATIME,
    };
}

static long put_statfs(uintptr_t to, const struct volume *volume)
{
    struct abi_statfs64 wide;
    fill_statfs(&wide, volume);
    struct abi_statfs statfs = {
        .type = wide.type,
        .block_size = wide.block_size,
        .blocks = (unsigned long)wide.blocks,
        .free = (unsigned long)wide.free,
        .available = (unsigned long)wide.available,
        .files = (unsigned long)wide.files,
        .free_files = (unsigned long)wide.free_files,
        .id = {wide.id[0], wide.id[1]},
        .name_max = wide.name_max,
        .fragment_size = wide.fragment_size,
        .flags = wide.flags,
    };
    return copy_to_user(to, &statfs, sizeof statfs);
}

typedef long put_fn(uintptr_t to, const struct volume *volume);

static long statfs_path(uintptr_t text, uintptr_t to, put_fn *put)
{
    struct walk walk;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, text, 0, WALK_FOLLOW);
    if (error)
        return error;
    long result = put(to, walk.inode->volume);
    walk_end(&walk);
    return result;
}

static long statfs_file(unsigned long fd, uintptr_t to, put_fn *put)
{
    struct file *file = user_file_any(fd);
    if (!file)
        return -EBADF;
    long result = put(to, file->inode->volume);
    file_put(file);
    return result;
}

long sys_statfs(const unsigned long *arg)
{
    return statfs_path(arg[0], arg[1], put_statfs);
}

long sys_fstatfs(const unsigned long *arg)
{
    return statfs_file(arg[0], arg[1], put_statfs);
}

#if !defined(__x86_64__)
static long put_statfs64(uintptr_t to, const struct volume *volume)
{
    struct abi_statfs64 statfs;
    fill_statfs(&statfs, volume);
    return copy_to_user(to, &statfs, sizeof statfs);
}

long sys_statfs64(const unsigned long *arg)
{
    if (arg[1] != sizeof(struct abi_statfs64))
        return -EINVAL;
    return statfs_path(arg[0], arg[2], put_statfs64);
}

long sys_fstatfs64(const unsigned long *arg)
{
    if (arg[1] != sizeof(struct abi_statfs64))
        return -EINVAL;
    return statfs_file(arg[0], arg[2], put_statfs64);
}
#endif
