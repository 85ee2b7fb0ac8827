/* tests/unit/vm_mmap_test.c: where mmap and brk put areas, when they refuse, and what munmap leaves
 */
#include "tests/unit/vm_machine.h"
#include "vm/area.h"

#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)
#define GIB ((uint64_t)1 << 30)

static struct quire_mm *mm;

static bool begin(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    mm = mm_new();
    return true;
}

static void finish(void)
{
    mm_end(mm);
    CHECK_EQ(test_vm->committed, 0);
    vm_end();
}

static int64_t mmap_at(quire_linear_t at, uint64_t size, unsigned flags)
{
    return quire_mmap(mm, at, size, RW, ANON | flags, NULL, 0);
}

static int64_t mmap_of(struct quire_mapping *file, unsigned prot, unsigned flags, uint64_t offset)
{
    return quire_mmap(mm, 0, PAGE, prot, flags, file, offset);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* The first mapping of an address space whose stack may have so many bytes. */
static quire_linear_t first_end(uint64_t stack)
{
    struct quire_mm *other = mm_new();
    quire_mm_set_limit(other, QUIRE_LIMIT_STACK, stack);
    quire_linear_t at = map_anon(other, PAGE);
    mm_end(other);
    return at + PAGE;
}

static void the_mmap_area_begins_below_the_stacks_limit(void)
{
    const quire_linear_t end = quire_mm_layout_x86_64.end;
    if (!begin())
        return;
    CHECK_EQ(first_end(0), end - (128ull << 20));
    CHECK_EQ(first_end(8 << 20), end - (128ull << 20));
    CHECK_EQ(first_end(GIB), end - GIB - 256 * PAGE);
    CHECK_EQ(first_end(GIB + 1), end - GIB - 256 * PAGE);
    CHECK_EQ(first_end(end), (end - end / 6 * 5 + PAGE - 1) & ~(PAGE - 1));
    CHECK_EQ(first_end(QUIRE_LIMIT_INFINITE), 0x2aaaaaaab000 + PAGE);
    finish();
}

static void the_highest_hole_that_is_large_enough_is_taken(void)
{
    if (!begin())
        return;
    quire_linear_t at[5];
    for (unsigned i = 0; i < 5; i++)
        at[i] = (quire_linear_t)quire_mmap(mm, 0, 4 * PAGE, i & 1 ? RW : QUIRE_PROT_READ, ANON,
                                           NULL, 0);
    for (unsigned i = 1; i < 5; i++)
        CHECK_EQ(at[i], at[i - 1] - 4 * PAGE);
    CHECK_EQ(quire_munmap(mm, at[1] + PAGE, PAGE), 0);
    CHECK_EQ(quire_munmap(mm, at[3], 3 * PAGE), 0);
    CHECK_EQ(map_anon(mm, 2 * PAGE), at[3] + PAGE);
    CHECK_EQ(map_anon(mm, PAGE), at[1] + PAGE);
    CHECK_EQ(map_anon(mm, PAGE), at[3]);
    CHECK_EQ(map_anon(mm, PAGE), at[4] - PAGE);
    finish();
}

/* What lies above mmap's area is no place, however many holes there are. */
static void holes_above_the_mmap_area_are_passed_over(void)
{
    if (!begin())
        return;
    quire_linear_t base = map_anon(mm, PAGE) + PAGE;
    for (unsigned i = 1; i <= 40; i++)
        CHECK_EQ(mmap_at(base + i * 8 * PAGE, PAGE, QUIRE_MAP_FIXED), base + i * 8 * PAGE);
    for (unsigned i = 2; i <= 40; i++)
        CHECK_EQ(mmap_at(base - i * 8 * PAGE, PAGE, QUIRE_MAP_FIXED), base - i * 8 * PAGE);
    CHECK_EQ(map_anon(mm, 6 * PAGE), base - 7 * PAGE);
    CHECK_EQ(map_anon(mm, 7 * PAGE), base - 14 * PAGE);
    CHECK_EQ(map_anon(mm, 100 * PAGE), base - 320 * PAGE - 100 * PAGE);
    areas_check(mm);
    finish();
}

static void when_nothing_is_left_below_the_search_goes_up(void)
{
    struct quire_mm_layout layout = quire_mm_layout_i386;
    layout.end = 0x400000;
    layout.gap_min = layout.gap_max = 0x100000;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    CHECK_EQ(quire_mm_create(&mm, test_vm, &layout), 0);
    CHECK_EQ(map_anon(mm, 0x300000 - 0x10000), 0x10000);
    CHECK_EQ(map_anon(mm, PAGE), 0x300000);
    CHECK_EQ(map_anon(mm, 0x100000 - PAGE), 0x301000);
    CHECK_EQ(mmap_at(0, PAGE, 0), -QUIRE_ENOMEM);
    mm_end(mm);
    layout.bottom_up = true;
    CHECK_EQ(quire_mm_create(&mm, test_vm, &layout), 0);
    CHECK_EQ(map_anon(mm, PAGE), 0x156000);
    CHECK_EQ(map_anon(mm, PAGE), 0x157000);
    finish();
}

static void a_hint_is_taken_where_it_is_free(void)
{
    if (!begin())
        return;
    CHECK_EQ(mmap_at(0x100123, 2 * PAGE, 0), 0x100000);
    CHECK_EQ(mmap_at(0x2000, PAGE, 0), 0x10000);
    CHECK(mmap_at(0xff000, 2 * PAGE, 0) > 0x7fff00000000);
    CHECK(mmap_at(quire_mm_layout_x86_64.end - PAGE, 2 * PAGE, 0) < 0x7ffff8000000);
    CHECK_EQ(mmap_at(quire_mm_layout_x86_64.end - PAGE, PAGE, 0), 0x7fffffffe000);
    CHECK_EQ(mmap_at(0, PAGE, QUIRE_MAP_32BIT), 0x40000000);
    CHECK_EQ(mmap_at(0, PAGE, QUIRE_MAP_32BIT), 0x40001000);
    CHECK_EQ(mmap_at(0x50000000, PAGE, QUIRE_MAP_32BIT), 0x50000000);
    CHECK_EQ(mmap_at(0x90000000, PAGE, QUIRE_MAP_32BIT), 0x40002000);
    CHECK_EQ(mmap_at(0, GIB, QUIRE_MAP_32BIT), -QUIRE_ENOMEM);
    finish();
}

static void below_a_growing_stack_a_gap_stays_free(void)
{
    if (!begin())
        return;
    const quire_linear_t stack = 0x20000000, gap = 256 * PAGE;
    CHECK_EQ(mmap_at(stack, PAGE, QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN), stack);
    CHECK(mmap_at(stack - gap, PAGE, 0) > 0x7fff00000000);
    CHECK_EQ(mmap_at(stack - gap - PAGE, PAGE, 0), stack - gap - PAGE);
    CHECK_EQ(mmap_at(stack - 2 * PAGE, PAGE, QUIRE_MAP_FIXED), stack - 2 * PAGE);
    areas_check(mm);
    finish();
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static void a_stack_grows_to_its_limit_and_its_gap(void)
{
    const quire_linear_t top = 0x20000000, limit = 1 << 20;
    if (!begin())
        return;
    quire_mm_set_limit(mm, QUIRE_LIMIT_STACK, limit);
    CHECK_EQ(mmap_at(top - PAGE, PAGE, QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN), top - PAGE);
    run_on(mm);
    CHECK(poke(top - 5 * PAGE, 1));
    CHECK_EQ(mm_info(mm).stack, 5);
    CHECK_EQ(test_vm->committed, 5);
    CHECK(poke(top - limit, 2));
    CHECK(!poke(top - limit - PAGE, 3));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
    CHECK_EQ(mm_info(mm).stack, 256);
    CHECK_EQ(mm_info(mm).nr_areas, 1);
    areas_check(mm);
    finish();
}

static void a_stack_does_not_come_near_another_area(void)
{
    const quire_linear_t top = 0x20000000, other = top - 300 * PAGE;
    if (!begin())
        return;
    CHECK_EQ(mmap_at(top - PAGE, PAGE, QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN), top - PAGE);
    CHECK_EQ(mmap_at(other, PAGE, QUIRE_MAP_FIXED), other);
    run_on(mm);
    CHECK(poke(other + PAGE + 256 * PAGE, 1));
    CHECK(!poke(other + 256 * PAGE, 1));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
    /* One that nobody can access is no danger. */
    CHECK_EQ(quire_mprotect(mm, other, PAGE, QUIRE_PROT_NONE), 0);
    CHECK(poke(other + PAGE, 1));
    CHECK(!poke(other, 1));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    finish();
}

static void limits_stop_a_stack(void)
{
    const quire_linear_t top = 0x20000000;
    if (!begin())
        return;
    CHECK_EQ(mmap_at(top - PAGE, PAGE, QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN), top - PAGE);
    run_on(mm);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, 2 * PAGE);
    CHECK(!poke(top - 3 * PAGE, 1));
    CHECK(poke(top - 2 * PAGE, 1));
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, QUIRE_LIMIT_INFINITE);
    CHECK_EQ(quire_mlock(mm, top - 2 * PAGE, 2 * PAGE, 0), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 3 * PAGE);
    CHECK(!poke(top - 4 * PAGE, 1));
    CHECK(poke(top - 3 * PAGE, 1));
    CHECK_EQ(mm_info(mm).locked, 3);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 0), 0);
    CHECK_EQ(quire_munlockall(mm), 0);
    CHECK(!poke(top - 4 * PAGE, 1));
    finish();
}

