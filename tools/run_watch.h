/* tools/run_watch.h: watches the processes that descend from this one
 *
 * Found by looking through /proc, since this process is their subreaper: who loses his parent gets
 * this one. What ended between two looks is known by the page that its heap left, and by the counts
 * that wait4 gives of all that were waited for.
 *
 *   bound   MOST_PROCESSES are told one by one, of others there are sums; MOST_SAMPLES in all: when
 *           there are more, every second one of each process goes, and half as many are taken
 */
#ifndef TOOLS_RUN_WATCH_H
#define TOOLS_RUN_WATCH_H

#include "run_places.h"
#include "run_proc.h"
#include "run_strangers.h"

#define MOST_PROCESSES 1024u
#define MOST_SAMPLES 16384u

/* Counts of one heap or of many, in bytes where nothing else is said. */
struct heap_counts {
    uint64_t asked; /* blocks that the program has, as large as their classes */
    uint64_t used;  /* with free ones on stacks and in slabs that aren't empty */
    uint64_t held;  /* with free pages, large blocks that are kept, and the heap's own */
    uint64_t on_stacks, in_slabs, free_pages, kept, metadata;
    /* Since the beginning. */
    uint64_t given_back; /* free pages, and large blocks unmapped */
    uint64_t fresh, again;
    uint64_t mapped_pages, unmapped_pages;
    uint64_t maps, unmaps, reused;
    uint64_t peak_large; /* of one heap */
    struct quire_heap_page_large large[QUIRE_HEAP_PAGE_LARGE];
};
void heap_counts_of(struct heap_counts *counts, const struct quire_heap_page *page);
void heap_counts_add(struct heap_counts *to, const struct heap_counts *added);
/* Than when it held `held` and had been asked for `asked`. Blocks on stacks count as the program's
 * until one of its threads says which they are (heap/live.c): of two looks at which it held as
 * much, and that differ by no more than these, the later is true. */
bool heap_holds_more(const struct heap_counts *now, uint64_t held, uint64_t asked);

struct sample {
    uint64_t t; /* ns since the run's start, as all times here */
    uint64_t rss, swap, minor, major, user_ns, kernel_ns;
    bool has_heap;
    uint64_t asked, used, held, given_back, maps, unmaps;
};

struct samples {
    struct sample *sample;
    size_t count, room;
};

struct process {
    uint32_t pid, inner, parent; /* inner: as it is called where it runs */
    char name[64];
    uint64_t birth_ns; /* since the machine's start */
    uint64_t start_ns, end_ns;
    bool is_live, is_told; /* told: one of MOST_PROCESSES */
    bool is_seen;          /* in this look */
    bool is_without;       /* the heap that it should have isn't there */
    bool is_unread;        /* it is, but has a page of its own, where it isn't looked for */
    char looked_for[64];   /* under which name that was looked at */
    uint32_t place;
    struct sample last;
    uint64_t peak_rss;
    struct samples samples;
    struct proc_areas areas;
    uint64_t areas_ns;
    struct quire_heap_page *page,
        *peak_page;                 /* the last; that of the most bytes held. NULL: none */
    uint64_t peak_held, peak_asked; /* then */
    uint64_t
        mapped_ns; /* when its heap mapped a large block the last time, on the system's clock */
    struct heap_counts before; /* of the programs that called exec */
};

struct watch {
    uint32_t self;
    uint64_t began_ns, began_boot_ns; /* CLOCK_MONOTONIC, CLOCK_BOOTTIME */
    uint64_t interval_ns;
    bool has_swap;
    struct places *places;
    const struct strangers *strangers;
    struct process **told;
    size_t nr_told;
    struct process **live; /* by pid */
    size_t nr_live, most_live;
    uint32_t *foreign; /* that were nobody of ours when they were last looked at; by pid */
    size_t nr_foreign;
    unsigned looks;
    uint32_t unknown[QUIRE_HEAP_PLACES]; /* owners that weren't ours in the last look */
    size_t nr_samples;
    unsigned stride;
    uint64_t dropped;
    uint64_t nr_beyond; /* processes that aren't told */
    uint64_t nr_pages;  /* processes that had a page */
    struct heap_counts beyond;
    /* Of all processes together. */
    struct samples all;
    struct sample most_rss; /* when the most was resident */
    struct heap_counts most_held;
    uint64_t most_held_ns, last_map_ns;                            /* map: by any heap */
    uint64_t gone_minor, gone_major, gone_user_ns, gone_kernel_ns; /* of those that ended */
    uint64_t cost_ns, look_ns; /* of this process's time: all looks, the last without areas */
    uint64_t areas_cost_ns;
};

void watch_begin(struct watch *watch, struct places *places, uint64_t interval_ns);
/* The program's own process, so that it is known from the beginning. Children that this process had
 * before aren't looked at. */
void watch_add(struct watch *watch, uint32_t pid, const struct strangers *strangers);
/* Looks at all; when to look again. */
uint64_t watch_look(struct watch *watch);
/* A child of this process that ended and wasn't waited for yet. */
void watch_ended(struct watch *watch, uint32_t pid);
/* Nobody is looked at any more. */
void watch_finish(struct watch *watch);
void watch_free(struct watch *watch);

void samples_keep(struct watch *watch, struct samples *samples, const struct sample *added);
/* When there are MOST_SAMPLES every second one goes, and from then on half as many are taken. */
void samples_thin_if_full(struct watch *watch);

/* Adds what a process's heap holds and did; of one that ended only the latter. */
void process_add_counts(const struct process *process, struct heap_counts *to);
void process_take_page(struct process *process, const struct quire_heap_page *page);
/* Where memory is, of the largest processes. */
void watch_look_at_areas(struct watch *watch);
/* Of processes without a page, or with one from before they called exec: whether they have the
 * library at all. */
void watch_look_for_libraries(struct watch *watch);
/* The page of a place whose owner it is. */
void process_read_place(struct watch *watch, struct process *process, uint32_t n);

/* Of this process: how long it has run. */
uint64_t watch_processor_ns(void);
uint64_t watch_now(const struct watch *watch);
/* The sums of all heaps. */
void watch_counts(const struct watch *watch, struct heap_counts *counts);

#endif
