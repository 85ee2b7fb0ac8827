/* tools/run_heaps.c: what the heaps of watched processes tell */
#define _GNU_SOURCE
#include <stdlib.h>

#include "allocate.h"
#include "run_watch.h"

void heap_counts_of(struct heap_counts *counts, const struct quire_heap_page *page)
{
    /* Pages are given back and taken again by many threads, whose counts may be a little apart. */
    uint64_t again = page->nr_again < page->nr_given_back ? page->nr_again : page->nr_given_back;
    *counts = (struct heap_counts){
        .asked = page->used + page->large,
        .on_stacks = page->cached,
        .in_slabs = page->slots,
        .free_pages = page->dirty,
        .kept = page->kept,
        .metadata = page->metadata,
        .given_back = (page->nr_given_back + page->unmapped_pages) * page->page_size,
        .fresh = page->nr_fresh,
        .again = again < page->nr_fresh ? again : page->nr_fresh,
        .mapped_pages = page->mapped_pages,
        .unmapped_pages = page->unmapped_pages,
        .maps = page->nr_maps,
        .unmaps = page->nr_unmaps,
        .reused = page->nr_reused,
        .peak_large = page->peak_large,
    };
    counts->used = counts->asked + counts->on_stacks + counts->in_slabs;
    counts->held = counts->used + counts->free_pages + counts->kept + counts->metadata;
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++)
        counts->large[i] = page->large_of[i];
}

bool heap_holds_more(const struct heap_counts *now, uint64_t held, uint64_t asked)
{
    return now->held > held ||
           (now->held == held && now->asked < asked && now->asked + now->on_stacks >= asked);
}

static void add_large(struct quire_heap_page_large *to, const struct quire_heap_page_large *added)
{
    to->least = added->least ? added->least : to->least;
    to->maps += added->maps;
    to->unmaps += added->unmaps;
    to->reused += added->reused;
    to->mapped_pages += added->mapped_pages;
    to->unmapped_pages += added->unmapped_pages;
}

void heap_counts_add(struct heap_counts *to, const struct heap_counts *added)
{
    to->asked += added->asked;
    to->used += added->used;
    to->held += added->held;
    to->on_stacks += added->on_stacks;
    to->in_slabs += added->in_slabs;
    to->free_pages += added->free_pages;
    to->kept += added->kept;
    to->metadata += added->metadata;
    to->given_back += added->given_back;
    to->fresh += added->fresh;
    to->again += added->again;
    to->mapped_pages += added->mapped_pages;
    to->unmapped_pages += added->unmapped_pages;
    to->maps += added->maps;
    to->unmaps += added->unmaps;
    to->reused += added->reused;
    if (added->peak_large > to->peak_large)
        to->peak_large = added->peak_large;
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++)
        add_large(&to->large[i], &added->large[i]);
}

/* What ended holds nothing any more; what happened stays. */
static void forget_state(struct heap_counts *counts)
{
    counts->asked = counts->used = counts->held = 0;
    counts->on_stacks = counts->in_slabs = counts->free_pages = 0;
    counts->kept = counts->metadata = 0;
}

void process_add_counts(const struct process *process, struct heap_counts *to)
{
    struct heap_counts counts;
    heap_counts_add(to, &process->before);
    if (!process->page)
        return;
    heap_counts_of(&counts, process->page);
    if (!process->is_live)
        forget_state(&counts);
    heap_counts_add(to, &counts);
}

/* A page that went before, of a program that called exec. */
static void fold(struct process *process, const struct quire_heap_page *page)
{
    struct heap_counts counts;
    heap_counts_of(&counts, page);
    forget_state(&counts);
    heap_counts_add(&process->before, &counts);
}

void process_take_page(struct process *process, const struct quire_heap_page *page)
{
    struct heap_counts now;
    heap_counts_of(&now, page);
    if (!process->page) {
        process->page = must(malloc(sizeof *process->page));
        process->peak_page = must(malloc(sizeof *process->peak_page));
        *process->peak_page = *page;
    }
    *process->page = *page;
    if (heap_holds_more(&now, process->peak_held, process->peak_asked)) {
        process->peak_held = now.held;
        process->peak_asked = now.asked;
        *process->peak_page = *page;
    }
    const struct heap_counts *before = &process->before;
    process->mapped_ns = page->mapped_ns;
    process->last.has_heap = true;
    process->last.asked = now.asked;
    process->last.used = now.used;
    process->last.held = now.held;
    process->last.given_back = now.given_back + before->given_back;
    process->last.maps = now.maps + before->maps;
    process->last.unmaps = now.unmaps + before->unmaps;
}

/* Of two pages of one process the later is what runs; the other one is freed. */
void process_read_place(struct watch *watch, struct process *process, uint32_t n)
{
    static struct quire_heap_page page;
    if (!places_read(watch->places, n, &page))
        return;
    if (process->place == n || !process->page) {
        watch->nr_pages += !process->page;
    } else if (page.started_ns >= process->page->started_ns) {
        fold(process, process->page);
        if (process->place < QUIRE_HEAP_PLACES)
            places_free(watch->places, process->place);
    } else {
        fold(process, &page);
        places_free(watch->places, n);
        return;
    }
    process->place = n;
    process_take_page(process, &page);
}
