/* kernel/tables.c: the kernel's own page tables, by Quire
 *
 * The direct map is writable and not executable. The image lies in it on i386, and beside it on
 * x86-64; its code can be executed, its constants only be read, the rest be written, and there is
 * no second address by which the first two could be changed. The entries of the windows
 * (window.c) are written behind the tables' back; nothing else is mapped there.
 */
#include "tables.h"

#include <quire/pgtable.h>

#include "base/bits.h"
#include "cpu.h"
#include "kernel.h"
#include "memory.h"
#include "paging.h"
#include "trap.h"

#define CPUID_7_SMEP (1u << 7)
#define CPUID_7_SMAP (1u << 20)
#define CPUID_7_UMIP (1u << 2) /* in ECX */
#define CPUID_EXTENDED 0x80000000u
#define CPUID_EXTENDED_NX (1u << 20)
#define CPUID_EXTENDED_1GIB (1u << 26)

#define DATA                                                                                       \
    (QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY | QUIRE_PTE_NX)

/* A no-op of three bytes in the way into the kernel: a program's AC flag mustn't count there. */
extern uint8_t smap_patch[];
static const uint8_t clac[] = {0x0f, 0x01, 0xca};

struct quire_pgtable machine_tables;
struct quire_pt_features machine_features;

/* ---- what the processor has ------------------------------------------------------------------ */

static void find_features(void)
{
    uint32_t edx = 0, last = cpu_id(CPUID_EXTENDED).eax;
    if (last > CPUID_EXTENDED)
        edx = cpu_id(CPUID_EXTENDED + 1).edx;
    machine_features.no_nx = !(edx & CPUID_EXTENDED_NX);
    machine_features.no_1gib = !(edx & CPUID_EXTENDED_1GIB);
    machine_features.phys_bits =
        last >= CPUID_EXTENDED + 8 ? (uint8_t)cpu_id(CPUID_EXTENDED + 8).eax : 36;
}

/* FPU state is saved by FXSAVE alone: OSXSAVE stays off, so programs find no AVX. */
static void enable_protection(void)
{
    uintptr_t cr4 = cpu_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    struct cpuid id = {0};
    if (cpu_id(0).eax >= 7)
        id = cpu_id(7);
    if (id.ebx & CPUID_7_SMEP)
        cr4 |= CR4_SMEP;
    if (id.ebx & CPUID_7_SMAP) {
        cr4 |= CR4_SMAP;
        memcpy(smap_patch, clac, sizeof clac); /* the code isn't read-only yet */
    }
    if (id.ecx & CPUID_7_UMIP)
        cr4 |= CR4_UMIP;
    if (!machine_features.no_nx)
        cpu_write_msr(MSR_EFER, cpu_read_msr(MSR_EFER) | EFER_NXE);
    cpu_set_cr4(cr4);
    cpu_enable_fpu();
}

/* ---- what is mapped -------------------------------------------------------------------------- */

static void check(int error, const char *what)
{
    if (error)
        panic("the kernel's page tables: %s: error %d", what, -error);
}

static void protect(const char *from, const char *to, quire_linear_t offset, uint64_t set,
                    uint64_t clear)
{
    check(quire_protect_range(&machine_tables, (uintptr_t)from + offset, (uint64_t)(to - from),
                              set & machine_tables.prot_mask, clear & machine_tables.prot_mask,
                              NULL),
          "protection");
}

static void map_memory(void)
{
    uint64_t prot = DATA & machine_tables.prot_mask;
    uint64_t size = quire_align_down(machine_port.direct_end, QUIRE_PAGE_SIZE);
    check(quire_map_range(&machine_tables, DIRECT_MAP_BASE, 0, size, prot, 0), "direct map");
    if (KERNEL_OFFSET != DIRECT_MAP_BASE) {
        uintptr_t start = (uintptr_t)image_start;
        check(quire_map_range(&machine_tables, start, start - KERNEL_OFFSET,
                              (uint64_t)(image_end - image_start), prot, QUIRE_MAP_NO_HUGE),
              "image");
        quire_linear_t alias = DIRECT_MAP_BASE - KERNEL_OFFSET;
        protect(image_start, rodata_end, alias, 0, QUIRE_PTE_WRITE);
    }
    protect(image_start, rodata_start, 0, 0, QUIRE_PTE_WRITE | QUIRE_PTE_NX);
    protect(rodata_start, rodata_end, 0, 0, QUIRE_PTE_WRITE);
}

static void keep(quire_linear_t start, uint64_t size)
{
    check(quire_pgtable_keep(&machine_tables, start, size), "what programs share");
}

/* A large page that is mapped behind the last window and taken out again leaves the directory that
 * the windows' entries are in; what is kept has a table. */
static void make_windows(void)
{
    const quire_linear_t spare = WINDOWS_BASE + ((quire_linear_t)3 << LARGE_PAGE_SHIFT);
    const uint64_t size = (uint64_t)1 << LARGE_PAGE_SHIFT;
    struct quire_pt_query query;
    if (paging_is_wide) {
        check(quire_map_range(&machine_tables, spare, 0, size, QUIRE_PTE_WRITE, 0), "windows");
        check(quire_unmap_range(&machine_tables, spare, size, QUIRE_UNMAP_KEEP_TABLES, NULL),
              "windows");
    } else {
        keep(WINDOWS_BASE, size);
    }
    if (quire_query(&machine_tables, WINDOWS_BASE, &query) != -QUIRE_ENOENT ||
        query.level != (paging_is_wide ? QUIRE_PMD : QUIRE_PT))
        panic("the kernel's page tables have no place for windows");
    window_entries = quire_port_phys_to_virt(&machine_port, query.where);
}

void tables_init(void)
{
    find_features();
    enable_protection();
    check(quire_pgtable_init(&machine_tables,
                             &(struct quire_pgtable_config){.mem = machine_mem,
                                                            .format = PAGE_TABLE_FORMAT,
                                                            .features = machine_features}),
          "no memory");
    map_memory();
    make_windows();
    keep(DIRECT_MAP_BASE, quire_align_down(machine_port.direct_end, QUIRE_PAGE_SIZE));
    keep(VMALLOC_START, VMALLOC_END - VMALLOC_START);
    keep((uintptr_t)image_start, (uint64_t)(image_end - image_start));
    quire_pgtable_cpu_enter(&machine_tables, quire_port_cpu());
    cpu_set_cr3((uintptr_t)machine_tables.root);
    traps_set_tables((uintptr_t)machine_tables.root);
}
