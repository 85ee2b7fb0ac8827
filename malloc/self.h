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
/* What a thread in a slow path may do meanwhile: it paused, and changes nothing; or it waits for a
 * lock, and may hold another. */
enum waiting { WAITS_NOT, WAITS, WAITS_FOR_LOCK };

struct thread {
    struct quire_heap_cache cache;
    struct thread *next, **link; /* in `threads` */
    uint32_t inside;             /* slow paths that the thread is in: two in a signal handler */
    enum waiting waiting;
    uint32_t refused; /* the closing of the gate that it waited for in vain */
    uint32_t *place;  /* see gate.c */
    enum thread_state state;
};

extern QUIRE_MALLOC_TLS struct thread self;

/* The range of the heap, for the hot path; before there is one, nothing is in it.
 *
 * Zen 3 takes a load for one of what was just stored when the addresses end in the same twelve
 * bits, and is some cycles late when it wasn't. Blocks are written when they come and go, most
 * often at the first bytes of a page and at multiples of 32: there the hot path's variables must
 * not be. 59 is prime, so few classes have a block as far from a page's beginning. */
struct heap_range {
    _Alignas(1024) char unused[59 * MIN_ALIGN];
    char *base;
    size_t size;
};
_Static_assert(offsetof(struct heap_range, base) % (2 * MIN_ALIGN) == MIN_ALIGN,
               "blocks of most classes begin elsewhere in their page");
extern struct heap_range heap_range;
extern struct quire_heap *heap; /* NULL: not yet */

/* ---- gate.c ---------------------------------------------------------------------------------- */

/* False: there is no heap, and no memory to make one; errno is ENOMEM. */
bool heap_enter(void);
/* Doesn't wait long for a fork: false may also mean that the gate is still closed. For what a
 * program may call while it has a lock of the C library that fork waits for. */
bool heap_enter_soon(void);
void heap_leave(void);

/* The number of who forks, and keeps all others out of slow paths; 0: nobody. GATE_STRICT: he
 * interrupted a slow path, and may hold locks himself. */
extern uint32_t gate;
extern uint32_t gate_turn; /* how often it was closed */
#define GATE_STRICT 0x80000000u
/* The gate's word, if it is closed to this thread. */
uint32_t gate_of_others(void);
/* Waits until the gate is open. */
void gate_wait(void);
/* The same, for `ns` nanoseconds at most; false: it is still closed. */
bool gate_wait_for(uint64_t ns);
/* In a slow path: between them the thread holds no lock, and changes nothing of the heap. */
bool gate_pause(void);
void gate_resume(bool has_place); /* what gate_pause returned */
/* Around the sleep for a lock; false: it may not be taken yet. */
void gate_lock_begin(void);
bool gate_lock_end(void);
/* Goes on as what a pause interrupted. */
void gate_waits_as(enum waiting waiting);
void place_take(void);
void place_leave(void);
/* Whether nobody else has a place; `strict`: who waits for a lock doesn't count. */
bool places_are_empty(bool strict);
/* In the child of a fork. */
void places_clear(void);

/* ---- start.c --------------------------------------------------------------------------------- */

bool heap_start(void);

/* ---- thread.c -------------------------------------------------------------------------------- */

extern struct thread *threads;
extern quire_port_spinlock_t threads_lock;
/* Numbers given to threads so far. */
extern uint32_t last_number;
void threads_start(void);
void thread_number(void);
void thread_attach(void);
/* Gives this thread's blocks back; from now on it has no stacks. In a slow path. */
void thread_close_stacks(void);

/* ---- fork.c ---------------------------------------------------------------------------------- */

void fork_start(void);
/* Whether this process is a child that was made behind our back, by _Fork or clone: then what
 * threads of the parent held is nobody's. */
void fork_notice(void);
/* The same, and gives back what was on the stacks of threads that are left in the parent. In a slow
 * path, without locks. */
void fork_check(void);
/* Whether the heap is this process's: not in a child of vfork, whose memory is its parent's. In a
 * slow path. */
bool heap_is_own(void);
/* Whether a lock's owner is a thread that was left in the parent. */
bool owner_is_gone(uint32_t number);

/* ---- share.c --------------------------------------------------------------------------------- */

/* In a child: it has shared nothing yet. */
void share_restart(void);

/* ---- system.c -------------------------------------------------------------------------------- */

extern const struct quire_heap_ops system_ops;
/* Reserves addresses for the heap; NULL: there are none. */
char *system_reserve(size_t *size);
void futex_wait(const uint32_t *word, uint32_t value);
void futex_wait_for(const uint32_t *word, uint32_t value, uint64_t ns);
/* RLIMIT_AS may have changed: the range's unused end is given up if more is mapped than allowed,
 * and reserved again when there is no limit. In a slow path. */
void system_limit(void);
void futex_wake(const uint32_t *word);
/* What the heap grows by from now on may be in huge pages. False: the system has none. In a slow
 * path. */
bool system_huge_pages(void);

/* ---- fence.c --------------------------------------------------------------------------------- */

void fence_start(void);
/* As in quire_heap_ops. */
int fence_all(void *arg);
void hold_signals(void *arg, bool hold);

/* ---- message.c ------------------------------------------------------------------------------- */

/* A line on stderr, without allocating. printf-like as base/text.h. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);
void write_stderr(void *arg, const char *text, size_t length);
void message_mistake(void *arg, const void *ptr, const char *text);

#pragma GCC visibility pop

#endif
