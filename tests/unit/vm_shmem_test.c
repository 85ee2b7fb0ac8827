/* tests/unit/vm_shmem_test.c: shared memory, in memory and in swap; and pages of files that go or
 * move
 */
#include "tests/unit/vm_file_machine.h"
#include "vm/swap.h"

#define SIZE (40 * PAGE)

static char buffer[64 * QUIRE_PAGE_SIZE];

static bool is_zeros(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* ---- by calls -------------------------------------------------------------------------------- */

static void holes_of_shared_memory_are_read_as_zeros_and_stay_holes(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mapping *shm = shm_of((struct quire_mapping_config){.size = SIZE});
    buffer[0] = buffer[SIZE - 1] = 1;
    CHECK_EQ(quire_mapping_read(shm, 0, buffer, sizeof buffer), SIZE);
    CHECK(is_zeros(buffer, SIZE));
    CHECK_EQ(info_of_file(shm).nr_pages, 0);
    put_word(shm, 7 * PAGE + 100, 42);
    CHECK_EQ(word_at(shm, 7 * PAGE + 100), 42);
    CHECK_EQ(word_at(shm, 7 * PAGE), 0);
    CHECK_EQ(info_of_file(shm).nr_pages, 1);
    CHECK_EQ(quire_mapping_sync(shm, 0, 0), 0);
    CHECK_EQ(quire_mapping_drop(shm), 0);
    CHECK_EQ(quire_mapping_punch(shm, 7 * PAGE, PAGE), 0);
    CHECK_EQ(info_of_file(shm).nr_pages, 0);
    CHECK_EQ(word_at(shm, 7 * PAGE + 100), 0);
    CHECK_EQ(quire_mapping_write(shm, 50 * PAGE, "x", 1), 1);
    CHECK_EQ(quire_mapping_size(shm), 50 * PAGE + 1);
    quire_mapping_put(shm);
    vm_end();
}

static void pages_and_holes_of_shared_memory_are_found(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mapping *shm = shm_of((struct quire_mapping_config){.size = SIZE});
    CHECK_EQ(quire_mapping_next(shm, 3, false), 3);
    CHECK_EQ(quire_mapping_next(shm, 0, true), UINT64_MAX);
    put_word(shm, 7 * PAGE, 42);
    put_word(shm, 8 * PAGE, 43);
    CHECK_EQ(quire_mapping_next(shm, 0, true), 7);
    CHECK_EQ(quire_mapping_next(shm, 7, true), 7);
    CHECK_EQ(quire_mapping_next(shm, 9, true), UINT64_MAX);
    CHECK_EQ(quire_mapping_next(shm, 6, false), 6);
    CHECK_EQ(quire_mapping_next(shm, 7, false), 9);
    CHECK_EQ(quire_mapping_next(shm, UINT64_MAX, true), UINT64_MAX);
    CHECK_EQ(quire_mapping_next(shm, UINT64_MAX - 1, false), UINT64_MAX - 1);
    quire_mapping_put(shm);
    vm_end();
}

static void allocating_makes_what_is_missing_and_leaves_the_rest(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mapping *shm = shm_of((struct quire_mapping_config){.size = 10 * PAGE + 1});
    put_word(shm, 4 * PAGE, 42);
    CHECK_EQ(quire_mapping_allocate(shm, 3 * PAGE + 100, 2 * PAGE), 0);
    CHECK_EQ(info_of_file(shm).nr_pages, 3);
    CHECK_EQ(quire_mapping_next(shm, 0, true), 3);
    CHECK_EQ(quire_mapping_next(shm, 3, false), 6);
    CHECK_EQ(word_at(shm, 4 * PAGE), 42);
    CHECK_EQ(word_at(shm, 5 * PAGE), 0);
    CHECK_EQ(quire_mapping_allocate(shm, 9 * PAGE, 100 * PAGE), 0); /* as far as the file goes */
    CHECK_EQ(info_of_file(shm).nr_pages, 5);
    CHECK_EQ(quire_mapping_size(shm), 10 * PAGE + 1);
    CHECK_EQ(quire_mapping_allocate(shm, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_mapping_allocate(shm, PAGE, UINT64_MAX), -QUIRE_EINVAL);
    quire_vm_check(test_vm);
    quire_mapping_put(shm);
    vm_end();
}

static void sealed_memory_is_not_written(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .sealed_write = true});
    CHECK_EQ(quire_mapping_write(shm, 0, "x", 1), -QUIRE_EPERM);
    CHECK_EQ(quire_mapping_punch(shm, 0, PAGE), -QUIRE_EPERM);
    CHECK_EQ(word_at(shm, 0), 0);
    quire_mapping_put(shm);
    vm_end();
}

