/* kernel/task/sched.h: whose turn it is
 *
 * Tasks that can run wait in one queue, first come, first served; a turn ends after TURN_NS, which
 * is looked at on the way back to user mode. The machine's first stack becomes the idle task, which
 * runs when the queue is empty and waits for interrupts.
 */
#ifndef KERNEL_TASK_SCHED_H
#define KERNEL_TASK_SCHED_H

#include "cpu.h"
#include "task/task.h"

#define TICKS_PER_SECOND 250u
#define TURN_NS 10000000u

/* The caller becomes the idle task; the timer begins to tick. */
void sched_init(void);
/* Runs others whenever it can, for ever. */
_Noreturn void sched_idle(void);
/* Runs that on the idle task's stack in its place, for ever. */
_Noreturn void sched_run_idle(void (*run)(void));

/* A new task's first turn comes in time. */
void sched_add(struct task *task);
/* Gives way to the next task that can run. `current` comes back unless its state is TASK_DEAD:
 * then whoever runs next calls task_free for it. */
void schedule(void);
/* The same from anywhere: not while there are no tasks yet, nor for the idle task. */
void sched_yield(void);
/* The same for a loop of the kernel's that may be long. Interrupts come in only while a program or
 * the idle task runs: if nobody can run, that one has a moment, so that the timer and devices wake
 * those who sleep. */
void sched_let_others_run(void);
/* Where time went since the last sched_account, which passes it on to `current` and its process. So
 * coming in and out of user mode costs a look at the counter and no more; who reads the times of
 * `current` calls sched_account first. In ticks of the counter. */
struct sched_time {
    uint64_t switched; /* when it last came in or out */
    uint64_t user, system;
};
extern struct sched_time sched_time;

static inline void sched_enter_kernel(void)
{
    uint64_t now = cpu_ticks();
    sched_time.user += now - sched_time.switched;
    sched_time.switched = now;
}

static inline void sched_leave_kernel(void)
{
    uint64_t now = cpu_ticks();
    sched_time.system += now - sched_time.switched;
    sched_time.switched = now;
}

/* What `current` has done up to now is counted as the kernel's work for it. */
void sched_account(void);

/* There may be something to look at before a program goes on: a signal, the end, another's turn.
 * Who changes such a thing says so; a task that comes back, and an interrupt, always do. So most
 * returns from calls and page faults look at one word. */
extern bool sched_attention;

static inline void sched_attend(void)
{
    sched_attention = true;
}

/* One task runs at a time, so what its memory counts meanwhile are its faults: they are added to
 * its own when it gives way, and before it changes its memory; then the count begins anew. */
void sched_account_faults(void);
void sched_begin_faults(void);
/* For /proc/stat, since the start: changes from one task to another; processes and threads made. */
struct sched_counts {
    uint64_t switches, forks;
};
extern struct sched_counts sched_counts;
/* Has another's turn come? */
bool sched_turn_is_over(void);
/* It has lasted long enough, whether or not somebody waits for his. */
bool sched_turn_has_passed(void);

/* Wakes one task, whatever it waits for, if signals may interrupt it; or if its end may. */
void sched_interrupt(struct task *task);
void sched_interrupt_for_end(struct task *task);

/* Sleeps while *word is `value`; word NULL: just sleeps. Errors are event_wait's. */
int sched_sleep(const uint32_t *word, uint32_t value, enum sleep sleep, uint64_t deadline);
/* Wakes up to `most` of those who sleep on `word`, longest first; their number. */
unsigned sched_wake(const uint32_t *word, unsigned most);

#endif
