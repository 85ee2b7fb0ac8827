#include "tests/unit/vm_machine.h"

struct quire_vm *test_vm;
struct quire_sim sim;
struct quire_sim_cpu sim_cpus[2];
enum quire_fault_result last_result;
unsigned long nr_faults;
struct store file_store, swap_store;
const struct quire_slab_config *vm_slab_config;

static enum quire_pt_format_id format_id;
static struct quire_mm *running;
static struct quire_fault_cache fault_cache;

/* ---- the processor --------------------------------------------------------------------------- */

static struct quire_mmu_registers registers_of(quire_phys_t root)
{
    struct quire_mmu_registers r = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = root,
        .cr4 = QUIRE_CR4_PSE,
    };
    if (format_id >= QUIRE_PT_FORMAT_PAE) {
        r.cr4 |= QUIRE_CR4_PAE;
        r.efer |= QUIRE_EFER_NXE;
    }
    if (format_id >= QUIRE_PT_FORMAT_X86_64)
        r.efer |= QUIRE_EFER_LME;
    if (format_id == QUIRE_PT_FORMAT_LA57)
        r.cr4 |= QUIRE_CR4_LA57;
    return r;
}

static void load(struct quire_sim_cpu *cpu, struct quire_mm *mm)
{
    struct quire_mmu_registers registers = registers_of(quire_mm_pgtable(mm)->root);
    struct quire_fault fault;
    CHECK(quire_sim_set_registers(cpu, &registers, &fault));
    quire_sim_set_cpl(cpu, 3);
}

static bool handle(void *arg, struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    (void)arg;
    unsigned flags = QUIRE_FAULT_FLAG_USER;
    if (fault->vector != QUIRE_VECTOR_PF || !running)
        return false;
    flags |= fault->error_code & QUIRE_PF_WRITE ? QUIRE_FAULT_FLAG_WRITE : 0;
    flags |= fault->error_code & QUIRE_PF_FETCH ? QUIRE_FAULT_FLAG_EXEC : 0;
    nr_faults++;
    enum quire_fault_result result =
        quire_handle_fault(running, fault->address, flags, &fault_cache);
    /* PAE's root entries are registers, which a new table has to be loaded into. */
    if (format_id == QUIRE_PT_FORMAT_PAE)
        load(cpu, running);
    if (result > QUIRE_VM_MAJOR)
        last_result = result;
    return result <= QUIRE_VM_MAJOR;
}

void run_on(struct quire_mm *mm)
{
    if (running) {
        /* The TLB forgets it before it leaves the set. */
        quire_sim_flush(
            &sim, NULL,
            &(struct quire_sim_flush){.last = (quire_linear_t)-1, .pcid = QUIRE_SIM_ALL_PCIDS});
        quire_pgtable_cpu_leave(quire_mm_pgtable(running), 0);
    }
    running = mm;
    if (!mm)
        return;
    quire_pgtable_cpu_enter(quire_mm_pgtable(mm), 0);
    load(&sim_cpus[0], mm);
}

bool poke(quire_linear_t at, uint64_t value)
{
    return quire_sim_write(&sim_cpus[0], at, &value, sizeof value);
}

bool peek(quire_linear_t at, uint64_t *value)
{
    return quire_sim_read(&sim_cpus[0], at, value, sizeof *value);
}

bool holds(quire_linear_t at, uint64_t value)
{
    uint64_t found;
    return peek(at, &found) && found == value;
}

/* ---- begin and end --------------------------------------------------------------------------- */

bool vm_boot(uint64_t size, enum quire_pt_format_id format)
{
    return vm_boot_on(size, format, (struct quire_mem_config){.nr_cpus = 2});
}

bool vm_boot_on(uint64_t size, enum quire_pt_format_id format, struct quire_mem_config mem_config)
{
    const struct quire_memblock_region map[] = {{.size = size}, {0}};
    return vm_boot_map(map, format, mem_config);
}

bool vm_boot_map(const struct quire_memblock_region *map, enum quire_pt_format_id format,
                 struct quire_mem_config mem_config)
{
    uint64_t size = 0;
    for (const struct quire_memblock_region *region = map; region->size; region++)
        size = region->base + region->size;
    if (QUIRE_PAGE_SHIFT != 12) {
        test_skip("address spaces are made of pages of 4 KiB");
        return false;
    }
    mem_config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    if (!machine_boot(map, mem_config))
        return false;
    if (!slab_start(vm_slab_config))
        return false;
    if (quire_pt_formats[format].virt_bits > QUIRE_LINEAR_BITS)
        format = QUIRE_PT_FORMAT_PAE; /* the next best */
    format_id = format;
    running = NULL;
    nr_faults = 0;
    fault_cache = (struct quire_fault_cache){0};
    sim = (struct quire_sim){
        .port = machine.port,
        .memory = {.base = machine.port.base, .size = size},
        .cpu = sim_cpus,
        .nr_cpus = 2,
        .fault = handle,
    };
    quire_sim_init(&sim);
    store_reset(&file_store);
    store_reset(&swap_store);
    struct quire_vm_config config = {
        .mem = machine.mem,
        .slab = slab,
        .format = format,
        .flush = quire_sim_tlb_flush,
        .flush_arg = &sim,
    };
    CHECK_EQ(quire_vm_init(&test_vm, &config), 0);
    return true;
}

