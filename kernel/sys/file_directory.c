/* kernel/sys/file_directory.c: listing directories, the working directory, reading links */
#include "string.h"
#include "sys/abi_file.h"
#include "sys/file_user.h"
#include "task/capability.h"

#define BUFFER_BYTES 4096u

/* ---- getdents -------------------------------------------------------------------------------- */

/* A page of entries at a time on its way to the program. */
struct listing {
    char *buffer;
    size_t used, room; /* of the buffer, and of what the program gave */
    bool wide;         /* getdents64 */
    bool too_small;    /* not even one fits */
};

static size_t align_up(size_t size, size_t to)
{
    return (size + to - 1) & ~(to - 1);
}

static size_t entry_size(const struct listing *listing, unsigned length)
{
    if (listing->wide)
        return align_up(sizeof(struct abi_dirent64) + length + 1, sizeof(uint64_t));
    return align_up(sizeof(struct abi_dirent) + length + 2, sizeof(long)); /* NUL and type */
}

static bool put_entry(void *arg, struct name name, uint64_t number, unsigned type, uint64_t next)
{
    struct listing *listing = arg;
    size_t size = entry_size(listing, name.length);
    if (size > listing->room || size > BUFFER_BYTES - listing->used) {
        listing->too_small |= !listing->used;
        return false;
    }
    char *at = listing->buffer + listing->used, *text;
    __builtin_memset(at, 0, size);
    if (listing->wide) {
        struct abi_dirent64 entry = {number, (int64_t)next, (uint16_t)size, (uint8_t)type};
        __builtin_memcpy(at, &entry, sizeof entry);
        text = at + sizeof entry;
    } else {
        struct abi_dirent entry = {(unsigned long)number, (unsigned long)next, (uint16_t)size};
        __builtin_memcpy(at, &entry, sizeof entry);
        text = at + sizeof entry;
        at[size - 1] = (char)type;
    }
    __builtin_memcpy(text, name.text, name.length);
    listing->used += size;
    listing->room -= size;
    return true;
}

/* What one buffer holds: a program that wants more asks again, and so does this. */
static long list_file(struct file *file, uintptr_t to, size_t room, bool wide)
{
    struct listing listing = {.room = room, .wide = wide};
    long done = 0;
    int error = 0;
    listing.buffer = quire_kmalloc(machine_slab, BUFFER_BYTES, QUIRE_GFP_KERNEL);
    if (!listing.buffer)
        return -ENOMEM;
    do {
        listing.used = 0;
        uint64_t before = file->position;
        error = file_list(file, current->fs->root, put_entry, &listing);
        if (!error && copy_to_user(to + (size_t)done, listing.buffer, listing.used)) {
            file->position = before;
            error = -EFAULT;
        }
        if (!error)
            done += (long)listing.used;
    } while (!error && listing.used);
    quire_kfree(machine_slab, listing.buffer);
    if (!error && !done && listing.too_small)
        error = -EINVAL;
    return done ? done : error;
}

static long list(const unsigned long *arg, bool wide)
{
    struct file *file = user_file(arg[0]);
    if (!file)
        return -EBADF;
    size_t room = arg[2] < INT32_MAX ? arg[2] : INT32_MAX;
    long result = list_file(file, arg[1], room, wide);
    file_put(file);
    return result;
}

long sys_getdents(const unsigned long *arg)
{
    return list(arg, false);
}

long sys_getdents64(const unsigned long *arg)
{
    return list(arg, true);
}

/* ---- the working directory ------------------------------------------------------------------- */

static int check_directory(const struct inode *inode)
{
    if (!inode_is(inode, S_IFDIR))
        return -ENOTDIR;
    return inode_permission(inode, user_credentials(), MAY_EXEC);
}

long sys_chdir(const unsigned long *arg)
{
    struct walk walk;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, arg[0], 0, WALK_FOLLOW | WALK_DIRECTORY);
    if (error)
        return error;
    error = check_directory(walk.inode);
    if (!error)
        fs_context_set_cwd(current->fs, walk.inode);
    walk_end(&walk);
    return error;
}

long sys_fchdir(const unsigned long *arg)
{
    struct file *file = user_file_any(arg[0]);
    if (!file)
        return -EBADF;
    int error = check_directory(file->inode);
    if (!error)
        fs_context_set_cwd(current->fs, file->inode);
    file_put(file);
    return error;
}

long sys_chroot(const unsigned long *arg)
{
    struct walk walk;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, arg[0], 0, WALK_FOLLOW | WALK_DIRECTORY);
    if (error)
        return error;
    error = check_directory(walk.inode);
    if (!error && !caller_can(CAP_SYS_CHROOT))
        error = -EPERM;
    if (!error)
        fs_context_set_root(current->fs, walk.inode);
    walk_end(&walk);
    return error;
}

long sys_getcwd(const unsigned long *arg)
{
    const struct fs_context *fs = current->fs;
    char *path = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    if (!path)
        return -ENOMEM;
    long length = inode_path(fs->cwd, fs->root, true, path, FS_PATH_MAX);
    if (length == -ERANGE)
        length = -ENAMETOOLONG;
    else if (length > 0 && (size_t)length > arg[1])
        length = -ERANGE;
    else if (length > 0 && copy_to_user(arg[0], path, (size_t)length))
        length = -EFAULT;
    quire_kfree(machine_slab, path);
    return length;
}

/* ---- links ----------------------------------------------------------------------------------- */

static int64_t read_link(struct inode *inode, uintptr_t to, size_t room)
{
    char *target = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    if (!target)
        return -ENOMEM;
    room = room < FS_PATH_MAX ? room : FS_PATH_MAX;
    int64_t length = inode_read_link(inode, target, room);
    if (length > 0 && copy_to_user(to, target, (size_t)length))
        length = -EFAULT;
    quire_kfree(machine_slab, target);
    return length;
}

static long read_link_at(unsigned long directory, uintptr_t text, uintptr_t to, int room)
{
    struct walk walk;
    if (room <= 0)
        return -EINVAL;
    int error = user_walk(&walk, directory, text, AT_EMPTY_PATH, 0);
    if (error)
        return error;
    int64_t length = read_link(walk.inode, to, (size_t)room);
    walk_end(&walk);
    return (long)length;
}

long sys_readlink(const unsigned long *arg)
{
    return read_link_at((unsigned long)AT_FDCWD, arg[0], arg[1], (int)arg[2]);
}

long sys_readlinkat(const unsigned long *arg)
{
    return read_link_at(arg[0], arg[1], arg[2], (int)arg[3]);
}
