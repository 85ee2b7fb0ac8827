/* tests/fuzz/address_space.c: a small machine, with processes, files and swap */
#include "address_space.h"

#include <quire/port.h>

#define MIB ((quire_phys_t)1 << 20)
#define STORE_PAGES 64u
#define STORE_BYTES ((uint64_t)STORE_PAGES * QUIRE_PAGE_SIZE)
#define FAIL_READ 1u
#define FAIL_WRITE 2u
#define FAIL_FILES 4u
#define FAIL_SELDOM 8u

struct quire_mem *mem;
struct quire_vm *vm;
const struct quire_mm_layout *layout;
struct quire_sim_cpu cpu;
struct process processes[NR_PROCESSES];
struct quire_mapping *mappings[NR_MAPPINGS];
struct pin pins[NR_PINS];
int areas[NR_AREAS];
unsigned stores_failing, fail_at;
unsigned long nr_frames;

static struct quire_port_mem port;
static quire_phys_t memory_bytes;
static struct quire_memblock map;
static struct quire_slab *slab;
static unsigned long free_before;
static struct quire_sim sim;
static enum quire_pt_format_id format;
static struct quire_mm *running;
static struct quire_fault_cache cache;
static unsigned transfers;
static struct quire_page *held;

static struct store {
    bool is_file;
    char bytes[STORE_BYTES];
} stores[2 + NR_AREAS]; /* of files, then of swap */

/* ---- backing stores -------------------------------------------------------------------------- */

static bool fails(const struct store *store, unsigned which)
{
    transfers++;
    if (!(stores_failing & which) || store->is_file != !!(stores_failing & FAIL_FILES))
        return false;
    return !(stores_failing & FAIL_SELDOM) || transfers % 4 == 0;
}

static int read_pages(void *arg, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    const struct store *store = arg;
    if (fails(store, FAIL_READ))
        return -QUIRE_EIO;
    for (unsigned i = 0; i < count; i++) {
        char *to = quire_page_address(mem, pages[i]);
        if (first + i < STORE_PAGES)
            memcpy(to, store->bytes + (first + i) * PAGE, PAGE);
        else
            memset(to, 0, PAGE);
    }
    return 0;
}

static int write_pages(void *arg, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    struct store *store = arg;
    EXPECT(first && first + count <= STORE_PAGES); /* no slot that there isn't, nor the header */
    if (fails(store, FAIL_WRITE))
        return -QUIRE_EIO;
    for (unsigned i = 0; i < count; i++)
        memcpy(store->bytes + (first + i) * PAGE, quire_page_address(mem, pages[i]), PAGE);
    return 0;
}

static int write_page(void *arg, uint64_t index, struct quire_page *page, size_t bytes)
{
    struct store *store = arg;
    EXPECT(bytes && bytes <= PAGE);
    if (fails(store, FAIL_WRITE) || index >= STORE_PAGES)
        return -QUIRE_EIO;
    memcpy(store->bytes + index * PAGE, quire_page_address(mem, page), bytes);
    return 0;
}

static int make_writable(void *arg, uint64_t index)
{
    (void)arg;
    return index < STORE_PAGES ? 0 : -QUIRE_ENOSPC;
}

static void discard(void *arg, uint64_t slot, uint64_t count)
{
    (void)arg;
    EXPECT(slot && count && slot + count <= STORE_PAGES);
}

void forget_store(unsigned mapping, uint64_t at, uint64_t size)
{
    if (mapping >= 2 || at >= STORE_BYTES)
        return;
    memset(stores[mapping].bytes + at, 0,
           (size_t)(size < STORE_BYTES - at ? size : STORE_BYTES - at));
}

void swap_on(unsigned number, unsigned slots, int priority)
{
    static const struct quire_swap_ops ops = {read_pages, write_pages, discard};
    struct quire_swap_config config = {
        .ops = &ops,
        .store = &stores[2 + number],
        .nr_slots = slots * 4 < STORE_PAGES ? slots * 4 : STORE_PAGES,
        .priority = priority,
        .name = "swap",
        .is_file = number,
    };
    int area = quire_swapon(vm, &config);
    EXPECT(area >= 0 || area == -QUIRE_EINVAL || area == -QUIRE_ENOMEM);
    areas[number] = area >= 0 ? area : -1;
}