void vm_end(void)
{
    run_on(NULL);
    quire_vm_check(test_vm);
    CHECK_EQ(quire_vm_destroy(test_vm), 0);
    slab_end();
}

const struct quire_mm_layout *mm_layout(void)
{
#if QUIRE_LINEAR_BITS > 32
    if (format_id >= QUIRE_PT_FORMAT_X86_64)
        return &quire_mm_layout_x86_64;
#endif
    return &quire_mm_layout_i386;
}

struct quire_mm *mm_new(void)
{
    struct quire_mm *mm = NULL;
    CHECK_EQ(quire_mm_create(&mm, test_vm, mm_layout()), 0);
    return mm;
}

void mm_end(struct quire_mm *mm)
{
    if (running == mm)
        run_on(NULL);
    quire_mm_put(mm);
}

/* ---- shorthands ------------------------------------------------------------------------------ */

quire_linear_t map_file(struct quire_mm *mm, struct quire_mapping *mapping, uint64_t offset,
                        uint64_t size, unsigned prot, unsigned flags)
{
    int64_t at = quire_mmap(mm, 0, size, prot, flags, mapping, offset);
    CHECK(at > 0);
    return at > 0 ? (quire_linear_t)at : 0;
}

quire_linear_t map_anon(struct quire_mm *mm, uint64_t size)
{
    return map_file(mm, NULL, 0, size, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                    QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS);
}

struct quire_mm_info mm_info(struct quire_mm *mm)
{
    struct quire_mm_info info;
    quire_mm_info(mm, &info);
    return info;
}

/* ---- backing stores -------------------------------------------------------------------------- */

uint64_t word_of(uint64_t page)
{
    return (page + 1) * 0x9e3779b97f4a7c15u;
}

void store_reset(struct store *store)
{
    store->fail_read = store->fail_write = 0;
    store->broken = store->break_at_failure = false;
    store->reads = store->writes = 0;
    __builtin_memset(store->bytes, 0, sizeof store->bytes);
    for (uint64_t page = 0; page < STORE_PAGES; page++) {
        uint64_t word = word_of(page);
        __builtin_memcpy(store->bytes + page * QUIRE_PAGE_SIZE, &word, sizeof word);
    }
}

static bool fails(struct store *store, unsigned *countdown)
{
    bool fails = store->broken || (*countdown && !--*countdown);
    store->broken |= fails && store->break_at_failure;
    return fails;
}

static char *bytes_of(struct quire_page *page)
{
    return quire_page_address(machine.mem, page);
}

static int store_read(void *arg, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    struct store *store = arg;
    if (fails(store, &store->fail_read))
        return -QUIRE_EIO;
    for (unsigned i = 0; i < count; i++) {
        if (first + i < STORE_PAGES)
            __builtin_memcpy(bytes_of(pages[i]), store->bytes + (first + i) * QUIRE_PAGE_SIZE,
                             QUIRE_PAGE_SIZE);
        else
            __builtin_memset(bytes_of(pages[i]), 0, QUIRE_PAGE_SIZE);
    }
    store->reads += count;
    return 0;
}

static int store_write(void *arg, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    struct store *store = arg;
    if (fails(store, &store->fail_write) || first + count > STORE_PAGES)
        return -QUIRE_EIO;
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy(store->bytes + (first + i) * QUIRE_PAGE_SIZE, bytes_of(pages[i]),
                         QUIRE_PAGE_SIZE);
    store->writes += count;
    return 0;
}

static int store_write_page(void *arg, uint64_t index, struct quire_page *page, size_t bytes)
{
    struct store *store = arg;
    if (fails(store, &store->fail_write) || index >= STORE_PAGES)
        return -QUIRE_EIO;
    __builtin_memcpy(store->bytes + index * QUIRE_PAGE_SIZE, bytes_of(page), bytes);
    store->writes++;
    return 0;
}

struct quire_mapping *file_of(uint64_t size)
{
    static const struct quire_mapping_ops ops = {
        .read_pages = store_read,
        .write_page = store_write_page,
    };
    struct quire_mapping *mapping = NULL;
    struct quire_mapping_config config = {
        .ops = &ops,
        .owner = &file_store,
        .size = size,
        .name = "/file",
        .device_minor = 2,
        .inode = 10,
        .may_write = true,
        .may_exec = true,
    };
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    return mapping;
}

int swap_of(unsigned pages)
{
    static const struct quire_swap_ops ops = {.read = store_read, .write = store_write};
    struct quire_swap_config config = {
        .ops = &ops,
        .store = &swap_store,
        .nr_slots = pages,
        .priority = -1,
        .name = "/swap",
    };
    int area = quire_swapon(test_vm, &config);
    CHECK(area >= 0);
    return area;
}
