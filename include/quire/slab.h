/* quire/slab.h: objects smaller than a page (layer 2)
 *
 * A machine's small objects are a `struct quire_slab`, which takes its pages from a `quire_mem`.
 * It has general caches, by size, and those that its users create, each of one kind of object:
 *
 *     struct quire_slab *slab;
 *     if (quire_slab_init(&slab, mem, NULL))
 *         ...;
 *     char *text = quire_kmalloc(slab, 100, QUIRE_GFP_KERNEL);
 *     struct quire_kmem_cache *cache =
 *         quire_kmem_cache_create(slab, "task", sizeof(struct task), 0, 0, NULL);
 *     struct task *task = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
 *     quire_kmem_cache_free(cache, task);
 *     quire_kfree(slab, text);
 *
 * Contexts. What allocates and frees objects may be called from any context, interrupt handlers
 * included, takes at most one lock at a time for as long as one sheaf's objects need (126 at most),
 * and sleeps or calls back only if `gfp` holds QUIRE_GFP_DIRECT_RECLAIM. What creates, destroys,
 * shrinks, drains or looks at caches waits for other CPUs: not in interrupt handlers. It holds a
 * lock for the slabs that it unlists, or for one sheaf's objects; the registry's for a walk along
 * the names. Only what looks at every object of a cache (validate, dump_users, with debugging
 * flags) holds a node's lock for all of them.
 *
 * `gfp` is as in quire/phys.h. Objects are always directly mapped: HIGHMEM and MOVABLE are ignored,
 * and so is COMP; of caches the zone is a flag of theirs. ZERO clears the object. THISNODE counts
 * for kmalloc and where a node is named.
 *
 * Errors: 0 or a negative errno; a pointer or NULL. What fails changes nothing.
 *
 * Mistakes that are found (an object freed twice, written when it was free) are logged with what is
 * known about the object, and then reported to ops->bad_page of the quire_mem in one line; when
 * that returns, the bad call has been ignored, or the damage repaired. Without that callback they
 * are a panic. `pfn` there is 0 where no frame is concerned.
 *
 * What is found when: by kfree, at once, memory that is no slab's or beyond all memory, and objects
 * of caches that this quire_slab doesn't have; and memory of a hole once there was a cache with
 * debugging flags, or an option string, from when on kfree takes some instructions more. Of a cache
 * with debugging flags, everything at once.
 * Else an object that is free already, of another cache, or a pointer into one, when it gets from a
 * CPU's sheaf back to its slab: by then it may have been allocated again. To pass an object to
 * another quire_slab that has a cache of the same number is never found.
 */
#ifndef QUIRE_SLAB_H
#define QUIRE_SLAB_H

#include <quire/phys.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_slab;
struct quire_kmem_cache;

/* Bytes of config.maps for each frame. */
#define QUIRE_SLAB_MAP_BYTES (QUIRE_PAGE_SIZE / 128)

/* Owner flags of pages (QUIRE_PAGE_OWNER_FLAGS) that are this layer's in all pages, so that kfree
 * can tell whose a page is; other owners of pages leave them clear. */
#define QUIRE_PAGE_SLAB 0x00400000u  /* every page of a slab */
#define QUIRE_PAGE_LARGE 0x00200000u /* the first page of what kmalloc took from phys */

/* ---- starting and ending --------------------------------------------------------------------- */