/* ---- mmap's errors --------------------------------------------------------------------------- */

static void mmap_refuses_what_makes_no_sense(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(4 * PAGE);
    CHECK_EQ(mmap_at(0, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(file, RW, QUIRE_MAP_PRIVATE, 1), -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(NULL, RW, ANON, 1), -QUIRE_EINVAL); /* as x86's system call, of any mapping */
    CHECK_EQ(mmap_at(0x100001, PAGE, QUIRE_MAP_FIXED), -QUIRE_EINVAL);
    CHECK_EQ(mmap_at(0x100001, PAGE, QUIRE_MAP_FIXED_NOREPLACE), -QUIRE_EINVAL);
    CHECK_EQ(mmap_at(0, PAGE, QUIRE_MAP_HUGETLB), -QUIRE_EINVAL);
    CHECK_EQ(quire_mmap(mm, 0, PAGE, RW, QUIRE_MAP_ANONYMOUS, NULL, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_mmap(mm, 0, PAGE, RW, QUIRE_MAP_ANONYMOUS | QUIRE_MAP_SHARED_VALIDATE, NULL, 0),
             -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(file, RW, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(file, RW, QUIRE_MAP_PRIVATE | QUIRE_MAP_GROWSDOWN, 0), -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(NULL, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_GROWSDOWN, 0),
             -QUIRE_EINVAL);
    CHECK_EQ(mmap_of(file, RW, QUIRE_MAP_SHARED_VALIDATE | QUIRE_MAP_SYNC, 0), -QUIRE_EOPNOTSUPP);
    CHECK_EQ(mmap_of(file, RW, QUIRE_MAP_PRIVATE, ((uint64_t)1 << 52) - PAGE + PAGE),
             -QUIRE_EOVERFLOW);
    CHECK_EQ(mm_info(mm).nr_areas, 0);
    CHECK(mmap_of(file, RW, QUIRE_MAP_SHARED | QUIRE_MAP_SYNC, 0) > 0);
    CHECK(mmap_of(file, RW, QUIRE_MAP_SHARED_VALIDATE, 0) > 0);
    CHECK(mmap_of(file, RW, QUIRE_MAP_PRIVATE, ((uint64_t)1 << 52) - PAGE) > 0);
    quire_mapping_put(file);
    finish();
}

static void mmap_refuses_what_is_not_allowed(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(4 * PAGE), *other = NULL;
    const struct quire_mapping_config sealed = {
        .size = PAGE, .may_write = true, .sealed_write = true};
    CHECK_EQ(quire_mapping_create(&other, test_vm, &sealed), 0);
    CHECK_EQ(mmap_of(other, RW, QUIRE_MAP_SHARED, 0), -QUIRE_EPERM);
    CHECK_EQ(mmap_of(other, QUIRE_PROT_EXEC, QUIRE_MAP_PRIVATE, 0), -QUIRE_EPERM);
    int64_t at = mmap_of(other, QUIRE_PROT_READ, QUIRE_MAP_SHARED, 0);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, PAGE, RW), -QUIRE_EACCES);
    quire_mapping_set_writable(file, false);
    CHECK_EQ(mmap_of(file, RW, QUIRE_MAP_SHARED, 0), -QUIRE_EACCES);
    CHECK(mmap_of(file, RW, QUIRE_MAP_PRIVATE, 0) > 0);
    at = mmap_of(file, QUIRE_PROT_READ, QUIRE_MAP_SHARED, 0);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, PAGE, RW), -QUIRE_EACCES);
    CHECK_EQ(mmap_at(0, PAGE, QUIRE_MAP_FIXED), -QUIRE_EPERM);
    CHECK_EQ(mmap_at(0xf000, PAGE, QUIRE_MAP_FIXED_NOREPLACE), -QUIRE_EPERM);
    CHECK_EQ(mmap_at(0x10000, PAGE, QUIRE_MAP_FIXED), 0x10000);
    CHECK_EQ(mmap_at(0xf000, 2 * PAGE, QUIRE_MAP_FIXED), -QUIRE_EPERM);
    CHECK_EQ(mmap_at(0x10000, 2 * PAGE, QUIRE_MAP_FIXED_NOREPLACE), -QUIRE_EEXIST);
    CHECK_EQ(mmap_at(0x11000, PAGE, QUIRE_MAP_FIXED_NOREPLACE), 0x11000);
    quire_mapping_put(file);
    quire_mapping_put(other);
    finish();
}

