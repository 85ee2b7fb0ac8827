/* kernel/sys/shm_segment.h: segments of System V shared memory, as shm.c's calls work with them
 *
 * A segment is a quire mapping without an owner, which areas share. How often it is attached nobody
 * counts: the mapping knows how many areas it has, through fork, exec and exit. That is Linux's
 * count, too, which grows when an area is split. A segment that is removed lives on until the last
 * area is gone; shm_reap (task/shm.h) finds that out.
 *
 *   invariant   who may sleep with a segment holds it: it stays then
 */
#ifndef KERNEL_SYS_SHM_SEGMENT_H
#define KERNEL_SYS_SHM_SEGMENT_H

#include <quire/file.h>

#include "base/list.h"
#include "fs/shm_limits.h"

#define IPC_PRIVATE 0
#define IPC_CREAT 01000u
#define IPC_EXCL 02000u
#define SHM_HUGETLB 04000u
#define SHM_NORESERVE 010000u

/* Beside the permissions, in shm_perm.mode. */
#define SHM_DEST 01000u
#define SHM_LOCKED 02000u
#define SHM_PERMISSIONS 0777u

#define SHM_NAME_BYTES 32

struct segment {
    struct list link;
    int index, sequence, key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint64_t size;
    struct quire_mapping *mapping;       /* NULL while it is made */
    int64_t attached, detached, changed; /* seconds since 1970 */
    int creator, last;
    unsigned holds;
    char name[SHM_NAME_BYTES];
};

/* Of all: in the order of their indices. */
struct segments {
    struct list list;
    unsigned count, nr_removed; /* of the latter those that are attached still */
    uint64_t nr_pages;
};
extern struct segments shm_segments;

static inline int segment_id(const struct segment *segment)
{
    return segment->sequence << 15 | segment->index;
}

static inline uint64_t segment_pages(uint64_t size)
{
    return (size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT;
}

/* -EINVAL; -EIDRM: its index is another segment's by now. */
int segment_find(int id, struct segment **found);
/* By the index in an id; by key; by its mapping. NULL: none. */
struct segment *segment_at(int id);
struct segment *segment_by_key(int key);
struct segment *segment_of(const struct quire_mapping *mapping);
int segment_highest_index(void);

/* A new one: its id. -EINVAL, -ENOSPC, -ENOMEM; -EEXIST: somebody made one of that key while this
 * one waited for memory. May sleep. */
int segment_create(int key, uint64_t size, unsigned flags);
/* Goes with its last area. */
void segment_remove(struct segment *segment);

void segment_hold(struct segment *segment);
void segment_release(struct segment *segment); /* may be its end */
/* How many areas and pages there are. May sleep. */
struct quire_mapping_info segment_info(struct segment *segment);

/* Of the current process. `wanted` has the permission bits in all three places, or in any. */
int segment_permission(const struct segment *segment, uint32_t wanted);
bool segment_is_users(const struct segment *segment);
bool segment_is_owner(const struct segment *segment);

#endif
