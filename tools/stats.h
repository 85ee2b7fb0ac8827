/* tools/stats.h: what a machine tells of its memory and its processes
 *
 * The lines come one by one (docs/machine.md). Those of processes are written to the document at
 * once, however many there are; of others the last one of each name is kept for its end, and for
 * the summary. What didn't come, because the machine panicked or was stopped, the document names.
 */
#ifndef TOOLS_STATS_H
#define TOOLS_STATS_H

#include <stdio.h>

#include "base/json.h"
#include "boot.h"

#define STATS_MOST_LARGEST 5
#define NR_STATS_PARTS 9

struct stats_process {
    uint64_t pid, minor, major, peak; /* peak: pages */
    bool ended;
    char name[64];
};

struct stats {
    const struct boot *boot;
    const char *name; /* of the file; NULL: there is none */
    FILE *file;
    struct json json;
    uint64_t begin_ns;
    char *line; /* that is coming in */
    size_t line_bytes, room;
    bool cut; /* it is longer than any sensible one */
    uint64_t nr_processes;
    struct stats_process program, largest[STATS_MOST_LARGEST];
    unsigned nr_largest;
    char *part[NR_STATS_PARTS]; /* the machine's lines, without their names; NULL: didn't come */
};

/* Makes the file, if one is asked for. False after a complaint. */
bool stats_begin(struct stats *stats, const struct boot *boot);

/* A flow's filter: takes everything, passes nothing on. */
size_t stats_take(void *stats, const char *bytes, size_t size, char *to);

struct stats_end {
    const char *how;               /* "exited", "killed", "panic", "timeout" ... */
    unsigned number;               /* of an exit or a signal of the program */
    int status;                    /* of this command */
    const struct texts *oom_kills; /* "PID KIB NAME" each, as the machine told */
};

/* Whether it was the program that was killed, for want of memory. */
bool stats_for_memory(const struct stats *stats, const struct stats_end *end);

/* Writes what there is to say, prints the summary if it is asked for, and frees everything. False
 * after a complaint: the file isn't whole. */
bool stats_finish(struct stats *stats, const struct stats_end *end, const char *program);

/* The number of a member of the line's object. False: it has none. */
bool stats_number(const char *line, const char *member, uint64_t *number);

/* On stderr, for a person. */
void stats_print_summary(const struct stats *stats, const struct stats_end *end,
                         const char *program);

/* A part by its name; NULL: it didn't come. */
const char *stats_part(const struct stats *stats, const char *name);

uint64_t stats_elapsed_ns(const struct stats *stats);

#endif
