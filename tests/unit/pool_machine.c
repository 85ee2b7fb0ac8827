/* tests/unit/pool_machine.c: pools of a simulated machine, for a test case */
#include "tests/unit/pool_machine.h"

struct pool_source pool_source;
struct quire_pool_config pool_config;
struct quire_pool_cache pool_cache;

#define MARK_BYTES 16u

/* Before each block: its size, and two words that say so; behind it some bytes. */
struct mark {
    size_t size, check;
    char unused[MARK_BYTES - 2 * sizeof(size_t) + MARK_BYTES];
};
_Static_assert(sizeof(struct mark) == 2 * MARK_BYTES, "blocks are aligned");

static void *counting_alloc(void *arg, size_t *size)
{
    (void)arg;
    pool_source.nr_allocs++;
    if (pool_source.nr_allocs >= pool_source.first_failure &&
        pool_source.nr_allocs <= pool_source.last_failure)
        return NULL;
    struct mark *mark =
        quire_kmalloc(slab, sizeof *mark + *size + MARK_BYTES, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!mark)
        return NULL;
    unsigned char *block = (unsigned char *)(mark + 1);
    mark->size = *size;
    mark->check = ~*size;
    for (size_t i = 0; i < *size + MARK_BYTES; i++)
        block[i] = i < *size ? 0xcc : 0xe7;
    pool_source.nr_blocks++;
    pool_source.bytes += *size;
    return block;
}

static void counting_free(void *arg, void *block, size_t size)
{
    struct mark *mark = (struct mark *)block - 1;
    (void)arg;
    CHECK_EQ(mark->size, size);
    REQUIRE(mark->check == ~size);
    for (size_t i = 0; i < MARK_BYTES; i++)
        CHECK_EQ(((unsigned char *)block)[size + i], 0xe7);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)block)[i] = 0xdd;
    mark->check = 0;
    pool_source.nr_blocks--;
    pool_source.bytes -= size;
    quire_kfree(slab, mark);
}

static void catch_mistake(void *arg, const char *text)
{
    (void)arg;
    size_t i = 0;
    for (; text[i] && i + 1 < sizeof pool_source.text; i++)
        pool_source.text[i] = text[i];
    pool_source.text[i] = '\0';
    pool_source.mistakes++;
}

bool pool_boot(struct quire_pool_config config)
{
    if (!slab_boot(NULL))
        return false;
    pool_source = (struct pool_source){.nr_allocs = 0};
    pool_config = config;
    if (!config.source.alloc)
        pool_config.source = (struct quire_pool_source){counting_alloc, counting_free, NULL};
    pool_config.mistake = catch_mistake;
    int error = quire_pool_cache_init(&pool_cache, &pool_config);
    CHECK_EQ(error, 0);
    return !error;
}

void pool_end(void)
{
    CHECK_EQ(pool_source.mistakes, 0);
    CHECK_EQ(quire_pool_cache_destroy(&pool_cache), 0);
    CHECK_EQ(pool_cache.held, 0);
    CHECK_EQ(pool_source.nr_blocks, 0);
    CHECK_EQ(pool_source.bytes, 0);
    slab_end();
}

bool pool_caught(const char *what)
{
    bool caught = pool_source.mistakes == 1 && contains(pool_source.text, what);
    if (!caught)
        test_note("%u mistakes reported, the last one: %s", pool_source.mistakes, pool_source.text);
    pool_source.mistakes = 0;
    pool_source.text[0] = '\0';
    return caught;
}

struct quire_pool *pool_create(void)
{
    struct quire_pool *pool = quire_pool_create(&pool_cache);
    CHECK(pool);
    return pool;
}

struct quire_pool_info pool_info(const struct quire_pool *pool)
{
    struct quire_pool_info info;
    quire_pool_info(pool, &info);
    return info;
}

struct quire_pool_cache_info pool_cache_info(void)
{
    struct quire_pool_cache_info info;
    quire_pool_cache_info(&pool_cache, &info);
    return info;
}

void *pool_take(struct quire_pool *pool, size_t size)
{
    void *memory = quire_pool_alloc(pool, size);
    CHECK(memory);
    if (memory)
        fill(memory, size);
    return memory;
}
