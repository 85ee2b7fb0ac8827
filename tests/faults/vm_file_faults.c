/* tests/faults/vm_file_faults.c: every allocation and every transfer of files and shared memory
 * fails once, and nothing is lost by it
 *
 * A scene of two processes with a file and shared memory is played again and again. Each step may
 * fail only because of what was made to fail, and then has changed nothing but what its manual
 * says; what is there is known at any time. Afterwards all is compared, what couldn't be written is
 * written, and the machine has every page back.
 */
#include "tests/unit/vm_machine.h"

#define FILE_PAGES 12u
#define SIZE (FILE_PAGES * PAGE)
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define NR_OBJECTS 2u

/* What may go wrong in the scene that is played. */
static bool memory_fails, stores_fail;

static struct object {
    struct quire_mapping *mapping;
    uint64_t pages;
    uint64_t word[FILE_PAGES + 4]; /* at each page's beginning */
    quire_linear_t shared;         /* 0: not mapped */
} objects[NR_OBJECTS];             /* a file, shared memory */

static struct {
    quire_linear_t at;
    bool own[FILE_PAGES];
    uint64_t word[FILE_PAGES];
} copies;

static struct quire_mm *mm;
static unsigned long failures; /* of steps */

/* ---- steps ----------------------------------------------------------------------------------- */

/* Whether a call did what it should; when not, it was for a good reason. */
static bool done(int64_t result, int64_t expected)
{
    if (result == expected)
        return true;
    CHECK((result == -QUIRE_ENOMEM && memory_fails) || (result == -QUIRE_EIO && stores_fail));
    failures++;
    return false;
}

/* The same of an access. */
static bool accessed(bool success)
{
    if (success)
        return true;
    CHECK((last_result == QUIRE_VM_OOM && memory_fails) ||
          (last_result == QUIRE_VM_BUS_ADRERR && stores_fail));
    failures++;
    return false;
}

static void write_words(struct object *o)
{
    for (uint64_t page = 0; page < FILE_PAGES + 2; page += 3) {
        uint64_t word = 1000 + page;
        if (!done(quire_mapping_write(o->mapping, page * PAGE, &word, 8), 8))
            continue;
        o->word[page] = word;
        if (page >= o->pages)
            o->pages = page + 1;
    }
}

static void read_words(struct object *o)
{
    for (uint64_t page = 0; page < o->pages; page++) {
        uint64_t word;

        if (done(quire_mapping_read(o->mapping, page * PAGE, &word, 8), 8))
            CHECK_EQ(word, o->word[page]);
    }
}

static void map_all(void)
{
    for (unsigned i = 0; i < NR_OBJECTS; i++) {
        int64_t at = quire_mmap(mm, 0, SIZE, RW, QUIRE_MAP_SHARED, objects[i].mapping, 0);
        objects[i].shared = done(at > 0 ? 0 : at, 0) ? (quire_linear_t)at : 0;
    }
    int64_t at = quire_mmap(mm, 0, SIZE, RW, QUIRE_MAP_PRIVATE, objects[0].mapping, 0);
    copies.at = done(at > 0 ? 0 : at, 0) ? (quire_linear_t)at : 0;
}

static void touch_shared(struct object *o)
{
    for (uint64_t page = 0; o->shared && page < FILE_PAGES && page < o->pages; page++) {
        quire_linear_t at = o->shared + page * PAGE;
        uint64_t word;
        if (page % 2 && accessed(poke(at, 2000 + page)))
            o->word[page] = 2000 + page;
        if (accessed(peek(at, &word)))
            CHECK_EQ(word, o->word[page]);
    }
}

static void touch_private(void)
{
    for (uint64_t page = 0; copies.at && page < FILE_PAGES && page < objects[0].pages; page++) {
        quire_linear_t at = copies.at + page * PAGE;
        uint64_t word;
        if (page % 3 == 1 && accessed(poke(at, 3000 + page))) {
            copies.own[page] = true;
            copies.word[page] = 3000 + page;
        }
        if (accessed(peek(at, &word)))
            CHECK_EQ(word, copies.own[page] ? copies.word[page] : objects[0].word[page]);
    }
}

static void truncate_to(struct object *o, uint64_t pages)
{
    if (!done(quire_mapping_truncate(o->mapping, pages * PAGE), 0))
        return;
    o->pages = pages;
    for (uint64_t page = pages; page < FILE_PAGES + 4; page++)
        o->word[page] = 0;
    if (o == &objects[0]) {
        __builtin_memset(file_store.bytes + pages * PAGE, 0,
                         (size_t)((FILE_PAGES + 4 - pages) * PAGE));
        for (uint64_t page = pages; page < FILE_PAGES; page++)
            copies.own[page] = false;
    }
}

static void punch(struct object *o)
{
    if (o == &objects[0])
        __builtin_memset(file_store.bytes + 2 * PAGE, 0, 2 * PAGE);
    if (done(quire_mapping_punch(o->mapping, 2 * PAGE, 2 * PAGE), 0))
        o->word[2] = o->word[3] = 0;
}

static void fork_and_look(void)
{
    struct quire_mm *child;
    if (!done(quire_mm_fork(&child, mm), 0))
        return;
    run_on(child);
    for (uint64_t page = 0; copies.at && page < FILE_PAGES; page++) {
        uint64_t word;
        if (page < objects[0].pages && accessed(peek(copies.at + page * PAGE, &word)))
            CHECK_EQ(word, copies.own[page] ? copies.word[page] : objects[0].word[page]);
    }
    run_on(mm);
    mm_end(child);
}