static void memory_that_is_sealed_later_is_not_mapped_for_writing(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    put_word(shm, 0, 42);
    quire_mapping_seal_write(shm);
    CHECK_EQ(quire_mapping_write(shm, 0, "x", 1), -QUIRE_EPERM);
    CHECK_EQ(quire_mmap(mm, 0, PAGE, RW, QUIRE_MAP_SHARED, shm, 0), -QUIRE_EPERM);
    quire_linear_t at = map_file(mm, shm, 0, PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, RW), -QUIRE_EACCES);
    CHECK_EQ(word_at(shm, 0), 42);
    quire_mapping_put(shm);
    mm_end(mm);
    vm_end();
}

static unsigned nr_released;

static void count_release(void *owner)
{
    CHECK(owner == &nr_released);
    nr_released++;
}

static bool name_is_shown;

static void look_for_name(void *arg, const char *text, size_t length)
{
    const char *name = arg;
    for (size_t i = 0; i < length; i++) {
        name = text[i] == *name ? name + 1 : arg;
        name_is_shown |= !*name;
    }
}

static void an_owner_names_shared_memory_as_long_as_it_is_mapped(void)
{
    static char name[] = "/tmp/name";
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    nr_released = 0;
    name_is_shown = false;
    struct quire_mapping *shm = shm_of((struct quire_mapping_config){
        .size = SIZE, .owner = &nr_released, .release = count_release});
    quire_linear_t at = map_file(mm, shm, 0, PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    quire_mapping_set_name(shm, name);
    quire_mapping_put(shm);
    CHECK_EQ(nr_released, 0);
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_TEXT, look_for_name, name), 0);
    CHECK(name_is_shown);
    CHECK_EQ(quire_munmap(mm, at, PAGE), 0);
    CHECK_EQ(nr_released, 1);
    mm_end(mm);
    vm_end();
}

static void shared_memory_is_accounted_at_once_or_by_page(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mapping *shm, *lazy, *more;
    unsigned long half = quire_nr_managed_pages(machine.mem) / 2;
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 50), 0);
    shm = shm_of((struct quire_mapping_config){.size = (half - 10) * PAGE});
    lazy = shm_of((struct quire_mapping_config){.size = half * PAGE, .noreserve = true});
    CHECK_EQ(
        quire_mapping_create(&more, test_vm, &(struct quire_mapping_config){.size = 20 * PAGE}),
        -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_truncate(shm, (half + 10) * PAGE), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_size(shm), (half - 10) * PAGE);
    int64_t written = quire_mapping_write(lazy, 0, buffer, 40 * PAGE);
    CHECK(written > 0 && written <= (int64_t)(12 * PAGE));
    CHECK_EQ(quire_mapping_write(lazy, 30 * PAGE, buffer, 1), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_punch(lazy, 0, PAGE), 0);
    CHECK_EQ(quire_mapping_write(lazy, 30 * PAGE, buffer, 1), 1);
    CHECK_EQ(quire_mapping_write(lazy, 31 * PAGE, buffer, 1), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mapping_truncate(shm, (half - 20) * PAGE), 0);
    CHECK_EQ(quire_mapping_write(lazy, 31 * PAGE, buffer, 1), 1);
    quire_mapping_put(shm);
    quire_mapping_put(lazy);
    shm = shm_of((struct quire_mapping_config){.size = (half - 10) * PAGE});
    quire_mapping_put(shm);
    vm_end();
}

