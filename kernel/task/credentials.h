/* kernel/task/credentials.h: on whose behalf something is done
 */
#ifndef KERNEL_TASK_CREDENTIALS_H
#define KERNEL_TASK_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_GROUPS 65536u

/* Counted, and never changed once it is a process's: readers that sleep hold it. */
struct group_list {
    unsigned refs, count;
    uint32_t gid[]; /* ascending; groups may be named twice */
};

struct credentials {
    uint32_t uid, euid, suid, gid, egid, sgid;
    struct group_list *groups; /* supplementary; NULL: none. Whoever copies this counts it */
};

/* To be filled and sorted. NULL: no memory. May sleep. */
struct group_list *groups_create(unsigned count);
void groups_sort(struct group_list *groups);
/* NULL is none. */
struct group_list *groups_get(struct group_list *groups);
void groups_put(struct group_list *groups);
/* The effective one, or a supplementary one. O(log groups). */
bool credentials_in_group(const struct credentials *who, uint32_t gid);

#endif
