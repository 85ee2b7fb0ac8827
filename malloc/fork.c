/* malloc/fork.c: a child has one thread, and a heap that is whole
 *
 * Who forks closes the gate: nobody else gets into a slow path, and those who are inside are waited
 * for. Then no lock is held, so the child's copy of the heap is as its only thread would have left
 * it. A hot path that was cut off in the middle belongs to a thread that the child doesn't have,
 * and has at most one block less.
 *
 * POSIX lets signal handlers fork, and one may have interrupted a slow path of its own thread. So
 * the gate needs no lock, and who closes it isn't waited for. A thread that waits for a lock of his
 * holds none itself (lock.c), and isn't waited for either; the child goes on with what its thread
 * held, and gives it back when the handler returns.
 *
 * What this can't prevent (two threads whose handlers fork at a time, and children that are made
 * without our knowing, by _Fork or clone) leaves the child with locks of threads that it doesn't
 * have. A lock knows its owner, and numbers aren't given twice: those up to `last_before_fork` are
 * gone but for the one that forked, and what they hold is taken from them.
 *
 *   invariant   `alive` is 1, but in a child that was made without our knowing: the kernel clears
 *               its page there
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "malloc/self.h"

static union {
    uint32_t alive;
    char page[1ul << QUIRE_PAGE_SHIFT];
} control __attribute__((aligned(1ul << QUIRE_PAGE_SHIFT)));

/* Of more threads the blocks on their stacks are lost to the child. */
#define MAX_LEFT_BEHIND 256u

static bool has_control; /* the kernel knows MADV_WIPEONFORK: Linux 4.14 */
uint32_t gate;
static uint32_t last_before_fork, who_forked;
static struct quire_heap_cache *left_behind[MAX_LEFT_BEHIND]; /* to be emptied */
static unsigned nr_left_behind;

/* ---- the gate -------------------------------------------------------------------------------- */

void gate_wait(void)
{
    uint32_t closed;
    while ((closed = __atomic_load_n(&gate, __ATOMIC_SEQ_CST)) && closed != self_number &&
           !owner_is_gone(closed))
        futex_wait(&gate, closed);
}

static void gate_close(void)
{
    uint32_t open = 0;
    /* Another one who forks needn't wait for us meanwhile. */
    __atomic_store_n(&self.waiting, 1, __ATOMIC_SEQ_CST);
    while (!quire_compare_exchange(&gate, &open, self_number)) {
        gate_wait();
        open = owner_is_gone(open) ? open : 0;
    }
    __atomic_store_n(&self.waiting, 0, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void gate_open(void)
{
    __atomic_store_n(&gate, 0, __ATOMIC_SEQ_CST);
    futex_wake(&gate);
}

static void wait_until_out(const struct thread *other)
{
    while (__atomic_load_n(&other->inside, __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&other->waiting, __ATOMIC_SEQ_CST))
        sched_yield();
}

static unsigned forks_under_way; /* of the thread that has the gate */

static void before_fork(void)
{
    int saved = errno;
    if (!self_number) {
        (void)heap_enter();
        heap_leave();
    }
    if (gate == self_number && self_number) {
        forks_under_way++;
        return;
    }
    gate_close();
    forks_under_way = 1;
    bool locked = (threads_lock.word & ~LOCK_WAITED_FOR) != self_number;
    if (locked)
        quire_port_spin_lock(&threads_lock);
    for (const struct thread *other = threads; other; other = other->next)
        if (other != &self)
            wait_until_out(other);
    if (locked)
        quire_port_spin_unlock(&threads_lock);
    errno = saved;
}

static void in_parent(void)
{
    int saved = errno;
    if (!--forks_under_way)
        gate_open();
    errno = saved;
}

/* ---- the child ------------------------------------------------------------------------------- */

bool owner_is_gone(uint32_t number)
{
    uint32_t last = quire_load_relaxed(&last_before_fork);
    return number <= last && number != who_forked;
}

/* What they knew of their caches lies on stacks that the child uses again. */
static void keep_caches_of_others(void)
{
    for (struct thread *other = threads; other; other = other->next)
        if (other != &self) {
            struct quire_heap_cache *left = quire_heap_cache_leave(&other->cache);
            if (nr_left_behind < MAX_LEFT_BEHIND)
                left_behind[nr_left_behind++] = left;
        }
}

/* Only this thread is left. */
static void leave_others_behind(void)
{
    who_forked = self_number;
    quire_store_relaxed(&last_before_fork, quire_load_relaxed(&last_number));
    control.alive = 1;
    threads = self.state == THREAD_ATTACHED ? &self : NULL;
    self.next = NULL;
    self.link = &threads;
}

static void in_child(void)
{
    int saved = errno;
    forks_under_way = 0;
    keep_caches_of_others();
    leave_others_behind();
    gate_open();
    errno = saved;
}

/* Done later, since most children only call exec. */
static void empty_left_behind(void)
{
    while (nr_left_behind)
        quire_heap_cache_detach(left_behind[--nr_left_behind]);
}

static void find_oneself_alone(void)
{
    keep_caches_of_others();
    leave_others_behind();
}

void fork_check(void)
{
    if (quire_unlikely(has_control && !quire_load_relaxed(&control.alive)))
        find_oneself_alone();
    if (quire_unlikely(nr_left_behind) && self.inside == 1)
        empty_left_behind();
}

void fork_start(void)
{
    control.alive = 1;
    has_control = !madvise(&control, sizeof control, MADV_WIPEONFORK);
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}
