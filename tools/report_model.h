/* tools/report_model.h: what happened to memory over time, whatever told of it
 *
 * Time is cut into columns of the same length. There are REPORT_MOST_COLUMNS at most: when they are
 * full, two become one and the length doubles. So what a report takes doesn't grow with how long a
 * program ran. Numbers of a state are those at a column's end; numbers of what happens are those of
 * the whole column, and none is lost when columns merge.
 */
#ifndef TOOLS_REPORT_MODEL_H
#define TOOLS_REPORT_MODEL_H

#include "allocate.h"
#include "report_frames.h"
#include "report_map.h"

#define REPORT_MOST_MARKS 600u
#define REPORT_MOST_PROCESSES 200u /* that have ended and are told of one by one */
#define REPORT_MOST_AREAS 1000u    /* of a process */
#define REPORT_AREA_PARTS 64u
#define REPORT_TEXT 65u

/* What happens, counted. */
#define REPORT_FLOWS(FLOW)                                                                         \
    FLOW(MINOR, "minor_faults")                                                                    \
    FLOW(MAJOR, "major_faults")                                                                    \
    FLOW(FAILED, "failed_faults")                                                                  \
    FLOW(FAULT_ANON, "faults_anon")                                                                \
    FLOW(FAULT_FILE, "faults_file")                                                                \
    FLOW(FAULT_SWAP, "faults_swap")                                                                \
    FLOW(FAULT_WRITE, "faults_write")                                                              \
    FLOW(FAULT_NONE, "faults_none")                                                                \
    FLOW(SWAP_OUT, "swap_out")                                                                     \
    FLOW(SWAP_IN, "swap_in")                                                                       \
    FLOW(SCANNED_DIRECT, "scanned_direct")                                                         \
    FLOW(SCANNED_BACKGROUND, "scanned_background")                                                 \
    FLOW(SCANNED_REQUEST, "scanned_request")                                                       \
    FLOW(RECLAIMED_DIRECT, "reclaimed_direct")                                                     \
    FLOW(RECLAIMED_BACKGROUND, "reclaimed_background")                                             \
    FLOW(RECLAIMED_REQUEST, "reclaimed_request")                                                   \
    FLOW(MOVED, "compaction_moved")                                                                \
    FLOW(ALLOCATED, "blocks_allocated")                                                            \
    FLOW(FREED, "blocks_freed")

enum report_flow {
#define REPORT_FLOW_NAME(name, text) FLOW_##name,
    REPORT_FLOWS(REPORT_FLOW_NAME)
#undef REPORT_FLOW_NAME
        REPORT_NR_FLOWS
};

extern const char *const report_flow_names[REPORT_NR_FLOWS];
/* Of the kinds of frames in use, as `quire events` has them. */
const char *report_owner_name(unsigned owner);

struct report_column {
    uint64_t flow[REPORT_NR_FLOWS];
    uint64_t kind[REPORT_NR_KINDS];                              /* frames, at its end */
    uint64_t resident, swapped;                                  /* pages of all processes, then */
    uint32_t nr_blocks[QUIRE_NR_MIGRATETYPES][REPORT_NR_ORDERS]; /* free ones, at its end */
};

/* A number at a column's end, as far as it differs from the one before; it begins with 0. */
struct report_series {
    struct report_point {
        uint32_t column;
        uint64_t value;
    } * point;
    uint32_t count, room;
};

struct report_area {
    uint64_t start, end, resident; /* pages */
    uint64_t swapped;              /* pages; only of Linux */
    uint32_t part[REPORT_AREA_PARTS];
    unsigned nr_parts; /* of the same length, but for the last; 0: where pages are isn't known */
    char rights[5], name[REPORT_TEXT];
};

struct report_areas {
    uint64_t time_ns, resident; /* pages of the process then */
    struct report_area *area;
    unsigned count, left_out;
};

enum report_resident {
    RESIDENT_FILE,
    RESIDENT_ANON,
    RESIDENT_SWAP, /* isn't, but counted as such */
    RESIDENT_SHMEM,
    REPORT_NR_RESIDENT
};

struct report_process {
    uint64_t pid, parent, begin_ns, end_ns;
    uint64_t minor, major, failed;
    uint64_t resident[REPORT_NR_RESIDENT]; /* pages, now */
    uint64_t peak, peak_ns;                /* pages resident, swapped ones not */
    uint64_t most_seen;                    /* of Linux: pages in a sample, at peak_ns */
    struct report_series resident_then, swapped_then;
    struct report_areas areas; /* about when it was largest */
    struct report_heap *heap;  /* NULL: isn't known */
    uint64_t user_ns, kernel_ns;
    unsigned status, nr_spaces; /* spaces: that still are its own */
    bool ended, changed;
    bool oom_killed; /* was to end for want of memory; another end may have come first */
    char name[REPORT_TEXT];
};

/* What a heap tells of itself at the end. */
struct report_heap {
    uint64_t asked, used, held, resident, given_back, maps, unmaps;
    struct report_series used_then, held_then;
    struct report_class {
        uint64_t size, allocated, freed, live, held;
    } * class_of;
    size_t nr_classes;
};

struct report_cache {
    char name[REPORT_TEXT];
    uint64_t size, frames, slabs, objects, peak; /* frames; objects of a slab */
    struct report_series frames_then;
    bool known, changed;
};