/* ---- the processor --------------------------------------------------------------------------- */

static void load_root(void)
{
    struct quire_fault fault;
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = quire_mm_pgtable(running)->root,
        .cr4 = QUIRE_CR4_PSE | (format >= QUIRE_PT_FORMAT_PAE ? QUIRE_CR4_PAE : 0) |
               (format == QUIRE_PT_FORMAT_LA57 ? QUIRE_CR4_LA57 : 0),
        .efer = (format >= QUIRE_PT_FORMAT_PAE ? QUIRE_EFER_NXE : 0) |
                (format >= QUIRE_PT_FORMAT_X86_64 ? QUIRE_EFER_LME : 0),
    };
    EXPECT(quire_sim_set_registers(&cpu, &registers, &fault));
    quire_sim_set_cpl(&cpu, 3);
}

static bool handle(void *arg, struct quire_sim_cpu *who, const struct quire_fault *fault)
{
    (void)arg;
    (void)who;
    if (fault->vector != QUIRE_VECTOR_PF)
        return false;
    unsigned flags = QUIRE_FAULT_FLAG_USER;
    EXPECT(!(fault->error_code & QUIRE_PF_RESERVED));
    flags |= fault->error_code & QUIRE_PF_WRITE ? QUIRE_FAULT_FLAG_WRITE : 0;
    flags |= fault->error_code & QUIRE_PF_FETCH ? QUIRE_FAULT_FLAG_EXEC : 0;
    enum quire_fault_result result = quire_handle_fault(running, fault->address, flags, &cache);
    EXPECT(result <= QUIRE_VM_OOM);
    if (format == QUIRE_PT_FORMAT_PAE)
        load_root(); /* its entries are registers */
    return result <= QUIRE_VM_MAJOR;
}

void run_on(const struct process *process)
{
    struct quire_mm *mm = process ? process->mm : NULL;
    if (running == mm)
        return;
    if (running) {
        quire_sim_flush(&sim, NULL,
                        &(struct quire_sim_flush){.last = UINT64_MAX, .pcid = QUIRE_SIM_ALL_PCIDS});
        quire_pgtable_cpu_leave(quire_mm_pgtable(running), 0);
    }
    running = mm;
    if (!mm)
        return;
    quire_pgtable_cpu_enter(quire_mm_pgtable(mm), 0);
    load_root();
}

void leave(struct process *process)
{
    if (running == process->mm)
        run_on(NULL);
    quire_mm_put(process->mm);
    *process = (struct process){0};
}

void see(struct process *process, quire_linear_t at)
{
    process->seen[process->next++ % NR_SEEN] = at;
}

void hear(void *arg, const char *text, size_t length)
{
    (void)arg;
    EXPECT(!memchr(text, '\0', length));
}

/* ---- memory that ends ------------------------------------------------------------------------ */

void hold(unsigned pages)
{
    struct quire_page *page;
    for (; pages && (page = quire_alloc_page(mem, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN)); pages--) {
        page->owner.pointer[0] = held;
        held = page;
    }
}

void release(unsigned pages)
{
    for (; pages && held; pages--) {
        struct quire_page *page = held;
        held = page->owner.pointer[0];
        quire_free_page(mem, page);
    }
}

