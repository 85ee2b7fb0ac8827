/* tools/report_map.h: whose the frames were, over time
 *
 * Time has columns, addresses have rows of 2^n frames. For each column the map keeps what each row
 * held at the column's end, by kind of frame, as far as it differs from the column before.
 */
#ifndef TOOLS_REPORT_MAP_H
#define TOOLS_REPORT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/events.h"

#define REPORT_MOST_COLUMNS 1024u
#define REPORT_MOST_ROWS 1024u
#define REPORT_NR_ORDERS 16u

/* A frame in use is of the kind that its owner has, a free one of that of its block's order. */
#define REPORT_NR_OWNERS 8u
#define REPORT_KIND_FREE(order) (REPORT_NR_OWNERS + (order))
#define REPORT_NR_KINDS REPORT_KIND_FREE(REPORT_NR_ORDERS)

/* A changed row is a word with its number and the number of kinds it has, then a word for each kind
 * with the frames of it. */
struct report_map_column {
    uint32_t *word;
    uint32_t count, room;
};

struct report_map {
    unsigned row_shift, nr_rows; /* 0 rows: there is no map */
    unsigned nr_columns;
    struct report_map_column column[REPORT_MOST_COLUMNS];
    uint32_t (*now)[REPORT_NR_KINDS]; /* of each row */
    bool *changed;                    /* since the last column */
};

void report_map_init(struct report_map *map, uint64_t nr_frames);
void report_map_free(struct report_map *map);

/* So many frames from pfn on become, or are no longer, of this kind. */
void report_map_add(struct report_map *map, uint64_t pfn, uint64_t count, unsigned kind);
void report_map_remove(struct report_map *map, uint64_t pfn, uint64_t count, unsigned kind);

/* Ends a column. There is room for it. */
void report_map_end_column(struct report_map *map);
/* Makes one of two columns; of an odd number the last stays alone. */
void report_map_halve_columns(struct report_map *map);
/* Makes one of two rows. */
void report_map_halve_rows(struct report_map *map);

/* A changed row of a column. */
struct report_map_row {
    unsigned row, nr_kinds;
    struct {
        unsigned kind;
        uint32_t frames;
    } kind[REPORT_NR_KINDS];
};
/* The one at *at, which moves on to the next; false: there is none. */
bool report_map_row(const struct report_map *map, unsigned column, uint32_t *at,
                    struct report_map_row *row);

#endif
