/* kernel/task/lifecycle.h: from fork to wait */
#ifndef KERNEL_TASK_LIFECYCLE_H
#define KERNEL_TASK_LIFECYCLE_H

#include "task/task.h"

#define KERNEL_STACK_BYTES 16384u

extern struct list all_processes;

/* The processor uses these tables from now on; or not any more, since they go. */
void mm_use(struct quire_mm *mm);
void mm_leave(struct quire_mm *mm);

/* A thread of `process`, which doesn't run yet; its frame is all zero. NULL: no memory, or too many
 * tasks. */
QUIRE_MUST_CHECK struct task *task_create(struct process *process);
/* There are as many as there can be: -EAGAIN of fork and clone. */
bool tasks_are_full(void);
/* What task_create made, before it ran; or, once, a task that ended. */
void task_free(struct task *task);
/* A task of the kernel's own, without memory of a program's: runs `run` and never ends. */
QUIRE_MUST_CHECK struct task *task_create_kernel(const char *name, void (*run)(void));

/* Where a new task begins, called on its stack: the end of the switch to it. */
void task_begin(struct trap_frame *frame);
/* clone.c: what a child does first. */
void leave_fork(struct trap_frame *frame);
/* sched.c: what comes after a switch, on the new stack. */
void sched_finish_switch(struct task *previous);
struct task *sched_switched_from(void);

/* A process without threads, with a reference to `mm`, that has what `like` has of
 * rights, limits and handlers, and is a child of `parent`. Both NULL: of the kernel. NULL: no
 * memory. */
QUIRE_MUST_CHECK struct process *process_create(struct process *parent, const struct process *like,
                                                struct quire_mm *mm);
/* Takes the caller's reference of `exe`, and his inode_run_begin; gives back those of the one
 * before. NULL: it runs none any more. May sleep. */
void process_set_exe(struct process *process, struct file *exe);
/* A process without threads and children that nobody waits for goes. */
void process_free(struct process *process);
struct process *process_find(int pid);
struct task *task_find(int tid);

struct clone_arguments {
    uint64_t flags;
    uintptr_t stack, parent_tid, child_tid, tls;
    int exit_signal;
    /* Called as soon as there is a child, which hasn't run yet: nothing fails from here on. NULL,
     * or it doesn't sleep. */
    void (*born)(void *arg, const struct process *child);
    void *arg;
};
/* fork(2), vfork(2), clone(2): the child's number, or -errno. */
QUIRE_MUST_CHECK int task_clone(const struct clone_arguments *arguments);

/* The running task has its table of files, its directories, or both for itself alone: -ENOMEM. May
 * sleep. */
QUIRE_MUST_CHECK int task_unshare_files(bool files, bool fs);
/* It has neither any more. May sleep. */
void task_put_files(struct task *task);

/* Others who share the memory learn that the thread no longer uses it: its locks, and the word that
 * CLONE_CHILD_CLEARTID names. */
void task_leave_mm(struct task *task);

/* The running thread ends; with `status` (as wait4 has it) if it is the process's last one. */
_Noreturn void task_exit(int status);
/* All threads of the process end, this one at once. */
_Noreturn void process_exit(int status);
/* The same from outside: its threads end when they come to user mode. */
void process_kill(struct process *process, int status);

/* A new process has somebody else's memory: its own counts begin now. */
void process_joined_mm(struct process *process);
/* execve and exit: counts of its memory are kept, and it goes when nobody else uses it. */
void process_drop_mm(struct process *process);

/* For execve: returns when the running thread is the process's only one, with its number. -EINTR:
 * the process ends, or another thread was first. */
QUIRE_MUST_CHECK int end_other_threads(void);

struct rusage_times {
    uint64_t user_ns, system_ns;
    unsigned long min_flt, maj_flt, max_rss;
};
void process_times(struct process *process, struct rusage_times *times);

/* ITIMER_REAL of all processes; called by the clock's tick. */
void timers_expire(uint64_t now);
void timer_set(struct process *process, uint64_t next, uint64_t interval);

#endif
