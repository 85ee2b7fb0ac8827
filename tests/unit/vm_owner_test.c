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
    CHECK_EQ(quire_mapping_create(&file, machine_vm, &config), 0);
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
        quire_vm_check(machine_vm);
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

static const struct test_case cases[] = {
    TEST_CASE(a_file_that_nobody_maps_any_more_may_use_memory_of_who_unmapped_it),
    TEST_CASE(a_file_may_go_with_the_last_address_space),
    {0},
};
const struct test_suite suite_vm_owner = {"vm_owner", cases};
