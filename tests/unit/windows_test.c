/* tests/unit/windows_test.c: kernel windows, seen through the software MMU
 *
 * A machine with HighMem, whose direct map ends at half of its memory. What is accessed goes
 * through a simulated CPU's TLB, so a flush that is missing shows as data in the wrong page.
 */
#include "ports/sim/sim.h"
#include "tests/unit/machine.h"

#define HIGH (16 * MIB)
#define MEMORY (32 * MIB)
#define NR_FIXED 4u
#define NR_CPUS 2u
#define SLOTS QUIRE_KMAP_LOCAL_SLOTS

static struct quire_sim_cpu cpus[NR_CPUS];
static struct quire_sim sim;
static struct quire_pgtable pt;
static struct quire_windows windows;
static struct quire_direct_map direct;
static unsigned long free_before;
static struct {
    unsigned count;
    uint32_t cpus; /* of the last */
} flushes;

/* Formats that a kernel with HighMem has, and one that needs none of it but may. */
static const struct layout {
    enum quire_pt_format_id format;
    struct quire_mmu_registers registers;
    quire_linear_t direct, pkmap, fixmap_top;
} layouts[] = {
    {QUIRE_PT_FORMAT_I386,
     {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, 0, QUIRE_CR4_PSE | QUIRE_CR4_PGE, 0},
     0xc0000000,
     0xff800000,
     0xffff0000},
    {QUIRE_PT_FORMAT_I386_4K,
     {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, 0, QUIRE_CR4_PGE, 0},
     0xc0000000,
     0xff800000,
     0xffff0000},
    {QUIRE_PT_FORMAT_PAE,
     {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, 0, QUIRE_CR4_PAE | QUIRE_CR4_PGE, QUIRE_EFER_NXE},
     0xc0000000,
     0xff800000,
     0x100000000},
    {QUIRE_PT_FORMAT_X86_64,
     {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, 0, QUIRE_CR4_PAE | QUIRE_CR4_PGE,
      QUIRE_EFER_LME | QUIRE_EFER_NXE},
     0xffff888000000000,
     0xfffffe0000000000,
     0xffffffffff600000},
};
#define NR_LAYOUTS (sizeof layouts / sizeof layouts[0])

static void flush(void *arg, const struct quire_tlb_flush *what)
{
    flushes.count++;
    flushes.cpus = what->cpus->word[0];
    quire_sim_tlb_flush(arg, what);
}

static struct quire_windows_config config_of(const struct layout *layout)
{
    return (struct quire_windows_config){.pt = &pt,
                                         .direct = direct,
                                         .pkmap_base = layout->pkmap,
                                         .nr_pkmap = quire_pkmap_pages(&pt),
                                         .fixmap_top = layout->fixmap_top,
                                         .nr_fixed = NR_FIXED};
}

/* A machine with a table and nothing in it. */
static bool start_tables(const struct layout *layout, const struct quire_mem_ops *ops)
{
    static const struct quire_memblock_region map[] = {{.size = MEMORY}, {0}};
    struct quire_mem_config config = {.nr_cpus = NR_CPUS, .ops = ops};
    config.zone_end[QUIRE_ZONE_NORMAL] = HIGH;
    config.zone_end[QUIRE_ZONE_HIGHMEM] = UINT64_MAX;
    if (!machine_boot(map, config))
        return false;
    free_before = quire_nr_free_pages(machine.mem);
    struct quire_pgtable_config pt_config = {
        .mem = machine.mem, .format = layout->format, .flush = flush, .flush_arg = &sim};
    int error = quire_pgtable_init(&pt, &pt_config);
    CHECK_EQ(error, 0);
    return !error;
}

static bool start_cpus(const struct layout *layout)
{
    struct quire_mmu_registers registers = layout->registers;
    struct quire_fault fault;
    registers.cr3 = pt.root;
    sim = (struct quire_sim){
        .memory = {.base = machine.port.base, .size = MEMORY}, .cpu = cpus, .nr_cpus = NR_CPUS};
    quire_sim_init(&sim);
    for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
        quire_pgtable_cpu_enter(&pt, cpu);
        if (!quire_sim_set_registers(&cpus[cpu], &registers, &fault)) {
            test_fail(__FILE__, __LINE__, "the registers were refused");
            return false;
        }
    }
    flushes.count = 0;
    return true;
}

