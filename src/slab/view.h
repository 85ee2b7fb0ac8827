/* slab/view.h: what the views have in common */
#ifndef QUIRE_SLAB_VIEW_H
#define QUIRE_SLAB_VIEW_H

#include "slab/internal.h"

/* With the oldest name of the cache, which is copied to `name`. */
void cache_info(struct cache *cache, struct quire_kmem_cache_info *info, char name[NAME_BYTES]);
/* Objects on a CPU's shelf of the cache, which the CPU can't see meanwhile. */
unsigned long cpu_objects(const struct cache *cache, const struct cpu *cpu);

#endif
