/* tests/model/pool_model.c: random operations on families of pools against lists of what they hold
 *
 * The reference is a table of pools with their parents and birthdays, one of objects with their
 * contents, and one of handlers. What a pool's end is to run, in which order, is computed from
 * these beforehand; what is left is checked by contents and by the figures of pool and cache. Two
 * caches of one configuration hand pools to each other.
 */
#include "tests/unit/pool_machine.h"

#define POOLS 24u
#define OBJECTS 400u
#define HANDLERS 100u
#define NONE ~0u

static struct {
    struct quire_pool *pool; /* NULL: none */
    unsigned parent;
    unsigned long birthday;
    unsigned cache;
    size_t limit;
} pools[POOLS];

static struct {
    unsigned char *memory; /* NULL: none */
    size_t size;
    unsigned pool;
    uint64_t seed;
} objects[OBJECTS];

static struct handler {
    struct quire_pool_cleanup *cleanup; /* NULL: none */
    unsigned pool;
    unsigned long birthday;
} handlers[HANDLERS];

static struct quire_pool_cache caches[2];
static unsigned long now, refused, ended, early;

/* What handlers have yet to say, the next one last, and how many did. */
static unsigned expected[HANDLERS], nr_expected;

static void handle(void *arg)
{
    unsigned index = (unsigned)((struct handler *)arg - handlers);
    REQUIRE(nr_expected);
    CHECK_EQ(index, expected[--nr_expected]);
}

/* ---- contents -------------------------------------------------------------------------------- */

static unsigned char byte_at(unsigned index, size_t at)
{
    return (unsigned char)(objects[index].seed >> at % 8 * 8 ^ at / 8);
}

static void look(unsigned index)
{
    size_t i = 0;
    while (i < objects[index].size && objects[index].memory[i] == byte_at(index, i))
        i++;
    CHECK_EQ(i, objects[index].size); /* what is as it was written */
}

static void fill_object(unsigned index)
{
    objects[index].seed = test_random();
    for (size_t i = 0; i < objects[index].size; i++)
        objects[index].memory[i] = byte_at(index, i);
}

/* ---- families -------------------------------------------------------------------------------- */

static bool is_below(unsigned pool, unsigned top)
{
    while (pool != NONE && pool != top)
        pool = pools[pool].parent;
    return pool == top;
}

static unsigned youngest_child(unsigned parent, unsigned long before)
{
    unsigned found = NONE;
    for (unsigned i = 0; i < POOLS; i++)
        if (pools[i].pool && pools[i].parent == parent && pools[i].birthday < before &&
            (found == NONE || pools[i].birthday > pools[found].birthday))
            found = i;
    return found;
}

/* Appends in reverse: the oldest handler of the top is to be said last, so it comes first. */
static void expect_handlers(unsigned pool)
{
    unsigned long after = 0;
    for (;;) {
        unsigned next = NONE;
        for (unsigned i = 0; i < HANDLERS; i++)
            if (handlers[i].cleanup && handlers[i].pool == pool && handlers[i].birthday > after &&
                (next == NONE || handlers[i].birthday < handlers[next].birthday))
                next = i;
        if (next == NONE)
            return;
        after = handlers[next].birthday;
        expected[nr_expected++] = next;
    }
}

static void expect_children(unsigned pool);

static void expect_family(unsigned pool)
{
    expect_handlers(pool);
    expect_children(pool);
}

/* The oldest child first, since it ends last. */
static void expect_children(unsigned pool)
{
    unsigned order[POOLS], count = 0;
    unsigned long before = ~0ul;
    for (unsigned child; (child = youngest_child(pool, before)) != NONE;) {
        order[count++] = child;
        before = pools[child].birthday;
    }
    while (count)
        expect_family(order[--count]);
}

