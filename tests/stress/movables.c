/* tests/stress/movables.c: movable blocks that several threads own together: see movables.h
 *
 * A block's frames hold a pattern by the number of its place and of its generation, which moves
 * with it; the old frames are overwritten, so that who still used them would notice.
 *
 *   invariant   what is at a place is touched by who made its state BUSY, or MOVING, alone
 */
#include <sched.h>

#include "tests/stress/movables.h"

#define LAST_WORD (QUIRE_PAGE_SIZE / sizeof(uint64_t) - 1)
#define OBJECTION 16u /* the mover objects one time in so many */

enum state {
    EMPTY,
    OWNED,
    BUSY,  /* a thread has it in hand */
    MOVING /* the library has */
};

static struct place {
    unsigned state;
    struct quire_page *page;
    uint64_t key;
    unsigned order;
    unsigned char number; /* who marked its frames */
} place[MAX_MOVABLES];

static struct quire_mover mover;
static unsigned mover_id;
static unsigned long asked; /* how often the mover was */
static bool agreeable;

static bool change_state(struct place *at, unsigned from, unsigned to)
{
    return quire_compare_exchange(&at->state, &from, to);
}

/* ---- content --------------------------------------------------------------------------------- */

static void fill(const struct place *at)
{
    unsigned long pfn = quire_page_to_pfn(at->page).value;
    for (unsigned long i = 0; i < 1ul << at->order; i++) {
        content(pfn + i)[0] = at->key + i;
        content(pfn + i)[LAST_WORD] = ~(at->key + i);
    }
}

static void check(const struct place *at, unsigned long pfn)
{
    for (unsigned long i = 0; i < 1ul << at->order; i++) {
        CHECK_EQ(content(pfn + i)[0], at->key + i);
        CHECK_EQ(content(pfn + i)[LAST_WORD], ~(at->key + i));
    }
}

static void mark(unsigned long pfn, unsigned order, unsigned char number)
{
    for (unsigned long at = pfn; at < pfn + (1ul << order); at++)
        CHECK_EQ(!__atomic_exchange_n(&owner[at], number, __ATOMIC_RELAXED), number != 0);
}

/* ---- the mover ------------------------------------------------------------------------------- */

static bool objects(void)
{
    uint64_t z = (quire_fetch_add(&asked, 1) + 1) * 0x9e3779b97f4a7c15u;
    return !agreeable && (z >> 32) % OBJECTION == 0;
}

/* The owner may have freed the block and put another at its place, while the library held on to
 * it: then it is neither ours to move nor anybody's mistake. */
static int isolate(void *arg, struct quire_page *page)
{
    struct place *at = &place[page->owner_word % MAX_MOVABLES];
    CHECK(arg == place && page->owner_word < MAX_MOVABLES);
    if (!change_state(at, OWNED, MOVING))
        return -QUIRE_EBUSY;
    if (at->page == page && !objects())
        return 0;
    quire_store_release(&at->state, OWNED);
    return -QUIRE_EBUSY;
}

static int migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct place *at = &place[from->owner_word % MAX_MOVABLES];
    unsigned long old = quire_page_to_pfn(from).value, new = quire_page_to_pfn(to).value;
    CHECK(arg == place && at->page == from);
    CHECK_EQ(quire_load_relaxed(&at->state), MOVING);
    if (objects())
        return old & 1 ? -QUIRE_EAGAIN : -QUIRE_EBUSY;
    CHECK_EQ(quire_page_order(to), at->order);
    CHECK_EQ(quire_page_order(from), at->order);
    CHECK_EQ(quire_page_is_compound(to), quire_page_is_compound(from));
    mark(new, at->order, at->number);
    check(at, old);
    for (unsigned long i = 0; i < 1ul << at->order; i++) {
        __builtin_memcpy(content(new + i), content(old + i), QUIRE_PAGE_SIZE);
        content(old + i)[0] = content(old + i)[LAST_WORD] = 0;
    }
    mark(old, at->order, 0);
    to->owner_word = from->owner_word;
    at->page = to;
    quire_store_release(&at->state, OWNED);
    return 0;
}

