/* bench/heap/pool.c: a pool is made, 100 objects of mixed small sizes are taken, it is destroyed
 *
 * Quire's pools take their blocks from malloc, which is its heap's. Peers are what Debian has as a
 * library: APR's pools (nginx's is no library) and talloc. With an allocator instead it is 100
 * mallocs and 100 frees.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <quire/pool.h>

#include "bench.h"

#define OBJECTS 100u
#define CHUNK 20u /* pools */

static uint16_t size[OBJECTS];
static void *library;

static void *function(const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        fail(dlerror());
    return found;
}

/* ---- malloc ---------------------------------------------------------------------------------- */

static void malloc_pools(void)
{
    void *object[OBJECTS];
    for (unsigned i = 0; i < CHUNK; i++) {
        for (unsigned j = 0; j < OBJECTS; j++) {
            object[j] = malloc(size[j]);
            *(char *)object[j] = 1;
        }
        for (unsigned j = 0; j < OBJECTS; j++)
            free(object[j]);
    }
}

/* ---- APR ------------------------------------------------------------------------------------- */

static int (*apr_pool_create_ex)(void **pool, void *parent, void *abort, void *allocator);
static void *(*apr_palloc)(void *pool, size_t bytes);
static void (*apr_pool_destroy)(void *pool);

static void apr_pools(void)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        void *pool;
        check(!apr_pool_create_ex(&pool, NULL, NULL, NULL));
        for (unsigned j = 0; j < OBJECTS; j++)
            *(char *)apr_palloc(pool, size[j]) = 1;
        apr_pool_destroy(pool);
    }
}

static void apr_start(void)
{
    int (*initialize)(void) = (int (*)(void))function("apr_initialize");
    apr_pool_create_ex = (int (*)(void **, void *, void *, void *))function("apr_pool_create_ex");
    apr_palloc = (void *(*)(void *, size_t))function("apr_palloc");
    apr_pool_destroy = (void (*)(void *))function("apr_pool_destroy");
    check(!initialize());
}

/* ---- talloc ---------------------------------------------------------------------------------- */

static void *(*talloc_named_const)(const void *context, size_t bytes, const char *name);
static int (*talloc_free)(void *object, const char *location);

static void talloc_pools(void)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        void *pool = talloc_named_const(NULL, 0, "pool");
        check(pool);
        for (unsigned j = 0; j < OBJECTS; j++)
            *(char *)talloc_named_const(pool, size[j], "object") = 1;
        talloc_free(pool, "here");
    }
}

static void talloc_start(void)
{
    talloc_named_const =
        (void *(*)(const void *, size_t, const char *))function("talloc_named_const");
    talloc_free = (int (*)(void *, const char *))function("_talloc_free");
}

/* ---- Quire ----------------------------------------------------------------------------------- */

static struct quire_pool_cache quire_cache;

static void quire_pools(void)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        struct quire_pool *pool = quire_pool_create(&quire_cache);
        check(pool);
        for (unsigned j = 0; j < OBJECTS; j++)
            *(char *)quire_pool_alloc(pool, size[j]) = 1;
        quire_pool_destroy(pool);
    }
}

static void quire_start(void)
{
    static const struct quire_pool_malloc functions = {malloc, free};
    static struct quire_pool_config config;
    config.source = quire_pool_from_malloc(&functions);
    check(!quire_pool_cache_init(&quire_cache, &config));
}

/* ---- the case -------------------------------------------------------------------------------- */

static const struct {
    const char *file;
    void (*start)(void), (*run)(void);
} kinds[] = {
    {"libapr-1.so.0", apr_start, apr_pools},
    {"libtalloc.so.2", talloc_start, talloc_pools},
    {QUIRE_POOL, quire_start, quire_pools},
};

static void (*chunk)(void) = malloc_pools;

/* What instructions.sh counts. */
__attribute__((noinline)) void bench_pools(long chunks);
void bench_pools(long chunks)
{
    while (chunks--)
        chunk();
}

/* The driver says by the environment which library it is to be. */
static void pool_100(void)
{
    const char *file = getenv("HEAP_BENCH_POOL");
    uint64_t state = 1;
    for (unsigned i = 0; i < OBJECTS; i++)
        size[i] = (uint16_t)(8 + random_below(&state, i % 10 ? 120 : 500));
    for (unsigned i = 0; file && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(file, kinds[i].file))
            continue;
        library = strcmp(file, QUIRE_POOL) ? dlopen(file, RTLD_NOW) : NULL;
        if (!library && strcmp(file, QUIRE_POOL))
            exit(3);
        kinds[i].start();
        chunk = kinds[i].run;
    }
    if (options.count >= 0) {
        chunk();
        bench_pools(options.count);
        return;
    }
    unsigned chunks = 300 * (unsigned)options.scale;
    result("ns/object", median_ns(chunk, CHUNK * OBJECTS, chunks));
}

const struct heap_case pool_cases[] = {
    {.name = "pool-100", .threads = 1, .run = pool_100, .pools = true},
    {0},
};
