/* kernel/task/signal.h: signals (man 7 signal)
 *
 * Bit n - 1 of a set is signal n. A signal below 32 is pending once, and once for each timer that
 * sends it; of those from 32 on every one is queued. What a handler is told of a standard signal is
 * that of the first one.
 */
#ifndef KERNEL_TASK_SIGNAL_H
#define KERNEL_TASK_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "event.h"
#include "kernel.h"

#define NR_SIGNALS 64
#define SIGNAL_BIT(number) ((uint64_t)1 << ((number)-1))

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPWR 30
#define SIGSYS 31

#define SIG_DFL 0u
#define SIG_IGN 1u
#define SIGNALS_STOP                                                                               \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define SIGNALS_QUEUED_FROM 32

#define SA_NOCLDSTOP 0x00000001ul
#define SA_NOCLDWAIT 0x00000002ul
#define SA_SIGINFO 0x00000004ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul

struct posix_timer; /* posix_timer.h */
struct process;
struct task;

struct signal_action {
    uintptr_t handler; /* 0: default, 1: ignore */
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

struct signal_actions {
    struct signal_action action[NR_SIGNALS]; /* of signal n at n - 1 */
};

struct signal_info {
    int number, code, error;
    int pid;
    uint32_t uid;
    int status;
    unsigned long user_ticks, system_ticks; /* of SIGCHLD */
    uintptr_t address, value;
    struct posix_timer *timer; /* whose signal it is, while both are there */
};

struct signal_queue {
    uint64_t set;
    struct list entries; /* of struct queued_signal */
    unsigned nr_entries;
};

struct signal_stack {
    uintptr_t base;
    unsigned long size; /* 0: there is none */
    int flags;          /* SS_DISABLE or 0, and SS_AUTODISARM */
};
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM ((int)0x80000000u)

/* Why a signal came: signal_info's code. */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_TKILL (-6)
#define BUS_MCEERR_AR 4 /* of SIGBUS */
/* SIGCHLD's, and what waitid tells. */
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

/* To a process: one of its threads takes it. Also from interrupt handlers. `info` may be NULL:
 * SI_KERNEL. Nothing is allocated when the signal is ignored; when there is no memory for what the
 * handler is told, the signal comes without. */
void signal_process(struct process *process, int number, const struct signal_info *info);
void signal_task(struct task *task, int number, const struct signal_info *info);
/* The running thread's own doing, as if it had sent it itself: SIGPIPE, SIGXFSZ. */
void signal_self(int number);
/* To every process of a group; -ESRCH: there is none. */
int signal_group(int pgid, int number, const struct signal_info *info);
/* To one thread, or with `task` NULL to the process; -EAGAIN: too many are queued. */
int signal_send(struct process *process, struct task *task, int number,
                const struct signal_info *info);

/* Signalled with each signal that becomes pending, also when it is blocked. */
extern struct event signal_came;

/* What is pending for a task, be it blocked or not. */
uint64_t signal_pending_set(const struct task *task);
/* Takes one of `set` from what is pending for `current`: its number; 0: there is none. */
int signal_take(uint64_t set, struct signal_info *info);

/* The mask of `current`; KILL and STOP are left out. What is no longer for it wakes others. */
void signal_set_blocked(uint64_t set);
/* `task` takes none of `set` any more, be it that it ends: other threads are woken for it. */
void signal_hand_over(struct task *task, uint64_t set);

/* By its handler or by default. */
bool signal_is_ignored(const struct process *process, int number);
/* What is pending goes when it is ignored from now on. */
void signal_set_action(struct process *process, int number, const struct signal_action *action);

/* Has `current` a signal to take now? */
bool signal_is_pending(void);

/* As execve wants it: what is ignored stays so, what is handled is the default again. */
void signal_reset_handlers(struct process *process);

/* Both have the same handlers from now on, those of `of`. */
void signal_share_actions(struct process *process, struct process *of);
/* Handlers of its own, that others don't change any more: -ENOMEM. May sleep. */
QUIRE_MUST_CHECK int signal_unshare_actions(struct process *process);
/* They go, unless others have them. */
void signal_leave_actions(struct process *process);

/* Nothing is pending any more. */
void signal_queue_clear(struct signal_queue *queue);

#endif
