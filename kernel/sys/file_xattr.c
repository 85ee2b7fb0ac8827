/* kernel/sys/file_xattr.c: setxattr(2) and its relatives: by path, by path without following, and
 * by descriptor
 */
#include <quire/vmalloc.h>

#include "fs/xattr.h"
#include "memory.h"
#include "sys/file_user.h"

#define LIST_MAX 65536u

enum way { FOLLOW, NO_FOLLOW, DESCRIPTOR };

/* A reference to the file that the first argument names. */
static int find(struct inode **inode, unsigned long arg, enum way way)
{
    struct walk walk;
    if (way == DESCRIPTOR) {
        struct file *file = user_file(arg);
        *inode = file ? inode_get(file->inode) : NULL;
        file_put(file);
        return *inode ? 0 : -EBADF;
    }
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, arg, 0, way == FOLLOW ? WALK_FOLLOW : 0);
    if (error)
        return error;
    *inode = inode_get(walk.inode);
    walk_end(&walk);
    return 0;
}

static int name_from_user(char name[XATTR_NAME_MAX + 1], uintptr_t at)
{
    int length = string_from_user(name, at, XATTR_NAME_MAX + 1);
    return length == -ENAMETOOLONG || !length ? -ERANGE : length < 0 ? length : 0;
}

/* set(file, name, value, size, flags). */
static long set(const unsigned long *arg, enum way way)
{
    char name[XATTR_NAME_MAX + 1];
    struct inode *inode = NULL;
    size_t size = arg[3];
    if ((unsigned)arg[4] & ~(unsigned)(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    int error = name_from_user(name, arg[1]);
    if (!error && size > XATTR_SIZE_MAX)
        error = -E2BIG;
    if (error)
        return error;
    char *value = quire_kvmalloc(machine_vmalloc, size ? size : 1, QUIRE_GFP_KERNEL);
    error = !value ? -ENOMEM : size ? copy_from_user(value, arg[2], size) : 0;
    if (!error)
        error = find(&inode, arg[0], way);
    if (!error)
        error = xattr_set(inode, user_credentials(), name, value, size, (int)arg[4]);
    inode_put(inode);
    quire_kvfree(machine_vmalloc, value);
    return error;
}

/* What fills a buffer for the program: a value, or the list of names. */
static long fill(struct inode *inode, const char *name, uintptr_t to, size_t size, size_t most)
{
    size_t room = size < most ? size : most;
    char *buffer = room ? quire_kvmalloc(machine_vmalloc, room, QUIRE_GFP_KERNEL) : NULL;
    if (room && !buffer)
        return -ENOMEM;
    int64_t got = name ? xattr_get(inode, user_credentials(), name, buffer, room)
                       : xattr_list(inode, user_credentials(), buffer, room);
    if (got > 0 && room && copy_to_user(to, buffer, (size_t)got))
        got = -EFAULT;
    quire_kvfree(machine_vmalloc, buffer);
    return (long)got;
}

/* get(file, name, value, size). */
static long get(const unsigned long *arg, enum way way)
{
    char name[XATTR_NAME_MAX + 1];
    struct inode *inode;
    int error = name_from_user(name, arg[1]);
    if (!error)
        error = find(&inode, arg[0], way);
    if (error)
        return error;
    long result = fill(inode, name, arg[2], arg[3], XATTR_SIZE_MAX);
    inode_put(inode);
    return result;
}

/* list(file, names, size). */
static long list(const unsigned long *arg, enum way way)
{
    struct inode *inode;
    int error = find(&inode, arg[0], way);
    if (error)
        return error;
    long result = fill(inode, NULL, arg[1], arg[2], LIST_MAX);
    inode_put(inode);
    return result;
}

/* remove(file, name). */
static long take_away(const unsigned long *arg, enum way way)
{
    char name[XATTR_NAME_MAX + 1];
    struct inode *inode;
    int error = name_from_user(name, arg[1]);
    if (!error)
        error = find(&inode, arg[0], way);
    if (error)
        return error;
    error = xattr_remove(inode, user_credentials(), name);
    inode_put(inode);
    return error;
}

long sys_setxattr(const unsigned long *arg)
{
    return set(arg, FOLLOW);
}

long sys_lsetxattr(const unsigned long *arg)
{
    return set(arg, NO_FOLLOW);
}

long sys_fsetxattr(const unsigned long *arg)
{
    return set(arg, DESCRIPTOR);
}

long sys_getxattr(const unsigned long *arg)
{
    return get(arg, FOLLOW);
}

long sys_lgetxattr(const unsigned long *arg)
{
    return get(arg, NO_FOLLOW);
}

long sys_fgetxattr(const unsigned long *arg)
{
    return get(arg, DESCRIPTOR);
}

long sys_listxattr(const unsigned long *arg)
{
    return list(arg, FOLLOW);
}

long sys_llistxattr(const unsigned long *arg)
{
    return list(arg, NO_FOLLOW);
}

long sys_flistxattr(const unsigned long *arg)
{
    return list(arg, DESCRIPTOR);
}

long sys_removexattr(const unsigned long *arg)
{
    return take_away(arg, FOLLOW);
}

long sys_lremovexattr(const unsigned long *arg)
{
    return take_away(arg, NO_FOLLOW);
}

long sys_fremovexattr(const unsigned long *arg)
{
    return take_away(arg, DESCRIPTOR);
}
