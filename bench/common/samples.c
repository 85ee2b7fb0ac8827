/* bench/common/samples.c: what chunks of operations took, and their median */
#include <stdlib.h>

#include "bench/common/common.h"

bool samples_init(struct samples *samples, size_t capacity)
{
    /* Touched now, so that adding one never faults. */
    samples->value = calloc(capacity, sizeof samples->value[0]);
    samples->capacity = capacity;
    samples->count = 0;
    for (size_t i = 0; samples->value && i < capacity; i++)
        ((volatile double *)samples->value)[i] = 0;
    return samples->value;
}

void samples_free(struct samples *samples)
{
    free(samples->value);
    samples->value = NULL;
    samples->count = samples->capacity = 0;
}

void samples_add(struct samples *samples, uint64_t ns, size_t operations)
{
    if (samples->count < samples->capacity)
        samples->value[samples->count++] = (double)ns / (double)operations;
}

void samples_add_all(struct samples *to, const struct samples *from)
{
    for (size_t i = 0; i < from->count && to->count < to->capacity; i++)
        to->value[to->count++] = from->value[i];
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_median(struct samples *samples)
{
    size_t n = samples->count;
    if (!n)
        return 0;
    qsort(samples->value, n, sizeof samples->value[0], compare);
    return n % 2 ? samples->value[n / 2] : (samples->value[n / 2 - 1] + samples->value[n / 2]) / 2;
}
