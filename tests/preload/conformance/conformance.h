/* tests/preload/conformance/conformance.h: what the cases of the conformance programs share
 *
 * A case is a function in a process of its own; a group is a list of them with the subject's name.
 * A CHECK that fails says where, and the case goes on; REQUIRE ends it. What says so doesn't
 * allocate.
 */
#ifndef QUIRE_TESTS_PRELOAD_CONFORMANCE_H
#define QUIRE_TESTS_PRELOAD_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct conformance_case {
    const char *name; /* a sentence about behaviour, with underscores */
    void (*run)(void);
    const char *beyond; /* not NULL: why glibc doesn't promise it; run with --beyond */
    bool inner;         /* not a case but the second process of one: see run_self() */
};
#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, false                                                           \
    }
#define CASE_BEYOND(function, why)                                                                 \
    {                                                                                              \
#function, function, why, false                                                            \
    }
#define CASE_INNER(function)                                                                       \
    {                                                                                              \
#function, function, NULL, true                                                            \
    }
#define END_OF_CASES                                                                               \
    {                                                                                              \
        NULL, NULL, NULL, false                                                                    \
    }

struct conformance_group {
    const char *name;
    const struct conformance_case *cases; /* ends with an empty one */
};

/* Of the program; ends with NULL. */
extern const struct conformance_group *const conformance_groups[];

void check_failed(const char *file, int line, const char *text);
void check_failed_eq(const char *file, int line, const char *text, uint64_t got, uint64_t expected);
/* A line beside the verdict. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
/* Ends the case. */
__attribute__((noreturn)) void skip(const char *why);
__attribute__((noreturn)) void end_case(void);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition);                                          \
    } while (0)
#define CHECK_EQ(got, expected)                                                                    \
    do {                                                                                           \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                         \
        if (got_ != expected_)                                                                     \
            check_failed_eq(__FILE__, __LINE__, #got " == " #expected, got_, expected_);           \
    } while (0)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition);                                          \
            end_case();                                                                            \
        }                                                                                          \
    } while (0)

/* The pointer without what the compiler knows of it: it would warn of sizes and uses that are wrong
 * on purpose, or leave out a malloc whose block isn't used. */
static inline void *opaque(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer));
    return pointer;
}

static inline size_t opaque_size(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

/* ---- memory.c: what a block holds, and what the process takes -------------------------------- */

void fill(void *block, size_t size, unsigned seed);
/* Whether it still holds what fill() wrote. */
bool holds(const void *block, size_t size, unsigned seed);
bool is_zero(const void *block, size_t size);
bool is_aligned(const void *block, size_t alignment);

/* splitmix64 */
uint64_t random_next(uint64_t *state);
/* 1 to `most`, small ones more often: each power of two is as likely as the next. */
size_t random_size(uint64_t *state, size_t most);

size_t resident_bytes(void); /* of /proc/self/statm, anonymous and others */
size_t virtual_bytes(void);
/* How many pages of a block's whole pages are resident; unmapped ones aren't. */
size_t resident_pages(const void *block, size_t size);
/* Whether reading the byte ends in SIGSEGV. */
bool faults(const void *at);

/* The process's own program again, with "--run=CASE", after `prepare` in the child: its wait
 * status. `variable` is NAME=VALUE for the environment, or NULL. */
int run_self(const char *name, const char *variable, void (*prepare)(void));

#ifdef __cplusplus
}
#endif

#endif
