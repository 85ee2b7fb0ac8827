/* kernel/sys/calls_time.h: system calls about time */
#ifndef KERNEL_SYS_CALLS_TIME_H
#define KERNEL_SYS_CALLS_TIME_H

#include "syscall.h"

/* time.c */
syscall_fn sys_clock_gettime, sys_clock_getres, sys_clock_settime, sys_gettimeofday,
    sys_settimeofday, sys_time, sys_times;
/* sleep.c */
syscall_fn sys_nanosleep, sys_clock_nanosleep;
/* itimer.c */
syscall_fn sys_alarm, sys_getitimer, sys_setitimer;
/* posix_timer.c */
syscall_fn sys_timer_create, sys_timer_delete, sys_timer_settime, sys_timer_gettime,
    sys_timer_getoverrun, sys_timer_settime64, sys_timer_gettime64;
/* i386 only: with times of 64 bits; stime */
syscall_fn sys_clock_gettime64, sys_clock_getres_time64, sys_clock_nanosleep_time64, sys_stime;

#endif
