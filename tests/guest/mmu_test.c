/* tests/guest/mmu_test.c: the processor's own MMU is the judge of our tables and of our walk
 *
 * Only in the machine. Tables of src/map, in the format that this kernel runs on, are loaded into
 * CR3; the kernel's part is shared from its own. Random mappings of every page size and all rights
 * are then accessed by the supervisor in each way, with and without CR0.WP and EFLAGS.AC, and what
 * the processor does is compared with what quire_mmu_walk says of the same tables: whether it
 * faults, error code, CR2, and the A and D bits afterwards. What is executed, and written, is a
 * return instruction at each page's begin. TLBs are emptied before each access.
 */
#include <quire/map.h>

#include "cpu.h"
#include "memory.h"
#include "paging.h"
#include "tests/harness/harness.h"
#include "trap.h"

#define VIRT 0x40000000ull /* a GiB of addresses that a program could have */
#define HUGE_BYTES 0x200000ull
#define GIB 0x40000000ull
#define ORDER 9 /* of the block that is mapped: 2 MiB */
#define RETURN_INSTRUCTION ((char)0xc3)
#ifdef __x86_64__
#define SHARED_FROM 0xffff800000000000
#else
#define SHARED_FROM 0xc0000000
#endif
#define CR0_WP 0x10000u
#define PAGE_FAULT 14

static struct quire_pgtable tables;
static struct quire_page *block;
static quire_phys_t block_phys;
static uintptr_t kernel_cr3;

/* ---- one access ------------------------------------------------------------------------------ */

/* Where an access that faults goes on, and with which stack. Written by the access itself. */
static volatile uintptr_t resume_pc, resume_stack;
static struct {
    bool happened;
    unsigned vector;
    uint32_t error;
    uintptr_t address;
} caught;

static bool catch_exception(struct trap_frame *frame)
{
    caught.happened = true;
    caught.vector = (unsigned)frame->vector;
    caught.error = (uint32_t)frame->error;
    caught.address = cpu_cr2();
    trap_frame_set_pc(frame, resume_pc);
    return true;
}

#ifdef __x86_64__
#define RESUMABLE(instruction)                                                                     \
    "lea 1f(%%rip), %%rax\n\tmov %%rax, %0\n\tmov %%rsp, %1\n\t" instruction "\n1:\tmov %1, %%rsp"
#else
#define RESUMABLE(instruction) "movl $1f, %0\n\tmov %%esp, %1\n\t" instruction "\n1:\tmov %1, %%esp"
#endif

static void read_at(uintptr_t at)
{
    __asm__ volatile(RESUMABLE("movb (%2), %%al")
                     : "=m"(resume_pc), "=m"(resume_stack)
                     : "r"(at)
                     : "eax", "memory");
}

static void write_at(uintptr_t at)
{
    __asm__ volatile(RESUMABLE("movb $0xc3, (%2)")
                     : "=m"(resume_pc), "=m"(resume_stack)
                     : "r"(at)
                     : "eax", "memory", "cc");
}

static void execute_at(uintptr_t at)
{
    __asm__ volatile(RESUMABLE("call *%2")
                     : "=m"(resume_pc), "=m"(resume_stack)
                     : "r"(at)
                     : "eax", "memory", "cc");
}

static uintptr_t get_cr0(void)
{
    uintptr_t cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    return cr0;
}

static void set_cr0(uintptr_t cr0)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void access_for_real(uintptr_t at, unsigned access, bool ac)
{
    static void (*const ways[])(uintptr_t at) = {
        [QUIRE_READ] = read_at, [QUIRE_WRITE] = write_at, [QUIRE_EXECUTE] = execute_at};
    caught.happened = false;
    cpu_set_cr3((uintptr_t)tables.root); /* empties the TLB: nothing here is global */
    trap_recover = catch_exception;
    if (ac)
        __asm__ volatile("stac" : : : "cc");
    ways[access](at);
    if (ac)
        __asm__ volatile("clac" : : : "cc");
    trap_recover = NULL;
    cpu_set_cr3(kernel_cr3);
}

