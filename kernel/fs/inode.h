/* kernel/fs/inode.h: what files are, whatever their names: the nodes of one tree
 *
 * An inode is a file, directory, symbolic link, pipe or device. An entry is a name of it in a
 * directory; a directory has one entry, others as many as they have hard links. Everything is
 * counted: an entry holds its inode and the directory that it is in, a directory holds an entry as
 * long as it is linked, and whoever works with either has a reference of his own.
 *
 * There is one tree. Its directories are either kept here (ramfs.c), with entries that can be
 * made, renamed and removed, or generated (procfs.c): then `ops` finds and lists, nothing can be
 * changed, and an inode and its only entry are one object that lasts as long as either is held.
 *
 * Nothing here knows programs or their memory: pointers are the kernel's, and on whose behalf
 * something is done is an argument. Nothing is preempted, so what doesn't sleep is atomic; what
 * allocates may sleep, so whatever was looked at before is looked at again.
 *
 *   invariant   nlink of a directory is 2 and one for each directory in it, 0 when removed; of all
 *               others the number of linked entries
 *   errors      0 or a negative errno of errno.h; what fails changes nothing
 */
#ifndef KERNEL_FS_INODE_H
#define KERNEL_FS_INODE_H

#include <quire/file.h>

#include "base/list.h"
#include "errno.h"
#include "event.h"
#include "fs/flags.h"
#include "task/credentials.h"

#define FS_NAME_MAX 255u
#define FS_PATH_MAX 4096u /* with the NUL */
#define FS_LINK_MAX 65000u

struct file;
struct inode;
struct entry;

/* One part of a path; not NUL-terminated. */
struct name {
    const char *text;
    unsigned length;
};

struct fs_time {
    int64_t seconds; /* since 1970 */
    uint32_t nanoseconds;
};

/* What stat(2) calls a device: inodes are numbered within it, links don't leave it. */
struct volume {
    const char *type; /* as in /proc/mounts */
    const char *at;
    unsigned minor;
    uint32_t magic;      /* of statfs(2) */
    uint32_t block_size; /* as stat(2) gives it; 0: a page */
    uint64_t last_number;
    unsigned long nr_pages; /* of its regular files, as they were counted last */
    unsigned long nr_inodes;
};

/* Told of each name in a directory; false: no room, stop before it. */
typedef bool list_fn(void *arg, struct name name, uint64_t number, unsigned type,
                     uint64_t next_position);

struct inode_ops {
    /* Of a generated directory. A new reference in *entry; -ENOENT. */
    int (*lookup)(struct inode *directory, struct name name, struct entry **entry);
    /* From *position on, which is 2 for the first after "." and ".."; left behind the last told. */
    int (*list)(struct inode *directory, uint64_t *position, list_fn *tell, void *arg);
    /* Of a generated symbolic link: at most `size` bytes; the length, or a negative errno. */
    int64_t (*read_link)(struct inode *inode, char *to, size_t size);
    /* Of one that leads to something whatever its path (/proc/PID/fd): references to both; the
     * entry may be NULL. NULL: the path that is read leads there. */
    int (*jump)(struct inode *inode, struct inode **to, struct entry **entry);
    /* Called when a file is opened: sets file->ops and file->data. */
    int (*open)(struct inode *inode, struct file *file);
    /* The last reference is gone. */
    void (*release)(struct inode *inode);
    /* Owner and mode are set before they are looked at. */
    void (*refresh)(struct inode *inode);
};

struct inode {
    unsigned refs;
    uint32_t mode, uid, gid, nlink;
    uint64_t number;
    struct volume *volume;
    uint64_t device; /* of a device node: makedev */
    struct fs_time accessed, modified, changed, born;
    const struct inode_ops *ops; /* never NULL */
    struct entry *entry;         /* of a directory; NULL: the root, or removed and unused */
    /* Open files that write it, and what runs it as a program: never both. */
    unsigned writers, runners;
    union {
        struct {
            struct quire_mapping *mapping;
            struct shown_names *names; /* what maps show */
            unsigned seals;
            unsigned long pages; /* as they were counted last */
        } regular;
        struct directory *directory;
        char *target; /* of a symbolic link */
        struct pipe *pipe;
        struct socket *socket; /* that is bound to it, not counted; NULL: none */
        struct {
            const void *node;
            uint64_t subject;
        } generated;
    };
    struct xattr *xattrs; /* xattr.c */
    struct list locks;    /* of ranges and of whole files: lock.h */
    bool busy;            /* inode_lock */
    struct event free;
};

