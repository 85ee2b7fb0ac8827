/* malloc/calls.c: QUIRE_MALLOC=calls: a histogram of calls, by size class
 *
 * A mode as others: each call comes by a slow path and counts there, so that who doesn't ask for it
 * pays nothing. A realloc that moves a block counts as an allocation and a free, too.
 */
#include <quire/heap_page.h>

#include "malloc/calls.h"
#include "malloc/process.h"

_Static_assert(QUIRE_HEAP_PAGE_CLASSES == NR_CLASSES, "the page has all classes");

static unsigned long counts[NR_CALL_KINDS][NR_CLASSES]; /* class 0: larger */

static size_t class_of(size_t size)
{
    size_t pages = pages_for(size);
    return size <= QUIRE_HEAP_MAX_SMALL ? small_class(size)
           : pages <= NR_RUNS           ? NR_SMALL + pages
                                        : 0;
}

void call_count(enum call_kind kind, size_t size)
{
    (void)quire_fetch_add(&counts[kind][class_of(size)], 1);
}

unsigned long call_counts(enum call_kind kind, size_t class)
{
    return quire_load_relaxed(&counts[kind][class]);
}

void calls_report(void)
{
    message("quire-malloc: calls of process %ld (%s)", process_number(), process_name());
    message("%25s %12s %12s %12s", "size", "allocations", "frees", "resizes");
    for (size_t i = 1; i <= NR_CLASSES; i++) {
        size_t class = i % NR_CLASSES; /* the largest last */
        unsigned long allocations = call_counts(CALL_ALLOCATE, class);
        unsigned long frees = call_counts(CALL_FREE, class);
        unsigned long resizes = call_counts(CALL_RESIZE, class);
        if (!allocations && !frees && !resizes)
            continue;
        if (class)
            message("  up to %17zu %12lu %12lu %12lu", class_size(class), allocations, frees,
                    resizes);
        else
            message("  larger                  %12lu %12lu %12lu", allocations, frees, resizes);
    }
}