struct quire_slab_config {
    unsigned max_caches; /* that can exist at a time, the general ones included: 64 to 2000;
                          * each costs some 4 words a CPU. 0: QUIRE_SLAB_MAX_CACHES */
    /* Debugging of caches by their name, as Linux's slab_debug=: FLAGS[,CACHE...][;FLAGS[,...]...].
     * Flags are F (QUIRE_SLAB_CONSISTENCY_CHECKS), Z (_RED_ZONE), P (_POISON), U (_STORE_USER), R
     * (_FREELIST_RANDOM), - (none, whatever the creator says); names without flags mean FZPU, and
     * so does the empty string, for all caches. A name may end with *, and has no blanks around it.
     * No names: all caches that no other part names. NULL: as their creators say. A leading
     * "quire_slab_debug=", or Linux's "slab_debug=" or "slub_debug=", is skipped. At most 255
     * characters, which needn't outlive the call. */
    const char *debug;
    bool no_merge; /* caches of like objects stay apart */
    /* Slabs have orders below this where one object fits, for a machine of few pages: more memory
     * is of no use in slabs, but each cache is smaller. 0, or 4 and more: as it is best. */
    unsigned order_limit;
    /* No general caches: kmalloc and its like aren't to be called. */
    bool no_general;
    size_t
        empty_bytes; /* of empty slabs that a cache keeps on a node; at least 4 slabs, and 1/32 */
    /* Where the free maps of slabs with more than 64 objects are: QUIRE_SLAB_MAP_BYTES for each
     * frame of the machine, from frame 0 on, all zero and writable once the frame is memory. Then
     * no writer past an object's end meets them, and slabs hold objects alone: at most
     * 8 * QUIRE_SLAB_MAP_BYTES a page. NULL: at the end of each slab. */
    void *maps;
    /* Told when pages become a slab's of a cache with QUIRE_SLAB_NO_SHEAVES, with the size of its
     * objects, and before they go back to phys, with 0. Without locks; sheaves of other caches
     * don't tell. May be NULL. */
    void (*pages_changed)(void *arg, void *pages, size_t bytes, size_t object_size);
    void *pages_arg;
    /* For tests: asked before pages or a sheaf are taken for whatever; true: that fails. Without
     * locks. */
    bool (*fail)(void *arg);
    void *fail_arg;
    bool fail_objects; /* and before each object of a cache that is debugged */
};

/* Makes the general caches; config may be NULL. The quire_slab lives in pages of `mem`.
 *   -EINVAL   max_caches or the debug string make no sense (logged)
 *   -ENOMEM */
QUIRE_MUST_CHECK int quire_slab_init(struct quire_slab **slab, struct quire_mem *mem,
                                     const struct quire_slab_config *config);

/* The end: nobody uses it any more, no grace period is under way, and nobody is reclaiming memory
 * of its quire_mem (it is a shrinker there). Gives its pages back, with all its caches; returns the
 * number of objects that were still allocated, whose slabs stay so. Large blocks of kmalloc stay,
 * and aren't counted. */
unsigned long quire_slab_destroy(struct quire_slab *slab);

/* ---- caches ---------------------------------------------------------------------------------- */

/* Linux's names, values and meanings. */
typedef unsigned int quire_slab_flags_t;

#define QUIRE_SLAB_CONSISTENCY_CHECKS 0x100u /* debugging: pointers, double frees, free objects */
#define QUIRE_SLAB_FREELIST_RANDOM 0x200u    /* objects come in random order */
#define QUIRE_SLAB_RED_ZONE 0x400u           /* debugging: writes just outside objects */
#define QUIRE_SLAB_POISON 0x800u             /* debugging: writes to free objects */
#define QUIRE_SLAB_HWCACHE_ALIGN 0x2000u     /* objects don't share cache lines needlessly */
#define QUIRE_SLAB_CACHE_DMA 0x4000u         /* pages from ZONE_DMA */
#define QUIRE_SLAB_CACHE_DMA32 0x8000u       /* pages from ZONE_DMA32 */
#define QUIRE_SLAB_STORE_USER 0x10000u       /* debugging: who allocated and freed an object */
#define QUIRE_SLAB_RECLAIM_ACCOUNT 0x20000u  /* a shrinker can free the objects */
#define QUIRE_SLAB_PANIC 0x40000u            /* panic when the cache can't be created */
/* Memory of a freed object goes on being one of this cache's objects until a grace period is over:
 * a reader may look at an object that may be freed or allocated anew under his eyes, and finds out
 * by looking at what it holds. Its slabs go back to phys by quire_port_call_after_grace; where the
 * port knows no grace periods they go back when the cache is destroyed. */
#define QUIRE_SLAB_TYPESAFE_BY_RCU 0x80000u
#define QUIRE_SLAB_NO_MERGE 0x1000000u /* never shares slabs with another cache */

/* No per-CPU sheaves: for users who keep free objects themselves, and come for many at once. */
#define QUIRE_SLAB_NO_SHEAVES 0x2000000u

/* A cache with any of these has no per-CPU sheaves: each operation checks, under the node's lock.
 */
