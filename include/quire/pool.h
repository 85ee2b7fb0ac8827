/* quire/pool.h: memory pools, many allocations that end together (layer 5)
 *
 * A pool is made for a connection, a request, a parse: whatever has an end. What is allocated from
 * it is cut from blocks, costs a few instructions, and goes back with the pool in one stroke.
 *
 *     static const struct quire_pool_malloc libc = {malloc, free};
 *     struct quire_pool_config config = {.source = quire_pool_from_malloc(&libc)};
 *     struct quire_pool_cache cache;
 *     if (quire_pool_cache_init(&cache, &config))
 *         ...;
 *     struct quire_pool *pool = quire_pool_create(&cache);
 *     struct request *request = quire_pool_zalloc(pool, sizeof *request);
 *     char *line = quire_pool_printf(pool, "%s %s", method, path);
 *     if (!quire_pool_cleanup(pool, close_file, file))
 *         ...;
 *     quire_pool_destroy(pool);
 *
 *     config ── cache (one a thread) ── free blocks, kept for the next pools
 *       └ source       └── pool ── block ── block ...       small objects, one behind the other
 *                            ├──── large, large ...         each a block of its own
 *                            ├──── cleanup, cleanup ...     run in reverse order
 *                            └──── child ── child ...       pools that end with this one
 *
 * An object above about a quarter of a block, which the block at hand has no room for, gets a block
 * of its own. Memory is aligned to QUIRE_POOL_ALIGN. Single objects needn't be freed;
 * quire_pool_free takes back the last one and large ones early.
 *
 * An arena that holds a large block for the program's life and recycles it is a pool with a large
 * block_size and quire_pool_reset.
 *
 * Threads. A cache and all pools made from it belong to one thread at a time: nothing here takes a
 * lock. So each thread has a cache, all of one configuration, and quire_pool_detach and _attach
 * bring a pool from one to another. Sources of malloc and of a quire_mem may be used by all threads
 * at once, those of a heap's cache, a buffer or a pool by one at a time. With QUIRE_POOL_DEBUG it
 * is checked that no two threads are at one cache, and with config.self that it is always the same.
 *
 * Errors: a pointer or NULL, 0 or a negative errno. What fails changes nothing. Sizes that no
 * memory could have are refused with NULL; size 0 gives memory that differs from all other, and has
 * nothing to look at.
 *
 * Mistakes that are found (a pool destroyed twice, a foreign pointer freed) go to config.mistake as
 * a line of text; when that returns the call has been ignored, or, where only the thread was wrong,
 * goes on. Without it they are a panic.
 *
 * Contexts: no locks, and no sleep but the source's own. Costs are constant unless a line says
 * otherwise; a call that needs a block may cost the source's allocation.
 */
#ifndef QUIRE_POOL_H
#define QUIRE_POOL_H

#include <stdarg.h>

#include <quire/phys.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUIRE_POOL_ALIGN 16u

/* The first members of every pool, so that allocating can be inline; the library's. */
struct quire_pool {
    char *at;  /* where the next object begins */
    char *end; /* of the room for it; `at` where each allocation is to go through the library */
};

/* ---- where blocks come from ------------------------------------------------------------------ */

/* Asked for blocks, never for objects. */
struct quire_pool_source {
    /* At least `*size` bytes, aligned to QUIRE_POOL_ALIGN; writes to `*size` how many they are.
     * NULL: there is no more, or `*size` is none that could be had. */
    void *(*alloc)(void *arg, size_t *size);
    /* Takes a block back, of the size that was written. */
    void (*free)(void *arg, void *block, size_t size);
    void *arg;
};

/* malloc and free, or any functions like them. */
struct quire_pool_malloc {
    void *(*malloc)(size_t size);
    void (*free)(void *memory);
};
struct quire_pool_source quire_pool_from_malloc(const struct quire_pool_malloc *functions);

/* A thread's cache of a heap (quire/heap.h), which is its thread's alone: then each thread has a
 * configuration of its own. A block has all that its size class has. */
struct quire_heap_cache;
struct quire_pool_source quire_pool_from_heap(struct quire_heap_cache *cache);

