/* examples/address-space/main.c: a program's memory: files, copies of it, and more than there is
 *
 * A machine of 8 MiB has a file mapped, writes to it, and then fills 16 MiB of its own, which go to
 * a swap area that is another file. The processor is ports/sim's; what a kernel would do in its
 * page fault handler is `page_fault`. With an installed Quire:
 *
 *     cc main.c stores.c $(pkg-config --cflags --libs quire-sim)
 */
#define _POSIX_C_SOURCE 200809L
#include <ports/sim/sim.h>
#include <quire/map.h>
#include <quire/port.h>
#include <quire/vm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stores.h"

#define MEMORY_BYTES ((size_t)8 << 20)
#define LARGE_BYTES ((uint64_t)16 << 20)
#define SWAP_SLOTS (1 + LARGE_BYTES / QUIRE_PAGE_SIZE) /* slot 0 isn't used */
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

static const char greeting[] = "This is what the file has at first.\n";

static struct quire_port_mem port;
static struct quire_mem *mem;
static struct quire_slab *slab;
static struct quire_vm *vm;
static struct quire_mm *mm;
static struct quire_sim_cpu cpu;
static struct quire_sim sim;

/* ---- faults ---------------------------------------------------------------------------------- */

static const char *result_text(enum quire_fault_result result)
{
    switch (result) {
    case QUIRE_VM_SEGV_MAPERR:
        return "SIGSEGV: nothing is mapped there";
    case QUIRE_VM_SEGV_ACCERR:
        return "SIGSEGV: the area doesn't allow it";
    case QUIRE_VM_BUS_ADRERR:
        return "SIGBUS: beyond the file's end, or it couldn't be read";
    default:
        return "there is no memory";
    }
}

/* The processor's error code (SDM 3A, figure 4-12) in the library's words. P isn't asked: what the
 * entry says is looked at anew, since it may have changed. */
static unsigned fault_flags(uint32_t error_code)
{
    unsigned flags = 0;
    if (error_code & QUIRE_PF_WRITE)
        flags |= QUIRE_FAULT_FLAG_WRITE;
    if (error_code & QUIRE_PF_FETCH)
        flags |= QUIRE_FAULT_FLAG_EXEC;
    if (error_code & QUIRE_PF_USER)
        flags |= QUIRE_FAULT_FLAG_USER;
    return flags;
}

