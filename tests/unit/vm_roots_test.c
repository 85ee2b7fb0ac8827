/* tests/unit/vm_roots_test.c: roots by id */
#include "tests/unit/slab_machine.h"
#include "vm/rmap.h"

#define MANY 3000u

static struct quire_vm machine_roots; /* a quire_vm of which there is nothing but roots */
static struct root roots[MANY];
static unsigned nr_released;
static unsigned long calls, first_failure; /* of allocations: all from that one on fail */

static bool fails(void *arg)
{
    (void)arg;
    return ++calls >= first_failure;
}

static void fail_from(unsigned long number)
{
    calls = 0;
    first_failure = number;
}

static void release(struct quire_vm *vm, struct root *root)
{
    CHECK(vm == &machine_roots);
    CHECK(root >= roots && root < roots + MANY);
    nr_released++;
}

static bool boot(void)
{
    static const struct quire_slab_config failing = {.fail = fails};
    fail_from(~0ul);
    if (!slab_boot(&failing))
        return false;
    machine_roots = (struct quire_vm){.mem = machine.mem, .slab = slab};
    nr_released = 0;
    CHECK_EQ(roots_create(&machine_roots), 0);
    return true;
}

static void end(void)
{
    roots_destroy(&machine_roots);
    slab_end();
}

static void make(struct root *root, enum page_kind kind)
{
    CHECK_EQ(root_init(&machine_roots, root, kind, NULL, release), 0);
}

/* A page that names the root of an id. */
static struct quire_page page_of(enum page_kind kind, uint32_t id)
{
    struct quire_page page = {.refcount = 1};
    page_start(&page);
    page_set_root(&page, kind, id);
    return page;
}

static void ids_are_dense_and_lead_to_their_roots(void)
{
    if (!boot())
        return;
    for (unsigned i = 0; i < MANY; i++) {
        make(&roots[i], PAGE_KIND_ANON);
        CHECK_EQ(roots[i].id, i + 1);
        CHECK(roots[i].locked == &roots[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct quire_page page = page_of(PAGE_KIND_ANON, roots[i].id);
        CHECK(root_of_page(&machine_roots, &page) == &roots[i]);
        CHECK_EQ(roots[i].refs, 2);
        root_put(&machine_roots, &roots[i]);
    }
    CHECK_EQ(nr_released, 0);
    for (unsigned i = 0; i < MANY; i++)
        root_put(&machine_roots, &roots[i]);
    CHECK_EQ(nr_released, MANY);
    end();
}

static void an_id_is_used_again_after_the_last_reference(void)
{
    if (!boot())
        return;
    for (unsigned i = 0; i < 3; i++)
        make(&roots[i], PAGE_KIND_FILE);
    struct quire_page page = page_of(PAGE_KIND_FILE, roots[1].id);
    CHECK(root_of_page(&machine_roots, &page) == &roots[1]);
    root_put(&machine_roots, &roots[1]);
    CHECK_EQ(nr_released, 0);
    root_put(&machine_roots, &roots[1]);
    CHECK_EQ(nr_released, 1);
    CHECK(!root_of_page(&machine_roots, &page));
    make(&roots[3], PAGE_KIND_FILE);
    CHECK_EQ(roots[3].id, page_root_id(&page));
    CHECK(root_of_page(&machine_roots, &page) == &roots[3]);
    root_put(&machine_roots, &roots[3]);
    root_put(&machine_roots, &roots[0]);
    root_put(&machine_roots, &roots[2]);
    root_put(&machine_roots, &roots[3]);
    end();
}

static void a_page_without_a_root_and_one_of_another_kind_have_none(void)
{
    if (!boot())
        return;
    make(&roots[0], PAGE_KIND_SHMEM);
    struct quire_page none = page_of(PAGE_KIND_NONE, 0);
    struct quire_page anon = page_of(PAGE_KIND_ANON, roots[0].id);
    struct quire_page unused = page_of(PAGE_KIND_ANON, roots[0].id + 1);
    CHECK(!root_of_page(&machine_roots, &none));
    CHECK(!root_of_page(&machine_roots, &anon));
    CHECK(!root_of_page(&machine_roots, &unused));
    root_put(&machine_roots, &roots[0]);
    end();
}

static void without_memory_for_the_table_there_is_no_root(void)
{
    unsigned failures = 0;
    bool failed = true;
    for (unsigned long number = 1; failed; number++) {
        unsigned made = 0;
        if (!boot())
            return;
        fail_from(number);
        int error = 0;
        while (made < MANY &&
               !(error = root_init(&machine_roots, &roots[made], PAGE_KIND_ANON, NULL, release)))
            made++;
        failed = calls >= first_failure;
        fail_from(~0ul);
        CHECK_EQ(error, error ? -QUIRE_ENOMEM : 0);
        failures += error != 0;
        if (error) { /* it goes on where it was */
            make(&roots[made], PAGE_KIND_ANON);
            CHECK_EQ(roots[made].id, made + 1);
            made++;
        }
        while (made)
            root_put(&machine_roots, &roots[--made]);
        end();
    }
    CHECK(failures > 1);
}

static void a_root_of_a_family_keeps_the_first_one(void)
{
    struct root *first = &roots[0], *of_family = &roots[1];
    if (!boot())
        return;
    make(first, PAGE_KIND_ANON);
    CHECK_EQ(root_init(&machine_roots, of_family, PAGE_KIND_ANON, first, release), 0);
    CHECK(of_family->locked == first && first->locked == first);
    CHECK_EQ(first->refs, 2);
    root_put(&machine_roots, of_family);
    root_put(&machine_roots, first); /* what the family's release would do */
    CHECK_EQ(nr_released, 1);
    root_put(&machine_roots, first);
    CHECK_EQ(nr_released, 2);
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_root_of_a_family_keeps_the_first_one),
    TEST_CASE(ids_are_dense_and_lead_to_their_roots),
    TEST_CASE(an_id_is_used_again_after_the_last_reference),
    TEST_CASE(a_page_without_a_root_and_one_of_another_kind_have_none),
    TEST_CASE(without_memory_for_the_table_there_is_no_root),
    {0},
};
const struct test_suite suite_vm_roots = {"vm_roots", cases};
