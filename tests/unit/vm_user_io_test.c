/* tests/unit/vm_user_io_test.c: files read and written to and from a program's memory
 *
 * What the program and others do meanwhile they do when the file's owner is called, in the midst of
 * a read or write.
 */
#include "tests/unit/vm_file_machine.h"
#include "vm/internal.h"

#define SIZE (40 * PAGE)

static const struct quire_mapping_config plain = {.may_write = true, .noreserve = true};

/* Byte `at` of what is written here. */
static char byte_of(uint64_t at)
{
    return (char)(at * 7 + at / PAGE + 1);
}

static char bytes[12 * QUIRE_PAGE_SIZE];

/* Whether user memory from `at` on has bytes first, first + 1, ... */
static bool has_bytes(struct quire_mm *mm, quire_linear_t at, uint64_t first, size_t size)
{
    bool same = !quire_copy_from_user(mm, bytes, at, size);
    for (size_t i = 0; i < size; i++)
        same = same && bytes[i] == byte_of(first + i);
    return same;
}

static void put_bytes(struct quire_mm *mm, quire_linear_t at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_of(i);
    CHECK_EQ(quire_copy_to_user(mm, at, bytes, size), 0);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Of the file and of memory, in pages and beside them, over a table's border. */
static void body_places(struct quire_mm *mm)
{
    static const unsigned offset[] = {0, 1, 100, QUIRE_PAGE_SIZE - 1};
    const quire_linear_t border = 0x20000000, at = border - 4 * PAGE;
    const unsigned flags = QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED;
    const size_t size = 6 * QUIRE_PAGE_SIZE + 50;
    CHECK_EQ(quire_mmap(mm, at, 10 * PAGE, RW, flags, NULL, 0), at);
    quire_linear_t back = map_anon(mm, 10 * PAGE);
    for (unsigned i = 0; i < 16; i++) {
        struct quire_mapping *file = i & 1 ? file_of(0) : shm_of(plain);
        const unsigned in_file = offset[i % 4], in_memory = offset[i / 4];
        put_bytes(mm, at + in_memory, size);
        CHECK_EQ(quire_mapping_write_user(file, in_file, mm, at + in_memory, size), size);
        CHECK_EQ(quire_mapping_size(file), in_file + size);
        CHECK_EQ(quire_mapping_write_user(file, in_file, mm, at + in_memory, size), size);
        CHECK_EQ(quire_mapping_read_user(file, in_file, mm, back + in_memory, 8 * PAGE), size);
        CHECK(has_bytes(mm, back + in_memory, 0, size));
        CHECK_EQ(quire_mapping_read_user(file, in_file + 5000, mm, back, 300), 300);
        CHECK(has_bytes(mm, back, 5000, 300));
        CHECK_EQ(quire_mapping_read_user(file, in_file + size, mm, back, PAGE), 0);
        quire_mapping_put(file);
    }
    CHECK_EQ(mm_info(mm).rss_anon, 8 + 8); /* nothing behind what was asked for */
}

static void files_are_read_and_written_in_any_place(void)
{
    on_each_format(body_places);
}

static void body_file_holes(struct quire_mm *mm)
{
    struct quire_mapping *shm = shm_of(plain);
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    put_bytes(mm, at, 4 * PAGE);
    CHECK_EQ(quire_mapping_write_user(shm, 2 * PAGE + 8, mm, at, 100), 100);
    CHECK_EQ(info_of_file(shm).nr_pages, 1);
    CHECK_EQ(quire_mapping_read_user(shm, PAGE, mm, at, 4 * PAGE), PAGE + 108);
    CHECK_EQ(info_of_file(shm).nr_pages, 1);
    CHECK(has_bytes(mm, at + PAGE + 8, 0, 100));
    for (unsigned word = 0; word <= PAGE / 8; word++)
        CHECK(holds(at + word * 8, 0));
    quire_mapping_put(shm);
}

static void holes_of_a_file_are_zeros_and_stay_holes(void)
{
    on_each_format(body_file_holes);
}

/* ---- memory that can't be had ---------------------------------------------------------------- */

static void body_memory_holes(struct quire_mm *mm)
{
    struct quire_mapping *shm = shm_of(plain);
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    put_bytes(mm, at, 8 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 3 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, at + 100, 6 * PAGE), 3 * PAGE - 100);
    CHECK_EQ(quire_mapping_size(shm), 3 * PAGE - 100);
    CHECK_EQ(info_of_file(shm).nr_pages, 3);
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, at + 3 * PAGE, PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_write_user(shm, 8 * PAGE, mm, at + 3 * PAGE, PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_size(shm), 3 * PAGE - 100);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, at + PAGE + 100, 3 * PAGE), 2 * PAGE - 100);
    CHECK(has_bytes(mm, at + PAGE + 100, 100, 2 * PAGE - 100));
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, at + 3 * PAGE, 10), -QUIRE_EFAULT);
    /* What may only be read; and what lies beyond an address space. */
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, at, PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, at + PAGE, 2 * PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, at, 2 * PAGE), 2 * PAGE);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, at, PAGE), -QUIRE_EFAULT);
    const quire_linear_t end = mm->layout.end;
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, end, 8), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, end, 8), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, end - 4, 8), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_read_user(shm, 5 * PAGE, mm, end, 8), 0); /* the end comes first */
    quire_mapping_put(shm);
}

