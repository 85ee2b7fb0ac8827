/* kernel/sys/abi_memory.h: structures of programs, as the running class has them (x86-64, i386) */
#ifndef KERNEL_SYS_ABI_MEMORY_H
#define KERNEL_SYS_ABI_MEMORY_H

#include <quire/vm.h>

#if defined(__x86_64__)
#define USER_END quire_mm_layout_x86_64.end
#else
#define USER_END quire_mm_layout_i386.end
#endif

/* ---- mmap ------------------------------------------------------------------------------------ */

/* What i386's first mmap points to. */
struct abi_mmap {
    uint32_t address, length, prot, flags, fd, offset;
};

struct abi_iovec {
    uintptr_t base;
    size_t length;
};

/* ---- System V shared memory (asm-generic/ipcbuf.h, shmbuf.h) --------------------------------- */

struct abi_ipc_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint32_t mode; /* of 16 bits and padding on i386 */
    uint16_t sequence, pad;
    unsigned long unused[2];
};

/* A time of 64 bits, of which i386 has the upper half in a word of its own. */
struct abi_shm_time {
    unsigned long low;
#if !defined(__x86_64__)
    unsigned long high;
#endif
};

struct abi_shmid {
    struct abi_ipc_perm perm;
    unsigned long size;
    struct abi_shm_time attached, detached, changed;
    int32_t creator, last;
    unsigned long nr_attached, unused[2];
};

struct abi_shminfo {
    unsigned long max, min, max_segments, max_of_process, all, unused[4];
};

struct abi_shm_info {
    int32_t nr_segments;
    unsigned long pages, resident, swapped, swap_attempts, swap_successes;
};

#if defined(__x86_64__)
_Static_assert(sizeof(struct abi_ipc_perm) == 48 && sizeof(struct abi_shmid) == 112 &&
                   sizeof(struct abi_shminfo) == 72 && sizeof(struct abi_shm_info) == 48,
               "Linux's layouts on x86-64");
#else
_Static_assert(sizeof(struct abi_ipc_perm) == 36 && sizeof(struct abi_shmid) == 84 &&
                   sizeof(struct abi_shminfo) == 36 && sizeof(struct abi_shm_info) == 24,
               "Linux's layouts on i386");
#endif

#endif