static bool fail_once(void *arg)
{
    (void)arg;
    return fail_at && !--fail_at;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static enum quire_oom_result oom(void *arg, struct quire_mm *victim, const char *report)
{
    (void)arg;
    EXPECT(victim && report[0]);
    return QUIRE_OOM_REFUSED;
}

static void start_mappings(void)
{
    static const struct quire_mapping_ops ops[2] = {
        {.read_pages = read_pages, .write_page = write_page},
        {.read_pages = read_pages, .write_page = write_page, .page_mkwrite = make_writable}};
    for (unsigned i = 0; i < NR_MAPPINGS; i++) {
        struct quire_mapping_config config = {
            .ops = i < 2 ? &ops[i] : NULL,
            .owner = i < 2 ? &stores[i] : NULL,
            .size = (i + 1) * 10 * PAGE - i * 100,
            .name = i < 2 ? "/file" : NULL,
            .may_write = i != 1,
            .may_exec = i,
            .noreserve = i == 3,
        };
        EXPECT(!quire_mapping_create(&mappings[i], vm, &config));
    }
}

static void start_vm(void)
{
    struct quire_vm_config config = {
        .mem = mem,
        .slab = slab,
        .format = format,
        .flush = quire_sim_tlb_flush,
        .flush_arg = &sim,
    };
    EXPECT(!quire_vm_init(&vm, &config));
    quire_vm_set_oom(vm, oom, NULL);
    start_mappings();
    for (unsigned i = 0; i < NR_AREAS; i++)
        areas[i] = -1;
    swap_on(0, STORE_PAGES, -1);
    for (unsigned i = 0; i < NR_PROCESSES; i++) {
        processes[i] = (struct process){0};
        EXPECT(!quire_mm_create(&processes[i].mm, vm, layout));
        quire_mm_set_limit(processes[i].mm, QUIRE_LIMIT_MEMLOCK, 64 * PAGE);
    }
}

/* Two bits of page tables, one of memory, two of policy, one of layout, one of debugging. */
bool start(unsigned settings)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_I386,
                                                      QUIRE_PT_FORMAT_PAE, QUIRE_PT_FORMAT_LA57};
    format = formats[settings & 3];
    memory_bytes = settings & 4 ? 2 * MIB : MIB + MIB / 2;
    layout = format < QUIRE_PT_FORMAT_X86_64 || settings & 32 ? &quire_mm_layout_i386
                                                              : &quire_mm_layout_x86_64;
    stores_failing = transfers = fail_at = 0;
    nr_frames = (unsigned long)(memory_bytes >> QUIRE_PAGE_SHIFT);
    held = NULL;
    running = NULL;
    cache = (struct quire_fault_cache){0};
    memset(pins, 0, sizeof pins);
    for (unsigned i = 0; i < 2 + NR_AREAS; i++)
        stores[i].is_file = i < 2;
    quire_posix_set_log(hear_nothing);
    if (QUIRE_PAGE_SHIFT != 12)
        return false; /* address spaces are made of pages of 4 KiB */
    if (quire_posix_mem_create(&port, memory_bytes))
        return false;
    quire_posix_set_cpu(0);
    quire_memblock_init(&map, "fuzz", &port);
    struct quire_mem_config config = {.port = &port, .nr_cpus = 1};
    EXPECT(!quire_memblock_add(&map, 0, memory_bytes, 0, QUIRE_MEMBLOCK_RAM));
    EXPECT(!quire_mem_init(&mem, &map, &config));
    sim = (struct quire_sim){
        .port = port,
        .memory = {.base = port.base, .size = memory_bytes},
        .cpu = &cpu,
        .nr_cpus = 1,
        .fault = handle,
    };
    quire_sim_init(&sim);
    free_before = quire_nr_free_pages(mem);
    struct quire_slab_config objects = {
        .debug = settings & 64 ? "FZP" : NULL, .fail = fail_once, .fail_objects = true};
    EXPECT(!quire_slab_init(&slab, mem, &objects));
    start_vm();
    EXPECT(!quire_vm_set_policy(vm, (enum quire_reclaim_policy)(settings >> 3 & 3)));
    return true;
}

void end(void)
{
    stores_failing = fail_at = 0;
    release(-1u);
    run_on(NULL);
    for (unsigned i = 0; i < NR_PINS; i++)
        if (pins[i].page)
            quire_put_user_page(vm, pins[i].page, false);
    quire_vm_check(vm);
    for (unsigned i = 0; i < NR_PROCESSES; i++)
        leave(&processes[i]);
    quire_vm_check(vm);
    for (unsigned i = 0; i < NR_MAPPINGS; i++)
        quire_mapping_put(mappings[i]);
    for (unsigned i = 0; i < NR_AREAS; i++)
        if (areas[i] >= 0)
            EXPECT(!quire_swapoff(vm, areas[i]));
    EXPECT(!quire_vm_destroy(vm));
    quire_slab_check(slab);
    EXPECT(!quire_slab_destroy(slab));
    quire_mem_check(mem);
    EXPECT(quire_nr_free_pages(mem) == free_before);
    EXPECT(!quire_mem_destroy(mem));
    quire_posix_mem_destroy(&port, memory_bytes);
}
