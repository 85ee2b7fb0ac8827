/* tools/run_record.c: a run as JSON, which `quire report` draws
 *
 * Times are ns since the run's start, sizes bytes. Members that aren't known are left out.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "run.h"

#define RECORD_VERSION 1

/* ---- text ------------------------------------------------------------------------------------ */

/* How many bytes the character at `at` has; 0: it is none (RFC 3629). */
static size_t character(const unsigned char *at)
{
    size_t more = *at < 0x80 ? 0 : *at < 0xc2 ? 9 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
    if (more == 9 || *at > 0xf4)
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return more + 1;
}

char *run_utf8(const char *from)
{
    char *made = must(malloc(3 * strlen(from) + 1)), *to = made;
    while (*from) {
        size_t length = character((const unsigned char *)from);
        memcpy(to, length ? from : "\xef\xbf\xbd", length ? length : 3);
        to += length ? length : 3;
        from += length ? length : 1;
    }
    *to = '\0';
    return made;
}

static void write_text(struct json *out, const char *key, const char *value)
{
    char *valid = run_utf8(value);
    json_string(out, key, valid);
    free(valid);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void write_command(struct json *out, char **argv)
{
    json_array(out, "command");
    for (; *argv; argv++)
        write_text(out, NULL, *argv);
    json_end(out);
}

static void write_end(struct json *out, const struct run *run)
{
    const struct run_result *result = &run->result;
    json_object(out, "end");
    json_unsigned(out, "status", WIFEXITED(result->status) ? WEXITSTATUS(result->status) : 0);
    json_unsigned(out, "signal", WIFSIGNALED(result->status) ? WTERMSIG(result->status) : 0);
    json_bool(out, "for_memory", result->for_memory);
    json_unsigned(out, "elapsed_ns", result->elapsed_ns);
    json_unsigned(out, "user_ns", result->user_ns);
    json_unsigned(out, "kernel_ns", result->kernel_ns);
    json_unsigned(out, "peak_rss", result->peak_rss);
    json_unsigned(out, "minor", result->minor);
    json_unsigned(out, "major", result->major);
    json_bool(out, "left_some", result->left_some);
    json_end(out);
}

static void write_events(struct json *out, const struct heap_counts *counts)
{
    json_unsigned(out, "given_back", counts->given_back);
    json_unsigned(out, "mmaps", counts->maps);
    json_unsigned(out, "munmaps", counts->unmaps);
    json_unsigned(out, "reused", counts->reused);
    json_unsigned(out, "fresh_pages", counts->fresh);
    json_unsigned(out, "pages_again", counts->again);
    json_unsigned(out, "mapped_pages", counts->mapped_pages);
    json_unsigned(out, "unmapped_pages", counts->unmapped_pages);
    json_unsigned(out, "peak_large", counts->peak_large);
    json_array(out, "large");
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++) {
        const struct quire_heap_page_large *large = &counts->large[i];
        if (!large->maps && !large->unmaps && !large->reused)
            continue;
        json_object(out, NULL);
        json_unsigned(out, "least", large->least);
        json_unsigned(out, "mmaps", large->maps);
        json_unsigned(out, "munmaps", large->unmaps);
        json_unsigned(out, "reused", large->reused);
        json_unsigned(out, "mapped_pages", large->mapped_pages);
        json_end(out);
    }
    json_end(out);
}

/* All heaps together: what happened, and what they held when that was the most. */
static void write_heaps(struct json *out, const struct run *run)
{
    struct heap_counts counts;
    const struct heap_counts *most = &run->watch.most_held;
    watch_counts(&run->watch, &counts);
    json_object(out, "heaps");
    json_unsigned(out, "count", run->watch.nr_pages);
    write_events(out, &counts);
    json_object(out, "most_held");
    json_unsigned(out, "t", run->watch.most_held_ns);
    json_unsigned(out, "asked", most->asked);
    json_unsigned(out, "used", most->used);
    json_unsigned(out, "held", most->held);
    json_unsigned(out, "on_stacks", most->on_stacks);
    json_unsigned(out, "in_slabs", most->in_slabs);
    json_unsigned(out, "free_pages", most->free_pages);
    json_unsigned(out, "kept", most->kept);
    json_unsigned(out, "metadata", most->metadata);
    json_end(out);
    json_end(out);
}

/* ---- a process ------------------------------------------------------------------------------- */

