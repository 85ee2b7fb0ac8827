/* malloc/self.h: what a thread has of the heap, and the way into its slow paths
 *
 * A thread is numbered and attached when it first comes by, and detached by a destructor of
 * thread-specific data; what it calls after that works without stacks. A slow path stands between
 * heap_enter and heap_leave, which fork knows of: see fork.c.
 */
#ifndef QUIRE_MALLOC_SELF_H
#define QUIRE_MALLOC_SELF_H

#include "heap/cache.h"

#pragma GCC visibility push(hidden)

enum thread_state { THREAD_NEW, THREAD_ATTACHED, THREAD_ENDED };

struct thread {
    struct quire_heap_cache cache;
    struct thread *next, **link; /* in `threads` */
    uint32_t number;             /* self_number */
    uint32_t inside;             /* slow paths that the thread is in: two in a signal handler */
    uint32_t waiting;            /* for a lock or the gate, and holds nothing that others need */
    enum thread_state state;
};

extern QUIRE_MALLOC_TLS struct thread self;

/* The range of the heap, for the hot path; before there is one, a map of nothing. */
extern char *heap_base;
extern size_t heap_size;
extern struct quire_heap *heap; /* NULL: not yet */

/* False: there is no heap, and no memory to make one; errno is ENOMEM. */
bool heap_enter(void);
void heap_leave(void);

/* ---- start.c --------------------------------------------------------------------------------- */

bool heap_start(void);

/* ---- thread.c -------------------------------------------------------------------------------- */

extern struct thread *threads;
extern quire_port_spinlock_t threads_lock;
/* Numbers given to threads so far. */
extern uint32_t last_number;
void threads_start(void);
/* Gives this thread's blocks back; from now on it has no stacks. In a slow path. */
void thread_close_stacks(void);

/* ---- fork.c ---------------------------------------------------------------------------------- */

/* The number of who forks, and keeps all others out of slow paths; 0: nobody. */
extern uint32_t gate;
void fork_start(void);
/* Waits until the gate is open. */
void gate_wait(void);
/* Whether this process is a child that was made behind our back, by _Fork or clone: then what
 * threads of the parent held is nobody's. */
void fork_check(void);
/* Whether a lock's owner is a thread that was left in the parent. */
bool owner_is_gone(uint32_t number);

/* ---- system.c -------------------------------------------------------------------------------- */

extern const struct quire_heap_ops system_ops;
/* Reserves addresses for the heap; NULL: there are none. */
char *system_reserve(size_t *size);
void futex_wait(const uint32_t *word, uint32_t value);
void futex_wake(const uint32_t *word);

/* ---- message.c ------------------------------------------------------------------------------- */

/* A line on stderr, without allocating. printf-like as base/text.h. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);
void write_stderr(void *arg, const char *text, size_t length);
void message_mistake(void *arg, const void *ptr, const char *text);

#pragma GCC visibility pop

#endif
