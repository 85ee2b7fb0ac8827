/* kernel/task/task.h: processes and their threads
 *
 * A process is what shares memory and signal handlers: Linux's thread group. A task is one thread
 * of it, with a kernel stack, registers, a signal mask and signals of its own. There is one
 * CPU in use, and the kernel is preempted nowhere: a task gives way where it sleeps and before it
 * returns to user mode. So the kernel's own structures need no locks, as long as nothing that
 * sleeps lies between looking and acting; interrupt handlers only signal events.
 *
 * A process that shares its memory without being a thread (vfork, CLONE_VM) has a reference to the
 * same quire_mm. Open files and directories are a task's, each counted: a process's threads mostly
 * have the same (CLONE_FILES, CLONE_FS), but needn't. Handlers are a process's, or with
 * CLONE_SIGHAND those of several.
 */
#ifndef KERNEL_TASK_TASK_H
#define KERNEL_TASK_TASK_H

#include <quire/numa.h>

#include "base/list.h"
#include "event.h"
#include "kernel.h"
#include "task/attributes.h"
#include "task/credentials.h"
#include "task/signal.h"

struct files;      /* fs/files.h: open files by descriptor */
struct fs_context; /* fs/path.h: root, working directory, umask */
struct file;

#define TASK_NAME_BYTES 16
#define NR_RLIMITS 16 /* task/limits.h */

struct rlimit64 {
    uint64_t current, max;
};

struct process {
    int pid, pgid, sid;
    struct process *parent;
    struct list children, sibling; /* of the parent's children */
    struct list all;               /* of all processes */
    struct list threads;
    unsigned nr_threads;

    struct quire_mm *mm;
    struct ldt *ldt; /* i386/ldt.c; NULL: none was written */
    struct file *exe;
    uintptr_t vdso; /* where it is mapped */
    char name[TASK_NAME_BYTES];
    struct credentials credentials;
    struct process_attributes attributes;
    struct rlimit64 limit[NR_RLIMITS];
    int oom_score_adj;

    struct signal_actions *actions;
    struct list actions_sharers; /* other processes that have the same: CLONE_SIGHAND */
    struct signal_queue pending; /* to whichever thread takes them */
    struct itimer {
        uint64_t next, interval;              /* ns; next 0: off */
    } itimer, itimer_virtual, itimer_profile; /* of user_ns, and of both kinds of time */

    struct list posix_timers;
    unsigned nr_posix_timers;
    int next_posix_timer; /* the number that is given next */

    bool exiting;          /* all threads end, with `status` */
    struct task *survivor; /* of an execve: all others end */
    struct task *dumper;   /* writes a core: all others wait before they come to user mode */
    struct event thread_ended;
    bool zombie;             /* all have ended; the parent hasn't waited yet */
    bool told;               /* stats.c has written its line */
    bool stopped, continued; /* by a signal */
    bool reported;           /* the parent has been told */
    int stop_signal;
    int status;               /* as wait4 gives it */
    int exit_signal;          /* to the parent; 0: none */
    struct event child_event; /* some child's state changed */
    struct event vfork_done;  /* a child of vfork has left this one's memory */
    int vfork_parent;         /* who waits for that; 0: nobody */
    uint64_t user_ns, system_ns, children_user_ns, children_system_ns;
    unsigned long min_flt, maj_flt, children_min_flt, children_maj_flt; /* of ended memory */
    unsigned long max_rss, children_max_rss;                            /* pages */
    uint64_t start_ns;
};

/* What ends a sleep beside what it waits for: nothing, the process's end, a signal. */
enum sleep { SLEEP_UNINTERRUPTIBLE, SLEEP_KILLABLE, SLEEP_INTERRUPTIBLE };

enum task_state { TASK_RUNNING, TASK_SLEEPING, TASK_DEAD };

struct task {
    int tid;
    char name[TASK_NAME_BYTES]; /* of a thread that was given one; else the process's */
    struct process *process;
    struct list thread; /* of the process's */
    struct list queue;  /* of those that can run, or that sleep on a word */
    enum task_state state;
    const void *word; /* slept on */
    enum sleep sleep;
    uint64_t deadline; /* of the sleep */

    char *stack;              /* the kernel's; grows down from its end */
    void *stack_pointer;      /* while another runs */
    struct trap_frame *frame; /* of user mode, at the stack's end */
    struct files *files;      /* both NULL: the kernel's own, or it ends */
    struct fs_context *fs;
    struct arch_task arch; /* segments for thread-local storage, FPU */

    struct quire_fault_cache fault_cache;
    struct quire_numa_thread numa;
    unsigned nr_without_memory; /* faults in a row that got none */
    uint64_t blocked;           /* signals */
    uint64_t waiting;           /* that sigtimedwait takes, blocked or not */
    bool in_stop;               /* sleeps until the process goes on */
    bool ending;                /* in task_exit: no fault of it waits for a monitor */
    uint64_t restart_deadline;  /* of a sleep that is to be begun anew; 0: none */
    uint64_t saved_blocked;     /* by sigsuspend, until the handler has its frame */
    bool restore_blocked;
    struct signal_queue pending;
    struct signal_stack alternate;
    uintptr_t set_child_tid, clear_child_tid, robust_list, robust_list_size;
    void (*kernel_main)(void);        /* of a task of the kernel's own */
    unsigned trap_vector, trap_error; /* the last exception, for signal frames */
    uintptr_t trap_address;
    uint64_t user_ns, system_ns;    /* up to the last sched_account */
    unsigned long min_flt, maj_flt; /* up to the last switch, and what its memory counted then: */
    unsigned long mm_min_flt, mm_maj_flt;
    uint64_t fail_nth, fail_count; /* task/fail_nth.h */
};

extern struct task *current;

static inline struct process *current_process(void)
{
    return current->process;
}

#endif
