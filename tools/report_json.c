/* tools/report_json.c: a report as JSON
 *
 * This is also what a page is made of. Times are nanoseconds of the source's clock, sizes are bytes
 * where their name says so, and frames, pages or blocks otherwise. Schema 1: members are only ever
 * added.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "events.h"
#include "quire.h"
#include "report_output.h"

struct sink {
    FILE *to;
    bool is_page;
};

/* "<" is in strings alone, where it has another way to be written. */
static void write_piece(void *arg, const char *piece, size_t size)
{
    const struct sink *sink = arg;
    for (size_t i = 0; i < size; i++)
        if (piece[i] == '<' && sink->is_page)
            fputs("\\u003c", sink->to);
        else
            putc(piece[i], sink->to);
}

/* ---- what it is of --------------------------------------------------------------------------- */

static void put_head(struct json *json, const struct report *report)
{
    json_string(json, "schema", "quire.report/1");
    json_string(json, "quire", QUIRE_VERSION);
    json_string(json, "source", report->is_run ? "run" : "events");
    json_string(json, "title", report->title);
    json_string(json, "file", report->file);
    json_unsigned(json, "page_bytes", report->page_bytes);
    if (!report->is_run) {
        json_unsigned(json, "word_bits", report->word_bits);
        json_unsigned(json, "max_order", report->max_order);
        json_unsigned(json, "frames", report->nr_frames);
        json_unsigned(json, "events", report->nr_events);
        json_unsigned(json, "lost_events", report->nr_lost);
    } else {
        json_unsigned(json, "user_ns", report->user_ns);
        json_unsigned(json, "kernel_ns", report->kernel_ns);
        json_unsigned(json, "samples_dropped", report->nr_dropped);
    }
    json_bool(json, "complete", report->whole);
    if (report->trouble)
        json_string(json, "trouble", report->trouble);
    json_string(json, "end", report->end);
    json_object(json, "peak_used");
    json_unsigned(json, "frames", report->peak_used);
    json_unsigned(json, "time_ns", report->peak_used_ns);
    json_end(json);
}

static void put_program(struct json *json, const struct report *report)
{
    static const char *const how[] = {"not told", "still ran", "exited", "killed"};
    const struct report_exit *exit = &report->exit;
    json_object(json, "program");
    if (report->program)
        json_unsigned(json, "pid", report->program->pid);
    json_string(json, "how", how[exit->how]);
    if (exit->how == REPORT_EXITED)
        json_unsigned(json, "exit_status", exit->number);
    if (exit->how == REPORT_KILLED) {
        json_unsigned(json, "signal", exit->number);
        json_bool(json, "for_want_of_memory", exit->for_memory);
    }
    json_end(json);
    if (!report->is_run)
        json_unsigned(json, "oom_kills", report->nr_oom_kills);
}

static void put_totals(struct json *json, const struct report *report)
{
    json_object(json, "totals");
    json_unsigned(json, "faults",
                  report->total[FLOW_MINOR] + report->total[FLOW_MAJOR] +
                      report->total[FLOW_FAILED]);
    for (unsigned flow = 0; flow < REPORT_NR_FLOWS; flow++)
        json_unsigned(json, report_flow_names[flow], report->total[flow]);
    json_end(json);
}

static const char *type_name(unsigned type)
{
    return event_value_name(QUIRE_EVENT_PAGEBLOCK, 1, type);
}

static void put_blocks(struct json *json, const struct report_zone *zone, unsigned max_order)
{
    json_object(json, "free_blocks_by_order");
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
        json_array(json, type_name(type));
        for (unsigned order = 0; order <= max_order; order++)
            json_unsigned(json, NULL, zone->nr_blocks[type][order]);
        json_end(json);
    }
    json_end(json);
}

static void put_zones(struct json *json, const struct report *report)
{
    json_array(json, "zones");
    for (unsigned i = 0; i < report->nr_zones; i++) {
        const struct report_zone *zone = &report->zone[i];
        const char *name = event_value_name(QUIRE_EVENT_ZONE, 2, zone->type);
        json_object(json, NULL);
        json_unsigned(json, "node", zone->node);
        json_string(json, "zone", name ? name : "?");
        json_unsigned(json, "start", zone->start);
        json_unsigned(json, "spanned", zone->spanned);
        json_unsigned(json, "managed", zone->managed);
        json_unsigned(json, "free", zone->free);
        put_blocks(json, zone, report->max_order);
        json_end(json);
    }
    json_end(json);
}

/* ---- over time ------------------------------------------------------------------------------- */

