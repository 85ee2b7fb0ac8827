/* examples/kernel/main.c: a kernel that has page frames, objects and vmalloc, and nothing else
 *
 * It takes the firmware's map, makes page tables of its own from Quire's frames, and shows each
 * layer at work on the machine that it runs on. What it takes it gives back: at the end as many
 * frames are free as before.
 */
#include <quire/phys.h>
#include <quire/port.h>
#include <quire/slab.h>
#include <quire/version.h>
#include <quire/vmalloc.h>
#include <quire/windows.h>

#include "machine.h"

#define MEMORY_END 0x40000000u /* as far as boot.S maps */
#define RAM 1
#define VMALLOC_START 0xffffc90000000000u
#define VMALLOC_END 0xffffc90040000000u

static struct quire_port_mem port;
static struct quire_memblock map; /* too large for the stack */
static struct quire_pgtable tables;
static struct quire_mem *mem;
static struct quire_slab *slab;
static struct quire_vmalloc *vmalloc;
static unsigned long free_at_first;

struct task {
    unsigned long number;
    struct task *next;
    char name[40];
};

static void expect(bool good, const char *what)
{
    if (good)
        return;
    say("failed: %s", what);
    leave(false);
}

/* What has content is reserved before memory is added: the map may grow into what is free. */
static void take_memory(const struct start_info *info)
{
    const struct memory_map_entry *entry = (const void *)info->memory_map;
    const uint64_t image = (uintptr_t)image_start;
    quire_memblock_init(&map, "firmware", &port);
    expect(!quire_memblock_reserve(&map, 0, image), "reserving firmware");
    expect(!quire_memblock_reserve(&map, image, (uintptr_t)image_end - image),
           "reserving the image");
    for (unsigned i = 0; i < info->nr_memory_map; i++, entry++) {
        if (entry->type != RAM || entry->base >= MEMORY_END)
            continue;
        uint64_t end = entry->base + entry->size;
        if (end > MEMORY_END)
            end = MEMORY_END;
        say("  memory from 0x%lx to 0x%lx", entry->base, end);
        expect(!quire_memblock_add(&map, entry->base, end - entry->base, 0, QUIRE_MEMBLOCK_RAM),
               "adding memory");
    }
    const struct quire_mem_config config = {.port = &port};
    expect(!quire_mem_init(&mem, &map, &config), "making zones");
    free_at_first = quire_nr_free_pages(mem);
    say("  %lu frames, %lu of them free", quire_nr_managed_pages(mem), free_at_first);
    expect(!quire_slab_init(&slab, mem, NULL), "making general caches");
}

/* All memory where it is, but for the first frame, so that NULL is no address; then vmalloc's. The
 * code can't be written, and only it can be executed. */
static void make_tables(void)
{
    const struct quire_pgtable_config config = {.mem = mem, .format = QUIRE_PT_FORMAT_X86_64};
    const uint64_t code = (uintptr_t)image_start, data = (uintptr_t)image_data;
    const uint64_t end = quire_memblock_end(&map) & ~(QUIRE_PAGE_SIZE - 1);
    const uint64_t writable = QUIRE_PTE_WRITE | QUIRE_PTE_NX;
    expect(!quire_pgtable_init(&tables, &config), "making tables");
    expect(!quire_map_range(&tables, QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE, code - QUIRE_PAGE_SIZE,
                            writable, 0),
           "mapping low memory");
    expect(!quire_map_range(&tables, code, code, data - code, 0, 0), "mapping the code");
    expect(!quire_map_range(&tables, data, data, end - data, writable, 0), "mapping memory");
    quire_pgtable_cpu_enter(&tables, 0);
    load_tables(tables.root);

    const struct quire_vmalloc_config range = {
        .mem = mem,
        .slab = slab,
        .pt = &tables,
        .start = VMALLOC_START,
        .end = VMALLOC_END,
        .prot = writable | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY,
    };
    expect(!quire_vmalloc_init(&vmalloc, &range), "making vmalloc");
}

