/* malloc/debug.c: calls that a mode looks at
 *
 * While a mode is on threads have no stacks: so each call comes by a slow path, and hot paths have
 * no test for it. A thread that has stacks when a mode is turned on loses them in its next slow
 * path.
 */
#include <string.h>

#include "base/json.h"
#include "malloc/calls.h"
#include "malloc/guard.h"
#include "malloc/leak.h"
#include "malloc/options.h"
#include "malloc/process.h"

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

static void *take(size_t size, size_t align, bool is_zero)
{
    if (align > MIN_ALIGN) {
        void *block = quire_heap_alloc_aligned(&self.cache, size, align);
        return block && is_zero ? memset(block, 0, size) : block;
    }
    return is_zero ? quire_heap_zalloc(&self.cache, size) : quire_heap_alloc(&self.cache, size);
}

void *debug_allocate(size_t size, size_t align, bool is_zero)
{
    debug_close_stacks();
    if (options.mode & MODE_CALLS)
        call_count(CALL_ALLOCATE, size);
    void *block = options.mode & MODE_GUARD ? guard_allocate(size, align) : NULL;
    if (!block)
        block = take(size, align, is_zero);
    if (!block)
        return NULL;
    if (options.mode & MODE_LEAK)
        leak_add(block, size);
    if (is_zero) /* a slot of locked memory isn't cleared by the system */
        return guard_owns(block) ? memset(block, 0, size) : block;
    if (options.mode & MODE_JUNK)
        memset(block, JUNK_NEW, size);
    else if (options.mode & MODE_PERTURB)
        memset(block, options.perturb ^ 0xff, size);
    return block;
}

void debug_release(void *ptr)
{
    debug_close_stacks();
    if (options.mode & MODE_CALLS)
        call_count(CALL_FREE, debug_size(ptr));
    if (options.mode & MODE_LEAK)
        leak_remove(ptr);
    if (guard_owns(ptr)) {
        guard_release(ptr);
        return;
    }
    size_t size = quire_heap_usable_size(heap, ptr);
    if (size && options.mode & MODE_JUNK)
        memset(ptr, JUNK_FREED, size);
    else if (size && options.mode & MODE_PERTURB)
        memset(ptr, options.perturb, size);
    cache_free_slow(&self.cache, class_of_address(heap_range.base, heap_range.size, ptr), ptr);
}

size_t debug_size(const void *ptr)
{
    return guard_owns(ptr) ? guard_size(ptr) : quire_heap_usable_size(heap, ptr);
}

/* Always moves, so that what grows past its block is found, and callers are those of the last. */
void *debug_resize(void *ptr, size_t size)
{
    size_t has = debug_size(ptr);
    if (!has) {
        message_mistake(NULL, ptr, "realloc of what is no block, or was freed before");
        return NULL;
    }
    if (options.mode & MODE_CALLS)
        call_count(CALL_RESIZE, size);
    void *moved = debug_allocate(size, 1, false);
    if (!moved)
        return NULL;
    memcpy(moved, ptr, size < has ? size : has);
    debug_release(ptr);
    return moved;
}

/* The view's object, with the process as its first members. */
static void write_json(void *arg, const char *text, size_t length)
{
    bool *begun = arg;
    if (!*begun) {
        struct json out;
        json_init(&out, write_stderr, NULL);
        json_object(&out, NULL);
        json_unsigned(&out, "pid", (uint64_t)process_number());
        json_string(&out, "program", process_name());
        text_puts(&out.text, ",");
        text_flush(&out.text);
        *begun = true;
        text++; /* its brace */
        length--;
    }
    write_stderr(NULL, text, length);
}

static void stats_report(void)
{
    bool begun = false;
    if (options.stats == STATS_JSON) {
        (void)quire_heap_view(heap, QUIRE_FORMAT_JSON, write_json, &begun);
        return;
    }
    message("quire-malloc: stats of process %ld (%s)", process_number(), process_name());
    (void)quire_heap_view(heap, QUIRE_FORMAT_TEXT, write_stderr, NULL);
}

void debug_report(void)
{
    if (self.inside)
        return;
    if (options.mode & MODE_LEAK) {
        quire_store_relaxed(&options.mode, options.mode & ~MODE_LEAK);
        leak_report();
    }
    if (options.mode & MODE_CALLS && !share_has_reader())
        calls_report();
    if (!options.stats || !heap_enter())
        return;
    stats_report();
    heap_leave();
}
