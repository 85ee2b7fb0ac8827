/* bench/map/bench.h: cases of map-bench
 *
 * A case is a piece of work on some memory that main.c makes, in three steps, of which the second
 * is measured. A file of cases ends its list with an empty one, and main.c has a list of the lists.
 */
#ifndef QUIRE_BENCH_MAP_H
#define QUIRE_BENCH_MAP_H

#include <quire/map.h>

#include "bench/common/common.h"

struct map_case {
    const char *name;
    const char *unit;                     /* "page": what the work is divided by */
    unsigned long units;                  /* of one run */
    void (*start)(struct quire_mem *mem); /* NULL: nothing to do */
    void (*prepare)(void);                /* before each run; may be NULL */
    void (*run)(void);
    void (*finish)(void); /* after each run; may be NULL */
    void (*end)(void);
};

/* Runs a case's measured step. */
void map_bench_measured(const struct map_case *c);

extern const struct map_case table_cases[];
extern const struct map_case vmalloc_cases[];

#endif
