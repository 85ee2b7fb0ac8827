/* malloc/fork.c: a child has one thread, and a heap that is whole
 *
 * Who forks closes the gate: nobody else gets into a slow path, and those who are inside are waited
 * for. Then no lock is held, so the child's copy of the heap is as its only thread would have left
 * it. A hot path that was cut off in the middle belongs to a thread that the child doesn't have,
 * and has at most one block less.
 *
 * POSIX lets signal handlers fork, and one may have interrupted a slow path of its own thread. So
 * the gate needs no lock, and who closes it isn't waited for; nor, then, are those who wait for a
 * lock, which may be his. The child goes on with what its thread held, and gives it back when the
 * handler returns.
 *
 * What this can't prevent (threads that hold one lock and wait for his, a handler that interrupted
 * a slow path and waits to fork while another thread forks, and children that are made without our
 * knowing, by _Fork or clone) leaves the child with locks of threads that it doesn't have. A lock
 * knows its owner, and numbers aren't given twice: those up to `last_before_fork` are gone but for
 * the one that forked, and what they hold is taken from them.
 *
 *   invariant   `alive` is 1, but in a child that was made without our knowing: the kernel clears
 *               its page there
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malloc/family.h"

static union {
    uint32_t alive;
    char page[1ul << QUIRE_PAGE_SHIFT];
} control __attribute__((aligned(1ul << QUIRE_PAGE_SHIFT)));

static bool has_control; /* the kernel knows MADV_WIPEONFORK: Linux 4.14 */
static uint32_t last_before_fork, who_forked;
static bool others_left_caches; /* in the child */
static long own_pid;

/* ---- the C library's list of files ----------------------------------------------------------- */

/* fork takes its lock after our handler, and may wait long for it: fflush(NULL) has it while it
 * waits for one FILE after the other, whose owners may allocate. So we have it before the gate is
 * closed, and the C library, which counts, takes it once more. glibc exports these; where they
 * aren't, a fork may keep others from the heap for as long. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));
extern char __libc_single_threaded __attribute__((weak)); /* then fork leaves the list alone */

static QUIRE_MALLOC_TLS unsigned list_locks;

static void lock_list(void)
{
    if (!_IO_list_lock || !_IO_list_unlock || !_IO_list_resetlock || !&__libc_single_threaded ||
        __libc_single_threaded)
        return;
    _IO_list_lock();
    list_locks++;
}

static void unlock_list(void)
{
    if (!list_locks)
        return;
    list_locks--;
    _IO_list_unlock();
}

/* fork has done it already. */
static void reset_list(void)
{
    if (list_locks)
        _IO_list_resetlock();
    list_locks = 0;
}

/* ---- the gate -------------------------------------------------------------------------------- */

static QUIRE_MALLOC_TLS unsigned forks_under_way; /* one in the other, by signal handlers */

static bool has_gate(void)
{
    return gate && !gate_of_others();
}

