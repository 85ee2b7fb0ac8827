/* vm/mm_view.h: what the views of an address space have in common */
#ifndef VM_MM_VIEW_H
#define VM_MM_VIEW_H

#include "base/json.h"
#include "vm/area.h"

#define PAGES_KIB(pages) ((uint64_t)(pages) << (QUIRE_PAGE_SHIFT - 10))

/* What maps says in the last column; NULL: nothing. */
const char *vma_name(const struct quire_vma *vma);
/* A line of maps; and the members of an area's JSON object. */
void maps_line(struct text *text, const struct quire_vma *vma);
void maps_members(struct json *json, const struct quire_vma *vma);

void maps_text(struct quire_mm *mm, struct text *text);
void maps_json(struct quire_mm *mm, struct json *json);
void smaps_text(struct quire_mm *mm, struct text *text, bool rollup);
/* One area of smaps. */
void smaps_area(struct text *text, struct quire_vma *vma);
void smaps_json(struct quire_mm *mm, struct json *json, bool rollup);
/* mm_numa.c */
void numa_maps_text(struct quire_mm *mm, struct text *text);
void numa_maps_json(struct quire_mm *mm, struct json *json);
void status_text(struct quire_mm *mm, struct text *text);
void statm_text(struct quire_mm *mm, struct text *text);
void status_json(struct quire_mm *mm, struct json *json);

#endif