/* Each block is aligned to its size, so its buddy is found by one bit of its frame number. */
static void show_frames(void)
{
    struct quire_page *block = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 4);
    char *zeroed = quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL);
    expect(block && zeroed, "allocating frames");
    unsigned long frame = quire_page_to_pfn(block).value;
    say("  16 frames in a row from %lu on, aligned to 16; its buddy begins at %lu", frame,
        frame ^ 16);
    expect(frame % 16 == 0 && zeroed[0] == 0 && zeroed[QUIRE_PAGE_SIZE - 1] == 0, "what they are");
    quire_free_pages_at(mem, zeroed, 0);
    quire_free_pages(mem, block, 4);
}

static void show_objects(void)
{
    struct quire_kmem_cache *cache =
        quire_kmem_cache_create(slab, "task", sizeof(struct task), 0, 0, NULL);
    struct quire_kmem_cache_info info;
    struct task *tasks = NULL;
    expect(cache, "creating a cache");
    for (unsigned long i = 0; i < 1000; i++) {
        struct task *task = quire_kmem_cache_zalloc(cache, QUIRE_GFP_KERNEL);
        expect(task, "allocating an object");
        task->number = i;
        task->next = tasks;
        tasks = task;
    }
    quire_kmem_cache_info(cache, &info);
    say("  %lu objects of %lu bytes in %lu pages, %lu a slab", info.nr_active, info.size,
        info.nr_pages, (unsigned long)info.objects_per_slab);
    for (unsigned long i = 1000; i--;) {
        struct task *next = tasks->next;
        expect(tasks->number == i, "an object's content");
        quire_kmem_cache_free(cache, tasks);
        tasks = next;
    }
    expect(!quire_kmem_cache_destroy(cache), "destroying the cache");
}

/* Frames from anywhere appear in a row, and the page behind them isn't there. */
static void show_vmalloc(void)
{
    const unsigned long size = 1ul << 20;
    char *buffer = (char *)quire_vmalloc(vmalloc, size, QUIRE_GFP_KERNEL);
    expect(buffer, "vmalloc");
    for (unsigned long i = 0; i < size; i += QUIRE_PAGE_SIZE) {
        struct quire_page *page = quire_vmalloc_to_page(vmalloc, (uintptr_t)buffer + i);
        *(unsigned long *)(buffer + i) = i;
        expect(page && *(unsigned long *)quire_page_address(mem, page) == i,
               "the direct map shows what was written");
        if (i < 3 * QUIRE_PAGE_SIZE)
            say("  0x%lx is frame %lu", (uintptr_t)buffer + i, quire_page_to_pfn(page).value);
    }
    expect(probe(buffer + size - 1) && !probe(buffer + size), "the guard page");
    say("  0x%lx, one byte too far, is a page fault", (uintptr_t)buffer + size);
    quire_vfree(vmalloc, (uintptr_t)buffer);
    quire_vm_unmap_aliases(vmalloc); /* now, rather than when there is more to flush */
    expect(!probe(buffer), "unmapping");
}

/* Frames are linked through themselves until there are no more. */
static void show_exhaustion(void)
{
    unsigned long count = 0;
    void **list = NULL, **page;
    while ((page = quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN))) {
        *page = list;
        list = page;
        count++;
    }
    say("  %lu frames, then NULL: %lu are kept for those who free memory", count,
        quire_nr_free_pages(mem));
    expect(count > free_at_first * 9 / 10, "allocating nearly all memory");
    while (list) {
        page = *list;
        quire_free_pages_at(mem, list, 0);
        list = page;
    }
}

_Noreturn void kernel_main(const struct start_info *info);
_Noreturn void kernel_main(const struct start_info *info)
{
    say("A kernel on Quire %s", QUIRE_VERSION);
    catch_page_faults();
    take_memory(info);
    make_tables();
    expect(!probe(NULL) && probe(image_start), "the kernel's own tables");

    say("Page frames");
    show_frames();
    say("Objects");
    show_objects();
    say("vmalloc");
    show_vmalloc();
    say("All memory");
    show_exhaustion();

    expect(!quire_vmalloc_destroy(vmalloc), "destroying vmalloc");
    expect(!quire_slab_destroy(slab), "objects that nobody freed");
    quire_mem_check(mem);
    const unsigned long free_at_last = quire_nr_free_pages(mem);
    const unsigned long nr_tables = quire_pgtable_nr_tables(&tables);
    say("Done: %lu frames are free, %lu hold page tables", free_at_last, nr_tables);
    expect(free_at_last + nr_tables == free_at_first, "giving everything back");
    leave(true);
}
