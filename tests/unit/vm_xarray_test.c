/* tests/unit/vm_xarray_test.c: sparse arrays against plain ones
 *
 * The plain array has AREA indices from each of several places on, from the lowest to the last that
 * there can be.
 */
#include "tests/unit/slab_machine.h"
#include "vm/xarray.h"

static struct quire_vm vm;
static struct xarray xa;
static struct xa_reserve reserve;

static bool xa_boot(const struct quire_slab_config *config)
{
    if (!slab_boot(config))
        return false;
    vm = (struct quire_vm){.mem = machine.mem, .slab = slab};
    vm.xa_cache = cache_of("xa_node", sizeof(struct xa_node), QUIRE_SLAB_NO_MERGE);
    xa = (struct xarray){0};
    reserve = (struct xa_reserve){.count = 0};
    return vm.xa_cache;
}

static void xa_end(void)
{
    xa_release(&vm, &reserve);
    CHECK_EQ(info_of(vm.xa_cache).nr_active, 0);
    destroy(vm.xa_cache);
    slab_end();
}

static uintptr_t put(uint64_t index, uintptr_t word)
{
    CHECK_EQ(xa_prepare(&vm, &reserve, QUIRE_GFP_KERNEL), 0);
    unsigned missing = xa_missing(&xa, index), had = reserve.count;
    uintptr_t old = xa_store(&vm, &xa, index, word, &reserve);
    CHECK_EQ(had - reserve.count, word ? missing : 0);
    return old;
}

static void words_are_found_where_they_were_stored(void)
{
    static const uint64_t indices[] = {
        0, 1, 63, 64, 65, 4095, 4096, 262143, 262144, UINT64_C(1) << 40, XA_LAST};
    enum { COUNT = sizeof indices / sizeof *indices };
    if (!xa_boot(NULL))
        return;
    CHECK_EQ(xa_load(&xa, 0), 0);
    CHECK_EQ(xa_load(&xa, XA_LAST), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_EQ(put(indices[i], xa_number(i + 1)), 0);
        xa_check(&xa);
    }
    CHECK_EQ(xa.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(xa_is_number(xa_load(&xa, indices[i])));
        CHECK_EQ(xa_to_number(xa_load(&xa, indices[i])), i + 1);
        CHECK_EQ(put(indices[i], (uintptr_t)&vm), xa_number(i + 1));
        CHECK(!xa_is_number(xa_load(&xa, indices[i])));
    }
    CHECK_EQ(xa_load(&xa, 2), 0);
    CHECK_EQ(xa_load(&xa, 4097), 0);
    /* Ranges within a node, over its end, and where there is none. */
    static const uint64_t firsts[] = {0, 60, 4090, 262140, 300, XA_LAST - 15};
    for (unsigned i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        uintptr_t word[16];
        xa_load_range(&xa, firsts[i], 16, word);
        for (unsigned n = 0; n < 16; n++)
            CHECK_EQ(word[n], xa_load(&xa, firsts[i] + n));
    }
    for (unsigned i = COUNT; i-- > 0;) {
        CHECK_EQ(xa_store(&vm, &xa, indices[i], 0, NULL), (uintptr_t)&vm);
        CHECK_EQ(xa_store(&vm, &xa, indices[i], 0, NULL), 0);
        xa_check(&xa);
    }
    CHECK(!xa.root && !xa.height && !xa.count);
    xa_end();
}

/* A reserve serves for the worst that one store can need. */
static void a_low_array_can_get_its_highest_index_at_once(void)
{
    if (!xa_boot(NULL))
        return;
    put(0, xa_number(1));
    CHECK_EQ(xa.height, 1);
    CHECK_EQ(xa_missing(&xa, XA_LAST), XA_MOST_NODES);
    put(XA_LAST, xa_number(2));
    CHECK_EQ(xa.height, XA_MAX_HEIGHT);
    xa_check(&xa);
    CHECK_EQ(put(XA_LAST, 0), xa_number(2));
    CHECK_EQ(xa.height, 1);
    put(0, 0);
    put(XA_LAST, xa_number(2));
    CHECK_EQ(info_of(vm.xa_cache).nr_active, XA_MAX_HEIGHT + reserve.count);
    put(XA_LAST, 0);
    xa_end();
}

static void the_lowest_free_index_is_found_behind_full_nodes(void)
{
    if (!xa_boot(NULL))
        return;
    CHECK_EQ(xa_free_index(&xa, 0), 0);
    CHECK_EQ(xa_free_index(&xa, 1000), 1000);
    for (uint64_t i = 0; i < 4200; i++) {
        CHECK_EQ(xa_free_index(&xa, 0), i);
        put(i, xa_number(1));
    }
    CHECK_EQ(xa_free_index(&xa, 4096), 4200);
    CHECK_EQ(xa_free_index(&xa, UINT64_C(1) << 30), UINT64_C(1) << 30);
    put(70, 0);
    put(4095, 0);
    CHECK_EQ(xa_free_index(&xa, 0), 70);
    CHECK_EQ(xa_free_index(&xa, 70), 70);
    CHECK_EQ(xa_free_index(&xa, 71), 4095);
    for (uint64_t i = 0; i < 4200; i++)
        put(i, 0);
    for (uint64_t i = 0; i < 64; i++)
        put(XA_LAST - i, xa_number(1));
    CHECK_EQ(xa_free_index(&xa, XA_LAST - 5), XA_LAST + 1);
    for (uint64_t i = 0; i < 64; i++)
        put(XA_LAST - i, 0);
    xa_end();
}

