/* kernel/sys/calls_memory.h: system calls of memory: memory.c, process_vm.c, shm.c,
 * swap.c, mempolicy.c, move_pages.c, memory_more.c, pidfd.c */
#ifndef KERNEL_SYS_CALLS_MEMORY_H
#define KERNEL_SYS_CALLS_MEMORY_H

#include "syscall.h"

syscall_fn sys_brk, sys_mmap, sys_munmap, sys_mprotect, sys_mremap, sys_madvise, sys_mincore,
    sys_msync, sys_mlock, sys_mlock2, sys_munlock, sys_mlockall, sys_munlockall;
syscall_fn sys_mbind, sys_set_mempolicy, sys_get_mempolicy, sys_set_mempolicy_home_node,
    sys_move_pages, sys_migrate_pages;
syscall_fn sys_remap_file_pages, sys_cachestat, sys_pkey_mprotect, sys_pkey_alloc, sys_pkey_free,
    sys_pidfd_open, sys_process_madvise, sys_process_mrelease, sys_userfaultfd;
#if defined(__x86_64__)
syscall_fn sys_mseal;
#endif
syscall_fn sys_swapon, sys_swapoff;
syscall_fn sys_process_vm_readv, sys_process_vm_writev, sys_membarrier;
syscall_fn sys_shmget, sys_shmat, sys_shmdt, sys_shmctl;
#if !defined(__x86_64__)
syscall_fn sys_old_mmap, sys_mmap2, sys_ipc;
#endif

#endif
