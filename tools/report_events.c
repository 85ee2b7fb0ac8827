/* tools/report_events.c: a report from a machine's events, read once as they come
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "quire.h"
#include "report_frames.h"
#include "report_model.h"
#include "report_space.h"

#define FIRST_WIDTH_NS 1024u

struct source {
    struct event_reader reader;
    struct report *report;
    struct report_frames frames;
    void *spaces, *pids;        /* trees: of struct report_space, of struct report_process */
    struct report_space *space; /* the last one that was looked for */
    uint64_t chunks;            /* of pages of all spaces */
    const struct report_process *ending;
    struct report_process **changed;
    size_t nr_changed, room;
};

/* ---- what is looked up ----------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct report_space *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_pid(const void *a, const void *b)
{
    const struct report_process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Those that nobody told of begin here. */
static struct report_space *space_of(struct source *source, uint64_t number)
{
    const struct report_space key = {.number = number};
    if (source->space && source->space->number == number)
        return source->space;
    struct report_space **found = tfind(&key, &source->spaces, by_number);
    struct report_space *space = found ? *found : space_new(number, &source->chunks);
    if (!found)
        must(tsearch(space, &source->spaces, by_number));
    return source->space = space;
}

static struct report_process *process_of(struct source *source, uint64_t pid)
{
    const struct report_process key = {.pid = pid};
    struct report_process **found = tfind(&key, &source->pids, by_pid);
    if (found)
        return *found;
    struct report_process *process = report_add_process(source->report, pid);
    must(tsearch(process, &source->pids, by_pid));
    return process;
}

static void note_change(struct source *source, struct report_process *process)
{
    if (process->changed)
        return;
    process->changed = true;
    if (source->nr_changed == source->room) {
        source->room = source->room ? 2 * source->room : 16;
        source->changed =
            must(realloc(source->changed, source->room * sizeof(struct report_process *)));
    }
    source->changed[source->nr_changed++] = process;
}

/* ---- at the end of a column ------------------------------------------------------------------ */

static uint64_t resident_of(const struct report_process *process)
{
    return process->resident[RESIDENT_FILE] + process->resident[RESIDENT_ANON] +
           process->resident[RESIDENT_SHMEM];
}

/* A look at a process that is larger than it was when it was looked at before. */
static void look(const struct source *source, struct report_space *space)
{
    space->to_be_looked_at = false;
    if (space_resident(space) > space->process->areas.resident)
        space_look(space, source->report->end_ns, &space->process->areas);
}

static void look_if_settled(const void *node, VISIT visit, void *arg)
{
    struct report_space *space = *(struct report_space *const *)node;
    if ((visit != postorder && visit != leaf) || !space->process || !space->process->changed)
        return;
    space->to_be_looked_at = true;
    if (space_is_settled(space))
        look(arg, space);
}

static void look_at_any(const void *node, VISIT visit, void *arg)
{
    struct report_space *space = *(struct report_space *const *)node;
    const struct source *source = arg;
    if ((visit == postorder || visit == leaf) && space->process == source->ending)
        look(source, space);
}

static void sum_processes(struct report *report)
{
    report->now.resident = report->now.swapped = 0;
    for (size_t i = 0; i < report->nr_processes; i++) {
        report->now.resident += resident_of(report->process[i]);
        report->now.swapped += report->process[i]->resident[RESIDENT_SWAP];
    }
}