/* ---- in areas --------------------------------------------------------------------------- */

static void body_shared_anonymous(struct quire_mm *mm)
{
    struct quire_mm *child = NULL;
    quire_linear_t at = map_file(mm, NULL, 0, 8 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    CHECK(poke(at, 1));
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK(poke(at + PAGE, 2));
    run_on(child);
    CHECK(holds(at, 1) && holds(at + PAGE, 2) && holds(at + 2 * PAGE, 0));
    CHECK(poke(at + 3 * PAGE, 3) && poke(at, 4));
    CHECK_EQ(mm_info(child).rss_shmem, 4);
    CHECK_EQ(mm_info(child).rss_anon, 0);
    run_on(mm);
    CHECK(holds(at, 4) && holds(at + 3 * PAGE, 3));
    mm_end(child);
    CHECK(holds(at + 3 * PAGE, 3));
}

static void children_share_anonymous_shared_memory(void)
{
    on_each_format(body_shared_anonymous);
}

static void body_swapped(struct quire_mm *mm)
{
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    int area = swap_of(100);
    quire_linear_t at = map_file(mm, shm, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 30; page++)
        CHECK(poke(at + page * PAGE, 100 + page));
    reclaim_all();
    CHECK_EQ(info_of_file(shm).nr_pages + info_of_file(shm).nr_swapped, 30);
    CHECK(info_of_file(shm).nr_swapped > 20);
    CHECK(holds(at + 3 * PAGE, 103));
    CHECK_EQ(word_at(shm, 7 * PAGE), 107);
    CHECK_EQ(word_at(shm, 35 * PAGE), 0);
    /* What is cut off or punched gives its slots back. */
    CHECK_EQ(quire_mapping_truncate(shm, 20 * PAGE + 8), 0);
    CHECK_EQ(quire_mapping_punch(shm, 10 * PAGE + 8, 2 * PAGE), 0);
    CHECK(holds(at + 20 * PAGE, 120) && holds(at + 10 * PAGE, 110) && holds(at + 11 * PAGE, 0));
    CHECK(holds(at + 12 * PAGE, 0) && holds(at + 13 * PAGE, 113));
    struct quire_swap_info info;
    CHECK_EQ(quire_swap_info(test_vm, area, &info), 0);
    CHECK(info.nr_used <= 21);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    CHECK_EQ(info_of_file(shm).nr_swapped, 0);
    for (unsigned page = 0; page < 20; page++)
        if (page < 10 || page > 12)
            CHECK(holds(at + page * PAGE, 100 + page));
    quire_mapping_put(shm);
}

static void shared_memory_goes_to_swap_and_comes_back(void)
{
    on_each_format(body_swapped);
}

static void body_swap_errors(struct quire_mm *mm)
{
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    int area = swap_of(100);
    quire_linear_t at = map_file(mm, shm, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 30; page++)
        CHECK(poke(at + page * PAGE, 100 + page));
    swap_store.broken = true;
    reclaim_all();
    CHECK_EQ(info_of_file(shm).nr_pages, 30);
    CHECK_EQ(swap_free_pages(test_vm), 99);
    for (unsigned page = 0; page < 30; page++)
        CHECK(holds(at + page * PAGE, 100 + page));
    swap_store.broken = false;
    reclaim_all();
    reclaim_all();
    CHECK(info_of_file(shm).nr_swapped > 20);
    swap_store.broken = true;
    unsigned refused = 0;
    for (unsigned page = 0; page < 30; page++)
        refused += no_access(at + page * PAGE);
    CHECK(refused > 0);
    CHECK_EQ(quire_swapoff(test_vm, area), -QUIRE_EIO);
    swap_store.broken = false;
    for (unsigned page = 0; page < 30; page++)
        CHECK(holds(at + page * PAGE, 100 + page));
    quire_mapping_put(shm);
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

/* A store whose odd slots are bad, so that every other write fails. */
static struct quire_mapping *to_be_cut; /* if not NULL, before a write, and all fail */

static int write_even_slots(void *arg, uint64_t slot, struct quire_page *const *pages,
                            unsigned count)
{
    CHECK_EQ(count, 1);
    if (to_be_cut)
        CHECK_EQ(quire_mapping_punch(to_be_cut, 0, 20 * PAGE), 0);
    if (slot % 2 || to_be_cut)
        return -QUIRE_EIO;
    page_read(test_vm, pages[0], 0, (char *)arg + slot * PAGE, QUIRE_PAGE_SIZE);
    return 0;
}

static int read_even_slots(void *arg, uint64_t slot, struct quire_page *const *pages,
                           unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        page_write(test_vm, pages[i], 0, (char *)arg + (slot + i) * PAGE, QUIRE_PAGE_SIZE);
    return 0;
}

static int bad_swap_on(void)
{
    static const struct quire_swap_ops ops = {read_even_slots, write_even_slots, NULL};
    const struct quire_swap_config config = {
        .ops = &ops, .store = swap_store.bytes, .nr_slots = 100, .priority = -1};
    int area = quire_swapon(test_vm, &config);
    CHECK(area >= 0);
    return area;
}

static void body_bad_slots(struct quire_mm *mm)
{
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    int area = bad_swap_on();
    to_be_cut = NULL;
    quire_linear_t at = map_file(mm, shm, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 30; page++)
        CHECK(poke(at + page * PAGE, 100 + page));
    reclaim_all();
    CHECK_EQ(info_of_file(shm).nr_swapped, 30);
    CHECK_EQ(quire_mapping_next(shm, 0, true), 0); /* in swap is there */
    CHECK_EQ(quire_mapping_next(shm, 0, false), 30);
    CHECK_EQ(quire_mapping_allocate(shm, 0, 30 * PAGE), 0);
    CHECK_EQ(info_of_file(shm).nr_swapped, 30);
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    CHECK_EQ(test_vm->event[VM_PSWPOUT], 30);
    CHECK_EQ(swap_free_pages(test_vm), 99 - 30);
    quire_vm_check(test_vm);
    for (unsigned page = 0; page < 30; page++)
        CHECK(holds(at + page * PAGE, 100 + page));
    quire_mapping_put(shm);
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

static void shared_memory_is_written_elsewhere_when_a_slot_is_bad(void)
{
    on_each_format(body_bad_slots);
}

static void body_cut(struct quire_mm *mm)
{
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    int area = bad_swap_on();
    quire_linear_t at = map_file(mm, shm, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 30; page++)
        CHECK(poke(at + page * PAGE, 100 + page));
    to_be_cut = shm;
    CHECK(quire_vm_reclaim(test_vm, 0, 5) > 0);
    to_be_cut = NULL;
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    quire_vm_check(test_vm);
    for (unsigned page = 0; page < 30; page++)
        CHECK(holds(at + page * PAGE, page < 20 ? 0 : 100 + page));
    quire_mapping_put(shm);
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
    CHECK_EQ(swap_free_pages(test_vm), 99);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

static void shared_memory_that_goes_while_it_is_written_is_not_brought_back(void)
{
    on_each_format(body_cut);
}

static void a_failing_swap_loses_nothing_of_shared_memory(void)
{
    on_each_format(body_swap_errors);
}

/* ---- reclaim and migration ------------------------------------------------------------------- */

static void body_reclaim(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 40; page++)
        CHECK(page % 4 ? holds(at + page * PAGE, word_of(page)) : poke(at + page * PAGE, page));
    reclaim_all();
    CHECK(info_of_file(file).nr_pages < 10);
    CHECK(file_store.writes > 5);
    for (unsigned page = 0; page < 40; page++)
        CHECK(holds(at + page * PAGE, page % 4 ? word_of(page) : page));
    quire_mapping_put(file);
}

static void reclaimed_pages_of_files_are_read_again(void)
{
    on_each_format(body_reclaim);
}

static uint32_t frame_at(struct quire_mm *mm, quire_linear_t at)
{
    struct quire_page *page;
    CHECK_EQ(quire_get_user_page(mm, at, false, &page), 0);
    uint32_t pfn = page->pfn;
    quire_put_user_page(test_vm, page, false);
    return pfn;
}

/* A frame is wanted for something else, then let go. */
static void move_away(uint32_t pfn)
{
    quire_pfn_t start = quire_pfn(pfn), end = quire_pfn(pfn + 1ul);
    int error =
        quire_alloc_contig_range(machine.mem, start, end, QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL);
    CHECK_EQ(error, 0);
    if (!error)
        quire_free_contig_range(machine.mem, start, 1);
}

static void body_migration(struct quire_mm *mm)
{
    struct quire_mapping *file = file_of(SIZE);
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = SIZE, .may_write = true});
    uint32_t frame[2][40];
    unsigned moved = 0;
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_SHARED);
    quire_linear_t own = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_PRIVATE);
    quire_linear_t mem = map_file(mm, shm, 0, SIZE, RW, QUIRE_MAP_SHARED);
    for (unsigned page = 0; page < 40; page++) {
        CHECK(page % 4 ? holds(at + page * PAGE, word_of(page)) : poke(at + page * PAGE, page));
        CHECK(page % 3 || poke(own + page * PAGE, 1000 + page));
        CHECK(poke(mem + page * PAGE, 2000 + page));
        frame[0][page] = frame_at(mm, at + page * PAGE);
        frame[1][page] = frame_at(mm, mem + page * PAGE);
    }
    for (unsigned page = 0; page < 40; page++) {
        move_away(frame[0][page]);
        move_away(frame[1][page]);
    }
    quire_vm_check(test_vm);
    for (unsigned page = 0; page < 40; page++) {
        uint64_t word = page % 4 ? word_of(page) : page;
        CHECK(holds(at + page * PAGE, word));
        CHECK_EQ(word_at(file, page * PAGE), word);
        CHECK(holds(own + page * PAGE, page % 3 ? word : 1000 + page));
        CHECK(holds(mem + page * PAGE, 2000 + page));
        moved += frame[0][page] != frame_at(mm, at + page * PAGE);
        moved += frame[1][page] != frame_at(mm, mem + page * PAGE);
    }
    CHECK_EQ(moved, 80);
    CHECK_EQ(info_of_file(file).nr_dirty, 10);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    for (unsigned page = 0; page < 40; page += 4)
        CHECK_EQ(stored(page * PAGE), page);
    quire_mapping_put(file);
    quire_mapping_put(shm);
}

