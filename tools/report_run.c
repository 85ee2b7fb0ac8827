/* tools/report_run.c: a report from what `quire run --record` wrote
 *
 * A recording is one JSON document with samples of each process, ordered by time. What isn't known
 * may be missing, and members that this reader doesn't know are none of its business; a value of
 * the wrong kind is an error that names it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quire.h"
#include "report_model.h"
#include "utf8.h"

#ifdef QUIRE_HAVE_JANSSON
#include <jansson.h>

#define LEAST_WIDTH_NS 1000000u /* /proc knows no shorter times */
#define VERSION 1
#define MOST_TITLE 160u /* bytes of a command: it may have megabytes */
#define MOST_PAGE (1u << 30)

struct recording {
    struct report *report;
    const char *name;
    char error[160]; /* empty: none so far */
};

/* ---- values ---------------------------------------------------------------------------------- */

static void wrong(struct recording *recording, const char *member, const char *what)
{
    if (!*recording->error)
        snprintf(recording->error, sizeof recording->error, "\"%s\" isn't %s", member, what);
}

/* 0 if it is missing. */
static uint64_t number(struct recording *recording, const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        wrong(recording, member, "a whole number from 0 on");
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static const char *string(struct recording *recording, const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (value && !json_is_string(value))
        wrong(recording, member, "a text");
    return json_is_string(value) ? json_string_value(value) : "";
}

static uint64_t address(struct recording *recording, const json_t *object, const char *member)
{
    const char *digits = string(recording, object, member);
    char *end;
    uint64_t value = strtoull(digits, &end, 16);
    if (strncmp(digits, "0x", 2) != 0 || !digits[2] || *end)
        wrong(recording, member, "an address such as \"0x1000\"");
    return value;
}

/* NULL if it is missing. */
static const json_t *list(struct recording *recording, const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (value && !json_is_array(value))
        wrong(recording, member, "a list");
    return json_is_array(value) ? value : NULL;
}

static const char *text_at(struct recording *recording, const json_t *array, size_t i,
                           const char *member)
{
    const char *found = json_string_value(json_array_get(array, i));
    if (!found)
        wrong(recording, member, "a list of texts");
    return found ? found : "";
}

static const json_t *object_at(struct recording *recording, const json_t *array, size_t i,
                               const char *member)
{
    const json_t *found = json_array_get(array, i);
    if (!json_is_object(found))
        wrong(recording, member, "a list of objects");
    return found;
}

/* NULL if it is missing. */
static const json_t *object(struct recording *recording, const json_t *of, const char *member)
{
    const json_t *value = json_object_get(of, member);
    if (value && !json_is_object(value))
        wrong(recording, member, "an object");
    return value;
}

/* UTF-8 stays as it is; control characters don't. */
static char *clean_text(const char *from)
{
    char *to = text("%s", from);
    utf8_print(to);
    return to;
}

/* ---- samples --------------------------------------------------------------------------------- */

struct sample {
    uint64_t time_ns, resident, swapped, minor, major, heap_used, heap_held;
    struct report_process *process;
    bool has_heap, is_end;
};

struct samples {
    struct sample *sample;
    size_t count, room;
};

static void add_sample(struct samples *samples, struct sample sample)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : 256;
        samples->sample = must(realloc(samples->sample, samples->room * sizeof *samples->sample));
    }
    samples->sample[samples->count++] = sample;
}

static int by_time(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return x->is_end - y->is_end;
}

static void read_heap(struct recording *recording, struct report_process *process,
                      const json_t *object, struct sample *sample)
{
    if (!process->heap)
        process->heap = must(calloc(1, sizeof *process->heap));
    struct report_heap *heap = process->heap;
    heap->asked = number(recording, object, "asked");
    heap->used = number(recording, object, "used");
    heap->held = number(recording, object, "held");
    heap->resident = number(recording, object, "resident");
    heap->given_back = number(recording, object, "given_back");
    heap->maps = number(recording, object, "mmaps");
    heap->unmaps = number(recording, object, "munmaps");
    sample->has_heap = true;
    sample->heap_used = heap->used;
    sample->heap_held = heap->held;
}

