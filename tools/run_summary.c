/* tools/run_summary.c: what a person wants to know after a run */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "run.h"
#include "utf8.h"

#define MOST_CLASSES 5u
#define MOST_WITHOUT 3u
#define MOST_OF_COMMAND 160u /* characters */
#define LEAST_SECONDS 0.1    /* for a rate */
#define LEAST_COURSE_NS 1000000000u
#define LEAST_STEP_NS 50000000u
#define LITTLE_UNSEEN 20u /* of what happened, one part of so many */

static void print_title(FILE *to, const char *title)
{
    fprintf(to, "  %-11s", title);
}

static void print_end(const struct run *run, FILE *to)
{
    int status = run->result.status;
    char time[FIGURE_BYTES];
    print_title(to, "end");
    if (WIFSIGNALED(status))
        fprintf(to, "killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                run->result.for_memory ? ", for want of memory," : "");
    else
        fprintf(to, "exit status %d", WEXITSTATUS(status));
    fprintf(to, " after %s%s\n", time_text(time, run->result.elapsed_ns),
            run->result.left_some ? "; processes that it left still run" : "");
}

static void print_time(const struct run_result *result, FILE *to)
{
    char share[FIGURE_BYTES], all[FIGURE_BYTES], user[FIGURE_BYTES], kernel[FIGURE_BYTES];
    print_title(to, "time");
    fprintf(to, "of processors %s: programs %s, the kernel %s (%s)\n",
            time_text(all, result->user_ns + result->kernel_ns), time_text(user, result->user_ns),
            time_text(kernel, result->kernel_ns),
            share_text(share, result->kernel_ns, result->user_ns + result->kernel_ns));
}

static void print_processes(const struct watch *watch, FILE *to)
{
    char count[FIGURE_BYTES], most[FIGURE_BYTES], beyond[FIGURE_BYTES];
    uint64_t seen = watch->nr_told + watch->nr_beyond;
    if (seen < 2)
        return;
    print_title(to, "processes");
    fprintf(to, "%s were seen, at most %s at a time", count_text(count, seen),
            count_text(most, watch->most_live));
    if (watch->nr_beyond)
        fprintf(to, "; %s of them only in the sums", count_text(beyond, watch->nr_beyond));
    fputs("; others may have come and gone between two looks\n", to);
}

static void print_memory(const struct run *run, FILE *to)
{
    char largest[FIGURE_BYTES], all[FIGURE_BYTES];
    const struct sample *most = &run->watch.most_rss;
    print_title(to, "memory");
    fprintf(to, "%s resident at most", size_text(largest, run->result.peak_rss));
    if (run->watch.nr_told > 1 && most->rss >= run->result.peak_rss) /* or no look saw it */
        fprintf(to,
                ", of the largest process; %s of all together at %.3f s, what they share counted "
                "for each",
                size_text(all, most->rss), seconds_of(most->t));
    fputc('\n', to);
}

/* ---- the heap -------------------------------------------------------------------------------- */

static void print_part(FILE *to, bool *has_any, const char *name, uint64_t bytes)
{
    char size[FIGURE_BYTES];
    if (!bytes)
        return;
    fprintf(to, "%s%s %s", *has_any ? ", " : ": ", name, size_text(size, bytes));
    *has_any = true;
}

/* Heaps say what they have now and then; large blocks they count. */
static void print_asked(const struct run *run, const struct heap_counts *counts, FILE *to)
{
    char asked[FIGURE_BYTES], large[FIGURE_BYTES];
    const struct heap_counts *most = &run->watch.most_held;
    print_title(to, "asked");
    fprintf(to,
            "%s in blocks that the program had, when the heap was seen to hold the most, at %.3f s",
            size_text(asked, most->asked), seconds_of(run->watch.most_held_ns));
    if (counts->peak_large > most->asked)
        fprintf(to, "; in large blocks alone %s for a while", size_text(large, counts->peak_large));
    fprintf(to, "%s\n",
            run->watch.nr_pages > 1
                ? "; of all processes, and what forked ones share counts for each"
                : "");
}

static void print_held(const struct run *run, FILE *to)
{
    char held[FIGURE_BYTES], over[FIGURE_BYTES], share[FIGURE_BYTES];
    const struct heap_counts *most = &run->watch.most_held;
    bool has_any = false;
    print_title(to, "held");
    fprintf(to, "%s for them, %s (%s) of it more", size_text(held, most->held),
            size_text(over, most->held - most->asked),
            share_text(share, most->held - most->asked, most->held));
    print_part(to, &has_any, "on threads' stacks", most->on_stacks);
    print_part(to, &has_any, "free in slabs", most->in_slabs);
    print_part(to, &has_any, "free pages", most->free_pages);
    print_part(to, &has_any, "large blocks kept", most->kept);
    print_part(to, &has_any, "the heap's own", most->metadata);
    fputc('\n', to);
}

static void print_given_back(const struct heap_counts *counts, FILE *to)
{
    char size[FIGURE_BYTES], again[FIGURE_BYTES];
    print_title(to, "given back");
    fprintf(to, "up to %s before the end", size_text(size, counts->given_back));
    if (counts->again)
        fprintf(to, "; %s free pages of that were needed again", count_text(again, counts->again));
    fputc('\n', to);
}

static void print_large(const struct heap_counts *counts, FILE *to)
{
    char least[FIGURE_BYTES], maps[FIGURE_BYTES], unmaps[FIGURE_BYTES], reused[FIGURE_BYTES];
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++) {
        const struct quire_heap_page_large *large = &counts->large[i];
        if (!large->maps && !large->unmaps && !large->reused)
            continue;
        print_title(to, "large");
        fprintf(to, "blocks of %s and more: mapped %s times, unmapped %s, kept and used again %s\n",
                size_text(least, large->least), count_text(maps, large->maps),
                count_text(unmaps, large->unmaps), count_text(reused, large->reused));
    }
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* The heap knows which pages began to be used, and the system how many faults there were. Of a
 * mapping nobody knows how much of it was touched, so its part is an upper bound, and what remains
 * a lower one. */
static void print_causes(const struct run *run, FILE *to)
{
    struct heap_counts counts;
    char fresh[FIGURE_BYTES], again[FIGURE_BYTES], large[FIGURE_BYTES], rest[FIGURE_BYTES];
    uint64_t left = run->result.minor;
    watch_counts(&run->watch, &counts);
    uint64_t of_again = counts.again < left ? counts.again : left;
    left -= of_again;
    uint64_t first = counts.fresh - counts.again, of_fresh = first < left ? first : left;
    left -= of_fresh;
    uint64_t of_large = counts.mapped_pages < left ? counts.mapped_pages : left;
    left -= of_large;
    print_title(to, "of them");
    fprintf(to,
            "about %s by pages of small blocks, used for the first time, and %s by such that had "
            "been given back; up to %s by large blocks that were mapped; %s and more by the rest: "
            "programs and libraries, stacks, copies after fork\n",
            count_text(fresh, of_fresh), count_text(again, of_again), count_text(large, of_large),
            count_text(rest, left));
}

/* The most in a second, of looks that lie far enough apart to tell, and when nearly all were over.
 */
static void print_course(const struct run *run, FILE *to)
{
    const struct samples *all = &run->watch.all;
    uint64_t rate = 0, rate_ns = 0, over_ns = 0, from = 0;
    char most[FIGURE_BYTES];
    if (!all->count || run->result.elapsed_ns < LEAST_COURSE_NS)
        return;
    uint64_t last = all->sample[all->count - 1].minor, minor = run->result.minor;
    if (last < minor - minor / LITTLE_UNSEEN) /* processes came and went between looks */
        return;
    for (size_t i = 1; i < all->count; i++) {
        const struct sample *to_here = &all->sample[i], *from_here = &all->sample[from];
        uint64_t ns = to_here->t - from_here->t;
        if (!over_ns && to_here->minor >= last - last / 100)
            over_ns = to_here->t;
        if (ns < LEAST_STEP_NS)
            continue;
        uint64_t more = to_here->minor > from_here->minor ? to_here->minor - from_here->minor : 0;
        if (more * 1000000 / (ns / 1000) > rate) {
            rate = more * 1000000 / (ns / 1000);
            rate_ns = to_here->t;
        }
        from = i;
    }
    if (rate)
        fprintf(to, "; at most %s a second, until %.1f s", count_text(most, rate),
                seconds_of(rate_ns));
    if (over_ns && over_ns < run->result.elapsed_ns / 5 * 4)
        fprintf(to, "; 99 %% of them before %.1f s", seconds_of(over_ns));
}

static void print_faults(const struct run *run, FILE *to)
{
    char minor[FIGURE_BYTES], rate[FIGURE_BYTES], major[FIGURE_BYTES];
    const struct run_result *result = &run->result;
    double seconds = (double)result->elapsed_ns / 1e9;
    print_title(to, "faults");
    fprintf(to, "minor %s", count_text(minor, result->minor));
    if (seconds >= LEAST_SECONDS)
        fprintf(to, " (%s a second)",
                count_text(rate, (uint64_t)((double)result->minor / seconds)));
    print_course(run, to);
    fprintf(to, "; major %s\n", count_text(major, result->major));
    if (run_has_counts(run))
        print_causes(run, to);
}

/* ---- size classes ---------------------------------------------------------------------------- */

struct class_sum {
    uint64_t size, used, free, bytes, allocations;
};

static int by_bytes(const void *a, const void *b)
{
    const struct class_sum *one = a, *other = b;
    return one->bytes > other->bytes ? -1 : one->bytes < other->bytes;
}

/* NULL: no heap told anything. */
static const struct process *with_largest_heap(const struct watch *watch)
{
    const struct process *largest = NULL;
    for (size_t i = 0; i < watch->nr_told; i++) {
        const struct process *process = watch->told[i];
        if (process->page && (!largest || process->peak_held > largest->peak_held))
            largest = process;
    }
    return largest;
}

static void read_classes(const struct process *process,
                         struct class_sum sums[QUIRE_HEAP_PAGE_CLASSES])
{
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_CLASSES; i++) {
        const struct quire_heap_page_class *c = &process->peak_page->class_of[i];
        sums[i] = (struct class_sum){
            .size = c->size,
            .used = c->used,
            .free = c->slots > c->used ? c->slots - c->used : 0,
            .bytes = c->pages * process->page->page_size,
            .allocations = process->page->class_of[i].allocations,
        };
    }
}

