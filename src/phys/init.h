/* phys/init.h: what the files of quire_mem_init share */
#ifndef QUIRE_PHYS_INIT_H
#define QUIRE_PHYS_INIT_H

#include "phys/internal.h"

/* A start under way. */
struct init {
    struct quire_memblock *memblock;
    const struct quire_mem_config *config;
    struct quire_mem *mem;
    quire_phys_t zone_end[QUIRE_NR_ZONES];
    unsigned nr_nodes, nr_cpus, nr_zones;
    unsigned long nr_sections;
    quire_phys_t core, core_size;
    unsigned highest_type; /* of the zones below MOVABLE that have memory */
};

/* ---- init_config.c --------------------------------------------------------------------------- */

/* Logs that `field` of the configuration won't do; -EINVAL. */
int init_refuse(const struct init *init, const char *field, const char *why);
/* Looks at the map and at each field, and settles what they leave open. 0 or -EINVAL. */
QUIRE_MUST_CHECK int init_check_config(struct init *init);

/* ---- init_core.c ----------------------------------------------------------------------------- */

/* Allocates init->mem with all its tables and fills them. False: no room. */
QUIRE_MUST_CHECK bool init_make_core(struct init *init);

/* ---- init_zones.c ---------------------------------------------------------------------------- */

/* Puts the map's frames, whose descriptors there are, into zones, and makes the zones' per-CPU
 * lists. False: no room. */
QUIRE_MUST_CHECK bool init_make_zones(struct init *init);

#endif
