/* kernel/fs/ramfs.c: making, removing, renaming and listing names (Linux: mm/shmem.c, fs/namei.c)
 *
 * Each change first takes the memory that it may need, which may sleep; then looks, and changes
 * what it has to without sleeping. So nobody sees half a change, and nothing that was looked at is
 * out of date.
 */
#include "fs/ramfs.h"

#include "fs/directory.h"
#include "fs/pipe.h"
#include "memory.h"
#include "string.h"

static void release(struct inode *inode)
{
    if (inode_is(inode, S_IFDIR))
        directory_free(inode->directory);
    else if (inode_is(inode, S_IFLNK))
        quire_kfree(machine_slab, inode->target);
    else if (inode_is(inode, S_IFIFO) && inode->pipe)
        pipe_free(inode->pipe);
}

/* Of all but regular files. */
static const struct inode_ops ramfs_ops = {.release = release};

bool ramfs_is_kept(const struct inode *directory)
{
    return directory->ops == &ramfs_ops;
}

/* ---- inodes ---------------------------------------------------------------------------------- */

static int fill(struct inode *inode, const struct ramfs_make *what)
{
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        return ramfile_init(inode);
    case S_IFDIR:
        inode->directory = directory_new();
        return inode->directory ? 0 : -ENOMEM;
    case S_IFLNK:
        inode->target = string_copy(what->target, string_length(what->target));
        return inode->target ? 0 : -ENOMEM;
    default:
        inode->device = what->device;
        return 0;
    }
}

struct inode *ramfs_make_inode(struct volume *volume, const struct credentials *who,
                               const struct ramfs_make *what)
{
    struct inode *inode = inode_new(volume, &ramfs_ops, what->mode, who);
    if (!inode)
        return NULL;
    if (fill(inode, what)) {
        volume->nr_inodes--;
        quire_kfree(machine_slab, inode); /* nothing is there to be released */
        return NULL;
    }
    if (inode_is(inode, S_IFREG))
        inode->ops = &ramfile_ops;
    return inode;
}

struct inode *ramfs_root(struct volume *volume)
{
    static const struct credentials root;
    struct inode *inode =
        ramfs_make_inode(volume, &root, &(struct ramfs_make){.mode = S_IFDIR | 0755});
    if (inode)
        inode->nlink = 2;
    return inode;
}

