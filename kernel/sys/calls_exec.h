/* kernel/sys/calls_exec.h: system calls of exec.c */
#ifndef KERNEL_SYS_CALLS_EXEC_H
#define KERNEL_SYS_CALLS_EXEC_H

#include "syscall.h"

syscall_fn sys_execve, sys_execveat;

#endif
