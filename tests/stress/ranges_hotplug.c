/* tests/stress/ranges_hotplug.c: memory that comes and goes under others: see ranges.h */
#include <sched.h>

#include "tests/stress/ranges.h"

#define NR_SECTIONS 3u
#define PIECES 5u /* that go one by one */
#define ATTEMPTS 8u

static struct hot_section {
    quire_phys_t base;
    int node;
    bool movable;
    bool present;    /* as a whole */
    unsigned pieces; /* of the map, that are still there and must go first */
    unsigned busy;   /* a worker is at it */
} sections[NR_SECTIONS];

static bool may_fail(int error)
{
    return error == -QUIRE_EBUSY || error == -QUIRE_ENOMEM;
}

/* Blocks without a mover that are in nobody's hands: their owners are asked to free them. */
static void free_slots_in(struct worker *worker, const struct hot_section *section)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct quire_page *page = exchange(i, NULL);
        if (page && quire_page_to_phys(page) - section->base >= SECTION)
            page = exchange(i, page);
        drop_block(worker, page);
    }
}

static bool remove_piece(struct hot_section *section)
{
    quire_phys_t base = section->base + (section->pieces - 1) * PIECE_SIZE;
    if (section->pieces == PIECES)
        base = LONE_PIECE_BASE;
    int error = quire_remove_memory(stress.mem, base, PIECE_SIZE);
    CHECK(!error || may_fail(error));
    section->pieces -= !error;
    return !error;
}

static bool remove_section(struct worker *worker, struct hot_section *section)
{
    int error = -QUIRE_EBUSY;
    for (unsigned i = 0; i < ATTEMPTS && error == -QUIRE_EBUSY; i++) {
        free_slots_in(worker, section);
        error = quire_remove_memory(stress.mem, section->base, SECTION);
    }
    CHECK(!error || may_fail(error));
    section->present = error;
    return !error;
}

static void add_section(struct hot_section *section)
{
    CHECK_EQ(quire_add_memory(stress.mem, section->node, section->base, SECTION, section->movable),
             0);
    section->present = true;
}

void add_and_remove_sections(struct worker *worker)
{
    while (go_on(worker)) {
        struct hot_section *section = &sections[below(worker, NR_SECTIONS)];
        unsigned idle = 0;
        if (quire_compare_exchange(&section->busy, &idle, 1)) {
            if (section->pieces) {
                quire_fetch_add(&seen.removed, remove_piece(section));
            } else if (section->present) {
                quire_fetch_add(&seen.removed, remove_section(worker, section));
            } else {
                add_section(section);
                quire_fetch_add(&seen.added, 1);
            }
            quire_store_release(&section->busy, 0);
        }
        sched_yield();
    }
}

void sections_start(void)
{
    for (unsigned i = 0; i < NR_SECTIONS; i++)
        sections[i] = (struct hot_section){.base = HOT_BASE + i * SECTION,
                                           .node = i == 0,
                                           .movable = i != 1,
                                           .pieces = i ? 0 : PIECES};
    /* A zone that was empty gets lists, which stay where they are: not in what is to go again. */
    add_section(&sections[2]);
    struct worker here = {.number = 1};
    CHECK(remove_section(&here, &sections[2]));
}

void sections_end(void)
{
    struct worker here = {.number = 1};
    for (unsigned i = 0; i < NR_SECTIONS; i++) {
        while (sections[i].pieces && remove_piece(&sections[i]))
            ;
        CHECK_EQ(sections[i].pieces, 0);
        if (sections[i].present)
            CHECK(remove_section(&here, &sections[i]));
    }
}
