/* kernel/fs/directory.h: the names in a directory that is kept in memory
 *
 * A hash table by name, for directories of thousands of files, and a list in the order of making,
 * for listing.
 *
 *   invariant   an entry is in one bucket and in the list as long as it is linked; `linked` says so
 *   bound       a bucket has 2 entries on average at most
 */
#ifndef KERNEL_FS_DIRECTORY_H
#define KERNEL_FS_DIRECTORY_H

#include "fs/inode.h"

struct directory {
    struct entry **bucket;
    unsigned nr_buckets; /* a power of two */
    unsigned count;
    struct list order;
    uint64_t last_position;
};

/* NULL: no memory. */
struct directory *directory_new(void);
/* It is empty. */
void directory_free(struct directory *directory);

/* Not counted; NULL: no such name. */
struct entry *directory_entry(const struct directory *directory, struct name name);
/* Room for one more name: what follows can't fail. May sleep. -ENOMEM. */
int directory_reserve(struct directory *directory);
/* Neither sleeps. The name isn't there; the directory gets the caller's reference. */
void directory_insert(struct directory *directory, struct entry *entry);
/* The caller gets the directory's reference. */
void directory_take_out(struct directory *directory, struct entry *entry);

#endif