static bool start_with(const struct layout *layout, const struct quire_mem_ops *ops)
{
    if (!start_tables(layout, ops))
        return false;
    int error = quire_direct_map_init(&direct, &pt, layout->direct, MEMORY, HIGH, QUIRE_PTE_WRITE);
    CHECK_EQ(error, 0);
    struct quire_windows_config config = config_of(layout);
    if (!error)
        error = quire_windows_init(&windows, &config);
    CHECK_EQ(error, 0);
    return !error && start_cpus(layout);
}

static bool start(const struct layout *layout)
{
    return start_with(layout, NULL);
}

/* All that was taken from the machine is given back. */
static void end_tables(void)
{
    test_environment.set_cpu(0);
    quire_pgtable_check(&pt);
    quire_pgtable_destroy(&pt);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
    CHECK_EQ(machine.bad_pages, 0);
}

static void end(unsigned long open)
{
    test_environment.set_cpu(0);
    quire_windows_check(&windows);
    unsigned long tables = quire_pgtable_nr_tables(&pt);
    CHECK_EQ(quire_windows_destroy(&windows), open);
    CHECK(quire_pgtable_nr_tables(&pt) < tables);
    end_tables();
}

/* Frames that nobody asked phys for: the windows don't care. */
static struct quire_page *high_page(unsigned number)
{
    return quire_pfn_to_page(machine.mem, quire_pfn(PAGES(HIGH) + number));
}

static struct quire_page *low_page(unsigned number)
{
    return quire_pfn_to_page(machine.mem, quire_pfn(PAGES(HIGH) - 1 - number));
}

static char *memory_of(const struct quire_page *page)
{
    return machine.port.base + quire_page_to_phys(page);
}

/* Writes both ends of the page through the window, and looks in the page. */
static void check_shows(unsigned cpu, quire_linear_t virt, const struct quire_page *page)
{
    uint32_t value = (uint32_t)test_random(), found = 0;
    CHECK(quire_sim_write(&cpus[cpu], virt, &value, sizeof value));
    __builtin_memcpy(&found, memory_of(page), sizeof found);
    CHECK_EQ(found, value);
    __builtin_memcpy(memory_of(page) + QUIRE_PAGE_SIZE - 4, &value, sizeof value);
    CHECK(quire_sim_read(&cpus[cpu], virt + QUIRE_PAGE_SIZE - 4, &found, sizeof found));
    CHECK_EQ(found, value);
}

static bool can_read(unsigned cpu, quire_linear_t virt)
{
    char byte;
    return quire_sim_read(&cpus[cpu], virt, &byte, 1);
}

static quire_linear_t kmap(unsigned page)
{
    quire_linear_t virt = 0;
    CHECK_EQ(quire_kmap(&windows, high_page(page), QUIRE_GFP_NOWAIT, &virt), 0);
    return virt;
}

static quire_linear_t kmap_local(unsigned page)
{
    quire_linear_t virt = 0;
    CHECK_EQ(quire_kmap_local_page(&windows, high_page(page), &virt), 0);
    return virt;
}

/* ---- the direct map -------------------------------------------------------------------------- */

static void the_direct_map_ends_where_highmem_begins(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        struct quire_pt_query query;
        if (!start(&layouts[i]))
            return;
        CHECK_EQ(direct.end, HIGH);
        CHECK_EQ(quire_high_memory(&direct), layouts[i].direct + HIGH);
        check_shows(0, layouts[i].direct + HIGH - QUIRE_PAGE_SIZE, low_page(0));
        CHECK(!can_read(0, quire_high_memory(&direct)));
        CHECK_EQ(quire_query(&pt, layouts[i].direct + 0x1234, &query), 0);
        CHECK_EQ(query.phys, 0x1234);
        CHECK_EQ(query.level, layouts[i].format == QUIRE_PT_FORMAT_I386_4K ? QUIRE_PT : QUIRE_PMD);
        end(0);
    }
}

/* Linux's numbers: 1 GiB of memory, high_memory at 0xf8000000. */
static void a_gib_on_i386_leaves_128_mib_to_highmem(void)
{
    if (!start_tables(&layouts[0], NULL))
        return;
    CHECK_EQ(quire_direct_map_init(&direct, &pt, 0xc0000000, 1u << 30, QUIRE_DIRECT_MAP_I386_BYTES,
                                   QUIRE_PTE_WRITE),
             0);
    CHECK_EQ(quire_high_memory(&direct), 0xf8000000);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 1); /* all of it in pages of 4 MiB */
    CHECK(!quire_is_directly_mapped(&direct, 0x38000000));
    CHECK(quire_is_directly_mapped(&direct, 0x37ffffff));
    end_tables();
}

