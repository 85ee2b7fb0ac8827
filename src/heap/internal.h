/* heap/internal.h: the structures of layer 5
 *
 *     quire_heap_cache ── top[class] ──► stack of free blocks        cache.h, cache.c
 *        │
 *     quire_heap ── small[class]: a quire_kmem_cache of layer 2      class.c, central.c
 *        │       ── runs of pages of its quire_mem                   central.c, grow.c
 *        ├─────── ── tree and list of mappings                       large.c, kept.c, regular.c
 *        └─────── ── the first blocks of each class                  quarantine.c, margin.c
 *
 * Locks, of which nobody holds two, but who reaps stacks with reap_lock: large.lock for what
 * large.c keeps, caches_lock for the list of attached caches and what room they waived, purge_lock
 * while free pages are given back, grow_lock while sections are added or a class's cache is made,
 * quarantine.lock. Those of the layers below are taken within the last but one, and purge_lock.
 */
#ifndef QUIRE_HEAP_INTERNAL_H
#define QUIRE_HEAP_INTERNAL_H

#include <quire/heap.h>
#include <quire/slab.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/tree.h"

#define NR_SMALL QUIRE_HEAP_SMALL_CLASSES
#define NR_RUNS QUIRE_HEAP_RUN_CLASSES
#define NR_CLASSES QUIRE_HEAP_CLASSES
#define MIN_ALIGN 16u

/* What hot paths look at is addressed directly, in a shared library too. */
#define HIDDEN __attribute__((visibility("hidden")))

_Static_assert(NR_CLASSES <= 256, "a class is a byte in the map");
_Static_assert(NR_RUNS <= 1ul << QUIRE_MAX_ORDER, "phys has blocks for every run");

/* Pages may come from reserves, since nobody else has this memory, and lack of it is no news. */
#define HEAP_GFP (QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN)

struct large {
    struct tree_node node; /* of a block that a caller has: by address */
    struct list link;      /* of one that is kept: the one that was freed first comes first */
    char *at;
    size_t size;  /* of the mapping */
    size_t asked; /* of it, in whole pages: what counts */
    uint64_t kept_since_ns;
    bool is_mapped;  /* counts as that */
    bool is_grown;   /* by realloc, which will come again */
    uint8_t regular; /* its slot's number and 1: see regular.c */
};

#define NR_REGULARS 64u
struct regular {
    uintptr_t word;     /* 0, or the block's address and whether it is free */
    size_t asked, room; /* pages, of the block */
    struct large *block;
    unsigned long nr_taken; /* since it became a regular: whoever has the block counts */
    bool is_grown;          /* by who has it, or had it last */
};

struct large_blocks {
    quire_port_spinlock_t lock;
    struct tree tree;
    struct list kept;
    struct quire_kmem_cache *records;
    size_t used, kept_bytes, peak;
    uint64_t mapped_ns; /* when one was mapped the last time */
    unsigned long nr_used, nr_kept;
    /* Of those that count as mapped: see quire_heap_set_map_threshold. */
    size_t mapped, peak_mapped, mapped_threshold;
    unsigned long nr_mapped, nr_peak_mapped, most_mapped;
    bool is_fixed;
    size_t allowance;          /* bytes that may be kept */
    uint64_t regulars;         /* which slots are used */
    unsigned long nr_regulars; /* of them: looked at without the lock */
    size_t regular_bytes;
    uint64_t looked_ns; /* for those that are idle */
    struct regular regular[NR_REGULARS];
};

/* By sizes of blocks: see quire_heap_large_info. */
struct large_events {
    unsigned long maps, unmaps, reused;
    unsigned long mapped, unmapped; /* pages */
};

#define RING 64u
struct quarantined {
    void *block; /* NULL: none */
    uint8_t class;
};

struct quarantine {
    quire_port_spinlock_t lock;
    unsigned next; /* the oldest */
    unsigned part; /* of the youngest: where the next look begins, once all of it was seen */
    bool is_seen;
    size_t bytes;
    struct quarantined slot[RING];
};

/* See margin.c. */
#define MARGIN_SETS 128u
#define MARGIN_WAYS 4u
struct margin {
    void *block;             /* NULL: none */
    uint32_t size_and_class; /* as it was asked for, and what it is of in the lowest byte */
    uint32_t stamp;          /* another for each block */
};

struct margins {
    uint32_t count[NR_CLASSES]; /* slots that are used */
    /* Of a warm class: some blocks were asked for with sizes of the class before. */
    bool is_loose[NR_SMALL + 1];
    struct margin slot[MARGIN_SETS][MARGIN_WAYS];
};

