/* tests/unit/vmalloc_machine.c: a range of vmalloc on a simulated machine, for a test case */
#include "tests/unit/vmalloc_machine.h"

struct quire_vmalloc *vm;
struct quire_pgtable vm_tables;
quire_linear_t vm_start;

static const struct quire_memblock_region plain[] = {{.size = 16 * MIB}, {0}};

static bool start(const struct vm_setup *setup)
{
    bool narrow = quire_pt_formats[setup->format].virt_bits == 32;
    vm_start = narrow ? 0xe0000000 : 0xffffc90000000000;
    struct quire_vmalloc_config config = {
        .mem = machine.mem,
        .slab = slab,
        .pt = &vm_tables,
        .start = vm_start,
        .end = vm_start + (uint64_t)setup->pages * QUIRE_PAGE_SIZE,
        .lazy_pages = setup->lazy_pages ? setup->lazy_pages : setup->pages + 1,
    };
    int error = quire_vmalloc_init(&vm, &config);
    CHECK_EQ(error, 0);
    return !error;
}

bool vmalloc_boot(const struct vm_setup *setup)
{
    struct quire_mem_config config = {.nr_cpus = setup->nr_cpus ? setup->nr_cpus : 1};
    if (setup->highmem) {
        config.zone_end[QUIRE_ZONE_NORMAL] = setup->highmem;
        config.zone_end[QUIRE_ZONE_HIGHMEM] = 16 * MIB;
    }
    if (!machine_boot(setup->map ? setup->map : plain, config) || !slab_start(setup->slab))
        return false;
    return tables_start(&vm_tables, setup->format, (struct quire_pt_features){.no_nx = false}) &&
           start(setup);
}

void vmalloc_end(void)
{
    quire_vmalloc_check(vm);
    CHECK_EQ(quire_vmalloc_destroy(vm), 0);
    quire_pgtable_check(&vm_tables);
    quire_pgtable_destroy(&vm_tables);
    slab_end();
}

unsigned long vm_free_pages(void)
{
    (void)quire_slab_shrink(slab, -1);
    return quire_nr_free_pages(machine.mem) + quire_pgtable_nr_tables(&vm_tables);
}

unsigned char *vm_byte(quire_linear_t address)
{
    enum quire_pt_format_id id = (enum quire_pt_format_id)(vm_tables.format - quire_pt_formats);
    uint64_t bits = quire_pt_formats[id].virt_bits;
    uint64_t stripped = address & (((uint64_t)1 << bits) - 1);
    struct reference r = reference_walk(id, vm_tables.root, stripped);
    return r.present ? (unsigned char *)machine.port.base + r.phys : NULL;
}

struct quire_vmalloc_info vm_info(void)
{
    struct quire_vmalloc_info info;
    quire_vmalloc_info(vm, &info);
    return info;
}

static uint64_t word_of(uint64_t seed, unsigned long page)
{
    return (seed + page * 0x10001) * 0x9e3779b97f4a7c15u;
}

void vm_fill(quire_linear_t address, unsigned long pages, uint64_t seed)
{
    for (unsigned long i = 0; i < pages; i++) {
        unsigned char *byte = vm_byte(address + i * QUIRE_PAGE_SIZE);
        uint64_t word = word_of(seed, i);
        if (byte)
            __builtin_memcpy(byte, &word, sizeof word);
    }
}

bool vm_is_filled(quire_linear_t address, unsigned long pages, uint64_t seed)
{
    for (unsigned long i = 0; i < pages; i++) {
        unsigned char *byte = vm_byte(address + i * QUIRE_PAGE_SIZE);
        uint64_t word = word_of(seed, i);
        if (!byte || __builtin_memcmp(byte, &word, sizeof word))
            return false;
    }
    return true;
}

bool vm_is_mapped(quire_linear_t address, unsigned long pages)
{
    for (unsigned long i = 0; i < pages; i++)
        if (!vm_byte(address + i * QUIRE_PAGE_SIZE))
            return false;
    return true;
}

bool vm_is_unmapped(quire_linear_t address, unsigned long pages)
{
    for (unsigned long i = 0; i < pages; i++)
        if (vm_byte(address + i * QUIRE_PAGE_SIZE))
            return false;
    return true;
}