static void a_direct_map_that_is_refused_maps_nothing(void)
{
    struct quire_direct_map other = {1, 2};
    if (!start_tables(&layouts[0], NULL))
        return;
    const quire_phys_t odd = HIGH + QUIRE_PAGE_SIZE / 2;
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000000, odd, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000000, HIGH, odd - HIGH, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000800, HIGH, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000000, 0, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000000, 1u << 30, 0, QUIRE_PTE_NX),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0xc0000000 + HIGH / 2, 0, QUIRE_PAGE_SIZE, 0, 0), 0);
    CHECK_EQ(quire_direct_map_init(&other, &pt, 0xc0000000, HIGH, 0, 0), -QUIRE_EEXIST);
    CHECK_EQ(other.base, 1);
    CHECK_EQ(other.end, 2);
    CHECK_EQ(quire_unmap_range(&pt, 0xc0000000 + HIGH / 2, QUIRE_PAGE_SIZE, 0, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 1);
    end_tables();
}

/* ---- kmap ------------------------------------------------------------------------------------ */

static void kmap_shows_a_page_to_all_cpus_until_its_last_kunmap(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        quire_linear_t again;
        if (!start(&layouts[i]))
            return;
        quire_linear_t virt = kmap(7), other = kmap(8);
        CHECK(virt != other);
        check_shows(0, virt, high_page(7));
        check_shows(1, virt, high_page(7));
        check_shows(1, other, high_page(8));
        CHECK_EQ(kmap(7), virt);
        quire_kunmap(&windows, high_page(7));
        CHECK_EQ(quire_kmap_address(&windows, high_page(7), &again), 0);
        CHECK_EQ(again, virt);
        CHECK(quire_kmap_to_page(&windows, virt + 5) == high_page(7));
        quire_kunmap(&windows, high_page(7));
        CHECK_EQ(quire_kmap_address(&windows, high_page(7), &again), -QUIRE_ENOENT);
        CHECK(!quire_kmap_to_page(&windows, virt));
        CHECK_EQ(kmap(7), virt); /* it kept its place */
        CHECK_EQ(flushes.count, 0);
        end(2);
    }
}

static void a_directly_mapped_page_needs_no_window(void)
{
    quire_linear_t virt = 0, local = 0;
    if (!start(&layouts[0]))
        return;
    const quire_linear_t expected = 0xc0000000 + HIGH - QUIRE_PAGE_SIZE;
    CHECK_EQ(quire_kmap(&windows, low_page(0), QUIRE_GFP_NOWAIT, &virt), 0);
    CHECK_EQ(virt, expected);
    CHECK_EQ(quire_kmap_local_page(&windows, low_page(0), &local), 0);
    CHECK_EQ(local, expected);
    quire_kunmap_local(&windows, local);
    quire_kunmap(&windows, low_page(0));
    CHECK_EQ(quire_kmap_address(&windows, low_page(0), &virt), 0);
    CHECK_EQ(virt, expected);
    CHECK(quire_kmap_to_page(&windows, virt + 1) == low_page(0));
    CHECK(!quire_kmap_to_page(&windows, 0x1000));
    end(0);
}

static void slots_that_run_out_are_flushed_once_for_all(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        if (!start(&layouts[i]))
            return;
        const unsigned slots = windows.nr_pkmap;
        quire_linear_t kept = kmap(0);
        for (unsigned n = 0; n < 3 * slots; n++) {
            unsigned page = 1 + n % (2 * slots);
            quire_linear_t virt = kmap(page);
            check_shows(n % NR_CPUS, virt, high_page(page));
            check_shows((n + 1) % NR_CPUS, virt, high_page(page));
            quire_kunmap(&windows, high_page(page));
        }
        check_shows(0, kept, high_page(0));
        /* One slot is in use: the others are filled thrice and a bit. */
        CHECK_EQ(quire_kmap_flushes(&windows), 3);
        CHECK_EQ(flushes.cpus, (1u << NR_CPUS) - 1);
        quire_kunmap(&windows, high_page(0));
        end(0);
    }
}

