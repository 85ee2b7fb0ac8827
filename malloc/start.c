/* malloc/start.c: the heap of the process
 *
 * It is made by the first slow path, which may be the dynamic loader's, before anything of this
 * library was initialised. `heap` is what others look at: it comes last.
 *
 * Until then the hot path finds stacks at offset 0 of an empty map: see heap/cache.h.
 */
#include "malloc/self.h"

static void *no_map[2];

struct quire_heap *heap;
char *heap_base = (char *)no_map;
size_t heap_size;
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
    heap_base = range.base;
    quire_store_release(&heap_size, size);
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