static void mmap_keeps_to_the_limits(void)
{
    const quire_linear_t end = quire_mm_layout_x86_64.end;
    if (!begin())
        return;
    CHECK_EQ(mmap_at(0, UINT64_MAX, 0), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(0, end + PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(end - PAGE, 2 * PAGE, QUIRE_MAP_FIXED), -QUIRE_ENOMEM);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, 4 * PAGE + 1);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, 2 * PAGE);
    CHECK_EQ(mmap_at(0, 3 * PAGE, 0), -QUIRE_ENOMEM);
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    CHECK_EQ(mmap_at(0, PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(at, 2 * PAGE, QUIRE_MAP_FIXED), at);
    CHECK_EQ(quire_mmap(mm, 0, 3 * PAGE, QUIRE_PROT_READ, ANON, NULL, 0), -QUIRE_ENOMEM);
    CHECK(quire_mmap(mm, 0, 2 * PAGE, QUIRE_PROT_READ, ANON, NULL, 0) > 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, QUIRE_LIMIT_INFINITE);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, QUIRE_LIMIT_INFINITE);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 2 * PAGE);
    CHECK_EQ(mmap_at(0, 3 * PAGE, QUIRE_MAP_LOCKED), -QUIRE_EAGAIN);
    CHECK(mmap_at(0, 2 * PAGE, QUIRE_MAP_LOCKED) > 0);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 0);
    CHECK_EQ(mmap_at(0, PAGE, QUIRE_MAP_LOCKED), -QUIRE_EPERM);
    finish();
}

