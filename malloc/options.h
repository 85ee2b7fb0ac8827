/* malloc/options.h: what mallopt and the environment set */
#ifndef QUIRE_MALLOC_OPTIONS_H
#define QUIRE_MALLOC_OPTIONS_H

#include "malloc/family.h"

/* Modes look at each call, so that threads have no stacks while one is on: see debug.c. */
#define MODE_PERTURB 0x1u
#define MODE_JUNK 0x2u
#define MODE_LEAK 0x4u
#define MODE_GUARD 0x8u
#define MODE_CALLS 0x10u

enum stats { STATS_NONE, STATS_TEXT, STATS_JSON };

struct options {
    size_t map_threshold; /* M_MMAP_THRESHOLD */
    unsigned map_max;     /* M_MMAP_MAX */
    bool is_fixed;        /* one of them was set: they don't follow the program any more */
    uint8_t perturb;      /* M_PERTURB; 0: none */
    bool shares;          /* counts, with other processes: share.c */
    unsigned mode;
    enum stats stats; /* at exit */
};
extern struct options options;

/* mallopt, between heap_enter and heap_leave as what follows. */
int option_set(int parameter, int value);
/* As M_TRIM_THRESHOLD, of any size. */
void set_trim_threshold(size_t bytes);
/* Turns modes on, or off. Between heap_enter and heap_leave. */
void mode_set(unsigned mode);
/* Of a call that a mode looks at; `is_zero`: the block is to be cleared. */
void *debug_allocate(size_t size, size_t align, bool is_zero);
void debug_release(void *ptr);
void *debug_resize(void *ptr, size_t size);
/* Bytes that may be used; 0: it is no block. */
size_t debug_size(const void *ptr);
/* At exit: what modes and options.stats have to say. */
void debug_report(void);
/* Writes the page that others read, if it is old. In a slow path, without locks. */
void share_if_due(void);
/* Writes what is the last, most likely. */
void share_last(void);
/* A file with places for pages; false: its name is too long. */
bool share_into(const char *file);
/* Somebody else shows the counts. */
bool share_has_reader(void);
/* Empties the stacks of this thread, which modes can't have. */
void debug_close_stacks(void);

#endif
