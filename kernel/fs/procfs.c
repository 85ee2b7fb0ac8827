/* kernel/fs/procfs.c: /proc, of tables
 *
 * Inodes are made when they are looked up, and go when nobody holds them. Their numbers come from
 * the node and the subject, so that the same file has the same number again.
 */
#include "fs/procfs.h"

#include "event.h"
#include "fs/directory.h"
#include "fs/ramfs.h"
#include "fs/text_file.h"
#include "string.h"

#define STORE_MAX 4096u

static struct volume proc_volume = {
    .type = "proc", .at = "/proc", .minor = 21, .magic = 0x9fa0, .block_size = 1024};
static const struct inode_ops directory_ops, file_inode_ops, link_ops;
static const struct proc_processes *processes;

static const struct proc_node *node_of(const struct inode *inode)
{
    return inode->generated.node;
}

uint64_t proc_subject(const struct inode *inode)
{
    return inode->generated.subject;
}

void procfs_set_processes(const struct proc_processes *all)
{
    processes = all;
}

void procfs_statistics(struct proc_statistics *statistics)
{
    *statistics = (struct proc_statistics){0};
    if (processes)
        processes->statistics(statistics);
}

int procfs_show_shm(struct text *text, uint64_t subject)
{
    (void)subject;
    return processes && processes->show_shm ? processes->show_shm(text) : 0;
}

/* ---- inodes ---------------------------------------------------------------------------------- */

/* Of 32 bits, for programs of that class; the lowest is /proc's own. */
uint64_t proc_number(const struct proc_node *node, uint64_t subject)
{
    uint64_t hash = ((uintptr_t)node ^ subject) * 0x9e3779b97f4a7c15u + subject;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9u;
    return hash >> 32 | 2;
}

static const struct inode_ops *ops_of(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return &directory_ops;
    case S_IFLNK:
        return &link_ops;
    default:
        return &file_inode_ops;
    }
}

static void refresh(struct inode *inode)
{
    const struct proc_node *node = node_of(inode);
    struct proc_owner owner = {0, 0};
    if (node->owner && !node->owner(proc_subject(inode), &owner)) {
        inode->uid = owner.uid;
        inode->gid = owner.gid;
    }
}

int proc_entry(struct inode *directory, struct name name, const struct proc_node *node,
               uint64_t subject, struct entry **entry)
{
    struct inode *inode =
        inode_new_generated(directory->volume, ops_of(node->mode), node->mode, directory, name);
    if (!inode)
        return -ENOMEM;
    inode->generated.node = node;
    inode->generated.subject = subject;
    inode->number = proc_number(node, subject);
    refresh(inode);
    *entry = inode->entry;
    return 0;
}

/* ---- directories ----------------------------------------------------------------------------- */

static bool is_name(struct name name, const char *text)
{
    size_t length = string_length(text);
    return length == name.length && !__builtin_memcmp(name.text, text, length);
}

static int lookup(struct inode *directory, struct name name, struct entry **entry)
{
    const struct proc_node *node = node_of(directory);
    uint64_t subject = proc_subject(directory);
    for (const struct proc_node *child = node->children; child && child->name; child++)
        if (is_name(name, child->name))
            return proc_entry(directory, name, child, subject, entry);
    return node->lookup ? node->lookup(directory, name, entry) : -ENOENT;
}

static int list(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    const struct proc_node *node = node_of(directory);
    uint64_t subject = proc_subject(directory), at = 2;
    for (const struct proc_node *child = node->children; child && child->name; child++, at++) {
        struct name name = {child->name, (unsigned)string_length(child->name)};
        if (at < *position)
            continue;
        if (!tell(arg, name, proc_number(child, subject), DT_OF_MODE(child->mode), at + 1))
            return 0;
        *position = at + 1;
    }
    if (*position < PROC_DYNAMIC)
        *position = PROC_DYNAMIC;
    return node->list ? node->list(directory, position, tell, arg) : 0;
}

static const struct inode_ops directory_ops = {.lookup = lookup, .list = list, .refresh = refresh};

/* ---- symbolic links -------------------------------------------------------------------------- */

static int64_t read_link(struct inode *inode, char *to, size_t size)
{
    const struct proc_node *node = node_of(inode);
    return node->read_link(proc_subject(inode), to, size);
}

