/* slab/internal.h: the structures of layer 2
 *
 *     quire_slab ── cpu[] ── rack: a shelf for each cache ──► its sheaves
 *        │
 *        └─ cache[id] ── node[] ── barn ── sheaf ── sheaf ...
 *              ▲            └───── partial ── slab ── slab ...
 *              │
 *     quire_kmem_cache: a name of a cache; several may share one (cache.c)
 *
 * A CPU's sheaves are its own (cpu.h, sheaf.c), those of barns change hands whole (barn.c), and
 * slabs give and take single objects (page.c). A slab is a block of pages cut into objects; what is
 * known about it stands in the descriptors of its pages (page.h). Locks, of which nobody holds two,
 * nor one of phys' with them:
 *
 *     slab->lock        the registry of caches, and which CPUs' racks are hidden
 *     cache_node->lock  the slabs of a cache on a node
 *     barn->lock        its sheaves there
 */
#ifndef QUIRE_SLAB_INTERNAL_H
#define QUIRE_SLAB_INTERNAL_H

#include <quire/slab.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/events.h"
#include "base/list.h"

/* ---- sheaves --------------------------------------------------------------------------------- */

/* A stack of free objects. A CPU uses one or two of each cache; what is over lies in barns. */
struct sheaf {
    size_t count;       /* objects; of a CPU's main sheaf the shelf knows it */
    struct sheaf *next; /* in a barn */
    void *slot[];
};

/* Sheaves take 2^n words. */
#define SHEAF_MIN_WORDS 8u
#define SHEAF_HEADER_WORDS 2u
#define NR_SHEAF_SIZES 5u
_Static_assert(sizeof(struct sheaf) == SHEAF_HEADER_WORDS * sizeof(void *),
               "two words before slots");

