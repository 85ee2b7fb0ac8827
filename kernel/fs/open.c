/* kernel/fs/open.c: open(2) */
#include "base/text.h"
#include "fs/devices.h"
#include "fs/file.h"
#include "fs/pipe.h"
#include "fs/plain.h"
#include "fs/ramfs.h"
#include "memory.h"
#include "string.h"

#define OPEN_ONLY                                                                                  \
    (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | (O_TMPFILE & ~O_DIRECTORY))

struct request {
    const struct fs_context *fs;
    const struct credentials *who;
    int flags;
    unsigned mode;
    bool made; /* by this open: rights aren't looked at */
    bool runs; /* the right to run it is wanted, and no other: a program may not be readable */
};

static unsigned wanted_rights(const struct request *r)
{
    static const unsigned rights[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, 0};
    if (r->runs)
        return MAY_EXEC;
    return rights[r->flags & O_ACCMODE] | (r->flags & O_TRUNC ? MAY_WRITE : 0);
}

/* May this be opened so? */
static int check(const struct request *r, const struct inode *inode)
{
    unsigned rights = wanted_rights(r);
    if (r->runs && !inode_is(inode, S_IFREG))
        return -EACCES; /* and isn't opened: a FIFO would wait for who writes to it */
    if (r->flags & O_DIRECTORY && !inode_is(inode, S_IFDIR))
        return -ENOTDIR;
    if (r->flags & O_PATH)
        return 0;
    if (inode_is(inode, S_IFLNK))
        return -ELOOP;
    if (inode_is(inode, S_IFSOCK))
        return -ENXIO;
    if (inode_is(inode, S_IFDIR) && (rights & MAY_WRITE || r->flags & O_CREAT))
        return -EISDIR;
    return r->made ? 0 : inode_permission(inode, r->who, rights);
}

/* Nobody begins to run a file while it is made empty. */
static int make_empty(struct inode *inode)
{
    int error = inode_write_begin(inode);
    if (error)
        return error;
    error = ramfile_truncate(inode, 0);
    inode_write_end(inode);
    return error;
}

static int open_regular(struct file *file, bool empties)
{
    int error = 0;
    if (file_may_write(file)) {
        error = inode_write_begin(file->inode);
        file->writer = !error;
    }
    return !error && empties ? make_empty(file->inode) : error;
}

static int open_inode(struct file *file)
{
    struct inode *inode = file->inode;
    if (file->flags & O_PATH)
        return 0;
    if (inode->ops->open)
        return inode->ops->open(inode, file);
    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
    case S_IFBLK:
        return device_open(inode, file);
    case S_IFIFO:
        return pipe_open_fifo(inode, file);
    default:
        return 0;
    }
}

static const struct file_ops *first_ops(const struct inode *inode)
{
    if (inode->ops == &ramfile_ops)
        return &plain_file_ops;
    return &plain_other_ops;
}

static int open_file(struct file **result, const struct request *r, struct inode *inode,
                     struct entry *entry)
{
    int error = check(r, inode);
    if (error)
        return error;
    struct file *file = file_new(inode, entry, first_ops(inode), r->flags & ~OPEN_ONLY);
    if (!file)
        return -ENOMEM;
    error = open_inode(file);
    if (!error && inode->ops == &ramfile_ops && !(r->flags & O_PATH))
        error = open_regular(file, r->flags & O_TRUNC && !r->made);
    if (!error && r->flags & O_TRUNC && !(r->flags & O_PATH))
        inode_written_by(inode, r->who);
    if (error)
        file_put(file);
    else
        *result = file;
    return error;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* A file that had no name when it was looked for. -EEXIST: it has one now. */
static int make(struct walk *walk, struct request *r)
{
    struct ramfs_make what = {.mode = S_IFREG | (r->mode & S_PERMISSIONS & ~r->fs->umask)};
    struct entry *entry = NULL;
    if (walk->slash)
        return -EISDIR;
    int error = ramfs_make(walk->parent, walk_name(walk), r->who, &what, &entry);
    if (error)
        return error;
    walk->entry = entry;
    walk->inode = inode_get(entry->inode);
    r->made = true;
    return 0;
}

static int open_nameless(struct file **file, struct request *r, struct inode *directory)
{
    char text[24];
    if ((r->flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    if (!inode_is(directory, S_IFDIR))
        return -ENOTDIR;
    int error = inode_permission(directory, r->who, MAY_WRITE | MAY_EXEC);
    if (error)
        return error;
    struct inode *inode =
        ramfs_make_nameless(directory->volume, r->who, r->mode & S_PERMISSIONS & ~r->fs->umask);
    if (!inode)
        return -ENOMEM;
    size_t length = quire_snprintf(text, sizeof text, "#%llu", (unsigned long long)inode->number);
    struct name name = {text, (unsigned)length};
    struct entry *entry = ramfs_unlinked_entry(directory, name, inode);
    if (!entry) {
        inode_put(inode);
        return -ENOMEM;
    }
    r->made = true;
    r->flags &= ~O_TMPFILE;
    error = open_file(file, r, inode, entry);
    entry_put(entry);
    return error;
}

/* ---- open ------------------------------------------------------------------------------------ */

static int open_walk(struct file **file, struct request *r, struct walk *walk)
{
    if ((r->flags & O_TMPFILE) == O_TMPFILE)
        return open_nameless(file, r, walk->inode);
    if (!walk->inode) {
        int error = make(walk, r);
        if (error)
            return error;
    } else if (r->flags & O_CREAT && r->flags & O_EXCL) {
        return -EEXIST;
    } else if (r->flags & O_CREAT && walk->slash) {
        return -EISDIR;
    }
    return open_file(file, r, walk->inode, walk->entry);
}

static int open_path(struct file **file, const struct request *wanted, struct inode *start,
                     const char *path, unsigned how)
{
    struct walk walk;
    for (;;) {
        struct request request = *wanted;
        int error = path_walk(&walk, wanted->fs, wanted->who, start, path, how);
        if (error)
            return error;
        error = open_walk(file, &request, &walk);
        bool again = error == -EEXIST && !walk.inode && !(wanted->flags & O_EXCL);
        walk_end(&walk);
        if (!again)
            return error;
    }
}

int file_open(struct file **file, const struct fs_context *fs, const struct credentials *who,
              struct inode *start, const char *path, int flags, unsigned mode)
{
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (nameless && flags & O_CREAT)
        return -EINVAL;
    bool creates = flags & O_CREAT;
    unsigned how = creates ? WALK_MAKE : 0;
    if (!(flags & O_NOFOLLOW) && !(creates && flags & O_EXCL))
        how |= WALK_FOLLOW;
    const struct request request = {.fs = fs, .who = who, .flags = flags, .mode = mode};
    return open_path(file, &request, start, path, how);
}

int file_open_to_run(struct file **file, const struct fs_context *fs, const struct credentials *who,
                     struct inode *start, const char *path)
{
    const struct request request = {
        .fs = fs, .who = who, .flags = O_RDONLY | O_LARGEFILE, .runs = true};
    return open_path(file, &request, start, path, WALK_FOLLOW);
}