#define QUIRE_SLAB_DEBUG_FLAGS                                                                     \
    (QUIRE_SLAB_CONSISTENCY_CHECKS | QUIRE_SLAB_RED_ZONE | QUIRE_SLAB_POISON |                     \
     QUIRE_SLAB_STORE_USER)

#define QUIRE_KMEM_CACHE_MAX_SIZE (QUIRE_PAGE_SIZE << 5)
#define QUIRE_KMEM_CACHE_MAX_ORDER 6u

/* Creates a cache of objects of `size` bytes, aligned to `align` (a power of two up to a page; 0:
 * 8). `name` is copied; at most 31 characters. `ctor` (may be NULL) runs once for each object when
 * its slab is made, and who frees an object leaves it in that state; ZERO is ignored for such
 * caches.
 *
 * Caches of alike objects share slabs, unless that is turned off, they are debugged, or have a
 * constructor or TYPESAFE_BY_RCU. NULL, and a line in the log that says why:
 *   the name is empty, too long, or another cache's; size is 0 or above QUIRE_KMEM_CACHE_MAX_SIZE;
 *   align is no power of two or above a page; unknown flags, or DMA and DMA32; no memory; as many
 *   caches as there can be. */
QUIRE_MUST_CHECK struct quire_kmem_cache *
quire_kmem_cache_create(struct quire_slab *slab, const char *name, size_t size, size_t align,
                        quire_slab_flags_t flags, void (*ctor)(void *object));

/* Ends a cache that nobody uses any more; NULL is ignored. One that shares its slabs just goes.
 *   -EBUSY    objects are still allocated: reported as a mistake, with their number, and by whom
 *             with STORE_USER; the cache can still be used */
int quire_kmem_cache_destroy(struct quire_kmem_cache *cache);

/* Gives empty slabs back to phys, after emptying all CPUs' sheaves; the number of pages. */
unsigned long quire_kmem_cache_shrink(struct quire_kmem_cache *cache);

/* The order of this cache's slabs made from now on; it is the caches' with whom it shares them too.
 *   -EINVAL   no object would fit, or above QUIRE_KMEM_CACHE_MAX_ORDER */
QUIRE_MUST_CHECK int quire_kmem_cache_set_order(struct quire_kmem_cache *cache, unsigned order);

/* What was asked for at creation, and what an object takes with alignment and debugging. */
const char *quire_kmem_cache_name(const struct quire_kmem_cache *cache);
size_t quire_kmem_cache_size(const struct quire_kmem_cache *cache);

/* An object, from the CPU's sheaf: O(1). Beyond that from the node's slabs, and from phys. */
QUIRE_MUST_CHECK void *quire_kmem_cache_alloc(struct quire_kmem_cache *cache, quire_gfp_t gfp);

/* One whose memory is on `node`, or with QUIRE_GFP_THISNODE absent near it, past the CPU's sheaves;
 * when phys has no pages there, what the node's barn holds. -1: as above. NULL also when there is
 * no such node. */
QUIRE_MUST_CHECK void *quire_kmem_cache_alloc_node(struct quire_kmem_cache *cache, quire_gfp_t gfp,
                                                   int node);

QUIRE_MUST_CHECK static inline void *quire_kmem_cache_zalloc(struct quire_kmem_cache *cache,
                                                             quire_gfp_t gfp)
{
    return quire_kmem_cache_alloc(cache, gfp | QUIRE_GFP_ZERO);
}

/* Gives an object of this cache back; NULL is ignored. O(1) into the CPU's sheaf. */
void quire_kmem_cache_free(struct quire_kmem_cache *cache, void *object);

/* `count` objects at once: true and all of them, or false and none. */
QUIRE_MUST_CHECK bool quire_kmem_cache_alloc_bulk(struct quire_kmem_cache *cache, quire_gfp_t gfp,
                                                  size_t count, void **objects);
/* NULL elements are skipped. */
void quire_kmem_cache_free_bulk(struct quire_kmem_cache *cache, size_t count, void **objects);

/* For caches with QUIRE_SLAB_NO_SHEAVES, not debugged: up to `count` objects, under one lock as far
 * as there are slabs, the one with the lowest address last in the array, which is filled from its
 * beginning. How many: fewer only when there is no memory. */
