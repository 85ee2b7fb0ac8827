/* tests/stress/ranges.c: isolated and contiguous ranges, areas, and housekeeping: see ranges.h */
#include <sched.h>

#include "tests/stress/ranges.h"

#define HELD 4u /* ranges that a worker holds at most */
#define LAST_WORD (QUIRE_PAGE_SIZE / sizeof(uint64_t) - 1)

struct quire_cma area[NR_AREAS];
struct seen seen;

struct range {
    unsigned long start, count; /* frames; 0: none */
    struct quire_cma *area;     /* whose */
};

/* A range may be of several sections, whose descriptors aren't neighbours. */
static struct quire_page *page_at(const struct range *range, unsigned long i)
{
    return quire_pfn_to_page(stress.mem, quire_pfn(range->start + i));
}

/* ---- isolation ------------------------------------------------------------------------------- */

/* Mostly one that exists. */
static unsigned long any_frame(struct worker *worker)
{
    unsigned long pfn = 0;
    for (unsigned tries = 0; tries < 4; tries++) {
        pfn = below(worker, (uint32_t)stress.frames);
        if (quire_pfn_valid(stress.mem, quire_pfn(pfn)))
            break;
    }
    return pfn;
}

static void isolate(struct worker *worker, struct range *range)
{
    unsigned long count = 1 + below(worker, below(worker, 4) ? 2 : 8);
    unsigned long start = any_frame(worker) & ~(QUIRE_PAGEBLOCK_PAGES - 1);
    unsigned long end = start + count * QUIRE_PAGEBLOCK_PAGES;
    int error = quire_isolate_range(stress.mem, quire_pfn(start), quire_pfn(end));
    CHECK(!error || error == -QUIRE_EINVAL || error == -QUIRE_EBUSY);
    if (error)
        return;
    off_limits(start, end);
    *range = (struct range){.start = start, .count = end - start};
    quire_fetch_add(&seen.isolated, 1);
}

static void unisolate(struct worker *worker, struct range *range)
{
    unsigned long end = range->start + range->count;
    for (unsigned long i = 0; i < range->count; i += QUIRE_PAGEBLOCK_PAGES)
        CHECK_EQ(quire_pageblock_migratetype(stress.mem, page_at(range, i)), QUIRE_MIGRATE_ISOLATE);
    on_limits(range->start, end);
    quire_unisolate_range(stress.mem, quire_pfn(range->start), quire_pfn(end),
                          (enum quire_migratetype)below(worker, QUIRE_MIGRATE_HIGHATOMIC));
    *range = (struct range){0};
}

/* While a range is isolated its zone's per-CPU lists are closed: so not always, nor everywhere. */
void isolate_ranges(struct worker *worker)
{
    struct range held[HELD] = {0};
    while (go_on(worker)) {
        struct range *range = &held[below(worker, HELD)];
        if (range->count)
            unisolate(worker, range);
        else if (below(worker, 2))
            isolate(worker, range);
        sched_yield();
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i].count)
            unisolate(worker, &held[i]);
}

/* ---- contiguous ranges ----------------------------------------------------------------------- */

/* Each frame is a block of its own. */
static void take_range(struct worker *worker, struct range *range, bool zeroed)
{
    for (unsigned long pfn = range->start; pfn < range->start + range->count; pfn++) {
        CHECK(!zeroed || !(content(pfn)[0] | content(pfn)[LAST_WORD]));
        take_block(worker, quire_pfn_to_page(stress.mem, quire_pfn(pfn)), 0);
    }
}

static void give_up_range(struct range *range)
{
    for (unsigned long i = 0; i < range->count; i++)
        CHECK_EQ(give_up_block(page_at(range, i)), 0);
}

static void allocate_range(struct worker *worker, struct range *range)
{
    static const quire_gfp_t gfps[] = {
        QUIRE_GFP_KERNEL,
        QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
        QUIRE_GFP_HIGHUSER_MOVABLE,
    };
    quire_gfp_t gfp = gfps[below(worker, sizeof gfps / sizeof gfps[0])] | QUIRE_GFP_NOWARN;
    unsigned long count = 1 + below(worker, below(worker, 4) ? 200 : 3000);
    if (below(worker, 2)) {
        unsigned long align = 1ul << below(worker, QUIRE_MAX_ORDER + 1);
        int node = (int)below(worker, stress.nr_nodes + 1) - 1;
        struct quire_page *page = quire_alloc_contig_pages(stress.mem, count, align, gfp, node);
        if (!page)
            return;
        range->start = quire_page_to_pfn(page).value;
        CHECK_EQ(range->start & (align - 1), 0);
        CHECK(node < 0 || quire_page_node(stress.mem, page) == node);
    } else {
        range->start = any_frame(worker);
        int error =
            quire_alloc_contig_range(stress.mem, quire_pfn(range->start),
                                     quire_pfn(range->start + count), QUIRE_MIGRATE_MOVABLE, gfp);
        CHECK(!error || error == -QUIRE_EINVAL || error == -QUIRE_EBUSY || error == -QUIRE_ENOMEM);
        if (error)
            return;
    }
    range->count = count;
    take_range(worker, range, gfp & QUIRE_GFP_ZERO);
    quire_fetch_add(&seen.contiguous, 1);
}

