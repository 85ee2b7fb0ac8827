/* tools/report_model.c: what happened to memory over time, whatever told of it
 */
#define _GNU_SOURCE
#include "report_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

#define NAME(name, text) text,
const char *const report_flow_names[REPORT_NR_FLOWS] = {REPORT_FLOWS(NAME)};
#undef NAME
const char *const report_mark_names[REPORT_NR_MARKS] = {"phase", "exec", "fork", "exit",
                                                        "oom-kill"};

const char *report_owner_name(unsigned owner)
{
    return event_value_name(QUIRE_EVENT_OWNER, 2, owner);
}

struct report *report_new(uint64_t width_ns)
{
    struct report *report = must(calloc(1, sizeof *report));
    report->width_ns = width_ns;
    report->end = "not told";
    return report;
}

/* ---- series ---------------------------------------------------------------------------------- */

void report_set(const struct report *report, struct report_series *series, uint64_t value)
{
    struct report_point *last = series->count ? &series->point[series->count - 1] : NULL;
    if (last && last->column == report->nr_columns) {
        last->value = value;
        return;
    }
    if (last ? last->value == value : !value)
        return;
    if (series->count == series->room) {
        series->room = series->room ? 2 * series->room : 8;
        series->point = must(realloc(series->point, series->room * sizeof *series->point));
    }
    series->point[series->count++] = (struct report_point){report->nr_columns, value};
}

static void halve_series(struct report_series *series)
{
    uint32_t made = 0;
    for (uint32_t i = 0; i < series->count; i++) {
        struct report_point point = series->point[i];
        point.column /= 2;
        if (made && series->point[made - 1].column == point.column)
            made--;
        series->point[made++] = point;
    }
    series->count = made;
}

/* ---- columns --------------------------------------------------------------------------------- */

static void halve_process(struct report_process *process)
{
    halve_series(&process->resident_then);
    halve_series(&process->swapped_then);
    if (process->heap) {
        halve_series(&process->heap->used_then);
        halve_series(&process->heap->held_then);
    }
}

/* Whatever is of the column that is still open stays so: an even number has ended. */
bool report_halve_columns(struct report *report)
{
    if (report->nr_columns < 2)
        return false;
    for (unsigned i = 0; i < report->nr_columns; i += 2) {
        struct report_column column = report->column[i];
        if (i + 1 < report->nr_columns) {
            column = report->column[i + 1];
            for (unsigned flow = 0; flow < REPORT_NR_FLOWS; flow++)
                column.flow[flow] += report->column[i].flow[flow];
        }
        report->column[i / 2] = column;
    }
    report->nr_columns = (report->nr_columns + 1) / 2;
    report->width_ns *= 2;
    if (report->map.nr_rows)
        report_map_halve_columns(&report->map);
    for (size_t i = 0; i < report->nr_processes; i++)
        halve_process(report->process[i]);
    for (size_t i = 0; i < report->nr_caches; i++)
        halve_series(&report->cache[i].frames_then);
    return true;
}

bool report_halve_rows(struct report *report)
{
    if (report->map.nr_rows < 2)
        return false;
    report_map_halve_rows(&report->map);
    return true;
}

uint64_t report_column_end(const struct report *report, unsigned column)
{
    uint64_t end = report->begin_ns + (column + 1) * report->width_ns;
    return column + 1 < report->nr_columns || end < report->end_ns ? end : report->end_ns;
}

static void end_column(struct report *report)
{
    report->column[report->nr_columns] = report->now;
    memset(report->now.flow, 0, sizeof report->now.flow);
    if (report->map.nr_rows)
        report_map_end_column(&report->map);
    report->nr_columns++;
}