/* See fall.c. */
struct fall {
    unsigned long low[NR_SMALL + 1];  /* by class: with fewer objects than that, one looks */
    unsigned long last[NR_SMALL + 1]; /* objects at the last look */
    size_t credit; /* what may be given back for what was freed, in bytes: by atomic adds */
    size_t next;   /* live bytes under which the fall goes on */
    uint64_t began_ns;
    bool has_begun;
};

struct quire_heap {
    char *base;  /* of the range; the class map begins here */
    size_t size; /* of the range */
    struct quire_mem *mem;
    struct quire_slab *slab;
    struct quire_kmem_cache *small[NR_SMALL + 1]; /* by class */
    const struct quire_port_mem *port;
    struct quire_heap_ops ops;
    void *ops_arg;
    size_t map_threshold, trim_threshold;
    size_t cache_bytes;
    unsigned long decay_ms; /* a word: others may be reading it when it is set */

    /* Pages that slabs and runs have taken from phys, by atomic adds; purge.c has the rest. */
    unsigned long pages_used;
    unsigned long pages_peak; /* most of them since the last purge: what is dirty at most */
    unsigned long pages_interval_peak; /* most of them in this interval */
    unsigned long pages_most;          /* most of them ever */
    unsigned long growth;              /* of pages_peak, since grow.c looked */
    unsigned long large_pages;         /* mapped, kept or not; by atomic adds */
    unsigned long resident_most;       /* most of pages_peak and large_pages together */
    uint64_t interval_began_ns, purged_ns;
    unsigned purge_looks;
    size_t vacant_of; /* bytes that were free in slabs when their vacant pages went back last */
    struct fall fall;
    struct quire_heap_live *live;   /* NULL: nobody looks */
    bool trims_at_once, has_purged; /* looked at without the lock */
    quire_port_spinlock_t purge_lock;

    quire_port_spinlock_t grow_lock;
    size_t committed;            /* the range is memory up to here */
    size_t maps, maps_committed; /* where the maps of free slots begin; bytes of them */

    quire_port_spinlock_t caches_lock, reap_lock;
    struct quire_heap_cache *caches;
    struct quire_heap_cache *reap_next; /* NULL: none till the next look for idle ones */
    unsigned long nr_caches, nr_idle;   /* of those, whose threads wait: see room.c */
    unsigned slots_of_cache;
    size_t caches_room;     /* bytes, by atomic adds */
    size_t rest;            /* of that, on stacks that were reaped; the same */
    unsigned long refusals; /* of room, in sixteens, since the last look for some; the same */

    bool is_short; /* some blocks are of larger classes than they need, for want of memory */
    uint32_t heat[NR_CLASSES];          /* up to WARM: see cache.c */
    unsigned long nr_runs[NR_RUNS + 1]; /* taken from phys, by pages */
    struct large_blocks large;
    struct quarantine quarantine;
    struct margins margins;
    struct {
        unsigned long grown, given_back, fresh;
        struct large_events large[QUIRE_HEAP_LARGE_SIZES];
    } events;
    struct quire_memblock memblock; /* of creation */
};

static inline void heap_lock(quire_port_spinlock_t *lock)
{
    quire_port_spin_lock(lock);
}

static inline void heap_unlock(quire_port_spinlock_t *lock)
{
    quire_port_spin_unlock(lock);
}

static inline void count_heap_event(unsigned long *event, unsigned long n)
{
    (void)quire_fetch_add(event, n);
}

static inline uint8_t *class_map(const struct quire_heap *heap)
{
    return (uint8_t *)heap->base;
}

static inline size_t pages_for(size_t size)
{
    return (size >> QUIRE_PAGE_SHIFT) + ((size & (QUIRE_PAGE_SIZE - 1)) != 0);
}

static inline uint64_t heap_decay_ns(const struct quire_heap *heap)
{
    return (uint64_t)quire_load_relaxed(&heap->decay_ms) * 1000000u;
}

static inline bool class_is_run(size_t class)
{
    return class > NR_SMALL;
}

static inline size_t class_pages(size_t class)
{
    return class - NR_SMALL;
}

void heap_mistake(struct quire_heap *heap, const void *ptr, const char *text);

/* ---- class.c --------------------------------------------------------------------------------- */

#define NR_SIZE_STEPS (QUIRE_HEAP_MAX_SMALL / MIN_ALIGN + 1)
/* By size in steps of 16 bytes, rounded up. */
extern const uint8_t quire_heap_size_class[NR_SIZE_STEPS] HIDDEN;
#define MAX_TINY 1024u
/* What the hot path has an address for. */
struct quire_heap_hot {
    _Alignas(MIN_ALIGN) uint8_t tiny_class[MAX_TINY + 1]; /* by size: two instructions less */
    const void *no_stack[2];                              /* see cache.h */
};
extern const struct quire_heap_hot quire_heap_hot HIDDEN;
extern const uint32_t quire_heap_class_bytes[NR_CLASSES] HIDDEN;
static inline size_t class_size(size_t class)
{
    return quire_heap_class_bytes[class];
}
/* The class of blocks of at least `size` bytes that are aligned to `align`; 0: none is. `order`:
 * what a run must be aligned to. */
