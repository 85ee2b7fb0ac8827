/* tests/unit/pool_machine.h: pools of a simulated machine, for a test case
 *
 *     if (!pool_boot((struct quire_pool_config){.block_size = 1024}))
 *         return;
 *     ...
 *     pool_end();
 *
 * Blocks come from kmalloc of slab_machine.h's machine, through a source that counts them, fills
 * what it gives with rubbish, and sees when something is written outside of a block, given back
 * twice or with another size.
 */
#ifndef QUIRE_TESTS_POOL_MACHINE_H
#define QUIRE_TESTS_POOL_MACHINE_H

#include <quire/pool.h>

#include "tests/unit/slab_machine.h"

/* ASan sees some mistakes first, and ends the process. */
#if defined(__SANITIZE_ADDRESS__)
#define POOLS_ARE_POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOLS_ARE_POISONED 1
#endif
#endif
#ifndef POOLS_ARE_POISONED
#define POOLS_ARE_POISONED 0
#endif

struct pool_source {
    unsigned long nr_allocs, nr_blocks;        /* so far; at present */
    size_t bytes;                              /* at present */
    unsigned long first_failure, last_failure; /* calls that fail, counted from 1; 0: none */
    unsigned mistakes;                         /* reported to config.mistake */
    char text[200];                            /* of the last one */
};
extern struct pool_source pool_source;
extern struct quire_pool_config pool_config;
extern struct quire_pool_cache pool_cache;

/* Without a source of its own the configuration gets the counting one; mistakes are caught. */
bool pool_boot(struct quire_pool_config config);
/* The cache is destroyed, nothing is left and no mistake was reported. */
void pool_end(void);

/* Whether exactly one mistake was reported since the last question, and says `what`. */
bool pool_caught(const char *what);
struct quire_pool *pool_create(void);
struct quire_pool_info pool_info(const struct quire_pool *pool);
struct quire_pool_cache_info pool_cache_info(void);
/* Filled memory of a pool; the case has failed when it is NULL. */
void *pool_take(struct quire_pool *pool, size_t size);

#endif
