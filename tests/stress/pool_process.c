/* tests/stress/pool_process.c: pools and what only a process has: longjmp, and sanitizers that end
 * it
 *
 * A mistake that AddressSanitizer is to see is made by a child, which has to die of it; one that
 * makes no mistake has to end well.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <quire/pool.h>

#include "tests/harness/harness.h"
#include "tests/unit/pool_machine.h"

static const struct quire_pool_malloc libc = {malloc, free};
static struct quire_pool_config config;
static struct quire_pool_cache cache;

static struct quire_pool *start(unsigned flags)
{
    config = (struct quire_pool_config){.source = quire_pool_from_malloc(&libc), .flags = flags};
    CHECK_EQ(quire_pool_cache_init(&cache, &config), 0);
    struct quire_pool *pool = quire_pool_create(&cache);
    CHECK(pool);
    return pool;
}

static void end(struct quire_pool *pool)
{
    quire_pool_destroy(pool);
    CHECK_EQ(quire_pool_cache_destroy(&cache), 0);
    CHECK_EQ(cache.held, 0);
}

/* ---- an out-of-memory handler that doesn't return -------------------------------------------- */

static jmp_buf out;

static bool leave(void *arg, struct quire_pool *pool, size_t size)
{
    (void)arg;
    (void)pool;
    (void)size;
    longjmp(out, 1);
}

/* How many allocations went well before. */
static unsigned allocate_until_it_leaves(struct quire_pool *pool)
{
    volatile unsigned count = 0;
    if (!setjmp(out))
        while (quire_pool_alloc(quire_pool_create_child(pool), 700))
            count++;
    return count;
}

static void an_out_of_memory_handler_may_leave_by_longjmp(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        struct quire_pool *pool = start(flags);
        quire_pool_set_oom(pool, leave, NULL);
        quire_pool_set_limit(pool, 20000);
        CHECK(allocate_until_it_leaves(pool) > 0);
        quire_pool_check(pool);
        quire_pool_reset(pool);
        CHECK(quire_pool_alloc(pool, 700));
        end(pool);
    }
}

/* ---- what AddressSanitizer sees -------------------------------------------------------------- */

static volatile char sink;

static void stay_within(struct quire_pool *pool)
{
    char *memory = quire_pool_alloc(pool, 21);
    memset(memory, 1, 21);
    char *again = quire_pool_alloc(pool, 5000);
    memset(again, 1, 5000);
    quire_pool_reset(pool);
    memset(quire_pool_alloc(pool, 100), 1, 100);
}

static void write_behind(struct quire_pool *pool)
{
    volatile char *memory = quire_pool_alloc(pool, 21);
    memory[21] = 1;
}

static void write_behind_sixteen(struct quire_pool *pool)
{
    volatile char *memory = quire_pool_alloc(pool, 16);
    (void)!quire_pool_alloc(pool, 16);
    memory[16] = 1;
}

static void write_before(struct quire_pool *pool)
{
    (void)!quire_pool_alloc(pool, 16);
    volatile char *memory = quire_pool_alloc(pool, 16);
    memory[-1] = 1;
}

static void read_after_reset(struct quire_pool *pool)
{
    const volatile char *memory = quire_pool_zalloc(pool, 40);
    quire_pool_reset(pool);
    sink = memory[0];
}

static void read_after_destroy(struct quire_pool *pool)
{
    struct quire_pool *child = quire_pool_create_child(pool);
    const volatile char *memory = quire_pool_zalloc(child, 40);
    quire_pool_destroy(child);
    sink = memory[0];
}

static void read_after_free(struct quire_pool *pool)
{
    char *memory = quire_pool_zalloc(pool, 40);
    (void)quire_pool_free(pool, memory, 40);
    sink = *(volatile char *)memory;
}

static void destroy_twice(struct quire_pool *pool)
{
    struct quire_pool *child = quire_pool_create_child(pool);
    quire_pool_destroy(child);
    quire_pool_destroy(child);
}

/* What the child says goes nowhere. */
static bool dies_of(void (*act)(struct quire_pool *pool), unsigned flags)
{
    int status = 0;
    pid_t child = fork();
    if (!child) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        act(start(flags));
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return !WIFEXITED(status) || WEXITSTATUS(status);
}

static void an_address_sanitizer_sees_mistakes_within_pools(void)
{
    static void (*const mistake[])(struct quire_pool *) = {
        write_behind,       write_behind_sixteen, write_before, read_after_reset,
        read_after_destroy, read_after_free,      destroy_twice};
    if (!POOLS_ARE_POISONED) {
        test_skip("this isn't compiled for AddressSanitizer");
        return;
    }
    for (unsigned flags = 0; flags < 2; flags++) {
        CHECK(!dies_of(stay_within, flags));
        for (unsigned i = 0; i < sizeof mistake / sizeof *mistake; i++)
            if (!dies_of(mistake[i], flags))
                test_fail_eq(__FILE__, __LINE__, "the mistake of this number is seen", i, ~0u);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(an_out_of_memory_handler_may_leave_by_longjmp),
    TEST_CASE(an_address_sanitizer_sees_mistakes_within_pools),
    {0},
};
const struct test_suite suite_pool_process = {"pool_process", cases};