size_t class_for(size_t size, size_t align, unsigned *order);

/* ---- central.c: blocks from slabs and runs, and back ----------------------------------------- */

/* Up to `count` blocks, the lowest last; 0: no memory. */
size_t central_take(struct quire_heap *heap, size_t class, size_t count, void **blocks);
/* A block, if the heap needn't grow for it. */
bool central_take_left(struct quire_heap *heap, size_t class, void **block);
void central_put(struct quire_heap *heap, size_t class, size_t count, void **blocks);
/* The same of all classes that a thread's stacks have, one after the other. Nothing goes back to
 * the system before central_put_end: then pages have come together. `fell` is for that, and false
 * at first. */
void central_put_stack(struct quire_heap *heap, size_t class, size_t count, void **blocks,
                       bool *fell);
void central_put_end(struct quire_heap *heap, bool fell);
/* A run that is aligned to 2^align_order pages; it may have the mark of a free block. NULL: no
 * memory. */
void *run_take(struct quire_heap *heap, size_t pages, unsigned align_order);
/* layer 2 tells. */
void slab_pages_changed(void *heap, void *pages, size_t bytes, size_t object_size);

/* A class's heat, by each block that is freed, and each small one that is taken. */
#define HEAT_OF_FREE 4u
#define HEAT_OF_TAKE 1u
#define WARM 256u
static inline bool class_is_warm(const struct quire_heap *heap, size_t class)
{
    return quire_load_relaxed(&heap->heat[class]) >= WARM;
}

/* ---- quarantine.c ---------------------------------------------------------------------------- */

/* Whether blocks of the class are small enough. */
bool quarantine_takes(size_t class);
/* Looks at what came last. */
void quarantine_look(struct quire_heap *heap);
void quarantine_add(struct quire_heap *heap, size_t class, void *block);
bool quarantine_has(struct quire_heap *heap, const void *block);
unsigned quarantine_count(struct quire_heap *heap, size_t class);
/* Frees what waits. */
void quarantine_empty(struct quire_heap *heap);

/* ---- margin.c: without locks ----------------------------------------------------------------- */

/* The class that a block of `size` is to be of, which `class` would do for. */
size_t margin_class(const struct quire_heap *heap, size_t class, size_t size);
/* A new block of `class` was asked for with `size`. False: it gets no margin. */
bool margin_add(struct quire_heap *heap, size_t class, void *block, size_t size);
/* It has none from now on; the class that its size is of. */
size_t margin_end(struct quire_heap *heap, size_t class, void *block);
/* The block stays, with another size. */
void margin_resize(struct quire_heap *heap, size_t class, void *block, size_t size);
/* Bytes of a block of `class`, of which none is its margin from now on. */
size_t margin_usable(struct quire_heap *heap, size_t class, const void *block);
/* Whether a block of `class` was asked for with `size`, which is of a smaller class. */
bool margin_explains(struct quire_heap *heap, size_t class, const void *block, size_t size);
/* A block is taken of a class that may not be warm yet. */
void margin_count_take(struct quire_heap *heap, size_t class);
/* The block is freed, which counts for the class that its size is of, too. */
void margin_count_free(struct quire_heap *heap, size_t class, void *block);
/* Looks at those that are in use. */
void margin_look_at_all(struct quire_heap *heap);
/* Every invariant, while nobody uses the heap. */
void margin_check(struct quire_heap *heap);

/* ---- grow.c ---------------------------------------------------------------------------------- */

/* Adds memory, unless somebody has since `committed`. False: there is none. */
bool heap_grow(struct quire_heap *heap, size_t committed);
/* Blocks were taken, which may have made the heap larger than it was: then kept ones go. Without
 * locks. */
void heap_pay_for_growth(struct quire_heap *heap);
/* What was mapped now counts as paid for. */
void heap_note_growth(struct quire_heap *heap);
/* Pages that were resident at a time, at most; it lags by twice GROWTH_PAGES. */
unsigned long heap_most_resident(struct quire_heap *heap);

/* ---- purge.c --------------------------------------------------------------------------------- */

void pages_taken(struct quire_heap *heap, size_t pages);
void pages_freed(struct quire_heap *heap, size_t pages);
/* If enough is free, and it is time. Without locks. */
void heap_purge_if_due(struct quire_heap *heap);
/* Bytes of objects of slabs, of those what is free, and of that what was given back since it was
 * used. Without locks. */
