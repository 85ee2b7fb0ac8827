/* tools/report_text.c: a report for a terminal
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "figures.h"
#include "report_output.h"

#define MOST_PROCESSES 12u
#define MOST_CACHES 12u
#define MOST_MARKS 40u
#define MOST_CLASSES 12u

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void put_end(const struct report *report, FILE *to)
{
    char how[REPORT_TEXT];
    bool panicked = !strcmp(report->end, "panic");
    fprintf(to, "  end       %s%s", panicked ? "the machine panicked; the program: " : "",
            report_exit_text(how, &report->exit));
    fprintf(to, "%s%s, after %.3f s\n", report->trouble ? "; " : "",
            report->trouble ? report->trouble : "", seconds(report->end_ns - report->begin_ns));
    if (report->nr_oom_kills)
        fprintf(to, "  killed    for want of memory: %" PRIu64 " process%s\n", report->nr_oom_kills,
                report->nr_oom_kills == 1 ? "" : "es");
}

static void put_facts(const struct report *report, FILE *to)
{
    char a[32], b[32];
    const uint64_t *total = report->total;
    fprintf(to, "%s: %s\n", report->file, report->title);
    put_end(report, to);
    if (!report->is_run)
        fprintf(to, "  memory    at most %s in use of %s, at %.3f s\n",
                size_text(a, report->peak_used * report->page_bytes),
                size_text(b, report->nr_frames * report->page_bytes),
                seconds(report->peak_used_ns));
    fprintf(to, "  faults    minor %" PRIu64 ", major %" PRIu64, total[FLOW_MINOR],
            total[FLOW_MAJOR]);
    if (report->is_run) {
        fprintf(to, "\n  time      in the program %.3f s, in the kernel %.3f s\n",
                seconds(report->user_ns), seconds(report->kernel_ns));
        return;
    }
    fprintf(to,
            ", failed %" PRIu64 "\n  swap      out %s (pages: %" PRIu64 "), in %s (pages: %" PRIu64
            ")\n  reclaim   %" PRIu64 " pages of %" PRIu64 " scanned\n",
            total[FLOW_FAILED], size_text(a, total[FLOW_SWAP_OUT] * report->page_bytes),
            total[FLOW_SWAP_OUT], size_text(b, total[FLOW_SWAP_IN] * report->page_bytes),
            total[FLOW_SWAP_IN], total[FLOW_RECLAIMED_DIRECT] + total[FLOW_RECLAIMED_BACKGROUND],
            total[FLOW_SCANNED_DIRECT] + total[FLOW_SCANNED_BACKGROUND]);
    fprintf(to, "  events    %" PRIu64 "\n", report->nr_events);
}

static void put_owner(const struct report *report, const char *name, uint64_t frames, FILE *to)
{
    char size[FIGURE_BYTES];
    fprintf(to, "  %-12s %10" PRIu64 " %14s\n", name, frames,
            size_text(size, frames * report->page_bytes));
}

static void put_frames(const struct report *report, FILE *to)
{
    const struct report_column *last = &report->column[report->nr_columns - 1];
    fputs("\nFrames at the end\n", to);
    for (unsigned owner = 0; owner < REPORT_NR_OWNERS; owner++)
        put_owner(report, report_owner_name(owner), last->kind[owner], to);
    put_owner(report, "free", report_free_frames(last->kind), to);
    fputs("\nFree blocks at the end, by order\n  node zone    type       ", to);
    for (unsigned order = 0; order <= report->max_order; order++)
        fprintf(to, " %6u", order);
    putc('\n', to);
    for (unsigned i = 0; i < report->nr_zones; i++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
            const struct report_zone *zone = &report->zone[i];
            const char *name = event_value_name(QUIRE_EVENT_ZONE, 2, zone->type);
            uint32_t any = 0;
            for (unsigned order = 0; order <= report->max_order; order++)
                any |= zone->nr_blocks[type][order];
            if (!any)
                continue;
            fprintf(to, "  %4" PRIu64 " %-7s %-11s", zone->node, name ? name : "?",
                    event_value_name(QUIRE_EVENT_PAGEBLOCK, 1, type));
            for (unsigned order = 0; order <= report->max_order; order++)
                fprintf(to, " %6" PRIu32, zone->nr_blocks[type][order]);
            putc('\n', to);
        }
    fputs("  unusable, % of free memory ", to);
    for (unsigned order = 0; order <= report->max_order; order++)
        fprintf(to, " %6.1f", report_unusable(last->kind, order) / 10.0);
    putc('\n', to);
}

static void put_processes(const struct report *report, FILE *to)
{
    struct report_process **largest =
        must(malloc((report->nr_processes + 1) * sizeof(struct report_process *)));
    report_sort_processes(report, largest);
    fputs("\nProcesses, the largest first\n"
          "  process name              from s     to s      at most        minor    major\n",
          to);
    for (size_t i = 0; i < report->nr_processes && i < MOST_PROCESSES; i++) {
        const struct report_process *process = largest[i];
        char peak[32];
        fprintf(to, "  %7" PRIu64 " %-16s %8.3f %8.3f %12s %12" PRIu64 " %8" PRIu64 "%s\n",
                process->pid, process->name, seconds(process->begin_ns),
                seconds(process->ended ? process->end_ns : report->end_ns),
                size_text(peak, process->peak * report->page_bytes), process->minor, process->major,
                process->ended ? "" : "  (still ran)");
    }
    size_t left = report->nr_processes > MOST_PROCESSES ? report->nr_processes - MOST_PROCESSES : 0;
    if (left + report->others.count)
        fprintf(to, "  and %" PRIu64 " others\n", left + report->others.count);
    free(largest);
}

static int by_peak(const void *a, const void *b)
{
    const struct report_cache *x = *(const struct report_cache *const *)a,
                              *y = *(const struct report_cache *const *)b;
    if (x->peak != y->peak)
        return x->peak < y->peak ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void put_caches(const struct report *report, FILE *to)
{
    const struct report_cache **cache =
        must(malloc((report->nr_caches + 1) * sizeof(const struct report_cache *)));
    size_t count = 0;
    for (size_t i = 0; i < report->nr_caches; i++)
        if (report->cache[i].known)
            cache[count++] = &report->cache[i];
    qsort(cache, count, sizeof(const struct report_cache *), by_peak);
    fputs("\nSlab caches, the largest first\n"
          "  name                 object B  frames at most  frames at the end\n",
          to);
    for (size_t i = 0; i < count && i < MOST_CACHES; i++)
        fprintf(to, "  %-20s %8" PRIu64 " %15" PRIu64 " %18" PRIu64 "\n", cache[i]->name,
                cache[i]->size, cache[i]->peak, cache[i]->frames);
    if (count > MOST_CACHES)
        fprintf(to, "  and %zu smaller ones\n", count - MOST_CACHES);
    free(cache);
}

static void put_oom_kill(const struct report *report, const struct report_mark *mark, FILE *to)
{
    char resident[32], swapped[32];
    fprintf(to,
            "process %" PRIu64 ", %s, is killed for want of memory: %s in memory, %s in swap, "
            "oom_score %" PRIu64 "\n",
            mark->pid, mark->text, size_text(resident, mark->number * report->page_bytes),
            size_text(swapped, mark->swapped * report->page_bytes), mark->score);
}

static void put_marks(const struct report *report, FILE *to)
{
    size_t shown = 0;
    fputs("\nPhases\n", to);
    for (size_t i = 0; i < report->nr_marks; i++) {
        const struct report_mark *mark = &report->mark[i];
        if (mark->kind == MARK_FORK || mark->kind == MARK_EXIT || shown++ >= MOST_MARKS)
            continue;
        fprintf(to, "  %10.6f s  ", seconds(mark->time_ns));
        if (mark->kind == MARK_EXEC)
            fprintf(to, "process %" PRIu64 " becomes %s\n", mark->pid, mark->text);
        else if (mark->kind == MARK_OOM)
            put_oom_kill(report, mark, to);
        else
            fprintf(to, "%s\n", mark->text);
    }
    if (shown > MOST_MARKS || report->marks_left_out)
        fprintf(to, "  and %" PRIu64 " later ones\n",
                (shown > MOST_MARKS ? shown - MOST_MARKS : 0) + report->marks_left_out);
}

static int by_held(const void *a, const void *b)
{
    const struct report_class *x = a, *y = b;
    return (x->held < y->held) - (x->held > y->held);
}

/* The sizes of blocks that hold most. */
static void put_classes(const struct report_heap *heap, FILE *to)
{
    struct report_class *sorted = must(malloc((heap->nr_classes + 1) * sizeof *sorted));
    if (heap->nr_classes)
        memcpy(sorted, heap->class_of, heap->nr_classes * sizeof *sorted);
    qsort(sorted, heap->nr_classes, sizeof *sorted, by_held);
    fputs("       size         live       held B\n", to);
    for (size_t i = 0; i < heap->nr_classes && i < MOST_CLASSES; i++) {
        char name[24] = "larger";
        if (sorted[i].size)
            snprintf(name, sizeof name, "%" PRIu64, sorted[i].size);
        fprintf(to, "  %9s %12" PRIu64 " %12" PRIu64 "\n", name, sorted[i].live, sorted[i].held);
    }
    free(sorted);
}

