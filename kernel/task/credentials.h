/* kernel/task/credentials.h: on whose behalf something is done
 */
#ifndef KERNEL_TASK_CREDENTIALS_H
#define KERNEL_TASK_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_GROUPS 65536u

/* Root's rights in parts (man 7 capabilities). */
#define CAP_CHOWN 0u
#define CAP_DAC_OVERRIDE 1u
#define CAP_DAC_READ_SEARCH 2u
#define CAP_FOWNER 3u
#define CAP_FSETID 4u
#define CAP_KILL 5u
#define CAP_SETGID 6u
#define CAP_SETUID 7u
#define CAP_SETPCAP 8u
#define CAP_IPC_LOCK 14u
#define CAP_IPC_OWNER 15u
#define CAP_SYS_CHROOT 18u
#define CAP_SYS_PTRACE 19u
#define CAP_SYS_ADMIN 21u
#define CAP_SYS_NICE 23u
#define CAP_SYS_RESOURCE 24u
#define CAP_MKNOD 27u
#define CAP_SYSLOG 34u
#define NR_CAPABILITIES 41u
#define CAP_ALL (((uint64_t)1 << NR_CAPABILITIES) - 1)

/* Counted, and never changed once it is a process's: readers that sleep hold it. */
struct group_list {
    unsigned refs, count;
    uint32_t gid[]; /* ascending; groups may be named twice */
};

struct credentials {
    uint32_t uid, euid, suid, gid, egid, sgid;
    struct group_list *groups; /* supplementary; NULL: none. Whoever copies this counts it */
    /* Of capabilities those that it can't use now, and those that it can't come to use; so what is
     * all 0 is root, with all of them. `lost` is part of `lacks`. */
    uint64_t lacks, lost;
    uint64_t inheritable; /* told, and without effect: no file has capabilities */
};

static inline bool credentials_can(const struct credentials *who, unsigned capability)
{
    return !(who->lacks >> capability & 1);
}

/* Of somebody who has nothing but these ids. */
static inline struct credentials credentials_of(uint32_t uid, uint32_t gid)
{
    const uint64_t lacks = uid ? CAP_ALL : 0;
    return (struct credentials){.euid = uid, .egid = gid, .lacks = lacks, .lost = lacks};
}

/* To be filled and sorted. NULL: no memory. May sleep. */
struct group_list *groups_create(unsigned count);
void groups_sort(struct group_list *groups);
/* NULL is none. */
struct group_list *groups_get(struct group_list *groups);
void groups_put(struct group_list *groups);
/* The effective one, or a supplementary one. O(log groups). */
bool credentials_in_group(const struct credentials *who, uint32_t gid);

#endif
