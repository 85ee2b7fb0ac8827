/* phys/view.h: what the views have in common */
#ifndef QUIRE_PHYS_VIEW_H
#define QUIRE_PHYS_VIEW_H

#include "base/json.h"
#include "base/text.h"
#include "phys/internal.h"

/* Linux's names, by enum quire_zone_type and enum quire_migratetype. */
extern const char *const zone_names[QUIRE_NR_ZONES];
extern const char *const migratetype_names[QUIRE_NR_MIGRATETYPES];

/* A zone without memory has no line in most views, as in Linux. */
static inline bool zone_has_memory(const struct zone *zone)
{
    return quire_load_relaxed(&zone->present) != 0;
}

/* "Node 0, zone   Normal": how a zone's line begins. */
void view_zone_title(struct text *text, const struct zone *zone);
/* Begins a zone's object, with its node and name. */
void view_zone_object(struct json *json, const struct zone *zone);

void buddyinfo_text(struct quire_mem *mem, struct text *text);
void buddyinfo_json(struct quire_mem *mem, struct json *json);
void pagetypeinfo_text(struct quire_mem *mem, struct text *text);
void pagetypeinfo_json(struct quire_mem *mem, struct json *json);
void zoneinfo_text(struct quire_mem *mem, struct text *text);
void zoneinfo_json(struct quire_mem *mem, struct json *json);
void vmstat_text(struct quire_mem *mem, struct text *text);
void vmstat_json(struct quire_mem *mem, struct json *json);
void extfrag_text(struct quire_mem *mem, struct text *text);
void extfrag_json(struct quire_mem *mem, struct json *json);
void unusable_text(struct quire_mem *mem, struct text *text);
void unusable_json(struct quire_mem *mem, struct json *json);

/* ---- view_numa.c ----------------------------------------------------------------------------- */

enum numa_event { NUMA_HIT, NUMA_MISS, NUMA_FOREIGN, NUMA_LOCAL, NUMA_OTHER, NR_NUMA_EVENTS };
extern const char *const numa_event_names[NR_NUMA_EVENTS];

struct numa_stat {
    unsigned long event[NR_NUMA_EVENTS];
};
void zone_numa_stat(const struct zone *zone, struct numa_stat *stat);

#endif