void report_advance(struct report *report, uint64_t time_ns,
                    void (*at_end)(struct report *report, void *arg), void *arg)
{
    if (!report->begun)
        report->begin_ns = time_ns;
    report->begun = true;
    while ((time_ns - report->begin_ns) / report->width_ns > report->nr_columns) {
        if (report->nr_columns == REPORT_MOST_COLUMNS) {
            (void)report_halve_columns(report);
            continue;
        }
        at_end(report, arg);
        end_column(report);
    }
    if (report->nr_columns == REPORT_MOST_COLUMNS)
        (void)report_halve_columns(report);
    report->end_ns = time_ns;
}

void report_finish(struct report *report, void (*at_end)(struct report *report, void *arg),
                   void *arg)
{
    at_end(report, arg);
    end_column(report);
}

void report_count(struct report *report, enum report_flow flow, uint64_t by)
{
    report->now.flow[flow] += by;
    report->total[flow] += by;
}

static unsigned column_at(const struct report *report, uint64_t time_ns)
{
    uint64_t column =
        time_ns > report->begin_ns ? (time_ns - report->begin_ns) / report->width_ns : 0;
    return column < report->nr_columns ? (unsigned)column : report->nr_columns - 1;
}

void report_spread(struct report *report, enum report_flow flow, uint64_t by, uint64_t from_ns,
                   uint64_t to_ns)
{
    unsigned first = column_at(report, from_ns), last = column_at(report, to_ns);
    uint64_t nr_columns = last > first ? last - first + 1 : 1, put = 0;
    report->total[flow] += by;
    for (uint64_t i = 0; i < nr_columns; i++) {
        uint64_t until = by / nr_columns * (i + 1) + by % nr_columns * (i + 1) / nr_columns;
        report->column[first + i].flow[flow] += until - put;
        put = until;
    }
}

/* ---- marks ----------------------------------------------------------------------------------- */

void report_clean(char to[REPORT_TEXT], const char *from)
{
    snprintf(to, REPORT_TEXT, "%s", from);
    for (; *to; to++)
        if (*to < ' ' || *to > '~' || *to == '"' || *to == '\\')
            *to = '?';
}

/* Phases and kills are what a reader looks for: processes that come and go leave them room. NULL:
 * there is none left. */
static struct report_mark *add_mark(struct report *report, enum report_mark_kind kind, uint64_t pid,
                                    uint64_t number, const char *text)
{
    bool is_rare = kind == MARK_PHASE || kind == MARK_OOM;
    if (report->nr_marks >= (is_rare ? REPORT_MOST_MARKS : REPORT_MOST_MARKS / 2)) {
        report->marks_left_out++;
        return NULL;
    }
    report->mark = must(realloc(report->mark, (report->nr_marks + 1) * sizeof *report->mark));
    struct report_mark *mark = &report->mark[report->nr_marks++];
    *mark =
        (struct report_mark){.kind = kind, .time_ns = report->end_ns, .pid = pid, .number = number};
    report_clean(mark->text, text);
    return mark;
}

void report_add_mark(struct report *report, enum report_mark_kind kind, uint64_t pid,
                     uint64_t number, const char *text)
{
    (void)add_mark(report, kind, pid, number, text);
}