/* True: the access is tried again. */
static bool page_fault(void *arg, struct quire_sim_cpu *by, const struct quire_fault *fault)
{
    static struct quire_fault_cache cache; /* one for each thread of the program */
    (void)arg;
    (void)by;
    if (fault->vector != QUIRE_VECTOR_PF)
        return false;
    enum quire_fault_result result =
        quire_handle_fault(mm, fault->address, fault_flags(fault->error_code), &cache);
    if (result == QUIRE_VM_MINOR || result == QUIRE_VM_MAJOR)
        return true;
    printf("at 0x%llx: %s\n", (unsigned long long)fault->address, result_text(result));
    return false;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static bool start_machine(void)
{
    static struct quire_memblock map;
    const struct quire_mem_config config = {.port = &port, .nr_cpus = 1};
    if (quire_posix_mem_create(&port, MEMORY_BYTES))
        return false;
    quire_memblock_init(&map, "firmware", &port);
    if (quire_memblock_add(&map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &map, &config) || quire_slab_init(&slab, mem, NULL))
        return false;
    const struct quire_vm_config vm_config = {
        .mem = mem,
        .slab = slab,
        .format = QUIRE_PT_FORMAT_X86_64,
        .flush = quire_sim_tlb_flush, /* a kernel leaves this away, and its port flushes */
        .flush_arg = &sim,
    };
    return !quire_vm_init(&vm, &vm_config) && !quire_mm_create(&mm, vm, &quire_mm_layout_x86_64);
}

static bool start_processor(void)
{
    struct quire_fault refused;
    const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = quire_mm_pgtable(mm)->root,
        .cr4 = QUIRE_CR4_PAE | QUIRE_CR4_PGE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    sim = (struct quire_sim){
        .memory = {.base = port.base, .size = MEMORY_BYTES},
        .cpu = &cpu,
        .nr_cpus = 1,
        .fault = page_fault,
    };
    quire_sim_init(&sim);
    quire_pgtable_cpu_enter(quire_mm_pgtable(mm), 0); /* before CR3 is loaded: who is flushed */
    if (!quire_sim_set_registers(&cpu, &registers, &refused))
        return false;
    quire_sim_set_cpl(&cpu, 3);
    return true;
}

static bool end(void)
{
    quire_pgtable_cpu_leave(quire_mm_pgtable(mm), 0);
    quire_mm_put(mm);
    return !quire_vm_destroy(vm) && !quire_slab_destroy(slab) && !quire_mem_destroy(mem);
}

/* A file of the host without a name. -1: there is none. */
static int host_file(void)
{
    FILE *file = tmpfile();
    int descriptor = file ? dup(fileno(file)) : -1;
    if (file)
        fclose(file);
    return descriptor;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void print(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

/* Writes "THIS" into a shared mapping, and finds it in the file. */
static bool use_file(struct quire_mapping *mapping, int file)
{
    char text[sizeof greeting] = "";
    int64_t at = quire_mmap(mm, 0, 2 * QUIRE_PAGE_SIZE, RW, QUIRE_MAP_SHARED, mapping, 0);
    if (at < 0)
        return false;
    quire_linear_t page = (quire_linear_t)at;
    bool good = quire_sim_copy_from(&cpu, text, page, sizeof text - 1) == sizeof text - 1 &&
                !strcmp(text, greeting) && quire_sim_write(&cpu, page, "THIS", 4);
    good &= !quire_mapping_sync(mapping, 0, 0);
    good &= pread(file, text, sizeof text - 1, 0) == (ssize_t)sizeof text - 1;
    printf("the file has: %s", text);
    good &= !memcmp(text, "THIS is", 7);

    good &= !quire_sim_write(&cpu, page + QUIRE_PAGE_SIZE, "x", 1); /* SIGBUS */
    good &= !quire_mprotect(mm, page, QUIRE_PAGE_SIZE, QUIRE_PROT_READ);
    good &= !quire_sim_write(&cpu, page, "x", 1); /* SIGSEGV */
    good &= !quire_mm_view(mm, QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_TEXT, print, NULL);
    return good && !quire_munmap(mm, page, 2 * QUIRE_PAGE_SIZE);
}

static bool with_file(void)
{
    struct store store = {.mem = mem, .file = host_file()};
    struct quire_mapping *mapping;
    const struct quire_mapping_config config = {
        .ops = &file_ops,
        .owner = &store,
        .size = sizeof greeting - 1,
        .name = "/greeting",
        .inode = 1,
        .may_write = true,
    };
    if (store.file < 0 || pwrite(store.file, greeting, sizeof greeting - 1, 0) < 0 ||
        quire_mapping_create(&mapping, vm, &config))
        return false;
    bool good = use_file(mapping, store.file);
    quire_mapping_put(mapping);
    close(store.file);
    return good;
}

/* A number on each page of more memory than there is, and all of them are found again. */
static bool fill(quire_linear_t at)
{
    uint64_t pages = LARGE_BYTES / QUIRE_PAGE_SIZE, number = 0;
    for (uint64_t i = 0; i < pages; i++)
        if (!quire_sim_write(&cpu, at + i * QUIRE_PAGE_SIZE, &i, sizeof i))
            return false;
    for (uint64_t i = 0; i < pages; i++)
        if (!quire_sim_read(&cpu, at + i * QUIRE_PAGE_SIZE, &number, sizeof number) || number != i)
            return false;
    return true;
}

static bool with_swap(void)
{
    struct store store = {.mem = mem, .file = host_file()};
    const struct quire_swap_config config = {.ops = &swap_ops,
                                             .store = &store,
                                             .nr_slots = SWAP_SLOTS,
                                             .priority = -1,
                                             .name = "/swapfile",
                                             .is_file = true};
    struct quire_mm_info info;
    int area = store.file < 0 ? -1 : quire_swapon(vm, &config);
    if (area < 0)
        return false;
    int64_t at =
        quire_mmap(mm, 0, LARGE_BYTES, RW, QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS, NULL, 0);
    bool good = at > 0 && fill((quire_linear_t)at);
    quire_mm_info(mm, &info);
    printf("%lu pages are in memory, %lu in swap; %lu faults, %lu of them read from it\n",
           info.rss_anon, info.swap, info.min_flt + info.maj_flt, info.maj_flt);
    good &= !quire_vm_view(vm, QUIRE_VM_VIEW_SWAPS, QUIRE_FORMAT_TEXT, print, NULL);
    good &= info.swap > 0;
    if (at > 0)
        good &= !quire_munmap(mm, (quire_linear_t)at, LARGE_BYTES);
    good &= !quire_swapoff(vm, area);
    close(store.file);
    return good;
}

int main(void)
{
    if (!start_machine() || !start_processor())
        return 1;
    bool good = with_file() && with_swap();
    good &= !quire_sim_write(&cpu, 0, "x", 1); /* SIGSEGV: nothing is there */
    return !(end() && good);
}
