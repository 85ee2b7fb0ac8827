/* tests/harness/harness.c: runs cases and reports them as TAP, without a libc */
#include "tests/harness/harness.h"

#include <stdarg.h>

#include "base/atomic.h"
#include "base/text.h"

/* A CHECK in a loop of millions must not drown the one line that matters. */
#define MAX_FAILURES_SHOWN 10

static struct running {
    const char *suite;
    const struct test_case *test;
    unsigned failures; /* CHECKs that failed, in any thread */
    const char *skipped;
    uint64_t random;
} running;

static void write_tap(void *arg, const char *text, size_t length)
{
    (void)arg;
    test_environment.write(text, length);
}

__attribute__((format(printf, 1, 2))) static void print(const char *format, ...)
{
    struct text text;
    va_list args;
    text_init(&text, write_tap, NULL);
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    text_flush(&text);
}

void test_note(const char *format, ...)
{
    struct text text;
    va_list args;
    text_init(&text, write_tap, NULL);
    text_puts(&text, "# ");
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    text_puts(&text, "\n");
    text_flush(&text);
}

/* Counts a failure; whether it is to be shown. */
static bool count_failure(void)
{
    unsigned earlier = quire_fetch_add(&running.failures, 1);
    if (earlier == MAX_FAILURES_SHOWN)
        test_note("further failures of this case are not shown");
    return earlier < MAX_FAILURES_SHOWN;
}

void test_fail(const char *file, int line, const char *text)
{
    if (count_failure())
        test_note("%s:%d: failed: %s", file, line, text);
}

void test_fail_eq(const char *file, int line, const char *text, uint64_t got, uint64_t expected)
{
    if (count_failure())
        test_note("%s:%d: failed: %s: got %llu (0x%llx), expected %llu (0x%llx)", file, line, text,
                  (unsigned long long)got, (unsigned long long)got, (unsigned long long)expected,
                  (unsigned long long)expected);
}

void test_skip(const char *why)
{
    running.skipped = why;
}

static void print_rerun(void)
{
    test_note("run it alone: %s --seed=%llu --effort=%llu %s.%s", test_environment.rerun,
              (unsigned long long)test_environment.seed,
              (unsigned long long)test_environment.effort, running.suite, running.test->name);
}

void test_bail_out(const char *why)
{
    if (running.test)
        print_rerun();
    print("Bail out! %s\n", why);
}

uint64_t test_random(void)
{
    /* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014). */
    uint64_t z = running.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t test_random_below(uint32_t bound)
{
    /* The high half of a 32 by 32 bit product: no division (Lemire 2019). */
    return (uint32_t)(((test_random() >> 32) * bound) >> 32);
}

/* FNV-1a, so that cases of one seed don't share their numbers. */
static uint64_t hash(uint64_t seed, const char *string)
{
    uint64_t value = 0xcbf29ce484222325u ^ seed;
    for (; *string; string++)
        value = (value ^ (unsigned char)*string) * 0x100000001b3u;
    return value;
}

static bool begins_with(const char *string, const char *prefix)
{
    while (*prefix)
        if (*string++ != *prefix++)
            return false;
    return true;
}

static bool matches(const struct test_suite *suite, const struct test_case *test,
                    const char *filter)
{
    char name[200];
    if (!filter)
        return true;
    quire_snprintf(name, sizeof name, "%s.%s", suite->name, test->name);
    for (const char *at = name; *at; at++)
        if (begins_with(at, filter))
            return true;
    return !*filter;
}

static unsigned count_matches(const struct test_suite *const *suites, const char *filter)
{
    unsigned count = 0;
    for (; *suites; suites++)
        for (const struct test_case *test = (*suites)->cases; test->name; test++)
            count += matches(*suites, test, filter);
    return count;
}

static void run_case(const struct test_suite *suite, const struct test_case *test,
                     struct test_counts *counts)
{
    running = (struct running){
        .suite = suite->name, .test = test, .random = hash(test_environment.seed, test->name)};
    test->run();
    bool failed = quire_load_relaxed(&running.failures);
    if (failed)
        print_rerun();
    print("%s %u - %s.%s", failed ? "not ok" : "ok", ++counts->run, suite->name, test->name);
    if (running.skipped && !failed)
        print(" # SKIP %s", running.skipped);
    print("\n");
    counts->failed += failed;
    counts->skipped += running.skipped && !failed;
}

struct test_counts test_run(const struct test_suite *const *suites, const char *filter)
{
    struct running outer = running;
    struct test_counts counts = {0};
    print("TAP version 14\n1..%u\n", count_matches(suites, filter));
    for (; *suites; suites++)
        for (const struct test_case *test = (*suites)->cases; test->name; test++)
            if (matches(*suites, test, filter))
                run_case(*suites, test, &counts);
    running = outer;
    return counts;
}
