/* quire/heap_page.h: the counts of a program's heap, as another process reads them
 *
 * With QUIRE_MALLOC=share libquire-malloc.so keeps a memory file of one `struct quire_heap_page`,
 * and writes into it while the program uses the heap: four times a second at most. It is found
 * among the program's descriptors, /proc/PID/fd, by its name, which ends with QUIRE_HEAP_PAGE_NAME;
 * whoever may look there may read it: the same user, and root. It is gone with the program, however
 * that ends. A child of fork has a file of its own.
 *
 * `sequence` is odd while the page is being written. A reader copies the page between two looks at
 * it, and has a whole copy if both were the same and even.
 *
 * Later versions add members at the end, and say how many bytes there are.
 */
#ifndef QUIRE_HEAP_PAGE_H
#define QUIRE_HEAP_PAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUIRE_HEAP_PAGE_NAME "quire-heap"
#define QUIRE_HEAP_PAGE_MAGIC 0x5041454845524951u /* "QIREHEAP" */
#define QUIRE_HEAP_PAGE_VERSION 1u
#define QUIRE_HEAP_PAGE_CLASSES 89u /* class 0: what has a mapping of its own */

struct quire_heap_page_class {
    uint64_t size;                        /* bytes of a block; 0: class 0 */
    uint64_t used, cached, slots, pages;  /* as struct quire_heap_class_info */
    uint64_t allocations, frees, resizes; /* calls, with QUIRE_MALLOC=calls */
};

/* In bytes where nothing else is said; members as in struct quire_heap_info. */
struct quire_heap_page {
    uint64_t magic;
    uint32_t version, bytes; /* of this structure */
    uint32_t sequence, pid;
    uint64_t written_ns; /* CLOCK_MONOTONIC, some milliseconds exact */
    uint64_t used, cached, slots, dirty, metadata, committed, large, kept, largest_free;
    uint64_t nr_blocks, nr_large, nr_caches;
    uint64_t nr_grown, nr_given_back, nr_maps, nr_unmaps, nr_reused;
    uint32_t nr_classes, counts_calls;
    struct quire_heap_page_class class_of[QUIRE_HEAP_PAGE_CLASSES];
    uint64_t free, free_resident;
};

#ifdef __cplusplus
}
#endif

#endif
