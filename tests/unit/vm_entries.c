#include "tests/unit/vm_entries.h"

#include "vm/rmap_entry.h"

/* ---- shorthands ------------------------------------------------------------------------------ */

void on_machines_of_each_format(void (*body)(void))
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_I386,
                                                      QUIRE_PT_FORMAT_PAE};
    for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (!vm_boot(16 * MIB, formats[i]))
            return;
        body();
        vm_end();
    }
}

int take_frame(struct quire_page *page)
{
    quire_pfn_t pfn = quire_page_to_pfn(page);
    int error = quire_alloc_contig_range(machine.mem, pfn, quire_pfn(pfn.value + 1),
                                         QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL);
    if (!error)
        quire_free_contig_range(machine.mem, pfn, 1);
    return error;
}

struct quire_mm *fork_of(struct quire_mm *parent)
{
    struct quire_mm *child = NULL;
    CHECK_EQ(quire_mm_fork(&child, parent), 0);
    return child;
}

void poke_pages(struct quire_mm *mm, quire_linear_t at, unsigned count, uint64_t value)
{
    run_on(mm);
    for (unsigned i = 0; i < count; i++)
        CHECK(poke(at + i * PAGE, value + i) && poke(at + (i + 1) * PAGE - 8, value + i));
}

void check_pages(struct quire_mm *mm, quire_linear_t at, unsigned count, uint64_t value)
{
    run_on(mm);
    for (unsigned i = 0; i < count; i++)
        CHECK(holds(at + i * PAGE, value + i) && holds(at + (i + 1) * PAGE - 8, value + i));
}

/* ---- looking at everything ------------------------------------------------------------------- */

uint64_t entry_of(struct quire_mm *mm, quire_linear_t at)
{
    void *where;
    return entry_at(mm, at, &where);
}

struct quire_page *page_of(struct quire_mm *mm, quire_linear_t at)
{
    uint64_t entry = entry_of(mm, at);
    return entry_has_page(entry) ? quire_pfn_to_page(machine.mem, entry_pfn(&mm->pt, entry)) : NULL;
}

struct visiting {
    struct quire_mm *mm;
    entry_visit_fn *visit;
    void *arg;
};

static int visit_run(void *arg, const struct quire_pt_run *run)
{
    struct visiting *v = arg;
    for (unsigned i = 0; i < run->count; i++) {
        if (!entry_has_page(run->entry[i]))
            continue;
        struct quire_page *page =
            quire_pfn_to_page(machine.mem, entry_pfn(&v->mm->pt, run->entry[i]));
        if (page != test_vm->zero_page)
            v->visit(v->arg, v->mm, run->virt + i * PAGE, page);
    }
    return 0;
}

/* The whole address space, not its areas: an entry outside of them would be a mistake too. */
void for_each_mapped(entry_visit_fn *visit, void *arg)
{
    list_for_each (link, &test_vm->mms) {
        struct quire_mm *mm = quire_container_of(link, struct quire_mm, link);
        struct visiting v = {.mm = mm, .visit = visit, .arg = arg};
        quire_linear_t end = mm->layout.end & ~(PAGE - 1);
        CHECK_EQ(quire_visit_range(&mm->pt, 0, end, QUIRE_VISIT_NOT_PRESENT, visit_run, &v), 0);
    }
}

struct counting {
    const struct quire_page *page;
    unsigned count;
};

static void count_if_it(void *arg, struct quire_mm *mm, quire_linear_t at, struct quire_page *page)
{
    struct counting *c = arg;
    (void)mm;
    (void)at;
    c->count += page == c->page;
}

unsigned count_entries(const struct quire_page *page)
{
    struct counting c = {.page = page};
    for_each_mapped(count_if_it, &c);
    return c.count;
}

/* ---- walking --------------------------------------------------------------------------------- */

static bool count_if_there(void *arg, struct quire_vma *vma, quire_linear_t at)
{
    struct counting *c = arg;
    CHECK(at >= vma->start && at < vma->end);
    c->count += entry_maps(vma->mm, entry_of(vma->mm, at), c->page);
    return true;
}

unsigned count_met(struct quire_page *page)
{
    struct counting c = {.page = page};
    page_lock(page);
    rmap_walk(test_vm, page, count_if_there, &c);
    page_unlock(page);
    return c.count;
}

struct place {
    struct quire_mm *mm;
    quire_linear_t at;
    unsigned met;
};

static bool is_it(void *arg, struct quire_vma *vma, quire_linear_t at)
{
    struct place *place = arg;
    place->met += vma->mm == place->mm && at == place->at;
    return true;
}

/* Of each frame, counted in one walk for all: a walk for each of thousands of pages takes its time
 * in the machine. All are 0 between checks. */
#define MOST_FRAMES 32768u
static uint32_t entries_of[MOST_FRAMES];

static uint32_t *entries_of_page(const struct quire_page *page)
{
    static uint32_t none;
    uint64_t frame = page->pfn;
    CHECK(frame < MOST_FRAMES);
    return frame < MOST_FRAMES ? &entries_of[frame] : &none;
}

static void count_it(void *arg, struct quire_mm *mm, quire_linear_t at, struct quire_page *page)
{
    (void)arg;
    (void)mm;
    (void)at;
    ++*entries_of_page(page);
}

static void check_entry(void *arg, struct quire_mm *mm, quire_linear_t at, struct quire_page *page)
{
    unsigned long *mapped = arg;
    struct place place = {.mm = mm, .at = at};
    unsigned entries = *entries_of_page(page);
    page_lock(page);
    rmap_walk(test_vm, page, is_it, &place);
    page_unlock(page);
    CHECK_EQ(place.met, 1);
    CHECK_EQ(page_mapcount(page), entries);
    CHECK_EQ(count_met(page), entries);
    /* Each page once: by the first of its entries that is met. */
    mapped[page_is_anon(page)] += page->owner_word & PAGE_MAPPED ? 1 : 0;
    page->owner_word &= ~PAGE_MAPPED;
}

static void forget(void *arg, struct quire_mm *mm, quire_linear_t at, struct quire_page *page)
{
    (void)arg;
    (void)mm;
    (void)at;
    page->owner_word |= PAGE_MAPPED;
    *entries_of_page(page) = 0;
}

void check_reverse_maps(void)
{
    unsigned long mapped[2] = {0, 0};
    for_each_mapped(count_it, NULL);
    for_each_mapped(check_entry, mapped);
    for_each_mapped(forget, NULL);
    CHECK_EQ(quire_load_relaxed(&test_vm->stat[NR_ANON_MAPPED]), mapped[1]);
    CHECK_EQ(quire_load_relaxed(&test_vm->stat[NR_FILE_MAPPED]), mapped[0]);
}