static void set_column(struct report *report, void *arg)
{
    struct source *source = arg;
    struct report_frames *frames = &source->frames;
    memcpy(report->now.kind, frames->kind, sizeof report->now.kind);
    memset(report->now.nr_blocks, 0, sizeof report->now.nr_blocks);
    for (unsigned zone = 0; zone <= FRAMES_MOST_ZONES; zone++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
            for (unsigned order = 0; order < REPORT_NR_ORDERS; order++)
                report->now.nr_blocks[type][order] += frames->nr_blocks[zone][type][order];
    if (source->nr_changed) {
        twalk_r(source->spaces, look_if_settled, source);
        sum_processes(report);
    }
    for (size_t i = 0; i < source->nr_changed; i++) {
        struct report_process *process = source->changed[i];
        report_set(report, &process->resident_then, resident_of(process));
        report_set(report, &process->swapped_then, process->resident[RESIDENT_SWAP]);
        process->changed = false;
    }
    source->nr_changed = 0;
    for (size_t i = 0; i < report->nr_caches; i++) {
        struct report_cache *cache = &report->cache[i];
        if (cache->changed)
            report_set(report, &cache->frames_then, cache->frames);
        cache->changed = false;
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

static struct report_cache *cache_at(struct report *report, size_t at)
{
    if (at >= report->nr_caches) {
        report->cache = must(realloc(report->cache, (at + 1) * sizeof *report->cache));
        memset(report->cache + report->nr_caches, 0,
               (at + 1 - report->nr_caches) * sizeof *report->cache);
        report->nr_caches = at + 1;
    }
    return &report->cache[at];
}

static void note_cache(struct source *source, int at)
{
    if (at < 0)
        return;
    struct report_cache *cache = cache_at(source->report, (size_t)at);
    const struct report_frames_cache *now = &source->frames.cache[at];
    cache->frames = now->frames;
    cache->slabs = now->slabs;
    cache->objects = now->objects;
    cache->changed = cache->known = true;
    if (cache->frames > cache->peak)
        cache->peak = cache->frames;
}

static void name_cache(struct report *report, const struct event *event)
{
    if (event->field[0] >= REPORT_MOST_CACHES)
        return;
    struct report_cache *cache = cache_at(report, (size_t)event->field[0]);
    cache->size = event->field[1];
    report_clean(cache->name, event->text);
}

static void note_zone(struct report *report, const struct event *event)
{
    struct report_zone *zone = &report->zone[event->field[0]];
    *zone = (struct report_zone){.node = event->field[1],
                                 .type = event->field[2],
                                 .start = event->field[3],
                                 .spanned = event->field[4],
                                 .managed = event->field[5]};
    if (event->field[0] >= report->nr_zones)
        report->nr_zones = (unsigned)event->field[0] + 1;
}

/* Frames that come later, as those of the RAM disk do, are managed from then on, too. */
static void note_range(struct report *report, const struct event *event)
{
    for (unsigned i = 0; i < report->nr_zones; i++) {
        struct report_zone *zone = &report->zone[i];
        if (event->field[0] >= zone->start && event->field[0] - zone->start < zone->spanned) {
            zone->managed += event->field[1];
            return;
        }
    }
}

/* False: what it tells can't be. */
static bool take_frames(struct source *source, const struct event *event)
{
    struct report *report = source->report;
    int cache;
    if (!report_frames_take(&source->frames, event, &cache))
        return false;
    note_cache(source, cache);
    if (event->number == QUIRE_EVENT_ALLOC) {
        uint64_t used = source->frames.nr_frames - source->frames.nr_free;
        if (used > report->peak_used) {
            report->peak_used = used;
            report->peak_used_ns = event->time_ns;
        }
        report_count(report, FLOW_ALLOCATED, 1);
    } else if (event->number == QUIRE_EVENT_PEAK) { /* more where some events were lost */
        if (event->field[0] > report->peak_used)
            report->peak_used = event->field[0];
    } else if (event->number == QUIRE_EVENT_FREE) {
        report_count(report, FLOW_FREED, 1);
    } else if (event->number == QUIRE_EVENT_ZONE) {
        note_zone(report, event);
    } else if (event->number == QUIRE_EVENT_RANGE) {
        note_range(report, event);
    }
    return true;
}

/* ---- processes ------------------------------------------------------------------------------- */

static void add_space(struct report_process *process, const struct report_space *space, int sign)
{
    uint64_t by = (uint64_t)sign;
    process->minor += by * space->minor;
    process->major += by * space->major;
    process->failed += by * space->failed;
    for (unsigned kind = 0; kind < REPORT_NR_RESIDENT; kind++)
        process->resident[kind] += by * space->resident[kind];
}

static void note_peak(struct report *report, struct report_process *process)
{
    uint64_t resident = resident_of(process);
    if (resident > process->peak && resident < UINT64_MAX / 2) {
        process->peak = resident;
        process->peak_ns = report->end_ns;
    }
}

/* A space without a process is new; else it is the process's from here on, with what was counted.
 */
static void take_mm(struct source *source, const struct event *event)
{
    struct report_space *space = space_of(source, event->field[0]);
    if (!event->field[1])
        return;
    struct report_process *process = process_of(source, event->field[1]);
    report_clean(process->name, event->text);
    if (space->process == process)
        return;
    if (space->process) {
        add_space(space->process, space, -1);
        space->process->nr_spaces--;
        note_change(source, space->process);
    }
    add_space(process, space, 1);
    space->process = process;
    process->nr_spaces++;
    note_change(source, process);
    note_peak(source->report, process);
}

/* What was resident went with rss events before. */
static void end_space(struct source *source, uint64_t number)
{
    struct report_space *space = space_of(source, number);
    if (space->process) {
        for (unsigned kind = 0; kind < REPORT_NR_RESIDENT; kind++)
            space->process->resident[kind] -= space->resident[kind];
        space->process->nr_spaces--;
        note_change(source, space->process);
    }
    (void)tdelete(space, &source->spaces, by_number);
    space_free(space);
    source->space = NULL;
}

static void take_rss(struct source *source, const struct event *event)
{
    struct report_space *space = space_of(source, event->field[0]);
    if (event->field[1] >= REPORT_NR_RESIDENT)
        return;
    space->resident[event->field[1]] += event->field[2];
    if (!space->process)
        return;
    space->process->resident[event->field[1]] += event->field[2];
    note_change(source, space->process);
    note_peak(source->report, space->process);
}

static void take_fault(struct source *source, const struct event *event)
{
    static const enum report_flow of_kind[] = {FLOW_FAULT_ANON, FLOW_FAULT_FILE, FLOW_FAULT_SWAP,
                                               FLOW_FAULT_WRITE, FLOW_FAULT_NONE};
    struct report_space *space = space_of(source, event->field[0]);
    struct report_process *process = space->process;
    uint64_t minor = event->field[4] == 0, major = event->field[4] == 1, failed = !minor && !major;
    space->minor += minor;
    space->major += major;
    space->failed += failed;
    if (process) {
        process->minor += minor;
        process->major += major;
        process->failed += failed;
    }
    report_count(source->report, FLOW_MINOR, minor);
    report_count(source->report, FLOW_MAJOR, major);
    report_count(source->report, FLOW_FAILED, failed);
    if (event->field[2] < sizeof of_kind / sizeof *of_kind)
        report_count(source->report, of_kind[event->field[2]], 1);
    if (!failed)
        space_fault(space, event);
}

static void take_fork(struct source *source, const struct event *event)
{
    if (event->field[2]) /* a thread */
        return;
    struct report_process *process = process_of(source, event->field[0]);
    process->parent = event->field[1];
    if (!source->report->program)
        source->report->program = process;
    report_add_mark(source->report, MARK_FORK, event->field[0], event->field[1], "");
}

/* The number may be another process's from here on. */
static void take_exit(struct source *source, const struct event *event)
{
    struct report_process *process = process_of(source, event->field[0]);
    source->ending = process;
    twalk_r(source->spaces, look_at_any, source);
    process->status = (unsigned)event->field[1];
    report_add_mark(source->report, MARK_EXIT, process->pid, event->field[1], process->name);
    (void)tdelete(process, &source->pids, by_pid);
    note_change(source, process); /* so that it stays until its last column has ended */
    report_end_process(source->report, process);
}

/* The space's numbers are those that its events came to. */
static void take_oom_kill(struct source *source, const struct event *event)
{
    struct report_process *process = process_of(source, event->field[0]);
    process->oom_killed = true;
    report_add_oom_kill(source->report, event->field[0], event->field[1],
                        process->resident[RESIDENT_SWAP], event->field[2], event->text);
}

/* Of the process that the machine was started for. */
static void set_exit(struct report *report)
{
    const struct report_process *program = report->program;
    if (!program || (!program->ended && !report->whole))
        return;
    report->exit.how = REPORT_STILL_RAN;
    if (!program->ended)
        return;
    report->exit.how = program->status & 0x7f ? REPORT_KILLED : REPORT_EXITED;
    report->exit.number =
        program->status & 0x7f ? program->status & 0x7f : program->status >> 8 & 0xff;
    report->exit.for_memory =
        program->oom_killed && report->exit.number == SIGKILL && report->exit.how == REPORT_KILLED;
}

static void take_exec(struct source *source, const struct event *event)
{
    struct report_process *process = process_of(source, event->field[0]);
    report_clean(process->name, event->text);
    report_add_mark(source->report, MARK_EXEC, event->field[0], 0, event->text);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void take_reclaim(struct report *report, const struct event *event)
{
    unsigned how = event->field[1] <= EVENT_RECLAIM_BY_REQUEST ? (unsigned)event->field[1] : 0;
    report_count(report, FLOW_SCANNED_DIRECT + how, event->field[3]);
    report_count(report, FLOW_RECLAIMED_DIRECT + how, event->field[4]);
}

static void take_space(struct source *source, const struct event *event)
{
    const uint64_t *field = event->field;
    switch (event->number) {
    case QUIRE_EVENT_MM:
        take_mm(source, event);
        break;
    case QUIRE_EVENT_MM_END:
        end_space(source, field[0]);
        break;
    case QUIRE_EVENT_MM_FORK: {
        struct report_space *child = space_of(source, field[0]);
        if (field[0] != field[1])
            space_inherit(child, space_of(source, field[1]));
        break;
    }
    case QUIRE_EVENT_AREA:
        space_area(space_of(source, field[0]), event);
        break;
    case QUIRE_EVENT_AREA_END:
        space_area_end(space_of(source, field[0]), field[1]);
        break;
    case QUIRE_EVENT_MAP:
        space_map(space_of(source, field[0]), field[1], field[2]);
        break;
    case QUIRE_EVENT_UNMAP:
        space_unmap(space_of(source, field[0]), field[1], field[2]);
        break;
    case QUIRE_EVENT_MOVE:
        space_move(space_of(source, field[0]), field[1], field[2], field[3]);
        break;
    case QUIRE_EVENT_RSS:
        take_rss(source, event);
        break;
    default:
        take_fault(source, event);
    }
    struct report_space *space = source->space;
    if (space && space->to_be_looked_at && space->process && space_is_settled(space))
        look(source, space);
}

/* False: what it tells can't be. */
static bool take(struct source *source, const struct event *event)
{
    struct report *report = source->report;
    switch (event->number) {
    case QUIRE_EVENT_LOST:
        report->nr_lost += event->field[0];
        return true;
    case QUIRE_EVENT_CACHE:
        name_cache(report, event);
        return true;
    case QUIRE_EVENT_SWAP_OUT:
        report_count(report, FLOW_SWAP_OUT, 1);
        return true;
    case QUIRE_EVENT_SWAP_IN:
        report_count(report, FLOW_SWAP_IN, 1);
        return true;
    case QUIRE_EVENT_RECLAIM:
        take_reclaim(report, event);
        return true;
    case QUIRE_EVENT_COMPACT:
        report_count(report, FLOW_MOVED, event->field[2]);
        return true;
    case QUIRE_EVENT_FORK:
        take_fork(source, event);
        return true;
    case QUIRE_EVENT_EXEC:
        take_exec(source, event);
        return true;
    case QUIRE_EVENT_EXIT:
        take_exit(source, event);
        return true;
    case QUIRE_EVENT_OOM_KILL:
        take_oom_kill(source, event);
        return true;
    case QUIRE_EVENT_MARK:
        report_add_mark(report, MARK_PHASE, 0, 0, event->text);
        return true;
    case QUIRE_EVENT_END:
        report->end = event->field[1] ? "panic" : "regular";
        return true;
    case QUIRE_EVENT_FAULT:
    case QUIRE_EVENT_MM:
    case QUIRE_EVENT_MM_END:
    case QUIRE_EVENT_MM_FORK:
    case QUIRE_EVENT_AREA:
    case QUIRE_EVENT_AREA_END:
    case QUIRE_EVENT_RSS:
    case QUIRE_EVENT_MAP:
    case QUIRE_EVENT_UNMAP:
    case QUIRE_EVENT_MOVE:
        take_space(source, event);
        return true;
    default:
        return take_frames(source, event);
    }
}

static void set_zones(struct source *source)
{
    struct report *report = source->report;
    for (unsigned i = 0; i < report->nr_zones; i++) {
        report->zone[i].free = source->frames.frames.zone[i].free;
        memcpy(report->zone[i].nr_blocks, source->frames.nr_blocks[i],
               sizeof report->zone[i].nr_blocks);
    }
    report->nr_frames = source->frames.nr_frames;
}

static void read_all(struct source *source)
{
    struct report *report = source->report;
    struct event event;
    bool right = true;
    while (right && event_read(&source->reader, &event)) {
        report_advance(report, event.time_ns, set_column, source);
        right = take(source, &event);
        report->nr_events += right;
    }
    report_finish(report, set_column, source);
    set_zones(source);
    report->whole = right && !*source->reader.error;
    set_exit(report);
    if (!report->whole)
        report->trouble = text("%s", right ? source->reader.error : source->frames.frames.error);
}

static void free_space(void *space)
{
    space_free(space);
}

static void keep(void *process)
{
    (void)process;
}

static char *title_of(const struct report *report)
{
    for (size_t i = 0; i < report->nr_marks; i++)
        if (report->mark[i].kind == MARK_EXEC)
            return text("%s", report->mark[i].text);
    return text("a machine");
}

struct report *report_from_events(FILE *from, const char *name)
{
    struct source *source = must(calloc(1, sizeof *source));
    struct report *report = NULL;
    if (!event_reader_begin(&source->reader, from)) {
        complain("%s: %s", name, source->reader.error);
    } else {
        report = source->report = report_new(FIRST_WIDTH_NS);
        report->page_bytes = (uint64_t)1 << source->reader.page_shift;
        report->word_bits = source->reader.word_bits;
        report->max_order = source->reader.max_order;
        report_map_init(&report->map, source->reader.nr_frames);
        if (!report_frames_init(&source->frames, &report->map, &source->reader)) {
            complain("%s: there is no memory for %" PRIu32 " frames", name,
                     source->reader.nr_frames);
            report_free(report);
            report = NULL;
        } else {
            read_all(source);
            report->file = text("%s", name);
            report->title = title_of(report);
        }
        report_frames_free(&source->frames);
    }
    tdestroy(source->spaces, free_space);
    tdestroy(source->pids, keep);
    free(source->changed);
    free(source);
    return report;
}