/* ---- what the library says of it ------------------------------------------------------------- */

/* QEMU marks PAE's PDPTEs as accessed, a bit that is reserved there and that no processor sets.
 * Whoever asks runs on other tables. */
static void clear_marks_of_pdptes(void)
{
    uint64_t *root = (void *)(machine_port.base + tables.root);
    for (unsigned i = 0; PAGE_TABLE_FORMAT == QUIRE_PT_FORMAT_PAE && i < 4; i++)
        root[i] &= ~(uint64_t)QUIRE_PTE_ACCESSED;
}

static bool predict(uintptr_t at, unsigned access, bool ac, struct quire_walk *walk)
{
    struct quire_mmu mmu = {.cpl = 0, .features = machine_features};
    struct quire_fault fault;
    const struct quire_phys_memory memory = {
        .base = machine_port.base, .size = machine_port.direct_end, .read_only = true};
    const struct quire_mmu_registers registers = {
        .cr0 = get_cr0(),
        .cr3 = tables.root,
        .cr4 = cpu_cr4() &
               (QUIRE_CR4_PSE | QUIRE_CR4_PAE | QUIRE_CR4_PGE | QUIRE_CR4_SMEP | QUIRE_CR4_SMAP),
        .efer = cpu_read_msr(MSR_EFER) & (QUIRE_EFER_LME | QUIRE_EFER_NXE),
    };
    clear_marks_of_pdptes();
    bool loaded = quire_mmu_load(&mmu, &registers, &memory, &fault);
    if (!loaded)
        test_note("%s: cr0 %llx cr3 %llx cr4 %llx efer %llx phys_bits %u",
                  quire_fault_reason_text(fault.reason), (unsigned long long)registers.cr0,
                  (unsigned long long)registers.cr3, (unsigned long long)registers.cr4,
                  (unsigned long long)registers.efer, machine_features.phys_bits);
    CHECK(loaded);
    mmu.eflags = ac ? QUIRE_EFLAGS_AC : 0;
    return loaded && quire_mmu_walk(&mmu, &memory, at, access, walk, NULL);
}

static uint64_t leaf_at(uintptr_t at)
{
    struct quire_pt_query query;
    return quire_query(&tables, at, &query) ? 0 : query.entry;
}

