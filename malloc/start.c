/* malloc/start.c: the heap of the process
 *
 * It is made by the first slow path, which may be the dynamic loader's, before anything of this
 * library was initialised. heap_base is what others look at: it comes last.
 */
#include "malloc/self.h"

struct quire_heap *heap;
char *heap_base;
size_t heap_size;
static quire_port_spinlock_t start_lock;
static struct quire_port_mem range;

static bool start(void)
{
    size_t size;
    range.base = system_reserve(&size);
    range.direct_end = size;
    const struct quire_heap_config config = {
        .port = &range,
        .size = size,
        .ops = &system_ops,
    };
    if (!range.base || quire_heap_create(&heap, &config))
        return false;
    fork_start();
    threads_start();
    heap_size = size;
    __atomic_store_n(&heap_base, range.base, __ATOMIC_RELEASE);
    return true;
}

bool heap_start(void)
{
    quire_port_spin_lock(&start_lock);
    bool started = heap_base || start();
    quire_port_spin_unlock(&start_lock);
    return started;
}
