/* tools/run_advice.c: what stands out in a run, and what could be done
 *
 * Each rule has a bound below which it says nothing: advice for a program that does well would be
 * noise. A fault costs a quarter of a microsecond and more, so FEW_FAULTS are some milliseconds.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "run.h"

#define FEW_FAULTS 10000u
#define MANY_FAULTS 100000u
#define FEW_BLOCKS 100u
#define LITTLE_BYTES ((uint64_t)16 << 20)
#define LEAST_CALM_NS 200000000u
#define MOST_KEPT_BLOCK ((uint64_t)256 << 20) /* as src/heap/large.c */
#define FEW_MAJOR 1000u
#define OFTEN 8u /* times that what was resident at most was faulted */

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* "2.0 MiB to 4.0 MiB" */
static char *sizes(const struct quire_heap_page_large *large)
{
    char from[FIGURE_BYTES], to[FIGURE_BYTES];
    return text("%s to %s", size_text(from, large->least), size_text(to, 2 * large->least));
}

/* ---- large blocks ---------------------------------------------------------------------------- */

/* Nothing was mapped in the last tenth of the run. */
static bool is_calm(const struct run *run)
{
    uint64_t end = run->result.elapsed_ns, last = run->watch.last_map_ns;
    return end > last && end - last >= end / 10 && end - last >= LEAST_CALM_NS;
}

static char *what_becomes_of_them(const struct run *run, const struct quire_heap_page_large *large)
{
    if (is_calm(run))
        return text("none was mapped since %.1f s: they are kept since then, or the program asks "
                    "for no more",
                    seconds_of(run->watch.last_map_ns));
    if (large->least >= MOST_KEPT_BLOCK)
        return text("the heap keeps up to 256 MiB for the next use, so these go back each time: "
                    "use one again in place of freeing it");
    return text("more were freed together than the heap keeps (64 blocks, 256 MiB), or they lay "
                "unused for longer than it keeps them (QUIRE_MALLOC=decay=MS)");
}

/* Blocks that come and go, and each time take their pages from the system. */
static void advise_mapped(struct run *run, const struct quire_heap_page_large *large)
{
    uint64_t rounds = least_of(large->maps, large->unmaps);
    uint64_t minor = run->result.minor, faults = least_of(large->mapped_pages, minor);
    char share[FIGURE_BYTES], maps[FIGURE_BYTES], unmaps[FIGURE_BYTES];
    if (rounds < FEW_BLOCKS || rounds < large->maps / 2 || faults < FEW_FAULTS ||
        faults < minor / 4)
        return;
    char *of = sizes(large), *now = what_becomes_of_them(run, large);
    texts_add(&run->advice,
              text("Up to %s of the minor faults come from blocks of %s, mapped %s times and "
                   "unmapped %s times; %s.",
                   share_text(share, faults, minor), of, count_text(maps, large->maps),
                   count_text(unmaps, large->unmaps), now));
    free(of);
    free(now);
}

/* How much of a block is touched nobody knows: as much as there is of it, at most. */
static void advise_reused(struct run *run, const struct quire_heap_page_large *large,
                          uint64_t page_size)
{
    uint64_t spared = large->reused * (large->least / page_size);
    char reused[FIGURE_BYTES], maps[FIGURE_BYTES], faults[FIGURE_BYTES];
    if (large->reused < FEW_BLOCKS || spared < MANY_FAULTS || spared < run->result.minor)
        return;
    char *of = sizes(large);
    texts_add(&run->advice,
              text("Of blocks of %s, %s that had been freed and kept were used again, and %s were "
                   "mapped: that spared up to %s faults.",
                   of, count_text(reused, large->reused), count_text(maps, large->maps),
                   count_text(faults, spared)));
    free(of);
}

/* ---- the rest of the heap -------------------------------------------------------------------- */

static void advise_again(struct run *run, const struct heap_counts *counts)
{
    char again[FIGURE_BYTES], share[FIGURE_BYTES];
    if (counts->again < FEW_FAULTS || counts->again < run->result.minor / 4)
        return;
    texts_add(
        &run->advice,
        text("%s pages were given back to the system and needed again, about %s of the minor "
             "faults: QUIRE_MALLOC=decay=10000 keeps free memory for ten seconds, in place of "
             "one.",
             count_text(again, counts->again),
             share_text(share, counts->again, run->result.minor)));
}

/* The largest part of what is held beyond what was asked for. */
static const char *why_wasted(const struct heap_counts *most)
{
    uint64_t largest = 0;
    const char *why = "";
    const struct {
        uint64_t bytes;
        const char *why;
    } parts[] = {
        {most->in_slabs, "the most of it in slabs that aren't empty, because blocks that stay lie "
                         "among those that were freed"},
        {most->free_pages, "the most of it in free pages that hadn't been given back yet: with "
                           "QUIRE_MALLOC=decay=100 they go sooner"},
        {most->kept, "the most of it in large blocks that are kept for the next use: with "
                     "QUIRE_MALLOC=decay=100 they go sooner"},
        {most->on_stacks, "the most of it on the stacks of threads"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].bytes > largest) {
            largest = parts[i].bytes;
            why = parts[i].why;
        }
    return why;
}

