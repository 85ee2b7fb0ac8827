/* kernel/sys/table_x86_64.c: the system calls of x86-64 by number */
#include <stddef.h>

#include "syscall.h"

#define CALL(number, name) CALL_BY(number, name, name)
#define NONE(number, name)
#define CALL_BY(number, name, function) syscall_fn sys_##function;
#include "sys/list_x86_64.def"
#undef NONE
#undef CALL_BY

#define NONE(number, name) [number] = {NULL, #name},
#define CALL_BY(number, name, function) [number] = {sys_##function, #name},
const struct syscall_entry syscall_table[] = {
#include "sys/list_x86_64.def"
};

const unsigned nr_syscalls = sizeof syscall_table / sizeof syscall_table[0];
