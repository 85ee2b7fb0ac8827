/* malloc/thread.c: threads come and go
 *
 *   invariant   a thread in `threads` is THREAD_ATTACHED, and the other way round. It enters and
 *               leaves the list inside a slow path, so once fork has waited for those the list
 *               stays as it is
 */
#include <errno.h>
#include <pthread.h>

#include "malloc/self.h"

QUIRE_MALLOC_TLS struct thread self;
QUIRE_MALLOC_TLS uint32_t self_number, self_held;
struct thread *threads;
quire_port_spinlock_t threads_lock;
uint32_t last_number;
static pthread_key_t key;
static bool has_key;

static void enlist(void)
{
    quire_port_spin_lock(&threads_lock);
    self.next = threads;
    self.link = &threads;
    if (threads)
        threads->link = &self.next;
    threads = &self;
    quire_port_spin_unlock(&threads_lock);
}

static void delist(void)
{
    quire_port_spin_lock(&threads_lock);
    *self.link = self.next;
    if (self.next)
        self.next->link = self.link;
    quire_port_spin_unlock(&threads_lock);
}

/* It stays in the list until its cache is gone and it has a place. */
void thread_close_stacks(void)
{
    bool is_listed = self.state == THREAD_ATTACHED;
    quire_heap_cache_detach(&self.cache);
    self.cache.heap = heap;
    self.state = THREAD_ENDED;
    place_take();
    if (is_listed)
        delist();
}

/* Destructors that run later may allocate: they do it without stacks. */
static void thread_ends(void *value)
{
    int saved = errno;
    (void)value;
    if (self.state != THREAD_ATTACHED || !heap_enter())
        return;
    thread_close_stacks();
    heap_leave();
    errno = saved;
}

void threads_start(void)
{
    has_key = !pthread_key_create(&key, thread_ends);
}

/* What a thread has is cleared once more when the loader is done with relocation, so before this
 * library's constructor threads have no stacks. */
static bool is_loaded;
__attribute__((constructor)) static void loaded(void)
{
    is_loaded = true;
}

/* Without a key, or memory for stacks, a thread does without them. */
void thread_attach(void)
{
    self.cache.heap = heap;
    if (!is_loaded)
        return;
    self.state = THREAD_ENDED;
    if (!has_key || pthread_setspecific(key, &self) || quire_heap_cache_attach(heap, &self.cache))
        return;
    enlist();
    self.state = THREAD_ATTACHED;
}

void thread_number(void)
{
    fork_notice();
    self_number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
}