static void read_samples(struct recording *recording, struct report_process *process,
                         const json_t *of, struct samples *samples)
{
    const json_t *array = list(recording, of, "samples");
    uint64_t page = recording->report->page_bytes;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = object_at(recording, array, i, "samples"),
                     *heap = object(recording, one, "heap");
        struct sample sample = {
            .process = process,
            .time_ns = number(recording, one, "t"),
            .resident = number(recording, one, "rss") / page,
            .swapped = number(recording, one, "swap") / page,
            .minor = number(recording, one, "minor"),
            .major = number(recording, one, "major"),
        };
        process->user_ns = number(recording, one, "user_ns");
        process->kernel_ns = number(recording, one, "kernel_ns");
        if (json_is_object(heap))
            read_heap(recording, process, heap, &sample);
        add_sample(samples, sample);
    }
    if (json_object_get(of, "end_ns"))
        add_sample(samples, (struct sample){.process = process,
                                            .time_ns = number(recording, of, "end_ns"),
                                            .minor = number(recording, of, "minor"),
                                            .major = number(recording, of, "major"),
                                            .is_end = true});
}

static void take_sample(struct report *report, const struct sample *sample)
{
    struct report_process *process = sample->process;
    process->end_ns = sample->time_ns;
    report->now.resident -= process->resident[RESIDENT_ANON];
    report->now.swapped -= process->resident[RESIDENT_SWAP];
    process->resident[RESIDENT_ANON] = sample->resident;
    process->resident[RESIDENT_SWAP] = sample->swapped;
    report->now.resident += sample->resident;
    report->now.swapped += sample->swapped;
    report_set(report, &process->resident_then, sample->resident);
    report_set(report, &process->swapped_then, sample->swapped);
    if (sample->is_end) {
        process->ended = true;
        report_add_mark(report, MARK_EXIT, process->pid, 0, process->name);
        return;
    }
    if (sample->resident > process->most_seen) {
        process->most_seen = sample->resident;
        process->peak_ns = sample->time_ns;
    }
    if (sample->resident > process->peak) /* Linux counts them in batches, so its own may be less */
        process->peak = sample->resident;
    if (report->now.resident > report->peak_used) {
        report->peak_used = report->now.resident;
        report->peak_used_ns = sample->time_ns;
    }
    if (sample->has_heap) {
        report_set(report, &process->heap->used_then, sample->heap_used);
        report_set(report, &process->heap->held_then, sample->heap_held);
    }
}

/* What is counted since a process's beginning happened since the sample before; what the kernel
 * told at its end, when the last sample was over, happened after that. */
static void spread_faults(struct report *report, const struct samples *samples)
{
    for (size_t i = 0; i < report->nr_processes; i++)
        report->process[i]->end_ns = report->process[i]->begin_ns;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->sample[i];
        struct report_process *process = sample->process;
        uint64_t from = process->end_ns;
        process->end_ns = sample->time_ns;
        if (sample->minor > process->minor) {
            report_spread(report, FLOW_MINOR, sample->minor - process->minor, from,
                          process->end_ns);
            process->minor = sample->minor;
        }
        if (sample->major > process->major) {
            report_spread(report, FLOW_MAJOR, sample->major - process->major, from,
                          process->end_ns);
            process->major = sample->major;
        }
    }
}

static void at_column_end(struct report *report, void *arg)
{
    (void)report;
    (void)arg;
}

/* ---- processes ------------------------------------------------------------------------------- */

static void read_classes(struct recording *recording, struct report_process *process,
                         const json_t *of)
{
    const json_t *array = list(recording, of, "classes");
    size_t count = json_array_size(array);
    if (!count)
        return;
    if (!process->heap)
        process->heap = must(calloc(1, sizeof *process->heap));
    process->heap->class_of = must(calloc(count, sizeof *process->heap->class_of));
    process->heap->nr_classes = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = object_at(recording, array, i, "classes");
        process->heap->class_of[i] = (struct report_class){
            .size = number(recording, one, "size"),
            .allocated = number(recording, one, "allocated"),
            .freed = number(recording, one, "freed"),
            .live = number(recording, one, "live"),
            .held = number(recording, one, "held"),
        };
    }
}