struct slab_use {
    size_t bytes, free, given_back;
};
struct slab_use slab_use(struct quire_heap *heap);
/* Gives back what is free in slabs and pages, by so many calls of the port, about; how many it
 * took. With purge_lock held. */
unsigned long purge_some(struct quire_heap *heap, unsigned long calls);
static inline unsigned long pages_dirty(const struct quire_heap *heap)
{
    unsigned long used = quire_load_relaxed(&heap->pages_used);
    unsigned long peak = quire_load_relaxed(&heap->pages_peak);
    return peak > used ? peak - used : 0;
}

/* ---- fall.c ---------------------------------------------------------------------------------- */

/* Objects of a small class were put back into their slabs, and pay for what is given back, or not.
 * True: it is time to look at the heap. */
bool fall_note(struct quire_heap *heap, size_t class, bool pays);
/* Without locks. */
void fall_look(struct quire_heap *heap);
/* In the child of a fork. */
void fall_restart(struct quire_heap *heap);
/* The class gets a slab more. */
void fall_arm(struct quire_heap *heap, size_t class);

/* ---- live.c ---------------------------------------------------------------------------------- */

void live_tell(struct quire_heap *heap, struct quire_heap_live *live, size_t class);
static inline void live_changed(struct quire_heap *heap, size_t class)
{
    struct quire_heap_live *live = quire_load_acquire(&heap->live);
    if (quire_unlikely(live))
        live_tell(heap, live, class);
}

/* ---- large.c --------------------------------------------------------------------------------- */

int large_init(struct quire_heap *heap);
void large_end(struct quire_heap *heap);
void *large_alloc(struct quire_heap *heap, size_t size, size_t align, bool *is_zero);
/* For a block that grows, from kept ones with much room behind it; NULL: there are none. */
void *large_alloc_to_grow(struct quire_heap *heap, size_t size);
/* False: no large block begins there. */
bool large_free(struct quire_heap *heap, void *ptr);
size_t large_size(struct quire_heap *heap, const void *ptr);
/* NULL: it must be moved by copying, or there is no memory; then it is as it was. */
void *large_resize(struct quire_heap *heap, void *ptr, size_t size);
/* Unmaps what has been kept for longer than the decay (all: everything); bytes. */
size_t large_release(struct quire_heap *heap, bool all);
/* Unmaps so many bytes of what is kept, the oldest first, and of free regulars if that isn't
 * enough.
 */
void large_release_oldest(struct quire_heap *heap, size_t bytes);

static inline bool large_has_kept(const struct quire_heap *heap)
{
    return quire_load_relaxed(&heap->large.nr_kept) || quire_load_relaxed(&heap->large.nr_regulars);
}

/* ---- regular.c: the way past large.c, for blocks that come and go ---------------------------- */

/* Without a lock, and at any time. NULL: there is none for so many bytes, or it is time to come the
 * other way, where the heap may be locked. */
void *regular_take(struct quire_heap_cache *cache, size_t size);
void *regular_take_or_look(struct quire_heap_cache *cache, size_t size);
/* False: it is no regular, or is free. NULL is none. */
bool regular_put(struct quire_heap_cache *cache, void *ptr);
/* How often regulars that there are, of sizes counted under `number`, were taken again. At any
 * time. */
unsigned long regular_nr_taken(struct quire_heap *heap, unsigned number);
/* For a block that grows and grows, of LEAST_LENT bytes at least: one with much more room than
 * that, which it is lent; see regular.c. Without a lock, and at any time. */
#define LEAST_LENT (QUIRE_PAGE_SIZE / 2)
void *regular_lend(struct quire_heap_cache *cache, size_t size);
/* Whether the block has become larger where it is. */
bool regular_resize(struct quire_heap *heap, const void *ptr, size_t size);

/* ---- info.c ---------------------------------------------------------------------------------- */

/* The events alone, without locks. */
void heap_events_info(struct quire_heap *heap, struct quire_heap_info *info);

/* ---- events.c -------------------------------------------------------------------------------- */

/* A block of so many bytes was mapped, unmapped or taken from kept ones. */
void large_count_map(struct quire_heap *heap, size_t size);
void large_count_unmap(struct quire_heap *heap, size_t size);
void large_count_reuse(struct quire_heap *heap, size_t size, unsigned long times);
/* Under which number blocks of that size are counted: see quire_heap_large_info. */
unsigned large_number(size_t size);
void large_count_resize(struct quire_heap *heap, size_t had, size_t has);
/* Of a block of `had` bytes so many were unmapped, and nobody has it. */
void large_count_cut(struct quire_heap *heap, size_t had, size_t bytes);
void large_add_events(struct quire_heap *heap, struct quire_heap_info *info);

#endif