static void put_heaps(const struct report *report, FILE *to)
{
    const struct report_heap *largest = NULL;
    char a[32], b[32], c[32];
    size_t nr_heaps = 0;
    struct report_process **process =
        must(malloc((report->nr_processes + 1) * sizeof(struct report_process *)));
    report_sort_processes(report, process);
    for (size_t i = 0; i < report->nr_processes; i++) {
        const struct report_heap *heap = process[i]->heap;
        if (!heap)
            continue;
        if (!nr_heaps)
            fputs("\nHeaps at the end, of the largest processes first\n", to);
        if (nr_heaps++ < MOST_PROCESSES)
            fprintf(to, "  %7" PRIu64 " %-16s %s used of %s held, %s given back\n", process[i]->pid,
                    process[i]->name, size_text(a, heap->used), size_text(b, heap->held),
                    size_text(c, heap->given_back));
        if (!largest || heap->held > largest->held)
            largest = heap;
    }
    if (nr_heaps > MOST_PROCESSES)
        fprintf(to, "  and %zu others\n", nr_heaps - MOST_PROCESSES);
    free(process);
    if (largest && largest->nr_classes) {
        fputs("\nThe largest heap, by size of block\n", to);
        put_classes(largest, to);
    }
    if (report->advice.count)
        fputs("\nAdvice\n", to);
    for (size_t i = 0; i < report->advice.count; i++)
        fprintf(to, "  %s\n", report->advice.text[i]);
}

void report_print_text(const struct report *report, FILE *to)
{
    put_facts(report, to);
    if (!report->is_run)
        put_frames(report, to);
    put_processes(report, to);
    if (!report->is_run) {
        put_caches(report, to);
        put_marks(report, to);
    } else {
        put_heaps(report, to);
    }
    fprintf(to,
            "\nOver time: `quire report FILE` draws it; -o csv and -o json have the numbers, in %u "
            "slices of %.6f s.\n",
            report->nr_columns, seconds(report->width_ns));
}
