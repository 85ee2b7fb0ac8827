/* tests/harness/harness.h: tests that run on the host and inside the machine
 *
 * A file of tests defines cases and one suite, which lists them; `suites.c` lists the suites. The
 * runner prints TAP 14. A case that fails a CHECK says where and goes on to its end, so that it can
 * clean up; REQUIRE returns from the case at once. Each failure prints a command that re-runs the
 * case alone with its seed.
 *
 *     static void a_free_block_can_be_allocated(void)
 *     {
 *         CHECK_EQ(2 + 2, 4);
 *     }
 *     static const struct test_case cases[] = {TEST_CASE(a_free_block_can_be_allocated), {0}};
 *     const struct test_suite suite_example = {"example", cases};
 *
 * Freestanding: no libc. What differs between host and machine is in `struct test_environment`.
 */
#ifndef QUIRE_TESTS_HARNESS_H
#define QUIRE_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quire_port_mem;
struct quire_port_grace;

struct test_case {
    const char *name; /* a sentence about behaviour, with underscores */
    void (*run)(void);
};
#define TEST_CASE(function)                                                                        \
    {                                                                                              \
#function, function                                                                        \
    }

struct test_suite {
    const char *name;
    const struct test_case *cases; /* ends with an empty one */
};

/* Supplied by the host's main or the kernel. */
struct test_environment {
    void (*write)(const char *text, size_t length); /* TAP goes here */
    /* `size` bytes of zeroed simulated physical memory, all directly mapped; false: no room. The
     * previous piece is given up: a case has one machine at a time, or carves several from one. */
    bool (*memory)(uint64_t size, struct quire_port_mem *pm);
    void (*set_cpu)(unsigned cpu); /* this thread plays that CPU from now on */
    /* Where log lines go from now on; NULL: back where they went. NULL itself: can't be had. */
    void (*set_log)(void (*log)(int level, const char *text));
    /* Who tells when readers of type-stable objects are gone; NULL: nobody. */
    void (*set_grace)(void (*call_after_grace)(struct quire_port_grace *grace,
                                               void (*call)(struct quire_port_grace *grace)));
    const char *rerun; /* command that " --seed=N --effort=N suite.case" completes */
    uint64_t seed;     /* base of every case's random numbers */
    uint64_t effort;   /* operations for a random run; the machine takes fewer */
};
extern struct test_environment test_environment;

/* All suites, NULL-terminated: suites.c. */
extern const struct test_suite *const test_suites[];

struct test_counts {
    unsigned run, failed, skipped; /* cases; `run` are all of them, the other two are among them */
};

/* Runs the cases of the suites (NULL-terminated) whose "suite.case" name contains `filter` (NULL:
 * all). A case may run other suites, to test the harness itself. */
struct test_counts test_run(const struct test_suite *const *suites, const char *filter);

/* For a panic hook: the run ends within a case. Prints TAP's "Bail out!" with the reason and the
 * command that re-runs the case; ending the process or machine is the caller's. */
void test_bail_out(const char *why);

void test_fail(const char *file, int line, const char *text);
void test_fail_eq(const char *file, int line, const char *text, uint64_t got, uint64_t expected);
/* The case can't run here; says why. Follow with `return`. */
void test_skip(const char *why);
/* A line of TAP comment, printf-like as base/text.h. */
__attribute__((format(printf, 1, 2))) void test_note(const char *format, ...);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)
#define CHECK_EQ(got, expected)                                                                    \
    do {                                                                                           \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                         \
        if (got_ != expected_)                                                                     \
            test_fail_eq(__FILE__, __LINE__, #got " == " #expected, got_, expected_);              \
    } while (0)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, #condition);                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Random numbers of the running case: splitmix64 from the seed and the case's name. For the thread
 * that runs the case; CHECK may be used from any. */
uint64_t test_random(void);
/* 0 to bound - 1, nearly even; bound is not 0 and below 2^32. */
uint32_t test_random_below(uint32_t bound);

#endif
