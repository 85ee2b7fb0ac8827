/* examples/minimal-port/main.c: an array as a machine's memory
 *
 * All that stands between a program and a page allocator: two functions for the port, a map of
 * memory, and quire_mem_init. The map has a reserved range, as an image or a RAM disk would be, and
 * a hole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/phys.h>
#include <quire/port.h>

#define MIB (1024ul * 1024)

static _Alignas(QUIRE_PAGE_SIZE) char array[16 * MIB];

void minimal_port_log(int level, const char *text)
{
    fprintf(stderr, "<%d> %s\n", level, text);
}

_Noreturn void minimal_port_panic(const char *text)
{
    fprintf(stderr, "panic: %s\n", text);
    abort();
}

static struct quire_mem *make_machine(const struct quire_port_mem *port)
{
    static struct quire_memblock map;
    struct quire_mem *mem;
    quire_memblock_init(&map, "array", port);
    if (quire_memblock_add(&map, 0, 10 * MIB, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_memblock_add(&map, 12 * MIB, 4 * MIB, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_memblock_reserve(&map, 1 * MIB, 2 * MIB) ||
        quire_mem_init(&mem, &map, &(struct quire_mem_config){.port = port}))
        return NULL;
    return mem;
}

static void show_free_blocks(struct quire_mem *mem)
{
    struct quire_zone_info zone;
    for (unsigned i = 0; !quire_zone_info(mem, i, &zone); i++)
        for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++)
            printf("%4lu free blocks of %lu KiB\n", zone.nr_blocks[order],
                   QUIRE_PAGE_SIZE / 1024 << order);
}

int main(void)
{
    const struct quire_port_mem port = {array};
    struct quire_mem *mem = make_machine(&port);
    if (!mem)
        return EXIT_FAILURE;
    unsigned long before = quire_nr_free_pages(mem);
    printf("%lu of %lu pages are free\n", before, quire_nr_managed_pages(mem));

    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 4);
    char *text = quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL);
    if (!page || !text)
        return EXIT_FAILURE;
    strcpy(text, "written to a page of the array");
    printf("16 pages from frame %lu on, and one at byte %td: %s\n", quire_page_to_pfn(page).value,
           text - array, text);
    show_free_blocks(mem);

    quire_free_pages_at(mem, text, 0);
    quire_free_pages(mem, page, 4);
    if (quire_nr_free_pages(mem) != before)
        return EXIT_FAILURE;
    puts("the same number of pages is free as before");
    return quire_mem_destroy(mem) ? EXIT_FAILURE : EXIT_SUCCESS;
}
