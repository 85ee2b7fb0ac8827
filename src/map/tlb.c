/* map/tlb.c: flushes in batches
 *
 * A batch holds a few ranges of addresses and the pages that can be freed only once no TLB leads to
 * them. What is added next to a range of pages of the same size grows it; when there is no place
 * for another range, or there are more pages than are worth flushing one by one, all is flushed.
 *
 * Which CPUs: those of the table's set, read after the changes. A CPU enters the set before it
 * loads the root; with a full fence on both sides, either it is seen here, or it loads the root
 * after the changes and can't have seen what they replaced.
 */
#include "map/table.h"

static void enter(struct quire_pgtable *pt, unsigned cpu)
{
    uint32_t words = quire_load_relaxed(&pt->cpu_words);
    while (words <= cpu / 32 && !quire_compare_exchange(&pt->cpu_words, &words, cpu / 32 + 1))
        ;
    (void)__atomic_fetch_or(&pt->cpus.word[cpu / 32], 1u << cpu % 32, __ATOMIC_SEQ_CST);
}

/* A CPU sets its bit of a shared tree once: no process switch writes a line that all have. */
void quire_pgtable_cpu_enter(struct quire_pgtable *pt, unsigned cpu)
{
    enter(pt, cpu);
    if (pt->shared && !(quire_load_relaxed(&pt->shared->cpus.word[cpu / 32]) >> cpu % 32 & 1))
        enter(pt->shared, cpu);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void quire_pgtable_cpu_leave(struct quire_pgtable *pt, unsigned cpu)
{
    (void)__atomic_fetch_and(&pt->cpus.word[cpu / 32], ~(1u << cpu % 32), __ATOMIC_SEQ_CST);
}

void quire_tlb_batch_init(struct quire_tlb_batch *batch, struct quire_pgtable *pt)
{
    batch->pt = pt;
    batch->all = false;
    batch->nr_ranges = batch->nr_free = 0;
    batch->nr_pages = 0;
    batch->release = NULL;
    batch->release_arg = NULL;
}

struct quire_tlb_batch *batch_begin(struct quire_tlb_batch *batch, struct quire_tlb_batch *own,
                                    struct quire_pgtable *pt)
{
    if (batch) {
        QUIRE_BUG_ON(batch->pt != pt);
        return batch;
    }
    quire_tlb_batch_init(own, pt);
    return own;
}

void batch_end(struct quire_tlb_batch *batch, struct quire_tlb_batch *own)
{
    if (batch == own)
        quire_tlb_flush(own);
}

/* ---- gathering ------------------------------------------------------------------------------- */

static void count_pages(struct quire_tlb_batch *batch, quire_linear_t bytes, unsigned page_shift)
{
    quire_linear_t pages = bytes >> page_shift;
    if (pages > QUIRE_TLB_FLUSH_PAGES || batch->nr_pages + pages > QUIRE_TLB_FLUSH_PAGES)
        batch->all = true;
    else
        batch->nr_pages += (unsigned)pages;
}

/* Grows a range by one that touches or overlaps it; false: it doesn't. */
static bool merge(struct quire_tlb_batch *batch, struct quire_tlb_range *range, quire_linear_t at,
                  quire_linear_t end, unsigned page_shift)
{
    if (range->page_shift != page_shift || at > range->end || end < range->start)
        return false;
    quire_linear_t before = range->end - range->start;
    if (at < range->start)
        range->start = at;
    if (end > range->end)
        range->end = end;
    count_pages(batch, range->end - range->start - before, page_shift);
    return true;
}

void batch_add(struct quire_tlb_batch *batch, quire_linear_t at, quire_linear_t end,
               unsigned page_shift)
{
    if (batch->all)
        return;
    for (unsigned i = batch->nr_ranges; i--;)
        if (merge(batch, &batch->range[i], at, end, page_shift))
            return;
    if (batch->nr_ranges == QUIRE_TLB_BATCH_RANGES) {
        batch->all = true;
        return;
    }
    count_pages(batch, end - at, page_shift);
    batch->range[batch->nr_ranges++] = (struct quire_tlb_range){at, end, (uint8_t)page_shift};
}

void quire_tlb_add(struct quire_tlb_batch *batch, quire_linear_t virt, uint64_t size,
                   unsigned page_shift)
{
    quire_linear_t at = without_sign(batch->pt, virt);
    if (size)
        batch_add(batch, at, at + size, page_shift);
}

/* Tables have the lowest bit set: they go to phys whoever releases the others. */
#define TABLE_TAG 1u

static void remove_tagged(struct quire_tlb_batch *batch, uintptr_t page)
{
    if (batch->nr_free == QUIRE_TLB_BATCH_PAGES)
        quire_tlb_flush(batch);
    batch->free[batch->nr_free++] = (struct quire_page *)page;
}

void quire_tlb_remove_page(struct quire_tlb_batch *batch, struct quire_page *page)
{
    remove_tagged(batch, (uintptr_t)page);
}

void batch_remove_table(struct quire_tlb_batch *batch, struct quire_page *page)
{
    remove_tagged(batch, (uintptr_t)page | TABLE_TAG);
}

static void release(const struct quire_tlb_batch *batch, struct quire_page *page)
{
    struct quire_page *untagged = (struct quire_page *)((uintptr_t)page & ~(uintptr_t)TABLE_TAG);
    if (page == untagged && batch->release)
        batch->release(batch->release_arg, page);
    else
        quire_put_page(batch->pt->mem, untagged);
}

/* ---- flushing -------------------------------------------------------------------------------- */

static void flush_port(const struct quire_port_mem *port, const struct quire_tlb_flush *flush)
{
    quire_virt_t virt = (quire_virt_t)flush->virt;
    if (flush->all)
        quire_port_tlb_flush_all(port, flush->cpus);
    else if (flush->size >> flush->page_shift == 1)
        quire_port_tlb_flush_page(port, flush->cpus, virt);
    else
        quire_port_tlb_flush_range(port, flush->cpus, virt, (size_t)flush->size, flush->page_shift);
}

static void flush_one(const struct quire_pgtable *pt, const struct quire_tlb_flush *flush)
{
    if (pt->flush)
        pt->flush(pt->flush_arg, flush);
    else
        flush_port(pt->port, flush);
}

void flush_on_cpu(const struct quire_pgtable *pt, unsigned cpu, quire_linear_t at,
                  quire_linear_t end)
{
    struct quire_cpumask cpus = {{0}};
    cpus.word[cpu / 32] = 1u << cpu % 32;
    struct quire_tlb_flush flush = {
        .cpus = &cpus,
        .all = (end - at) >> PT_SHIFT > QUIRE_TLB_FLUSH_PAGES,
        .virt = linear_of(pt, at),
        .size = end - at,
        .page_shift = PT_SHIFT,
    };
    flush_one(pt, &flush);
}

/* Acquired: what a CPU that has left did before comes before a flush that there is no need of. */
static bool some_cpu(const struct quire_pgtable *pt)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0, words = quire_load_relaxed(&pt->cpu_words); i < words; i++)
        if (quire_load_acquire(&pt->cpus.word[i]))
            return true;
    return false;
}