/* Page runs of a machine's memory. Blocks are whole pages, at most 2^QUIRE_MAX_ORDER of them. */
struct quire_pool_pages {
    struct quire_mem *mem;
    quire_gfp_t gfp;
};
struct quire_pool_source quire_pool_from_pages(const struct quire_pool_pages *pages);

/* A fixed piece of memory, the caller's: first fit, O(holes); neighbours merge. */
struct quire_pool_buffer {
    struct quire_pool_hole *holes; /* by address */
    char *start, *end;
};
void quire_pool_buffer_init(struct quire_pool_buffer *buffer, void *memory, size_t size);
struct quire_pool_source quire_pool_from_buffer(struct quire_pool_buffer *buffer);

/* Another pool, as quire_pool_alloc and quire_pool_free have it: blocks that are neither its last
 * nor large come back when it is reset or destroyed, before which all pools on it must be. */
struct quire_pool_source quire_pool_from_pool(struct quire_pool *pool);

/* ---- caches of blocks ------------------------------------------------------------------------ */

/* Each allocation is a block of its own, of exactly its size, so that a sanitizer or valgrind
 * behind the source sees it; and the rule of threads is checked. A library that was itself compiled
 * with AddressSanitizer poisons what isn't allocated, in blocks too, without this flag. */
#define QUIRE_POOL_DEBUG 0x1u

/* As vsnprintf of <stdio.h>. */
typedef int quire_pool_format_fn(char *buffer, size_t size, const char *format, va_list args);

struct quire_pool_config {
    struct quire_pool_source source;
    size_t block_size; /* that the source is asked for: 512 to SIZE_MAX / 4; 0:
                        * QUIRE_POOL_BLOCK_BYTES */
    size_t keep_bytes; /* free blocks that a cache keeps at most, in bytes. 0:
                        * QUIRE_POOL_KEEP_BYTES; less than a block: none */
    unsigned flags;
    /* For quire_pool_printf; NULL: the library's own, which knows %% %c %s %d %i %u %x %p with l,
     * ll, z, widths, - and 0, and precision for %s. */
    quire_pool_format_fn *format;
    /* A mistake that was found. */
    void (*mistake)(void *arg, const char *text);
    void *mistake_arg;
    /* With QUIRE_POOL_DEBUG: who is calling, not 0. NULL: it isn't asked. */
    uintptr_t (*self)(void);
};

/* Supplied by the caller, used until quire_pool_cache_destroy; stays where it was initialised. Its
 * members are the library's. */
struct quire_pool_cache {
    const struct quire_pool_config *config;
    struct quire_pool_block *kept; /* free blocks */
    size_t nr_kept, max_kept;
    size_t block_size; /* asked of the source */
    size_t small_max;  /* larger ones get a block of their own unless there is room anyway */
    size_t held;       /* bytes that came from the source and are with pools, or kept */
    unsigned long nr_pools;
    bool debug;
    uint32_t busy;   /* debug: somebody is within a call */
    uintptr_t owner; /* debug: who used it first; 0: nobody yet */
};

/* No blocks yet. The configuration must outlive the cache.
 *   -EINVAL   block_size is out of range, flags are unknown, or the source lacks a function */
QUIRE_MUST_CHECK int quire_pool_cache_init(struct quire_pool_cache *cache,
                                           const struct quire_pool_config *config);
/* Gives the free blocks back. -EBUSY, reported as a mistake: there still are pools, and the cache
 * goes on. O(blocks kept). */
int quire_pool_cache_destroy(struct quire_pool_cache *cache);
/* Gives back free blocks beyond so many bytes of them; the bytes that went. O(blocks kept). */
size_t quire_pool_cache_trim(struct quire_pool_cache *cache, size_t keep_bytes);
/* With config.self: whoever uses the cache next is its thread from then on. */
void quire_pool_cache_hand_over(struct quire_pool_cache *cache);

/* ---- pools ----------------------------------------------------------------------------------- */