static void write_sample(struct json *out, const struct sample *sample)
{
    json_object(out, NULL);
    json_unsigned(out, "t", sample->t);
    json_unsigned(out, "rss", sample->rss);
    json_unsigned(out, "swap", sample->swap);
    json_unsigned(out, "minor", sample->minor);
    json_unsigned(out, "major", sample->major);
    json_unsigned(out, "user_ns", sample->user_ns);
    json_unsigned(out, "kernel_ns", sample->kernel_ns);
    if (sample->has_heap) {
        json_object(out, "heap");
        json_unsigned(out, "asked", sample->asked);
        json_unsigned(out, "used", sample->used);
        json_unsigned(out, "held", sample->held);
        json_unsigned(out, "given_back", sample->given_back);
        json_unsigned(out, "mmaps", sample->maps);
        json_unsigned(out, "munmaps", sample->unmaps);
        json_end(out);
    }
    json_end(out);
}

static void write_class(struct json *out, const struct process *process, unsigned n)
{
    const struct quire_heap_page_class *last = &process->page->class_of[n];
    const struct quire_heap_page_class *peak = &process->peak_page->class_of[n];
    uint64_t page = process->page->page_size;
    if (!last->pages && !peak->pages && !last->allocations && !last->frees)
        return;
    json_object(out, NULL);
    json_unsigned(out, "size", last->size);
    if (process->page->counts_calls) {
        json_unsigned(out, "allocated", last->allocations);
        json_unsigned(out, "freed", last->frees);
        json_unsigned(out, "resized", last->resizes);
    }
    json_unsigned(out, "live", last->used);
    json_unsigned(out, "held", last->pages * page);
    json_unsigned(out, "peak_live", peak->used);
    json_unsigned(out, "peak_held", peak->pages * page);
    json_end(out);
}

static void write_areas(struct json *out, const struct process *process)
{
    json_array(out, "areas");
    for (size_t i = 0; i < process->areas.count; i++) {
        const struct proc_area *area = &process->areas.area[i];
        json_object(out, NULL);
        json_hex(out, "start", area->start);
        json_hex(out, "end", area->end);
        json_string(out, "perms", area->perms);
        write_text(out, "name", area->name);
        json_unsigned(out, "resident", area->resident);
        json_unsigned(out, "swap", area->swap);
        json_end(out);
    }
    json_end(out);
    json_unsigned(out, "areas_t", process->areas_ns);
}

static void write_process(struct json *out, const struct process *process, bool whole)
{
    json_object(out, NULL);
    json_unsigned(out, "pid", process->pid);
    json_unsigned(out, "parent", process->parent);
    write_text(out, "name", process->name);
    json_unsigned(out, "start_ns", process->start_ns);
    json_unsigned(out, "end_ns", process->end_ns);
    json_unsigned(out, "peak_rss", process->peak_rss);
    json_unsigned(out, "minor", process->last.minor);
    json_unsigned(out, "major", process->last.major);
    if (whole) {
        json_array(out, "samples");
        for (size_t i = 0; i < process->samples.count; i++)
            write_sample(out, &process->samples.sample[i]);
        json_end(out);
        write_areas(out, process);
    }
    if (process->page) {
        json_array(out, "classes");
        for (unsigned i = 1; i <= QUIRE_HEAP_PAGE_CLASSES; i++)
            write_class(out, process, i % QUIRE_HEAP_PAGE_CLASSES);
        json_end(out);
    }
    json_end(out);
}

static void write_out(void *arg, const char *piece, size_t length)
{
    fwrite(piece, 1, length, arg);
}

void run_write_record(const struct run *run, FILE *to, bool whole)
{
    struct json out;
    json_init(&out, write_out, to);
    json_object(&out, NULL);
    json_unsigned(&out, "quire-run", RECORD_VERSION);
    write_command(&out, run->options->argv);
    write_text(&out, "heap", run->program.obstacle ? "none" : run->heap.name);
    if (run->program.obstacle)
        write_text(&out, "obstacle", run->program.obstacle);
    json_unsigned(&out, "page_size", (uint64_t)sysconf(_SC_PAGESIZE));
    json_unsigned(&out, "interval_ns", run->watch.interval_ns * run->watch.stride);
    write_end(&out, run);
    json_unsigned(&out, "samples_dropped", run->watch.dropped);
    json_unsigned(&out, "processes_untold", run->watch.nr_beyond);
    json_unsigned(&out, "watch_ns", run->watch.cost_ns + run->watch.areas_cost_ns);
    if (run_has_counts(run))
        write_heaps(&out, run);
    json_array(&out, "processes");
    for (size_t i = 0; i < run->watch.nr_told; i++)
        write_process(&out, run->watch.told[i], whole);
    json_end(&out);
    json_array(&out, "advice");
    for (size_t i = 0; i < run->advice.count; i++)
        write_text(&out, NULL, run->advice.text[i]);
    json_end(&out);
    json_end(&out);
    json_finish(&out);
}