void report_add_oom_kill(struct report *report, uint64_t pid, uint64_t resident, uint64_t swapped,
                         uint64_t score, const char *name)
{
    struct report_mark *mark = add_mark(report, MARK_OOM, pid, resident, name);
    report->nr_oom_kills++;
    if (mark) {
        mark->swapped = swapped;
        mark->score = score;
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

void report_clear_areas(struct report_areas *areas)
{
    free(areas->area);
    *areas = (struct report_areas){0};
}

static void free_process(struct report_process *process)
{
    report_clear_areas(&process->areas);
    free(process->resident_then.point);
    free(process->swapped_then.point);
    if (process->heap) {
        free(process->heap->used_then.point);
        free(process->heap->held_then.point);
        free(process->heap->class_of);
    }
    free(process->heap);
    free(process);
}

struct report_process *report_add_process(struct report *report, uint64_t pid)
{
    struct report_process *process = must(calloc(1, sizeof *process));
    process->pid = pid;
    process->begin_ns = process->end_ns = report->end_ns;
    report->process = must(
        realloc(report->process, (report->nr_processes + 1) * sizeof(struct report_process *)));
    report->process[report->nr_processes++] = process;
    return process;
}

static void forget(struct report *report, size_t at)
{
    struct report_process *process = report->process[at];
    report->others.count++;
    report->others.minor += process->minor;
    report->others.major += process->major;
    report->others.failed += process->failed;
    if (process->peak > report->others.peak)
        report->others.peak = process->peak;
    free_process(process);
    report->nr_processes--;
    memmove(report->process + at, report->process + at + 1,
            (report->nr_processes - at) * sizeof(struct report_process *));
}

void report_end_process(struct report *report, struct report_process *process)
{
    size_t smallest = SIZE_MAX, nr_ended = 0;
    process->ended = true;
    process->end_ns = report->end_ns;
    for (size_t i = 0; i < report->nr_processes; i++) {
        const struct report_process *other = report->process[i];
        nr_ended += other->ended;
        if (other->ended && other != report->program && !other->changed && !other->nr_spaces &&
            (smallest == SIZE_MAX || other->peak < report->process[smallest]->peak))
            smallest = i;
    }
    if (nr_ended > REPORT_MOST_PROCESSES && smallest != SIZE_MAX)
        forget(report, smallest);
}

static int by_size(const void *a, const void *b)
{
    const struct report_process *x = *(struct report_process *const *)a,
                                *y = *(struct report_process *const *)b;
    if (x->peak != y->peak)
        return x->peak < y->peak ? 1 : -1;
    return x->begin_ns != y->begin_ns ? (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns)
                                      : (x->pid > y->pid) - (x->pid < y->pid);
}

void report_sort_processes(const struct report *report, struct report_process **largest)
{
    if (report->nr_processes)
        memcpy(largest, report->process, report->nr_processes * sizeof(struct report_process *));
    qsort(largest, report->nr_processes, sizeof(struct report_process *), by_size);
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->nr_processes; i++)
        free_process(report->process[i]);
    for (size_t i = 0; i < report->nr_caches; i++)
        free(report->cache[i].frames_then.point);
    report_map_free(&report->map);
    texts_free(&report->advice);
    free(report->process);
    free(report->cache);
    free(report->mark);
    free(report->title);
    free(report->file);
    free(report->trouble);
    free(report->heap);
    free(report);
}

/* ---- ends ------------------------------------------------------------------------------------ */

const char *report_exit_text(char text[REPORT_TEXT], const struct report_exit *exit)
{
    switch (exit->how) {
    case REPORT_EXITED:
        snprintf(text, REPORT_TEXT, "exit status %u", exit->number);
        break;
    case REPORT_KILLED:
        snprintf(text, REPORT_TEXT, "killed by signal %u (%s)%s", exit->number,
                 strsignal((int)exit->number), exit->for_memory ? ", for want of memory" : "");
        break;
    case REPORT_STILL_RAN:
        snprintf(text, REPORT_TEXT, "still ran");
        break;
    default:
        snprintf(text, REPORT_TEXT, "not told");
    }
    return text;
}

/* ---- figures --------------------------------------------------------------------------------- */

uint64_t report_free_frames(const uint64_t kind[REPORT_NR_KINDS])
{
    uint64_t free = 0;
    for (unsigned order = 0; order < REPORT_NR_ORDERS; order++)
        free += kind[REPORT_KIND_FREE(order)];
    return free;
}

unsigned report_unusable(const uint64_t kind[REPORT_NR_KINDS], unsigned order)
{
    uint64_t free = report_free_frames(kind), small = 0;
    for (unsigned o = 0; o < order; o++)
        small += kind[REPORT_KIND_FREE(o)];
    return free ? (unsigned)((small * 1000 + free / 2) / free) : 0;
}
