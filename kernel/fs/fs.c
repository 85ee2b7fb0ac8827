/* kernel/fs/fs.c: the tree as a program finds it */
#include "fs/fs.h"

#include "fs/devices.h"
#include "fs/directory.h"
#include "fs/options.h"
#include "fs/procfs.h"
#include "fs/ramfs.h"
#include "fs/sysfs.h"
#include "string.h"

struct inode *fs_root;

static struct volume root_volume = {.type = "tmpfs", .at = "/", .minor = 16, .magic = 0x01021994};
static struct volume dev_volume = {
    .type = "devtmpfs", .at = "/dev", .minor = 5, .magic = 0x01021994};

static struct volume shm_volume = {
    .type = "tmpfs", .at = "/dev/shm", .minor = 22, .magic = 0x01021994};

static const struct credentials nobody_but_root;

static int make_directory(struct inode *parent, const char *text, unsigned mode,
                          struct volume *volume, struct inode **inode)
{
    struct entry *entry = NULL;
    struct ramfs_make make = {.mode = S_IFDIR | mode, .volume = volume};
    struct name name = {text, (unsigned)string_length(text)};
    int error = ramfs_make(parent, name, &nobody_but_root, &make, &entry);
    if (!error && inode)
        *inode = entry->inode;
    entry_put(entry);
    return error;
}

int fs_init(void)
{
    struct inode *dev = NULL, *boot = NULL;
    fs_root = ramfs_root(&root_volume);
    int error = fs_root ? make_directory(fs_root, "dev", 0755, &dev_volume, &dev) : -ENOMEM;
    if (!error)
        error = devices_populate(dev);
    if (!error) /* where shm_open and sem_open have their files */
        error = make_directory(dev, "shm", S_ISVTX | 0777, &shm_volume, NULL);
    if (!error)
        error = procfs_mount(fs_root);
    if (!error)
        error = sysfs_mount(fs_root);
    if (!error)
        error = make_directory(fs_root, "tmp", 01777, NULL, NULL);
    if (!error)
        error = make_directory(fs_root, "root", 0700, NULL, NULL);
    if (!error)
        error = make_directory(fs_root, "etc", 0755, NULL, NULL);
    if (!error)
        error = make_directory(fs_root, "boot", 0755, NULL, &boot);
    if (!error)
        error = options_populate(boot);
    return error;
}

/* Takes names out where it finds a directory without any below, until the root is empty. */
void fs_destroy(void)
{
    struct inode *directory = fs_root;
    while (fs_root->directory->count) {
        struct list *first = directory->directory->order.next;
        struct entry *entry = quire_container_of(first, struct entry, order);
        if (!directory->directory->count) {
            struct inode *above = directory->entry->parent;
            directory_take_out(above->directory, directory->entry);
            entry_put(directory->entry);
            directory = above;
        } else if (inode_is(entry->inode, S_IFDIR) && ramfs_is_kept(entry->inode)) {
            directory = entry->inode;
        } else {
            directory_take_out(directory->directory, entry);
            entry_put(entry);
        }
    }
    inode_put(fs_root);
    fs_root = NULL;
}