/* A program that frees all before it exits is seen to hold much for nothing, for a moment. */
static bool is_of_its_end(const struct process *process)
{
    return process->peak_page->written_ns == process->page->written_ns;
}

/* Beyond blocks and the heap's own, of which little may be touched. What is held are addresses: no
 * more of them is memory than was ever resident. */
static uint64_t wasted(const struct process *process, struct heap_counts *most)
{
    if (!process->page || is_of_its_end(process))
        return 0;
    heap_counts_of(most, process->peak_page);
    return least_of(most->held - most->asked - most->metadata, process->peak_rss);
}

/* Of one process: what forked ones share would count for each. */
static void advise_waste(struct run *run)
{
    struct heap_counts most = {0}, one;
    const struct process *worst = NULL;
    uint64_t over = 0;
    char size[FIGURE_BYTES], share[FIGURE_BYTES];
    for (size_t i = 0; i < run->watch.nr_told; i++)
        if (wasted(run->watch.told[i], &one) > over) {
            worst = run->watch.told[i];
            over = wasted(worst, &most);
        }
    if (!worst || over < LITTLE_BYTES || over < most.held / 3)
        return;
    texts_add(&run->advice,
              text("When the heap of %s (%u) held the most, up to %s of it (%s) was more "
                   "than the program's blocks took, %s.",
                   worst->name, worst->pid, size_text(size, over),
                   share_text(share, over, most.held), why_wasted(&most)));
}

/* ---- what the system tells ------------------------------------------------------------------- */

/* A heap that doesn't tell what it does gives itself away by faulting the same memory often. */
static void advise_unknown_heap(struct run *run)
{
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    char faulted[FIGURE_BYTES], most[FIGURE_BYTES];
    for (size_t i = 0; i < run->watch.nr_told; i++) {
        const struct process *process = run->watch.told[i];
        uint64_t minor = process->last.minor;
        if (process->page || minor < 2 * FEW_FAULTS ||
            minor * page_size / OFTEN < process->peak_rss)
            continue;
        texts_add(&run->advice,
                  text("%s (%u) faulted in %s, though at most %s was resident at a time: memory "
                       "goes back to the system and is wanted again. `quire run --compare "
                       "none,quire` shows what a heap that keeps it does.",
                       process->name, process->pid, size_text(faulted, minor * page_size),
                       size_text(most, process->peak_rss)));
        return;
    }
}

static void advise_kernel(struct run *run)
{
    const struct run_result *result = &run->result;
    uint64_t all = result->user_ns + result->kernel_ns;
    char share[FIGURE_BYTES], faults[FIGURE_BYTES];
    if (all < 500000000u || result->kernel_ns < all / 2 ||
        result->minor < (uint64_t)(seconds_of(result->kernel_ns) * 100000))
        return;
    texts_add(&run->advice,
              text("The kernel took %s of the processor's time, with %s minor faults for each "
                   "second of it.",
                   share_text(share, result->kernel_ns, all),
                   count_text(faults, (uint64_t)((double)result->minor /
                                                 ((double)result->kernel_ns / 1e9)))));
}

static void advise_major(struct run *run)
{
    char major[FIGURE_BYTES];
    if (run->result.major < FEW_MAJOR)
        return;
    texts_add(
        &run->advice,
        text("%s times the program waited for a page from disk or swap: there was less memory "
             "than it works with, or its files were read for the first time.",
             count_text(major, run->result.major)));
}

/* What the heap needs to tell of itself, a filter may forbid. */
static void advise_filter(struct run *run)
{
    if (WIFSIGNALED(run->result.status) && WTERMSIG(run->result.status) == SIGSYS &&
        run_has_counts(run))
        texts_add(
            &run->advice,
            text("A filter of system calls (seccomp) ended the program. To tell what it does, "
                 "the heap uses openat, fcntl, fstat, mmap, memfd_create, prctl, getppid and "
                 "getrusage; LD_PRELOAD of libquire-malloc.so alone does without them."));
}

void run_advise(struct run *run)
{
    struct heap_counts counts;
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    watch_counts(&run->watch, &counts);
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++) {
        advise_mapped(run, &counts.large[i]);
        advise_reused(run, &counts.large[i], page_size);
    }
    advise_filter(run);
    advise_again(run, &counts);
    advise_waste(run);
    advise_unknown_heap(run);
    advise_kernel(run);
    advise_major(run);
}