QUIRE_MUST_CHECK size_t quire_kmem_cache_take(struct quire_kmem_cache *cache, quire_gfp_t gfp,
                                              size_t count, void **objects);
/* Whether `object` is one of this cache's, and allocated as far as its slab knows. */
bool quire_kmem_cache_owns(struct quire_kmem_cache *cache, const void *object);
/* Gives `count` objects back, none of them NULL, under one lock. */
void quire_kmem_cache_put(struct quire_kmem_cache *cache, size_t count, void **objects);

/* ---- general caches -------------------------------------------------------------------------- */

/* Classes are 8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096 and 8192 bytes. A block of
 * 2^n bytes is aligned to them, others to the largest power of two that divides their class. Above
 * 8192 bytes: 2^order pages. DMA, DMA32 and RECLAIMABLE in gfp choose classes of their own.
 *
 * Size 0 gives QUIRE_ZERO_SIZE_PTR, which may be freed and resized but not looked at. NULL: no
 * memory, or more than QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER. */
#define QUIRE_KMALLOC_MAX_CACHE 8192u
#define QUIRE_ZERO_SIZE_PTR ((void *)16)

QUIRE_MUST_CHECK void *quire_kmalloc(struct quire_slab *slab, size_t size, quire_gfp_t gfp);
/* `node` as with quire_kmem_cache_alloc_node. */
QUIRE_MUST_CHECK void *quire_kmalloc_node(struct quire_slab *slab, size_t size, quire_gfp_t gfp,
                                          int node);

QUIRE_MUST_CHECK static inline void *quire_kzalloc(struct quire_slab *slab, size_t size,
                                                   quire_gfp_t gfp)
{
    return quire_kmalloc(slab, size, gfp | QUIRE_GFP_ZERO);
}

/* `count` elements of `size` bytes; NULL when the product overflows. */
QUIRE_MUST_CHECK void *quire_kmalloc_array(struct quire_slab *slab, size_t count, size_t size,
                                           quire_gfp_t gfp);
QUIRE_MUST_CHECK static inline void *quire_kcalloc(struct quire_slab *slab, size_t count,
                                                   size_t size, quire_gfp_t gfp)
{
    return quire_kmalloc_array(slab, count, size, gfp | QUIRE_GFP_ZERO);
}

/* Moves a block to another size, with its content up to the lesser of the two; in place where it
 * fits. With ZERO what is added is zero if all of the block was asked for with ZERO. NULL as ptr
 * allocates; size 0 frees, and gives QUIRE_ZERO_SIZE_PTR. NULL: no memory, and the block stays. */
QUIRE_MUST_CHECK void *quire_krealloc(struct quire_slab *slab, void *ptr, size_t size,
                                      quire_gfp_t gfp);
/* `count` elements of `size` bytes; NULL when the product overflows, and the block stays. */
QUIRE_MUST_CHECK void *quire_krealloc_array(struct quire_slab *slab, void *ptr, size_t count,
                                            size_t size, quire_gfp_t gfp);

/* Bytes that may be used of a block that kmalloc or a cache gave: all that it takes, or with
 * a red zone those that were asked for, behind which that begins. 0 for NULL and for
 * QUIRE_ZERO_SIZE_PTR. */
size_t quire_ksize(struct quire_slab *slab, const void *ptr);

/* Frees what any of these gave, and objects of any cache of `slab`. NULL and QUIRE_ZERO_SIZE_PTR
 * are ignored. O(1). */
void quire_kfree(struct quire_slab *slab, const void *ptr);

/* ---- giving memory back ---------------------------------------------------------------------- */

/* All caches' empty slabs of `node` (-1: all; one that isn't there: none) go back to phys, those in
 * sheaves first; pages. It is also a shrinker of the quire_mem, which asks for the same when memory
 * is short. */
unsigned long quire_slab_shrink(struct quire_slab *slab, int node);

/* Tells the port of pages that hold no part of an object in use, in slabs that do
 * (quire_port_report_free): their content is lost, and they are written to again without notice.
 * Those of caches with constructors or debugging, and type-stable ones, stay. How many pages, which
 * are `budget` at most and those of one slab more; those that were told before aren't again, until
 * they were used. O(objects). Locks of caches' nodes are held for a few slabs each time,
 * and not while the port is told; who comes meanwhile passes over what is being told. */