static unsigned waits;

static void wait_and_give_one_back(void *arg)
{
    (void)arg;
    if (++waits == 3)
        quire_kunmap(&windows, high_page(1));
}

static void kmap_waits_for_a_slot_if_it_may(void)
{
    static const struct quire_mem_ops ops = {.bad_page = machine_bad_page,
                                             .wait = wait_and_give_one_back};
    quire_linear_t virt = 0;
    if (!start_with(&layouts[0], &ops))
        return;
    quire_linear_t first = 0;
    for (unsigned page = 0; page < windows.nr_pkmap; page++) {
        quire_linear_t at = kmap(page);
        first = page == 1 ? at : first;
    }
    waits = 0;
    CHECK(can_read(1, first));
    CHECK_EQ(quire_kmap(&windows, high_page(3500), QUIRE_GFP_NOWAIT, &virt), -QUIRE_EAGAIN);
    CHECK_EQ(waits, 0);
    CHECK_EQ(quire_kmap(&windows, high_page(5), QUIRE_GFP_NOWAIT, &virt), 0);
    quire_kunmap(&windows, high_page(5));
    CHECK_EQ(quire_kmap(&windows, high_page(3000), QUIRE_GFP_KERNEL, &virt), 0);
    CHECK_EQ(waits, 3);
    CHECK_EQ(virt, first);
    check_shows(1, virt, high_page(3000));
    end(windows.nr_pkmap);
}

static void kmap_with_nobody_to_wait_with_fails_when_all_slots_are_used(void)
{
    quire_linear_t virt = 0;
    if (!start(&layouts[0]))
        return;
    for (unsigned page = 0; page < windows.nr_pkmap; page++)
        (void)kmap(page);
    CHECK_EQ(quire_kmap(&windows, high_page(3000), QUIRE_GFP_KERNEL, &virt), -QUIRE_EAGAIN);
    for (unsigned page = 0; page < windows.nr_pkmap; page++)
        quire_kunmap(&windows, high_page(page));
    CHECK_EQ(quire_kmap(&windows, high_page(3000), QUIRE_GFP_KERNEL, &virt), 0);
    end(1);
}

static void a_kunmap_too_many_is_reported(void)
{
    if (!start(&layouts[0]))
        return;
    quire_kunmap(&windows, high_page(9));
    CHECK(machine_caught("isn't mapped by kmap"));
    (void)kmap(9);
    quire_kunmap(&windows, high_page(9));
    quire_kunmap(&windows, high_page(9));
    CHECK(machine_caught("isn't mapped by kmap"));
    end(0);
}

/* ---- kmap_local ------------------------------------------------------------------------------ */

static void kmap_local_is_a_stack_of_each_cpu(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        quire_linear_t virt[NR_CPUS][SLOTS], extra;
        if (!start(&layouts[i]))
            return;
        for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
            test_environment.set_cpu(cpu);
            for (unsigned slot = 0; slot < SLOTS; slot++)
                virt[cpu][slot] = kmap_local(cpu * 100 + slot);
            CHECK_EQ(quire_kmap_local_page(&windows, high_page(99), &extra), -QUIRE_ENOSPC);
        }
        CHECK_EQ(flushes.count, 0);
        quire_windows_check(&windows);
        for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
            test_environment.set_cpu(cpu);
            for (unsigned slot = SLOTS; slot--;) {
                check_shows(cpu, virt[cpu][slot], high_page(cpu * 100 + slot));
                quire_kunmap_local(&windows, virt[cpu][slot] + 17);
                CHECK_EQ(flushes.cpus, 1u << cpu);
                CHECK(!can_read(cpu, virt[cpu][slot]));
            }
        }
        CHECK_EQ(flushes.count, NR_CPUS * SLOTS);
        end(0);
    }
}

static void a_slot_of_kmap_local_that_is_used_again_shows_the_new_page(void)
{
    if (!start(&layouts[2]))
        return;
    quire_linear_t bottom = kmap_local(40), before = 0;
    for (unsigned page = 0; page < 20; page++) {
        quire_linear_t virt = kmap_local(page);
        CHECK(!before || virt == before);
        check_shows(0, virt, high_page(page));
        quire_kunmap_local(&windows, virt);
        before = virt;
    }
    check_shows(0, bottom, high_page(40));
    quire_kunmap_local(&windows, bottom);
    end(0);
}

