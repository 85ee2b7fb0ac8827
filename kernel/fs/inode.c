/* kernel/fs/inode.c: references, permissions, attributes and paths of inodes */
#include "fs/inode.h"

#include <quire/port.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "fs/pipe.h"
#include "fs/ramfs.h"
#include "fs/xattr.h"
#include "string.h"
#include "time_units.h"

uint64_t (*fs_clock_ns)(void);

struct fs_time fs_time_of_ns(uint64_t ns)
{
    uint64_t seconds = quire_div64(ns, NS_PER_SECOND);
    return (struct fs_time){(int64_t)seconds, (uint32_t)(ns - seconds * NS_PER_SECOND)};
}

struct fs_time fs_time_now(void)
{
    return fs_time_of_ns(fs_clock_ns ? fs_clock_ns() : quire_port_clock_ns());
}

/* ---- references ------------------------------------------------------------------------------ */

struct inode *inode_new(struct volume *volume, const struct inode_ops *ops, uint32_t mode,
                        const struct credentials *who)
{
    struct inode *inode = quire_kzalloc(machine_slab, sizeof *inode, QUIRE_GFP_KERNEL);
    if (!inode)
        return NULL;
    inode->refs = 1;
    inode->mode = mode;
    inode->uid = who->euid;
    inode->gid = who->egid;
    inode->volume = volume;
    volume->nr_inodes++;
    inode->number = ++volume->last_number;
    inode->ops = ops;
    inode->accessed = inode->modified = inode->changed = inode->born = fs_time_now();
    list_init(&inode->locks);
    return inode;
}

struct inode *inode_new_generated(struct volume *volume, const struct inode_ops *ops, uint32_t mode,
                                  struct inode *parent, struct name name)
{
    static const struct credentials root;
    struct entry *entry = quire_kzalloc(machine_slab, sizeof *entry, QUIRE_GFP_KERNEL);
    char *text = string_copy(name.text, name.length);
    struct inode *inode = entry && text ? inode_new(volume, ops, mode, &root) : NULL;
    if (!inode) {
        quire_kfree(machine_slab, text);
        quire_kfree(machine_slab, entry);
        return NULL;
    }
    *entry = (struct entry){
        .linked = true,
        .with_inode = true,
        .parent = inode_get(parent),
        .inode = inode,
        .length = name.length,
        .name = text,
    };
    inode->nlink = mode & S_IFDIR ? 2 : 1;
    inode->entry = entry;
    return inode;
}

struct inode *inode_get(struct inode *inode)
{
    inode->refs++;
    return inode;
}

static void free_entry(struct entry *entry)
{
    quire_kfree(machine_slab, entry->name);
    quire_kfree(machine_slab, entry);
}

/* Frees what has no reference left; the parent of a generated one, to be put, or NULL. */
static struct inode *free_inode(struct inode *inode)
{
    struct inode *parent = NULL;
    if (inode->entry && inode->entry->with_inode) {
        parent = inode->entry->parent;
        free_entry(inode->entry);
    }
    if (inode->ops->release)
        inode->ops->release(inode);
    xattr_free(inode);
    inode->volume->nr_inodes--;
    quire_kfree(machine_slab, inode);
    return parent;
}

/* A loop, since the parents of what is put may go, too. */
void inode_put(struct inode *inode)
{
    while (inode) {
        QUIRE_BUG_ON(!inode->refs);
        inode = --inode->refs ? NULL : free_inode(inode);
    }
}

struct entry *entry_get(struct entry *entry)
{
    if (entry->with_inode)
        (void)inode_get(entry->inode);
    else
        entry->refs++;
    return entry;
}

void entry_put(struct entry *entry)
{
    if (entry && entry->with_inode) {
        inode_put(entry->inode);
        return;
    }
    QUIRE_BUG_ON(entry && !entry->refs);
    if (!entry || --entry->refs)
        return;
    struct inode *parent = entry->parent, *inode = entry->inode;
    if (inode->entry == entry) {
        entry->with_inode = true; /* goes, with its hold on the parent, when the inode does */
        inode_put(inode);
        return;
    }
    free_entry(entry);
    inode_put(inode);
    inode_put(parent);
}