static void compare(uintptr_t at, unsigned access, bool ac, uint64_t *allowed)
{
    struct quire_walk walk;
    const uint64_t marks = QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY;
    bool may = predict(at, access, ac, &walk);
    uint64_t before = leaf_at(at), wanted = before;
    if (may)
        wanted |= QUIRE_PTE_ACCESSED | (access == QUIRE_WRITE ? QUIRE_PTE_DIRTY : 0);
    access_for_real(at, access, ac);
    CHECK_EQ(caught.happened, !may);
    if (caught.happened && !may) {
        CHECK_EQ(caught.vector, walk.fault.vector);
        CHECK_EQ(caught.error, walk.fault.error_code);
        CHECK_EQ(caught.address, walk.fault.address);
    }
    /* A walk that faults may leave the mark that it came by (SDM 3A, 4.8). */
    const uint64_t unsure = may ? 0 : QUIRE_PTE_ACCESSED;
    CHECK_EQ(leaf_at(at) & ~unsure, wanted & ~unsure);
    if (before) {
        int had = quire_test_and_clear(&tables, at, marks, NULL);
        CHECK_EQ((uint64_t)had & ~unsure, wanted & marks & ~unsure);
    }
    *allowed += may;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static bool begin(void)
{
    quire_x86_cpu = 0;
    kernel_cr3 = cpu_cr3();
    block = quire_alloc_pages(machine_mem, QUIRE_GFP_KERNEL, ORDER);
    int error =
        quire_pgtable_init(&tables, &(struct quire_pgtable_config){.mem = machine_mem,
                                                                   .format = PAGE_TABLE_FORMAT,
                                                                   .features = machine_features,
                                                                   .shared = &machine_tables,
                                                                   .shared_from = SHARED_FROM});
    CHECK(block != NULL);
    CHECK_EQ(error, 0);
    if (!block || error)
        return false;
    block_phys = quire_page_to_pfn(block).value << QUIRE_PAGE_SHIFT;
    char *bytes = quire_page_address(machine_mem, block);
    for (unsigned page = 0; page < 1u << ORDER; page++)
        bytes[page << QUIRE_PAGE_SHIFT] = RETURN_INSTRUCTION;
    quire_pgtable_cpu_enter(&tables, 0);
    return true;
}

static void end(void)
{
    quire_pgtable_cpu_leave(&tables, 0);
    clear_marks_of_pdptes();
    quire_pgtable_check(&tables);
    quire_pgtable_destroy(&tables);
    quire_free_pages(machine_mem, block, ORDER);
}

/* A page of a random size over the block, with random rights; the address of one of its pages. */
static uintptr_t map_something(uint64_t *size)
{
    static const uint64_t rights[] = {QUIRE_PTE_WRITE, QUIRE_PTE_USER, QUIRE_PTE_NX};
    uint64_t prot = 0, offset = (uint64_t)test_random_below(1u << ORDER) << QUIRE_PAGE_SHIFT;
    for (unsigned i = 0; i < sizeof rights / sizeof rights[0]; i++)
        prot |= test_random_below(2) ? rights[i] & tables.prot_mask : 0;
    unsigned kind = test_random_below(3);
    uint64_t phys = block_phys, at = VIRT + offset;
    *size = HUGE_BYTES;
    if (kind == 2 && !machine_features.no_1gib && PAGE_TABLE_FORMAT == QUIRE_PT_FORMAT_X86_64) {
        phys = block_phys & ~(GIB - 1);
        at = VIRT + (block_phys - phys) + offset;
        *size = GIB;
    }
    CHECK_EQ(quire_map_range(&tables, VIRT, phys, *size, prot, kind ? 0 : QUIRE_MAP_NO_HUGE), 0);
    return (uintptr_t)at;
}

static void accesses_do_what_the_walk_says(void)
{
    const uintptr_t cr0 = get_cr0();
    const bool smap = cpu_cr4() & CR4_SMAP;
    uint64_t allowed = 0, tried = 0, sizes[3] = {0};
    if (!begin())
        return;
    uint64_t rounds = test_environment.effort / 20;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t size;
        uintptr_t at = map_something(&size);
        struct quire_pt_query query;
        if (!quire_query(&tables, at, &query))
            sizes[query.level > QUIRE_PUD ? QUIRE_PUD : query.level]++;
        if (!test_random_below(8))
            at = (uintptr_t)(VIRT + size); /* where nothing is */
        for (unsigned way = 0; way < 12; way++) {
            bool ac = way & 1 && smap;
            set_cr0(way & 2 ? cr0 | CR0_WP : cr0 & ~(uintptr_t)CR0_WP);
            compare(at, way / 4, ac, &allowed);
            tried++;
        }
        set_cr0(cr0);
        CHECK_EQ(quire_unmap_range(&tables, VIRT, size, 0, NULL), 0);
    }
    end();
    test_note("%llu accesses, %llu allowed; pages of 4 KiB, 2 MiB, 1 GiB: %llu %llu %llu; SMEP %d, "
              "SMAP %d",
              (unsigned long long)tried, (unsigned long long)allowed, (unsigned long long)sizes[0],
              (unsigned long long)sizes[1], (unsigned long long)sizes[2],
              (cpu_cr4() & CR4_SMEP) != 0, smap);
    CHECK(allowed && allowed < tried);
}

static const struct test_case cases[] = {TEST_CASE(accesses_do_what_the_walk_says), {0}};
const struct test_suite suite_real_mmu = {"real_mmu", cases};
