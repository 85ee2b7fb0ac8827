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
    unsigned highest_type;                      /* of the zones below MOVABLE that have memory */
    quire_phys_t movable_base[QUIRE_MAX_NODES]; /* RAM from here on is movable; UINT64_MAX: none */
    quire_phys_t
        room_that_stays; /* bytes to carve outside of ZONE_MOVABLE; 0 if that isn't there */
};

/* ---- init_config.c --------------------------------------------------------------------------- */

/* Logs that `field` of the configuration won't do; -EINVAL. */
int init_refuse(const struct init *init, const char *field, const char *why);
/* Looks at the map and at each field, and settles what they leave open. 0 or -EINVAL. */
QUIRE_MUST_CHECK int init_check_config(struct init *init);

/* ---- init_core.c ----------------------------------------------------------------------------- */

/* Allocates init->mem with all its tables and fills them. False: no room. */
QUIRE_MUST_CHECK bool init_make_core(struct init *init);

/* ---- init_movable.c -------------------------------------------------------------------------- */

/* Decides where ZONE_MOVABLE will be. */
void init_lay_out_movable(struct init *init);
/* Early allocation of what stays for good: outside of ZONE_MOVABLE if there is room, then on `node`
 * (-1: any). 0: no room at all. */
QUIRE_MUST_CHECK quire_phys_t init_carve(struct init *init, quire_phys_t size, quire_phys_t align,
                                         int node);

/* ---- section.c: see there -------------------------------------------------------------------- */

/* The zone below MOVABLE that a frame's address belongs to; QUIRE_NR_ZONES: it lies above all. */
unsigned zone_type_by_address(const quire_phys_t *zone_end, unsigned long pfn);

/* ---- init_zones.c ---------------------------------------------------------------------------- */

/* Puts the map's frames, whose descriptors there are, into zones, and makes the zones' per-CPU
 * lists. False: no room. */
QUIRE_MUST_CHECK bool init_make_zones(struct init *init);

#endif