struct barn {
    quire_port_spinlock_t lock;
    uint16_t nr_full, nr_empty;
    struct sheaf *full, *empty;
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* What a CPU has of one cache: its main sheaf, taken apart for the hot path, and a spare one, which
 * is full or empty. All zero: it has no sheaf, so that it is both empty and full. */
struct shelf {
    struct sheaf *spare;
    void **top;  /* where the next object freed goes */
    void **base; /* where the oldest is: the main sheaf's slots */
    void **end;  /* of the slots */
};

/* Who wants a CPU's shelves writes slab->no_rack, of empty ones, over `rack`: see base/percpu.h. It
 * begins a page. */
struct cpu {
    uint8_t busy;
    int node;
    struct shelf *rack; /* by id; what the CPU may use now */
    struct shelf *own;  /* by id; what it has */
    uint16_t *refill;   /* by id: objects that the next refill from slabs brings */
    unsigned hidden;    /* how many want its shelves; under slab->lock */
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

/* `busy` is written before each load of a shelf and of a slot. If both were at one offset of a page
 * the load would wait for the store, on processors that compare no more of their addresses at
 * first: 24 instead of 3 ns a pair were measured. So it lies where shelves and sheaves, which begin
 * at multiples of their size, have what the hot path doesn't touch. */
_Static_assert(offsetof(struct cpu, busy) == 0 && offsetof(struct shelf, spare) == 0 &&
                   offsetof(struct sheaf, count) == 0,
               "nothing hot lies at the offset of busy");

/* ---- caches ---------------------------------------------------------------------------------- */

#define NAME_BYTES 32

/* Slabs by the frame number of their first page; 0: none. */
struct slab_list {
    uint32_t first, last;
};

/* What of a cache is on one node. A slab with free objects is on `partial`: those with some
 * allocated first, the empty ones last. One without is on `full` if the cache is debugged, else on
 * no list. */
struct cache_node {
    quire_port_spinlock_t lock;
    unsigned nr_empty; /* slabs */
    struct slab_list partial, full;
    uint32_t
        told; /* the frame of the slab that vacant.c tells the port of: nothing is taken there */
    unsigned long nr_slabs, nr_pages, nr_partial; /* partial: neither full nor empty */
    /* In slabs; sheaves hold what isn't free here. Looked at without the lock, too. */
    unsigned long nr_objects, nr_free;
    unsigned long nr_told; /* pages: see vacant.c */
    uint64_t random;       /* of FREELIST_RANDOM */
    struct barn barn;
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

/* Slabs of a type-stable cache on their way to phys: see grace.c. */
struct grace_state {
    struct quire_port_grace port;
    quire_port_spinlock_t lock;
    bool under_way, ends_cache;
    struct slab_list waiting, pending; /* for the grace period under way; for the one after it */
};

struct cache {
    struct quire_slab *slab;
    uint32_t id;
    quire_slab_flags_t flags;
    uint32_t size;        /* from one object to the next */
    uint32_t object_size; /* what was asked for */
    uint32_t align;
    uint32_t offset;         /* of an object in its place: the red zone before it */
    uint32_t tracks;         /* of its struct track[2] in its place; 0: none */
    uint32_t asked;          /* of the size that kmalloc was asked for, in its place; 0: not kept */
    uint32_t reciprocal;     /* 2^32 / size, rounded up */
    uint8_t order;           /* of new slabs */
    uint8_t min_order;       /* the least that holds an object */
    uint16_t sheaf_capacity; /* 0: no sheaves */
    uint16_t barn_limit;     /* full sheaves that a barn may hold */
    unsigned users;          /* names; under slab->lock */
    unsigned pins;           /* who looks at it; under slab->lock */
    bool going;              /* it is being destroyed */
    char name[NAME_BYTES];   /* the oldest of its names; under slab->lock */
    void (*ctor)(void *object);
    struct grace_state grace; /* of TYPESAFE_BY_RCU */
    struct cache_node node[];
};

/* Where a cache's shelf is in a rack, in bytes: names of caches and pages of slabs have it ready,
 * since making it from a number costs the hot path an instruction or two. */
static inline size_t shelf_at_of_id(unsigned id)
{
    return id * sizeof(struct shelf);
}

static inline unsigned id_of_shelf_at(size_t shelf_at)
{
    return (unsigned)(shelf_at / sizeof(struct shelf));
}

#define MAX_CACHES 2000u
_Static_assert(QUIRE_SLAB_MAX_CACHES <= MAX_CACHES &&
                   MAX_CACHES * sizeof(struct shelf) <= UINT16_MAX,
               "shelf_at has 16 bits");
#define DEBUG_BYTES 256

/* A name of a cache: what users hold. */
struct quire_kmem_cache {
    struct quire_slab *slab;
    size_t shelf_at; /* of the cache's shelf in a rack */
    size_t object_size;
    size_t zero_size; /* what ZERO clears: nothing where there is a constructor */
    struct cache *cache;
    struct list link; /* in slab->names, the oldest first */
    char name[NAME_BYTES];
};

/* ---- general caches -------------------------------------------------------------------------- */

enum kmalloc_type { KMALLOC_NORMAL, KMALLOC_RECLAIM, KMALLOC_DMA, KMALLOC_DMA32, NR_KMALLOC_TYPES };
#define NR_KMALLOC_CLASSES 13u
#define CLASS_STEP_SHIFT 3 /* sizes are looked up by steps of 8 bytes */

/* ---- all of it ------------------------------------------------------------------------------- */

struct quire_slab {
    struct quire_mem *mem;
    const struct quire_port_mem *port;
    const struct quire_section *sections; /* of mem */
    unsigned long nr_sections;
    unsigned long kfree_sections; /* the same; 0: kfree is to look closer (debugging) */
    unsigned nr_cpus, nr_nodes, max_caches;
    unsigned order_limit;  /* config.order_limit */
    struct cache **cache;  /* by id; 0 is nobody's */
    struct shelf *no_rack; /* of who may not use his own, and who has none: all zero */
    /* Of normal classes. */
    uint16_t shelf_at_of_size[(QUIRE_KMALLOC_MAX_CACHE >> CLASS_STEP_SHIFT) + 1];
    struct quire_kmem_cache *kmalloc[NR_KMALLOC_TYPES][NR_KMALLOC_CLASSES];
    struct cache *sheaves[NR_SHEAF_SIZES], *cores, *handles;
    struct cpu *no_cpu;
    unsigned long nr_large; /* pages of large blocks: atomic */