static int jump(struct inode *inode, struct inode **to, struct entry **entry)
{
    const struct proc_node *node = node_of(inode);
    return node->jump ? node->jump(proc_subject(inode), to, entry) : -EOPNOTSUPP;
}

static const struct inode_ops link_ops = {.read_link = read_link, .jump = jump, .refresh = refresh};

/* ---- files ----------------------------------------------------------------------------------- */

static int make_text(struct text_file *made, const struct inode *inode)
{
    const struct proc_node *node = node_of(inode);
    struct text text;
    text_file_clear(made);
    if (!node->show)
        return 0;
    text_init(&text, text_file_write, made);
    int error = node->show(&text, proc_subject(inode));
    text_flush(&text);
    return error ? error : made->failed ? -ENOMEM : 0;
}

static int make_part(struct text_file *made, const struct inode *inode)
{
    struct text text;
    text_init(&text, text_file_write, made);
    int error = node_of(inode)->show_part(&text, proc_subject(inode), &made->place);
    text_flush(&text);
    return error ? error : made->failed ? -ENOMEM : 0;
}

/* What was read before is forgotten; who goes back begins anew, as on Linux. So what is kept is
 * what one call reads and one part, however long the text.
 *
 * A call reads whole parts, as many as fit into a page: programs know Linux's seq_file, and some
 * take a read that filled their buffer for a reason to read all the rest (stress-ng). */
static int64_t read_parts(struct text_file *made, const struct inode *inode, uint64_t at, void *to,
                          size_t size)
{
    int error = 0;
    const uint64_t most = size < QUIRE_PAGE_SIZE ? size : QUIRE_PAGE_SIZE;
    if (!at || at < made->start)
        text_file_clear(made);
    text_file_forget(made, at);
    while (!error && made->size < at + most) {
        const uint64_t whole = made->size;
        error = make_part(made, inode);
        if (made->size > at + QUIRE_PAGE_SIZE && whole > at)
            size = (size_t)(whole - at);
        text_file_forget(made, at);
    }
    size_t done = text_file_read(made, at, to, size);
    if (error && error != -ENOENT)
        text_file_clear(made); /* a part may be there in part */
    return done || error == -ENOENT ? (int64_t)done : error;
}

/* From the beginning: anew, as programs that stay (top) expect when they rewind. */
static int64_t read_whole(struct text_file *made, const struct inode *inode, uint64_t at, void *to,
                          size_t size)
{
    int error = at && made->first ? 0 : make_text(made, inode);
    return error ? error : (int64_t)text_file_read(made, at, to, size);
}

/* An open file's text, which one at a time reads: making it may sleep. */
struct shown {
    struct text_file text;
    struct event changed;
    bool busy;
};

static int64_t proc_read(struct file *file, uint64_t at, void *to, size_t size)
{
    const struct proc_node *node = node_of(file->inode);
    struct shown *shown = file->data;
    if (node->read)
        return node->read(proc_subject(file->inode), at, to, size);
    for (uint32_t seen = event_read(&shown->changed); shown->busy;
         seen = event_read(&shown->changed))
        if (event_wait_killable(&shown->changed, seen))
            return -EINTR;
    shown->busy = true;
    int64_t done = node->show_part ? read_parts(&shown->text, file->inode, at, to, size)
                                   : read_whole(&shown->text, file->inode, at, to, size);
    shown->busy = false;
    event_signal(&shown->changed);
    return done;
}

static int64_t proc_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    const struct proc_node *node = node_of(file->inode);
    (void)at;
    if (!node->store)
        return -EIO;
    if (!size)
        return 0;
    if (size > STORE_MAX)
        return -EINVAL;
    char *bytes = string_copy(from, size);
    if (!bytes)
        return -ENOMEM;
    int error = node->store(proc_subject(file->inode), bytes, size);
    quire_kfree(machine_slab, bytes);
    return error ? error : (int64_t)size;
}

static void proc_release(struct file *file)
{
    struct shown *shown = file->data;
    text_file_clear(&shown->text);
    quire_kfree(machine_slab, shown);
}

static const struct file_ops proc_file_ops = {
    .name = "proc", .read = proc_read, .write = proc_write, .release = proc_release};

