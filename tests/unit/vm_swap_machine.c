/* tests/unit/vm_swap_machine.c: a process whose pages go to swap, for a test case */
#include "tests/unit/vm_swap_machine.h"

struct swap_rig rig;

bool swap_begin_on(uint64_t memory, enum quire_pt_format_id format, unsigned pages, unsigned slots)
{
    if (!vm_boot(memory, format))
        return false;
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 0), 0);
    rig = (struct swap_rig){.nr_pages = pages, .area = slots ? swap_of(slots) : -1};
    rig.mm = mm_new();
    run_on(rig.mm);
    if (pages)
        rig.at = map_anon(rig.mm, pages * PAGE);
    for (unsigned i = 0; i < pages; i++)
        CHECK(poke(rig.at + i * PAGE, word_of(i) + 1));
    return true;
}

bool swap_begin(unsigned pages, unsigned slots)
{
    return swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, pages, slots);
}

void swap_end(void)
{
    mm_end(rig.mm);
    if (rig.area >= 0)
        CHECK_EQ(quire_swapoff(test_vm, rig.area), 0);
    vm_end();
}

unsigned long swap_out_all(void)
{
    unsigned long gone = 0;
    for (unsigned i = 0; i < 3; i++)
        gone += quire_vm_reclaim(test_vm, 0, 4096);
    return gone;
}

struct lru_counts counts(void)
{
    struct lru_counts counts;
    lru_counts(test_vm, &counts);
    return counts;
}

void forget_translations(void)
{
    quire_sim_flush(
        &sim, NULL,
        &(struct quire_sim_flush){.last = (quire_linear_t)-1, .pcid = QUIRE_SIM_ALL_PCIDS});
}

void write_pages(quire_linear_t at, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        CHECK(poke(at + i * PAGE, word_of(i)));
}

void read_pages(quire_linear_t at, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        CHECK(holds(at + i * PAGE, word_of(i)));
}

bool is_resident(quire_linear_t at)
{
    unsigned char resident = 0;
    CHECK_EQ(quire_mincore(rig.mm, at, PAGE, &resident), 0);
    return resident & 1;
}

unsigned count_resident(quire_linear_t at, unsigned first, unsigned count)
{
    unsigned resident = 0;
    for (unsigned i = first; i < first + count; i++)
        resident += is_resident(at + i * PAGE);
    return resident;
}

void swap_check_end(void)
{
    quire_vm_check(test_vm);
    swap_end();
}

bool all_hold(void)
{
    bool hold = true;
    for (unsigned i = 0; i < rig.nr_pages; i++)
        hold = hold && holds(rig.at + i * PAGE, word_of(i) + 1);
    return hold;
}

uint64_t used_slots(void)
{
    struct quire_swap_info info;
    CHECK_EQ(quire_swap_info(test_vm, rig.area, &info), 0);
    return info.nr_used;
}

unsigned long event(enum vm_event which)
{
    return test_vm->event[which];
}
