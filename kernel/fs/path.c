/* kernel/fs/path.c: from paths to inodes
 *
 * A loop over the parts of a path. A symbolic link's target takes its place before the rest of the
 * path, in a buffer that is made when the first one is met; so depth costs no stack.
 *
 *   invariant   `walk` holds references to all that it names, whatever sleeps
 *   bound       WALK_MAX_LINKS targets of FS_PATH_MAX bytes
 */
#include "fs/path.h"

#include "fs/ramfs.h"
#include "memory.h"
#include "string.h"

/* ---- contexts -------------------------------------------------------------------------------- */

unsigned fs_mounts_so_far;
static struct list contexts = {&contexts, &contexts};

struct fs_context *fs_context_copy(const struct fs_context *context)
{
    struct fs_context *copy = quire_kmalloc(machine_slab, sizeof *copy, QUIRE_GFP_KERNEL);
    if (copy) {
        *copy = *context;
        copy->refs = 1;
        inode_get(copy->root);
        inode_get(copy->cwd);
        list_add_tail(&contexts, &copy->link);
    }
    return copy;
}

struct fs_context *fs_context_create(struct inode *root)
{
    const struct fs_context first = {.root = root, .cwd = root, .umask = 022};
    return fs_context_copy(&first);
}

struct fs_context *fs_context_share(struct fs_context *context)
{
    context->refs++;
    return context;
}

void fs_context_put(struct fs_context *context)
{
    if (--context->refs)
        return;
    list_del(&context->link);
    inode_put(context->cwd);
    inode_put(context->root);
    quire_kfree(machine_slab, context);
}

void fs_context_set_cwd(struct fs_context *context, struct inode *directory)
{
    struct inode *before = context->cwd;
    context->cwd = inode_get(directory);
    context->cwd_since = fs_mounts_so_far;
    inode_put(before);
}

void fs_context_set_root(struct fs_context *context, struct inode *directory)
{
    struct inode *before = context->root;
    context->root = inode_get(directory);
    context->root_since = fs_mounts_so_far;
    inode_put(before);
}

unsigned fs_contexts_from_before(const struct inode *directory, unsigned mounts)
{
    unsigned count = 0;
    list_for_each (at, &contexts) {
        const struct fs_context *context = quire_container_of(at, struct fs_context, link);
        count += context->cwd == directory && context->cwd_since < mounts;
        count += context->root == directory && context->root_since < mounts;
    }
    return count;
}

/* ---- walking --------------------------------------------------------------------------------- */

struct walker {
    struct walk *walk;
    const struct fs_context *fs;
    const struct credentials *who;
    const char *rest;
    char *buffer; /* FS_PATH_MAX bytes that `rest` is in; NULL: it is the caller's path */
    unsigned links, flags;
};

static void stand_on(struct walk *walk, struct inode *inode, struct entry *entry)
{
    inode_put(walk->inode);
    entry_put(walk->entry);
    inode_put(walk->parent);
    walk->inode = inode;
    walk->entry = entry;
    walk->parent = NULL;
}

void walk_end(struct walk *walk)
{
    stand_on(walk, NULL, NULL);
}

static void go_to_directory(struct walk *walk, struct inode *inode)
{
    struct entry *entry = inode->entry ? entry_get(inode->entry) : NULL;
    stand_on(walk, inode_get(inode), entry);
}

/* Is there no part but this? */
static bool is_last(const char *rest)
{
    while (*rest == '/')
        rest++;
    return !*rest;
}

/* Takes the next part off `rest`, into the walk's name. False: there is none; *error: too long. */
static bool take_part(struct walker *walker, int *error)
{
    struct walk *walk = walker->walk;
    unsigned length = 0;
    while (*walker->rest == '/')
        walker->rest++;
    if (!*walker->rest)
        return false; /* what is known of the last part stays */
    for (; walker->rest[length] && walker->rest[length] != '/'; length++)
        if (length == FS_NAME_MAX) {
            *error = -ENAMETOOLONG;
            return false;
        }
    __builtin_memcpy(walk->name, walker->rest, length);
    walk->name[length] = '\0';
    walk->length = length;
    walker->rest += length;
    walk->slash = *walker->rest == '/';
    walk->dots = string_equal(walk->name, ".") || string_equal(walk->name, "..");
    return true;
}

/* "." and "..": above the root is the root. A directory that was removed has nothing above. */
static int go_by_dots(struct walker *walker)
{
    struct walk *walk = walker->walk;
    struct inode *inode = walk->inode;
    if (walk->length == 2 && inode != walker->fs->root) {
        if (!inode->entry && !inode->nlink)
            return -ENOENT;
        if (inode->entry)
            inode = inode->entry->parent;
    }
    go_to_directory(walk, inode);
    return 0;
}