static const struct file_ops proc_parts_ops = {.name = "proc",
                                               .by_parts = true,
                                               .read = proc_read,
                                               .write = proc_write,
                                               .release = proc_release};

static int open_file(struct inode *inode, struct file *file)
{
    struct shown *shown = quire_kzalloc(machine_slab, sizeof *shown, QUIRE_GFP_KERNEL);
    if (!shown)
        return -ENOMEM;
    file->data = shown;
    file->ops = node_of(inode)->show_part ? &proc_parts_ops : &proc_file_ops;
    return 0;
}

static const struct inode_ops file_inode_ops = {.open = open_file, .refresh = refresh};

/* ---- /proc itself ---------------------------------------------------------------------------- */

static int64_t write_number(char *to, size_t size, const char *format, int a, int b)
{
    char text[48];
    if (!a)
        return -ENOENT;
    size_t length = quire_snprintf(text, sizeof text, format, a, b);
    length = length < size ? length : size;
    __builtin_memcpy(to, text, length);
    return (int64_t)length;
}

static int64_t read_self(uint64_t subject, char *to, size_t size)
{
    (void)subject;
    return write_number(to, size, "%d", processes ? processes->current() : 0, 0);
}

static int64_t read_thread_self(uint64_t subject, char *to, size_t size)
{
    (void)subject;
    return write_number(to, size, "%d/task/%d", processes ? processes->current() : 0,
                        processes ? processes->current_thread() : 0);
}

static int64_t read_mounts(uint64_t subject, char *to, size_t size)
{
    static const char target[] = "self/mounts";
    (void)subject;
    size = size < sizeof target - 1 ? size : sizeof target - 1;
    __builtin_memcpy(to, target, size);
    return (int64_t)size;
}

static const struct proc_node own_nodes[] = {
    {.name = "self", .mode = S_IFLNK | 0777, .read_link = read_self},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .read_link = read_thread_self},
    {.name = "mounts", .mode = S_IFLNK | 0777, .read_link = read_mounts},
    {.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_nodes},
};
#define NR_OWN (sizeof own_nodes / sizeof own_nodes[0])

static int find_in(struct inode *directory, const struct proc_node *nodes, size_t count,
                   struct name name, struct entry **entry)
{
    for (size_t i = 0; i < count && nodes[i].name; i++)
        if (is_name(name, nodes[i].name))
            return proc_entry(directory, name, &nodes[i], 0, entry);
    return -ENOENT;
}

static int root_lookup(struct inode *directory, struct name name, struct entry **entry)
{
    int error = find_in(directory, own_nodes, NR_OWN, name, entry);
    if (error == -ENOENT && processes)
        error = processes->lookup(directory, name, entry);
    return error;
}

/* Positions of own nodes lie below those of processes. */
static int root_list(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    for (; *position < PROC_DYNAMIC + NR_OWN; ++*position) {
        const struct proc_node *node = &own_nodes[*position - PROC_DYNAMIC];
        struct name name = {node->name, (unsigned)string_length(node->name)};
        if (!tell(arg, name, proc_number(node, 0), DT_OF_MODE(node->mode), *position + 1))
            return 0;
    }
    if (*position < PROC_FIRST_PROCESS)
        *position = PROC_FIRST_PROCESS;
    return processes ? processes->list(directory, position, tell, arg) : 0;
}

static const struct proc_node root_node = {
    .name = "proc",
    .mode = S_IFDIR | 0555,
    .children = proc_machine_nodes,
    .lookup = root_lookup,
    .list = root_list,
};

int generated_mount(struct inode *root, const struct proc_node *node, struct volume *volume)
{
    static const struct credentials nobody;
    struct ramfs_make make = {.mode = node->mode, .volume = volume};
    struct entry *entry = NULL;
    struct name name = {node->name, (unsigned)string_length(node->name)};
    int error = ramfs_make(root, name, &nobody, &make, &entry);
    if (error)
        return error;
    /* A directory of the tree's until now, and empty: its content is generated from here on. */
    struct inode *inode = entry->inode;
    directory_free(inode->directory);
    inode->ops = &directory_ops;
    inode->number = 1;
    inode->generated.node = node;
    inode->generated.subject = 0;
    entry_put(entry);
    return 0;
}

int procfs_mount(struct inode *root)
{
    return generated_mount(root, &root_node, &proc_volume);
}
