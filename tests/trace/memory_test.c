/* tests/trace/memory_test.c: every allocation fails once, and an error is all that comes of it
 *
 * The linker leads malloc, calloc and realloc here. What leaks is seen by AddressSanitizer.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/trace/traces.h"
#include "tools/replay.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Allocations until one fails; 0: none will. */
static unsigned long countdown;

static bool fails(void)
{
    return countdown && !--countdown;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

/* Does `work` again and again, with another allocation that fails each time, until it has so few
 * that all go well. Each time before, it has to fail and to say why. */
static void fail_each(bool (*work)(struct trace_error *error))
{
    struct trace_error error;
    bool reached = true;
    unsigned long nth = 1;
    for (; reached && nth < 10000; nth++) {
        error.text[0] = '\0';
        countdown = nth;
        bool ok = work(&error);
        reached = !countdown;
        countdown = 0;
        if (ok == reached || (reached && !*error.text))
            test_note("allocation %lu: %s", nth, error.text);
        CHECK(ok == !reached);
        CHECK(!reached || *error.text);
    }
    test_note("%lu allocations failed", nth - 2);
    CHECK(!reached && nth > 3);
}

static struct trace trace;
static uint8_t *data;
static size_t size;

static bool replay(struct trace_error *error)
{
    static const enum replay_policy policies[] = {REPLAY_LRU, REPLAY_CLOCK, REPLAY_FIFO,
                                                  REPLAY_OPT};
    static const uint64_t frames[] = {100, 3000};
    struct replay_result result[8];
    struct memory_source from = {data, size, 0, 0};
    struct trace_source source = memory_source(&from);
    struct replay_run run = {
        .trace = trace_open_source(&source, 0, error),
        .engine = replay_model,
        .policy = policies,
        .nr_policies = 4,
        .frames = frames,
        .nr_sizes = 2,
        .threads = 1,
        .result = result,
    };
    bool ok = run.trace && replay_run(&run, error);
    if (ok)
        CHECK_EQ(result[0].counts.minor, run.pages);
    trace_close(run.trace);
    return ok;
}

/* Enough pages for everything to grow. */
static void a_replay_without_memory_says_so(void)
{
    for (uint64_t i = 0; i < 30000; i++)
        trace_add(&trace, i % 5 ? test_random_below(5000) : i, 1, test_random_below(4));
    data = trace_compact(&trace, 12, 0, &size);
    REQUIRE(data);
    fail_each(replay);
    free(data);
    trace_free(&trace);
}

static bool write_trace(struct trace_error *error)
{
    struct trace_writer *writer = trace_writer_new(-1, "nowhere", 12, 0, error);
    bool ok = !writer && strstr(error->text, "can't be written"); /* it got as far as the file */
    trace_writer_free(writer);
    return ok;
}

static void a_writer_without_memory_says_so(void)
{
    struct trace_error error = {""};
    CHECK(write_trace(&error));
    countdown = 1;
    CHECK(!trace_writer_new(-1, "nowhere", 12, 0, &error));
    countdown = 0;
    CHECK(strstr(error.text, "no memory"));
}

static const struct test_case cases[] = {
    TEST_CASE(a_replay_without_memory_says_so),
    TEST_CASE(a_writer_without_memory_says_so),
    {0},
};
const struct test_suite suite_memory = {"memory", cases};
