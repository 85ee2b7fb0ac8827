/* tests/unit/vm_file_test.c: files that are mapped
 *
 * Programs and read(2) and write(2) see the same pages. What the store has, what areas have, and
 * how many faults it took are looked at.
 */
#include "tests/unit/vm_file_machine.h"

#define SIZE (40 * PAGE)

/* ---- shared ---------------------------------------------------------------------------------- */

static void body_shared(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    quire_linear_t again = map_file(mm, file, 3 * PAGE, PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 40; page++)
        CHECK(holds(at + page * PAGE, word_of(page)));
    CHECK(poke(at + 3 * PAGE, 33));
    CHECK(holds(again, 33));
    CHECK_EQ(word_at(file, 3 * PAGE), 33);
    CHECK_EQ(quire_mapping_write(file, 3 * PAGE + 8, "12345678", 8), 8);
    CHECK(holds(again + 8, 0x3837363534333231));
    CHECK_EQ(stored(3 * PAGE), word_of(3));
    CHECK_EQ(info_of_file(file).nr_areas, 2);
    CHECK_EQ(mm_info(mm).rss_file, 41);
    quire_mapping_put(file); /* areas keep it */
    CHECK_EQ(quire_msync(mm, at, SIZE, QUIRE_MS_SYNC), 0);
    CHECK_EQ(stored(3 * PAGE), 33);
    CHECK_EQ(file_store.writes, 1);
    CHECK(poke(at + 5 * PAGE, 55));
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    CHECK_EQ(quire_munmap(mm, again, PAGE), 0);
    CHECK_EQ(stored(5 * PAGE), 55);
}

static void programs_and_calls_see_the_same_pages_of_a_file(void)
{
    on_each_format(body_shared);
}

static void body_dirty(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (uint64_t round = 1; round < 4; round++) {
        unsigned long before = nr_faults;
        CHECK(holds(at, round == 1 ? word_of(0) : round - 1));
        CHECK(poke(at, round));
        CHECK(poke(at + 8, round)); /* without a fault */
        CHECK_EQ(nr_faults - before, round == 1 ? 2 : 1);
        CHECK_EQ(info_of_file(file).nr_dirty, 1);
        CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
        CHECK_EQ(info_of_file(file).nr_dirty, 0);
        CHECK_EQ(stored(0), round);
        CHECK_EQ(stored(8), round);
        CHECK_EQ(file_store.writes, round);
    }
    /* A page that is dirty already is mapped writable by a read. */
    quire_linear_t other = map_file(mm, file, 0, PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(poke(at, 9));
    unsigned long before = nr_faults;
    CHECK(holds(other, 9) && poke(other, 10) && holds(at, 10));
    CHECK_EQ(nr_faults - before, 1);
    quire_mapping_put(file);
}

static void each_write_after_a_sync_is_noticed(void)
{
    on_each_format(body_dirty);
}

static void body_private(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    struct quire_mm *child = NULL;
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_PRIVATE);
    CHECK(holds(at, word_of(0)));
    CHECK(poke(at, 1));            /* read before */
    CHECK(poke(at + 9 * PAGE, 2)); /* not read before */
    CHECK(holds(at + 9 * PAGE, 2));
    CHECK_EQ(word_at(file, 0), word_of(0));
    CHECK_EQ(word_at(file, 9 * PAGE), word_of(9));
    uint64_t word = 77;
    CHECK_EQ(quire_mapping_write(file, 0, &word, 8), 8);
    CHECK_EQ(quire_mapping_write(file, PAGE, &word, 8), 8);
    CHECK(holds(at, 1));
    CHECK(holds(at + PAGE, 77));
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK(poke(at + 9 * PAGE, 3));
    run_on(child);
    CHECK(holds(at, 1) && holds(at + 9 * PAGE, 2) && holds(at + PAGE, 77));
    CHECK(poke(at + PAGE, 4));
    run_on(mm);
    CHECK(holds(at + PAGE, 77));
    CHECK_EQ(info_of_file(file).nr_dirty, 2);
    mm_end(child);
    quire_mapping_put(file);
}

