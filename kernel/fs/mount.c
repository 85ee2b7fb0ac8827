/* kernel/fs/mount.c: tmpfs that is mounted while programs run (man 2 mount)
 *
 * A directory stays the same inode: while something is mounted there its content, and what stat(2)
 * tells of it, are another's. So walks need to know nothing of mounts, and what may not leave its
 * volume (links, renaming) or go while it is another's (rmdir) is refused as for /dev.
 *
 *   invariant   a mount holds its directory, and the directory has the mount's volume until it
 *               ends, unless another one was mounted upon it
 *   invariant   nobody else uses an inode of the volume, or its directory, when it ends: so nobody
 *               sleeps amid a change of what is freed then. Who only stands in the directory since
 *               before the mount stays there: whoever does something there has it once more
 */
#include "fs/mount.h"

#include "fs/directory.h"
#include "fs/path.h"
#include "fs/ramfs.h"
#include "string.h"

#define FIRST_MINOR 32u
#define TMPFS_MAGIC 0x01021994u

/* What a directory is beside its names. */
struct face {
    struct directory *directory;
    struct volume *volume;
    uint64_t number;
    uint32_t mode, uid, gid, nlink;
};

struct mount {
    struct list link; /* of mounts: the last mounted last */
    struct inode *on;
    struct face covered;
    struct volume volume;
    char *at, *source;
    unsigned number; /* of all that ever were: from 1 */
};

static struct list mounts = {&mounts, &mounts};

/* ---- faces ----------------------------------------------------------------------------------- */

static struct face face_of(const struct inode *inode)
{
    return (struct face){.directory = inode->directory,
                         .volume = inode->volume,
                         .number = inode->number,
                         .mode = inode->mode,
                         .uid = inode->uid,
                         .gid = inode->gid,
                         .nlink = inode->nlink};
}

static void set_face(struct inode *inode, const struct face *face)
{
    inode->directory = face->directory;
    inode->volume = face->volume;
    inode->number = face->number;
    inode->mode = face->mode;
    inode->uid = face->uid;
    inode->gid = face->gid;
    inode->nlink = face->nlink;
}

/* ---- mounting -------------------------------------------------------------------------------- */

static void mount_free(struct mount *mount)
{
    quire_kfree(machine_slab, mount->at);
    quire_kfree(machine_slab, mount->source);
    quire_kfree(machine_slab, mount);
}

static struct mount *mount_new(struct inode *on, const char *source)
{
    struct mount *mount = quire_kzalloc(machine_slab, sizeof *mount, QUIRE_GFP_KERNEL);
    if (!mount)
        return NULL;
    mount->source = string_copy(source, string_length(source));
    mount->at = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    if (mount->source && mount->at && inode_path(on, NULL, true, mount->at, FS_PATH_MAX) >= 0)
        return mount;
    mount_free(mount);
    return NULL;
}

int fs_mount(struct inode *on, const char *source, const struct mount_options *options)
{
    if (!inode_is(on, S_IFDIR))
        return -ENOTDIR;
    if (!ramfs_is_kept(on))
        return -EINVAL;
    struct mount *mount = mount_new(on, source);
    struct directory *directory = mount ? directory_new() : NULL;
    if (!directory) {
        if (mount)
            mount_free(mount);
        return -ENOMEM;
    }
    if (!on->entry || !on->nlink) { /* looked at when nothing sleeps any more */
        directory_free(directory);
        mount_free(mount);
        return on->entry ? -ENOENT : -EBUSY;
    }
    mount->volume = (struct volume){.type = "tmpfs",
                                    .at = mount->at,
                                    .minor = FIRST_MINOR + fs_mounts_so_far,
                                    .magic = TMPFS_MAGIC,
                                    .last_number = 1};
    mount->number = ++fs_mounts_so_far;
    mount->on = inode_get(on);
    mount->covered = face_of(on);
    struct face face = {.directory = directory,
                        .volume = &mount->volume,
                        .number = 1,
                        .mode = S_IFDIR | options->mode,
                        .uid = options->uid,
                        .gid = options->gid,
                        .nlink = 2};
    set_face(on, &face);
    list_add_tail(&mounts, &mount->link);
    return 0;
}