void inode_lock(struct inode *inode)
{
    for (;;) {
        uint32_t seen = event_read(&inode->free);
        if (!inode->busy)
            break;
        event_wait_uninterruptible(&inode->free, seen);
    }
    inode->busy = true;
}

void inode_unlock(struct inode *inode)
{
    inode->busy = false;
    event_signal(&inode->free);
}

int inode_write_begin(struct inode *inode)
{
    if (inode->runners)
        return -ETXTBSY;
    inode->writers++;
    return 0;
}

void inode_write_end(struct inode *inode)
{
    QUIRE_BUG_ON(!inode->writers);
    inode->writers--;
}

int inode_run_begin(struct inode *inode)
{
    if (inode->writers)
        return -ETXTBSY;
    inode->runners++;
    return 0;
}

void inode_run_end(struct inode *inode)
{
    QUIRE_BUG_ON(!inode->runners);
    inode->runners--;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* In spite of the file's mode: all but to run what nobody may run. */
static bool may_override(const struct inode *inode, const struct credentials *who, unsigned may)
{
    const bool is_directory = inode_is(inode, S_IFDIR), runs = is_directory || inode->mode & 0111;
    const unsigned searching = is_directory ? MAY_READ | MAY_EXEC : MAY_READ;
    if (!(may & ~searching & 7) && credentials_can(who, CAP_DAC_READ_SEARCH))
        return true;
    return (!(may & MAY_EXEC) || runs) && credentials_can(who, CAP_DAC_OVERRIDE);
}

int inode_permission(const struct inode *inode, const struct credentials *who, unsigned may)
{
    uint32_t mode = inode->mode;
    if (!who->lacks) /* most often: groups needn't be looked for */
        return may_override(inode, who, may) ? 0 : -EACCES;
    if (who->euid == inode->uid)
        mode >>= 6;
    else if (credentials_in_group(who, inode->gid))
        mode >>= 3;
    return may & ~mode & 7 && !may_override(inode, who, may) ? -EACCES : 0;
}

static bool owns(const struct inode *inode, const struct credentials *who)
{
    return credentials_can(who, CAP_FOWNER) || who->euid == inode->uid;
}

int inode_chmod(struct inode *inode, const struct credentials *who, uint32_t mode)
{
    if (!owns(inode, who))
        return -EPERM;
    if (!credentials_can(who, CAP_FSETID) && !credentials_in_group(who, inode->gid) &&
        !inode_is(inode, S_IFDIR))
        mode &= ~S_ISGID;
    if (ramfile_seals(inode) & F_SEAL_EXEC && (inode->mode ^ mode) & 0111)
        return -EPERM;
    inode->mode = (inode->mode & S_IFMT) | (mode & S_PERMISSIONS);
    inode->changed = fs_time_now();
    return 0;
}

void inode_written_by(struct inode *inode, const struct credentials *who)
{
    if (quire_likely(!(inode->mode & (S_ISUID | S_ISGID))) || !inode_is(inode, S_IFREG) ||
        credentials_can(who, CAP_FSETID))
        return;
    if (inode->mode & 010 || !credentials_in_group(who, inode->gid))
        inode->mode &= ~S_ISGID;
    inode->mode &= ~S_ISUID;
}

int inode_chown(struct inode *inode, const struct credentials *who, uint32_t uid, uint32_t gid)
{
    bool same_uid = uid == UINT32_MAX || uid == inode->uid;
    bool own_gid = gid == UINT32_MAX || gid == inode->gid || credentials_in_group(who, gid);
    if (!credentials_can(who, CAP_CHOWN) && !(who->euid == inode->uid && same_uid && own_gid))
        return -EPERM;
    if (uid != UINT32_MAX)
        inode->uid = uid;
    if (gid != UINT32_MAX)
        inode->gid = gid;
    if (!inode_is(inode, S_IFDIR)) {
        inode->mode &= ~S_ISUID;
        if (inode->mode & 010)
            inode->mode &= ~S_ISGID;
    }
    inode->changed = fs_time_now();
    return 0;
}

int inode_set_times(struct inode *inode, const struct credentials *who,
                    const struct fs_time *accessed, const struct fs_time *modified, bool now)
{
    if (!owns(inode, who) && !now)
        return -EPERM;
    if (!owns(inode, who) && inode_permission(inode, who, MAY_WRITE))
        return -EACCES;
    if (accessed)
        inode->accessed = *accessed;
    if (modified)
        inode->modified = *modified;
    inode->changed = fs_time_now();
    return 0;
}

void inode_touch(struct inode *inode)
{
    inode->modified = inode->changed = fs_time_now();
}

static bool before(const struct fs_time *a, const struct fs_time *b)
{
    return a->seconds < b->seconds || (a->seconds == b->seconds && a->nanoseconds < b->nanoseconds);
}

/* Linux's relatime: only if nobody has looked since the last change, or for a day. */
void inode_accessed(struct inode *inode)
{
    struct fs_time now = fs_time_now();
    if (!before(&inode->modified, &inode->accessed) || !before(&inode->changed, &inode->accessed) ||
        now.seconds - inode->accessed.seconds >= 24 * 3600)
        inode->accessed = now;
}

void inode_attributes(struct inode *inode, struct attributes *attributes)
{
    if (inode->ops->refresh)
        inode->ops->refresh(inode);
    *attributes = (struct attributes){
        .device = inode->volume->minor, /* of major 0 */
        .number = inode->number,
        .rdev = inode->device,
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .block_size = inode->volume->block_size ? inode->volume->block_size : QUIRE_PAGE_SIZE,
        .accessed = inode->accessed,
        .modified = inode->modified,
        .changed = inode->changed,
        .born = inode->born,
    };
    ramfs_size(inode, &attributes->size, &attributes->blocks);
}

int64_t inode_read_link(struct inode *inode, char *to, size_t size)
{
    if (!inode_is(inode, S_IFLNK))
        return -EINVAL;
    if (inode->ops->read_link)
        return inode->ops->read_link(inode, to, size);
    size_t length = string_length(inode->target);
    if (length > size)
        length = size;
    __builtin_memcpy(to, inode->target, length);
    return (int64_t)length;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* A path that is written from its end. */
struct backwards {
    char *start, *at;
};

static bool prepend(struct backwards *path, const char *text, size_t length)
{
    if ((size_t)(path->at - path->start) < length)
        return false;
    path->at -= length;
    __builtin_memcpy(path->at, text, length);
    return true;
}

static bool prepend_entry(struct backwards *path, const struct entry *entry)
{
    return prepend(path, entry->name, entry->length) && prepend(path, "/", 1);
}

/* "/a/b", and "" for the root itself. Nothing sleeps on the way up. */
static bool prepend_directories(struct backwards *path, const struct inode *directory,
                                const struct inode *root, bool *linked)
{
    const struct entry *entry;
    for (; directory != root && (entry = directory->entry); directory = entry->parent) {
        *linked = *linked && entry->linked;
        if (!prepend_entry(path, entry))
            return false;
    }
    /* The only one without an entry that is linked is the tree's root. */
    if (root && directory != root && directory->nlink)
        return prepend(path, "(unreachable)", 13);
    *linked = *linked && directory->nlink;
    return true;
}

static int finish(const struct backwards *path, char *to, size_t size)
{
    size_t length = size - (size_t)(path->at - path->start);
    __builtin_memmove(to, path->at, length);
    return (int)length;
}

int inode_path(struct inode *directory, const struct inode *root, bool must_exist, char *to,
               size_t size)
{
    struct backwards path = {to, to + size};
    bool linked = true;
    if (!prepend(&path, "", 1) || !prepend_directories(&path, directory, root, &linked))
        return -ERANGE;
    if (!linked && must_exist)
        return -ENOENT;
    if (!*path.at && !prepend(&path, "/", 1))
        return -ERANGE;
    if (!linked) {
        path = (struct backwards){to, to + size};
        if (!prepend(&path, " (deleted)", 11) ||
            !prepend_directories(&path, directory, root, &linked))
            return -ERANGE;
    }
    return finish(&path, to, size);
}

int entry_path(struct entry *entry, const struct inode *root, char *to, size_t size)
{
    struct backwards path = {to, to + size};
    bool linked = entry->linked;
    bool fits = linked ? prepend(&path, "", 1) : prepend(&path, " (deleted)", 11);
    fits = fits && prepend_entry(&path, entry);
    if (!fits || !prepend_directories(&path, entry->parent, root, &linked))
        return -ERANGE;
    return finish(&path, to, size);
}
