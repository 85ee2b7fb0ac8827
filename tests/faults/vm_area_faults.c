/* tests/faults/vm_area_faults.c: each allocation of each call that changes areas fails once, and
 * then nothing has changed
 *
 * The caches of areas, of chains of reverse maps, of anonymous families and of files are replaced
 * by ones whose slabs hold one object each, so that every object asks for pages.
 */
#include "tests/unit/vm_entries.h"
#include "tests/unit/vm_machine.h"
#include "vm/area.h"
#include "vm/cache.h"

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)
#define AT ((quire_linear_t)0x10000000)
#define OTHER ((quire_linear_t)0x20000000)
#define STACK ((quire_linear_t)0x30000000)
#define HEAP ((quire_linear_t)0x40000000)
#define NR_CACHES 4u

static struct quire_mm *mm;
static struct quire_kmem_cache *usual[NR_CACHES], *single[NR_CACHES];
static unsigned long calls, failure; /* of the slab's questions; the one that is answered with no */

static bool fails(void *arg)
{
    (void)arg;
    return ++calls == failure;
}

/* ---- caches ---------------------------------------------------------------------------------- */

static struct quire_kmem_cache **cache_place(unsigned i)
{
    struct quire_kmem_cache **places[NR_CACHES] = {&test_vm->vma_cache, &test_vm->chain_cache,
                                                   &test_vm->anon_vma_cache,
                                                   &test_vm->mapping_cache};
    return places[i];
}

static bool begin(void)
{
    static const struct quire_slab_config config = {.fail = fails};
    static const char *const names[] = {"single_area", "single_chain", "single_anon_vma",
                                        "single_mapping"};
    vm_slab_config = &config;
    failure = 0;
    bool booted = vm_boot(32 * MIB, QUIRE_PT_FORMAT_X86_64);
    vm_slab_config = NULL;
    if (!booted)
        return false;
    for (unsigned i = 0; i < NR_CACHES; i++) {
        single[i] = cache_of(names[i], QUIRE_PAGE_SIZE, QUIRE_SLAB_CONSISTENCY_CHECKS);
        CHECK_EQ(quire_kmem_cache_set_order(single[i], 0), 0);
        usual[i] = *cache_place(i);
        *cache_place(i) = single[i];
    }
    mm = mm_new();
    run_on(mm);
    return true;
}

static void finish(void)
{
    run_on(NULL);
    quire_vm_check(test_vm);
    mm_end(mm);
    CHECK_EQ(test_vm->committed, 0);
    for (unsigned i = 0; i < NR_CACHES; i++) {
        *cache_place(i) = usual[i];
        destroy(single[i]);
    }
    vm_end();
}

/* ---- what may not change --------------------------------------------------------------------- */

struct state {
    char maps[2048];
    size_t length;
    struct quire_mm_info info;
    long committed;
    unsigned long objects;
    quire_linear_t brk;
};

static void collect(void *arg, const char *piece, size_t length)
{
    struct state *state = arg;
    for (size_t i = 0; i < length && state->length < sizeof state->maps; i++)
        state->maps[state->length++] = piece[i];
}

static void look(struct state *state)
{
    *state = (struct state){.info = mm_info(mm), .committed = test_vm->committed, .brk = mm->brk};
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_SMAPS, QUIRE_FORMAT_TEXT, collect, state), 0);
    for (unsigned i = 0; i < NR_CACHES; i++)
        state->objects += info_of(single[i]).nr_active;
    /* Faults that found no memory are counted. */
    state->info.min_flt = state->info.maj_flt = 0;
}

static void check_same(const struct state *a, const struct state *b)
{
    CHECK_EQ(a->length, b->length);
    CHECK(!__builtin_memcmp(a->maps, b->maps, sizeof a->maps));
    CHECK(!__builtin_memcmp(&a->info, &b->info, sizeof a->info));
    CHECK_EQ(a->committed, b->committed);
    CHECK_EQ(a->objects, b->objects);
    CHECK_EQ(a->brk, b->brk);
}

