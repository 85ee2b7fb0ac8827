/* quire/heap_page.h: the counts of a program's heap, as another process reads them
 *
 * With QUIRE_MALLOC=share libquire-malloc.so keeps a memory file of one `struct quire_heap_page`,
 * and writes into it while the program uses the heap: four times a second at most. It is found
 * among the program's descriptors, /proc/PID/fd, by its name, which ends with QUIRE_HEAP_PAGE_NAME;
 * whoever may look there may read it: the same user, and root. It is gone with the program, however
 * that ends. A child of fork has a file of its own, whose events and calls
 * are those since the fork.
 *
 * With QUIRE_MALLOC=share=FILE the page is a place of FILE, which another process made, most often
 * `quire run`: a `struct quire_heap_places` at its start, and the places behind. A process takes
 * the first one that is free, by exchanging its owner, 0, for its own number; who made the file
 * looks at the page when the process has ended, too, and frees the place. When there is no such
 * file or no free place the process has a file of its own, as without FILE. A program that calls
 * exec leaves a page, and takes another.
 *
 * What callers and threads' stacks have of each class of blocks is counted beside that at any
 * moment, by batches: a reader adds what has become of it since the page was written, so that he
 * knows of a program that sleeps, or was killed, what it held then, but for what lies on stacks.
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
#define QUIRE_HEAP_PAGE_VERSION 3u
#define QUIRE_HEAP_PAGE_CLASSES 89u /* class 0: what has a mapping of its own */

#define QUIRE_HEAP_PAGE_LARGE 16u /* sizes of large blocks */

struct quire_heap_page_class {
    uint64_t size;                        /* bytes of a block; 0: class 0 */
    uint64_t used, cached, slots, pages;  /* as struct quire_heap_class_info */
    uint64_t allocations, frees, resizes; /* calls, with QUIRE_MALLOC=calls */
};

/* As struct quire_heap_large_info. */
struct quire_heap_page_large {
    uint64_t least;
    uint64_t maps, unmaps, reused;
    uint64_t mapped_pages, unmapped_pages;
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
    uint64_t started_ns; /* when the page was made, as written_ns */
    uint64_t nr_fresh, nr_again, mapped_pages, unmapped_pages;
    uint64_t peak_large; /* bytes of large blocks, at most */
    uint64_t mapped_ns;  /* when one was mapped the last time, as written_ns; 0: never */
    uint64_t free, free_resident;
    uint64_t page_size;
    /* What the system counts of the process: getrusage. */
    uint64_t minor_faults, major_faults, user_ns, kernel_ns, peak_resident;
    uint32_t parent, reserved;
    char name[16]; /* of the program, as the system has it */
    struct quire_heap_page_large large_of[QUIRE_HEAP_PAGE_LARGE];
    /* By class, as struct quire_heap_live: what it was when the page was written, and what it is,
     * which isn't part of what `sequence` guards. */
    uint32_t taken_then[QUIRE_HEAP_PAGE_CLASSES], pages_then[QUIRE_HEAP_PAGE_CLASSES];
    uint32_t taken_now[QUIRE_HEAP_PAGE_CLASSES], pages_now[QUIRE_HEAP_PAGE_CLASSES];
};

#define QUIRE_HEAP_PLACES_NAME "quire-heap-places"
#define QUIRE_HEAP_PLACES_MAGIC 0x4543414c50524951u /* "QIRPLACE" */
#define QUIRE_HEAP_PLACES 4096u
#define QUIRE_HEAP_PLACE_BYTES 12288u
#define QUIRE_HEAP_FIRST_PLACE 20480u /* where place 0 begins */

struct quire_heap_places {
    uint64_t magic;
    uint32_t version, nr_places;
    uint32_t owner[QUIRE_HEAP_PLACES]; /* 0: nobody */
};

#ifdef __cplusplus
}
#endif

#endif