enum report_mark_kind { MARK_PHASE, MARK_EXEC, MARK_FORK, MARK_EXIT, MARK_OOM, REPORT_NR_MARKS };
extern const char *const report_mark_names[REPORT_NR_MARKS];

struct report_mark {
    enum report_mark_kind kind;
    uint64_t time_ns, pid, number; /* number: of an exit, its status; of a fork, the parent; of a
                                      kill for want of memory, the pages in memory */
    uint64_t swapped, score;       /* of such a kill: pages; oom_score */
    char text[REPORT_TEXT];
};

struct report {
    /* What it is of. */
    bool is_run; /* of a program on Linux, not of a machine */
    char *title, *file;
    uint64_t page_bytes, nr_frames;
    unsigned word_bits, max_order;

    /* How it ended. */
    bool whole;
    char *trouble;                  /* NULL, or why what is told isn't all */
    const char *end;                /* "regular", "panic", "not told" */
    uint64_t nr_events, nr_lost;    /* lost: before anybody listened */
    uint64_t nr_dropped;            /* samples that a recording left out */
    uint64_t user_ns, kernel_ns;    /* of a run */
    struct report_process *program; /* the first one */
    struct report_exit {
        enum report_how { REPORT_NOT_TOLD, REPORT_STILL_RAN, REPORT_EXITED, REPORT_KILLED } how;
        unsigned number; /* the status, or the signal */
        bool for_memory; /* killed for want of it */
    } exit;              /* the program's */
    uint64_t nr_oom_kills;

    /* Time. */
    uint64_t begin_ns, end_ns, width_ns;
    bool begun;
    unsigned nr_columns;
    struct report_column column[REPORT_MOST_COLUMNS], now;
    uint64_t total[REPORT_NR_FLOWS];
    uint64_t peak_used, peak_used_ns; /* frames */
    struct report_map map;

    struct report_process **process; /* in the order of their beginnings */
    size_t nr_processes;
    struct {
        uint64_t count, minor, major, failed, peak;
    } others; /* that have ended and were too many and too small */

    struct report_cache *cache;
    size_t nr_caches;

    struct report_mark *mark;
    size_t nr_marks;
    uint64_t marks_left_out;

    struct report_zone {
        uint64_t node, type, start, spanned, managed, free;
        uint32_t nr_blocks[QUIRE_NR_MIGRATETYPES][REPORT_NR_ORDERS];
    } zone[FRAMES_MOST_ZONES];
    unsigned nr_zones;

    struct texts advice;
    char *heap; /* NULL: there is none to tell of */
    struct {
        uint64_t count, given_back, maps, unmaps, reused;
    } heaps; /* of all processes, those that came and went between samples, too */
};

/* Begins with columns of that length. */
struct report *report_new(uint64_t width_ns);
void report_free(struct report *report);

/* Whatever is told from here on happened at that time, which doesn't go back. `at_end` is called
 * before each column ends, to make report->now's state. */
void report_advance(struct report *report, uint64_t time_ns,
                    void (*at_end)(struct report *report, void *arg), void *arg);
/* Ends the last column; there is at least one. */
void report_finish(struct report *report, void (*at_end)(struct report *report, void *arg),
                   void *arg);

void report_count(struct report *report, enum report_flow flow, uint64_t by);
/* Of a finished report: what happened some time from one moment to another, evenly. */
void report_spread(struct report *report, enum report_flow flow, uint64_t by, uint64_t from_ns,
                   uint64_t to_ns);
void report_add_mark(struct report *report, enum report_mark_kind kind, uint64_t pid,
                     uint64_t number, const char *text);
/* A process is killed for want of memory, having so many pages in memory and in swap. */
void report_add_oom_kill(struct report *report, uint64_t pid, uint64_t resident, uint64_t swapped,
                         uint64_t score, const char *name);
/* Of the column that hasn't ended yet. */
void report_set(const struct report *report, struct report_series *series, uint64_t value);

struct report_process *report_add_process(struct report *report, uint64_t pid);
/* It has ended: it may be forgotten, and be among the others, before the next one begins. */
void report_end_process(struct report *report, struct report_process *process);
void report_clear_areas(struct report_areas *areas);

/* So that a report is smaller. False: there is only one column, or row. */
bool report_halve_columns(struct report *report);
bool report_halve_rows(struct report *report);

/* A text without what may end a line, a quote or an escape: of programs' names and words. */
void report_clean(char to[REPORT_TEXT], const char *from);

/* The time at which a column ends. */
uint64_t report_column_end(const struct report *report, unsigned column);
/* Frames of all free kinds. */
uint64_t report_free_frames(const uint64_t kind[REPORT_NR_KINDS]);
/* The share, in thousandths, of free memory that is in blocks too small for this order; 0 without
 * free memory. */
unsigned report_unusable(const uint64_t kind[REPORT_NR_KINDS], unsigned order);
/* How a program ended, in words: "killed by signal 9 (Killed), for want of memory". */
const char *report_exit_text(char text[REPORT_TEXT], const struct report_exit *exit);
/* The largest processes first. `largest` has room for nr_processes. */
void report_sort_processes(const struct report *report, struct report_process **largest);

/* Sources. Both return NULL after a complaint when there is nothing to tell of; a report that isn't
 * whole says why in `trouble`. */
struct report *report_from_events(FILE *from, const char *name);
struct report *report_from_recording(FILE *from, const char *name);

#endif
