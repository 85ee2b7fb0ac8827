/* tests/model/vmalloc_model.c: random ranges of vmalloc against a list of them
 *
 * Few addresses and a small lazy limit, so that both ways to a purge are taken. After each
 * operation what it made is looked at: no range touches another, its pages hold what was written
 * last, its guard and what was freed are unmapped. Now and then everything is.
 */
#include "tests/unit/vmalloc_machine.h"

#define RANGES 120u
#define MOST_PAGES 12u

static struct range {
    quire_linear_t start; /* 0: none */
    unsigned long pages;
    uint64_t seed;
} ranges[RANGES];

static bool is_apart(const struct range *r)
{
    quire_linear_t end = r->start + (r->pages + 1) * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < RANGES; i++) {
        const struct range *other = &ranges[i];
        quire_linear_t other_end = other->start + (other->pages + 1) * QUIRE_PAGE_SIZE;
        if (other != r && other->start && other->start < end && r->start < other_end)
            return false;
    }
    return r->start >= vm_start;
}

static void look(const struct range *r)
{
    CHECK(is_apart(r));
    CHECK(vm_is_filled(r->start, r->pages, r->seed));
    CHECK(!vm_byte(r->start + r->pages * QUIRE_PAGE_SIZE));
}

static void create(struct range *r)
{
    r->pages = 1 + test_random_below(MOST_PAGES);
    r->seed = test_random();
    r->start = quire_vmalloc(vm, r->pages * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!r->start)
        return;
    vm_fill(r->start, r->pages, r->seed);
    look(r);
}

static void destroy_range(struct range *r)
{
    look(r);
    quire_vfree(vm, r->start);
    CHECK(vm_is_unmapped(r->start, r->pages + 1));
    r->start = 0;
}

static void look_at_all(void)
{
    unsigned long pages = 0, count = 0;
    for (unsigned i = 0; i < RANGES; i++)
        if (ranges[i].start) {
            look(&ranges[i]);
            pages += ranges[i].pages;
            count++;
        }
    CHECK_EQ(vm_info().nr_ranges, count);
    CHECK_EQ(vm_info().nr_pages, pages);
    quire_vmalloc_check(vm);
}

static void run(enum quire_pt_format_id format, unsigned long operations)
{
    unsigned long refused = 0;
    if (!vmalloc_boot(&(struct vm_setup){.format = format, .pages = 600, .lazy_pages = 150}))
        return;
    for (unsigned long i = 0; i < operations; i++) {
        struct range *r = &ranges[test_random_below(RANGES)];
        if (r->start)
            destroy_range(r);
        else {
            create(r);
            refused += !r->start;
        }
        if (i % 256 == 0)
            look_at_all();
    }
    look_at_all();
    CHECK(vm_info().nr_purges > operations / 1000);
    for (unsigned i = 0; i < RANGES; i++)
        if (ranges[i].start)
            destroy_range(&ranges[i]);
    test_note("%lu refused", refused);
    vmalloc_end();
}

static void random_ranges_keep_apart_and_keep_their_contents(void)
{
    run(QUIRE_PT_FORMAT_X86_64, (unsigned long)test_environment.effort / 20);
    run(QUIRE_PT_FORMAT_I386, (unsigned long)test_environment.effort / 20);
}

static const struct test_case cases[] = {
    TEST_CASE(random_ranges_keep_apart_and_keep_their_contents),
    {0},
};
const struct test_suite suite_vmalloc_model = {"vmalloc_model", cases};
