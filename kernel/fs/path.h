/* kernel/fs/path.h: from paths to inodes (man 7 path_resolution) */
#ifndef KERNEL_FS_PATH_H
#define KERNEL_FS_PATH_H

#include "fs/inode.h"

/* A task's, or that of several. */
struct fs_context {
    struct inode *root, *cwd; /* counted */
    unsigned umask, refs;
    unsigned root_since, cwd_since; /* how many mounts there had been by then */
    struct list link;               /* of all contexts */
};

/* Counted by mount.c: of all that ever were. */
extern unsigned fs_mounts_so_far;

/* How many stand in this directory, as cwd or root, since before mount number `mounts`.
 * O(processes). */
unsigned fs_contexts_from_before(const struct inode *directory, unsigned mounts);

/* At the root of the tree. NULL: no memory. */
struct fs_context *fs_context_create(struct inode *root);
struct fs_context *fs_context_copy(const struct fs_context *context);
/* Another task has the same. */
struct fs_context *fs_context_share(struct fs_context *context);
void fs_context_put(struct fs_context *context);
/* Of chdir and chroot; takes a reference of its own. */
void fs_context_set_cwd(struct fs_context *context, struct inode *directory);
void fs_context_set_root(struct fs_context *context, struct inode *directory);

#define WALK_FOLLOW 1u    /* a symbolic link at the end, too */
#define WALK_EMPTY 2u     /* an empty path is `start` */
#define WALK_DIRECTORY 4u /* it has to be one */
#define WALK_MAKE 8u      /* the last name needn't exist: `inode` is NULL then */
#define WALK_PARENT 16u   /* the last name is to be removed or renamed: WALK_MAKE, never followed */

#define WALK_MAX_LINKS 40u

/* Where a path leads to. Each is counted, or NULL. */
struct walk {
    struct inode *inode;
    struct entry *entry;  /* of `inode`; NULL: the root, or `start` itself */
    struct inode *parent; /* that the last name is in; NULL: the path ends in no name (/, ., ..) */
    unsigned length;
    bool slash; /* behind the last name */
    bool dots;  /* the last part was "." or ".." */
    char name[FS_NAME_MAX + 1];
};

/* `start`: where relative paths begin; NULL: the working directory. 0: to be ended by walk_end. All
 * that path_resolution(7) says, and -ENOENT: empty. O(parts). May sleep. */
int path_walk(struct walk *walk, const struct fs_context *fs, const struct credentials *who,
              struct inode *start, const char *path, unsigned flags);
void walk_end(struct walk *walk);

static inline struct name walk_name(const struct walk *walk)
{
    return (struct name){walk->name, walk->length};
}

#endif
