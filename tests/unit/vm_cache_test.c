/* tests/unit/vm_cache_test.c: files through read and write: what is in memory, what the store has,
 * and what becomes of both
 */
#include "tests/unit/vm_file_machine.h"

#define SIZE (40 * PAGE)

static char buffer[64 * QUIRE_PAGE_SIZE];

static bool is_all(const char *bytes, size_t size, char value)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static struct quire_mapping *file_boot(uint64_t size)
{
    return vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64) ? file_of(size) : NULL;
}

static void file_end(struct quire_mapping *file)
{
    quire_mapping_put(file);
    vm_end();
}

/* ---- reading --------------------------------------------------------------------------------- */

static void what_was_read_stays_in_memory(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    CHECK_EQ(info_of_file(file).nr_pages, 0);
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t page = 0; page < 40; page++)
            CHECK_EQ(word_at(file, page * PAGE), word_of(page));
    CHECK_EQ(file_store.reads, 40);
    CHECK_EQ(info_of_file(file).nr_pages, 40);
    CHECK_EQ(info_of_file(file).nr_dirty, 0);
    CHECK_EQ(file_store.writes, 0);
    file_end(file);
}

static void reading_ends_where_the_file_does(void)
{
    struct quire_mapping *file = file_boot(2 * PAGE + 100);
    if (!file)
        return;
    CHECK_EQ(quire_mapping_size(file), 2 * PAGE + 100);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, sizeof buffer), 2 * PAGE + 100);
    CHECK_EQ(quire_mapping_read(file, 2 * PAGE + 99, buffer, 8), 1);
    CHECK_EQ(quire_mapping_read(file, 2 * PAGE + 100, buffer, 8), 0);
    CHECK_EQ(quire_mapping_read(file, UINT64_MAX, buffer, 8), 0);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, 0), 0);
    CHECK_EQ(info_of_file(file).nr_pages, 3);
    file_end(file);
}

/* Misses at 0, 4, 12, 28: windows of 4, 8, 16 and 32 pages. */
static void the_window_doubles_while_reading_goes_on_in_order(void)
{
    static const unsigned long reads_after[] = {4, 12, 28, 60, 92};
    static const unsigned next_miss[] = {0, 4, 12, 28, 60};
    struct quire_mapping *file = file_boot(200 * PAGE);
    if (!file)
        return;
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(word_at(file, next_miss[i] * PAGE), word_of(next_miss[i]));
        CHECK_EQ(file_store.reads, reads_after[i]);
        unsigned last = (unsigned)reads_after[i] - 1;
        CHECK_EQ(word_at(file, last * PAGE), word_of(last));
        CHECK_EQ(file_store.reads, reads_after[i]);
    }
    word_at(file, 150 * PAGE);
    CHECK_EQ(file_store.reads, 96);
    word_at(file, 120 * PAGE);
    CHECK_EQ(file_store.reads, 100);
    word_at(file, 198 * PAGE); /* no more than the file has */
    CHECK_EQ(file_store.reads, 102);
    file_end(file);
}

static void a_page_that_cannot_be_read_is_an_error_for_who_asks(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    file_store.broken = true;
    CHECK_EQ(quire_mapping_read(file, 0, buffer, 8), -QUIRE_EIO);
    CHECK_EQ(info_of_file(file).nr_pages, 0);
    CHECK_EQ(quire_mapping_write(file, 8, buffer, 8), -QUIRE_EIO); /* of the rest of the page */
    CHECK_EQ(quire_mapping_write(file, 0, buffer, PAGE), PAGE);
    file_end(file);
}

static void what_was_read_before_an_error_counts(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    word_at(file, 0); /* four pages */
    file_store.broken = true;
    CHECK_EQ(quire_mapping_read(file, 0, buffer, 6 * PAGE), 4 * PAGE);
    CHECK_EQ(quire_mapping_read(file, 4 * PAGE, buffer, 8), -QUIRE_EIO);
    file_store.broken = false;
    CHECK_EQ(word_at(file, 4 * PAGE), word_of(4));
    file_end(file);
}

