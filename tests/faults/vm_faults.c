/* tests/faults/vm_faults.c: every allocation and every transfer of address spaces fails once, and
 * nothing is lost by it
 *
 * A scene of operations on areas of each kind is played again and again: maps, forks, moves, other
 * rights, locks, swap out and in, pages moved in memory, pages merged, swapoff, the end. What each
 * page holds is known at any time. A step may fail only because of what was made to fail, and has
 * changed nothing then but what its manual says. Afterwards nothing fails any more: all is
 * compared, put away, and the machine has every page back. Files' own operations are
 * vm_file_faults.c's.
 */
#include <quire/ksm.h>

#include "tests/unit/vm_machine.h"

#define NR_PLACES 5u
#define MOST_PAGES 24u
#define SWAP_SLOTS 200u
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

static bool memory_fails, stores_fail; /* in the scene that is played */

/* Ranges that are mapped, and the word that each page begins with. */
static struct place {
    quire_linear_t at; /* 0: not mapped */
    unsigned pages;
    bool shared;
    uint64_t word[MOST_PAGES];
} places[NR_PLACES];

static struct quire_mm *mm;
static struct quire_mapping *file;
static int area;
static unsigned long failures; /* of steps */
static uint64_t next_word;

/* ---- steps ----------------------------------------------------------------------------------- */

/* Whether a call did what it should; when not, it was for a good reason. */
static bool done(int64_t result)
{
    if (result >= 0)
        return true;
    if (!(result == -QUIRE_ENOMEM && memory_fails) && !(result == -QUIRE_EIO && stores_fail))
        test_note("a step came to %d", (int)result);
    CHECK((result == -QUIRE_ENOMEM && memory_fails) || (result == -QUIRE_EIO && stores_fail));
    failures++;
    return false;
}

/* madvise and mlock call it EAGAIN, as Linux does. */
static bool done_or_again(int result)
{
    if (result == -QUIRE_EAGAIN)
        result = memory_fails ? -QUIRE_ENOMEM : stores_fail ? -QUIRE_EIO : result;
    return done(result);
}

static bool accessed(bool success)
{
    if (success)
        return true;
    CHECK((last_result == QUIRE_VM_OOM && memory_fails) ||
          (last_result == QUIRE_VM_BUS_ADRERR && stores_fail));
    failures++;
    return false;
}

static void map_place(unsigned which, unsigned pages, unsigned flags, struct quire_mapping *mapping)
{
    struct place *p = &places[which];
    int64_t at = quire_mmap(mm, 0, pages * PAGE, RW, flags, mapping, 0);
    *p = (struct place){.pages = pages, .shared = flags & QUIRE_MAP_SHARED};
    if (done(at))
        p->at = (quire_linear_t)at;
    for (unsigned i = 0; mapping && i < pages; i++)
        p->word[i] = word_of(i);
}

static void write_place(struct place *p, unsigned step)
{
    for (unsigned i = 0; p->at && i < p->pages; i += step) {
        uint64_t word = ++next_word;
        if (accessed(poke(p->at + i * PAGE, word)))
            p->word[i] = word;
    }
}

static void read_place(const struct place *p)
{
    for (unsigned i = 0; p->at && i < p->pages; i++) {
        uint64_t word;
        if (accessed(peek(p->at + i * PAGE, &word)))
            CHECK_EQ(word, p->word[i]);
    }
}

static void read_all(void)
{
    for (unsigned i = 0; i < NR_PLACES; i++)
        read_place(&places[i]);
}

