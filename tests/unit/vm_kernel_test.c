/* tests/unit/vm_kernel_test.c: address spaces of processes that share the kernel's part; and what
 * page tables can say of a machine's memory
 */
#include "tests/unit/vm_machine.h"

#define KERNEL_RW (QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL)

static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_PAE,
                                                  QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_LA57};
#define NR_FORMATS (sizeof formats / sizeof formats[0])

static struct quire_pgtable kernel;
static quire_linear_t base; /* of the kernel's part */
static struct quire_page *kernel_page;

static struct quire_vm_config config_of(enum quire_pt_format_id format)
{
    return (struct quire_vm_config){
        .mem = machine.mem,
        .slab = slab,
        .format = format,
        .flush = quire_sim_tlb_flush,
        .flush_arg = &sim,
        .kernel_tables = &kernel,
    };
}

/* A machine whose kernel has tables that keep a MiB, and a page to map there. */
static bool start(enum quire_pt_format_id format)
{
    if (!vm_boot(16 * MIB, format))
        return false;
    const struct quire_pgtable_config tables = {
        .mem = machine.mem, .format = format, .flush = quire_sim_tlb_flush, .flush_arg = &sim};
    const struct quire_vm_config config = config_of(format);
    unsigned bits = quire_pt_formats[format].virt_bits;
    base = bits == 32 ? 0xc0000000 : 0 - ((quire_linear_t)1 << (bits - 1));
    int error = quire_vm_destroy(test_vm);
    if (!error)
        error = quire_pgtable_init(&kernel, &tables);
    if (!error)
        error = quire_pgtable_keep(&kernel, base, MIB);
    if (!error)
        error = quire_vm_init(&test_vm, &config);
    kernel_page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    CHECK(!error && kernel_page);
    return !error && kernel_page;
}

static void end(void)
{
    run_on(NULL);
    quire_vm_check(test_vm);
    CHECK_EQ(quire_vm_destroy(test_vm), 0);
    quire_pgtable_check(&kernel);
    quire_pgtable_destroy(&kernel);
    quire_free_page(machine.mem, kernel_page);
    slab_end();
}

/* One access by the kernel itself. */
static bool kernel_pokes(quire_linear_t at, uint64_t value)
{
    quire_sim_set_cpl(&sim_cpus[0], 0);
    bool done = poke(at, value);
    quire_sim_set_cpl(&sim_cpus[0], 3);
    return done;
}

static void a_process_in_the_kernel_uses_what_the_kernel_maps(void)
{
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        if (!start(formats[i]))
            return;
        struct quire_mm *mm = mm_new();
        quire_linear_t at = map_anon(mm, PAGE);
        run_on(mm);
        CHECK(poke(at, 1));
        CHECK(!kernel_pokes(base + 0x5000, 2));
        CHECK_EQ(quire_map_range(&kernel, base + 0x5000, quire_page_to_phys(kernel_page), 0x1000,
                                 KERNEL_RW, 0),
                 0);
        CHECK(kernel_pokes(base + 0x5000, 3));
        CHECK_EQ(*(const uint64_t *)quire_page_address(machine.mem, kernel_page), 3);
        CHECK(!poke(base + 0x5000, 4)); /* in user mode */
        CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
        CHECK(holds(at, 1));
        quire_vm_check(test_vm);
        /* Gone from the tables, and by its flush from the TLB of who runs a process. */
        CHECK_EQ(quire_unmap_range(&kernel, base, MIB, 0, NULL), 0);
        CHECK(!kernel_pokes(base + 0x5000, 5));
        mm_end(mm);
        end();
    }
}

static void a_child_has_the_kernel_too_and_costs_no_table_of_it(void)
{
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        struct quire_mm *child;
        if (!start(formats[i]))
            return;
        struct quire_mm *mm = mm_new();
        quire_linear_t at = map_anon(mm, PAGE);
        CHECK_EQ(
            quire_map_range(&kernel, base, quire_page_to_phys(kernel_page), PAGE, KERNEL_RW, 0), 0);
        run_on(mm);
        CHECK(poke(at, 1));
        CHECK_EQ(quire_mm_fork(&child, mm), 0);
        CHECK_EQ(quire_pgtable_nr_tables(quire_mm_pgtable(child)),
                 quire_pgtable_nr_tables(quire_mm_pgtable(mm)));
        run_on(child);
        CHECK(kernel_pokes(base, 7));
        CHECK(poke(at, 2));
        mm_end(child);
        run_on(mm);
        CHECK(kernel_pokes(base + 8, 8));
        CHECK(holds(at, 1));
        mm_end(mm);
        end();
    }
}

static void programs_get_nothing_of_the_kernels_part(void)
{
    const unsigned fixed = QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED;
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        if (!start(formats[i]))
            return;
        struct quire_mm *mm = mm_new();
        CHECK_EQ(quire_mmap(mm, base, PAGE, QUIRE_PROT_READ, fixed, NULL, 0), -QUIRE_ENOMEM);
        CHECK_EQ(quire_munmap(mm, base, PAGE), -QUIRE_EINVAL);
        CHECK_EQ(quire_mprotect(mm, base, PAGE, QUIRE_PROT_READ), -QUIRE_ENOMEM);
        /* The last page of the layout is the program's, and no table stays of it. */
        bool small = formats[i] < QUIRE_PT_FORMAT_X86_64;
        quire_linear_t last =
            (small ? quire_mm_layout_i386.end : quire_mm_layout_x86_64.end) - PAGE;
        CHECK_EQ(quire_mmap(mm, last, PAGE, QUIRE_PROT_WRITE, fixed, NULL, 0), (int64_t)last);
        unsigned long tables = quire_pgtable_nr_tables(quire_mm_pgtable(mm));
        run_on(mm);
        CHECK(poke(last, 1));
        CHECK_EQ(quire_munmap(mm, last, PAGE), 0);
        CHECK_EQ(quire_pgtable_nr_tables(quire_mm_pgtable(mm)), tables);
        mm_end(mm);
        end();
    }
}

