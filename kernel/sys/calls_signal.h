/* kernel/sys/calls_signal.h: system calls about signals, and futexes */
#ifndef KERNEL_SYS_CALLS_SIGNAL_H
#define KERNEL_SYS_CALLS_SIGNAL_H

#include "syscall.h"

/* signal.c */
syscall_fn sys_rt_sigaction, sys_rt_sigprocmask, sys_rt_sigpending, sys_rt_sigsuspend, sys_pause,
    sys_rt_sigtimedwait, sys_sigaltstack, sys_rt_sigreturn;
/* kill.c */
syscall_fn sys_kill, sys_tkill, sys_tgkill, sys_rt_sigqueueinfo, sys_rt_tgsigqueueinfo,
    sys_pidfd_send_signal;
/* futex.c */
syscall_fn sys_futex, sys_set_robust_list, sys_get_robust_list;
/* i386 only: with times of 64 bits; signal_old.c, with sets of 32 */
syscall_fn sys_rt_sigtimedwait_time64, sys_futex_time64;
syscall_fn sys_sigaction, sys_sigprocmask, sys_sigpending, sys_sigsuspend, sys_sigreturn,
    sys_signal, sys_sgetmask, sys_ssetmask;

#endif
