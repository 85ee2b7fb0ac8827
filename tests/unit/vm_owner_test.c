/* tests/unit/vm_owner_test.c: what the owner of a file is called for, and what he may do then */
#include "tests/unit/vm_file_machine.h"

#define SIZE (2 * PAGE)
#define PLACE ((quire_linear_t)0x20000000)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

/* An owner who looks at a program's memory, and changes it, whenever he is called. */
static struct owner {
    struct quire_mm *mm;
    quire_linear_t at;
    uint64_t word; /* that he has written there last */
    unsigned writes, releases, used, refused;
} owner;

static void use_memory(struct owner *o)
{
    uint64_t found;
    bool copied = !quire_copy_from_user(o->mm, &found, o->at, sizeof found) && found == o->word;
    o->word++;
    copied = copied && !quire_copy_to_user(o->mm, o->at, &o->word, sizeof o->word);
    o->used += copied;
    o->refused += !copied;
}

static int read_zeros(void *arg, uint64_t index, struct quire_page *const *pages, unsigned count)
{
    (void)arg;
    (void)index;
    for (unsigned i = 0; i < count; i++)
        __builtin_memset(quire_page_address(machine.mem, pages[i]), 0, QUIRE_PAGE_SIZE);
    return 0;
}

static int write_and_use(void *arg, uint64_t index, struct quire_page *page, size_t bytes)
{
    struct owner *o = arg;
    (void)index;
    (void)page;
    CHECK_EQ(bytes, QUIRE_PAGE_SIZE);
    o->writes++;
    use_memory(o);
    return 0;
}

static void release_and_use(void *arg)
{
    struct owner *o = arg;
    o->releases++;
    use_memory(o);
}

/* ---- the last reference ---------------------------------------------------------------------- */

static void by_munmap(struct quire_mm *mm)
{
    CHECK_EQ(quire_munmap(mm, PLACE, SIZE), 0);
}

static void by_munmap_of_more(struct quire_mm *mm)
{
    CHECK_EQ(quire_munmap(mm, PLACE - PAGE, SIZE + 8 * PAGE), 0);
}

static void by_mmap(struct quire_mm *mm)
{
    CHECK_EQ(quire_mmap(mm, PLACE, SIZE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), PLACE);
}

static void by_mmap_that_populates(struct quire_mm *mm)
{
    const unsigned flags = ANON | QUIRE_MAP_FIXED | QUIRE_MAP_POPULATE;
    CHECK_EQ(quire_mmap(mm, PLACE, SIZE, RW, flags, NULL, 0), PLACE);
}

static void by_mremap_to_its_place(struct quire_mm *mm)
{
    quire_linear_t from = map_anon(mm, SIZE);
    const unsigned flags = QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED;
    CHECK_EQ(quire_mremap(mm, from, SIZE, SIZE, flags, PLACE), PLACE);
}

static void by_mremap_that_shrinks(struct quire_mm *mm)
{
    CHECK_EQ(quire_mremap(mm, PLACE - PAGE, PAGE + SIZE, PAGE, 0, 0), PLACE - PAGE);
}

static void by_brk(struct quire_mm *mm)
{
    CHECK_EQ(quire_brk(mm, PLACE), PLACE);
}

/* A program with a heap from PLACE - PAGE on, in whose midst is a file that nobody else has, with
 * dirty pages; and elsewhere memory that its owner uses. */
static struct quire_mm *program_with_file(void)
{
    static const struct quire_mapping_ops ops = {
        .read_pages = read_zeros, .write_page = write_and_use, .release = release_and_use};
    const struct quire_mapping_config config = {
        .ops = &ops, .owner = &owner, .size = SIZE, .may_write = true};
    const struct quire_mm_program program = {.brk = PLACE - PAGE};
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = NULL;
    run_on(mm);
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    CHECK_EQ(quire_brk(mm, PLACE + SIZE), PLACE + SIZE);
    CHECK_EQ(quire_mapping_create(&file, test_vm, &config), 0);
    const unsigned flags = QUIRE_MAP_SHARED | QUIRE_MAP_FIXED;
    CHECK_EQ(quire_mmap(mm, PLACE, SIZE, RW, flags, file, 0), PLACE);
    quire_mapping_put(file);
    CHECK(poke(PLACE, 1) && poke(PLACE + PAGE, 2));
    owner = (struct owner){.mm = mm, .at = map_anon(mm, PAGE)};
    return mm;
}