static void reading_ahead_may_fail_where_reading_does_not(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    file_store.fail_read = 1;
    CHECK_EQ(word_at(file, 0), word_of(0));
    CHECK_EQ(info_of_file(file).nr_pages, 1);
    CHECK_EQ(file_store.reads, 1);
    CHECK_EQ(word_at(file, PAGE), word_of(1));
    file_end(file);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void what_was_written_gets_to_the_store_by_a_sync(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    put_word(file, 3 * PAGE + 8, 77);
    CHECK_EQ(word_at(file, 3 * PAGE + 8), 77);
    CHECK_EQ(word_at(file, 3 * PAGE), word_of(3));
    CHECK_EQ(stored(3 * PAGE + 8), 0);
    CHECK_EQ(info_of_file(file).nr_dirty, 1);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(stored(3 * PAGE + 8), 77);
    CHECK_EQ(stored(3 * PAGE), word_of(3));
    CHECK_EQ(info_of_file(file).nr_dirty, 0);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(file_store.writes, 1);
    file_end(file);
}

static void whole_pages_are_not_read_to_be_written(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    __builtin_memset(buffer, 5, sizeof buffer);
    CHECK_EQ(quire_mapping_write(file, PAGE, buffer, 3 * PAGE), 3 * PAGE);
    CHECK_EQ(quire_mapping_write(file, SIZE, buffer, 8), 8); /* nor what wasn't there */
    CHECK_EQ(file_store.reads, 0);
    CHECK_EQ(quire_mapping_write(file, 4 * PAGE - 10, buffer, 20), 20);
    CHECK_EQ(info_of_file(file).nr_dirty, 5);
    CHECK_EQ(word_at(file, 0), word_of(0));
    CHECK_EQ(word_at(file, 2 * PAGE), 0x0505050505050505);
    CHECK_EQ(word_at(file, 4 * PAGE + 8), 0x0505);
    file_end(file);
}

static void a_sync_of_a_range_leaves_other_pages_dirty(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    for (uint64_t page = 0; page < 6; page++)
        put_word(file, page * PAGE, page + 100);
    CHECK_EQ(quire_mapping_sync(file, 2 * PAGE - 1, 2), 0);
    CHECK_EQ(info_of_file(file).nr_dirty, 4);
    CHECK_EQ(stored(PAGE), 101);
    CHECK_EQ(stored(2 * PAGE), 102);
    CHECK_EQ(stored(3 * PAGE), word_of(3));
    CHECK_EQ(quire_mapping_sync(file, 5 * PAGE, UINT64_MAX), 0);
    CHECK_EQ(info_of_file(file).nr_dirty, 3);
    file_end(file);
}

static void writing_beyond_the_end_makes_the_file_longer_with_zeros_between(void)
{
    struct quire_mapping *file = file_boot(PAGE + 100);
    if (!file)
        return;
    __builtin_memset(file_store.bytes + PAGE + 100, 0x55, PAGE - 100); /* nobody's */
    put_word(file, 3 * PAGE - 4, ~0ull);
    CHECK_EQ(quire_mapping_size(file), 3 * PAGE + 4);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, sizeof buffer), 3 * PAGE + 4);
    CHECK(is_all(buffer + 2 * PAGE + 8, PAGE - 12, 0));
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(stored(3 * PAGE - 4), ~0ull);
    CHECK_EQ(stored(3 * PAGE) & 0xffffffff, 0xffffffff);
    /* No more than the file has was written of the last page. */
    CHECK_EQ(stored(3 * PAGE) >> 32, word_of(3) >> 32);
    file_end(file);
}

static void the_last_reference_writes_what_is_dirty_and_tells_the_owner(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    put_word(file, 9 * PAGE, 99);
    quire_mapping_get(file);
    quire_mapping_put(file);
    CHECK_EQ(stored(9 * PAGE), word_of(9));
    file_end(file);
    CHECK_EQ(stored(9 * PAGE), 99);
}

