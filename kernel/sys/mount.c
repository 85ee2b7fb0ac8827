/* kernel/sys/mount.c: mount(2) of tmpfs, and umount(2)
 *
 * Of options there are the root directory's mode and owner. What isn't obeyed is refused: a size,
 * read-only mounts, binding and the like.
 */
#include "fs/mount.h"

#include "errno.h"
#include "string.h"
#include "sys/file_user.h"
#include "task/capability.h"

#define MS_SILENT 0x8000ul
#define MS_RELATIME 0x200000ul
#define MS_MAGIC 0xc0ed0000ul /* of old programs; means nothing */
#define MS_MAGIC_MASK 0xffff0000ul

#define MNT_FORCE 1u
#define MNT_DETACH 2u
#define UMOUNT_NOFOLLOW 8u

#define NAME_BYTES 64u

/* A number in octal or decimal that is all of the text. */
static bool parse(const char *text, size_t size, unsigned base, uint32_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)text[i] - '0';
        value = value * base + digit;
        if (digit >= base || value > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)value;
    return size > 0;
}

static bool parse_option(const char *text, size_t size, struct mount_options *options)
{
    size_t name = 0;
    while (name < size && text[name] != '=')
        name++;
    if (name == size)
        return false;
    const char *value = text + name + 1;
    const size_t value_size = size - name - 1;
    if (name == 4 && !memcmp(text, "mode", 4))
        return parse(value, value_size, 8, &options->mode) && options->mode <= 07777;
    if (name == 3 && !memcmp(text, "uid", 3))
        return parse(value, value_size, 10, &options->uid);
    return name == 3 && !memcmp(text, "gid", 3) && parse(value, value_size, 10, &options->gid);
}

/* "mode=755,uid=1000" */
static bool parse_options(const char *text, struct mount_options *options)
{
    while (*text) {
        size_t size = 0;
        while (text[size] && text[size] != ',')
            size++;
        if (size && !parse_option(text, size, options))
            return false;
        text += size + (text[size] == ',');
    }
    return true;
}

/* -EFAULT, -EINVAL: too long. At 0 is nothing. */
static int short_text(char *to, size_t size, uintptr_t from)
{
    *to = '\0';
    if (!from)
        return 0;
    int length = string_from_user(to, from, size);
    return length < 0 ? length : (size_t)length >= size ? -EINVAL : 0;
}

static int mount_at(uintptr_t target, const char *source, const struct mount_options *options)
{
    struct walk walk;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, target, 0, WALK_FOLLOW);
    if (error)
        return error;
    error = fs_mount(walk.inode, source, options);
    walk_end(&walk);
    return error;
}

/* mount(source, target, type, flags, data) */
long sys_mount(const unsigned long *arg)
{
    char type[NAME_BYTES], source[NAME_BYTES], data[2 * NAME_BYTES];
    const struct credentials *who = user_credentials();
    struct mount_options options = {.mode = 01777, .uid = who->euid, .gid = who->egid};
    unsigned long flags = arg[3];
    if ((flags & MS_MAGIC_MASK) == MS_MAGIC)
        flags &= ~MS_MAGIC_MASK;
    int error = short_text(type, sizeof type, arg[2]);
    if (!error)
        error = short_text(source, sizeof source, arg[0]);
    if (!error)
        error = short_text(data, sizeof data, arg[4]);
    if (error)
        return error;
    if (!credentials_can(who, CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & ~(MS_SILENT | MS_RELATIME))
        return -EINVAL;
    if (!string_equal(type, "tmpfs"))
        return -ENODEV;
    if (!parse_options(data, &options))
        return -EINVAL;
    return mount_at(arg[1], *source ? source : "none", &options);
}

/* What is used stays, whatever the flags. */
long sys_umount2(const unsigned long *arg)
{
    struct walk walk;
    unsigned flags = (unsigned)arg[1];
    if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
        return -EINVAL;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, arg[0], 0,
                          flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW);
    if (error)
        return error;
    struct inode *on = caller_can(CAP_SYS_ADMIN) ? inode_get(walk.inode) : NULL;
    walk_end(&walk);
    return on ? fs_unmount(on) : -EPERM;
}

#if !defined(__x86_64__)
long sys_umount(const unsigned long *arg)
{
    const unsigned long with_flags[2] = {arg[0], 0};
    return sys_umount2(with_flags);
}
#endif
