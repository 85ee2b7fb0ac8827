/* tests/stress/ranges_hotplug.c: memory that comes and goes under others: see ranges.h */
#include <sched.h>

#include "tests/stress/ranges.h"

#define NR_SECTIONS 3u
#define PIECES 5u /* that go one by one */
#define ATTEMPTS 8u

static struct hot_section {
    quire_phys_t base;
    int node;
    bool unmovable;  /* it is for all */
    bool present;    /* as a whole */
    unsigned pieces; /* of the map, that are still there and must go first */
    unsigned busy;   /* a worker is at it */
} sections[NR_SECTIONS];
static bool lists_are_there;

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

/* The last section makes a zone that was empty come to life: its lists come from elsewhere, and
 * stay there for good. So they come before anything is there that is to go again. */
static bool add_section(struct hot_section *section)
{
    bool first = section == &sections[NR_SECTIONS - 1] && !quire_load_acquire(&lists_are_there);
    if (section->unmovable && !quire_load_acquire(&lists_are_there))
        return false;
    int error =
        quire_add_memory(stress.mem, section->node, section->base, SECTION, !section->unmovable);
    CHECK(!error || (first && error == -QUIRE_ENOMEM));
    section->present = !error;
    if (first && !error)
        quire_store_release(&lists_are_there, true);
    return !error;
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
                quire_fetch_add(&seen.added, add_section(section));
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
                                           .unmovable = i == 1,
                                           .pieces = i ? 0 : PIECES};
    lists_are_there = false;
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
