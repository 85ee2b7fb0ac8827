/* tools/report_csv.c: a report's tables as CSV
 *
 * Texts have no quotes and no ends of lines: the model sees to that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "events.h"
#include "report_output.h"

static void put_number(FILE *to, uint64_t number)
{
    fprintf(to, ",%" PRIu64, number);
}

/* A spreadsheet takes what begins so for a formula, in quotes, too: an apostrophe keeps it text. */
static void put_text(FILE *to, const char *text)
{
    fprintf(to, "\"%s%s\"", strchr("=+-@", *text) && *text ? "'" : "", text);
}

/* ---- over time ------------------------------------------------------------------------------- */

static void put_time_head(const struct report *report, FILE *to)
{
    fputs("end_ns,resident_pages,swapped_pages", to);
    for (unsigned flow = 0; flow < REPORT_NR_FLOWS && !(report->is_run && flow > FLOW_MAJOR);
         flow++)
        fprintf(to, ",%s", report_flow_names[flow]);
    if (!report->is_run) {
        for (unsigned owner = 0; owner < REPORT_NR_OWNERS; owner++)
            fprintf(to, ",%s_frames", report_owner_name(owner));
        fputs(",free_frames", to);
        for (unsigned order = 0; order <= report->max_order; order++)
            fprintf(to, ",free_blocks_%u", order);
        for (unsigned order = 1; order <= report->max_order; order++)
            fprintf(to, ",unusable_permille_%u", order);
    }
    putc('\n', to);
}

static void put_frames(const struct report *report, const struct report_column *column, FILE *to)
{
    for (unsigned owner = 0; owner < REPORT_NR_OWNERS; owner++)
        put_number(to, column->kind[owner]);
    put_number(to, report_free_frames(column->kind));
    for (unsigned order = 0; order <= report->max_order; order++)
        put_number(to, column->kind[REPORT_KIND_FREE(order)] >> order);
    for (unsigned order = 1; order <= report->max_order; order++)
        put_number(to, report_unusable(column->kind, order));
}

static void put_time(const struct report *report, FILE *to)
{
    put_time_head(report, to);
    for (unsigned i = 0; i < report->nr_columns; i++) {
        const struct report_column *column = &report->column[i];
        fprintf(to, "%" PRIu64 ",%" PRIu64 ",%" PRIu64, report_column_end(report, i),
                column->resident, column->swapped);
        for (unsigned flow = 0; flow < REPORT_NR_FLOWS && !(report->is_run && flow > FLOW_MAJOR);
             flow++)
            put_number(to, column->flow[flow]);
        if (!report->is_run)
            put_frames(report, column, to);
        putc('\n', to);
    }
}