static void putback(void *arg, struct quire_page *page)
{
    struct place *at = &place[page->owner_word % MAX_MOVABLES];
    CHECK(arg == place && at->page == page);
    CHECK(change_state(at, MOVING, OWNED));
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void make(struct worker *worker, struct place *at)
{
    static const unsigned char orders[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4};
    quire_gfp_t gfp = QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_NOWARN;
    at->order = below(worker, 64) ? orders[below(worker, sizeof orders)] : QUIRE_PAGEBLOCK_ORDER;
    if (below(worker, 4) == 0)
        gfp |= QUIRE_GFP_COMP;
    at->page = below(worker, 2)
                   ? quire_alloc_pages(stress.mem, gfp, at->order)
                   : quire_alloc_pages_node(stress.mem, (int)below(worker, stress.nr_nodes), gfp,
                                            at->order);
    if (!at->page) {
        quire_store_release(&at->state, EMPTY);
        return;
    }
    take_block(worker, at->page, at->order);
    at->key = (uint64_t)(at - place) << 32 | worker->done << 8 | worker->number;
    at->number = worker->number;
    fill(at);
    at->page->owner_word = (uint32_t)(at - place);
    quire_page_set_mover(at->page, mover_id);
    quire_store_release(&at->state, OWNED);
}

static void free_at(struct worker *worker, struct place *at)
{
    struct quire_page *page = at->page;
    unsigned order = at->order;
    check(at, quire_page_to_pfn(page).value);
    CHECK_EQ(quire_page_order(page), order);
    mark(quire_page_to_pfn(page).value, order, 0);
    at->page = NULL;
    /* Somebody else's block may be at this place while ours is on its way out. */
    quire_store_release(&at->state, EMPTY);
    if (below(worker, 2))
        quire_free_pages(stress.mem, page, order);
    else
        quire_put_page(stress.mem, page);
}

/* With a reference more than its owner's it stays where it is and what it is, even freed. */
static void hold(struct worker *worker, struct place *at)
{
    struct quire_page *page = at->page;
    struct place seen = *at;
    CHECK(quire_get_page_unless_zero(page));
    quire_store_release(&at->state, OWNED);
    if (below(worker, 2))
        sched_yield();
    check(&seen, quire_page_to_pfn(page).value);
    CHECK(quire_compound_head(stress.mem, page) == page);
    CHECK(quire_page_count(page) >= 1);
    quire_put_page(stress.mem, page);
}

void movables_once(struct worker *worker)
{
    struct place *at = &place[below(worker, MAX_MOVABLES)];
    if (change_state(at, EMPTY, BUSY)) {
        make(worker, at);
    } else if (change_state(at, OWNED, BUSY)) {
        if (below(worker, 2)) {
            free_at(worker, at);
        } else if (below(worker, 2)) {
            hold(worker, at);
        } else {
            check(at, quire_page_to_pfn(at->page).value);
            quire_store_release(&at->state, OWNED);
        }
    }
}

void movables_start(void)
{
    __builtin_memset(place, 0, sizeof place);
    mover = (struct quire_mover){isolate, migrate, putback, place};
    int id = quire_register_mover(stress.mem, &mover);
    CHECK(id > 0);
    mover_id = (unsigned)id;
    agreeable = false;
}

void movables_agree(void)
{
    agreeable = true;
}

void movables_end(void)
{
    struct worker here = {.random = 1, .number = 1};
    for (unsigned i = 0; i < MAX_MOVABLES; i++)
        if (!change_state(&place[i], EMPTY, EMPTY)) {
            CHECK(change_state(&place[i], OWNED, BUSY));
            free_at(&here, &place[i]);
        }
}
