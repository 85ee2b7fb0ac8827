/* tools/translate_area.h: what Linux tells of the areas of a process's address space */
#ifndef TOOLS_TRANSLATE_AREA_H
#define TOOLS_TRANSLATE_AREA_H

#include <stdbool.h>
#include <stdint.h>

struct process_area {
    char line[4352]; /* of maps; empty: there is no area */
    unsigned path;   /* where in `line` its path begins */
    uint64_t start, end, offset;
    char rights[5];  /* "rwxp" */
    uint64_t inode;  /* 0: of no file */
    unsigned key;    /* protection key; 0: for every thread */
    bool grows;      /* downwards, when something below it is accessed: a stack */
    uint64_t lowest; /* what lies below it leaves it room to here */
};

/* The area that holds an address of a process or, if none does, the first one above it; an empty
 * line: there is neither. False: errno says why. */
bool find_process_area(struct process_area *area, uint64_t pid, uint64_t address);

static inline const char *process_area_path(const struct process_area *area)
{
    return area->line + area->path;
}

/* Whether an access to an address below the area makes it grow down to there. */
bool process_area_grows_to(const struct process_area *area, uint64_t pid, uint64_t address);

enum area_file {
    AREA_NO_FILE, /* none, or none with a length: a device */
    AREA_FILE,
    AREA_HIDDEN_FILE, /* it can't be asked: deleted, or not ours to see */
};
/* `bytes`: the length of an AREA_FILE. */
enum area_file process_area_file(const struct process_area *area, uint64_t pid, uint64_t *bytes);

#endif
