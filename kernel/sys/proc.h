/* kernel/sys/proc.h: /proc/PID: what is told of processes
 *
 * A subject's lower half is a process's number, its upper half a thread's, in task/. A descriptor
 * has its own in the upper half, and a thread's in the lower one, who has it. A process may end
 * whenever something sleeps: so what is told is first copied, and its address space held.
 */
#ifndef KERNEL_SYS_PROC_H
#define KERNEL_SYS_PROC_H

#include "fs/procfs.h"
#include "task/task.h"

/* What files learn from the machine: processes in /proc, the time, and noise. After fs_init. */
void proc_init(void);

static inline uint64_t proc_subject_of(int pid, uint32_t other)
{
    return (uint32_t)pid | (uint64_t)other << 32;
}

/* What /dev/userfaultfd leads to (userfault.c). */
void userfault_init(void);

/* NULL: it is gone. */
struct process *proc_process(uint64_t subject);
/* The thread, or a process's first one; NULL: that is gone. */
struct task *proc_task(uint64_t subject);
/* Its address space, with a reference to be put; NULL: it has none. -ESRCH. */
int proc_mm(uint64_t subject, struct quire_mm **mm);
/* A descriptor or a thread's number; -ENOENT: the name isn't one. */
int proc_parse_number(struct name name, uint32_t *number);

/* proc_status.c */
int proc_show_stat(struct text *text, uint64_t subject);
int proc_show_status(struct text *text, uint64_t subject);
int proc_show_limits(struct text *text, uint64_t subject);
void proc_statistics(struct proc_statistics *statistics);

/* proc_memory.c */
int proc_show_maps(struct text *text, uint64_t subject, uint64_t *from);
int proc_show_smaps(struct text *text, uint64_t subject, uint64_t *from);
int proc_show_smaps_rollup(struct text *text, uint64_t subject);
int proc_show_numa_maps(struct text *text, uint64_t subject, uint64_t *from);
int proc_store_clear_refs(uint64_t subject, const char *bytes, size_t size);
int proc_show_shm(struct text *text);
int proc_show_statm(struct text *text, uint64_t subject);
int64_t proc_read_pagemap(uint64_t subject, uint64_t at, void *to, size_t size);
int64_t proc_read_cmdline(uint64_t subject, uint64_t at, void *to, size_t size);
int64_t proc_read_environ(uint64_t subject, uint64_t at, void *to, size_t size);

/* proc_files.c */
int64_t proc_read_exe(uint64_t subject, char *to, size_t size);
int64_t proc_read_cwd(uint64_t subject, char *to, size_t size);
int64_t proc_read_root(uint64_t subject, char *to, size_t size);
int proc_jump_exe(uint64_t subject, struct inode **inode, struct entry **entry);
int proc_jump_cwd(uint64_t subject, struct inode **inode, struct entry **entry);
int proc_jump_root(uint64_t subject, struct inode **inode, struct entry **entry);
int proc_find_descriptor(struct inode *directory, struct name name, struct entry **entry);
int proc_list_descriptors(struct inode *directory, uint64_t *position, list_fn *tell, void *arg);

#endif