/* Apart, or the common way saves the registers and has the frame that this one needs. */
static QUIRE_NOINLINE void tell_page(const struct quire_pgtable *pt, quire_linear_t virt)
{
    const struct quire_tlb_flush flush = {
        .cpus = &pt->cpus,
        .virt = virt & ~(PT_PAGE_BYTES - 1),
        .size = PT_PAGE_BYTES,
        .page_shift = PT_SHIFT,
    };
    pt->flush(pt->flush_arg, &flush);
}

void quire_tlb_flush_page(struct quire_pgtable *pt, quire_linear_t virt)
{
    if (!some_cpu(pt))
        return;
    if (quire_likely(!pt->flush))
        quire_port_tlb_flush_page(pt->port, &pt->cpus, (quire_virt_t)(virt & ~(PT_PAGE_BYTES - 1)));
    else
        tell_page(pt, virt);
}

static void flush_ranges(const struct quire_tlb_batch *batch)
{
    const struct quire_pgtable *pt = batch->pt;
    struct quire_tlb_flush flush = {.cpus = &pt->cpus, .all = batch->all};
    if (batch->all) {
        flush_one(pt, &flush);
        return;
    }
    for (unsigned i = 0; i < batch->nr_ranges; i++) {
        const struct quire_tlb_range *range = &batch->range[i];
        flush.virt = linear_of(pt, range->start);
        flush.size = range->end - range->start;
        flush.page_shift = range->page_shift;
        flush_one(pt, &flush);
    }
}

void quire_tlb_flush(struct quire_tlb_batch *batch)
{
    if ((batch->all || batch->nr_ranges) && some_cpu(batch->pt))
        flush_ranges(batch);
    for (unsigned i = 0; i < batch->nr_free; i++)
        release(batch, batch->free[i]);
    batch->all = false;
    batch->nr_ranges = batch->nr_free = 0;
    batch->nr_pages = 0;
}
