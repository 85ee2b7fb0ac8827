/* kernel/fs/xattr.c: extended attributes of files in memory
 *
 * A list for each inode, by name, the last one first, as Linux tells them. There are the kinds that
 * Linux's tmpfs has: user.*, of files and directories, by their permissions; trusted.* and
 * security.*, which root sets.
 *
 *   bound   all of them together take at most one in MEMORY_SHARE of memory
 */
#include "fs/xattr.h"

#include "memory.h"
#include "string.h"

#define TMPFS_MAGIC 0x01021994u
#define MEMORY_SHARE 16u

static uint64_t bytes_used;

struct xattr {
    struct xattr *next;
    size_t size;
    char *name; /* behind the value */
    char value[];
};

enum kind { USER, TRUSTED, SECURITY, NR_KINDS };

static bool begins_with(const char *text, const char *with)
{
    while (*with && *text == *with)
        text++, with++;
    return !*with;
}

static int compare(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (unsigned char)*a - (unsigned char)*b;
}

/* enum kind, or an error. */
static int kind_of(const struct inode *inode, const char *name)
{
    static const char *const prefix[NR_KINDS] = {"user.", "trusted.", "security."};
    if (inode->volume->magic != TMPFS_MAGIC)
        return -EOPNOTSUPP;
    for (int kind = 0; kind < NR_KINDS; kind++)
        if (begins_with(name, prefix[kind]))
            return name[string_length(prefix[kind])] ? kind : -EINVAL;
    return -EOPNOTSUPP;
}

/* The kind, or why not. */
static int check(const struct inode *inode, const struct credentials *who, const char *name,
                 bool writes)
{
    int kind = kind_of(inode, name), error = 0;
    bool plain = inode_is(inode, S_IFREG) || inode_is(inode, S_IFDIR);
    const bool is_admin = credentials_can(who, CAP_SYS_ADMIN);
    if (kind == TRUSTED && !is_admin)
        error = writes ? -EPERM : -ENODATA;
    else if (kind == SECURITY && writes && !is_admin)
        error = -EPERM;
    else if (kind == USER && !plain)
        error = writes ? -EPERM : -ENODATA;
    else if (kind == USER && writes && inode_is(inode, S_IFDIR) && inode->mode & S_ISVTX &&
             !credentials_can(who, CAP_FOWNER) && who->euid != inode->uid)
        error = -EPERM;
    else if (kind == USER)
        error = inode_permission(inode, who, writes ? MAY_WRITE : MAY_READ);
    return error ? error : kind;
}

/* Where it is, or would be. */
static struct xattr **find(struct inode *inode, const char *name)
{
    struct xattr **at = &inode->xattrs;
    while (*at && compare((*at)->name, name) > 0)
        at = &(*at)->next;
    return at;
}

static bool is_at(struct xattr *const *at, const char *name)
{
    return *at && !compare((*at)->name, name);
}

int64_t xattr_get(struct inode *inode, const struct credentials *who, const char *name, void *to,
                  size_t size)
{
    int kind = check(inode, who, name, false);
    if (kind < 0)
        return kind;
    struct xattr **at = find(inode, name);
    if (!is_at(at, name))
        return -ENODATA;
    if (size && size < (*at)->size)
        return -ERANGE;
    if (size)
        __builtin_memcpy(to, (*at)->value, (*at)->size);
    return (int64_t)(*at)->size;
}

/* As the slab counts it, more or less. */
static size_t bytes_of(const struct xattr *xattr)
{
    return sizeof *xattr + xattr->size + string_length(xattr->name) + 1;
}

static bool are_too_many(void)
{
    uint64_t all = (uint64_t)quire_nr_managed_pages(machine_mem) << QUIRE_PAGE_SHIFT;
    return bytes_used > all / MEMORY_SHARE;
}

static void drop(struct xattr *xattr)
{
    if (!xattr)
        return;
    bytes_used -= bytes_of(xattr);
    quire_kfree(machine_slab, xattr);
}

/* Counted from the beginning, so that many who make some at once have no more than there may be. */
static struct xattr *make(const char *name, const void *value, size_t size)
{
    size_t length = string_length(name) + 1;
    struct xattr *made =
        quire_kmalloc(machine_slab, sizeof *made + size + length, QUIRE_GFP_KERNEL);
    if (!made)
        return NULL;
    bytes_used += sizeof *made + size + length;
    *made = (struct xattr){.size = size, .name = made->value + size};
    __builtin_memcpy(made->value, value, size);
    __builtin_memcpy(made->name, name, length);
    return made;
}

int xattr_set(struct inode *inode, const struct credentials *who, const char *name,
              const void *value, size_t size, int flags)
{
    int kind = check(inode, who, name, true);
    if (kind < 0)
        return kind;
    struct xattr *made = make(name, value, size);
    if (!made)
        return -ENOMEM;
    if (are_too_many()) {
        drop(made);
        return -ENOSPC;
    }
    struct xattr **at = find(inode, name);
    bool there = is_at(at, name);
    if (there ? flags & XATTR_CREATE : flags & XATTR_REPLACE) {
        drop(made);
        return there ? -EEXIST : -ENODATA;
    }
    struct xattr *before = there ? *at : NULL;
    made->next = there ? before->next : *at;
    *at = made;
    inode->changed = fs_time_now();
    drop(before);
    return 0;
}

int xattr_remove(struct inode *inode, const struct credentials *who, const char *name)
{
    int kind = check(inode, who, name, true);
    if (kind < 0)
        return kind;
    struct xattr **at = find(inode, name);
    if (!is_at(at, name))
        return -ENODATA;
    struct xattr *gone = *at;
    *at = gone->next;
    inode->changed = fs_time_now();
    drop(gone);
    return 0;
}

int64_t xattr_list(struct inode *inode, const struct credentials *who, char *to, size_t size)
{
    size_t all = 0;
    for (const struct xattr *at = inode->xattrs; at; at = at->next) {
        size_t length = string_length(at->name) + 1;
        if (!credentials_can(who, CAP_SYS_ADMIN) && kind_of(inode, at->name) == TRUSTED)
            continue;
        if (size && size - all < length)
            return -ERANGE;
        if (size)
            __builtin_memcpy(to + all, at->name, length);
        all += length;
    }
    return (int64_t)all;
}

void xattr_free(struct inode *inode)
{
    while (inode->xattrs) {
        struct xattr *first = inode->xattrs;
        inode->xattrs = first->next;
        drop(first);
    }
}
