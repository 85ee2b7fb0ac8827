/* tests/stress/blocks.c: blocks that change hands: see stress.h */
#include "tests/stress/stress.h"

unsigned char owner[MAX_FRAMES];
struct quire_page *slot[SLOTS];

/* Turns are counted as ranges are put off limits. Nothing here is ordered by itself: the library's
 * locks must be what keeps an allocation from a range, and they make these checks sound. An
 * operation that has seen a range's turn began after the range was isolated; one that allocates
 * from it after it was given back sees that it was. */
static unsigned long turns;
static unsigned long off_since[MAX_FRAMES / QUIRE_PAGEBLOCK_PAGES];

unsigned long this_turn(void)
{
    return quire_load_relaxed(&turns);
}

static void set_off_since(unsigned long start, unsigned long end, unsigned long turn)
{
    for (unsigned long pfn = start; pfn < end; pfn += QUIRE_PAGEBLOCK_PAGES)
        quire_store_relaxed(&off_since[pfn / QUIRE_PAGEBLOCK_PAGES], turn);
}

void off_limits(unsigned long start, unsigned long end)
{
    set_off_since(start, end, quire_fetch_add(&turns, 1) + 1);
}

void on_limits(unsigned long start, unsigned long end)
{
    set_off_since(start, end, 0);
}

static void check_limits(const struct worker *worker, unsigned long pfn, unsigned long last)
{
    unsigned long turn;
    for (pfn &= ~(QUIRE_PAGEBLOCK_PAGES - 1); pfn <= last; pfn += QUIRE_PAGEBLOCK_PAGES) {
        turn = quire_load_relaxed(&off_since[pfn / QUIRE_PAGEBLOCK_PAGES]);
        CHECK(!turn || turn > worker->turn);
    }
}

uint64_t *content(unsigned long pfn)
{
    return quire_port_phys_to_virt(&stress.port, quire_pfn_to_phys(quire_pfn(pfn)));
}

void take_block(struct worker *worker, struct quire_page *page, unsigned order)
{
    unsigned long pfn = quire_page_to_pfn(page).value, last = pfn + (1ul << order) - 1;
    check_limits(worker, pfn, last);
    for (unsigned long at = pfn; at <= last; at++)
        CHECK_EQ(__atomic_exchange_n(&owner[at], worker->number, __ATOMIC_RELAXED), 0);
    content(pfn)[0] = pfn * 3;
    content(last)[QUIRE_PAGE_SIZE / 8 - 1] = pfn * 5;
}

/* What has no mover keeps out of memory that may have to be emptied. */
static void take_fixed(struct worker *worker, struct quire_page *page, unsigned order)
{
    unsigned long pfn = quire_page_to_pfn(page).value;
    CHECK(quire_page_zone(stress.mem, page) != QUIRE_ZONE_MOVABLE);
    for (unsigned i = 0; i < sizeof stress.lent / sizeof stress.lent[0]; i++)
        CHECK(pfn + (1ul << order) <= stress.lent[i].start || pfn >= stress.lent[i].end);
    take_block(worker, page, order);
}

void check_block(struct quire_page *page, unsigned order)
{
    unsigned long pfn = quire_page_to_pfn(page).value, last = pfn + (1ul << order) - 1;
    CHECK_EQ(content(pfn)[0], pfn * 3);
    CHECK_EQ(content(last)[QUIRE_PAGE_SIZE / 8 - 1], pfn * 5);
}

unsigned give_up_block(struct quire_page *page)
{
    unsigned order = quire_page_order(page);
    unsigned long pfn = quire_page_to_pfn(page).value;
    check_block(page, order);
    for (unsigned long at = pfn; at < pfn + (1ul << order); at++)
        CHECK(__atomic_exchange_n(&owner[at], 0, __ATOMIC_RELAXED) != 0);
    return order;
}

