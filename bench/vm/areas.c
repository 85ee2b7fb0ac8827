/* bench/vm/areas.c: what it costs to map, change and unmap, with few areas and with many */
#include "bench.h"

#define CALLS 256ul

static void create_few(struct quire_mem *mem)
{
    space_create(mem);
    (void)map_areas(10, 1);
}

static void create_many(struct quire_mem *mem)
{
    space_create(mem);
    (void)map_areas(10000, 1);
}

/* What is mapped next joins the area that this ends with. */
static void create_joined(struct quire_mem *mem)
{
    create_few(mem);
    (void)map_anon(1);
}

static void map_and_unmap(void)
{
    for (unsigned long i = 0; i < CALLS; i++)
        check(quire_munmap(mm, map_anon(1), PAGE));
}

static void map_touch_and_unmap(void)
{
    for (unsigned long i = 0; i < CALLS; i++) {
        quire_linear_t at = map_anon(1);
        touch(mm, at, NULL);
        check(quire_munmap(mm, at, PAGE));
    }
}

static quire_linear_t place;

static void create_block(struct quire_mem *mem)
{
    create_few(mem);
    place = map_anon(8);
    touch(mm, place, NULL);
}

static void protect_and_back(void)
{
    for (unsigned long i = 0; i < CALLS; i++) {
        check(quire_mprotect(mm, place + 3 * PAGE, PAGE, QUIRE_PROT_READ));
        check(quire_mprotect(mm, place + 3 * PAGE, PAGE, RW));
    }
}

static void create_heap(struct quire_mem *mem)
{
    const struct quire_mm_program program = {.brk = 0x1000000};
    create_few(mem);
    check(quire_mm_set_program(mm, &program));
    check(quire_brk(mm, 0x1004000) != 0x1004000);
}

static void grow_and_shrink(void)
{
    for (unsigned long i = 0; i < CALLS; i++)
        check(quire_brk(mm, 0x1005000) != 0x1005000 || quire_brk(mm, 0x1004000) != 0x1004000);
}

static void remap_and_back(void)
{
    for (unsigned long i = 0; i < CALLS; i++)
        check(quire_mremap(mm, place, 8 * PAGE, 7 * PAGE, 0, 0) < 0 ||
              quire_mremap(mm, place, 7 * PAGE, 8 * PAGE, 0, 0) < 0);
}

const struct bench_case area_cases[] = {
    {"mmap-munmap", "pair", CALLS, create_few, NULL, map_and_unmap, NULL, space_destroy},
    {"mmap-munmap-joined", "pair", CALLS, create_joined, NULL, map_and_unmap, NULL, space_destroy},
    {"mmap-munmap-10k-areas", "pair", CALLS, create_many, NULL, map_and_unmap, NULL, space_destroy},
    {"mmap-touch-munmap", "round", CALLS, create_few, NULL, map_touch_and_unmap, NULL,
     space_destroy},
    {"mprotect-split-join", "pair", CALLS, create_block, NULL, protect_and_back, NULL,
     space_destroy},
    {"mremap-shrink-grow", "pair", CALLS, create_block, NULL, remap_and_back, NULL, space_destroy},
    {"brk-grow-shrink", "pair", CALLS, create_heap, NULL, grow_and_shrink, NULL, space_destroy},
    {0},
};