static void forget_empty_slabs(void)
{
    for (unsigned i = 0; i < NR_CACHES; i++)
        (void)quire_kmem_cache_shrink(single[i]);
    (void)quire_slab_shrink(slab, -1);
}

/* Until it succeeds. `error`: what it says without memory. The number of failures. */
static unsigned fail_each(int64_t (*operation)(void), int error)
{
    static struct state before, after;
    for (unsigned number = 1;; number++) {
        forget_empty_slabs();
        look(&before);
        forget_empty_slabs();
        calls = 0;
        failure = number;
        int64_t result = operation();
        failure = 0;
        if (result >= 0)
            return number - 1;
        CHECK_EQ(result, error);
        look(&after);
        check_same(&before, &after);
        areas_check(mm);
        if (number == 100)
            test_fail(__FILE__, __LINE__, "the operation never succeeds");
        if (number == 100)
            return number;
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Eight pages that were written, so that there are reverse maps; a file's; and shared memory. */
static void make_areas(void)
{
    const unsigned fixed = QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED;
    struct quire_mapping *file = file_of(8 * PAGE);
    CHECK_EQ(quire_mmap(mm, AT, 8 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)AT);
    CHECK_EQ(quire_mmap(mm, OTHER, 8 * PAGE, RW, fixed, file, 0), (int64_t)OTHER);
    CHECK_EQ(quire_mmap(mm, STACK, PAGE, RW, ANON | QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN, NULL, 0),
             (int64_t)STACK);
    for (unsigned i = 0; i < 8; i++) {
        CHECK(poke(AT + i * PAGE, i));
        CHECK(poke(OTHER + i * PAGE, i));
    }
    struct quire_mm_program program = {.brk = HEAP};
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    quire_mapping_put(file);
}

static int64_t do_mmap(void)
{
    return quire_mmap(mm, 0, 2 * PAGE, R, ANON, NULL, 0);
}

static int64_t do_mmap_shared(void)
{
    return quire_mmap(mm, 0, 2 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS, NULL, 0);
}

static int64_t do_mmap_within(void)
{
    return quire_mmap(mm, AT + 2 * PAGE, 2 * PAGE, R, ANON | QUIRE_MAP_FIXED, NULL, 0);
}

static int64_t do_munmap(void)
{
    return quire_munmap(mm, OTHER + 2 * PAGE, 2 * PAGE);
}

/* From within one area into another, over a third. */
static int64_t do_munmap_across(void)
{
    failure = 0;
    CHECK_EQ(quire_mprotect(mm, OTHER + 2 * PAGE, 2 * PAGE, R), 0);
    failure = calls + 1;
    return quire_munmap(mm, OTHER + PAGE, 5 * PAGE);
}

static int64_t do_mprotect(void)
{
    return quire_mprotect(mm, AT + 3 * PAGE, 2 * PAGE, R);
}

static int64_t do_madvise(void)
{
    return quire_madvise(mm, OTHER + 3 * PAGE, 2 * PAGE, QUIRE_MADV_RANDOM);
}

static int64_t do_mlock(void)
{
    return quire_mlock(mm, AT + 3 * PAGE, 2 * PAGE, QUIRE_MLOCK_ONFAULT);
}

static int64_t do_mremap_grow(void)
{
    return quire_mremap(mm, AT, 8 * PAGE, 9 * PAGE, 0, 0);
}

static int64_t do_mremap_move(void)
{
    return quire_mremap(mm, AT + 2 * PAGE, 3 * PAGE, 4 * PAGE, QUIRE_MREMAP_MAYMOVE, 0);
}

static int64_t do_mremap_fixed(void)
{
    return quire_mremap(mm, OTHER + 2 * PAGE, 3 * PAGE, 3 * PAGE,
                        QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, 0x50000000);
}

static int64_t do_brk(void)
{
    return quire_brk(mm, HEAP + PAGE) == HEAP + PAGE ? 0 : -QUIRE_ENOMEM;
}

static int64_t do_stack(void)
{
    return quire_handle_fault(mm, STACK - 2 * PAGE, QUIRE_FAULT_FLAG_USER | QUIRE_FAULT_FLAG_WRITE,
                              NULL) == QUIRE_VM_MINOR
               ? 0
               : -QUIRE_ENOMEM;
}

/* `needs`: objects that it needs. */
static void run_one(int64_t (*operation)(void), int error, unsigned needs)
{
    if (!begin())
        return;
    make_areas();
    CHECK_EQ(fail_each(operation, error), needs);
    check_reverse_maps();
    finish();
}

static void mapping_fails_whole(void)
{
    run_one(do_mmap, -QUIRE_ENOMEM, 1);
    run_one(do_mmap_shared, -QUIRE_ENOMEM, 2);
    run_one(do_mmap_within, -QUIRE_ENOMEM, 3); /* two areas, a chain */
}

static void unmapping_fails_whole(void)
{
    run_one(do_munmap, -QUIRE_ENOMEM, 2);
    run_one(do_munmap_across, -QUIRE_ENOMEM, 0);
}

static void changing_fails_whole(void)
{
    run_one(do_mprotect, -QUIRE_ENOMEM, 4);
    run_one(do_madvise, -QUIRE_EAGAIN, 4);
    run_one(do_mlock, -QUIRE_ENOMEM, 4);
}

static void moving_fails_whole(void)
{
    run_one(do_mremap_grow, -QUIRE_ENOMEM, 0);
    run_one(do_mremap_move, -QUIRE_ENOMEM, 4);
    run_one(do_mremap_fixed, -QUIRE_ENOMEM, 4);
}

static void growing_fails_whole(void)
{
    run_one(do_brk, -QUIRE_ENOMEM, 1);
    run_one(do_stack, -QUIRE_ENOMEM, 2);
}

/* Tables for the new place are what is short: entries that have moved go back. */
static void without_pages_for_tables_a_move_goes_back(void)
{
    static struct state before, after;
    const quire_linear_t from = 0x60000000, to = 0x700001ff000;
    if (!begin())
        return;
    CHECK_EQ(quire_mmap(mm, from, 6 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)from);
    for (unsigned i = 0; i < 6; i++)
        CHECK(poke(from + i * PAGE, i));
    int64_t result = -QUIRE_ENOMEM;
    unsigned pages = 0, failures = 0;
    for (; result < 0 && pages < 64; pages++) {
        struct quire_page *chain, *few;
        look(&before);
        forget_empty_slabs();
        CHECK(take_pages(QUIRE_GFP_KERNEL, pages, &few) == pages);
        (void)take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN, ~0ul, &chain);
        free_chain(few);
        result = quire_mremap(mm, from, 6 * PAGE, 6 * PAGE,
                              QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, to);
        free_chain(chain);
        if (result >= 0)
            break;
        failures++;
        CHECK_EQ(result, -QUIRE_ENOMEM);
        look(&after);
        after.info.tables = before.info.tables; /* empty ones may stay */
        check_same(&before, &after);
        for (unsigned i = 0; i < 6; i++)
            CHECK(holds(from + i * PAGE, i));
        check_reverse_maps();
    }
    CHECK_EQ(result, (int64_t)to);
    CHECK(failures >= 5);
    for (unsigned i = 0; i < 6; i++)
        CHECK(holds(to + i * PAGE, i));
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(mapping_fails_whole),
    TEST_CASE(unmapping_fails_whole),
    TEST_CASE(changing_fails_whole),
    TEST_CASE(moving_fails_whole),
    TEST_CASE(growing_fails_whole),
    TEST_CASE(without_pages_for_tables_a_move_goes_back),
    {0},
};

const struct test_suite suite_vm_area_faults = {"vm_area_faults", cases};