/* Dekker's way with pass_gate: this comes before all looks at who is inside. */
static bool take_gate(uint32_t *open, uint32_t mine)
{
    return __atomic_compare_exchange_n(&gate, open, mine, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* Another one who forks needn't wait for us meanwhile, so nor may he for the list's lock. A handler
 * may have interrupted a wait, which goes on then as what it was. */
static void gate_close(bool strict)
{
    uint32_t open = 0, mine = self_number | (strict ? GATE_STRICT : 0);
    enum waiting before = self.waiting;
    bool has_place = gate_pause();
    lock_list();
    while (!has_gate() && !take_gate(&open, mine)) {
        unlock_list();
        gate_wait();
        open = owner_is_gone(open & ~GATE_STRICT) ? open : 0;
        lock_list();
    }
    quire_store_relaxed(&gate_turn, gate_turn + 1);
    if (has_place)
        place_take();
    gate_waits_as(before);
}

static void gate_open(void)
{
    __atomic_store_n(&gate, 0, __ATOMIC_SEQ_CST);
    futex_wake(&gate);
}

static bool is_out(const struct thread *other, bool strict)
{
    if (!__atomic_load_n(&other->inside, __ATOMIC_SEQ_CST))
        return true;
    enum waiting waiting = __atomic_load_n(&other->waiting, __ATOMIC_SEQ_CST);
    return waiting == WAITS || (strict && waiting == WAITS_FOR_LOCK);
}

static bool all_are_out(bool strict)
{
    bool locked = (threads_lock.word & ~LOCK_WAITED_FOR) != self_number, out = true;
    if (locked)
        quire_port_spin_lock(&threads_lock);
    for (const struct thread *other = threads; other && out; other = other->next)
        out = other == &self || is_out(other, strict);
    if (locked)
        quire_port_spin_unlock(&threads_lock);
    return out;
}

/* First those of the list, which strangers may still enter; then the strangers. Who leaves the list
 * has a place, and may need the list's lock. */
static void wait_for_all(bool strict)
{
    while (!all_are_out(strict))
        (void)sched_yield();
    while (!places_are_empty(strict))
        (void)sched_yield();
}

static void before_fork(void)
{
    int saved = errno;
    bool strict = self.inside;
    if (!self_number && heap_enter())
        heap_leave();
    forks_under_way++; /* first: a handler that forks within then leaves the gate closed */
    if (!has_gate())
        gate_close(strict);
    wait_for_all(strict);
    errno = saved;
}

static void in_parent(void)
{
    int saved = errno;
    if (!--forks_under_way)
        gate_open();
    unlock_list();
    errno = saved;
}

/* ---- the child ------------------------------------------------------------------------------- */

bool owner_is_gone(uint32_t number)
{
    uint32_t last = quire_load_relaxed(&last_before_fork);
    return number <= last && number != who_forked;
}

/* Only this thread is left. What the others knew of their caches lies on stacks that it uses again.
 */
static void leave_others_behind(void)
{
    if (heap && quire_heap_leave_others(heap, &self.cache))
        others_left_caches = true;
    places_clear();
    who_forked = self_number;
    quire_store_relaxed(&last_before_fork, quire_load_relaxed(&last_number));
    control.alive = 1;
    own_pid = syscall(SYS_getpid);
    share_restart();
    uint32_t closed = gate & ~GATE_STRICT;
    if (closed && owner_is_gone(closed)) /* it was forking itself */
        gate_open();
    threads = self.state == THREAD_ATTACHED ? &self : NULL;
    self.next = NULL;
    self.link = &threads;
}

static void in_child(void)
{
    int saved = errno;
    reset_list();
    leave_others_behind();
    if (!--forks_under_way)
        gate_open();
    errno = saved;
}

void fork_notice(void)
{
    if (quire_unlikely(has_control && !quire_load_relaxed(&control.alive)))
        leave_others_behind();
}

/* Done later, since most children only call exec. */
static void adopt_all(void)
{
    quire_store_relaxed(&others_left_caches, false);
    while (quire_heap_adopt(heap))
        ;
}

void fork_check(void)
{
    fork_notice();
    if (quire_unlikely(quire_load_relaxed(&others_left_caches)) && self.inside == 1)
        adopt_all();
}

bool heap_is_own(void)
{
    fork_notice();
    return syscall(SYS_getpid) == own_pid;
}

void fork_start(void)
{
    own_pid = syscall(SYS_getpid);
    control.alive = 1;
    has_control = !madvise(&control, sizeof control, MADV_WIPEONFORK);
}

/* ---- first of all handlers ------------------------------------------------------------------- */

/* Handlers run in the reverse order of their registration before a fork, and in that order after
 * it. The first one registered thus closes the gate, and takes the list's lock, when the others are
 * done, and opens it before they go on: theirs may wait for locks whose owners open files, or
 * allocate much. Libraries that the program links have their constructors run before ours, and
 * register by this call of glibc's, which pthread_atfork is made of. */
EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                             void *library);

typedef int register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                            void *library);

static bool watches; /* under no lock: constructors run one by one */

static int register_next(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                         void *library)
{
    register_atfork *next;
    *(void **)&next = dlsym(RTLD_NEXT, "__register_atfork");
    return next ? next(prepare, parent, child, library) : ENOMEM;
}

static void watch_forks(void)
{
    if (__atomic_exchange_n(&watches, true, __ATOMIC_ACQ_REL))
        return;
    if (register_next(before_fork, in_parent, in_child, NULL)) /* another C library */
        (void)pthread_atfork(before_fork, in_parent, in_child);
}

EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                             void *library)
{
    watch_forks();
    return register_next(prepare, parent, child, library);
}

__attribute__((constructor)) static void watch_forks_at_start(void)
{
    watch_forks();
}
