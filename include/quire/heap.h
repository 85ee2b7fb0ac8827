/* quire/heap.h: memory of any size, for many threads (layer 5)
 *
 * A heap is a `struct quire_heap` on a range of addresses that it is given. Each thread has a
 * `struct quire_heap_cache` of its own:
 *
 *     struct quire_heap *heap;
 *     struct quire_heap_cache cache;
 *     if (quire_heap_create(&heap, &(struct quire_heap_config){.port = &port, .size = size, ...}))
 *         ...;
 *     quire_heap_cache_init(&cache);
 *     quire_heap_cache_attach(heap, &cache);
 *     char *text = quire_heap_alloc(&cache, 100);
 *     quire_heap_free(&cache, text);
 *     quire_heap_cache_detach(&cache);
 *
 * The range:
 *
 *     ┌────────────┬────────────────────┬──────────┬────────────┬────────────┬─ ─ ─ ─
 *     │ class map  │ maps of free slots │ boot     │ section    │ section    │ not yet
 *     │ 1 byte     │ 32 bytes a page    │ memory   │            │            │
 *     │ a page     │                    │          │            │            │
 *     └────────────┴────────────────────┴──────────┴────────────┴────────────┴─ ─ ─ ─
 *      base          only what is written is used    a quire_mem, grown by hot-adding sections
 *
 *     0          nobody's page, or not a block's first
 *     1 to 56    objects of 16 to 8192 bytes: pages of a slab (layer 2)
 *     56 + n     a run of n pages (layer 1), up to 32
 *
 * What is larger is a mapping of its own, outside the range, known by a tree. So an address says by
 * one load what it is, and nothing of the heap's lies next to what users write. A freed block gets
 * a mark in its second word, and another in its first when it leaves its stack, by which a second
 * free is noticed: a block without the first is allocated to nobody. (A pointer into a block that
 * is freed by mistake has them written there.)
 *
 * A cache has a small stack of free blocks for each class. Allocating pops, freeing pushes, and
 * that is the hot path: no lock, no atomic instruction (src/heap/cache.h). A block that another
 * thread allocated goes onto the stack of the thread that frees it; stacks that run empty or full
 * exchange half of their blocks with the slabs under one lock.
 *
 * Contexts. A cache is one thread's at a time. Everything else may be called from any thread.
 * Nothing may be called from interrupt or signal handlers that may have interrupted it. Callbacks
 * are called with or without locks of the heap held, and must not call it.
 *
 * Errors: NULL, or a negative errno. What fails changes nothing.
 */
#ifndef QUIRE_HEAP_H
#define QUIRE_HEAP_H

#include <quire/phys.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_heap;

/* ---- what a heap asks of its surroundings ---------------------------------------------------- */

struct quire_heap_ops {
    /* `size` bytes at `at` of the heap's range will be written from now on. 0 or -ENOMEM. NULL: all
     * of the range may be written at any time. */
    int (*commit)(void *arg, void *at, size_t size);
    /* Zeroed memory for a large block, aligned to `align` (a power of two, a page at least); NULL:
     * there is none. The callback itself may be NULL: then blocks end where runs of pages do. */
    void *(*map)(void *arg, size_t size, size_t align);
    void (*unmap)(void *arg, void *at, size_t size);
    /* Makes a mapping larger or smaller, elsewhere only if `may_move`; what is added is zero. NULL:
     * it can't be, and the mapping is as it was. May itself be NULL. */
    void *(*remap)(void *arg, void *at, size_t old_size, size_t new_size, bool may_move);
    /* A caller's mistake: `ptr` was freed twice, or isn't a block. That may be told by a later
     * call, of another thread. When it returns the mistake has been ignored; a block that was
     * written to after its free stays allocated. NULL: the port's panic. */
    void (*mistake)(void *arg, const void *ptr, const char *text);
    /* Bytes of a mapping that take memory. NULL: all of them. */
    size_t (*resident)(void *arg, void *at, size_t size);
    /* Every thread that uses the heap is made to fence, as by membarrier(2). 0, or a negative
     * errno: it can't be. NULL: it never can, and what threads' stacks hold while they wait stays
     * there. */
    int (*fence)(void *arg);
    /* Between the two calls no signal handler runs in this thread that may fork. May be NULL. */
    void (*hold_signals)(void *arg, bool hold);
};

struct quire_heap_config {
    const struct quire_port_mem *port; /* from physical address 0 on the heap's range, all zero
                                          bytes; must outlive the heap */
    size_t size;                       /* of the range: whole sections, two at least */
    const struct quire_heap_ops *ops;  /* copied */
    void *ops_arg;
    size_t cache_bytes; /* that all threads' stacks may grow to together; 0: 16 MiB */
    uint64_t decay_ns;  /* what nobody needed for so long is given back; 0: one second */
};

/* -EINVAL: the configuration; -ENOMEM. The heap lives in its range. */
QUIRE_MUST_CHECK int quire_heap_create(struct quire_heap **heap,
                                       const struct quire_heap_config *config);