static void a_window_given_back_out_of_order_is_reported_and_stays(void)
{
    if (!start(&layouts[0]))
        return;
    quire_linear_t first = kmap_local(1), second = kmap_local(2), permanent = kmap(3);
    quire_kunmap_local(&windows, first);
    CHECK(machine_caught("isn't the last"));
    test_environment.set_cpu(1);
    quire_kunmap_local(&windows, second);
    CHECK(machine_caught("isn't the last"));
    test_environment.set_cpu(0);
    quire_kunmap_local(&windows, permanent);
    CHECK(machine_caught("no window of kmap_local"));
    quire_kunmap_local(&windows, quire_fix_to_virt(&windows, 0));
    CHECK(machine_caught("no window of kmap_local"));
    check_shows(0, first, high_page(1));
    check_shows(0, second, high_page(2));
    quire_kunmap_local(&windows, second);
    quire_kunmap_local(&windows, second);
    CHECK(machine_caught("isn't the last"));
    end(2); /* `first` and `permanent` */
}

static void a_cpu_without_a_number_has_no_local_windows(void)
{
    quire_linear_t virt;
    if (!start(&layouts[0]))
        return;
    quire_linear_t other = kmap_local(1);
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    CHECK_EQ(quire_kmap_local_page(&windows, high_page(2), &virt), -QUIRE_ENOSPC);
    quire_kunmap_local(&windows, other);
    CHECK(machine_caught("isn't the last"));
    end(1);
}

static void a_frame_beyond_what_entries_say_is_refused(void)
{
    quire_linear_t virt;
    if (!start(&layouts[0]))
        return;
    quire_pfn_t far = quire_phys_to_pfn((quire_phys_t)1 << 32);
    CHECK_EQ(quire_kmap_local_pfn(&windows, far, &virt), -QUIRE_EINVAL);
    far.value--; /* no memory there, but an address */
    CHECK_EQ(quire_kmap_local_pfn(&windows, far, &virt), 0);
    quire_kunmap_local(&windows, virt);
    const struct quire_page page = {.pfn = (uint32_t)far.value + 1};
    CHECK_EQ(quire_kmap(&windows, &page, QUIRE_GFP_NOWAIT, &virt), -QUIRE_EINVAL);
    end(0);
}

/* ---- the fixmap ------------------------------------------------------------------------------ */

static void a_fixmap_page_shows_what_it_was_last_set_to(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        if (!start(&layouts[i]))
            return;
        for (unsigned index = 0; index < NR_FIXED; index++) {
            quire_linear_t virt = quire_fix_to_virt(&windows, index);
            unsigned back = ~0u;
            CHECK_EQ(virt, layouts[i].fixmap_top - (index + 1) * QUIRE_PAGE_SIZE);
            CHECK_EQ(quire_virt_to_fix(&windows, virt + 3, &back), 0);
            CHECK_EQ(back, index);
            CHECK(!can_read(1, virt));
            flushes.count = 0;
            for (unsigned page = 50; page < 53; page++) {
                CHECK_EQ(quire_set_fixmap(&windows, index, quire_page_to_phys(high_page(page)),
                                          QUIRE_PTE_WRITE | QUIRE_PTE_PCD),
                         0);
                check_shows(1, virt, high_page(page));
                CHECK_EQ(flushes.count, page - 50);
            }
            CHECK_EQ(quire_clear_fixmap(&windows, index), 0);
            CHECK(!can_read(1, virt));
            CHECK_EQ(quire_clear_fixmap(&windows, index), 0);
            CHECK_EQ(flushes.count, 3);
        }
        end(0);
    }
}