static void what_comes_before_memory_that_is_not_there_counts(void)
{
    on_each_format(body_memory_holes);
}

/* Memory that is in swap comes back, though the file's pages want room, too. */
static void body_swapped(struct quire_mm *mm)
{
    struct quire_mapping *shm = shm_of(plain);
    store_reset(&swap_store);
    int area = swap_of(100);
    quire_linear_t at = map_anon(mm, 12 * PAGE);
    put_bytes(mm, at, 12 * PAGE);
    reclaim_all();
    CHECK_EQ(mm_info(mm).swap, 12);
    CHECK_EQ(quire_mapping_write_user(shm, 3, mm, at, 12 * PAGE), 12 * PAGE);
    reclaim_all();
    CHECK_EQ(info_of_file(shm).nr_pages, 0);
    CHECK_EQ(quire_mapping_read_user(shm, 4, mm, at + 1, 12 * PAGE - 1), 12 * PAGE - 1);
    reclaim_all(); /* which writes what was read, though the pages had slots */
    CHECK_EQ(mm_info(mm).swap, 12);
    CHECK(has_bytes(mm, at, 0, 12 * PAGE));
    quire_mapping_put(shm);
    CHECK_EQ(quire_munmap(mm, at, 12 * PAGE), 0);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

static void memory_in_swap_is_brought_back(void)
{
    on_each_format(body_swapped);
}

/* ---- meanwhile ------------------------------------------------------------------------------- */

static struct {
    struct quire_mm *mm, *child;
    quire_linear_t at;
    void (*meanwhile)(void);
} others;

static void call_others(void)
{
    void (*meanwhile)(void) = others.meanwhile;
    others.meanwhile = NULL;
    if (meanwhile)
        meanwhile();
}

static int read_meanwhile(void *owner, uint64_t index, struct quire_page *const *pages,
                          unsigned count)
{
    (void)owner;
    for (unsigned i = 0; i < count; i++) {
        char *page = quire_page_address(machine.mem, pages[i]);
        for (size_t at = 0; at < QUIRE_PAGE_SIZE; at++)
            page[at] = byte_of((index + i) * PAGE + at);
    }
    call_others();
    return 0;
}

static int write_nothing(void *owner, uint64_t index, struct quire_page *page, size_t size)
{
    (void)owner;
    (void)index;
    (void)page;
    (void)size;
    return 0;
}

static int write_meanwhile(void *owner, uint64_t index)
{
    (void)owner;
    (void)index;
    call_others();
    return 0;
}

/* A file of 4 pages, and memory of 4 pages that is there. */
static struct quire_mapping *with_others(struct quire_mm *mm, void (*meanwhile)(void))
{
    static const struct quire_mapping_ops ops = {
        .read_pages = read_meanwhile, .write_page = write_nothing, .page_mkwrite = write_meanwhile};
    const struct quire_mapping_config config = {
        .ops = &ops, .size = 4 * PAGE, .may_write = true, .no_readahead = true};
    struct quire_mapping *file = NULL;
    CHECK_EQ(quire_mapping_create(&file, test_vm, &config), 0);
    others.mm = mm;
    others.child = NULL;
    others.at = map_anon(mm, 4 * PAGE);
    others.meanwhile = meanwhile;
    put_bytes(mm, others.at, 4 * PAGE);
    return file;
}

/* The page's neighbours are written to, so the parent gets a copy of it, and the child keeps it. */
static void fork_and_write(void)
{
    CHECK_EQ(quire_mm_fork(&others.child, others.mm), 0);
    CHECK(poke(others.at, 77) && poke(others.at + PAGE, 77));
}

static void body_fork(struct quire_mm *mm)
{
    struct quire_mapping *file = with_others(mm, fork_and_write);
    CHECK_EQ(quire_mapping_read_user(file, 0, mm, others.at + 1000, PAGE), PAGE);
    CHECK(has_bytes(mm, others.at + 1000, 0, PAGE));
    CHECK(holds(others.at, 77));
    run_on(others.child);
    CHECK(has_bytes(others.child, others.at, 0, 2 * PAGE));
    run_on(mm);
    mm_end(others.child);
    quire_mapping_put(file);
}

static void what_is_read_while_others_fork_is_the_readers(void)
{
    on_each_format(body_fork);
}

static void forget_memory(void)
{
    CHECK_EQ(quire_madvise(others.mm, others.at, 4 * PAGE, QUIRE_MADV_DONTNEED), 0);
}

static void unmap_memory(void)
{
    CHECK_EQ(quire_munmap(others.mm, others.at, 4 * PAGE), 0);
}

static void unmap_a_page(void)
{
    CHECK_EQ(quire_munmap(others.mm, others.at + PAGE, PAGE), 0);
}

static void body_gone(struct quire_mm *mm)
{
    struct quire_mapping *file = with_others(mm, forget_memory);
    CHECK_EQ(quire_mapping_write_user(file, 0, mm, others.at + 10, 2 * PAGE), 2 * PAGE);
    CHECK_EQ(word_at(file, 0), 0); /* what it has now */
    CHECK_EQ(word_at(file, PAGE), 0);
    others.meanwhile = unmap_memory;
    put_bytes(mm, others.at, 4 * PAGE);
    CHECK_EQ(quire_mapping_write_user(file, 3 * PAGE, mm, others.at, 3 * PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_size(file), 4 * PAGE);
    quire_mapping_put(file);
    /* A page of the file of which one half can be had isn't written. */
    file = with_others(mm, unmap_a_page);
    CHECK_EQ(quire_mapping_write_user(file, 2 * PAGE, mm, others.at + 100, PAGE), PAGE - 100);
    CHECK_EQ(quire_mapping_read_user(file, 2 * PAGE, mm, others.at + 2 * PAGE, PAGE), PAGE);
    CHECK(has_bytes(mm, others.at + 2 * PAGE, 100, PAGE - 100));
    CHECK(has_bytes(mm, others.at + 3 * PAGE - 100, 3 * PAGE - 100, 100)); /* the file's */
    quire_vm_check(test_vm);
    others.meanwhile = unmap_memory;
    CHECK_EQ(quire_mapping_read_user(file, PAGE, mm, others.at, PAGE), -QUIRE_EFAULT);
    quire_mapping_put(file);
}

static void memory_that_goes_meanwhile_is_asked_for_again(void)
{
    on_each_format(body_gone);
}

/* ---- the file's own pages -------------------------------------------------------------------- */

static void body_own(struct quire_mm *mm)
{
    struct quire_mapping *shm = shm_of(plain);
    quire_linear_t from = map_anon(mm, 4 * PAGE);
    put_bytes(mm, from, 4 * PAGE);
    CHECK_EQ(quire_mapping_write_user(shm, 0, mm, from, 4 * PAGE), 4 * PAGE);
    quire_linear_t at = map_file(mm, shm, 0, 6 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK_EQ(quire_mapping_write_user(shm, PAGE, mm, at + PAGE, PAGE), PAGE);
    CHECK_EQ(quire_mapping_read_user(shm, 0, mm, at, 4 * PAGE), 4 * PAGE);
    CHECK(has_bytes(mm, at, 0, 4 * PAGE));
    CHECK_EQ(quire_mapping_write_user(shm, 100, mm, at, 2000), 2000); /* they overlap */
    CHECK(has_bytes(mm, at + 100, 0, 2000));
    CHECK_EQ(quire_mapping_write_user(shm, 4 * PAGE, mm, at, PAGE), PAGE); /* and gets longer */
    CHECK_EQ(quire_mapping_write_user(shm, 5 * PAGE, mm, at + 5 * PAGE, PAGE), -QUIRE_EFAULT);
    CHECK_EQ(quire_mapping_size(shm), 5 * PAGE);
    quire_mapping_put(shm);
}

static void a_file_is_copied_to_and_from_its_own_mapping(void)
{
    on_each_format(body_own);
}

static const struct test_case cases[] = {
    TEST_CASE(files_are_read_and_written_in_any_place),
    TEST_CASE(holes_of_a_file_are_zeros_and_stay_holes),
    TEST_CASE(what_comes_before_memory_that_is_not_there_counts),
    TEST_CASE(memory_in_swap_is_brought_back),
    TEST_CASE(what_is_read_while_others_fork_is_the_readers),
    TEST_CASE(memory_that_goes_meanwhile_is_asked_for_again),
    TEST_CASE(a_file_is_copied_to_and_from_its_own_mapping),
    {0},
};
const struct test_suite suite_vm_user_io = {"vm_user_io", cases};
