/* kernel/task/core_dump.h: what a signal leaves of a process (man 5 core)
 *
 * A file of the ELF form, as debuggers read it: registers of all threads and what else is known of
 * the process in notes, and its memory in segments.
 */
#ifndef KERNEL_TASK_CORE_DUMP_H
#define KERNEL_TASK_CORE_DUMP_H

#include "task/task.h"

/* kernel.core_pattern, kernel.core_uses_pid: fs/proc_sys.c. */
#define CORE_PATTERN_BYTES 128
extern char core_pattern[CORE_PATTERN_BYTES];
extern bool core_uses_pid;

/* /proc/PID/coredump_filter: which areas have their content in it. */
#define CORE_ANON_PRIVATE 0x01u
#define CORE_ANON_SHARED 0x02u
#define CORE_FILE_PRIVATE 0x04u
#define CORE_FILE_SHARED 0x08u
#define CORE_ELF_HEADERS 0x10u
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_ALL 0x1ffu

/* By the process's limit and rights, and the pattern. */
bool core_is_wanted(const struct process *process);
/* Of the current process, for this signal; its other threads stay where they are. True: there is a
 * core, be it one that was cut at RLIMIT_CORE or where the disk was full. May sleep. */
bool core_dump(const struct signal_info *info);

#endif
