/* bench/machine/calls.c: system calls about areas */
#include <sys/syscall.h>

#include "operations.h"

#define REPEATS 1000ul

static void entry(void)
{
    long number = SYS_getpid;
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        long result = number;
#ifdef __x86_64__
        __asm__ volatile("syscall" : "+a"(result)::"rcx", "r11", "memory");
#else
        __asm__ volatile("int $0x80" : "+a"(result)::"memory");
#endif
    }
    row("getpid", REPEATS);
}

static void map_and_unmap(const char *name, size_t size, bool touched)
{
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        char *at = map(size, 0);
        if (touched)
            touch(at, size);
        unmap(at, size);
    }
    row(name, REPEATS);
}

static void grow_and_shrink(const char *name, size_t size, bool touched)
{
    char *end = sbrk(0);
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        need(!brk(end + size), "brk");
        if (touched)
            touch(end, size);
        need(!brk(end), "brk");
    }
    row(name, REPEATS);
}

static void grow_only(void)
{
    char *end = sbrk(0);
    begin();
    for (unsigned long i = 1; i <= REPEATS; i++)
        need(!brk(end + i * PAGE), "brk");
    row("brk_grow_4K_only", REPEATS);
    need(!brk(end), "brk");
}

static void protections(void)
{
    const size_t size = 64 * MIB;
    char *at = map(size, 0);
    touch(at, size);
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        need(!mprotect(at + 16 * PAGE, PAGE, PROT_READ), "mprotect");
        need(!mprotect(at + 16 * PAGE, PAGE, PROT_READ | PROT_WRITE), "mprotect");
    }
    row("mprotect_1page_split_merge(pair)", REPEATS);
    begin();
    for (unsigned long i = 0; i < 4; i++) {
        need(!mprotect(at, size, PROT_READ), "mprotect");
        need(!mprotect(at, size, PROT_READ | PROT_WRITE), "mprotect");
    }
    row("mprotect_whole_64M(pair)", 4);
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        need(!madvise(at + 16 * PAGE, PAGE, MADV_DONTNEED), "madvise");
        touch(at + 16 * PAGE, PAGE);
    }
    row("madv_dontneed_1page_refault", REPEATS);
    unmap(at, size);
}

/* Into a place that is kept free for it, back and forth. */
static void moves(const char *name, size_t size)
{
    char *room = map(2 * size, 0), *at = room, *other = room + size;
    touch(at, size);
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        need(mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other, "mremap");
        char *swapped = at;
        at = other;
        other = swapped;
    }
    row(name, REPEATS);
    unmap(room, 2 * size);
}

static void resizes(void)
{
    char *at = map(64 * PAGE, 0);
    unmap(at + 16 * PAGE, 48 * PAGE);
    begin();
    for (unsigned long i = 0; i < REPEATS; i++) {
        need(mremap(at, 16 * PAGE, 32 * PAGE, 0) == at, "mremap");
        need(mremap(at, 32 * PAGE, 16 * PAGE, 0) == at, "mremap");
    }
    row("mremap_grow_shrink_inplace(pair)", REPEATS);
    unmap(at, 16 * PAGE);
}

void measure_calls(void)
{
    entry();
    map_and_unmap("mmap_munmap_4K_untouched", PAGE, false);
    map_and_unmap("mmap_munmap_2M_untouched", 2 * MIB, false);
    map_and_unmap("mmap_touch_munmap_4K", PAGE, true);
    grow_and_shrink("brk_grow_shrink_4K_untouched(pair)", PAGE, false);
    grow_and_shrink("brk_grow_touch_shrink_4K(pair)", PAGE, true);
    grow_and_shrink("brk_grow_shrink_1M_untouched(pair)", MIB, false);
    grow_only();
    protections();
    resizes();
    moves("mremap_move_1M_touched", MIB);
    moves("mremap_move_1page_touched", PAGE);
}