static int create_with_end(quire_linear_t layout_end)
{
    struct quire_mm_layout layout = quire_mm_layout_i386;
    struct quire_mm *mm;
    layout.end = layout_end;
    layout.gap_max = layout_end / 2;
    int error = quire_mm_create(&mm, test_vm, &layout);
    if (!error) {
        quire_vm_check(test_vm);
        quire_mm_put(mm);
    }
    return error;
}

static void the_kernels_part_begins_where_the_layout_ends(void)
{
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        if (!start(formats[i]))
            return;
        bool small = formats[i] < QUIRE_PT_FORMAT_X86_64;
        CHECK_EQ(create_with_end(0xc0000000), 0);
        CHECK_EQ(create_with_end(0xbffff000), 0);
        CHECK_EQ(create_with_end(0x80000000), 0);
        CHECK_EQ(create_with_end(0x100000000), small ? -QUIRE_EINVAL : 0);
        CHECK_EQ(create_with_end(0xfffff000), small ? -QUIRE_EINVAL : 0);
        /* What the kernel has there has to be kept; with PAE all is. */
        CHECK_EQ(quire_map_range(&kernel, small ? 0xa0000000 : base + ((uint64_t)1 << 46), 0, PAGE,
                                 KERNEL_RW, 0),
                 0);
        CHECK_EQ(create_with_end(0x80000000),
                 formats[i] == QUIRE_PT_FORMAT_PAE || formats[i] == QUIRE_PT_FORMAT_LA57
                     ? 0
                     : -QUIRE_EINVAL);
        CHECK_EQ(create_with_end(0xc0000000),
                 small || formats[i] == QUIRE_PT_FORMAT_LA57 ? 0 : -QUIRE_EINVAL);
        end();
    }
}

static void kernel_tables_of_another_kind_are_refused(void)
{
    struct quire_vm *vm;
    if (!start(QUIRE_PT_FORMAT_PAE))
        return;
    struct quire_vm_config config = config_of(QUIRE_PT_FORMAT_X86_64);
    CHECK_EQ(quire_vm_init(&vm, &config), -QUIRE_EINVAL);
    config = config_of(QUIRE_PT_FORMAT_PAE);
    config.features.no_nx = true;
    CHECK_EQ(quire_vm_init(&vm, &config), -QUIRE_EINVAL);
    end();
}

static void memory_that_page_tables_cannot_map_is_refused_in_words(void)
{
    const quire_phys_t gib_4 = (quire_phys_t)1 << 32;
    const struct {
        quire_phys_t memory; /* 16 MiB of it from here on */
        enum quire_pt_format_id format;
        uint8_t phys_bits;
        bool fits;
    } machines[] = {
        {gib_4 - 16 * MIB, QUIRE_PT_FORMAT_I386, 0, true},
        {gib_4, QUIRE_PT_FORMAT_I386, 0, false},
        {gib_4, QUIRE_PT_FORMAT_I386_4K, 0, false},
        {gib_4, QUIRE_PT_FORMAT_PAE, 0, true},
        {gib_4, QUIRE_PT_FORMAT_PAE, 32, false},
        {gib_4, QUIRE_PT_FORMAT_X86_64, 33, true},
    };
    if (QUIRE_PAGE_SHIFT != 12) {
        test_skip("address spaces are made of pages of 4 KiB");
        return;
    }
    for (unsigned i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        const struct quire_memblock_region map[] = {
            {.size = 16 * MIB}, {.base = machines[i].memory, .size = 16 * MIB}, {0}};
        struct quire_vm *vm;
        if (!machine_boot(map, (struct quire_mem_config){.nr_cpus = 2}) || !slab_start(NULL))
            return;
        struct quire_vm_config config = config_of(machines[i].format);
        config.kernel_tables = NULL;
        config.features.phys_bits = machines[i].phys_bits;
        int error = quire_vm_init(&vm, &config);
        CHECK_EQ(error, machines[i].fits ? 0 : -QUIRE_EINVAL);
        CHECK(machines[i].fits || machine_said("leave it out of the memory map"));
        if (!error)
            CHECK_EQ(quire_vm_destroy(vm), 0);
        slab_end();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(a_process_in_the_kernel_uses_what_the_kernel_maps),
    TEST_CASE(a_child_has_the_kernel_too_and_costs_no_table_of_it),
    TEST_CASE(programs_get_nothing_of_the_kernels_part),
    TEST_CASE(the_kernels_part_begins_where_the_layout_ends),
    TEST_CASE(kernel_tables_of_another_kind_are_refused),
    TEST_CASE(memory_that_page_tables_cannot_map_is_refused_in_words),
    {0},
};
const struct test_suite suite_vm_kernel = {"vm_kernel", cases};
