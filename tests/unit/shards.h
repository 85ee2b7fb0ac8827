/* tests/unit/shards.h: machines whose zones have shards, for the tests of shards and inboxes */
#ifndef QUIRE_TESTS_SHARDS_H
#define QUIRE_TESTS_SHARDS_H

#include "tests/unit/machine.h"

#include "phys/internal.h"

#define LARGEST (1ul << MAX_ORDER)
#define TWO_SHARDS ((uint64_t)(2 * QUIRE_SHARD_BLOCKS + 2) * LARGEST << QUIRE_PAGE_SHIFT)

/* The zone of a machine with two CPUs, a shard each. NULL: the case is skipped. */
struct zone *shards_boot(void);
/* The same, but all memory is the first one's. */
struct zone *shards_boot_in_the_first(void);
/* Whole pageblocks, and more frames than a CPU's list holds. */
#define AREA_PAGES (PAGEBLOCK_PAGES < 256 ? 256ul : PAGEBLOCK_PAGES)

/* The same with a CMA area of AREA_PAGES, at `*base`, in its middle. */
struct zone *shards_boot_with_area(uint64_t *base);
/* All is free again. */
void shards_end(struct zone *zone);

/* Chains of pages are linked by owner.pointer[0], as take_pages does. */

/* Allocates on one CPU until the zone has nothing left. */
struct quire_page *shards_take_all(unsigned cpu);
void shards_free_on(unsigned cpu, struct quire_page *chain);
/* Frees pages on one CPU until at least `count` wait in the inbox of another's shard; the others.
 */
struct quire_page *shards_free_into(const struct inbox *inbox, unsigned count, unsigned cpu,
                                    struct quire_page *chain);
unsigned long chain_length(const struct quire_page *chain);

#endif
