/* bench/map/bench.h: the lists of map-bench's cases */
#ifndef QUIRE_BENCH_MAP_H
#define QUIRE_BENCH_MAP_H

#include <quire/map.h>

#include "bench/common/cases.h"

extern const struct bench_case table_cases[];
extern const struct bench_case vmalloc_cases[];

#endif
