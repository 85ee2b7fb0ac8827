/* kernel/event.h: sleeping until something happens
 *
 * One primitive, that of the port: sleep while a word has a value. An event is such a word, counted
 * up whenever what it stands for changes; whoever waits reads it, looks whether he still has to
 * wait, and sleeps while it is what he read:
 *
 *     for (;;) {
 *         uint32_t seen = event_read(&pipe->changed);
 *         if (pipe->size)
 *             break;
 *         int error = event_wait(&pipe->changed, seen, NO_DEADLINE);
 *         if (error)
 *             return error;
 *     }
 *
 * Whoever waits for one of several things (poll) waits for `any_event`, which every signal of every
 * event counts up, too. The kernel isn't preempted, so what lies between two sleeps is atomic.
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include <stdint.h>

#define NO_DEADLINE UINT64_MAX /* otherwise ns as quire_port_clock_ns counts them */

struct event {
    uint32_t changes;
};
extern struct event any_event;

static inline uint32_t event_read(const struct event *event)
{
    return event->changes;
}

/* 0: signalled since `seen` was read (or woken for no reason); -EINTR: the task has a signal to
 * take; -ETIMEDOUT: the deadline is over. */
int event_wait(struct event *event, uint32_t seen, uint64_t deadline);
/* The same, and signals have to wait. */
void event_wait_uninterruptible(struct event *event, uint32_t seen);

/* The same but for the end of the process: -EINTR. */
int event_wait_killable(struct event *event, uint32_t seen);

/* Others have their turn, if it has come: for loops that are as long as a program wants, by whoever
 * knows of no tasks. May sleep. */
void event_give_way(void);

/* Who runs, and would be the one to sleep: only to be compared. */
const void *event_who(void);

/* Wakes all who wait. Also from interrupt handlers. */
void event_signal(struct event *event);

#endif
