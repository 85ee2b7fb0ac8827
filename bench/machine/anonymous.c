/* bench/machine/anonymous.c: the emulator's own costs; pages of memory that no file has */
#include <sys/syscall.h>

#include "operations.h"

#define BIG (64 * MIB)
#define PAGES (BIG / PAGE)

void measure_calibration(void)
{
    char *at = map(MIB, MAP_POPULATE);
    unsigned long count = 1000000, repeats = 256;
    begin();
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(count));
    row("loop_empty", 1000000);
    begin();
    for (unsigned long i = 0; i < repeats; i++) {
        char *to = at + i * PAGE;
        unsigned long n = PAGE;
        __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
    }
    row("calib_rep_stosb_4096", repeats);
    begin();
    for (unsigned long i = 0; i < repeats; i++) {
        char *to = at + i * PAGE;
        unsigned long n = PAGE / sizeof(long);
#ifdef __x86_64__
        __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0L) : "memory");
#else
        __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0) : "memory");
#endif
    }
    row("calib_rep_stos_long_4096B", repeats);
    begin();
    for (unsigned long i = 0; i < repeats - 1; i++) {
        char *from = at + i * PAGE, *to = from + PAGE;
        unsigned long n = PAGE;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    }
    row("calib_rep_movsb_4096", repeats - 1);
    begin();
    for (unsigned long i = 0; i < repeats - 1; i++) {
        char *from = at + i * PAGE, *to = from + PAGE;
        unsigned long n = PAGE / sizeof(long);
#ifdef __x86_64__
        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
#else
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n)::"memory");
#endif
    }
    row("calib_rep_movs_long_4096B", repeats - 1);
    unmap(at, MIB);
}

static void first_touches(void)
{
    char *at = map(BIG, 0);
    begin();
    touch(at, BIG);
    row("anon_first_touch_page", PAGES);
    begin();
    touch(at, BIG);
    row("anon_second_touch_page(no_fault)", PAGES);
    begin();
    unmap(at, BIG);
    row("munmap_touched_page", PAGES);
}

static void zero_page(void)
{
    char *at = map(BIG, 0);
    begin();
    read_pages(at, BIG);
    row("zero_page_read_fault", PAGES);
    begin();
    touch(at, BIG);
    row("zero_page_then_write_fault", PAGES);
    begin();
    need(!madvise(at, BIG, MADV_DONTNEED), "madvise");
    row("madv_dontneed_page", PAGES);
    unmap(at, BIG);
}

static void populated(void)
{
    begin();
    char *at = map(BIG, MAP_POPULATE);
    row("map_populate_page(thp_may_apply)", PAGES);
    unmap(at, BIG);
}

static void huge(void)
{
    const size_t huge_page = 2 * MIB, size = 32 * MIB;
    char *whole = map(size + huge_page, 0);
    char *at = (char *)(((uintptr_t)whole + huge_page - 1) & -(uintptr_t)huge_page);
    madvise(at, size, MADV_HUGEPAGE); /* may be unknown: then these are small pages */
    begin();
    touch(at, size);
    row("anon_first_touch_MADV_HUGEPAGE_per_2M", size / huge_page);
    begin();
    unmap(at, size);
    row("munmap_MADV_HUGEPAGE_per_2M", size / huge_page);
    unmap(whole, size + huge_page);
}

static void random_touches(void)
{
    char *at = map(BIG, 0);
    bool seen[PAGES] = {false};
    unsigned long faults = 0;
    for (unsigned long i = 0; i < PAGES; i++) /* the loop's own pages come first */
        *(volatile bool *)&seen[i] = false;
    begin();
    for (unsigned long i = 0; i < PAGES; i++) {
        unsigned long page = next_random(PAGES);
        faults += !seen[page];
        seen[page] = true;
        *(volatile char *)(at + page * PAGE) = 1;
    }
    row("rand_fault_1VMA", faults);
    unmap(at, BIG);
    at = map(BIG, 0);
    begin();
    for (unsigned long i = 0; i < PAGES; i += 2)
        *(volatile char *)(at + i * PAGE) = 1;
    row("rand_fault_1VMA_stride2", PAGES / 2);
    unmap(at, BIG);
}

void measure_anonymous(void)
{
    first_touches();
    zero_page();
    populated();
    huge();
    random_touches();
}