static void read_areas(struct recording *recording, struct report_process *process,
                       const json_t *of)
{
    const json_t *array = list(recording, of, "areas");
    size_t count = json_array_size(array),
           kept = count < REPORT_MOST_AREAS ? count : REPORT_MOST_AREAS;
    uint64_t page = recording->report->page_bytes;
    struct report_areas *areas = &process->areas;
    *areas = (struct report_areas){.area = must(calloc(kept + 1, sizeof *areas->area)),
                                   .time_ns = number(recording, of, "areas_t"),
                                   .count = (unsigned)kept,
                                   .left_out = (unsigned)(count - kept)};
    for (size_t i = 0; i < kept; i++) {
        const json_t *one = object_at(recording, array, i, "areas");
        struct report_area *area = &areas->area[i];
        area->start = address(recording, one, "start") / page;
        area->end = address(recording, one, "end") / page;
        area->resident = number(recording, one, "resident") / page;
        area->swapped = number(recording, one, "swap") / page;
        areas->resident += area->resident;
        if (area->end < area->start)
            wrong(recording, "end", "behind the area's start");
        report_clean(area->name, string(recording, one, "name"));
        snprintf(area->rights, sizeof area->rights, "%.4s", string(recording, one, "perms"));
        for (char *c = area->rights; *c; c++)
            *c = strchr("rwxsp-", *c) ? *c : '?';
    }
}

static void read_process(struct recording *recording, const json_t *of, struct samples *samples)
{
    struct report *report = recording->report;
    struct report_process *process = report_add_process(report, number(recording, of, "pid"));
    process->parent = number(recording, of, "parent");
    process->begin_ns = number(recording, of, "start_ns");
    report_clean(process->name, string(recording, of, "name"));
    if (!report->program)
        report->program = process;
    read_samples(recording, process, of, samples);
    process->peak = number(recording, of, "peak_rss") / report->page_bytes;
    read_classes(recording, process, of);
    read_areas(recording, process, of);
}

/* ---- the document ---------------------------------------------------------------------------- */

static char *title_of(struct recording *recording, const json_t *of)
{
    const json_t *array = list(recording, of, "command");
    char title[MOST_TITLE + 1];
    size_t length = 0;
    bool is_cut = false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *word = text_at(recording, array, i, "command");
        int wanted = snprintf(title + length, sizeof title - length, "%s%s", i ? " " : "", word);
        is_cut |= (size_t)wanted >= sizeof title - length;
        length = is_cut ? MOST_TITLE : length + (size_t)wanted;
    }
    if (!length)
        return text("a program");
    while (is_cut && length && (title[length - 1] & 0xc0) == 0x80) /* of a character's bytes */
        length--;
    if (is_cut && length && title[length - 1] & 0x80)
        length--;
    char *whole = text("%.*s%s", (int)length, title, is_cut ? "..." : "");
    utf8_print(whole);
    return whole;
}

static void read_end(struct recording *recording, const json_t *document)
{
    static char end[64];
    struct report *report = recording->report;
    const json_t *of = object(recording, document, "end");
    uint64_t elapsed = number(recording, of, "elapsed_ns");
    if (!json_is_object(of)) {
        report->whole = false;
        report->trouble = text("%s", "it doesn't say how the program ended");
        return;
    }
    if (number(recording, of, "signal"))
        snprintf(end, sizeof end, "signal %" PRIu64, number(recording, of, "signal"));
    else
        snprintf(end, sizeof end, "exit status %" PRIu64, number(recording, of, "status"));
    report->end = end;
    report->exit.how = number(recording, of, "signal") ? REPORT_KILLED : REPORT_EXITED;
    report->exit.number =
        (unsigned)number(recording, of, report->exit.how == REPORT_KILLED ? "signal" : "status");
    report->exit.for_memory = json_is_true(json_object_get(of, "for_memory"));
    report->user_ns = number(recording, of, "user_ns");
    report->kernel_ns = number(recording, of, "kernel_ns");
    report->nr_dropped = number(recording, document, "samples_dropped");
    if (elapsed > report->end_ns)
        report_advance(report, elapsed, at_column_end, NULL);
}

