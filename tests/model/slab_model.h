/* tests/model/slab_model.h: caches, and beside them a list of the objects that are allocated
 *
 * The reference is that list: address, size and cache of each. Every byte of an object is a pattern
 * made of its address, which is looked at before the object goes: so two objects that share a byte
 * show, and so does a write of the library into an object. Files: slab_machine.c
 * makes a random machine with its caches, slab_model.c does the random operations.
 */
#ifndef QUIRE_TESTS_MODEL_SLAB_MODEL_H
#define QUIRE_TESTS_MODEL_SLAB_MODEL_H

#include <quire/port.h>
#include <quire/slab.h>

#include "base/bits.h"
#include "base/text.h"
#include "tests/harness/harness.h"

#define SLAB_MODEL_BLOCK_BYTES (QUIRE_PAGE_SIZE << QUIRE_PAGEBLOCK_ORDER)
#define SLAB_MODEL_BYTES (12 * SLAB_MODEL_BLOCK_BYTES) /* 24 MiB by default */
#define SLAB_MODEL_CACHES 12u
#define SLAB_MODEL_OBJECTS 16384u
#define SLAB_MODEL_CPUS 4u
#define SLAB_MODEL_HELD 64u

#define FROM_KMALLOC SLAB_MODEL_CACHES

struct model_object {
    unsigned char *at;
    uint32_t size; /* bytes that its user may write */
    uint8_t from;  /* number of its cache, or FROM_KMALLOC */
};

struct model_cache {
    struct quire_kmem_cache *cache; /* NULL: there is none of this number */
    uint32_t size, align;
    quire_slab_flags_t flags;
    bool constructed;
    unsigned long active;
};

struct slab_model {
    uint64_t random;
    bool broken; /* something was wrong: the rest would only follow from it */
    struct quire_port_mem port;
    struct quire_memblock memblock;
    struct quire_mem *mem;
    struct quire_slab *slab;
    unsigned nr_cpus, nr_nodes;
    bool no_merge;
    unsigned long free_before; /* pages, without the slab layer */
    struct model_cache cache[SLAB_MODEL_CACHES];
    unsigned long nr_objects, nr_blocks; /* all; of them kmalloc's */
    struct model_object object[SLAB_MODEL_OBJECTS];
    struct quire_page *held[SLAB_MODEL_HELD]; /* pages taken away, to make memory short */
    unsigned fail_one_in;                     /* allocations fail at random; 0: none do */
    unsigned reports, expected_reports;
    unsigned long operations, failures;
};

/* False: there isn't enough memory. */
bool slab_model_create(struct slab_model *model, uint64_t seed);
/* Frees everything, and sees that every page is free. */
void slab_model_end(struct slab_model *model);
void slab_model_add_cache(struct slab_model *model, unsigned number);

uint64_t slab_model_random(struct slab_model *model);

static inline uint32_t slab_below(struct slab_model *model, uint32_t bound)
{
    return (uint32_t)(((slab_model_random(model) >> 32) * bound) >> 32);
}

static inline bool slab_one_in(struct slab_model *model, uint32_t n)
{
    return !slab_below(model, n);
}

#define MODEL_EXPECT(model, condition)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, #condition);                                             \
            (model)->broken = true;                                                                \
        }                                                                                          \
    } while (0)
#define MODEL_EXPECT_EQ(model, got, expected)                                                      \
    do {                                                                                           \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                         \
        if (got_ != expected_) {                                                                   \
            test_fail_eq(__FILE__, __LINE__, #got " == " #expected, got_, expected_);              \
            (model)->broken = true;                                                                \
        }                                                                                          \
    } while (0)

#endif