/* What is in the pool and below it is gone; and those below, too. */
static void forget(unsigned top)
{
    for (unsigned i = 0; i < OBJECTS; i++)
        if (objects[i].memory && is_below(objects[i].pool, top)) {
            look(i);
            objects[i].memory = NULL;
        }
    for (unsigned i = 0; i < HANDLERS; i++)
        if (handlers[i].cleanup && is_below(handlers[i].pool, top))
            handlers[i].cleanup = NULL;
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < POOLS; i++)
            if (pools[i].pool && i != top && is_below(i, top) && youngest_child(i, ~0ul) == NONE) {
                pools[i].pool = NULL;
                again = true;
            }
    }
}

static void end(unsigned pool, bool reset)
{
    nr_expected = 0;
    expect_family(pool);
    struct quire_pool *at = pools[pool].pool;
    forget(pool);
    if (reset)
        quire_pool_reset(at);
    else
        quire_pool_destroy(at);
    CHECK_EQ(nr_expected, 0);
    if (!reset)
        pools[pool].pool = NULL;
    else
        CHECK_EQ(pool_info(at).used, 0);
    ended++;
}

static unsigned any_pool(void)
{
    unsigned i = test_random_below(POOLS);
    return pools[i].pool ? i : NONE;
}

static void create(void)
{
    unsigned i = test_random_below(POOLS), parent = test_random_below(3) ? any_pool() : NONE;
    if (pools[i].pool)
        return;
    pools[i].parent = parent;
    pools[i].birthday = ++now;
    pools[i].limit = SIZE_MAX;
    if (parent == NONE) {
        pools[i].cache = test_random_below(2);
        pools[i].pool = quire_pool_create(&caches[pools[i].cache]);
        CHECK(pools[i].pool);
    } else {
        pools[i].cache = pools[parent].cache;
        pools[i].pool = quire_pool_create_child(pools[parent].pool);
        refused += !pools[i].pool;
    }
}

static void move(unsigned pool)
{
    if (pools[pool].parent != NONE)
        return;
    unsigned to = !pools[pool].cache;
    quire_pool_detach(pools[pool].pool);
    CHECK_EQ(quire_pool_attach(pools[pool].pool, &caches[to]), 0);
    for (unsigned i = 0; i < POOLS; i++)
        if (pools[i].pool && is_below(i, pool))
            pools[i].cache = to;
}

static void set_limit(unsigned pool)
{
    pools[pool].limit = test_random_below(2) ? SIZE_MAX : test_random_below(60000);
    quire_pool_set_limit(pools[pool].pool, pools[pool].limit);
}

/* ---- objects --------------------------------------------------------------------------------- */

static size_t any_size(void)
{
    switch (test_random_below(16)) {
    case 0:
        return test_random_below(20000);
    case 1:
    case 2:
        return test_random_below(1200);
    default:
        return test_random_below(257);
    }
}

static unsigned char *take(struct quire_pool *pool, size_t size)
{
    static const char text[1] = "";
    switch (test_random_below(6)) {
    case 0: {
        size_t align = (size_t)1 << test_random_below(10);
        unsigned char *memory = quire_pool_alloc_aligned(pool, align, size);
        CHECK_EQ((uintptr_t)memory & (align - 1), 0);
        return memory;
    }
    case 1: {
        unsigned char *memory = quire_pool_zalloc(pool, size);
        CHECK(!memory || is_zero(memory, size));
        return memory;
    }
    case 2:
        return size ? (unsigned char *)quire_pool_printf(pool, "%*s", (int)size - 1, text)
                    : quire_pool_alloc(pool, 0);
    default:
        return quire_pool_alloc(pool, size);
    }
}

static void allocate(unsigned pool)
{
    unsigned i = test_random_below(OBJECTS);
    if (objects[i].memory)
        return;
    objects[i].size = any_size();
    objects[i].pool = pool;
    objects[i].memory = take(pools[pool].pool, objects[i].size);
    CHECK_EQ((uintptr_t)objects[i].memory % QUIRE_POOL_ALIGN, 0);
    if (objects[i].memory)
        fill_object(i);
    else
        refused++;
}

