/* malloc/start.c: the heap of the process
 *
 * It is made by the first slow path, which may be the dynamic loader's, before anything of this
 * library was initialised. `heap` is what others look at: it comes last.
 *
 * Until then the hot path finds every block outside.
 */
#include "malloc/self.h"

struct quire_heap *heap;
struct heap_range heap_range;
static quire_port_spinlock_t start_lock;
static struct quire_port_mem range;

static bool start(void)
{
    size_t size;
    struct quire_heap *made;
    range.base = system_reserve(&size);
    range.direct_end = size;
    const struct quire_heap_config config = {
        .port = &range,
        .size = size,
        .ops = &system_ops,
    };
    if (!range.base || quire_heap_create(&made, &config))
        return false;
    fork_start();
    fence_start();
    threads_start();
    heap_range.base = range.base;
    quire_store_release(&heap_range.size, size);
    quire_store_release(&heap, made);
    return true;
}

bool heap_start(void)
{
    quire_port_spin_lock(&start_lock);
    bool started = heap || start();
    quire_port_spin_unlock(&start_lock);
    return started;
}