static void memory_is_promised_by_the_mode(void)
{
    if (!begin())
        return;
    unsigned long all = quire_nr_managed_pages(machine.mem);
    CHECK_EQ(mmap_at(0, (all + 1) * PAGE, 0), -QUIRE_ENOMEM);
    CHECK(mmap_at(0, (all + 1) * PAGE, QUIRE_MAP_NORESERVE) > 0);
    CHECK(mmap_at(0, all * PAGE, 0) > 0);
    CHECK(mmap_at(0, all * PAGE, 0) > 0);
    CHECK_EQ(test_vm->committed, 2 * all);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_ALWAYS, 50), 0);
    CHECK(mmap_at(0, 4 * all * PAGE, 0) > 0);
    CHECK_EQ(quire_munmap(mm, 0x10000, quire_mm_layout_x86_64.end - 0x10000), 0);
    CHECK_EQ(test_vm->committed, 0);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 50), 0);
    unsigned long limit = vm_commit_limit(test_vm);
    CHECK_EQ(limit, all / 2);
    CHECK_EQ(mmap_at(0, limit * PAGE, QUIRE_MAP_NORESERVE), -QUIRE_ENOMEM);
    CHECK(mmap_at(0, (limit - 1) * PAGE, QUIRE_MAP_NORESERVE) > 0);
    CHECK_EQ(quire_mmap(mm, 0, PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS, NULL, 0),
             -QUIRE_ENOMEM);
    CHECK(quire_mmap(mm, 0, PAGE, QUIRE_PROT_READ, ANON, NULL, 0) > 0);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, (enum quire_overcommit)3, 50), -QUIRE_EINVAL);
    finish();
}