/* Of one process: sums of heaps that were at their largest one after the other are no heap's. */
static void print_classes(const struct watch *watch, FILE *to)
{
    struct class_sum sums[QUIRE_HEAP_PAGE_CLASSES];
    const struct process *largest = with_largest_heap(watch);
    char size[FIGURE_BYTES], used[FIGURE_BYTES], unused[FIGURE_BYTES], bytes[FIGURE_BYTES];
    char calls[FIGURE_BYTES];
    if (!largest)
        return;
    read_classes(largest, sums);
    bool counts_calls = largest->page->counts_calls != 0;
    qsort(sums, QUIRE_HEAP_PAGE_CLASSES, sizeof sums[0], by_bytes);
    if (!sums[0].bytes)
        return;
    print_title(to, "classes");
    fprintf(to, "those that took the most, when the heap of %s (%u), the largest, held the most:\n",
            largest->name, largest->pid);
    fprintf(to, "  %-11s%12s %12s %12s %12s%s\n", "", "blocks of", "in use", "free", "take",
            counts_calls ? "  allocations" : "");
    for (unsigned i = 0; i < MOST_CLASSES && sums[i].bytes; i++) {
        fprintf(to, "  %-11s%12s %12s %12s %12s", "",
                sums[i].size ? size_text(size, sums[i].size) : "more",
                count_text(used, sums[i].used), count_text(unused, sums[i].free),
                size_text(bytes, sums[i].bytes));
        if (counts_calls)
            fprintf(to, " %12s", count_text(calls, sums[i].allocations));
        fputc('\n', to);
    }
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void print_areas(const struct watch *watch, FILE *to)
{
    uint64_t heap = 0, stack = 0, files = 0, others = 0;
    char size[FIGURE_BYTES];
    const struct process *process = watch->nr_told ? watch->told[0] : NULL;
    if (!process || !process->areas.count)
        return;
    for (size_t i = 0; i < process->areas.count; i++) {
        const struct proc_area *area = &process->areas.area[i];
        bool is_file = area->name[0] == '/' && strncmp(area->name, "/memfd:", 7) != 0;
        *(!strcmp(area->name, "[heap]")       ? &heap
          : !strncmp(area->name, "[stack", 6) ? &stack
          : is_file                           ? &files
                                              : &others) += area->resident;
    }
    bool has_any = false;
    print_title(to, "areas");
    fprintf(to, "of %s (%u) %s were resident at %.3f s", process->name, process->pid,
            size_text(size, heap + stack + files + others), seconds_of(process->areas_ns));
    print_part(to, &has_any, "files", files);
    print_part(to, &has_any, "brk", heap);
    print_part(to, &has_any, "the first stack", stack);
    print_part(to, &has_any, "what else is mapped, threads' stacks and heaps among it,", others);
    fputc('\n', to);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void print_heap(const struct run *run, FILE *to)
{
    struct heap_counts counts;
    watch_counts(&run->watch, &counts);
    print_asked(run, &counts, to);
    print_held(run, to);
    print_given_back(&counts, to);
    print_large(&counts, to);
}

static void print_command(const struct run *run, FILE *to)
{
    fputs("quire run:", to);
    size_t left = MOST_OF_COMMAND;
    for (char **argv = run->options->argv; *argv && left; argv++) {
        size_t length = strlen(*argv), shown = length < left ? length : left;
        char *clean = text("%.*s", (int)shown, *argv);
        utf8_print(clean);
        fprintf(to, " %s%s", clean, shown < length ? "..." : "");
        free(clean);
        left -= shown;
    }
    if (run->program.obstacle)
        fprintf(to, "\n  %-11s%s; what follows is what the kernel tells\n", "heap",
                run->program.obstacle);
    else
        fprintf(to, "\n  %-11s%s%s\n", "heap", run->heap.name,
                run->heap.is_quire && !run_has_counts(run)
                    ? ", which left no counts: it wasn't loaded, or the environment didn't reach it"
                : run->heap.is_quire ? ""
                                     : ", which doesn't tell what it does");
}

/* Processes that got by without the heap, or whose heap tells others, as far as that is known. */
static void print_without(const struct run *run, FILE *to)
{
    unsigned count = 0;
    if (!run->watch.places)
        return;
    for (size_t i = 0; i < run->watch.nr_told; i++) {
        const struct process *process = run->watch.told[i];
        if (!process->is_without && !process->is_unread)
            continue;
        if (++count > MOST_WITHOUT)
            continue;
        print_title(to, "without");
        fprintf(
            to, "%s (%u) %s\n", process->name, process->pid,
            process->is_unread
                ? "has the heap, but its counts can't be read and are in no sum: it runs as "
                  "another user, or there were too many processes"
                : "ran without the heap: it is of another kind, or its environment was changed");
    }
    if (count > MOST_WITHOUT) {
        print_title(to, "");
        fprintf(to, "and %u more\n", count - MOST_WITHOUT);
    }
}

void run_print_summary(const struct run *run, FILE *to)
{
    print_command(run, to);
    print_end(run, to);
    print_time(&run->result, to);
    print_processes(&run->watch, to);
    print_without(run, to);
    print_memory(run, to);
    if (run_has_counts(run))
        print_heap(run, to);
    print_faults(run, to);
    if (run_has_counts(run))
        print_classes(&run->watch, to);
    print_areas(&run->watch, to);
    for (size_t i = 0; i < run->advice.count; i++) {
        print_title(to, "advice");
        fprintf(to, "%s\n", run->advice.text[i]);
    }
}