/* A line for each change, of a row of frames, from a time on. */
static void put_map(const struct report *report, FILE *to)
{
    struct report_map_row row;
    const struct report_map *map = &report->map;
    fputs("end_ns,first_frame,frames_of_row", to);
    for (unsigned owner = 0; owner < REPORT_NR_OWNERS; owner++)
        fprintf(to, ",%s", report_owner_name(owner));
    for (unsigned order = 0; order <= report->max_order; order++)
        fprintf(to, ",free_%u", order);
    putc('\n', to);
    for (unsigned i = 0; i < map->nr_columns; i++)
        for (uint32_t at = 0; report_map_row(map, i, &at, &row);) {
            uint64_t kind[REPORT_NR_KINDS] = {0};
            fprintf(to, "%" PRIu64 ",%" PRIu64 ",%" PRIu64, report_column_end(report, i),
                    (uint64_t)row.row << map->row_shift, (uint64_t)1 << map->row_shift);
            for (unsigned k = 0; k < row.nr_kinds; k++)
                kind[row.kind[k].kind] = row.kind[k].frames;
            for (unsigned k = 0; k <= REPORT_KIND_FREE(report->max_order); k++)
                put_number(to, kind[k]);
            putc('\n', to);
        }
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void put_zones(const struct report *report, FILE *to)
{
    fputs("node,zone,start,spanned,managed,free,type", to);
    for (unsigned order = 0; order <= report->max_order; order++)
        fprintf(to, ",free_blocks_%u", order);
    putc('\n', to);
    for (unsigned i = 0; i < report->nr_zones; i++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
            const struct report_zone *zone = &report->zone[i];
            const char *name = event_value_name(QUIRE_EVENT_ZONE, 2, zone->type);
            fprintf(to, "%" PRIu64 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s",
                    zone->node, name ? name : "?", zone->start, zone->spanned, zone->managed,
                    zone->free, event_value_name(QUIRE_EVENT_PAGEBLOCK, 1, type));
            for (unsigned order = 0; order <= report->max_order; order++)
                put_number(to, zone->nr_blocks[type][order]);
            putc('\n', to);
        }
}

static void put_processes(const struct report *report, FILE *to)
{
    fputs("pid,parent,name,begin_ns,end_ns,ended,status,minor_faults,major_faults,failed_faults,"
          "peak_resident_bytes,peak_ns\n",
          to);
    for (size_t i = 0; i < report->nr_processes; i++) {
        const struct report_process *process = report->process[i];
        fprintf(to, "%" PRIu64 ",%" PRIu64 ",", process->pid, process->parent);
        put_text(to, process->name);
        put_number(to, process->begin_ns);
        put_number(to, process->ended ? process->end_ns : report->end_ns);
        put_number(to, process->ended);
        put_number(to, process->status);
        put_number(to, process->minor);
        put_number(to, process->major);
        put_number(to, process->failed);
        put_number(to, process->peak * report->page_bytes);
        put_number(to, process->peak_ns);
        putc('\n', to);
    }
}

static void put_areas(const struct report *report, FILE *to)
{
    fputs("pid,time_ns,start,end,rights,name,pages,resident_pages,swapped_pages\n", to);
    for (size_t i = 0; i < report->nr_processes; i++) {
        const struct report_process *process = report->process[i];
        for (unsigned j = 0; j < process->areas.count; j++) {
            const struct report_area *area = &process->areas.area[j];
            fprintf(to, "%" PRIu64 ",%" PRIu64 ",0x%" PRIx64 ",0x%" PRIx64 ",%s,", process->pid,
                    process->areas.time_ns, area->start * report->page_bytes,
                    area->end * report->page_bytes, area->rights);
            put_text(to, area->name);
            fprintf(to, ",%" PRIu64 ",%" PRIu64 ",", area->end - area->start, area->resident);
            if (report->is_run) /* events don't say which of them are */
                fprintf(to, "%" PRIu64, area->swapped);
            putc('\n', to);
        }
    }
}

static void put_caches(const struct report *report, FILE *to)
{
    fputs("name,object_bytes,objects_per_slab,slabs,frames,peak_frames\n", to);
    for (size_t i = 0; i < report->nr_caches; i++) {
        const struct report_cache *cache = &report->cache[i];
        if (!cache->known)
            continue;
        put_text(to, cache->name);
        put_number(to, cache->size);
        put_number(to, cache->objects);
        put_number(to, cache->slabs);
        put_number(to, cache->frames);
        put_number(to, cache->peak);
        putc('\n', to);
    }
}

static void put_classes(const struct report *report, FILE *to)
{
    fputs("pid,size,allocated,freed,live,held_bytes\n", to);
    for (size_t i = 0; i < report->nr_processes; i++) {
        const struct report_heap *heap = report->process[i]->heap;
        for (size_t j = 0; heap && j < heap->nr_classes; j++) {
            const struct report_class *c = &heap->class_of[j];
            fprintf(to, "%" PRIu64, report->process[i]->pid);
            put_number(to, c->size);
            put_number(to, c->allocated);
            put_number(to, c->freed);
            put_number(to, c->live);
            put_number(to, c->held);
            putc('\n', to);
        }
    }
}

static void put_marks(const struct report *report, FILE *to)
{
    fputs("time_ns,kind,pid,number,text,swapped_pages,oom_score\n", to);
    for (size_t i = 0; i < report->nr_marks; i++) {
        const struct report_mark *mark = &report->mark[i];
        fprintf(to, "%" PRIu64 ",%s,%" PRIu64 ",%" PRIu64 ",", mark->time_ns,
                report_mark_names[mark->kind], mark->pid, mark->number);
        put_text(to, mark->text);
        put_number(to, mark->swapped);
        put_number(to, mark->score);
        putc('\n', to);
    }
}

const char *const report_tables[] = {"time",   "map",     "zones", "processes", "areas",
                                     "caches", "classes", "marks", NULL};

void report_print_csv(const struct report *report, unsigned table, FILE *to)
{
    static void (*const put[])(const struct report *, FILE *) = {
        put_time, put_map, put_zones, put_processes, put_areas, put_caches, put_classes, put_marks,
    };
    put[table](report, to);
}