static void read_advice(struct recording *recording, const json_t *document)
{
    const json_t *array = list(recording, document, "advice");
    for (size_t i = 0; i < json_array_size(array); i++)
        texts_add(&recording->report->advice, clean_text(text_at(recording, array, i, "advice")));
    if (json_object_get(document, "heap"))
        recording->report->heap = clean_text(string(recording, document, "heap"));
}

/* What processes did that came and went between samples is in the sums alone. */
static void read_untold(struct recording *recording, const json_t *document)
{
    struct report *report = recording->report;
    const json_t *end = json_object_get(document, "end"),
                 *heaps = object(recording, document, "heaps");
    uint64_t minor = number(recording, end, "minor"), major = number(recording, end, "major");
    report->others.count = number(recording, document, "processes_untold");
    if (minor > report->total[FLOW_MINOR]) {
        report->others.minor = minor - report->total[FLOW_MINOR];
        report_spread(report, FLOW_MINOR, report->others.minor, report->begin_ns, report->end_ns);
    }
    if (major > report->total[FLOW_MAJOR]) {
        report->others.major = major - report->total[FLOW_MAJOR];
        report_spread(report, FLOW_MAJOR, report->others.major, report->begin_ns, report->end_ns);
    }
    report->heaps.count = number(recording, heaps, "count");
    report->heaps.given_back = number(recording, heaps, "given_back");
    report->heaps.maps = number(recording, heaps, "mmaps");
    report->heaps.unmaps = number(recording, heaps, "munmaps");
    report->heaps.reused = number(recording, heaps, "reused");
}

static void read_document(struct recording *recording, const json_t *document)
{
    struct report *report = recording->report;
    struct samples samples = {0};
    const json_t *array = list(recording, document, "processes");
    report->page_bytes = number(recording, document, "page_size");
    if (report->page_bytes < 512 || report->page_bytes > MOST_PAGE ||
        report->page_bytes & (report->page_bytes - 1)) {
        wrong(recording, "page_size", "the size of a page");
        report->page_bytes = 4096;
    }
    report->title = title_of(recording, document);
    for (size_t i = 0; i < json_array_size(array); i++)
        read_process(recording, object_at(recording, array, i, "processes"), &samples);
    if (samples.count)
        qsort(samples.sample, samples.count, sizeof *samples.sample, by_time);
    report->whole = true;
    report_advance(report, 0, at_column_end, NULL);
    for (size_t i = 0; i < samples.count; i++) {
        report_advance(report, samples.sample[i].time_ns, at_column_end, NULL);
        take_sample(report, &samples.sample[i]);
    }
    read_end(recording, document);
    report_finish(report, at_column_end, NULL);
    spread_faults(report, &samples);
    read_untold(recording, document);
    read_advice(recording, document);
    free(samples.sample);
}

static uint64_t version_of(const json_t *document)
{
    const json_t *version = json_object_get(document, "quire-run");
    return json_is_integer(version) ? (uint64_t)json_integer_value(version) : 0;
}

struct report *report_from_recording(FILE *from, const char *name)
{
    json_error_t error;
    struct recording recording = {.name = name};
    json_t *document = json_loadf(from, 0, &error);
    if (!document) {
        complain("%s: line %d: %s", name, error.line, error.text);
        return NULL;
    }
    if (version_of(document) != VERSION) {
        complain(json_object_get(document, "quire-run")
                     ? "%s: a recording of another version; this program reads version %d"
                     : "%s: this is no recording of quire run: it has no \"quire-run\": %d",
                 name, VERSION);
        json_decref(document);
        return NULL;
    }
    struct report *report = recording.report = report_new(LEAST_WIDTH_NS);
    report->is_run = true;
    report->file = text("%s", name);
    read_document(&recording, document);
    json_decref(document);
    if (*recording.error) {
        complain("%s: %s", name, recording.error);
        report_free(report);
        return NULL;
    }
    return report;
}

#else
struct report *report_from_recording(FILE *from, const char *name)
{
    (void)from;
    complain("%s is a recording of quire run, or no file for a report; this quire was built "
             "without libjansson (Debian's libjansson-dev), which reads recordings",
             name);
    return NULL;
}
#endif