/* The end: nobody uses it any more, and no cache is attached. Unmaps all large blocks; the range is
 * the caller's again. */
void quire_heap_destroy(struct quire_heap *heap);

/* ---- a thread's cache ------------------------------------------------------------------------ */

#define QUIRE_HEAP_SMALL_CLASSES 56u
#define QUIRE_HEAP_RUN_CLASSES 32u /* runs of 1 to so many pages */
#define QUIRE_HEAP_CLASSES (1u + QUIRE_HEAP_SMALL_CLASSES + QUIRE_HEAP_RUN_CLASSES)
#define QUIRE_HEAP_MAX_SMALL 8192u /* bytes */

#define QUIRE_HEAP_RECENT 8u

/* All members are the library's. It stays where it is while it is attached. */
struct quire_heap_cache {
    uintptr_t top[QUIRE_HEAP_CLASSES]; /* of each stack: its last block's slot; 0: none */
    struct quire_heap *heap;           /* NULL: not attached */
    void **slots;                      /* of all stacks */
    size_t room;                       /* bytes that the stacks hold when full */
    size_t waived;                     /* of them, while the thread is idle: see room.c */
    size_t rest;                       /* bytes on the stacks when they were reaped */
    bool is_idle, was_reaped;          /* it hadn't come by between two looks; see reap.c */
    bool is_reaped;                    /* just now, by another thread */
    unsigned nr_inside;                /* slow paths that its thread is in */
    unsigned nr_visits, seen_visits;   /* to the slow paths; at another's last look */
    unsigned nr_refusals;              /* of room */
    struct quire_heap_cache *next, **link;
    uint8_t visits[QUIRE_HEAP_RUN_CLASSES]; /* to the slow paths, for runs, up to 255 */
    uint8_t capacity[QUIRE_HEAP_CLASSES];   /* blocks; 0: the stack isn't used yet */
    uint8_t space[QUIRE_HEAP_CLASSES];      /* of the stack, in blocks */
    uint8_t below[QUIRE_HEAP_CLASSES];      /* slots of that, below what is left of it */
    uint16_t place[QUIRE_HEAP_CLASSES];     /* of the stack among the slots */
    uint16_t nr_placed;                     /* slots that have been given to stacks */
    /* By class: whether the last visit filled its stack, or else emptied it. */
    uint64_t filled[(QUIRE_HEAP_CLASSES + 63) / 64];
    /* Large blocks that come and go: slots of those that were freed last, a ring. */
    uint8_t recent[QUIRE_HEAP_RECENT];
    uint8_t last_recent, regular_turn;
    const void *growing; /* what realloc made larger last */
};

/* Makes it one that is attached to no heap. */
void quire_heap_cache_init(struct quire_heap_cache *cache);
/* -ENOMEM. */
QUIRE_MUST_CHECK int quire_heap_cache_attach(struct quire_heap *heap,
                                             struct quire_heap_cache *cache);
/* Gives all blocks back; the thread may end. One that isn't attached is no error. */
void quire_heap_cache_detach(struct quire_heap_cache *cache);
/* Gives all blocks back. */
void quire_heap_cache_flush(struct quire_heap_cache *cache);
/* In the child of a fork: the threads of all caches but `own` are gone without a word, and their
 * memory will be. Moves what is to be known of them into the heap, for quire_heap_adopt; whether
 * there are any. While nobody else uses the heap. */
bool quire_heap_leave_others(struct quire_heap *heap, const struct quire_heap_cache *own);
/* Gives the blocks of one such cache back; false: there is none. */
bool quire_heap_adopt(struct quire_heap *heap);

/* ---- allocating and freeing ------------------------------------------------------------------ */

/* Aligned to 16; at least 1 byte. */
QUIRE_MUST_CHECK void *quire_heap_alloc(struct quire_heap_cache *cache, size_t size);
/* All bytes 0. */
QUIRE_MUST_CHECK void *quire_heap_zalloc(struct quire_heap_cache *cache, size_t size);
/* `align`: a power of two. */
QUIRE_MUST_CHECK void *quire_heap_alloc_aligned(struct quire_heap_cache *cache, size_t size,
                                                size_t align);
/* NULL is ignored. */
void quire_heap_free(struct quire_heap_cache *cache, void *ptr);
/* The block, moved or not, with its content up to the lesser size. NULL: no memory, and it stays.
 */
QUIRE_MUST_CHECK void *quire_heap_realloc(struct quire_heap_cache *cache, void *ptr, size_t size);
/* Bytes that may be used of a block; 0 for NULL, and for what is no block of the heap. */
size_t quire_heap_usable_size(struct quire_heap *heap, const void *ptr);

/* Frees the blocks that wait in quarantine, looking at them, and at what lies behind the first
 * blocks of each class. */
void quire_heap_settle(struct quire_heap *heap);

/* ---- giving memory back ---------------------------------------------------------------------- */