static void a_fixmap_page_that_cannot_be_is_refused(void)
{
    unsigned index = 77;
    if (!start(&layouts[0]))
        return;
    const quire_linear_t top = layouts[0].fixmap_top;
    CHECK_EQ(quire_set_fixmap(&windows, NR_FIXED, HIGH, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_fixmap(&windows, 0, HIGH + 1, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_fixmap(&windows, 0, (quire_phys_t)1 << 32, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_fixmap(&windows, 0, HIGH, QUIRE_PTE_PRESENT), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_fixmap(&windows, 0, HIGH, QUIRE_PTE_NX), -QUIRE_EINVAL);
    CHECK(!can_read(0, quire_fix_to_virt(&windows, 0)));
    CHECK_EQ(quire_clear_fixmap(&windows, NR_FIXED), -QUIRE_EINVAL);
    CHECK_EQ(quire_virt_to_fix(&windows, top, &index), -QUIRE_EINVAL);
    CHECK_EQ(quire_virt_to_fix(&windows, top - NR_FIXED * QUIRE_PAGE_SIZE - 1, &index),
             -QUIRE_EINVAL);
    CHECK_EQ(index, 77);
    end(0);
}

static void a_read_only_fixmap_page_cannot_be_written(void)
{
    char byte = 1;
    if (!start(&layouts[2]))
        return;
    quire_linear_t virt = quire_fix_to_virt(&windows, 1);
    CHECK_EQ(quire_set_fixmap(&windows, 1, HIGH, QUIRE_PTE_NX), 0);
    CHECK(can_read(0, virt));
    CHECK(!quire_sim_write(&cpus[0], virt, &byte, 1));
    CHECK(!quire_sim_fetch(&cpus[0], virt, &byte, 1));
    CHECK_EQ(quire_clear_fixmap(&windows, 1), 0);
    end(0);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void windows_that_cannot_be_leave_the_table_as_it_was(void)
{
    if (!start_tables(&layouts[0], NULL))
        return;
    direct = (struct quire_direct_map){0xc0000000, HIGH};
    const struct quire_windows_config good = config_of(&layouts[0]);
    unsigned long free = quire_nr_free_pages(machine.mem);
    struct quire_windows_config bad[] = {good, good, good, good, good, good, good, good, good};
    const int expected[] = {-QUIRE_EINVAL, -QUIRE_EINVAL, -QUIRE_EINVAL,
                            -QUIRE_EINVAL, -QUIRE_EINVAL, -QUIRE_EINVAL,
                            -QUIRE_EINVAL, -QUIRE_EEXIST, -QUIRE_EINVAL};
    bad[0].pt = NULL;
    bad[1].nr_pkmap = QUIRE_MAX_PKMAP + 1;
    bad[2].nr_cpus = QUIRE_MAX_CPUS + 1;
    bad[3].fixmap_top = 0; /* and pages of it */
    bad[4].prot = QUIRE_PTE_NX;
    bad[5].pkmap_base += QUIRE_PAGE_SIZE / 2;
    bad[6].pkmap_base = 0x100000000 - QUIRE_PAGE_SIZE;
    bad[7].fixmap_top = good.pkmap_base + QUIRE_PAGE_SIZE;
    bad[8].fixmap_top = 3 * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(quire_windows_init(&windows, &bad[i]), expected[i]);
        CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    }
    CHECK_EQ(quire_windows_init(&windows, &good), 0);
    end(0);
}

static void every_allocation_that_fails_is_undone(void)
{
    for (unsigned i = 0; i < NR_LAYOUTS; i++) {
        struct quire_page *held, *few = NULL;
        int error = -QUIRE_ENOMEM;
        unsigned failures = 0;
        if (!start_tables(&layouts[i], NULL))
            return;
        direct = (struct quire_direct_map){layouts[i].direct, HIGH};
        const struct quire_windows_config config = config_of(&layouts[i]);
        pt.gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN | QUIRE_GFP_ZERO;
        unsigned long tables = quire_pgtable_nr_tables(&pt);
        while (error) {
            /* As many as failed so far, and single ones: an exact block of several pages is made by
             * coming to an end of the held ones. */
            take_pages(QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN, failures, &few);
            take_pages(QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN, -1ul, &held);
            free_chain(few);
            unsigned long free = quire_nr_free_pages(machine.mem);
            error = quire_windows_init(&windows, &config);
            if (error) {
                CHECK_EQ(error, -QUIRE_ENOMEM);
                CHECK_EQ(quire_nr_free_pages(machine.mem), free);
                CHECK_EQ(quire_pgtable_nr_tables(&pt), tables);
                failures++;
            }
            free_chain(held);
            if (failures > 200) {
                test_fail(__FILE__, __LINE__, "it never succeeds");
                end_tables();
                return;
            }
        }
        CHECK(failures >= 4); /* two tables, kmap's slots, the stacks */
        end(0);
    }
}

static void what_shares_a_table_with_windows_can_come_and_go(void)
{
    if (!start(&layouts[0]))
        return;
    const quire_linear_t neighbour = layouts[0].fixmap_top & ~(quire_linear_t)0x3fffff;
    CHECK_EQ(quire_map_range(&pt, neighbour, 0, QUIRE_PAGE_SIZE, 0, 0), 0);
    unsigned long tables = quire_pgtable_nr_tables(&pt);
    CHECK_EQ(quire_unmap_range(&pt, neighbour, QUIRE_PAGE_SIZE, 0, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), tables);
    check_shows(0, kmap_local(4), high_page(4));
    CHECK_EQ(quire_map_range(&pt, quire_fix_to_virt(&windows, 0), 0, QUIRE_PAGE_SIZE, 0, 0),
             -QUIRE_EEXIST);
    end(1);
}

static void where_all_is_directly_mapped_no_window_is_needed(void)
{
    quire_linear_t virt = 0;
    if (!start_tables(&layouts[3], NULL))
        return;
    CHECK_EQ(quire_direct_map_init(&direct, &pt, layouts[3].direct, MEMORY, 0, QUIRE_PTE_WRITE), 0);
    unsigned long tables = quire_pgtable_nr_tables(&pt);
    const struct quire_windows_config config = {.pt = &pt, .direct = direct};
    CHECK_EQ(quire_windows_init(&windows, &config), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), tables);
    if (!start_cpus(&layouts[3]))
        return;
    CHECK_EQ(quire_kmap(&windows, high_page(1), QUIRE_GFP_NOWAIT, &virt), 0);
    check_shows(0, virt, high_page(1));
    quire_kunmap(&windows, high_page(1));
    CHECK_EQ(quire_kmap_local_page(&windows, high_page(2), &virt), 0);
    check_shows(0, virt, high_page(2));
    quire_kunmap_local(&windows, virt);

    const struct quire_page beyond = {.pfn = (uint32_t)PAGES(MEMORY)};
    CHECK_EQ(quire_kmap(&windows, &beyond, QUIRE_GFP_KERNEL, &virt), -QUIRE_EINVAL);
    CHECK_EQ(quire_kmap_local_page(&windows, &beyond, &virt), -QUIRE_EINVAL);
    CHECK_EQ(quire_kmap_address(&windows, &beyond, &virt), -QUIRE_ENOENT);
    quire_kunmap(&windows, &beyond);
    CHECK(machine_caught("isn't mapped by kmap"));
    CHECK_EQ(quire_set_fixmap(&windows, 0, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_kmap_flushes(&windows), 0);
    quire_windows_check(&windows);
    CHECK_EQ(quire_windows_destroy(&windows), 0);
    end_tables();
}

static const struct test_case cases[] = {
    TEST_CASE(the_direct_map_ends_where_highmem_begins),
    TEST_CASE(a_gib_on_i386_leaves_128_mib_to_highmem),
    TEST_CASE(a_direct_map_that_is_refused_maps_nothing),
    TEST_CASE(kmap_shows_a_page_to_all_cpus_until_its_last_kunmap),
    TEST_CASE(a_directly_mapped_page_needs_no_window),
    TEST_CASE(slots_that_run_out_are_flushed_once_for_all),
    TEST_CASE(kmap_waits_for_a_slot_if_it_may),
    TEST_CASE(kmap_with_nobody_to_wait_with_fails_when_all_slots_are_used),
    TEST_CASE(a_kunmap_too_many_is_reported),
    TEST_CASE(kmap_local_is_a_stack_of_each_cpu),
    TEST_CASE(a_slot_of_kmap_local_that_is_used_again_shows_the_new_page),
    TEST_CASE(a_window_given_back_out_of_order_is_reported_and_stays),
    TEST_CASE(a_cpu_without_a_number_has_no_local_windows),
    TEST_CASE(a_frame_beyond_what_entries_say_is_refused),
    TEST_CASE(a_fixmap_page_shows_what_it_was_last_set_to),
    TEST_CASE(a_fixmap_page_that_cannot_be_is_refused),
    TEST_CASE(a_read_only_fixmap_page_cannot_be_written),
    TEST_CASE(windows_that_cannot_be_leave_the_table_as_it_was),
    TEST_CASE(every_allocation_that_fails_is_undone),
    TEST_CASE(what_shares_a_table_with_windows_can_come_and_go),
    TEST_CASE(where_all_is_directly_mapped_no_window_is_needed),
    {0},
};
const struct test_suite suite_windows = {"windows", cases};
