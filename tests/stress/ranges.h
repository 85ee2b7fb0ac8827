/* tests/stress/ranges.h: what threads do to ranges of memory that others use
 *
 * Each is a worker's whole work: it holds a few ranges at a time, and gives all back at its end.
 */
#ifndef QUIRE_TESTS_STRESS_RANGES_H
#define QUIRE_TESTS_STRESS_RANGES_H

#include "tests/stress/stress.h"

#define MIB (1ul << 20)
#define SECTION (1ul << QUIRE_SECTION_SHIFT)

/* ---- ranges.c -------------------------------------------------------------------------------- */

#define NR_AREAS 2u
extern struct quire_cma area[NR_AREAS];

/* What succeeded, so that a run can say what it has seen. */
struct seen {
    unsigned long isolated, contiguous, lent, added, removed;
};
extern struct seen seen;

void isolate_ranges(struct worker *worker);
void allocate_contiguous(struct worker *worker);
void use_areas(struct worker *worker);
/* Compacts, reports, drains, changes watermarks, shows every view. */
void keep_house(struct worker *worker);

/* ---- ranges_hotplug.c ------------------------------------------------------------------------ */

/* From HOT_BASE on there is room for three sections. Of the first one the map has four pieces, in
 * ZONE_MOVABLE, which go one by one before the section can come as a whole; another piece lies
 * below, beside memory that stays. */
#define HOT_BASE (2 * SECTION)
#define PIECE_SIZE (16 * MIB)
#define LONE_PIECE_BASE (SECTION + 82 * MIB)

/* Nothing has come or gone. */
void sections_start(void);
void add_and_remove_sections(struct worker *worker);
/* Removes all that may go, from under what can be moved. */
void sections_end(void);

#endif
