/* tests/model/vm_anon_model.c: random forks, splits and ends, and which areas may map a page
 *
 * A page remembers the areas that may have it mapped: the one that wrote it, its forks and parts.
 * Its root has to lead to all of them, as long as there is one.
 */
#include "tests/unit/vm_families.h"

/* ---- random family_vm ------------------------------------------------------------------------ */

#define MODEL_AREAS PROCESSES
#define MODEL_PAGES 128u
#define MODEL_INDICES 32u

/* A page: its root, and who may have it mapped. */
struct model_page {
    bool exists;
    struct anon_vma *root;
    uint64_t index;
    bool may_map[MODEL_AREAS];
};
static struct model_page pages[MODEL_PAGES];

static bool covers(unsigned area, uint64_t index)
{
    return alive_relative[area] && index >= relative[area].pgoff &&
           index < relative[area].pgoff + vma_pages(&relative[area]);
}

/* Whoever can map a page of `from` can be `to` from now on, if it has the page's index. */
static void share_pages(unsigned from, unsigned to)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        if (pages[p].exists && pages[p].may_map[from])
            pages[p].may_map[to] = covers(to, pages[p].index);
}

static void leave_pages(unsigned area)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++) {
        bool any = false;
        pages[p].may_map[area] = pages[p].may_map[area] && covers(area, pages[p].index);
        for (unsigned i = 0; i < MODEL_AREAS; i++)
            any = any || pages[p].may_map[i];
        pages[p].exists = pages[p].exists && any;
    }
}

static void model_write(unsigned area)
{
    unsigned p = test_random_below(MODEL_PAGES);
    uint64_t index = relative[area].pgoff + test_random_below((uint32_t)vma_pages(&relative[area]));
    CHECK_EQ(anon_vma_prepare(&relative[area]), 0);
    pages[p] = (struct model_page){.exists = true, .root = relative[area].anon_vma, .index = index};
    pages[p].may_map[area] = true;
}

/* The upper part becomes an area of its own. Its first page is where the lower one ends. */
static void model_split(unsigned area, unsigned to)
{
    uint64_t keep = vma_pages(&relative[area]) / 2;
    if (!keep)
        return;
    struct quire_vma *vma = &relative[area];
    struct quire_vma *high =
        new_relative(to, (unsigned)(vma->mm - family_mm), vma->pgoff + keep, vma_pages(vma) - keep);
    CHECK_EQ(anon_vma_clone(high, vma), 0);
    share_pages(area, to);
    rmap_begin_change(vma);
    vma->end = high->start;
    rmap_end_change(vma);
    leave_pages(area);
}

static void model_step(void)
{
    unsigned area = test_random_below(MODEL_AREAS), other = test_random_below(MODEL_AREAS);
    if (!alive_relative[area]) {
        if (!test_random_below(4))
            new_relative(area, area, 0, MODEL_INDICES);
        return;
    }
    switch (test_random_below(8)) {
    case 0:
        end_relative(area);
        leave_pages(area);
        break;
    case 1:
        if (!alive_relative[other])
            model_split(area, other);
        break;
    case 2:
    case 3:
        if (!alive_relative[other]) {
            CHECK_EQ(fork_relative(area, other, other), 0);
            share_pages(area, other);
        }
        break;
    default:
        model_write(area);
    }
}

/* Every area that may map a page is found from the page's root, which lives as long as one does. */
static void model_check(void)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        for (unsigned i = 0; pages[p].exists && i < MODEL_AREAS; i++)
            CHECK(!pages[p].may_map[i] || leads_to(pages[p].root, &relative[i], pages[p].index));
    for (unsigned i = 0; i < MODEL_AREAS; i++)
        if (alive_relative[i] && relative[i].anon_vma)
            interval_check(&relative[i].anon_vma->root.areas);
}

static void pages_of_random_families_lead_to_all_who_may_map_them(void)
{
    if (!family_boot(false))
        return;
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        pages[p] = (struct model_page){.exists = false};
    for (unsigned step = 0; step < 6000; step++) {
        model_step();
        if (step % 8 == 0)
            model_check();
    }
    family_end();
}

static const struct test_case cases[] = {
    TEST_CASE(pages_of_random_families_lead_to_all_who_may_map_them),
    {0},
};
const struct test_suite suite_vm_anon_model = {"vm_anon_model", cases};