static void a_failed_write_is_told_once_and_nothing_is_lost(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    put_word(file, 0, 1000);
    put_word(file, 8 * PAGE, 1008);
    file_store.fail_write = 1;
    CHECK_EQ(quire_mapping_sync(file, 0, 0), -QUIRE_EIO);
    CHECK_EQ(stored(0), word_of(0));
    CHECK_EQ(stored(8 * PAGE), 1008); /* the others were written all the same */
    CHECK_EQ(info_of_file(file).nr_dirty, 1);
    CHECK_EQ(quire_mapping_sync(file, 20 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(stored(0), 1000);
    /* Of reclaim's writes whoever syncs next is told. */
    put_word(file, 0, 2000);
    file_store.broken = true;
    reclaim_all();
    file_store.broken = false;
    CHECK_EQ(info_of_file(file).nr_pages, 1);
    CHECK_EQ(word_at(file, 0), 2000);
    CHECK_EQ(quire_mapping_sync(file, 30 * PAGE, PAGE), -QUIRE_EIO);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(stored(0), 2000);
    file_end(file);
}

static void what_makes_no_sense_is_refused(void)
{
    static const struct quire_mapping_ops none = {.write_page = NULL};
    const uint64_t most = (UINT64_C(1) << 52) - QUIRE_PAGE_SIZE;
    struct quire_mapping *other, *file = file_boot(SIZE);
    if (!file)
        return;
    CHECK_EQ(quire_mapping_create(&other, test_vm, &(struct quire_mapping_config){.ops = &none}),
             -QUIRE_EINVAL);
    CHECK_EQ(
        quire_mapping_create(&other, test_vm, &(struct quire_mapping_config){.size = UINT64_MAX}),
        -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_write(file, most, buffer, 1), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_write(file, UINT64_MAX, buffer, 2), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_write(file, 0, buffer, 0), 0);
    CHECK_EQ(quire_mapping_truncate(file, most + 1), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_punch(file, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_punch(file, PAGE, UINT64_MAX), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_size(file), SIZE);
    file_end(file);
}

/* ---- truncation and holes -------------------------------------------------------------------- */

static void what_was_cut_off_does_not_come_back(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    __builtin_memset(buffer, 9, sizeof buffer);
    CHECK_EQ(quire_mapping_write(file, 0, buffer, 6 * PAGE), 6 * PAGE);
    CHECK_EQ(quire_mapping_truncate(file, 2 * PAGE + 16), 0);
    CHECK_EQ(quire_mapping_size(file), 2 * PAGE + 16);
    CHECK_EQ(info_of_file(file).nr_pages, 3);
    CHECK_EQ(info_of_file(file).nr_dirty, 3);
    __builtin_memset(file_store.bytes + 2 * PAGE + 16, 0, 10 * PAGE); /* as the owner would */
    CHECK_EQ(quire_mapping_truncate(file, 6 * PAGE), 0);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, sizeof buffer), 6 * PAGE);
    CHECK(is_all(buffer, 2 * PAGE + 16, 9));
    CHECK(is_all(buffer + 2 * PAGE + 16, 4 * PAGE - 16, 0));
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(stored(2 * PAGE + 8), 0x0909090909090909);
    CHECK_EQ(stored(2 * PAGE + 16), 0);
    CHECK_EQ(quire_mapping_truncate(file, 0), 0);
    CHECK_EQ(info_of_file(file).nr_pages, 0);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, 8), 0);
    file_end(file);
}

