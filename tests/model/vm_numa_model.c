/* tests/model/vm_numa_model.c: random policies against an array of pages
 *
 * The reference knows each page's mode and nodes, where it may be, and what it holds. Ranges are
 * bound, split by rights, moved, unmapped and written to; afterwards each page is on a node that
 * the policy at the time of its allocation, or a move since, allowed.
 */
#include <quire/numa.h>

#include "tests/unit/vm_entries.h"

#define NR_PAGES 64u
#define STEPS 3000u
#define NODE (8 * MIB)

static const struct quire_memblock_region four_nodes[] = {
    {.size = NODE},
    {.base = NODE, .size = NODE, .node = 1},
    {.base = 2 * NODE, .size = NODE, .node = 2},
    {.base = 3 * NODE, .size = NODE, .node = 3},
    {0},
};

static struct {
    unsigned nodes;   /* of the policy; 0: none */
    unsigned allowed; /* where the page may be; 0: there is none */
    uint64_t value;
} model[NR_PAGES];
static struct quire_mm *mm;
static quire_linear_t base;

static quire_linear_t address(unsigned page)
{
    return base + page * PAGE;
}

static unsigned allowed_by(unsigned nodes)
{
    return nodes ? nodes : 1; /* the CPU's, which has memory enough */
}

static void bind(unsigned first, unsigned count, unsigned nodes, bool moves)
{
    struct quire_mempolicy *policy = NULL;
    unsigned mode = test_random_below(2) ? QUIRE_MPOL_BIND : QUIRE_MPOL_INTERLEAVE;
    if (nodes)
        CHECK_EQ(quire_mempolicy_create(&policy, test_vm, mode, nodes), 0);
    CHECK_EQ(quire_mbind(mm, address(first), count * PAGE, policy, moves ? QUIRE_MPOL_MF_MOVE : 0),
             0);
    quire_mempolicy_put(policy);
    for (unsigned i = first; i < first + count; i++) {
        model[i].nodes = nodes;
        if (moves && model[i].allowed)
            model[i].allowed = allowed_by(nodes);
    }
}

static void write_pages(unsigned first, unsigned count, uint64_t value)
{
    for (unsigned i = first; i < first + count; i++) {
        CHECK(poke(address(i), value + i));
        model[i].value = value + i;
        if (!model[i].allowed)
            model[i].allowed = allowed_by(model[i].nodes);
    }
}

static void remap(unsigned first, unsigned count)
{
    int64_t at = quire_mmap(mm, address(first), count * PAGE, READ_WRITE,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0);
    CHECK_EQ(at, (int64_t)address(first));
    for (unsigned i = first; i < first + count; i++)
        model[i].nodes = model[i].allowed = 0;
}

static void split(unsigned first, unsigned count)
{
    CHECK_EQ(quire_mprotect(mm, address(first), count * PAGE, QUIRE_PROT_READ), 0);
    if (test_random_below(2))
        CHECK_EQ(quire_mprotect(mm, address(0), NR_PAGES * PAGE, READ_WRITE), 0);
    else
        CHECK_EQ(quire_mprotect(mm, address(first), count * PAGE, READ_WRITE), 0);
}

static void migrate(void)
{
    unsigned from = test_random_below(4), to = test_random_below(4);
    CHECK_EQ(quire_migrate_pages(mm, 1u << from, 1u << to, false), 0);
    for (unsigned i = 0; i < NR_PAGES; i++)
        if (model[i].allowed >> from & 1)
            model[i].allowed =
                from == to ? model[i].allowed : (model[i].allowed & ~(1u << from)) | 1u << to;
}

/* As many areas as there are runs of one policy; adjacent runs of the same nodes may be two, of two
 * modes. */
static void check_pages_of_model(void)
{
    for (unsigned i = 0; i < NR_PAGES; i++) {
        const struct quire_page *page = page_of(mm, address(i));
        CHECK_EQ(!!page, !!model[i].allowed);
        if (!page)
            continue;
        CHECK(model[i].allowed >> quire_page_node(machine.mem, page) & 1);
        CHECK(holds(address(i), model[i].value));
    }
}

static void step(unsigned number)
{
    unsigned first = test_random_below(NR_PAGES);
    unsigned count = 1 + test_random_below(NR_PAGES - first);
    switch (test_random_below(8)) {
    case 0:
    case 1:
        bind(first, count, test_random_below(16), false);
        break;
    case 2:
        bind(first, count, test_random_below(16), true);
        break;
    case 3:
        remap(first, count / 4 + 1 > NR_PAGES - first ? 1 : count / 4 + 1);
        break;
    case 4:
        split(first, count);
        break;
    case 5:
        migrate();
        break;
    default:
        write_pages(first, count < 8 ? count : 8, (uint64_t)number << 8);
    }
}

static void random_policies_put_pages_where_they_say(void)
{
    if (!vm_boot_map(four_nodes, QUIRE_PT_FORMAT_X86_64, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    __builtin_memset(model, 0, sizeof model);
    mm = mm_new();
    base = map_anon(mm, NR_PAGES * PAGE);
    run_on(mm);
    for (unsigned i = 0; i < STEPS; i++) {
        step(i);
        if (i % 16 == 0)
            check_pages_of_model();
    }
    check_pages_of_model();
    check_reverse_maps();
    mm_end(mm);
    CHECK_EQ(test_vm->nr_policies, 0);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(random_policies_put_pages_where_they_say),
    {0},
};
const struct test_suite suite_vm_numa_model = {"vm_numa_model", cases};