static bool no_memory;

static bool fails(void *arg)
{
    (void)arg;
    return no_memory;
}

static void preparing_fails_whole_or_not_at_all(void)
{
    if (!xa_boot(&(struct quire_slab_config){.fail = fails}))
        return;
    no_memory = true;
    CHECK_EQ(xa_prepare(&vm, &reserve, QUIRE_GFP_KERNEL), -QUIRE_ENOMEM);
    no_memory = false;
    CHECK_EQ(reserve.count, 0);
    CHECK_EQ(xa_prepare(&vm, &reserve, QUIRE_GFP_KERNEL), 0);
    CHECK_EQ(reserve.count, XA_MOST_NODES);
    CHECK_EQ(xa_prepare(&vm, &reserve, QUIRE_GFP_KERNEL), 0);
    xa_store(&vm, &xa, 9, xa_number(1), &reserve);
    CHECK_EQ(reserve.count, XA_MOST_NODES - 1);
    put(9, 0);
    xa_end();
}

/* ---- model ----------------------------------------------------------------------------------- */

#define AREA 300u
static const uint64_t places[] = {
    0,
    AREA,
    4096 - 150,
    9000,
    262144 - 1,
    UINT64_C(1) << 30,
    (UINT64_C(1) << 36) - 100,
    XA_LAST + 1 - AREA,
};
#define AREAS (sizeof places / sizeof *places)
#define WORDS (AREA * AREAS)

static struct {
    uintptr_t word[WORDS];
    bool marked[WORDS];
} plain;

static uint64_t index_of(unsigned i)
{
    return places[i / AREA] + i % AREA;
}

static void compare_next(unsigned from, unsigned to, bool marked)
{
    uint64_t index = index_of(from), last = index_of(to);
    unsigned i = from;
    uintptr_t word = marked ? xa_next_marked(&xa, &index, last) : xa_next(&xa, &index, last);
    while (i <= to && (marked ? !plain.marked[i] : !plain.word[i]))
        i++;
    CHECK_EQ(word, i <= to ? plain.word[i] : 0);
    CHECK_EQ(index, i <= to ? index_of(i) : index_of(from));
}

static void compare_free(unsigned from)
{
    uint64_t free = index_of(from);
    for (unsigned i = from; i < WORDS && index_of(i) <= free && plain.word[i]; i++)
        free++;
    CHECK_EQ(xa_free_index(&xa, index_of(from)), free);
}

static void store_one(unsigned i)
{
    uintptr_t word = test_random_below(3) ? xa_number(test_random_below(1u << 30)) : 0;
    CHECK_EQ(put(index_of(i), word), plain.word[i]);
    plain.word[i] = word;
    plain.marked[i] = plain.marked[i] && word;
}

/* Runs of one area filled or emptied, so that nodes become full and empty. */
static void store_run(void)
{
    unsigned area = test_random_below(AREAS), from = area * AREA + test_random_below(AREA);
    bool fill = test_random_below(2);
    for (unsigned i = from; i < (area + 1) * AREA; i++) {
        uintptr_t word = fill ? xa_number(i) : 0;
        CHECK_EQ(put(index_of(i), word), plain.word[i]);
        plain.word[i] = word;
        plain.marked[i] = plain.marked[i] && fill;
    }
}

static void random_operations_agree_with_a_plain_array(void)
{
    if (!xa_boot(NULL))
        return;
    __builtin_memset(&plain, 0, sizeof plain);
    unsigned long count = 0;
    for (uint64_t n = 0; n < test_environment.effort / 4; n++) {
        unsigned i = test_random_below(WORDS), j = test_random_below(WORDS);
        switch (test_random_below(8)) {
        case 0:
            if (test_random_below(20) == 0)
                store_run();
            break;
        case 1:
            xa_set_mark(&xa, index_of(i), n % 3);
            plain.marked[i] = plain.word[i] && n % 3;
            break;
        case 2:
            compare_next(i < j ? i : j, i < j ? j : i, n % 2);
            break;
        case 3:
            compare_free(i);
            break;
        default:
            store_one(i);
        }
        CHECK_EQ(xa_load(&xa, index_of(j)), plain.word[j]);
        CHECK_EQ(xa_is_marked(&xa, index_of(j)), plain.marked[j]);
        if (n % 256 == 0)
            xa_check(&xa);
    }
    for (unsigned i = 0; i < WORDS; i++) {
        count += plain.word[i] != 0;
        put(index_of(i), plain.word[i]);
    }
    CHECK_EQ(xa.count, count);
    for (unsigned i = 0; i < WORDS; i++)
        put(index_of(i), 0);
    CHECK(!xa.root);
    xa_end();
}

static const struct test_case cases[] = {
    TEST_CASE(words_are_found_where_they_were_stored),
    TEST_CASE(a_low_array_can_get_its_highest_index_at_once),
    TEST_CASE(the_lowest_free_index_is_found_behind_full_nodes),
    TEST_CASE(preparing_fails_whole_or_not_at_all),
    TEST_CASE(random_operations_agree_with_a_plain_array),
    {0},
};
const struct test_suite suite_vm_xarray = {"vm_xarray", cases};