static void pages_of_files_and_shared_memory_move(void)
{
    on_each_format(body_migration);
}

static const struct test_case cases[] = {
    TEST_CASE(holes_of_shared_memory_are_read_as_zeros_and_stay_holes),
    TEST_CASE(pages_and_holes_of_shared_memory_are_found),
    TEST_CASE(allocating_makes_what_is_missing_and_leaves_the_rest),
    TEST_CASE(sealed_memory_is_not_written),
    TEST_CASE(memory_that_is_sealed_later_is_not_mapped_for_writing),
    TEST_CASE(an_owner_names_shared_memory_as_long_as_it_is_mapped),
    TEST_CASE(shared_memory_is_accounted_at_once_or_by_page),
    TEST_CASE(children_share_anonymous_shared_memory),
    TEST_CASE(shared_memory_goes_to_swap_and_comes_back),
    TEST_CASE(a_failing_swap_loses_nothing_of_shared_memory),
    TEST_CASE(shared_memory_is_written_elsewhere_when_a_slot_is_bad),
    TEST_CASE(shared_memory_that_goes_while_it_is_written_is_not_brought_back),
    TEST_CASE(reclaimed_pages_of_files_are_read_again),
    TEST_CASE(pages_of_files_and_shared_memory_move),
    {0},
};
const struct test_suite suite_vm_shmem = {"vm_shmem", cases};