/* NULL: the source has no block. The pool itself lies in its first one. */
QUIRE_MUST_CHECK struct quire_pool *quire_pool_create(struct quire_pool_cache *cache);
/* One that ends with `parent` at the latest, from the same cache. Its blocks count against the
 * limits of all pools above; it begins with no limit of its own and its parent's out-of-memory
 * handler. NULL: no block, or a limit. O(pools above). */
QUIRE_MUST_CHECK struct quire_pool *quire_pool_create_child(struct quire_pool *parent);

/* Ends a pool; NULL is ignored. First its children end, the youngest first, each in the same way;
 * then its cleanup handlers run, the latest first; then all memory goes. Handlers may use the pool
 * as ever: what they allocate goes with it, children that they make end before the next handler
 * runs, and handlers that they register run next. A pool that is destroyed twice, or by a handler
 * of its own or of a pool below, is a mistake; the first is found as long as its block is kept and
 * not in use again. O(descendants + cleanups + large blocks), and blocks that the cache doesn't
 * keep. */
void quire_pool_destroy(struct quire_pool *pool);
/* The same, but the pool stays, empty, with its limit, its out-of-memory handler and its first
 * block; the others go to the cache. O(blocks) beside what destroy costs. */
void quire_pool_reset(struct quire_pool *pool);

/* Brings a pool without parent, and all below it, to another thread: the old one detaches it, hands
 * it over, and the new one attaches it to a cache of its own. In between it isn't used. attach:
 * -EINVAL if the cache has another configuration, or the pool isn't detached (a mistake, too).
 * O(pools below). */
void quire_pool_detach(struct quire_pool *pool);
QUIRE_MUST_CHECK int quire_pool_attach(struct quire_pool *pool, struct quire_pool_cache *cache);

/* The most bytes of the source that the pool and all below it may hold: blocks, with their unused
 * ends, and large ones. SIZE_MAX: no limit. What is held already stays, and so does the room in it:
 * the grain is a block. */
void quire_pool_set_limit(struct quire_pool *pool, size_t bytes);

/* Called when `size` bytes can't be had for want of memory or by a limit: true, when it made room
 * (it may reset pools, destroy others, children included, free large objects, raise the limit), and
 * it is tried again; false: NULL. To destroy the pool itself, or one above, is a mistake, but it
 * may leave by longjmp (unless a cleanup handler is under way) to where that is done. Sizes that no
 * memory could have aren't asked about. NULL: no handler. */
typedef bool quire_pool_oom_fn(void *arg, struct quire_pool *pool, size_t size);
void quire_pool_set_oom(struct quire_pool *pool, quire_pool_oom_fn *oom, void *arg);

/* ---- allocating ------------------------------------------------------------------------------ */

/* What quire_pool_alloc doesn't do itself. */
QUIRE_MUST_CHECK void *quire_pool_alloc_slow(struct quire_pool *pool, size_t size);

/* `size` bytes. Ten instructions on x86-64 while the block has room, seven if the size is a
 * constant: 0 and what wraps around when rounded become the largest number there is, so that the
 * one comparison is for them, too. */
QUIRE_MUST_CHECK static inline void *quire_pool_alloc(struct quire_pool *pool, size_t size)
{
    size_t rounded = (size + (QUIRE_POOL_ALIGN - 1)) & ~(size_t)(QUIRE_POOL_ALIGN - 1);
    char *memory = pool->at;
    if (__builtin_expect(rounded - 1 >= (size_t)(pool->end - memory), 0))
        return quire_pool_alloc_slow(pool, size);
    pool->at = memory + rounded;
    return memory;
}

/* Zeroed. */
QUIRE_MUST_CHECK static inline void *quire_pool_zalloc(struct quire_pool *pool, size_t size)
{
    void *memory = quire_pool_alloc(pool, size);
    if (__builtin_expect(memory != NULL, 1))
        __builtin_memset(memory, 0, size);
    return memory;
}

/* `count` elements of `size` bytes, as they are or zeroed; NULL when the product overflows. */
QUIRE_MUST_CHECK static inline void *quire_pool_array(struct quire_pool *pool, size_t count,
                                                      size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : quire_pool_alloc(pool, bytes);
}
QUIRE_MUST_CHECK static inline void *quire_pool_calloc(struct quire_pool *pool, size_t count,
                                                       size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : quire_pool_zalloc(pool, bytes);
}