static void reclaim(void)
{
    for (unsigned i = 0; i < 6; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
}

static void play(void)
{
    write_words(&objects[0]);
    write_words(&objects[1]);
    map_all();
    touch_shared(&objects[0]);
    touch_shared(&objects[1]);
    touch_private();
    (void)done(quire_mapping_sync(objects[0].mapping, 0, 0), 0);
    reclaim();
    read_words(&objects[1]);
    touch_shared(&objects[0]);
    fork_and_look();
    truncate_to(&objects[0], 7);
    truncate_to(&objects[1], 7);
    truncate_to(&objects[0], 11);
    truncate_to(&objects[1], 11);
    punch(&objects[0]);
    punch(&objects[1]);
    touch_private();
    reclaim();
    touch_shared(&objects[1]);
    read_words(&objects[0]);
    (void)quire_drop_caches(test_vm);
    if (objects[0].shared)
        (void)done(quire_msync(mm, objects[0].shared, SIZE, QUIRE_MS_SYNC), 0);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int area;

static bool set_up(void)
{
    static const struct quire_mapping_config shm = {.size = SIZE, .may_write = true};
    memory_fails = stores_fail = false;
    if (!vm_boot(4 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    failures = 0;
    copies.at = 0;
    __builtin_memset(&copies, 0, sizeof copies);
    for (unsigned i = 0; i < NR_OBJECTS; i++) {
        objects[i] = (struct object){.pages = FILE_PAGES};
        for (uint64_t page = 0; !i && page < FILE_PAGES; page++)
            objects[i].word[page] = word_of(page);
    }
    __builtin_memset(file_store.bytes + SIZE, 0, 4 * PAGE);
    objects[0].mapping = file_of(SIZE);
    CHECK_EQ(quire_mapping_create(&objects[1].mapping, test_vm, &shm), 0);
    area = swap_of(100);
    mm = mm_new();
    run_on(mm);
    return true;
}

/* Nothing fails any more: all is as it should be. */
static void look_and_end(void)
{
    unsigned long before = failures;
    quire_vm_check(test_vm);
    read_words(&objects[0]);
    read_words(&objects[1]);
    touch_private();
    (void)!quire_mapping_sync(objects[0].mapping, 0, 0); /* perhaps what was not told yet */
    CHECK_EQ(quire_mapping_sync(objects[0].mapping, 0, 0), 0);
    for (uint64_t page = 0; page < objects[0].pages; page++)
        CHECK(!__builtin_memcmp(file_store.bytes + page * PAGE, &objects[0].word[page], 8));
    CHECK_EQ(failures, before);
    quire_mapping_put(objects[0].mapping);
    quire_mapping_put(objects[1].mapping);
    mm_end(mm);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

/* ---- what fails ------------------------------------------------------------------------------ */

static unsigned long calls, first_failure, last_failure;

static bool fails(void *arg)
{
    (void)arg;
    calls++;
    return calls >= first_failure && calls <= last_failure;
}

static const struct quire_slab_config failing = {.fail = fails};

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
}

static void each_allocation_of_an_object_fails(void)
{
    play_with_failing_slab(false);
}

static void all_allocations_of_objects_fail_from_some_on(void)
{
    play_with_failing_slab(true);
}

/* Fewer and fewer pages are free when it begins. */
static void there_are_ever_fewer_pages(void)
{
    unsigned long most = 0;
    for (unsigned long left = 0; left < 120; left++) {
        struct quire_page *chain;
        if (!set_up())
            return;
        memory_fails = true;
        take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
        for (unsigned long i = 0; chain && i < left; i++) {
            struct quire_page *next = chain->owner.pointer[0];
            quire_free_page(machine.mem, chain);
            chain = next;
        }
        play();
        most = failures > most ? failures : most;
        free_chain(chain);
        look_and_end();
    }
    CHECK(most > 20);
}

/* Transfer `number` of a store fails, once or from then on. */
static void play_with_failing_store(struct store *store, bool write)
{
    unsigned *countdown = write ? &store->fail_write : &store->fail_read;
    for (unsigned number = 1; number < 500; number++) {
        if (!set_up())
            return;
        stores_fail = true;
        *countdown = number;
        play();
        bool failed = !*countdown;
        *countdown = 0;
        look_and_end();
        if (!failed) {
            test_note("%u transfers failed", number - 1);
            return;
        }
    }
    test_fail(__FILE__, __LINE__, "the scene never ends");
}

static void each_transfer_of_the_file_fails(void)
{
    play_with_failing_store(&file_store, false);
    play_with_failing_store(&file_store, true);
}

static void each_transfer_of_swap_fails(void)
{
    play_with_failing_store(&swap_store, false);
    play_with_failing_store(&swap_store, true);
}

static const struct test_case cases[] = {
    TEST_CASE(each_allocation_of_an_object_fails),
    TEST_CASE(all_allocations_of_objects_fail_from_some_on),
    TEST_CASE(there_are_ever_fewer_pages),
    TEST_CASE(each_transfer_of_the_file_fails),
    TEST_CASE(each_transfer_of_swap_fails),
    {0},
};
const struct test_suite suite_vm_file_faults = {"vm_file_faults", cases};