static void reclaim(void)
{
    for (unsigned i = 0; i < 6; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
}

/* The middle of a place loses its right to be written, and gets it back; each may be refused. */
static void protect(struct place *p)
{
    uint64_t word = ++next_word;
    if (!p->at || !done(quire_mprotect(mm, p->at + 4 * PAGE, 4 * PAGE, QUIRE_PROT_READ)))
        return;
    last_result = QUIRE_VM_MINOR;
    CHECK(!poke(p->at + 5 * PAGE, word));
    CHECK(last_result == QUIRE_VM_SEGV_ACCERR);
    if (!done(quire_mprotect(mm, p->at + 4 * PAGE, 4 * PAGE, RW)))
        p->at = 0; /* what can't be written isn't looked at any more */
}

static void move(struct place *p, unsigned pages)
{
    if (!p->at)
        return;
    int64_t at = quire_mremap(mm, p->at, p->pages * PAGE, pages * PAGE, QUIRE_MREMAP_MAYMOVE, 0);
    if (!done(at))
        return;
    p->at = (quire_linear_t)at;
    p->pages = pages;
}

static void lock_and_unlock(const struct place *p)
{
    if (!p->at)
        return;
    int error = quire_mlock(mm, p->at, p->pages * PAGE, 0);
    if (error == -QUIRE_ENOMEM && stores_fail)
        error = -QUIRE_EIO; /* what couldn't be read is told like a hole: Linux does so */
    if (done_or_again(error))
        reclaim();
    (void)done(quire_munlock(mm, p->at, p->pages * PAGE));
}

/* The child sees what the parent had, whatever either writes then. */
static void fork_and_write(void)
{
    static struct place before[NR_PLACES];
    struct quire_mm *child, *grandchild;
    if (!done(quire_mm_fork(&child, mm)))
        return;
    __builtin_memcpy(before, places, sizeof before);
    write_place(&places[0], 3);
    write_place(&places[2], 3);
    run_on(child);
    for (unsigned i = 0; i < NR_PLACES; i++)
        if (!before[i].shared)
            read_place(&before[i]);
    write_place(&before[0], 2);
    if (done(quire_mm_fork(&grandchild, child))) {
        run_on(grandchild);
        mm_end(child);
        write_place(&before[1], 2);
        read_place(&before[0]);
        read_place(&before[1]);
        mm_end(grandchild);
    } else {
        mm_end(child);
    }
    run_on(mm);
}

/* Pages of half the machine are moved to the other half. */
static void migrate(void)
{
    quire_pfn_t middle = quire_pfn(PAGES(machine.port.direct_end) / 2);
    quire_pfn_t end = quire_pfn(middle.value + 128);
    int error = quire_alloc_contig_range(machine.mem, middle, end, QUIRE_MIGRATE_MOVABLE,
                                         QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!error)
        quire_free_contig_range(machine.mem, middle, 128);
    (void)quire_compact(machine.mem, -1, -1);
}

static void unmap_middle(struct place *p)
{
    if (!p->at || !done(quire_munmap(mm, p->at + 6 * PAGE, 2 * PAGE)))
        return;
    uint64_t word;
    last_result = QUIRE_VM_MINOR;
    CHECK(!peek(p->at + 6 * PAGE, &word));
    CHECK(last_result == QUIRE_VM_SEGV_MAPERR);
    p->pages = 6; /* the upper part goes with the address space */
}

static void advise(struct place *p)
{
    if (p->at && done_or_again(quire_madvise(mm, p->at, 2 * PAGE, QUIRE_MADV_DONTNEED)))
        p->word[0] = p->word[1] = 0;
    if (p->at)
        (void)done_or_again(quire_madvise(mm, p->at + 3 * PAGE, 3 * PAGE, QUIRE_MADV_DONTFORK));
    if (p->at)
        (void)done_or_again(quire_madvise(mm, p->at + 3 * PAGE, 3 * PAGE, QUIRE_MADV_COLD));
    if (p->at)
        (void)done_or_again(quire_madvise(mm, p->at, p->pages * PAGE, QUIRE_MADV_PAGEOUT));
}

/* Pages of one content become few, which their node has to have room for, and get their own again.
 */
static void merge(struct place *p)
{
    const uint64_t word = ++next_word;
    if (!p->at)
        return;
    for (unsigned i = 0; i < p->pages; i++)
        if (accessed(poke(p->at + i * PAGE, word)))
            p->word[i] = word;
    (void)done(quire_ksm_set_max_sharing(test_vm, 4));
    (void)done(quire_ksm_set_across_nodes(test_vm, false));
    (void)done(quire_ksm_set_zero_pages(test_vm, true));
    if (done_or_again(quire_madvise(mm, p->at, p->pages * PAGE, QUIRE_MADV_MERGEABLE)))
        for (unsigned i = 0; i < 3; i++)
            (void)quire_ksm_scan(test_vm, 1000);
    read_place(p);
    write_place(p, 5);
    (void)done_or_again(quire_madvise(mm, p->at, 3 * PAGE, QUIRE_MADV_UNMERGEABLE));
    (void)done(quire_ksm_unmerge(test_vm));
    read_place(p);
}

static void swap_off_and_on(void)
{
    if (area >= 0 && done(quire_swapoff(test_vm, area)))
        area = -1;
    read_all();
}

static void play(void)
{
    map_place(0, 16, ANON, NULL);
    map_place(1, 12, ANON | QUIRE_MAP_POPULATE, NULL);
    map_place(2, 12, QUIRE_MAP_PRIVATE, file);
    map_place(3, 12, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS, NULL);
    map_place(4, 12, ANON | QUIRE_MAP_NORESERVE, NULL);
    for (unsigned i = 0; i < NR_PLACES; i++)
        write_place(&places[i], 1 + i % 2);
    fork_and_write();
    protect(&places[0]);
    reclaim();
    read_place(&places[0]);
    move(&places[0], 20);
    write_place(&places[0], 1);
    move(&places[3], 12);
    lock_and_unlock(&places[1]);
    migrate();
    reclaim();
    fork_and_write();
    advise(&places[4]);
    migrate();
    read_all();
    unmap_middle(&places[1]);
    merge(&places[4]);
    swap_off_and_on();
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static bool set_up(void)
{
    memory_fails = stores_fail = false;
    if (!vm_boot(4 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    failures = 0;
    next_word = 0;
    __builtin_memset(places, 0, sizeof places);
    file = file_of(12 * PAGE);
    area = swap_of(SWAP_SLOTS);
    mm = mm_new();
    run_on(mm);
    return true;
}

static void look_and_end(void)
{
    unsigned long before = failures;
    quire_vm_check(test_vm);
    read_all();
    CHECK_EQ(failures, before);
    quire_mapping_put(file);
    mm_end(mm);
    if (area >= 0)
        CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

/* ---- objects that can't be had --------------------------------------------------------------- */

static unsigned long calls, first_failure, last_failure;

static bool fails(void *arg)
{
    (void)arg;
    calls++;
    return calls >= first_failure && calls <= last_failure;
}

/* Caches that are debugged ask for each object. */
static const struct quire_slab_config failing = {
    .debug = "FZP", .fail = fails, .fail_objects = true};

static void play_with_failing_slab(bool all)
{
    unsigned long number = 1;
    vm_slab_config = &failing;
    for (;; number++) {
        first_failure = ~0ul;
        if (!set_up())
            break;
        memory_fails = true;
        calls = 0;
        first_failure = number;
        last_failure = all ? ~0ul : number;
        play();
        bool failed = calls >= first_failure;
        first_failure = ~0ul;
        look_and_end();
        if (!failed)
            break;
    }
    vm_slab_config = NULL;
    test_note("%lu allocations failed", number - 1);
    CHECK(number > 100 || QUIRE_PAGE_SHIFT != 12);
}

static void each_allocation_of_an_object_fails(void)
{
    play_with_failing_slab(false);
}

static void all_allocations_of_objects_fail_from_some_on(void)
{
    play_with_failing_slab(true);
}

/* ---- pages that can't be had ----------------------------------------------------------------- */

/* Takes all of the machine's memory but for `left` pages. */
static struct quire_page *take_all_but(unsigned long left)
{
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    for (; chain && left; left--) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        chain = next;
    }
    return chain;
}

/* From `left` pages on there are none but by reclaiming; without swap not even so. */
static void play_with_fewer_pages(bool swap)
{
    unsigned long most = 0;
    for (unsigned long left = 0; left < 160; left++) {
        if (!set_up())
            return;
        if (!swap) {
            CHECK_EQ(quire_swapoff(test_vm, area), 0);
            area = -1;
        }
        memory_fails = true;
        struct quire_page *chain = take_all_but(left);
        play();
        most = failures > most ? failures : most;
        free_chain(chain);
        look_and_end();
    }
    test_note("%lu steps failed at most", most);
    CHECK(most > 20);
}

static void there_are_ever_fewer_pages(void)
{
    play_with_fewer_pages(true);
}

static void there_are_ever_fewer_pages_and_no_swap(void)
{
    play_with_fewer_pages(false);
}

/* An area over four tables, of which the second has no page, beside one that shares its tables. */
static void a_move_that_finds_no_tables_moves_everything_back(void)
{
    const uint64_t table = 512 * PAGE, size = 4 * table;
    const unsigned flags = ANON | QUIRE_MAP_FIXED | QUIRE_MAP_NORESERVE;
    int64_t to = -QUIRE_ENOMEM;
    for (unsigned long left = 0; to == -QUIRE_ENOMEM && left < 20; left++) {
        if (!set_up())
            return;
        quire_linear_t at = 0x40000000, target = 0x80000000 + 16 * PAGE;
        CHECK_EQ(quire_mmap(mm, at, size, RW, flags, NULL, 0), at);
        /* A table is there where the second part, which has none, goes to. */
        CHECK_EQ(quire_mmap(mm, target + size, PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0),
                 target + size);
        CHECK(poke(target + size, 5));
        for (unsigned part = 0; part < 4; part++)
            if (part != 1)
                CHECK(poke(at + part * table, 100 + part));
        struct quire_page *chain = take_all_but(left);
        to = quire_mremap(mm, at, size, size, QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, target);
        free_chain(chain);
        CHECK(to == (int64_t)target || to == -QUIRE_ENOMEM);
        for (unsigned part = 0; part < 4; part++)
            CHECK(holds((to > 0 ? target : at) + part * table, part == 1 ? 0 : 100 + part));
        CHECK(holds(target + size, 5));
        look_and_end();
    }
    CHECK(to > 0);
}

/* ---- transfers ------------------------------------------------------------------------------- */

/* Transfer `number` of a store fails, alone or with all that come after it. */
static void play_with_failing_store(struct store *store, bool write, bool all)
{
    unsigned *countdown = write ? &store->fail_write : &store->fail_read;
    for (unsigned number = 1; number < 500; number++) {
        if (!set_up())
            return;
        stores_fail = true;
        *countdown = number;
        store->break_at_failure = all;
        play();
        bool failed = !*countdown;
        *countdown = 0;
        store->break_at_failure = store->broken = false;
        look_and_end();
        if (!failed) {
            test_note("%u transfers failed", number - 1);
            return;
        }
    }
    test_fail(__FILE__, __LINE__, "the scene never ends");
}

static void each_transfer_fails(void)
{
    play_with_failing_store(&file_store, false, false);
    play_with_failing_store(&swap_store, false, false);
    play_with_failing_store(&swap_store, true, false);
}

static void all_transfers_fail_from_some_on(void)
{
    play_with_failing_store(&file_store, false, true);
    play_with_failing_store(&swap_store, false, true);
    play_with_failing_store(&swap_store, true, true);
}

static const struct test_case cases[] = {
    TEST_CASE(each_allocation_of_an_object_fails),
    TEST_CASE(all_allocations_of_objects_fail_from_some_on),
    TEST_CASE(there_are_ever_fewer_pages),
    TEST_CASE(there_are_ever_fewer_pages_and_no_swap),
    TEST_CASE(a_move_that_finds_no_tables_moves_everything_back),
    TEST_CASE(each_transfer_fails),
    TEST_CASE(all_transfers_fail_from_some_on),
    {0},
};
const struct test_suite suite_vm_faults = {"vm_faults", cases};