static void kind_name(char name[REPORT_TEXT], unsigned kind)
{
    if (kind < REPORT_NR_OWNERS)
        snprintf(name, REPORT_TEXT, "%s", report_owner_name(kind));
    else
        snprintf(name, REPORT_TEXT, "free_%u", kind - REPORT_NR_OWNERS);
}

static void put_flows(struct json *json, const struct report *report)
{
    json_object(json, "happened");
    for (unsigned flow = 0; flow < REPORT_NR_FLOWS; flow++) {
        if (report->is_run && flow > FLOW_MAJOR)
            continue;
        json_array(json, report_flow_names[flow]);
        for (unsigned i = 0; i < report->nr_columns; i++)
            json_unsigned(json, NULL, report->column[i].flow[flow]);
        json_end(json);
    }
    json_end(json);
}

static void put_kinds(struct json *json, const struct report *report)
{
    char name[REPORT_TEXT];
    json_object(json, "frames_then");
    for (unsigned kind = 0; kind <= REPORT_KIND_FREE(report->max_order); kind++) {
        kind_name(name, kind);
        json_array(json, name);
        for (unsigned i = 0; i < report->nr_columns; i++)
            json_unsigned(json, NULL, report->column[i].kind[kind]);
        json_end(json);
    }
    json_end(json);
}

static bool has_type(const struct report *report, unsigned type)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < report->nr_columns; i++)
        for (unsigned order = 0; order < REPORT_NR_ORDERS; order++)
            any |= report->column[i].nr_blocks[type][order];
    return any;
}

/* Of each type that ever had some, blocks by order and column. */
static void put_types(struct json *json, const struct report *report)
{
    json_object(json, "free_blocks_then");
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
        if (!has_type(report, type))
            continue;
        json_array(json, type_name(type));
        for (unsigned order = 0; order <= report->max_order; order++) {
            json_array(json, NULL);
            for (unsigned i = 0; i < report->nr_columns; i++)
                json_unsigned(json, NULL, report->column[i].nr_blocks[type][order]);
            json_end(json);
        }
        json_end(json);
    }
    json_end(json);
}

static void put_fragmentation(struct json *json, const struct report *report)
{
    json_array(json, "unusable_permille_by_order");
    for (unsigned order = 0; order <= report->max_order; order++) {
        json_array(json, NULL);
        for (unsigned i = 0; i < report->nr_columns; i++)
            json_unsigned(json, NULL, report_unusable(report->column[i].kind, order));
        json_end(json);
    }
    json_end(json);
}

static void put_sizes(struct json *json, const struct report *report)
{
    json_array(json, "resident_bytes");
    for (unsigned i = 0; i < report->nr_columns; i++)
        json_unsigned(json, NULL, report->column[i].resident * report->page_bytes);
    json_end(json);
    json_array(json, "swapped_bytes");
    for (unsigned i = 0; i < report->nr_columns; i++)
        json_unsigned(json, NULL, report->column[i].swapped * report->page_bytes);
    json_end(json);
}

static void put_time(struct json *json, const struct report *report)
{
    json_object(json, "time");
    json_unsigned(json, "begin_ns", report->begin_ns);
    json_unsigned(json, "end_ns", report->end_ns);
    json_unsigned(json, "column_ns", report->width_ns);
    json_unsigned(json, "columns", report->nr_columns);
    put_flows(json, report);
    put_sizes(json, report);
    if (!report->is_run) {
        put_kinds(json, report);
        put_types(json, report);
        put_fragmentation(json, report);
    }
    json_end(json);
}

/* ---- the map --------------------------------------------------------------------------------- */

static void put_map_column(struct json *json, const struct report_map *map, unsigned column)
{
    struct report_map_row row;
    json_array(json, NULL);
    for (uint32_t at = 0; report_map_row(map, column, &at, &row);) {
        json_array(json, NULL);
        json_unsigned(json, NULL, row.row);
        for (unsigned i = 0; i < row.nr_kinds; i++) {
            json_unsigned(json, NULL, row.kind[i].kind);
            json_unsigned(json, NULL, row.kind[i].frames);
        }
        json_end(json);
    }
    json_end(json);
}

