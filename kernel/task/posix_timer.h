/* kernel/task/posix_timer.h: a process's timers, each with a signal of its own (man 2 timer_create)
 */
#ifndef KERNEL_TASK_POSIX_TIMER_H
#define KERNEL_TASK_POSIX_TIMER_H

#include "task/task.h"

enum posix_clock { POSIX_CLOCK_MACHINE, POSIX_CLOCK_PROCESS, POSIX_CLOCK_THREAD };

struct posix_timer {
    struct list link; /* of the process's */
    int id, signal;   /* signal 0: none, it is only asked */
    int tid;          /* whose signal; 0: any thread's */
    uintptr_t value;
    enum posix_clock clock;
    bool realtime;              /* absolute times are the world's */
    int clock_tid;              /* of POSIX_CLOCK_THREAD */
    uint64_t next, interval;    /* ns of its clock; next 0: off */
    uint64_t missed;            /* times it went off and no signal came of it */
    int overrun;                /* of the last signal that was taken */
    struct signal_info *queued; /* its signal that is pending; NULL: none */
};

/* The numbers are the process's own, from 0 on; *timer is its. -EAGAIN: no memory, or too many, of
 * the process or of all. */
QUIRE_MUST_CHECK int posix_timer_create(struct posix_timer **timer);
struct posix_timer *posix_timer_find(const struct process *process, int id);
void posix_timer_delete(struct process *process, struct posix_timer *timer);
/* exec, and the end. */
void posix_timers_clear(struct process *process);

/* What its clock says now. */
uint64_t posix_timer_now(const struct posix_timer *timer);
void posix_timer_set(struct posix_timer *timer, uint64_t next, uint64_t interval);
/* Until it goes off next; 0: it is off. */
uint64_t posix_timer_left(struct posix_timer *timer);

/* A signal that one sent isn't pending any more. If it is taken (info->timer), how often more it
 * would have come is told with it. */
void posix_timer_unqueued(struct posix_timer *timer);
void posix_timer_taken(struct signal_info *info);

/* By the clock's tick: those of the machine's clock that are due, and of the process that runs. */
void posix_timers_expire(uint64_t now);

#endif
