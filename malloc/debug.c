/* malloc/debug.c: calls that a mode looks at
 *
 * While a mode is on threads have no stacks: so each call comes by a slow path, and hot paths have
 * no test for it. A thread that has stacks when a mode is turned on loses them in its next slow
 * path.
 */
#include <string.h>

#include "malloc/options.h"

#define JUNK_NEW 0xa5
#define JUNK_FREED 0x5a

void debug_close_stacks(void)
{
    if (self.cache.slots)
        thread_close_stacks();
}

void mode_set(unsigned mode)
{
    options.mode = mode;
    if (mode)
        debug_close_stacks();
}

static void fill(void *block, size_t size, int byte)
{
    memset(block, byte, size);
}

void *debug_allocate(size_t size, size_t align, bool is_zero)
{
    debug_close_stacks();
    void *block = align > MIN_ALIGN ? quire_heap_alloc_aligned(&self.cache, size, align)
                  : is_zero         ? quire_heap_zalloc(&self.cache, size)
                                    : quire_heap_alloc(&self.cache, size);
    if (!block || is_zero)
        return block;
    if (options.mode & MODE_JUNK)
        fill(block, size, JUNK_NEW);
    else if (options.mode & MODE_PERTURB)
        fill(block, size, options.perturb ^ 0xff);
    return block;
}

void debug_release(void *ptr)
{
    debug_close_stacks();
    size_t size = quire_heap_usable_size(heap, ptr);
    if (size && options.mode & MODE_JUNK)
        fill(ptr, size, JUNK_FREED);
    else if (size && options.mode & MODE_PERTURB)
        fill(ptr, size, options.perturb);
    cache_free_slow(&self.cache, class_of_address(heap_base, heap_size, ptr), ptr);
}

void debug_report(void)
{
    if (!options.stats || !heap_enter())
        return;
    (void)quire_heap_view(heap, options.stats == STATS_JSON ? QUIRE_FORMAT_JSON : QUIRE_FORMAT_TEXT,
                          write_stderr, NULL);
    heap_leave();
}
