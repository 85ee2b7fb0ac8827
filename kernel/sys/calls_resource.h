/* kernel/sys/calls_resource.h: system calls of limits, use and the machine: resource.c, system.c,
 * sched.c, prctl.c, capability.c, and calls.c of the architectures */
#ifndef KERNEL_SYS_CALLS_RESOURCE_H
#define KERNEL_SYS_CALLS_RESOURCE_H

#include "syscall.h"

syscall_fn sys_getrlimit, sys_setrlimit, sys_prlimit64, sys_getrusage;
syscall_fn sys_sysinfo, sys_uname, sys_getcpu, sys_syslog;
syscall_fn sys_sched_yield, sys_sched_getaffinity, sys_sched_setaffinity, sys_sched_getscheduler,
    sys_sched_setscheduler, sys_sched_getparam, sys_sched_setparam, sys_sched_get_priority_max,
    sys_sched_get_priority_min, sys_sched_rr_get_interval, sys_getpriority, sys_setpriority;
syscall_fn sys_prctl, sys_personality, sys_capget, sys_capset;
#if defined(__x86_64__)
syscall_fn sys_arch_prctl;
#else
syscall_fn sys_old_getrlimit, sys_sched_rr_get_interval_time64, sys_nice;
syscall_fn sys_set_thread_area, sys_get_thread_area, sys_modify_ldt;
#endif

#endif