/* ---- unmounting ------------------------------------------------------------------------------ */

static struct mount *mount_on(const struct inode *on)
{
    struct mount *found = NULL;
    list_for_each (at, &mounts) {
        struct mount *mount = quire_container_of(at, struct mount, link);
        found = mount->on == on ? mount : found;
    }
    return found;
}

/* What comes behind an entry in a walk of all that is below `on`, a directory before what is in it;
 * NULL: nothing. Depth costs no stack. */
static struct entry *next_entry(const struct inode *on, struct entry *entry)
{
    const struct inode *inode = entry->inode;
    if (inode_is(inode, S_IFDIR) && inode->directory->count)
        return quire_container_of(inode->directory->order.next, struct entry, order);
    while (entry->order.next == &entry->parent->directory->order) {
        if (entry->parent == on)
            return NULL;
        entry = entry->parent->entry;
    }
    return quire_container_of(entry->order.next, struct entry, order);
}

/* How many inodes have one name below; -1: one is used by more than that and what is in it. */
static long count_unused(const struct inode *on)
{
    long count = 0;
    if (!on->directory->count)
        return 0;
    struct entry *entry = quire_container_of(on->directory->order.next, struct entry, order);
    for (; entry; entry = next_entry(on, entry), count++) {
        const struct inode *inode = entry->inode;
        unsigned users = 1 + (inode_is(inode, S_IFDIR) ? inode->directory->count : 0);
        if (entry->refs != 1 || inode->refs != users)
            return -1;
    }
    return count;
}

/* A file of several names makes it used: rare, and not worth finding its other names. */
static bool is_used(const struct mount *mount)
{
    const struct inode *on = mount->on;
    unsigned users =
        2 + on->directory->count + mount->covered.directory->count; /* its entry, this */
    for (const struct list *at = mount->link.prev; at != &mounts; at = at->prev) {
        const struct mount *below = quire_container_of(at, struct mount, link);
        if (below->on == on)
            users += 1 + below->covered.directory->count;
    }
    users += fs_contexts_from_before(on, mount->number);
    return on->refs != users || count_unused(on) != (long)mount->volume.nr_inodes;
}

/* Of a directory that nobody can find any more: names without any below go first, as in fs_destroy.
 * May sleep. */
static void empty(struct directory *top)
{
    struct directory *directory = top;
    while (top->count) {
        struct entry *entry = quire_container_of(directory->order.next, struct entry, order);
        if (inode_is(entry->inode, S_IFDIR) && entry->inode->directory->count) {
            directory = entry->inode->directory;
            continue;
        }
        directory_take_out(directory, entry);
        entry_put(entry);
        directory = top;
    }
}

int fs_unmount(struct inode *on)
{
    struct mount *mount = mount_on(on);
    int error = !mount ? -EINVAL : 0;
    inode_put(on);
    if (error)
        return error;
    if (is_used(mount))
        return -EBUSY;
    struct directory *directory = on->directory;
    set_face(on, &mount->covered);
    list_del(&mount->link);
    empty(directory);
    directory_free(directory);
    inode_put(on);
    mount_free(mount);
    return 0;
}

/* ---- what is mounted ------------------------------------------------------------------------- */

void mount_show(struct text *text, bool info)
{
    unsigned number = 6; /* behind those that there are from the beginning */
    list_for_each (at, &mounts) {
        const struct mount *mount = quire_container_of(at, struct mount, link);
        if (info)
            text_printf(text, "%u 1 0:%u / %s rw,relatime - tmpfs %s rw\n", number++,
                        mount->volume.minor, mount->at, mount->source);
        else
            text_printf(text, "%s %s tmpfs rw,relatime 0 0\n", mount->source, mount->at);
    }
}