struct quire_page *allocate(struct worker *worker)
{
    static const quire_gfp_t gfps[] = {
        QUIRE_GFP_KERNEL,
        QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
        QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE,
        QUIRE_GFP_KERNEL | QUIRE_GFP_DMA,
        QUIRE_GFP_HIGHUSER_MOVABLE,
        QUIRE_GFP_ATOMIC | QUIRE_GFP_COMP,
        QUIRE_GFP_NOWAIT | QUIRE_GFP_THISNODE,
    };
    static const unsigned char orders[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 6, 9};
    quire_gfp_t gfp = gfps[below(worker, sizeof gfps / sizeof gfps[0])] & ~stress.gfp_avoid;
    unsigned order = orders[below(worker, sizeof orders)];
    gfp |= QUIRE_GFP_NOWARN;
    struct quire_page *page =
        below(worker, 4)
            ? quire_alloc_pages(stress.mem, gfp, order)
            : quire_alloc_pages_node(stress.mem, (int)below(worker, stress.nr_nodes), gfp, order);
    if (page)
        take_fixed(worker, page, order);
    return page;
}

void drop_block(struct worker *worker, struct quire_page *page)
{
    if (!page)
        return;
    unsigned order = give_up_block(page);
    if (below(worker, 2))
        quire_free_pages(stress.mem, page, order);
    else
        quire_put_page(stress.mem, page);
}

struct quire_page *exchange(unsigned index, struct quire_page *page)
{
    return __atomic_exchange_n(&slot[index], page, __ATOMIC_ACQ_REL);
}

/* ---- what threads do ------------------------------------------------------------------------- */

static void trade_many(struct worker *worker)
{
    struct quire_page *pages[64] = {0};
    unsigned long count = 1 + below(worker, 64);
    unsigned long done =
        quire_alloc_pages_bulk(stress.mem, (int)below(worker, stress.nr_nodes + 1) - 1,
                               QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, count, pages);
    for (unsigned long i = 0; i < done; i++)
        take_fixed(worker, pages[i], 0);
    for (unsigned long i = 0; i < done; i += 2)
        drop_block(worker, exchange(below(worker, SLOTS), pages[i]));
    for (unsigned long i = 0; i < done; i++)
        if (i % 2)
            give_up_block(pages[i]);
        else
            pages[i] = NULL;
    quire_free_pages_bulk(stress.mem, done, pages);
}

static void split(struct worker *worker)
{
    struct quire_page *page = quire_alloc_pages(stress.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 3);
    if (!page)
        return;
    quire_split_page(stress.mem, page, 3);
    for (unsigned i = 0; i < 8; i++) {
        take_fixed(worker, &page[i], 0);
        drop_block(worker, exchange(below(worker, SLOTS), &page[i]));
    }
}

/* What others may look at or change while pages come and go. */
static void look_around(struct worker *worker)
{
    struct quire_zone_info info;
    switch (below(worker, 6)) {
    case 0:
        quire_drain_all_pages(stress.mem);
        break;
    case 1:
        CHECK(!quire_set_min_free_kbytes(stress.mem, 128 + below(worker, 1024)));
        break;
    case 2:
        for (unsigned i = 0; !quire_zone_info(stress.mem, i, &info); i++)
            CHECK(info.nr_free <= info.managed);
        break;
    case 3:
        CHECK(quire_nr_managed_pages(stress.mem) <= stress.frames);
        (void)quire_nr_free_pages(stress.mem);
        break;
    default:
        quire_drain_pages(stress.mem, below(worker, MAX_THREADS + 1));
    }
}

void trade_once(struct worker *worker)
{
    unsigned what = below(worker, 512);
    if (what == 0)
        look_around(worker);
    else if (what < 8)
        trade_many(worker);
    else if (what < 16)
        split(worker);
    else if (what < 200)
        drop_block(worker, exchange(below(worker, SLOTS), NULL));
    else if (what < 300)
        drop_block(worker, allocate(worker));
    else
        drop_block(worker, exchange(below(worker, SLOTS), allocate(worker)));
}
