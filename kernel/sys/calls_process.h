/* kernel/sys/calls_process.h: system calls of processes: process.c, clone.c, wait.c, credentials.c
 */
#ifndef KERNEL_SYS_CALLS_PROCESS_H
#define KERNEL_SYS_CALLS_PROCESS_H

#include "syscall.h"

syscall_fn sys_getpid, sys_gettid, sys_getppid, sys_setpgid, sys_getpgid, sys_getpgrp, sys_setsid,
    sys_getsid, sys_set_tid_address, sys_exit, sys_exit_group;
syscall_fn sys_fork, sys_vfork, sys_clone, sys_clone3, sys_unshare;
syscall_fn sys_wait4, sys_waitid;
syscall_fn sys_getuid, sys_geteuid, sys_getgid, sys_getegid, sys_getresuid, sys_getresgid,
    sys_setuid, sys_setgid, sys_setreuid, sys_setregid, sys_setresuid, sys_setresgid, sys_getgroups,
    sys_setgroups, sys_setfsuid, sys_setfsgid;
#if !defined(__x86_64__)
syscall_fn sys_waitpid;
/* Numbers of 16 bits: credentials16.c. */
syscall_fn sys_getuid16, sys_geteuid16, sys_getgid16, sys_getegid16, sys_getresuid16,
    sys_getresgid16, sys_setuid16, sys_setgid16, sys_setreuid16, sys_setregid16, sys_setresuid16,
    sys_setresgid16, sys_getgroups16, sys_setgroups16, sys_setfsuid16, sys_setfsgid16;
#endif

#endif
