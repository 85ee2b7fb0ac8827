/* bench/common/common.h: what all benchmarks need: samples of times, rows of output, random numbers
 */
#ifndef QUIRE_BENCH_COMMON_H
#define QUIRE_BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- samples.c: times ------------------------------------------------------------------------ */

/* Nanoseconds an operation, of many chunks. */
struct samples {
    double *value;
    size_t count, capacity; /* what comes after the last is dropped */
};

bool samples_init(struct samples *samples, size_t capacity);
void samples_free(struct samples *samples);
void samples_add(struct samples *samples, uint64_t ns, size_t operations);
void samples_add_all(struct samples *to, const struct samples *from);
/* Sorts; 0 when there are none. */
double samples_median(struct samples *samples);

/* ---- output.c -------------------------------------------------------------------------------- */

/* A row on stdout; without a subject the line of headings. */
void print_row(const char *name, unsigned threads, const char *subject, double value, int digits,
               const char *unit);
/* On stderr, if that is a terminal; NULL: takes the line away. */
void progress(const char *text);
_Noreturn void fail(const char *text);

/* ---- random numbers -------------------------------------------------------------------------- */

/* xorshift64*: the same numbers for a seed everywhere. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

/* 0 to bound - 1; the bound is less than 2^32. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return (random_next(state) >> 32) * bound >> 32;
}

#endif