    quire_port_spinlock_t lock;
    struct list names;
    bool no_merge, no_general;
    char *maps;                /* config.maps */
    unsigned long empty_pages; /* of config.empty_bytes */
    void (*pages_changed)(void *arg, void *pages, size_t bytes, size_t object_size);
    void *pages_arg;
    bool ending; /* quire_slab_destroy: nobody reads, so no grace period is waited for */
    bool has_debug;
    char debug[DEBUG_BYTES]; /* config.debug */
    bool (*fail)(void *arg);
    void *fail_arg;
    bool fail_objects;
    struct quire_shrinker shrinker;
    size_t size;                         /* of this */
    struct cpu *cpu[QUIRE_MAX_CPUS + 1]; /* from nr_cpus on: no_cpu */
};

static inline quire_port_irq_t slab_lock(quire_port_spinlock_t *lock)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(lock);
    return irq;
}

static inline void slab_unlock(quire_port_spinlock_t *lock, quire_port_irq_t irq)
{
    quire_port_spin_unlock(lock);
    quire_port_irq_restore(irq);
}

static inline bool cache_is_debugged(const struct cache *cache)
{
    return cache->flags & QUIRE_SLAB_DEBUG_FLAGS;
}

/* ---- what is left to do after leaving -------------------------------------------------------- */

enum track_kind { TRACK_ALLOC, TRACK_FREE };

struct track {
    uintptr_t caller; /* 0: nobody yet */
    unsigned cpu;
    uint64_t when_ns;
};

/* What was found to be wrong: all that the report needs, since it is written when the lock that
 * kept the object as it was has been given up. */
struct mistake {
    const char *what;        /* NULL: nothing */
    void *object;            /* what was given, or the object that is wrong */
    void *given;             /* into that object; NULL: the same */
    struct quire_page *page; /* what was given lies in; NULL: it is for the object to say */
    long offset;             /* of the first wrong byte, from the object's beginning */
    unsigned bytes;          /* of `found`, from there on; 0: it isn't about bytes */
    uint8_t expected, found[8];
    size_t asked;          /* of the object's bytes, kmalloc was asked for so many; 0: all */
    uintptr_t caller;      /* whose call it was; 0: unknown */
    struct track track[2]; /* who allocated and freed the object, where that is known */
};

/* An object that a flush found to be no allocated one. */
struct misfit {
    const char *what;
    void *object;
};
#define MAX_MISFITS 8u

/* Within a CPU's sheaves and under locks nothing may call back: so pages go to phys, sheaves that
 * nobody wants to their cache, and mistakes to the log, afterwards. */
struct aftermath {
    struct slab_list slabs;
    struct sheaf *sheaves;
    struct mistake mistake; /* of a debugged cache's operation, which finds one at most */
    unsigned nr_misfits;    /* may be more than are remembered */
    struct misfit misfit[MAX_MISFITS];
};

/* It is on the stack of each slow half: only what is looked at is written. */
static inline void aftermath_init(struct aftermath *after)
{
    after->slabs = (struct slab_list){0, 0};
    after->sheaves = NULL;
    after->mistake.what = NULL;
    after->nr_misfits = 0;
}

void aftermath_finish(struct cache *cache, struct aftermath *after);

/* ---- page.c ---------------------------------------------------------------------------------- */

/* Objects that a slab of this order has room for. */
unsigned slab_capacity(const struct cache *cache, unsigned order);
/* A slab of free objects, on no list; NULL: phys has none. Without locks. */
struct quire_page *slab_create(struct cache *cache, quire_gfp_t gfp, int node);
/* Pages of the direct map, none of which phys marks as a slab's. */
struct quire_page *slab_pages_alloc(struct quire_slab *slab, quire_gfp_t gfp, int node,
                                    unsigned order);
/* Gives it to phys. Without locks. */
void slab_give_back(struct cache *cache, struct quire_page *head);
/* With node->lock held. Takes up to `max` objects from the slabs of a node; they are stored
 * downwards from `end`, the lowest last. */
unsigned node_take(struct cache *cache, struct cache_node *node, void **end, unsigned max);
/* Makes a new slab the node's. From here to node_trim its first page has QUIRE_PAGE_SLAB, so
 * whoever finds that under the node's lock has a slab of it. */
void node_add(struct cache *cache, struct cache_node *node, struct quire_page *head);
/* The port was told of more of the slab's pages: bits. With node->lock held. */
void slab_tell(struct cache_node *node, struct quire_page *head, uint64_t pages);
/* Puts an object back into its slab; false: it is free already. */
bool node_put(struct cache *cache, struct cache_node *node, struct quire_page *head, void *object);
/* Objects were put back into a slab that was full, or is empty now: it lies where that belongs. */
void node_move_slab(struct cache *cache, struct cache_node *node, struct quire_page *head,
                    bool was_full);
/* Unlists slabs that are empty until only `keep` are. */
void node_trim(struct cache *cache, struct cache_node *node, unsigned long keep,
               struct slab_list *out);
unsigned slab_free_objects(const struct quire_page *head);
/* Unlists those beyond what a node keeps. */
void node_trim_usual(struct cache *cache, struct cache_node *node, struct slab_list *out);
bool slab_object_is_free(const struct cache *cache, const struct quire_page *head, unsigned index);

void slab_list_add(const struct cache *cache, struct slab_list *list, struct quire_page *head);
struct quire_page *slab_list_first(const struct cache *cache, const struct slab_list *list);
struct quire_page *slab_list_next(const struct cache *cache, const struct quire_page *head);
void slab_list_del(const struct cache *cache, struct slab_list *list, struct quire_page *head);

/* ---- put.c ----------------------------------------------------------------------------------- */

/* Puts objects back into their slabs, wherever they are. Takes and drops node locks. */
void slabs_put(struct cache *cache, void **objects, size_t count, struct aftermath *after);

/* ---- object.c: past the sheaves -------------------------------------------------------------- */

/* `size`: what kmalloc was asked for; 0: all of the object. */
void *object_alloc(struct cache *cache, quire_gfp_t gfp, int node, uintptr_t caller, size_t size);
void object_free(struct cache *cache, void *object, uintptr_t caller);

/* ---- barn.c ---------------------------------------------------------------------------------- */

/* A full sheaf for an empty one, which may be NULL; NULL: there is none, and `empty` stays. */
struct sheaf *barn_take_full(struct cache *cache, struct barn *barn, struct sheaf *empty,
                             struct aftermath *after);
/* Leaves a full sheaf; false: there is no room. With `*empty` NULL it takes an empty one along, if
 * there is one. */
bool barn_leave_full(struct cache *cache, struct barn *barn, struct sheaf *full,
                     struct sheaf **empty);
struct sheaf *barn_take_empty(struct barn *barn);
/* Takes everything out: the objects go to their slabs. */
void barn_drain(struct cache *cache, struct barn *barn, struct aftermath *after);

/* ---- sheaf.c --------------------------------------------------------------------------------- */

unsigned sheaf_capacity_for(size_t size);
/* This CPU's sheaf is empty; the CPU is inside, and outside afterwards. `size` as above. */
void *sheaf_alloc_slow(struct quire_slab *slab, size_t shelf_at, quire_gfp_t gfp, struct cpu *cpu,
                       uintptr_t caller, size_t size);
/* It is full. */
void sheaf_free_slow(struct quire_slab *slab, size_t shelf_at, void *object, struct cpu *cpu,
                     uintptr_t caller);
/* Takes objects from the CPU's main sheaf, or puts them there, while that can be done without
 * anybody else; how many. */
size_t sheaf_alloc_many(struct cache *cache, size_t count, void **objects);
size_t sheaf_free_many(struct cache *cache, size_t count, void **objects);
void sheaf_destroy(struct cache *cache, struct sheaf *sheaf);
/* Takes the shelves of CPUs [first, end) out of their sight, and waits until they are outside; and
 * gives them back. Nests. Not with a lock held. */
void sheaves_hide(struct quire_slab *slab, unsigned first, unsigned end);
void sheaves_show(struct quire_slab *slab, unsigned first, unsigned end);
/* Empties the sheaves of CPUs [first, end): of one cache, or with NULL of all. Not with a lock
 * held. */
void sheaves_drain(struct quire_slab *slab, struct cache *cache, unsigned first, unsigned end);

/* ---- cache.c, layout.c ----------------------------------------------------------------------- */

#define CACHE_NO_SHEAVES 0x80000000u /* flag: of this layer's own caches */
#define CACHE_KMALLOC 0x40000000u    /* flag: a general cache */

/* Size, order and all that follows from what was asked for. */
void cache_layout(struct cache *cache, size_t size, size_t align, quire_slab_flags_t flags);
struct quire_kmem_cache *cache_create(struct quire_slab *slab, const char *name, size_t size,
                                      size_t align, quire_slab_flags_t flags,
                                      void (*ctor)(void *object));
/* In memory of the caller, for the first caches of all. */
void cache_boot(struct quire_slab *slab, struct cache *cache, struct quire_kmem_cache *handle,
                const char *name, size_t size);
static inline size_t cache_bytes(unsigned nr_nodes)
{
    return sizeof(struct cache) + nr_nodes * sizeof(struct cache_node);
}
/* Frees a cache without slabs. */
void cache_release(struct cache *cache);

/* Copies the name of number `n` of cache `id`, the oldest is 0; "" when there is none. How many it
 * has. They come and go meanwhile, so a name is read here only. */
unsigned cache_name(struct quire_slab *slab, unsigned id, unsigned n, char name[NAME_BYTES]);

/* The first cache from number `id` on, which isn't destroyed before it is unpinned. Not with a lock
 * held. */
struct cache *cache_pin(struct quire_slab *slab, unsigned id);
void cache_unpin(struct cache *cache);
static inline struct cache *cache_pin_next(struct cache *cache)
{
    struct cache *next = cache_pin(cache->slab, cache->id + 1);
    cache_unpin(cache);
    return next;
}
/* Each cache, pinned while the body runs, which is left by its end or `continue` only. */
#define for_each_cache(slab, pos)                                                                  \
    for (struct cache *pos = cache_pin((slab), 1); pos; pos = cache_pin_next(pos))

/* ---- kmalloc.c ------------------------------------------------------------------------------- */

int kmalloc_init(struct quire_slab *slab);

/* ---- grace.c --------------------------------------------------------------------------------- */

/* Gives a slab to phys, now, or after a grace period if the cache is type-stable. Without locks. */
void slab_dispose(struct cache *cache, struct quire_page *head);
/* Whether empty slabs may go back to phys before the cache ends. */
static inline bool cache_can_trim(const struct cache *cache)
{
    return !(cache->flags & QUIRE_SLAB_TYPESAFE_BY_RCU) || quire_port_knows_grace();
}
/* Frees a cache without objects, now or when its last slab may go. */
void cache_end(struct cache *cache);

/* ---- shrink.c -------------------------------------------------------------------------------- */

/* Empties all sheaves, those of barns too. */
void cache_drain(struct cache *cache);
/* Gives empty slabs of `node` (-1: all) back until `keep` are left on each; pages. */
unsigned long cache_trim(struct cache *cache, int node, unsigned long keep);
void shrinker_init(struct quire_slab *slab);

#endif
