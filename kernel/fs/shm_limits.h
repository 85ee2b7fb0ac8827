/* kernel/fs/shm_limits.h: how much System V shared memory there may be: /proc/sys/kernel/shm* */
#ifndef KERNEL_FS_SHM_LIMITS_H
#define KERNEL_FS_SHM_LIMITS_H

#include <stdint.h>

/* What they are at first; of indices of segments there are no more. */
#define SHM_MAX_SEGMENTS 4096
#define SHM_INDICES 32768
#define SHM_ANY_ID (-1)
#define SHM_MAX_BYTES (~0ul - (1ul << 24))

struct shm_limits {
    uint64_t bytes;    /* of one: shmmax */
    uint64_t pages;    /* of all: shmall */
    uint64_t segments; /* shmmni */
    int64_t next_id;   /* shm_next_id: the next segment's, if its index is free; -1: any */
};
extern struct shm_limits shm_limits;

#endif