static void what_is_replaced_makes_room_for_its_successor(void)
{
    if (!begin())
        return;
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 50), 0);
    unsigned long most = vm_commit_limit(test_vm) * 32 / 34;
    quire_linear_t at = map_anon(mm, most * PAGE);
    CHECK_EQ(mmap_at(0, most * PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(at, most * PAGE, QUIRE_MAP_FIXED), at);
    CHECK_EQ(test_vm->committed, most);
    CHECK_EQ(mm_info(mm).total, most);
    finish();
}

/* ---- munmap, brk ----------------------------------------------------------------------------- */

static void munmap_refuses_what_makes_no_sense(void)
{
    const quire_linear_t end = quire_mm_layout_x86_64.end;
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 1, PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_munmap(mm, at, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_munmap(mm, end, PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_munmap(mm, end + PAGE, PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_munmap(mm, at, UINT64_MAX), -QUIRE_EINVAL);
    CHECK_EQ(quire_munmap(mm, 0, end), 0);
    CHECK_EQ(quire_munmap(mm, at, PAGE), 0);
    CHECK_EQ(mm_info(mm).total, 0);
    finish();
}

static void tables_of_unmapped_areas_go_back(void)
{
    if (!begin())
        return;
    unsigned long before = mm_info(mm).tables;
    run_on(mm);
    quire_linear_t at = map_anon(mm, 1024 * PAGE);
    for (unsigned i = 0; i < 1024; i += 64)
        CHECK(poke(at + i * PAGE, i));
    CHECK(mm_info(mm).tables > before + 3);
    unsigned long full = mm_info(mm).tables;
    CHECK_EQ(quire_munmap(mm, at + PAGE, 1022 * PAGE), 0);
    CHECK(mm_info(mm).tables < full);
    CHECK(holds(at, 0));
    CHECK_EQ(quire_munmap(mm, at, 1024 * PAGE), 0);
    CHECK_EQ(mm_info(mm).tables, before);
    finish();
}

static void brk_gives_the_old_break_when_it_refuses(void)
{
    if (!begin())
        return;
    CHECK_EQ(quire_brk(mm, 0x1000000), 0); /* there is no program yet */
    struct quire_mm_program program = {
        .start_data = 0x400000, .end_data = 0x402000, .brk = 0x500800};
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    CHECK_EQ(quire_brk(mm, 0), 0x500800);
    CHECK_EQ(quire_brk(mm, 0x500000), 0x500800);
    CHECK_EQ(quire_brk(mm, 0x500fff), 0x500fff);
    CHECK_EQ(mm_info(mm).nr_areas, 0);
    CHECK_EQ(quire_brk(mm, 0x503001), 0x503001);
    CHECK_EQ(mm_info(mm).data, 3);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, 0x6000);
    CHECK_EQ(quire_brk(mm, 0x504801), 0x503001);
    CHECK_EQ(quire_brk(mm, 0x504800), 0x504800);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, QUIRE_LIMIT_INFINITE);
    /* A page stays free below what comes next. */
    CHECK_EQ(mmap_at(0x508000, PAGE, QUIRE_MAP_FIXED), 0x508000);
    CHECK_EQ(quire_brk(mm, 0x507001), 0x504800);
    CHECK_EQ(quire_brk(mm, 0x507000), 0x507000);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, 0x5000);
    CHECK_EQ(quire_munmap(mm, 0x508000, PAGE), 0);
    CHECK_EQ(quire_brk(mm, 0x508000), 0x507000);
    CHECK_EQ(quire_brk(mm, quire_mm_layout_x86_64.end + PAGE), 0x507000);
    CHECK_EQ(quire_brk(mm, 0x501000), 0x501000);
    CHECK_EQ(mm_info(mm).nr_areas, 0);
    finish();
}

static void a_heap_that_is_unmapped_does_not_shrink(void)
{
    if (!begin())
        return;
    struct quire_mm_program program = {.brk = 0x500000};
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    CHECK_EQ(quire_brk(mm, 0x504000), 0x504000);
    CHECK_EQ(quire_munmap(mm, 0x502000, 2 * PAGE), 0);
    CHECK_EQ(quire_brk(mm, 0x503000), 0x504000);
    CHECK_EQ(quire_brk(mm, 0x501000), 0x501000);
    CHECK_EQ(mm_info(mm).total, 1);
    finish();
}