struct inode *ramfs_make_nameless(struct volume *volume, const struct credentials *who,
                                  uint32_t mode)
{
    return ramfs_make_inode(volume, who, &(struct ramfs_make){.mode = S_IFREG | mode});
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Takes the references to `parent` and `inode` with it when it succeeds. */
static struct entry *new_entry(struct inode *parent, struct name name, struct inode *inode)
{
    struct entry *entry = quire_kzalloc(machine_slab, sizeof *entry, QUIRE_GFP_KERNEL);
    char *text = string_copy(name.text, name.length);
    if (!entry || !text) {
        quire_kfree(machine_slab, text);
        quire_kfree(machine_slab, entry);
        return NULL;
    }
    entry->refs = 1;
    entry->parent = parent;
    entry->inode = inode;
    entry->name = text;
    entry->length = name.length;
    return entry;
}

struct entry *ramfs_unlinked_entry(struct inode *parent, struct name name, struct inode *inode)
{
    struct entry *entry = new_entry(parent, name, inode);
    if (entry)
        (void)inode_get(parent);
    return entry;
}

int directory_find(struct inode *directory, struct name name, struct entry **entry)
{
    if (!inode_is(directory, S_IFDIR))
        return -ENOTDIR;
    if (!ramfs_is_kept(directory))
        return directory->ops->lookup(directory, name, entry);
    struct entry *found = directory_entry(directory->directory, name);
    if (!found)
        return -ENOENT;
    *entry = entry_get(found);
    return 0;
}

/* May names be made and removed in it? */
static int may_change(const struct inode *directory, const struct credentials *who)
{
    if (!inode_is(directory, S_IFDIR))
        return -ENOTDIR;
    if (!ramfs_is_kept(directory))
        return -EPERM;
    return inode_permission(directory, who, MAY_WRITE | MAY_EXEC);
}

/* `linked` is -1 for a name that goes and 1 for one that comes. */
static void count_link(struct inode *directory, struct inode *inode, int change)
{
    inode->nlink += (uint32_t)change;
    inode->changed = fs_time_now();
    if (inode_is(inode, S_IFDIR)) {
        inode->nlink = change > 0 ? 2 : 0;
        directory->nlink += (uint32_t)change;
    }
}

static void link_entry(struct inode *directory, struct entry *entry)
{
    directory_insert(directory->directory, entry);
    count_link(directory, entry->inode, 1);
    if (inode_is(entry->inode, S_IFDIR))
        entry->inode->entry = entry;
    inode_touch(directory);
}

/* The caller gets the directory's reference to the entry. */
static void unlink_entry(struct inode *directory, struct entry *entry)
{
    directory_take_out(directory->directory, entry);
    count_link(directory, entry->inode, -1);
    inode_touch(directory);
}

/* Puts what was unlinked, which may sleep. */
static void drop_entry(struct entry *entry)
{
    if (entry && !entry->inode->nlink && entry->inode->ops == &ramfile_ops)
        ramfile_name_deleted(entry->inode);
    entry_put(entry);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int check_make(struct inode *directory, struct name name, const struct credentials *who,
                      const struct ramfs_make *what)
{
    if (directory_entry(directory->directory, name))
        return -EEXIST;
    if (!directory->nlink)
        return -ENOENT;
    int error = may_change(directory, who);
    if (error || !what->existing)
        return error;
    if (what->existing->volume != directory->volume)
        return -EXDEV;
    if (inode_is(what->existing, S_IFDIR))
        return -EPERM;
    return what->existing->nlink >= FS_LINK_MAX ? -EMLINK : 0;
}

static struct inode *inode_for(struct inode *directory, const struct credentials *who,
                               const struct ramfs_make *what)
{
    struct ramfs_make make = *what;
    if (what->existing)
        return inode_get(what->existing);
    if (directory->mode & S_ISGID && (make.mode & S_IFMT) == S_IFDIR)
        make.mode |= S_ISGID;
    struct inode *inode =
        ramfs_make_inode(what->volume ? what->volume : directory->volume, who, &make);
    if (inode && directory->mode & S_ISGID)
        inode->gid = directory->gid;
    return inode;
}

int ramfs_make(struct inode *directory, struct name name, const struct credentials *who,
               const struct ramfs_make *what, struct entry **entry)
{
    if (!inode_is(directory, S_IFDIR))
        return -ENOTDIR;
    if (!ramfs_is_kept(directory))
        return -ENOENT; /* as Linux's /proc says */
    int error = check_make(directory, name, who, what);
    if (!error)
        error = directory_reserve(directory->directory);
    if (error)
        return error;
    struct inode *inode = inode_for(directory, who, what);
    if (!inode)
        return -ENOMEM;
    struct entry *new = new_entry(directory, name, inode);
    if (!new) {
        inode_put(inode);
        return -ENOMEM;
    }
    (void)inode_get(directory);
    error = check_make(directory, name, who, what);
    if (error) {
        entry_put(new);
        return error;
    }
    if (entry)
        *entry = entry_get(new);
    link_entry(directory, new);
    return 0;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int may_remove(const struct inode *directory, const struct inode *inode,
                      const struct credentials *who)
{
    int error = may_change(directory, who);
    if (error)
        return error;
    if (directory->mode & S_ISVTX && !credentials_can(who, CAP_FOWNER) && who->euid != inode->uid &&
        who->euid != directory->uid)
        return -EPERM;
    return inode->volume != directory->volume ? -EBUSY : 0; /* /dev, /proc */
}

int ramfs_remove(struct inode *directory, struct name name, const struct credentials *who,
                 bool directory_wanted)
{
    struct entry *entry = NULL;
    int error = directory_find(directory, name, &entry);
    if (error)
        return error;
    struct inode *inode = entry->inode;
    bool is_directory = inode_is(inode, S_IFDIR);
    error = may_remove(directory, inode, who);
    if (!error && is_directory != directory_wanted)
        error = directory_wanted ? -ENOTDIR : -EISDIR;
    if (!error && is_directory && inode->directory->count)
        error = -ENOTEMPTY;
    if (!error) {
        unlink_entry(directory, entry);
        drop_entry(entry);
    }
    entry_put(entry);
    return error;
}

/* ---- renaming -------------------------------------------------------------------------------- */

/* What a renaming is about; not counted, and true until something sleeps. */
struct move {
    const struct ramfs_rename *r;
    struct entry *old, *new; /* new: NULL, there is none */
};

/* Is `directory` below `above`, or the same? */
static bool is_below(const struct inode *directory, const struct inode *above)
{
    while (directory != above && directory->entry)
        directory = directory->entry->parent;
    return directory == above;
}

static int check_target(const struct move *move, const struct credentials *who)
{
    struct inode *inode = move->new->inode;
    bool old_is_directory = inode_is(move->old->inode, S_IFDIR);
    int error = may_remove(move->r->to, inode, who);
    if (error || move->r->flags & RENAME_EXCHANGE)
        return error;
    if (inode_is(inode, S_IFDIR) != old_is_directory)
        return old_is_directory ? -ENOTDIR : -EISDIR;
    return old_is_directory && inode->directory->count ? -ENOTEMPTY : 0;
}

static int check_loops(const struct move *move)
{
    const struct ramfs_rename *r = move->r;
    if (inode_is(move->old->inode, S_IFDIR) && is_below(r->to, move->old->inode))
        return -EINVAL;
    if (move->new &&inode_is(move->new->inode, S_IFDIR) && is_below(r->from, move->new->inode))
        return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    return 0;
}

/* Two names of one file, or one: nothing happens, whoever asks. */
static bool is_same(const struct move *move)
{
    return move->new && move->new->inode == move->old->inode;
}

static int look(struct move *move, const struct credentials *who)
{
    const struct ramfs_rename *r = move->r;
    move->old = directory_entry(r->from->directory, r->old);
    move->new = directory_entry(r->to->directory, r->new);
    if (!move->old || (!move->new && r->flags &RENAME_EXCHANGE) || !r->to->nlink)
        return -ENOENT;
    if (move->new && r->flags & RENAME_NOREPLACE)
        return -EEXIST;
    if (r->slash && !inode_is(move->old->inode, S_IFDIR))
        return -ENOTDIR;
    if (r->from->volume != r->to->volume)
        return -EXDEV;
    int error = check_loops(move);
    if (error || is_same(move))
        return error;
    error = may_remove(r->from, move->old->inode, who);
    if (!error)
        error = move->new ? check_target(move, who) : may_change(r->to, who);
    return error;
}

/* Moves a linked entry; `text` becomes its name, and the one before is returned. Nothing sleeps. */
static char *move_entry(struct entry *entry, struct inode *to, char *text, unsigned length)
{
    struct inode *from = entry->parent;
    char *before = entry->name;
    unlink_entry(from, entry);
    entry->name = text;
    entry->length = length;
    entry->parent = inode_get(to);
    link_entry(to, entry);
    from->refs--; /* the caller has another */
    return before;
}

/* Names change places, so their memory does, too. */
static void exchange(const struct move *move)
{
    struct entry *old = move->old, *new = move->new;
    struct inode *from = move->r->from, *to = move->r->to;
    char *old_text = old->name, *new_text = new->name;
    unsigned old_length = old->length, new_length = new->length;
    /* Both out first: no directory has a name twice, and an inode keeps its links. */
    unlink_entry(from, old);
    unlink_entry(to, new);
    *old = (struct entry){.refs = old->refs,
                          .parent = to,
                          .inode = old->inode,
                          .name = new_text,
                          .length = new_length};
    *new = (struct entry){.refs = new->refs,
                          .parent = from,
                          .inode = new->inode,
                          .name = old_text,
                          .length = old_length};
    link_entry(to, old);
    link_entry(from, new);
}

int ramfs_rename(const struct ramfs_rename *r, const struct credentials *who)
{
    struct move move = {.r = r};
    if (r->flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        (r->flags & RENAME_NOREPLACE && r->flags & RENAME_EXCHANGE))
        return -EINVAL;
    if (!ramfs_is_kept(r->from) || !ramfs_is_kept(r->to))
        return r->from->volume != r->to->volume ? -EXDEV : -EPERM;
    char *text = string_copy(r->new.text, r->new.length);
    int error = text ? directory_reserve(r->to->directory) : -ENOMEM;
    if (!error)
        error = look(&move, who);
    struct entry *replaced = NULL;
    bool moves = !error && !is_same(&move);
    if (moves && r->flags & RENAME_EXCHANGE) {
        exchange(&move);
    } else if (moves) {
        if ((replaced = move.new))
            unlink_entry(r->to, replaced);
        text = move_entry(move.old, r->to, text, r->new.length);
    }
    quire_kfree(machine_slab, text);
    drop_entry(replaced);
    return error;
}

/* ---- listing --------------------------------------------------------------------------------- */

static const struct inode *parent_of(const struct inode *directory, const struct inode *root)
{
    return directory == root || !directory->entry ? directory : directory->entry->parent;
}

static void list_kept(struct inode *inode, uint64_t *position, list_fn *tell, void *arg)
{
    list_for_each (link, &inode->directory->order) {
        struct entry *entry = quire_container_of(link, struct entry, order);
        if (entry->position < *position)
            continue;
        if (!tell(arg, (struct name){entry->name, entry->length}, entry->inode->number,
                  DT_OF_MODE(entry->inode->mode), entry->position + 1))
            return;
        *position = entry->position + 1;
    }
}

int directory_list(struct inode *directory, const struct inode *root, uint64_t *position,
                   list_fn *tell, void *arg)
{
    const struct inode *parent = parent_of(directory, root);
    if (!inode_is(directory, S_IFDIR))
        return -ENOTDIR;
    if (!directory->nlink)
        return -ENOENT;
    if (!*position) {
        if (!tell(arg, (struct name){".", 1}, directory->number, DT_OF_MODE(S_IFDIR), 1))
            return 0;
        *position = 1;
    }
    if (*position == 1) {
        if (!tell(arg, (struct name){"..", 2}, parent->number, DT_OF_MODE(S_IFDIR), 2))
            return 0;
        *position = 2;
    }
    if (!ramfs_is_kept(directory))
        return directory->ops->list(directory, position, tell, arg);
    list_kept(directory, position, tell, arg);
    return 0;
}