/* For each column the rows that changed: [row, kind, frames, kind, frames ...]. */
static void put_map(struct json *json, const struct report *report)
{
    char name[REPORT_TEXT];
    json_object(json, "map");
    json_unsigned(json, "frames_per_row", (uint64_t)1 << report->map.row_shift);
    json_unsigned(json, "rows", report->map.nr_rows);
    json_array(json, "kinds");
    for (unsigned kind = 0; kind <= REPORT_KIND_FREE(report->max_order); kind++) {
        kind_name(name, kind);
        json_string(json, NULL, name);
    }
    json_end(json);
    json_array(json, "changes");
    for (unsigned i = 0; i < report->map.nr_columns; i++)
        put_map_column(json, &report->map, i);
    json_end(json);
    json_end(json);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void put_series(struct json *json, const char *key, const struct report_series *series,
                       uint64_t unit)
{
    json_array(json, key);
    for (uint32_t i = 0; i < series->count; i++) {
        json_array(json, NULL);
        json_unsigned(json, NULL, series->point[i].column);
        json_unsigned(json, NULL, series->point[i].value * unit);
        json_end(json);
    }
    json_end(json);
}

static void put_area(struct json *json, const struct report *report, const struct report_area *area)
{
    json_object(json, NULL);
    json_hex(json, "start", area->start * report->page_bytes);
    json_hex(json, "end", area->end * report->page_bytes);
    json_string(json, "rights", area->rights);
    json_string(json, "name", area->name);
    json_unsigned(json, "pages", area->end - area->start);
    json_unsigned(json, "resident", area->resident);
    if (report->is_run)
        json_unsigned(json, "swapped", area->swapped);
    json_array(json, "resident_by_part");
    for (unsigned i = 0; area->resident && i < area->nr_parts; i++)
        json_unsigned(json, NULL, area->part[i]);
    json_end(json);
    json_end(json);
}

static void put_areas(struct json *json, const struct report *report,
                      const struct report_areas *areas)
{
    json_object(json, "areas");
    json_unsigned(json, "time_ns", areas->time_ns);
    json_unsigned(json, "resident", areas->resident);
    json_unsigned(json, "left_out", areas->left_out);
    json_array(json, "list");
    for (unsigned i = 0; i < areas->count; i++)
        put_area(json, report, &areas->area[i]);
    json_end(json);
    json_end(json);
}

static void put_heap(struct json *json, const struct report_heap *heap)
{
    json_object(json, "heap");
    json_unsigned(json, "asked_bytes", heap->asked);
    json_unsigned(json, "used_bytes", heap->used);
    json_unsigned(json, "held_bytes", heap->held);
    json_unsigned(json, "resident_bytes", heap->resident);
    json_unsigned(json, "given_back_bytes", heap->given_back);
    json_unsigned(json, "mmaps", heap->maps);
    json_unsigned(json, "munmaps", heap->unmaps);
    put_series(json, "used_then", &heap->used_then, 1);
    put_series(json, "held_then", &heap->held_then, 1);
    json_array(json, "classes");
    for (size_t i = 0; i < heap->nr_classes; i++) {
        const struct report_class *c = &heap->class_of[i];
        json_object(json, NULL);
        json_unsigned(json, "size", c->size);
        json_unsigned(json, "allocated", c->allocated);
        json_unsigned(json, "freed", c->freed);
        json_unsigned(json, "live", c->live);
        json_unsigned(json, "held_bytes", c->held);
        json_end(json);
    }
    json_end(json);
    json_end(json);
}

static void put_process(struct json *json, const struct report *report,
                        const struct report_process *process, bool with_areas)
{
    json_object(json, NULL);
    json_unsigned(json, "pid", process->pid);
    json_unsigned(json, "parent", process->parent);
    json_string(json, "name", process->name);
    json_unsigned(json, "begin_ns", process->begin_ns);
    json_unsigned(json, "end_ns", process->ended ? process->end_ns : report->end_ns);
    json_bool(json, "ended", process->ended);
    json_unsigned(json, "status", process->status);
    json_unsigned(json, "minor_faults", process->minor);
    json_unsigned(json, "major_faults", process->major);
    json_unsigned(json, "failed_faults", process->failed);
    json_unsigned(json, "peak_resident_bytes", process->peak * report->page_bytes);
    json_unsigned(json, "peak_ns", process->peak_ns);
    if (report->is_run) {
        json_unsigned(json, "user_ns", process->user_ns);
        json_unsigned(json, "kernel_ns", process->kernel_ns);
    }
    put_series(json, "resident_then", &process->resident_then, report->page_bytes);
    put_series(json, "swapped_then", &process->swapped_then, report->page_bytes);
    if (with_areas && process->areas.count)
        put_areas(json, report, &process->areas);
    if (process->heap)
        put_heap(json, process->heap);
    json_end(json);
}

/* Processes that aren't told one by one. */
static void put_others(struct json *json, const struct report *report,
                       struct report_process *const *rest, size_t count)
{
    uint64_t minor = report->others.minor, major = report->others.major,
             failed = report->others.failed, peak = report->others.peak;
    for (size_t i = 0; i < count; i++) {
        minor += rest[i]->minor;
        major += rest[i]->major;
        failed += rest[i]->failed;
        peak = rest[i]->peak > peak ? rest[i]->peak : peak;
    }
    json_object(json, "other_processes");
    json_unsigned(json, "count", report->others.count + count);
    json_unsigned(json, "minor_faults", minor);
    json_unsigned(json, "major_faults", major);
    json_unsigned(json, "failed_faults", failed);
    json_unsigned(json, "peak_resident_bytes", peak * report->page_bytes);
    json_end(json);
}

static void put_processes(struct json *json, const struct report *report,
                          const struct report_detail *detail)
{
    size_t told = report->nr_processes < detail->most_processes ? report->nr_processes
                                                                : detail->most_processes;
    struct report_process **largest =
        must(malloc((report->nr_processes + 1) * sizeof(struct report_process *)));
    report_sort_processes(report, largest);
    json_array(json, "processes");
    for (size_t i = 0; i < told; i++)
        put_process(json, report, largest[i], i < detail->most_areas);
    json_end(json);
    put_others(json, report, largest + told, report->nr_processes - told);
    free(largest);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void put_caches(struct json *json, const struct report *report)
{
    json_array(json, "caches");
    for (size_t i = 0; i < report->nr_caches; i++) {
        const struct report_cache *cache = &report->cache[i];
        if (!cache->known)
            continue;
        json_object(json, NULL);
        json_string(json, "name", cache->name);
        json_unsigned(json, "object_bytes", cache->size);
        json_unsigned(json, "objects_per_slab", cache->objects);
        json_unsigned(json, "slabs", cache->slabs);
        json_unsigned(json, "frames", cache->frames);
        json_unsigned(json, "peak_frames", cache->peak);
        put_series(json, "frames_then", &cache->frames_then, 1);
        json_end(json);
    }
    json_end(json);
}

static void put_oom_kill(struct json *json, const struct report *report,
                         const struct report_mark *mark)
{
    json_unsigned(json, "resident_bytes", mark->number * report->page_bytes);
    json_unsigned(json, "swapped_bytes", mark->swapped * report->page_bytes);
    json_unsigned(json, "oom_score", mark->score);
}

static void put_marks(struct json *json, const struct report *report)
{
    json_array(json, "marks");
    for (size_t i = 0; i < report->nr_marks; i++) {
        const struct report_mark *mark = &report->mark[i];
        json_object(json, NULL);
        json_unsigned(json, "time_ns", mark->time_ns);
        json_string(json, "kind", report_mark_names[mark->kind]);
        json_string(json, "text", mark->text);
        if (mark->pid)
            json_unsigned(json, "pid", mark->pid);
        if (mark->kind == MARK_EXIT)
            json_unsigned(json, "status", mark->number);
        else if (mark->kind == MARK_FORK)
            json_unsigned(json, "parent", mark->number);
        else if (mark->kind == MARK_OOM)
            put_oom_kill(json, report, mark);
        json_end(json);
    }
    json_end(json);
    json_unsigned(json, "marks_left_out", report->marks_left_out);
}

static void put_run(struct json *json, const struct report *report)
{
    if (report->heap)
        json_string(json, "heap", report->heap);
    json_object(json, "heaps");
    json_unsigned(json, "count", report->heaps.count);
    json_unsigned(json, "given_back_bytes", report->heaps.given_back);
    json_unsigned(json, "mmaps", report->heaps.maps);
    json_unsigned(json, "munmaps", report->heaps.unmaps);
    json_unsigned(json, "reused", report->heaps.reused);
    json_end(json);
    json_array(json, "advice");
    for (size_t i = 0; i < report->advice.count; i++)
        json_string(json, NULL, report->advice.text[i]);
    json_end(json);
}

void report_print_json(const struct report *report, const struct report_detail *detail, FILE *to)
{
    struct sink sink = {to, detail->is_page};
    struct json json;
    json_init(&json, write_piece, &sink);
    json_object(&json, NULL);
    put_head(&json, report);
    put_program(&json, report);
    put_totals(&json, report);
    if (!report->is_run)
        put_zones(&json, report);
    put_time(&json, report);
    if (report->map.nr_rows)
        put_map(&json, report);
    put_processes(&json, report, detail);
    if (!report->is_run)
        put_caches(&json, report);
    put_marks(&json, report);
    if (report->is_run)
        put_run(&json, report);
    json_end(&json);
    json_finish(&json);
}