struct entry {
    unsigned refs;
    bool linked;
    /* Lasts as long as its inode, whose references count instead: of a generated one, and of a
     * directory that was removed while somebody was in it. */
    bool with_inode;
    struct inode *parent, *inode;
    struct entry *next; /* in its bucket */
    struct list order;  /* of its directory's names, oldest first */
    uint64_t position;  /* grows along that list: a listing can go on behind what is gone */
    uint32_t hash;
    unsigned length;
    char *name;
};

/* Wall-clock time in ns since 1970; the port's clock until the machine sets another. */
extern uint64_t (*fs_clock_ns)(void);
struct fs_time fs_time_now(void);
struct fs_time fs_time_of_ns(uint64_t ns);

/* ---- references ------------------------------------------------------------------------------ */

/* An inode of no name with one reference, which `who` owns. NULL: no memory. */
struct inode *inode_new(struct volume *volume, const struct inode_ops *ops, uint32_t mode,
                        const struct credentials *who);
/* A generated one, with an entry that belongs to it: at `name` in `parent`. */
struct inode *inode_new_generated(struct volume *volume, const struct inode_ops *ops, uint32_t mode,
                                  struct inode *parent, struct name name);
struct inode *inode_get(struct inode *inode);
void inode_put(struct inode *inode); /* NULL is ignored */
struct entry *entry_get(struct entry *entry);
void entry_put(struct entry *entry); /* NULL is ignored */

/* Alone with it until unlock; sleeps through signals. Not from within copies of user memory. */
void inode_lock(struct inode *inode);
void inode_unlock(struct inode *inode);

/* Until _end of the same: -ETXTBSY, it runs, or somebody writes it. */
QUIRE_MUST_CHECK int inode_write_begin(struct inode *inode);
void inode_write_end(struct inode *inode);
QUIRE_MUST_CHECK int inode_run_begin(struct inode *inode);
void inode_run_end(struct inode *inode);

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
    return (inode->mode & S_IFMT) == type;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* 0 or -EACCES. root may everything but execute what nobody may. */
int inode_permission(const struct inode *inode, const struct credentials *who, unsigned may);
int inode_chmod(struct inode *inode, const struct credentials *who, uint32_t mode);
/* Who writes to a program, or changes its size, doesn't write what has another's rights: it loses
 * them, but for CAP_FSETID. */
void inode_written_by(struct inode *inode, const struct credentials *who);
/* UINT32_MAX: as it is. */
int inode_chown(struct inode *inode, const struct credentials *who, uint32_t uid, uint32_t gid);
/* NULL: as it is. `now`: both are the present, for which write permission will do. */
int inode_set_times(struct inode *inode, const struct credentials *who,
                    const struct fs_time *accessed, const struct fs_time *modified, bool now);
/* The content was changed, or looked at. */
void inode_touch(struct inode *inode);
void inode_accessed(struct inode *inode);

struct attributes {
    uint64_t device, number, rdev, size, blocks; /* of 512 bytes */
    uint32_t mode, nlink, uid, gid, block_size;
    struct fs_time accessed, modified, changed, born;
};
void inode_attributes(struct inode *inode, struct attributes *attributes);

/* The target of a symbolic link, without NUL: its length (cut at `size`), or a negative errno. */
int64_t inode_read_link(struct inode *inode, char *to, size_t size);

/* The path from `root` (NULL: the tree's) on, "(unreachable)" before it if it isn't below. The
 * length with NUL; -ERANGE: more than `size`; -ENOENT with `must_exist`: it was removed. */
int inode_path(struct inode *directory, const struct inode *root, bool must_exist, char *to,
               size_t size);
/* The same for a name; " (deleted)" behind it if it was removed. */
int entry_path(struct entry *entry, const struct inode *root, char *to, size_t size);

#endif
