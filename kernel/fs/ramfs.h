/* kernel/fs/ramfs.h: files and directories in memory, with tmpfs's rules */
#ifndef KERNEL_FS_RAMFS_H
#define KERNEL_FS_RAMFS_H

#include "fs/inode.h"

/* ---- directories: ramfs.c -------------------------------------------------------------------- */

/* An empty directory of no name: the tree's root. NULL: no memory. */
struct inode *ramfs_root(struct volume *volume);

/* What is to be made: its type and permissions, and what the type needs. */
struct ramfs_make {
    uint32_t mode;
    uint64_t device;
    const char *target;     /* of a symbolic link; copied */
    struct volume *volume;  /* NULL: the directory's */
    struct inode *existing; /* a further name for this one: only `volume` is looked at, too */
};
/* A new name in `directory`, and a reference to it in *entry (may be NULL). -EEXIST, -ENOENT: the
 * directory is removed; -EACCES; -ENOSPC, -ENOMEM; -EXDEV, -EPERM, -EMLINK of hard links. */
int ramfs_make(struct inode *directory, struct name name, const struct credentials *who,
               const struct ramfs_make *what, struct entry **entry);
/* An inode of no name; all but `mode`, `device` and `target` is ignored. NULL: no memory. */
struct inode *ramfs_make_inode(struct volume *volume, const struct credentials *who,
                               const struct ramfs_make *what);
/* A regular file of no name: O_TMPFILE, memfd. NULL: no memory. */
struct inode *ramfs_make_nameless(struct volume *volume, const struct credentials *who,
                                  uint32_t mode);

/* A name that was never linked, with one reference, for what /proc shows; takes none of its own to
 * `inode`: that becomes the entry's. NULL: no memory, and it stays the caller's. */
struct entry *ramfs_unlinked_entry(struct inode *parent, struct name name, struct inode *inode);

/* A reference to the name in *entry, or -ENOENT. Also of generated directories. */
int directory_find(struct inode *directory, struct name name, struct entry **entry);
/* Is a directory's content kept in it, not generated? */
bool ramfs_is_kept(const struct inode *directory);
/* "." and "..", and then as inode_ops.list. Also of generated directories. */
int directory_list(struct inode *directory, const struct inode *root, uint64_t *position,
                   list_fn *tell, void *arg);

/* unlink(2), or rmdir(2) if `directory_wanted`. */
int ramfs_remove(struct inode *directory, struct name name, const struct credentials *who,
                 bool directory_wanted);
/* renameat2(2). `slash`: one of the names ended with one, so it has to be a directory. */
struct ramfs_rename {
    struct inode *from, *to;
    struct name old, new;
    unsigned flags;
    bool slash;
};
int ramfs_rename(const struct ramfs_rename *rename, const struct credentials *who);

/* ---- regular files: ramfile.c ---------------------------------------------------------------- */

extern const struct inode_ops ramfile_ops;

/* Gives a new inode its empty content; -ENOMEM. */
int ramfile_init(struct inode *inode);
int64_t ramfile_read(struct inode *inode, uint64_t at, void *to, size_t size);
int64_t ramfile_read_user(struct inode *inode, uint64_t at, struct quire_mm *mm, uintptr_t to,
                          size_t size);
/* With the inode locked. Fewer bytes than asked for where a seal says so. -EFBIG, -EPERM: sealed;
 * -ENOSPC: files have half of the memory, and there is little free; -ENOMEM. */
int64_t ramfile_write(struct inode *inode, uint64_t at, const void *from, size_t size);
int64_t ramfile_write_user(struct inode *inode, uint64_t at, struct quire_mm *mm, uintptr_t from,
                           size_t size);
/* The same as ramfile_write for who began before there are programs: neither seals nor limits. */
int64_t ramfile_fill(struct inode *inode, uint64_t at, const void *from, size_t size);
int ramfile_truncate(struct inode *inode, uint64_t size);
/* fallocate(2). No page lies beyond the end, so with FALLOC_FL_KEEP_SIZE there is none to make. */
int ramfile_allocate(struct inode *inode, unsigned mode, uint64_t at, uint64_t size);
/* From `at`, which is before the end, on: where the next data is, or -ENXIO; or the next hole. */
int64_t ramfile_find(struct inode *inode, uint64_t at, bool data);
/* 0 of what isn't a regular file of the tree's, or a memfd. */
unsigned ramfile_seals(const struct inode *inode);
/* Locks the inode: a write that is under way ends before. */
int ramfile_add_seals(struct inode *inode, unsigned seals);
/* For mmap: what /proc/PID/maps shows from now on. -ENOMEM. */
int ramfile_show_name(struct inode *inode, const char *path);
/* The last name is gone: what is shown says so. */
void ramfile_name_deleted(struct inode *inode);

/* Bytes and 512-byte blocks of any inode; of a directory a number that tells how full it is. */
void ramfs_size(struct inode *inode, uint64_t *size, uint64_t *blocks);

#endif
