/* bench/vm/faults.c: what faults and forks cost
 *
 * A page that is written first is cleared, and a copied one copied, within the fault. What that
 * alone takes has rows of its own, to be taken off.
 */
#include <string.h>

#include "bench.h"

#define PAGES 16384ul

static quire_linear_t at;
static struct quire_mm *child;
static struct quire_fault_cache cache;

/* ---- first touch ----------------------------------------------------------------------------- */

static void map_pages(void)
{
    at = map_anon(PAGES);
}

static void touch_all(void)
{
    for (unsigned long i = 0; i < PAGES; i++)
        touch(mm, at + i * PAGE, &cache);
}

static void map_and_touch(void)
{
    map_pages();
    touch_all();
}

static void unmap_pages(void)
{
    check(quire_munmap(mm, at, PAGES * PAGE));
}

/* ---- fork, copy on write --------------------------------------------------------------------- */

static void create_touched(struct quire_mem *mem)
{
    space_create(mem);
    map_pages();
    touch_all();
}

/* After touch_all: entries that a fork has made read-only are cheaper for the next one. */
static void fork_all(void)
{
    check(quire_mm_fork(&child, mm));
}

static void end_child(void)
{
    quire_mm_put(child);
}

static void copy_all(void)
{
    for (unsigned long i = 0; i < PAGES; i++)
        touch(child, at + i * PAGE, &cache);
}

/* ---- one among many -------------------------------------------------------------------------- */

#define FAULTS 1024ul
#define SPREAD 20000ul /* pages, in however many areas */

static void create_areas(struct quire_mem *mem, unsigned long areas)
{
    space_create(mem);
    at = map_areas(areas, SPREAD / areas);
}

static void create_10(struct quire_mem *mem)
{
    create_areas(mem, 10);
}

static void create_10k(struct quire_mem *mem)
{
    create_areas(mem, 10000);
}

/* Reads of untouched pages, in areas of no order: they get the page of zeros, so that the search
 * counts. The entries go afterwards. */
static void fault_anywhere(void)
{
    uint64_t random = 1;
    for (unsigned long i = 0; i < FAULTS; i++) {
        quire_linear_t page = at + random_below(&random, SPREAD) * PAGE;
        check(quire_handle_fault(mm, page, QUIRE_FAULT_FLAG_USER, &cache) > QUIRE_VM_MAJOR);
    }
}

static void forget(void)
{
    check(quire_madvise(mm, at, SPREAD * PAGE, QUIRE_MADV_DONTNEED));
}

/* ---- what isn't the fault's ------------------------------------------------------------------ */

static char one[QUIRE_PAGE_SIZE], other[QUIRE_PAGE_SIZE];

static void clear(void)
{
    for (unsigned long i = 0; i < FAULTS; i++) {
        memset(one, 0, sizeof one);
        __asm__ volatile("" ::: "memory");
    }
}

static void copy(void)
{
    for (unsigned long i = 0; i < FAULTS; i++) {
        memcpy(one, other, sizeof one);
        __asm__ volatile("" ::: "memory");
    }
}

static void nothing(struct quire_mem *mem)
{
    (void)mem;
}

const struct bench_case fault_cases[] = {
    {"first-touch", "page", PAGES, space_create, map_pages, touch_all, unmap_pages, space_destroy},
    {"munmap-touched", "page", PAGES, space_create, map_and_touch, unmap_pages, NULL,
     space_destroy},
    {"fork-16k-pages", "page", PAGES, create_touched, touch_all, fork_all, end_child,
     space_destroy},
    {"copy-on-write", "page", PAGES, create_touched, fork_all, copy_all, end_child, space_destroy},
    {"fault-10-areas", "fault", FAULTS, create_10, forget, fault_anywhere, NULL, space_destroy},
    {"fault-10k-areas", "fault", FAULTS, create_10k, forget, fault_anywhere, NULL, space_destroy},
    {"clear-a-page", "page", FAULTS, nothing, NULL, clear, NULL, NULL},
    {"copy-a-page", "page", FAULTS, nothing, NULL, copy, NULL, NULL},
    {0},
};