static void a_hole_drops_whole_pages_and_zeroes_parts(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    if (!file)
        return;
    __builtin_memset(buffer, 3, sizeof buffer);
    CHECK_EQ(quire_mapping_write(file, 0, buffer, 8 * PAGE), 8 * PAGE);
    __builtin_memset(file_store.bytes, 0, 8 * PAGE);
    CHECK_EQ(quire_mapping_punch(file, PAGE + 10, 3 * PAGE), 0);
    CHECK_EQ(info_of_file(file).nr_pages, 6);
    CHECK_EQ(quire_mapping_punch(file, 6 * PAGE + 100, 50), 0);
    CHECK_EQ(quire_mapping_punch(file, 7 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mapping_punch(file, 100 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mapping_size(file), SIZE);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, 8 * PAGE), 8 * PAGE);
    CHECK(is_all(buffer, PAGE + 10, 3));
    CHECK(is_all(buffer + PAGE + 10, 3 * PAGE, 0));
    CHECK(is_all(buffer + 4 * PAGE + 10, 2 * PAGE + 90, 3));
    CHECK(is_all(buffer + 6 * PAGE + 100, 50, 0));
    CHECK(is_all(buffer + 6 * PAGE + 150, PAGE - 150, 3));
    CHECK(is_all(buffer + 7 * PAGE, PAGE, 0));
    file_end(file);
}

static void dropping_takes_clean_pages_of_all_files_and_nothing_else(void)
{
    struct quire_mapping *file = file_boot(SIZE), *other;
    if (!file)
        return;
    other = file_of(SIZE);
    CHECK_EQ(quire_mapping_read(file, 0, buffer, SIZE), SIZE);
    CHECK_EQ(quire_mapping_read(other, 0, buffer, SIZE), SIZE);
    put_word(file, 5 * PAGE, 55);
    CHECK_EQ(quire_mapping_drop(file), 39);
    CHECK_EQ(info_of_file(file).nr_pages, 1);
    CHECK_EQ(info_of_file(other).nr_pages, 40);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(quire_drop_caches(test_vm), 41);
    CHECK_EQ(info_of_file(file).nr_pages + info_of_file(other).nr_pages, 0);
    CHECK_EQ(word_at(other, 5 * PAGE), 55);
    quire_mapping_put(other);
    file_end(file);
}

/* ---- no memory ------------------------------------------------------------------------------- */

static void without_memory_nothing_is_half_done(void)
{
    struct quire_mapping *file = file_boot(SIZE);
    struct quire_page *chain;
    if (!file)
        return;
    put_word(file, 0, 5);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY, ~0ul, &chain);
    CHECK_EQ(quire_mapping_read(file, 8 * PAGE, buffer, 8), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_write(file, 2 * SIZE, buffer, 8), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_size(file), SIZE);
    free_chain(chain);
    CHECK_EQ(word_at(file, 8 * PAGE), word_of(8));
    CHECK_EQ(word_at(file, 0), 5);
    file_end(file);
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_read_stays_in_memory),
    TEST_CASE(reading_ends_where_the_file_does),
    TEST_CASE(the_window_doubles_while_reading_goes_on_in_order),
    TEST_CASE(a_page_that_cannot_be_read_is_an_error_for_who_asks),
    TEST_CASE(what_was_read_before_an_error_counts),
    TEST_CASE(reading_ahead_may_fail_where_reading_does_not),
    TEST_CASE(what_was_written_gets_to_the_store_by_a_sync),
    TEST_CASE(whole_pages_are_not_read_to_be_written),
    TEST_CASE(a_sync_of_a_range_leaves_other_pages_dirty),
    TEST_CASE(writing_beyond_the_end_makes_the_file_longer_with_zeros_between),
    TEST_CASE(the_last_reference_writes_what_is_dirty_and_tells_the_owner),
    TEST_CASE(a_failed_write_is_told_once_and_nothing_is_lost),
    TEST_CASE(what_makes_no_sense_is_refused),
    TEST_CASE(what_was_cut_off_does_not_come_back),
    TEST_CASE(a_hole_drops_whole_pages_and_zeroes_parts),
    TEST_CASE(dropping_takes_clean_pages_of_all_files_and_nothing_else),
    TEST_CASE(without_memory_nothing_is_half_done),
    {0},
};
const struct test_suite suite_vm_cache = {"vm_cache", cases};