/* The last reference goes without the address space's lock: or the owner would wait for it. */
static void a_file_that_nobody_maps_any_more_may_use_memory_of_who_unmapped_it(void)
{
    static void (*const unmap[])(struct quire_mm * mm) = {
        by_munmap,
        by_munmap_of_more,
        by_mmap,
        by_mmap_that_populates,
        by_mremap_to_its_place,
        by_mremap_that_shrinks,
        by_brk,
    };
    for (unsigned i = 0; i < sizeof unmap / sizeof unmap[0]; i++) {
        if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
            return;
        struct quire_mm *mm = program_with_file();
        unmap[i](mm);
        CHECK_EQ(owner.writes, 2);
        CHECK_EQ(owner.releases, 1);
        CHECK_EQ(owner.used, 3);
        CHECK_EQ(owner.refused, 0);
        CHECK(holds(owner.at, 3));
        quire_vm_check(test_vm);
        mm_end(mm);
        vm_end();
    }
}

/* There is nothing left to use then, but it can be asked for. */
static void a_file_may_go_with_the_last_address_space(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    mm_end(program_with_file());
    CHECK_EQ(owner.writes, 2);
    CHECK_EQ(owner.releases, 1);
    CHECK_EQ(owner.refused, 3);
    vm_end();
}

/* ---- room for what is written ---------------------------------------------------------------- */

#define DISK_PAGES 8u

/* An owner who says for each page whether there is room, and has nothing but pages full of 7. */
static struct {
    uint64_t full;              /* the first page that there is no room for */
    unsigned asked[DISK_PAGES]; /* how often, by page */
} disk;

static int make_room(void *arg, uint64_t index)
{
    (void)arg;
    if (index < DISK_PAGES)
        disk.asked[index]++;
    return index < disk.full ? 0 : -QUIRE_ENOSPC;
}

static int read_sevens(void *arg, uint64_t index, struct quire_page *const *pages, unsigned count)
{
    (void)arg;
    (void)index;
    for (unsigned i = 0; i < count; i++)
        __builtin_memset(quire_page_address(machine.mem, pages[i]), 7, QUIRE_PAGE_SIZE);
    return 0;
}

static int forget_page(void *arg, uint64_t index, struct quire_page *page, size_t bytes)
{
    (void)arg;
    (void)index;
    (void)page;
    (void)bytes;
    return 0;
}

#define SEVENS 0x0707070707070707u

static struct quire_mapping *file_on_disk(uint64_t size, uint64_t full)
{
    static const struct quire_mapping_ops ops = {
        .read_pages = read_sevens, .write_page = forget_page, .page_mkwrite = make_room};
    const struct quire_mapping_config config = {
        .ops = &ops, .size = size, .may_write = true, .no_readahead = true};
    struct quire_mapping *file = NULL;
    __builtin_memset(&disk, 0, sizeof disk);
    disk.full = full;
    CHECK_EQ(quire_mapping_create(&file, test_vm, &config), 0);
    return file;
}

static char buffer[4 * QUIRE_PAGE_SIZE];

static int64_t write_ones(struct quire_mapping *file, uint64_t at, size_t size)
{
    __builtin_memset(buffer, 1, size);
    return quire_mapping_write(file, at, buffer, size);
}

#define ONES 0x0101010101010101u

