/* tests/unit/slab_machine.h: small objects of a simulated machine, for a test case
 *
 *     if (!slab_boot(NULL))
 *         return;
 *     ...
 *     slab_end();
 *
 * On machine.h's machine, which slab_boot makes: two CPUs, and one node unless the case makes it.
 */
#ifndef QUIRE_TESTS_SLAB_MACHINE_H
#define QUIRE_TESTS_SLAB_MACHINE_H

#include <quire/slab.h>

#include "tests/unit/machine.h"

extern struct quire_slab *slab;

/* NULL: the case is skipped or failed. config may be NULL. */
struct quire_slab *slab_boot(const struct quire_slab_config *config);
/* With maps of their own, apart from the slabs. */
struct quire_slab *slab_boot_with_maps(struct quire_slab_config config);
/* On a machine that is there already. */
struct quire_slab *slab_start(const struct quire_slab_config *config);
/* Checks everything, ends it, and sees that nothing stays allocated and no mistake was reported. */
void slab_end(void);

/* A cache of a name, size and flags; the case has failed when it is NULL. */
struct quire_kmem_cache *cache_of(const char *name, size_t size, quire_slab_flags_t flags);
void destroy(struct quire_kmem_cache *cache);
struct quire_kmem_cache_info info_of(struct quire_kmem_cache *cache);

/* Fills an object with bytes that its address says, and looks whether it still has them. */
void fill(void *object, size_t size);
bool is_filled(const void *object, size_t size);
bool is_zero(const void *object, size_t size);

/* For config.fail: the allocation of number `fail_at` from now on fails, and no other; 0: none. */
extern unsigned long fail_at;
bool fail_once(void *arg);

/* Empties machine.log. */
void forget_log(void);

#endif