/* Aligned to `align`, a power of two; NULL also when it is none. */
QUIRE_MUST_CHECK void *quire_pool_alloc_aligned(struct quire_pool *pool, size_t align, size_t size);

/* Takes back early what was allocated with this size: the last object of the block at hand, and
 * what has a block of its own. False: it stays until the pool ends or is reset. NULL is ignored. A
 * pointer that isn't the pool's, and a large one of another size, is a mistake. O(1) for the last,
 * O(log n) with n large blocks, O(blocks) for what stays. */
bool quire_pool_free(struct quire_pool *pool, void *memory, size_t size);

/* Copies. strndup: up to `size` characters, and a NUL. */
QUIRE_MUST_CHECK void *quire_pool_memdup(struct quire_pool *pool, const void *from, size_t size);
QUIRE_MUST_CHECK char *quire_pool_strdup(struct quire_pool *pool, const char *string);
QUIRE_MUST_CHECK char *quire_pool_strndup(struct quire_pool *pool, const char *string, size_t size);

/* Formatted text, by config.format. It is formatted into the room that the block has, once if that
 * was enough, else a second time into memory of the size that the first told. NULL also when
 * config.format returns an error. */
#if defined(__GNUC__)
#define QUIRE_POOL_FORMAT(string, first) __attribute__((format(printf, string, first)))
#else
#define QUIRE_POOL_FORMAT(string, first)
#endif
QUIRE_MUST_CHECK QUIRE_POOL_FORMAT(2, 3) char *quire_pool_printf(struct quire_pool *pool,
                                                                 const char *format, ...);
QUIRE_MUST_CHECK QUIRE_POOL_FORMAT(2, 0) char *quire_pool_vprintf(struct quire_pool *pool,
                                                                  const char *format, va_list args);

/* ---- cleanup handlers ------------------------------------------------------------------------ */

struct quire_pool_cleanup;

/* Registers a handler for the pool's end or reset. Returns what names it until it has run or was
 * cancelled; NULL: no memory, and nothing is registered. */
QUIRE_MUST_CHECK struct quire_pool_cleanup *quire_pool_cleanup(struct quire_pool *pool,
                                                               void (*run)(void *arg), void *arg);
/* Takes a handler out, or runs it at once and takes it out. False: it isn't registered (it is
 * running or has run, say), and nothing was done. O(handlers registered since). */
bool quire_pool_cleanup_cancel(struct quire_pool *pool, struct quire_pool_cleanup *cleanup);
bool quire_pool_cleanup_run(struct quire_pool *pool, struct quire_pool_cleanup *cleanup);

/* ---- views ----------------------------------------------------------------------------------- */

/* Bytes, and counts. O(children + cleanups). */
struct quire_pool_info {
    size_t held;  /* of the source's memory, with all pools below: what limits count */
    size_t own;   /* the pool's own part of it */
    size_t peak;  /* the most that was ever held */
    size_t limit; /* SIZE_MAX: none */
    size_t used;  /* of its own, what is handed out, rounded up, and handlers */
    size_t room;  /* in the block at hand */
    size_t lost;  /* ends of other blocks */
    size_t large; /* in blocks of their own, as asked for */
    unsigned long nr_blocks, nr_large, nr_children, nr_cleanups;
};
void quire_pool_info(const struct quire_pool *pool, struct quire_pool_info *info);

/* O(blocks kept). */
struct quire_pool_cache_info {
    unsigned long nr_pools; /* alive, children included */
    unsigned long nr_kept;  /* free blocks */
    size_t kept;            /* bytes of them */
    size_t held;            /* bytes of the source, with pools and kept */
};
void quire_pool_cache_info(const struct quire_pool_cache *cache,
                           struct quire_pool_cache_info *info);

/* Checks every invariant of a pool and all below it; a broken one is a panic. O(all of them). For
 * tests. */
void quire_pool_check(struct quire_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
