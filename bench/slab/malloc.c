/* bench/slab/malloc.c: malloc and free of this process, whichever library gives them */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loops.h"

static ALWAYS_INLINE void *malloc_alloc(void *allocator, size_t size)
{
    (void)allocator;
    return malloc(size);
}

static ALWAYS_INLINE void malloc_free(void *allocator, void *object)
{
    (void)allocator;
    free(object);
}

static ALWAYS_INLINE bool malloc_alloc_bulk(void *allocator, size_t size, size_t count,
                                            void **objects)
{
    (void)allocator;
    for (size_t i = 0; i < count; i++)
        if (!(objects[i] = malloc(size)))
            return false;
    return true;
}

static ALWAYS_INLINE void malloc_free_bulk(void *allocator, size_t count, void **objects)
{
    (void)allocator;
    for (size_t i = 0; i < count; i++)
        free(objects[i]);
}

DEFINE_LOOPS(malloc)

static void *nothing(const struct bench_case *c)
{
    (void)c;
    static char unused;
    return &unused;
}

/* Resident memory of the process. */
static uint64_t resident(void *allocator)
{
    (void)allocator;
    unsigned long total, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &pages) != 2)
        fail("/proc/self/statm can't be read");
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

const struct subject malloc_subject = {.create = nothing, SUBJECT_LOOPS(malloc), .bytes = resident};