static void private_writes_are_copies(void)
{
    on_each_format(body_private);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void body_around(struct quire_mm *mm)
{
    char byte;
    struct quire_mapping *file = file_of(SIZE);
    for (unsigned page = 0; page < 40; page++)
        CHECK_EQ(quire_mapping_read(file, page * PAGE, &byte, 1), 1);
    quire_linear_t at = map_file(mm, file, 0, SIZE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    unsigned long before = nr_faults;
    for (unsigned page = 0; page < 40; page++)
        CHECK(holds(at + page * PAGE, word_of(page)));
    /* 40 pages touch 3 or 4 windows of 16. */
    CHECK(nr_faults - before <= 4);
    CHECK_EQ(mm_info(mm).maj_flt, 0);
    CHECK_EQ(mm_info(mm).rss_file, 40);
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    /* No more than the area has. */
    at = map_file(mm, file, 4 * PAGE, 2 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    CHECK(holds(at + PAGE, word_of(5)));
    CHECK_EQ(mm_info(mm).rss_file, 2);
    CHECK_EQ(quire_munmap(mm, at, 2 * PAGE), 0);
    /* As on Linux: 16 pages from the area's start where that is within the aligned window, and none
     * of another table. */
    at = (quire_linear_t)0x10000000 + 9 * PAGE;
    CHECK_EQ((quire_linear_t)quire_mmap(mm, at, SIZE, QUIRE_PROT_READ,
                                        QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, file, 0),
             at);
    CHECK(holds(at + 3 * PAGE, word_of(3)));
    CHECK_EQ(mm_info(mm).rss_file, 16);
    CHECK(holds(at + 20 * PAGE, word_of(20)));
    CHECK_EQ(mm_info(mm).rss_file, 16 + 7);
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    at = (quire_linear_t)0x10400000 - 2 * PAGE;
    CHECK_EQ((quire_linear_t)quire_mmap(mm, at, SIZE, QUIRE_PROT_READ,
                                        QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, file, 0),
             at);
    CHECK(holds(at + PAGE, word_of(1)));
    CHECK_EQ(mm_info(mm).rss_file, 2);
    quire_mapping_put(file);
}

static void a_read_fault_maps_what_is_in_memory_around_it(void)
{
    on_each_format(body_around);
}

static void body_major(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(200 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 200 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(holds(at, word_of(0)));
    CHECK_EQ(mm_info(mm).maj_flt, 1);
    CHECK_EQ(mm_info(mm).rss_file, 4); /* with what was read with it */
    CHECK(holds(at + 3 * PAGE, word_of(3)));
    CHECK_EQ(mm_info(mm).maj_flt + mm_info(mm).min_flt, 1);
    CHECK_EQ(quire_madvise(mm, at, 200 * PAGE, QUIRE_MADV_RANDOM), 0);
    CHECK(holds(at + 100 * PAGE, word_of(100)));
    CHECK_EQ(file_store.reads, 5);
    CHECK_EQ(quire_madvise(mm, at, 200 * PAGE, QUIRE_MADV_SEQUENTIAL), 0);
    CHECK(holds(at + 120 * PAGE, word_of(120)));
    CHECK_EQ(file_store.reads, 37);
    CHECK_EQ(mm_info(mm).maj_flt, 3);
    CHECK(poke(at + 199 * PAGE, 5)); /* a write that has to read */
    CHECK_EQ(mm_info(mm).maj_flt, 4);
    quire_mapping_put(file);
}

static void faults_that_read_are_major_and_advice_says_how_much(void)
{
    on_each_format(body_major);
}

static void body_willneed(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, SIZE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    CHECK_EQ(quire_madvise(mm, at + 2 * PAGE, 37 * PAGE, QUIRE_MADV_WILLNEED), 0);
    CHECK_EQ(info_of_file(file).nr_pages, 37);
    for (unsigned page = 2; page < 39; page++)
        CHECK(holds(at + page * PAGE, word_of(page)));
    CHECK_EQ(mm_info(mm).maj_flt, 0);
    quire_mapping_put(file);
}

static void what_will_be_needed_is_read(void)
{
    on_each_format(body_willneed);
}

static void body_errors(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, 2 * SIZE, RW, QUIRE_MAP_PRIVATE);
    file_store.broken = true;
    CHECK(no_access(at));
    CHECK(!poke(at, 1) && last_result == QUIRE_VM_BUS_ADRERR);
    CHECK_EQ(mm_info(mm).rss_anon + mm_info(mm).rss_file, 0);
    file_store.broken = false;
    CHECK(holds(at, word_of(0)));
    CHECK(no_access(at + SIZE));
    CHECK(holds(at + SIZE - PAGE, word_of(39)));
    quire_mapping_put(file);
}

static void what_cannot_be_read_or_is_behind_the_end_is_a_bus_error(void)
{
    on_each_format(body_errors);
}

static unsigned mkwrites;
static int mkwrite_result;

static int page_mkwrite(void *owner, uint64_t index)
{
    (void)owner;
    CHECK_EQ(index, 2);
    mkwrites++;
    return mkwrite_result;
}

static int read_nothing(void *owner, uint64_t index, struct quire_page *const *pages,
                        unsigned count)
{
    (void)owner;
    (void)index;
    for (unsigned i = 0; i < count; i++)
        __builtin_memset(quire_page_address(machine.mem, pages[i]), 0, QUIRE_PAGE_SIZE);
    return 0;
}

static int write_nothing(void *owner, uint64_t index, struct quire_page *page, size_t bytes)
{
    (void)owner;
    (void)index;
    (void)page;
    (void)bytes;
    return 0;
}

static void body_mkwrite(struct quire_mm *mm)
{
    static const struct quire_mapping_ops ops = {
        .read_pages = read_nothing, .write_page = write_nothing, .page_mkwrite = page_mkwrite};
    struct quire_mapping *file = NULL;
    struct quire_mapping_config config = {.ops = &ops, .size = SIZE, .may_write = true};
    CHECK_EQ(quire_mapping_create(&file, test_vm, &config), 0);
    mkwrites = 0;
    mkwrite_result = -QUIRE_ENOSPC;
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    CHECK(!poke(at + 2 * PAGE, 1) && last_result == QUIRE_VM_BUS_ADRERR);
    CHECK(holds(at + 2 * PAGE, 0));
    CHECK(!poke(at + 2 * PAGE, 1) && last_result == QUIRE_VM_BUS_ADRERR);
    CHECK_EQ(info_of_file(file).nr_dirty, 0);
    CHECK_EQ(mkwrites, 2);
    mkwrite_result = 0;
    CHECK(poke(at + 2 * PAGE, 1) && poke(at + 2 * PAGE + 8, 1));
    CHECK_EQ(mkwrites, 3);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK(poke(at + 2 * PAGE, 2));
    CHECK_EQ(mkwrites, 4);
    quire_mapping_put(file);
}

static void the_owner_is_asked_before_a_clean_page_is_written(void)
{
    on_each_format(body_mkwrite);
}

/* ---- truncation and holes -------------------------------------------------------------------- */

static void body_truncate(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t shared = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    quire_linear_t own = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_PRIVATE);
    for (unsigned page = 0; page < 40; page += 3)
        CHECK(poke(shared + page * PAGE, page) && poke(own + page * PAGE, 100 + page) &&
              holds(own + page * PAGE + PAGE - 8, 0));
    for (unsigned page = 0; page < 40; page++)
        word_at(file, page * PAGE);
    CHECK(poke(shared + 10 * PAGE + 8, 7) && poke(shared + 10 * PAGE + 16, 8));
    CHECK_EQ(quire_mapping_truncate(file, 10 * PAGE + 16), 0);
    CHECK(holds(shared + 9 * PAGE, 9) && holds(own + 9 * PAGE, 109));
    CHECK(holds(shared + 10 * PAGE + 8, 7) && holds(shared + 10 * PAGE + 16, 0));
    for (unsigned page = 11; page < 40; page++)
        CHECK(no_access(shared + page * PAGE) && no_access(own + page * PAGE));
    CHECK_EQ(info_of_file(file).nr_pages, 11);
    CHECK_EQ(mm_info(mm).rss_anon, 4);
    /* Written behind the end, in its page: nobody's. */
    CHECK(poke(shared + 10 * PAGE + 24, 9));
    __builtin_memset(file_store.bytes + 10 * PAGE + 16, 0, SIZE - 10 * PAGE - 16);
    CHECK_EQ(quire_mapping_truncate(file, SIZE), 0);
    CHECK(holds(shared + 10 * PAGE + 24, 0));
    CHECK(holds(shared + 30 * PAGE, 0) && holds(own + 30 * PAGE, 0));
    CHECK(poke(shared + 30 * PAGE, 1) && holds(own + 30 * PAGE, 1));
    quire_mapping_put(file);
}

static void pages_behind_the_new_end_are_gone_private_copies_too(void)
{
    on_each_format(body_truncate);
}

static void body_punch(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t shared = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    quire_linear_t own = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_PRIVATE);
    for (unsigned page = 0; page < 8; page++)
        CHECK(poke(shared + page * PAGE, page + 1) && holds(own + page * PAGE, page + 1));
    CHECK(poke(own + 3 * PAGE, 33));
    __builtin_memset(file_store.bytes + 2 * PAGE, 0, 4 * PAGE);
    CHECK_EQ(quire_mapping_punch(file, 2 * PAGE, 4 * PAGE), 0);
    for (unsigned page = 0; page < 8; page++) {
        uint64_t left = page < 2 || page > 5 ? page + 1 : 0;
        CHECK(holds(shared + page * PAGE, left));
        CHECK(holds(own + page * PAGE, page == 3 ? 33 : left));
    }
    quire_mapping_put(file);
}

static void a_hole_is_zero_for_all_but_private_copies(void)
{
    on_each_format(body_punch);
}

/* ---- msync ----------------------------------------------------------------------------------- */

static void body_msync(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, 10 * PAGE, RW, QUIRE_MAP_SHARED);
    const unsigned sync = QUIRE_MS_SYNC;
    CHECK_EQ(quire_msync(mm, at + 1, PAGE, sync), -QUIRE_EINVAL);
    CHECK_EQ(quire_msync(mm, at, PAGE, 8), -QUIRE_EINVAL);
    CHECK_EQ(quire_msync(mm, at, PAGE, sync | QUIRE_MS_ASYNC), -QUIRE_EINVAL);
    CHECK_EQ(quire_msync(mm, at, UINT64_MAX - PAGE, sync), -QUIRE_ENOMEM);
    CHECK_EQ(quire_msync(mm, at, 0, sync), 0);
    CHECK_EQ(quire_munmap(mm, at + 4 * PAGE, PAGE), 0);
    CHECK(poke(at, 1) && poke(at + 9 * PAGE, 2));
    CHECK_EQ(quire_msync(mm, at, 10 * PAGE, QUIRE_MS_ASYNC), -QUIRE_ENOMEM);
    CHECK_EQ(file_store.writes, 0);
    CHECK_EQ(quire_msync(mm, at, 10 * PAGE, sync), -QUIRE_ENOMEM);
    CHECK_EQ(file_store.writes, 2); /* behind the hole too */
    CHECK_EQ(quire_msync(mm, at + 4 * PAGE, PAGE, sync), -QUIRE_ENOMEM);
    CHECK_EQ(quire_msync(mm, at, 4 * PAGE - 100, sync), 0);
    CHECK_EQ(quire_msync(mm, at, PAGE, QUIRE_MS_INVALIDATE), 0);
    CHECK_EQ(quire_mlock(mm, at, PAGE, 0), 0);
    CHECK_EQ(quire_msync(mm, at, PAGE, QUIRE_MS_INVALIDATE | sync), -QUIRE_EBUSY);
    CHECK_EQ(quire_munlock(mm, at, PAGE), 0);
    CHECK(poke(at + PAGE, 3));
    file_store.fail_write = 1;
    CHECK_EQ(quire_msync(mm, at, 4 * PAGE, sync), -QUIRE_EIO);
    CHECK_EQ(quire_msync(mm, at, 4 * PAGE, sync), 0);
    CHECK_EQ(stored(PAGE), 3);
    quire_mapping_put(file);
}

static void msync_says_what_is_wrong_and_writes_the_rest(void)
{
    on_each_format(body_msync);
}

static const struct test_case cases[] = {
    TEST_CASE(programs_and_calls_see_the_same_pages_of_a_file),
    TEST_CASE(each_write_after_a_sync_is_noticed),
    TEST_CASE(private_writes_are_copies),
    TEST_CASE(a_read_fault_maps_what_is_in_memory_around_it),
    TEST_CASE(faults_that_read_are_major_and_advice_says_how_much),
    TEST_CASE(what_will_be_needed_is_read),
    TEST_CASE(what_cannot_be_read_or_is_behind_the_end_is_a_bus_error),
    TEST_CASE(the_owner_is_asked_before_a_clean_page_is_written),
    TEST_CASE(pages_behind_the_new_end_are_gone_private_copies_too),
    TEST_CASE(a_hole_is_zero_for_all_but_private_copies),
    TEST_CASE(msync_says_what_is_wrong_and_writes_the_rest),
    {0},
};
const struct test_suite suite_vm_file = {"vm_file", cases};
