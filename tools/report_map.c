/* tools/report_map.c: whose the frames were, over time
 *
 * Bound: REPORT_MOST_COLUMNS columns that each have every row once at most, so some megabytes
 * whatever the machine does. Rows have a power of two of frames, at most 2^22 for the largest
 * machine that a header can tell of.
 */
#include "report_map.h"

#include <stdlib.h>
#include <string.h>

#include "allocate.h"

#define KIND_SHIFT 24
#define ROW_KINDS_SHIFT 16

void report_map_init(struct report_map *map, uint64_t nr_frames)
{
    *map = (struct report_map){0};
    while (nr_frames >> map->row_shift > REPORT_MOST_ROWS ||
           (REPORT_MOST_ROWS << map->row_shift) < nr_frames)
        map->row_shift++;
    map->nr_rows = (unsigned)((nr_frames + ((uint64_t)1 << map->row_shift) - 1) >> map->row_shift);
    map->now = must(calloc(map->nr_rows, sizeof *map->now));
    map->changed = must(calloc(map->nr_rows, sizeof *map->changed));
}

void report_map_free(struct report_map *map)
{
    for (unsigned i = 0; i < map->nr_columns; i++)
        free(map->column[i].word);
    free(map->now);
    free(map->changed);
}

/* Of those frames the ones that are in the row of the first. */
static uint64_t within_row(const struct report_map *map, uint64_t pfn, uint64_t count)
{
    uint64_t left = (((pfn >> map->row_shift) + 1) << map->row_shift) - pfn;
    return count < left ? count : left;
}

static void change(struct report_map *map, uint64_t pfn, uint64_t count, unsigned kind, int sign)
{
    while (count) {
        uint64_t part = within_row(map, pfn, count), row = pfn >> map->row_shift;
        map->now[row][kind] += sign < 0 ? 0 - (uint32_t)part : (uint32_t)part;
        map->changed[row] = true;
        pfn += part;
        count -= part;
    }
}

void report_map_add(struct report_map *map, uint64_t pfn, uint64_t count, unsigned kind)
{
    change(map, pfn, count, kind, 1);
}

void report_map_remove(struct report_map *map, uint64_t pfn, uint64_t count, unsigned kind)
{
    change(map, pfn, count, kind, -1);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void put_word(struct report_map_column *column, uint32_t word)
{
    if (column->count == column->room) {
        column->room = column->room ? 2 * column->room : 64;
        column->word = must(realloc(column->word, column->room * sizeof *column->word));
    }
    column->word[column->count++] = word;
}

static void put_row(struct report_map_column *column, unsigned row,
                    const uint32_t kinds[REPORT_NR_KINDS])
{
    uint32_t count = 0;
    for (unsigned kind = 0; kind < REPORT_NR_KINDS; kind++)
        count += kinds[kind] != 0;
    put_word(column, row | count << ROW_KINDS_SHIFT);
    for (unsigned kind = 0; kind < REPORT_NR_KINDS; kind++)
        if (kinds[kind])
            put_word(column, kind << KIND_SHIFT | kinds[kind]);
}

void report_map_end_column(struct report_map *map)
{
    struct report_map_column *column = &map->column[map->nr_columns++];
    *column = (struct report_map_column){0};
    for (unsigned row = 0; row < map->nr_rows; row++) {
        if (map->changed[row])
            put_row(column, row, map->now[row]);
        map->changed[row] = false;
    }
}

bool report_map_row(const struct report_map *map, unsigned number, uint32_t *at,
                    struct report_map_row *row)
{
    const struct report_map_column *column = &map->column[number];
    if (*at >= column->count)
        return false;
    uint32_t word = column->word[(*at)++];
    row->row = word & ((1u << ROW_KINDS_SHIFT) - 1);
    row->nr_kinds = word >> ROW_KINDS_SHIFT;
    for (unsigned i = 0; i < row->nr_kinds; i++) {
        word = column->word[(*at)++];
        row->kind[i].kind = word >> KIND_SHIFT;
        row->kind[i].frames = word & ((1u << KIND_SHIFT) - 1);
    }
    return true;
}

static void read_kinds(uint32_t kinds[REPORT_NR_KINDS], const struct report_map_row *row)
{
    memset(kinds, 0, REPORT_NR_KINDS * sizeof *kinds);
    for (unsigned i = 0; i < row->nr_kinds; i++)
        kinds[row->kind[i].kind] = row->kind[i].frames;
}

/* The later one's rows, and of the earlier one's those that didn't change again. */
static struct report_map_column merged(const struct report_map *map, unsigned first)
{
    struct report_map_column column = {0};
    struct report_map_row row;
    uint32_t kinds[REPORT_NR_KINDS];
    bool later[REPORT_MOST_ROWS] = {false};
    for (uint32_t at = 0; report_map_row(map, first + 1, &at, &row);) {
        later[row.row] = true;
        read_kinds(kinds, &row);
        put_row(&column, row.row, kinds);
    }
    for (uint32_t at = 0; report_map_row(map, first, &at, &row);)
        if (!later[row.row]) {
            read_kinds(kinds, &row);
            put_row(&column, row.row, kinds);
        }
    return column;
}

void report_map_halve_columns(struct report_map *map)
{
    unsigned made = 0;
    for (unsigned i = 0; i < map->nr_columns; i += 2, made++) {
        struct report_map_column column = map->column[i];
        if (i + 1 < map->nr_columns) {
            column = merged(map, i);
            free(map->column[i].word);
            free(map->column[i + 1].word);
        }
        map->column[made] = column;
    }
    map->nr_columns = made;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void add_kinds(uint32_t to[REPORT_NR_KINDS], const uint32_t from[REPORT_NR_KINDS])
{
    for (unsigned kind = 0; kind < REPORT_NR_KINDS; kind++)
        to[kind] += from[kind];
}

/* A column with pairs of rows; `now` holds the rows as they are at its end. */
static struct report_map_column with_pairs(struct report_map *map, unsigned number)
{
    struct report_map_column column = {0};
    struct report_map_row row;
    bool pair[REPORT_MOST_ROWS] = {false};
    for (uint32_t at = 0; report_map_row(map, number, &at, &row);) {
        read_kinds(map->now[row.row], &row);
        pair[row.row / 2] = true;
    }
    for (unsigned i = 0; 2 * i < map->nr_rows; i++) {
        uint32_t sum[REPORT_NR_KINDS] = {0};
        if (!pair[i])
            continue;
        add_kinds(sum, map->now[2 * i]);
        if (2 * i + 1 < map->nr_rows)
            add_kinds(sum, map->now[2 * i + 1]);
        put_row(&column, i, sum);
    }
    return column;
}

void report_map_halve_rows(struct report_map *map)
{
    memset(map->now, 0, map->nr_rows * sizeof *map->now);
    for (unsigned i = 0; i < map->nr_columns; i++) {
        struct report_map_column column = with_pairs(map, i);
        free(map->column[i].word);
        map->column[i] = column;
    }
    for (unsigned i = 0; 2 * i < map->nr_rows; i++) {
        memcpy(map->now[i], map->now[2 * i], sizeof map->now[i]);
        if (2 * i + 1 < map->nr_rows)
            add_kinds(map->now[i], map->now[2 * i + 1]);
    }
    map->nr_rows = (map->nr_rows + 1) / 2;
    map->row_shift++;
}
