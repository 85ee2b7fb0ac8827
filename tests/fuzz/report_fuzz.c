/* tests/fuzz/report_fuzz.c: any bytes as a file of events that a report is made of
 *
 * The input is that of events_fuzz.c. Whatever comes: no frame is lost or counted twice, in the
 * columns, in the map, and when either is made coarser; what happened stays as often.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quire.h"
#include "report_output.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define MOST_BYTES 65536u
#define NR_FRAMES 512u
#define MOST_FRAMES (1u << 20) /* that a header may name here: more is a matter of memory alone */

static const uint8_t header[32] = {'Q', 'u', 'i', 'r', 'e', 'E', 'v', '\n', 1, 0,
                                   0,   0,   12,  0,   0,   0,   0,   4,    0, 0,
                                   64,  0,   0,   0,   10,  0,   0,   0,    0, NR_FRAMES >> 8};

static unsigned complaints;

void complain(const char *format, ...)
{
    (void)format;
    complaints++;
}

static uint64_t sum_of(const uint64_t kind[REPORT_NR_KINDS])
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < REPORT_NR_KINDS; k++)
        sum += kind[k];
    return sum;
}

/* Each column's kinds are what the map's rows have then. */
static void check_map(const struct report *report)
{
    static uint64_t rows[REPORT_MOST_ROWS][REPORT_NR_KINDS];
    uint64_t now[REPORT_NR_KINDS] = {0};
    memset(rows, 0, sizeof rows);
    EXPECT(report->map.nr_columns == report->nr_columns && report->map.nr_rows);
    for (unsigned i = 0; i < report->nr_columns; i++) {
        struct report_map_row row;
        for (uint32_t at = 0; report_map_row(&report->map, i, &at, &row);) {
            EXPECT(row.row < report->map.nr_rows);
            for (unsigned k = 0; k < REPORT_NR_KINDS; k++) {
                now[k] -= rows[row.row][k];
                rows[row.row][k] = 0;
            }
            for (unsigned k = 0; k < row.nr_kinds; k++) {
                rows[row.row][row.kind[k].kind] = row.kind[k].frames;
                now[row.kind[k].kind] += row.kind[k].frames;
            }
            EXPECT(sum_of(rows[row.row]) <= (uint64_t)1 << report->map.row_shift);
        }
        EXPECT(!memcmp(now, report->column[i].kind, sizeof now));
    }
}

static void check(const struct report *report)
{
    uint64_t sum[REPORT_NR_FLOWS] = {0};
    EXPECT(report->nr_columns && report->nr_columns <= REPORT_MOST_COLUMNS);
    for (unsigned i = 0; i < report->nr_columns; i++) {
        const struct report_column *column = &report->column[i];
        uint64_t in_blocks = 0;
        for (unsigned flow = 0; flow < REPORT_NR_FLOWS; flow++)
            sum[flow] += column->flow[flow];
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
            for (unsigned order = 0; order < REPORT_NR_ORDERS; order++)
                in_blocks += (uint64_t)column->nr_blocks[type][order] << order;
        EXPECT(in_blocks == report_free_frames(column->kind));
        EXPECT(sum_of(column->kind) <= report->nr_frames);
        for (unsigned order = 0; order < REPORT_NR_ORDERS; order++)
            EXPECT(report_unusable(column->kind, order) <= 1000);
    }
    EXPECT(!memcmp(sum, report->total, sizeof sum));
    EXPECT(sum_of(report->column[report->nr_columns - 1].kind) == report->nr_frames);
    EXPECT(report->whole == !report->trouble);
    check_map(report);
}

static void print(const struct report *report)
{
    char *made = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&made, &size);
    EXPECT(to);
    report_print_json(
        report, &(struct report_detail){.is_page = true, .most_areas = 3, .most_processes = 5}, to);
    report_print_text(report, to);
    for (unsigned table = 0; report_tables[table]; table++)
        report_print_csv(report, table, to);
    EXPECT(!fclose(to) && size > 1000);
    EXPECT(!memchr(made, '\0', size));
    free(made);
}

static void look_at(struct report *report)
{
    check(report);
    print(report);
    while (report_halve_columns(report))
        check(report);
    while (report_halve_rows(report))
        check(report);
    EXPECT(report->nr_columns == 1 && report->map.nr_rows == 1);
    print(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[sizeof header + MOST_BYTES];
    uint32_t nr_frames;
    if (size < 2 || size > MOST_BYTES)
        return 0;
    bool whole = data[0] & 1;
    size_t begin = whole ? 0 : sizeof header;
    memcpy(file, header, begin);
    memcpy(file + begin, data + 1, size - 1);
    memcpy(&nr_frames, file + 28, sizeof nr_frames);
    if (begin + size - 1 >= sizeof header && nr_frames > MOST_FRAMES)
        return 0;
    FILE *from = fmemopen(file, begin + size - 1, "r");
    EXPECT(from);
    complaints = 0;
    struct report *report = report_from_events(from, "input");
    EXPECT(!report == !!complaints);
    if (report) {
        look_at(report);
        report_free(report);
    }
    fclose(from);
    return 0;
}