/* As a range; or page by page, by anyone. */
static void free_range(struct worker *worker, struct range *range)
{
    if (below(worker, 4)) {
        give_up_range(range);
        quire_free_contig_range(stress.mem, quire_pfn(range->start), range->count);
    } else {
        for (unsigned long i = 0; i < range->count; i++)
            drop_block(worker, exchange(below(worker, SLOTS), page_at(range, i)));
    }
    range->count = 0;
}

void allocate_contiguous(struct worker *worker)
{
    struct range held[HELD] = {0};
    while (go_on(worker)) {
        struct range *range = &held[below(worker, HELD)];
        if (range->count)
            free_range(worker, range);
        else
            allocate_range(worker, range);
        sched_yield();
    }
    for (unsigned i = 0; i < HELD; i++)
        free_range(worker, &held[i]);
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void borrow(struct worker *worker, struct range *range)
{
    struct quire_cma *from = &area[below(worker, NR_AREAS)];
    unsigned long count = 1 + below(worker, below(worker, 4) ? 64 : 1024);
    unsigned align_order = below(worker, QUIRE_PAGEBLOCK_ORDER + 1);
    struct quire_page *page = quire_cma_alloc(from, count, align_order);
    if (!page)
        return;
    *range = (struct range){quire_page_to_pfn(page).value, count, from};
    CHECK_EQ(range->start & ((1ul << align_order) - 1), 0);
    CHECK(range->start >= from->start.value &&
          range->start + count <= from->start.value + from->count);
    take_range(worker, range, false);
    quire_fetch_add(&seen.lent, 1);
}

static void pay_back(struct range *range)
{
    give_up_range(range);
    CHECK(quire_cma_release(range->area, page_at(range, 0), range->count));
    *range = (struct range){0};
}

void use_areas(struct worker *worker)
{
    struct range held[HELD] = {0};
    while (go_on(worker)) {
        struct range *range = &held[below(worker, HELD)];
        if (range->count)
            pay_back(range);
        else
            borrow(worker, range);
        sched_yield();
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i].count)
            pay_back(&held[i]);
}

/* ---- housekeeping ---------------------------------------------------------------------------- */

static void count_text(void *arg, const char *text, size_t length)
{
    (void)text;
    *(size_t *)arg += length;
}

static void show(struct worker *worker)
{
    size_t length = 0;
    enum quire_format format = below(worker, 2) ? QUIRE_FORMAT_TEXT : QUIRE_FORMAT_JSON;
    for (unsigned view = 0; view < QUIRE_NR_VIEWS; view++) {
        size_t before = length;
        CHECK(!quire_view(stress.mem, (enum quire_view)view, format, count_text, &length));
        CHECK(length > before);
    }
    size_t before = length;
    quire_dump_owners(stress.mem, count_text, &length);
    CHECK(length > before);
}

static void change_watermarks(struct worker *worker)
{
    CHECK(!quire_set_min_free_kbytes(stress.mem, 128 + below(worker, 4096)));
    CHECK(!quire_set_watermark_scale_factor(stress.mem, 1 + below(worker, 100)));
    quire_reset_watermark_boost(stress.mem, (int)below(worker, stress.nr_nodes));
}

static void ask(struct worker *worker)
{
    struct quire_zone_info info;
    for (unsigned i = 0; !quire_zone_info(stress.mem, i, &info); i++) {
        CHECK(info.nr_free + info.nr_isolated <= info.managed);
        CHECK(info.managed <= info.present && info.present <= info.spanned);
    }
    CHECK(quire_nr_managed_pages(stress.mem) <= stress.frames);
    CHECK(quire_metadata_size(stress.mem) > 0);
    (void)quire_node_balanced(stress.mem, (int)below(worker, stress.nr_nodes), below(worker, 10),
                              QUIRE_ZONE_MOVABLE);
}

void keep_house(struct worker *worker)
{
    while (go_on(worker)) {
        switch (below(worker, 8)) {
        case 0:
            (void)quire_compact(stress.mem, (int)below(worker, stress.nr_nodes + 1) - 1,
                                (int)below(worker, QUIRE_MAX_ORDER + 2) - 1);
            break;
        case 1:
            (void)quire_report_free_pages(stress.mem, below(worker, QUIRE_MAX_ORDER + 1),
                                          below(worker, 8192));
            break;
        case 2:
            quire_drain_all_pages(stress.mem);
            break;
        case 3:
            quire_drain_pages(stress.mem, below(worker, MAX_THREADS + 1));
            break;
        case 4:
            change_watermarks(worker);
            break;
        case 5:
            show(worker);
            break;
        default:
            ask(worker);
        }
        sched_yield();
    }
}
