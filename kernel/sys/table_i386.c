/* kernel/sys/table_i386.c: the system calls of i386 by number */
#include <stddef.h>

#include "syscall.h"

#define CALL(number, name) CALL_BY(number, name, name)
#define NONE(number, name)
#define CALL_BY(number, name, function) syscall_fn sys_##function;
#include "sys/list_i386.def"
#undef NONE
#undef CALL_BY

#define NONE(number, name) [number] = {NULL, #name},
#define CALL_BY(number, name, function) [number] = {sys_##function, #name},
const struct syscall_entry syscall_table[] = {
#include "sys/list_i386.def"
};

const unsigned nr_syscalls = sizeof syscall_table / sizeof syscall_table[0];