static void body_asked(struct quire_mm *mm)
{
    struct quire_mapping *file = file_on_disk(4 * PAGE, DISK_PAGES);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK_EQ(write_ones(file, PAGE + 8, 2 * PAGE), 2 * PAGE);
    CHECK_EQ(write_ones(file, PAGE, 8), 8); /* it is dirty already */
    CHECK(poke(at + 2 * PAGE, 2));
    CHECK(poke(at, 2));
    CHECK_EQ(write_ones(file, 0, 8), 8);
    for (unsigned page = 0; page < 4; page++)
        CHECK_EQ(disk.asked[page], 1);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    CHECK_EQ(write_ones(file, PAGE, 8), 8);
    CHECK_EQ(disk.asked[1], 2);
    CHECK_EQ(write_ones(file, 4 * PAGE, PAGE + 8), PAGE + 8); /* longer */
    CHECK_EQ(disk.asked[4] + disk.asked[5], 2);
    quire_mapping_put(file);
}

static void the_owner_is_asked_before_a_call_writes_to_a_clean_page(void)
{
    on_each_format(body_asked);
}

static void body_no_room(struct quire_mm *mm)
{
    struct quire_mapping *file = file_on_disk(4 * PAGE, 2);
    (void)mm;
    CHECK_EQ(write_ones(file, 2 * PAGE + 8, 8), -QUIRE_ENOSPC); /* a page that is read */
    CHECK_EQ(write_ones(file, 3 * PAGE, PAGE), -QUIRE_ENOSPC);  /* and one that isn't */
    CHECK_EQ(info_of_file(file).nr_dirty, 0);
    CHECK_EQ(info_of_file(file).nr_pages, 1);
    CHECK_EQ(word_at(file, 2 * PAGE + 8), SEVENS);
    CHECK_EQ(word_at(file, 3 * PAGE), SEVENS);
    CHECK_EQ(write_ones(file, 3 * PAGE, PAGE), -QUIRE_ENOSPC); /* now it is there */
    CHECK_EQ(word_at(file, 3 * PAGE), SEVENS);
    CHECK_EQ(write_ones(file, PAGE - 8, 2 * PAGE), 8 + PAGE); /* as far as there is room */
    CHECK_EQ(word_at(file, PAGE - 8), ONES);
    CHECK_EQ(word_at(file, 2 * PAGE - 8), ONES);
    CHECK_EQ(word_at(file, 2 * PAGE), SEVENS);
    CHECK_EQ(info_of_file(file).nr_dirty, 2);
    disk.full = DISK_PAGES;
    CHECK_EQ(write_ones(file, 2 * PAGE, 2 * PAGE), 2 * PAGE);
    CHECK_EQ(info_of_file(file).nr_dirty, 4);
    quire_mapping_put(file);
}

static void what_there_is_no_room_for_is_not_written(void)
{
    on_each_format(body_no_room);
}

static void body_no_longer(struct quire_mm *mm)
{
    struct quire_mapping *file = file_on_disk(2 * PAGE - 100, 3);
    (void)mm;
    CHECK_EQ(write_ones(file, 3 * PAGE, PAGE), -QUIRE_ENOSPC);
    CHECK_EQ(write_ones(file, 3 * PAGE, 8), -QUIRE_ENOSPC);
    CHECK_EQ(quire_mapping_size(file), 2 * PAGE - 100);
    CHECK_EQ(info_of_file(file).nr_pages, 0);
    CHECK_EQ(write_ones(file, 2 * PAGE, PAGE + 8), PAGE);
    CHECK_EQ(quire_mapping_size(file), 3 * PAGE);
    CHECK_EQ(info_of_file(file).nr_pages, 1);
    disk.full = DISK_PAGES;
    CHECK_EQ(write_ones(file, 3 * PAGE, 8), 8);
    CHECK_EQ(quire_mapping_size(file), 3 * PAGE + 8);
    quire_mapping_put(file);
}

static void a_file_gets_as_long_as_there_is_room(void)
{
    on_each_format(body_no_longer);
}

/* ---- the file's length ----------------------------------------------------------------------- */

