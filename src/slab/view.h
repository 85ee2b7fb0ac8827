/* slab/view.h: what the views have in common */
#ifndef QUIRE_SLAB_VIEW_H
#define QUIRE_SLAB_VIEW_H

#include "slab/internal.h"

void cache_info(struct cache *cache, struct quire_kmem_cache_info *info);
/* Objects on a CPU's shelf of the cache, which the CPU can't see meanwhile. */
unsigned long cpu_objects(const struct cache *cache, const struct cpu *cpu);

#endif