unsigned long quire_slab_report_free_pages(struct quire_slab *slab, unsigned long budget);

/* Empties the sheaves of one CPU (any CPU's, running or gone). */
void quire_slab_drain_cpu(struct quire_slab *slab, unsigned cpu);

/* ---- views ----------------------------------------------------------------------------------- */

/* Exact while nobody allocates or frees. */
struct quire_kmem_cache_info {
    const char *name;
    size_t object_size; /* as asked for */
    size_t size;        /* what one takes, with alignment and debugging */
    quire_slab_flags_t flags;
    unsigned order;            /* of new slabs */
    unsigned objects_per_slab; /* of new slabs */
    unsigned sheaf_capacity;   /* objects; 0: the cache has no sheaves */
    unsigned nr_aliases;       /* other caches that share the slabs */
    unsigned long nr_slabs, nr_partial, nr_empty;
    unsigned long nr_pages;
    unsigned long nr_objects; /* room for so many in all slabs */
    unsigned long nr_active;  /* allocated */
    unsigned long nr_cpu;     /* free, in CPUs' sheaves */
    unsigned long nr_barn;    /* free, in full sheaves of the nodes */
    uint64_t internal_waste;  /* bytes of slabs that no object can use: alignment, padding, tails */
    uint64_t external_waste;  /* bytes of free objects, in sheaves too */
};
void quire_kmem_cache_info(struct quire_kmem_cache *cache, struct quire_kmem_cache_info *info);

/* At any time and without a lock, so each number is true of some moment. O(nodes). */
struct quire_kmem_cache_use {
    unsigned long objects; /* that the slabs have room for */
    unsigned long taken;   /* of those: allocated, or in sheaves */
    unsigned long pages;
    unsigned long told; /* pages that quire_slab_report_free_pages told of, still vacant */
};
struct quire_kmem_cache_use quire_kmem_cache_use(const struct quire_kmem_cache *cache);

/* Pages of slabs and of kmalloc's large blocks, as /proc/meminfo counts them. Each cache's are true
 * when they are read, the large blocks' while nobody allocates or frees. O(caches * nodes). */
struct quire_slab_pages {
    unsigned long reclaimable;   /* of caches with RECLAIM_ACCOUNT */
    unsigned long unreclaimable; /* of all others, and large blocks */
};
void quire_slab_pages(struct quire_slab *slab, struct quire_slab_pages *pages);

/* All caches: as /proc/slabinfo (version 2.1), or as JSON with all that quire_kmem_cache_info says,
 * each CPU's fill, and the names that share a cache. Linux's format has a line a cache: it has the
 * oldest of its names, and quire_slab_aliases has the others.
 *
 * `write` is called without locks, but who destroys the cache that is being written waits for it:
 * so it may allocate and free, but not destroy caches. The names, and each number, are true when
 * they are read; caches that come or go meanwhile are there or not. -EINVAL: no such format. */
int quire_slabinfo(struct quire_slab *slab, enum quire_format format, quire_write_fn *write,
                   void *arg);

/* A line for each cache that has several names: the oldest, "<-", and those that share its slabs;
 * as Linux's `slabinfo -a`. `write` as above. */
void quire_slab_aliases(struct quire_slab *slab, quire_write_fn *write, void *arg);

/* With STORE_USER: a line per caller that holds objects of the cache: objects, bytes, caller, as an
 * address and as what the port calls it.
 * O(objects * callers). `write` is called without locks. */
void quire_kmem_cache_dump_users(struct quire_kmem_cache *cache, quire_write_fn *write, void *arg);

/* Checks every object of a cache by its debugging flags, allocated and free; the number of mistakes
 * found, each reported. Linux: slabinfo -v. */
unsigned long quire_kmem_cache_validate(struct quire_kmem_cache *cache);

/* Checks every invariant of all caches while they are still; a broken one is a panic. O(slabs). For
 * tests. */
void quire_slab_check(struct quire_slab *slab);

#ifdef __cplusplus
}
#endif

#endif