/* An owner who keeps the length that he is to find out. */
static struct {
    struct quire_mapping *file;
    uint64_t length, last;
    unsigned writes;
} keeper;

static int keep_length(void *arg, uint64_t index, struct quire_page *page, size_t bytes)
{
    uint64_t end = index * QUIRE_PAGE_SIZE + bytes;
    (void)arg;
    (void)page;
    keeper.length = quire_mapping_size(keeper.file);
    keeper.last = end > keeper.last ? end : keeper.last;
    keeper.writes++;
    return 0;
}

static void body_longer(struct quire_mm *mm)
{
    static const struct quire_mapping_ops ops = {.read_pages = read_zeros,
                                                 .write_page = keep_length};
    const struct quire_mapping_config config = {.ops = &ops, .size = 100, .may_write = true};
    (void)mm;
    __builtin_memset(&keeper, 0, sizeof keeper);
    CHECK_EQ(quire_mapping_create(&keeper.file, test_vm, &config), 0);
    CHECK_EQ(write_ones(keeper.file, 3 * PAGE - 8, 16), 16);
    CHECK_EQ(keeper.writes, 0); /* nobody has told him */
    CHECK_EQ(quire_mapping_sync(keeper.file, 0, 0), 0);
    CHECK_EQ(keeper.writes, 2);
    CHECK_EQ(keeper.length, 3 * PAGE + 8);
    CHECK_EQ(keeper.last, 3 * PAGE + 8);
    CHECK_EQ(word_at(keeper.file, PAGE), 0); /* a hole is his to read as zeros */
    CHECK_EQ(write_ones(keeper.file, 5 * PAGE, 1), 1);
    quire_mapping_put(keeper.file); /* the last chance */
    CHECK_EQ(keeper.length, 5 * PAGE + 1);
}

static void the_owner_finds_out_how_long_a_file_is_when_it_is_written(void)
{
    on_each_format(body_longer);
}

/* ---- reclaim --------------------------------------------------------------------------------- */

/* Of one batch: a program's own page, which goes to swap, and the file's, whose owner looks at that
 * one when he is to write. */
static void who_writes_a_page_for_reclaim_may_use_what_goes_to_swap(void)
{
    static const struct quire_mapping_ops ops = {
        .read_pages = read_zeros, .write_page = write_and_use, .release = release_and_use};
    const struct quire_mapping_config config = {
        .ops = &ops, .owner = &owner, .size = SIZE, .may_write = true};
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = NULL;
    run_on(mm);
    int area = swap_of(64);
    CHECK_EQ(quire_mapping_create(&file, test_vm, &config), 0);
    quire_linear_t at = map_file(mm, file, 0, SIZE, RW, QUIRE_MAP_PRIVATE);
    put_word(file, PAGE, 7);
    CHECK(poke(at, 1));
    CHECK(holds(at + PAGE, 7));
    owner = (struct owner){.mm = mm, .at = at, .word = 1};
    CHECK_EQ(quire_madvise(mm, at, SIZE, QUIRE_MADV_PAGEOUT), 0);
    CHECK_EQ(owner.writes, 1);
    CHECK_EQ(owner.used, 1);
    CHECK(holds(at, 2));
    quire_mapping_put(file);
    mm_end(mm);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_file_that_nobody_maps_any_more_may_use_memory_of_who_unmapped_it),
    TEST_CASE(a_file_may_go_with_the_last_address_space),
    TEST_CASE(the_owner_is_asked_before_a_call_writes_to_a_clean_page),
    TEST_CASE(what_there_is_no_room_for_is_not_written),
    TEST_CASE(a_file_gets_as_long_as_there_is_room),
    TEST_CASE(the_owner_finds_out_how_long_a_file_is_when_it_is_written),
    TEST_CASE(who_writes_a_page_for_reclaim_may_use_what_goes_to_swap),
    {0},
};
const struct test_suite suite_vm_owner = {"vm_owner", cases};