static void locked_heaps_are_there_at_once(void)
{
    if (!begin())
        return;
    struct quire_mm_program program = {.brk = 0x500000};
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_FUTURE), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 2 * PAGE);
    CHECK_EQ(quire_brk(mm, 0x503000), 0x500000);
    CHECK_EQ(quire_brk(mm, 0x502000), 0x502000);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK_EQ(mm_info(mm).locked, 2);
    finish();
}

/* Pages know their index in 40 bits. */
static void an_address_space_is_no_larger_than_pages_can_tell(void)
{
    struct quire_mm_layout layout = quire_mm_layout_x86_64;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_LA57))
        return;
    layout.end = ((uint64_t)1 << 52) + PAGE;
    CHECK_EQ(quire_mm_create(&mm, test_vm, &layout), -QUIRE_EINVAL);
    layout.end = (uint64_t)1 << 52;
    CHECK_EQ(quire_mm_create(&mm, test_vm, &layout), 0);
    run_on(mm);
    quire_linear_t last = layout.end - PAGE;
    CHECK_EQ(mmap_at(last, PAGE, QUIRE_MAP_FIXED), (int64_t)last);
    CHECK(poke(last, 1));
    CHECK_EQ(mm_info(mm).rss_anon, 1);
    finish();
}

/* Opened for reading alone: others write it, this area never does. */
static void a_shared_area_of_a_file_may_stay_read_only(void)
{
    struct quire_area area;
    struct quire_mapping *file;
    if (!begin())
        return;
    CHECK_EQ(
        quire_mapping_create(&file, test_vm,
                             &(struct quire_mapping_config){.size = 4 * PAGE, .may_write = true}),
        0);
    const unsigned read_only = QUIRE_MAP_SHARED | QUIRE_MAP_NO_WRITE;
    CHECK_EQ(mmap_of(file, RW, read_only, 0), -QUIRE_EACCES);
    int64_t at = mmap_of(file, QUIRE_PROT_READ, read_only, PAGE);
    REQUIRE(at > 0);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, PAGE, RW), -QUIRE_EACCES);
    CHECK_EQ(quire_mm_area(mm, 0, &area), 0);
    CHECK(area.start == (quire_linear_t)at && area.end == area.start + PAGE);
    CHECK(area.mapping == file && area.offset == PAGE && area.shared);
    CHECK_EQ(area.prot, QUIRE_PROT_READ);
    CHECK_EQ(quire_mm_area(mm, area.end - 1, &area), 0);
    CHECK_EQ(quire_mm_area(mm, area.end, &area), -QUIRE_ENOENT);
    quire_mapping_put(file);
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(the_mmap_area_begins_below_the_stacks_limit),
    TEST_CASE(the_highest_hole_that_is_large_enough_is_taken),
    TEST_CASE(holes_above_the_mmap_area_are_passed_over),
    TEST_CASE(when_nothing_is_left_below_the_search_goes_up),
    TEST_CASE(a_hint_is_taken_where_it_is_free),
    TEST_CASE(below_a_growing_stack_a_gap_stays_free),
    TEST_CASE(a_stack_grows_to_its_limit_and_its_gap),
    TEST_CASE(a_stack_does_not_come_near_another_area),
    TEST_CASE(limits_stop_a_stack),
    TEST_CASE(mmap_refuses_what_makes_no_sense),
    TEST_CASE(mmap_refuses_what_is_not_allowed),
    TEST_CASE(mmap_keeps_to_the_limits),
    TEST_CASE(memory_is_promised_by_the_mode),
    TEST_CASE(what_is_replaced_makes_room_for_its_successor),
    TEST_CASE(munmap_refuses_what_makes_no_sense),
    TEST_CASE(tables_of_unmapped_areas_go_back),
    TEST_CASE(brk_gives_the_old_break_when_it_refuses),
    TEST_CASE(a_heap_that_is_unmapped_does_not_shrink),
    TEST_CASE(locked_heaps_are_there_at_once),
    TEST_CASE(an_address_space_is_no_larger_than_pages_can_tell),
    TEST_CASE(a_shared_area_of_a_file_may_stay_read_only),
    {0},
};

const struct test_suite suite_vm_mmap = {"vm_mmap", cases};