/* The target of the link that the walk stands on comes before the rest. */
static int read_target(struct walker *walker)
{
    struct walk *walk = walker->walk;
    char *buffer = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    if (!buffer)
        return -ENOMEM;
    size_t rest = string_length(walker->rest) + 1;
    int64_t length = inode_read_link(walk->inode, buffer, FS_PATH_MAX);
    if (length >= 0 && (size_t)length + rest > FS_PATH_MAX)
        length = -ENAMETOOLONG;
    else if (!length)
        length = -ENOENT;
    if (length < 0) {
        quire_kfree(machine_slab, buffer);
        return (int)length;
    }
    __builtin_memcpy(buffer + length, walker->rest, rest);
    quire_kfree(machine_slab, walker->buffer);
    walker->buffer = buffer;
    walker->rest = buffer;
    return 0;
}

/* A generated link may lead to what has no path (an open file): then its ops say where.
 * -EOPNOTSUPP: its path does. */
static int jump(struct walk *walk)
{
    struct inode *inode = NULL;
    struct entry *entry = NULL;
    if (!walk->inode->ops->jump)
        return -EOPNOTSUPP;
    int error = walk->inode->ops->jump(walk->inode, &inode, &entry);
    if (!error)
        stand_on(walk, inode, entry);
    return error;
}

static int follow(struct walker *walker)
{
    struct walk *walk = walker->walk;
    if (++walker->links > WALK_MAX_LINKS)
        return -ELOOP;
    int error = jump(walk);
    if (error != -EOPNOTSUPP)
        return error;
    struct inode *directory = inode_get(walk->parent);
    error = read_target(walker);
    if (!error)
        go_to_directory(walk, *walker->rest == '/' ? walker->fs->root : directory);
    inode_put(directory);
    return error;
}

static int find(struct walker *walker, bool last)
{
    struct walk *walk = walker->walk;
    struct entry *entry = NULL;
    int error = directory_find(walk->inode, walk_name(walk), &entry);
    if (error == -ENOENT && last && walker->flags & (WALK_MAKE | WALK_PARENT)) {
        struct inode *parent = walk->inode;
        walk->inode = NULL;
        stand_on(walk, NULL, NULL);
        walk->parent = parent;
        return 0;
    }
    if (error)
        return error;
    struct inode *parent = inode_get(walk->inode);
    stand_on(walk, inode_get(entry->inode), entry);
    walk->parent = parent;
    return 0;
}

/* Is the link that the walk stands on to be followed? */
static bool to_be_followed(const struct walker *walker, bool last)
{
    const struct walk *walk = walker->walk;
    if (!walk->inode || !inode_is(walk->inode, S_IFLNK))
        return false;
    if (!last)
        return true;
    return !(walker->flags & WALK_PARENT) && (walker->flags & WALK_FOLLOW || walk->slash);
}

static int step(struct walker *walker)
{
    struct walk *walk = walker->walk;
    bool last = is_last(walker->rest);
    if (!inode_is(walk->inode, S_IFDIR))
        return -ENOTDIR;
    int error = inode_permission(walk->inode, walker->who, MAY_EXEC);
    if (error)
        return error;
    if (walk->dots)
        return go_by_dots(walker);
    error = find(walker, last);
    if (!error && to_be_followed(walker, last))
        error = follow(walker);
    return error;
}

/* What a path's end demands of what is there. */
static int check_end(const struct walker *walker)
{
    const struct walk *walk = walker->walk;
    bool directory = walk->inode && inode_is(walk->inode, S_IFDIR);
    if (!walk->inode || walker->flags & WALK_PARENT)
        return 0;
    return !directory && (walk->slash || walker->flags & WALK_DIRECTORY) ? -ENOTDIR : 0;
}

int path_walk(struct walk *walk, const struct fs_context *fs, const struct credentials *who,
              struct inode *start, const char *path, unsigned flags)
{
    struct walker walker = {.walk = walk, .fs = fs, .who = who, .rest = path, .flags = flags};
    int error = 0;
    walk->inode = walk->parent = NULL;
    walk->entry = NULL;
    walk->length = 0;
    walk->slash = walk->dots = false;
    if (!*path && !(flags & WALK_EMPTY))
        return -ENOENT;
    start = start ? start : fs->cwd;
    if (*path == '/')
        start = fs->root;
    if (inode_is(start, S_IFDIR))
        go_to_directory(walk, start);
    else
        walk->inode = inode_get(start);
    while (!error && take_part(&walker, &error))
        error = step(&walker);
    if (!error)
        error = check_end(&walker);
    quire_kfree(machine_slab, walker.buffer);
    if (error)
        walk_end(walk);
    return error;
}