/* Gives back what can be: empty slabs, free pages, large blocks that were kept; bytes. The stacks
 * of this cache (may be NULL) are emptied first. */
size_t quire_heap_trim(struct quire_heap *heap, struct quire_heap_cache *cache);

/* From how many bytes on a block has a mapping of its own; above QUIRE_HEAP_RUN_CLASSES pages it
 * has one anyway. Those from `bytes` on count as mapped, `most` at a time; unless `is_fixed`, the
 * threshold of that rises to the size of each such block that is freed, up to 32 MiB. */
void quire_heap_set_map_threshold(struct quire_heap *heap, size_t bytes, unsigned long most,
                                  bool is_fixed);
/* As config.decay_ns. */
void quire_heap_set_decay(struct quire_heap *heap, uint64_t ns);
/* How many free bytes the heap holds before it looks whether to give some back; once it is set,
 * little is given back each time. */
void quire_heap_set_trim_threshold(struct quire_heap *heap, size_t bytes);

/* ---- counts ---------------------------------------------------------------------------------- */

struct quire_heap_class_info {
    size_t size;          /* bytes of a block */
    unsigned long used;   /* blocks that callers have */
    unsigned long cached; /* free, on threads' stacks */
    unsigned long slots;  /* blocks that the class's pages have room for */
    unsigned long pages;  /* of its slabs or runs */
};

/* In bytes where nothing else is said. True while nobody allocates or frees. */
struct quire_heap_info {
    size_t used;      /* that callers have, of the range */
    size_t cached;    /* free, on threads' stacks */
    size_t slots;     /* free, in slabs that aren't empty as a whole, or in quarantine; but for
                         pages of slabs that were given back */
    size_t dirty;     /* free pages that still take memory, about */
    size_t metadata;  /* descriptors, maps, stacks of threads, records */
    size_t committed; /* of the range: what the heap has grown to */
    size_t large;     /* of large blocks that callers have */
    unsigned long nr_large;
    size_t mapped, peak_mapped; /* of those, that count as mapped */
    unsigned long nr_mapped, nr_peak_mapped;
    size_t kept; /* of large blocks that wait for their next use */
    unsigned long nr_kept;
    size_t peak_large;
    size_t peak; /* most that pages of the range and large blocks took together, kept ones too,
                    about: up to 256 KiB more */
    unsigned long nr_blocks, nr_cached, nr_slots; /* blocks of `used`, `cached`, `slots` */
    size_t largest_free;                          /* contiguous free pages, up to a section */
    size_t free,
        free_resident;       /* all that is free, in `committed` and kept; of that, what takes
                                memory: on stacks, in slabs, dirty, and kept as the system says */
    unsigned long nr_caches; /* threads attached */
    unsigned long nr_grown, nr_given_back, nr_maps, nr_unmaps, nr_reused; /* events */
    /* Pages of the range that began to be used, for the first time or after they had been given
     * back, about: each is a fault where memory comes by faults. */
    unsigned long nr_fresh;
    unsigned long nr_again;                     /* of those, that had been given back */
    unsigned long mapped_pages, unmapped_pages; /* of large blocks, since the beginning */
    uint64_t mapped_ns; /* when one was mapped the last time, by the port's clock; 0: never */
};
void quire_heap_info(struct quire_heap *heap, struct quire_heap_info *info);
/* By class: blocks that callers or threads' stacks have, and pages of slabs or runs. */
struct quire_heap_live {
    uint32_t taken[QUIRE_HEAP_CLASSES], pages[QUIRE_HEAP_CLASSES];
};
/* From now on these counts are kept up to date, by words, where others may read them at any moment.
 * NULL: not any more; what had them before may be written to until all who are in the heap now have
 * left it. O(classes). */
void quire_heap_set_live(struct quire_heap *heap, struct quire_heap_live *live);

/* Classes are numbered from 1; -ENOENT beyond the last. */
int quire_heap_class_info(struct quire_heap *heap, unsigned class_number,
                          struct quire_heap_class_info *info);

/* Events of large blocks, by size. Those that don't fit are the first's and the last's. */
#define QUIRE_HEAP_LARGE_SHIFT 17u
#define QUIRE_HEAP_LARGE_SIZES 16u
struct quire_heap_large_info {
    uint64_t least; /* bytes of a block: so many, and less than twice that */
    unsigned long nr_maps, nr_unmaps, nr_reused;
    unsigned long mapped_pages, unmapped_pages; /* with those that resizing added or took */
};
/* Numbered from 0; -ENOENT beyond the last. */
int quire_heap_large_info(struct quire_heap *heap, unsigned number,
                          struct quire_heap_large_info *info);

/* All of it, as text or JSON; `write` may not use the heap. -EINVAL: no such format. */
int quire_heap_view(struct quire_heap *heap, enum quire_format format, quire_write_fn *write,
                    void *arg);

/* Checks every invariant while nobody uses the heap; a broken one is a panic. For tests. */
void quire_heap_check(struct quire_heap *heap);

#ifdef __cplusplus
}
#endif

#endif