static void free_object(void)
{
    unsigned i = test_random_below(OBJECTS);
    if (!objects[i].memory)
        return;
    look(i);
    early += quire_pool_free(pools[objects[i].pool].pool, objects[i].memory, objects[i].size);
    objects[i].memory = NULL; /* what wasn't taken back isn't the model's any more either */
}

/* ---- handlers -------------------------------------------------------------------------------- */

static void register_handler(unsigned pool)
{
    unsigned i = test_random_below(HANDLERS);
    if (handlers[i].cleanup)
        return;
    handlers[i].pool = pool;
    handlers[i].birthday = ++now;
    handlers[i].cleanup = quire_pool_cleanup(pools[pool].pool, handle, &handlers[i]);
    refused += !handlers[i].cleanup;
}

static void take_out_handler(void)
{
    unsigned i = test_random_below(HANDLERS);
    if (!handlers[i].cleanup)
        return;
    struct quire_pool *pool = pools[handlers[i].pool].pool;
    if (test_random_below(2)) {
        nr_expected = 0;
        CHECK(quire_pool_cleanup_cancel(pool, handlers[i].cleanup));
    } else {
        expected[0] = i;
        nr_expected = 1;
        CHECK(quire_pool_cleanup_run(pool, handlers[i].cleanup));
        CHECK_EQ(nr_expected, 0);
    }
    handlers[i].cleanup = NULL;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void look_at_all(void)
{
    size_t held = 0;
    unsigned long count = 0;
    for (unsigned i = 0; i < OBJECTS; i++)
        if (objects[i].memory)
            look(i);
    for (unsigned i = 0; i < POOLS; i++) {
        if (!pools[i].pool)
            continue;
        count++;
        if (pools[i].parent == NONE) {
            quire_pool_check(pools[i].pool);
            held += pool_info(pools[i].pool).held;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct quire_pool_cache_info info;
        quire_pool_cache_info(&caches[i], &info);
        held += info.kept;
        count -= info.nr_pools;
    }
    CHECK_EQ(count, 0);
    CHECK_EQ(held, caches[0].held + caches[1].held);
    CHECK_EQ(held, pool_source.bytes);
}

static void step(void)
{
    unsigned pool = any_pool(), dice = test_random_below(100);
    if (dice < 6)
        create();
    else if (dice < 22)
        free_object();
    else if (dice < 26)
        take_out_handler();
    else if (pool == NONE)
        return;
    else if (dice < 34)
        register_handler(pool);
    else if (dice < 35)
        set_limit(pool);
    else if (dice < 36)
        move(pool);
    else if (dice < 39)
        end(pool, test_random_below(2));
    else
        allocate(pool);
}

static void run(unsigned flags, size_t block_size)
{
    if (!pool_boot((struct quire_pool_config){
            .flags = flags, .block_size = block_size, .keep_bytes = 40 * block_size}))
        return;
    now = refused = ended = early = 0;
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(!quire_pool_cache_init(&caches[i], &pool_config));
    unsigned long operations = (unsigned long)test_environment.effort / 5;
    for (unsigned long i = 0; i < operations; i++) {
        step();
        if (i % 512 == 0)
            look_at_all();
    }
    look_at_all();
    for (unsigned i = 0; i < POOLS; i++)
        if (pools[i].pool && pools[i].parent == NONE)
            end(i, false);
    look_at_all();
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(quire_pool_cache_destroy(&caches[i]), 0);
    CHECK(operations < 1000 || (refused && ended && early));
    test_note("%lu refused, %lu pools ended, %lu objects freed early", refused, ended, early);
    pool_end();
}

static void random_families_keep_their_contents(void)
{
    run(0, 1024);
}

static void random_families_with_the_smallest_blocks(void)
{
    run(0, 512);
}

static void random_families_when_debugging(void)
{
    run(QUIRE_POOL_DEBUG, 1024);
}

static const struct test_case cases[] = {
    TEST_CASE(random_families_keep_their_contents),
    TEST_CASE(random_families_with_the_smallest_blocks),
    TEST_CASE(random_families_when_debugging),
    {0},
};
const struct test_suite suite_pool_model = {"pool_model", cases};
