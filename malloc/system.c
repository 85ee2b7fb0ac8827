/* malloc/system.c: what comes from the system: addresses, memory, time, sleep */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "malloc/self.h"

#define LEAST_RANGE (12ul << 20)
#define LEFT_FOR_OTHERS (1ul << 20)
#define LITTLE_LEFT (64ul << 20)
#define MOST_RANGE (1ul << 40)
#define RANGE_BEYOND_LIMIT 64u /* a byte of the class map in 4096 is used of each */
#define RANGE_ALIGN                                                                                \
    ((QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER) > (2ul << 20) ? (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)     \
                                                        : (2ul << 20))

/* Parts of the range that aren't reserved, and may have become somebody else's: of the maps of free
 * slots, and at the range's end. Who commits the beginning of one maps it first. Under the heap's
 * grow_lock. */
struct hole {
    size_t start, end;
};
static struct hole hole_of_maps, hole_at_end;
static char *range_base;
static size_t range_size;
static bool
    is_small_range;  /* a limit left little: what isn't used of the range is for others, too */
static bool is_huge; /* sections may be in huge pages, also those that are mapped later */

/* ---- the range ------------------------------------------------------------------------------- */

static void *map_aligned(size_t size, size_t align, int protection, int flags)
{
    flags |= MAP_PRIVATE | MAP_ANONYMOUS;
    char *at = mmap(NULL, size, protection, flags, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (!((uintptr_t)at & (align - 1)))
        return at;
    (void)munmap(at, size);
    at = mmap(NULL, size + align, protection, flags, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    char *aligned = (char *)(uintptr_t)quire_align_up((uintptr_t)at, align);
    if (aligned > at)
        (void)munmap(at, (size_t)(aligned - at));
    (void)munmap(aligned + size, align - (size_t)(aligned - at));
    return aligned;
}

/* Pages of addresses that the process has, by /proc/self/statm; 0: unknown. By bare system calls,
 * since open and read are points of cancellation, which malloc isn't. */
static size_t mapped_pages(void)
{
    char text[64];
    size_t pages = 0;
    long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    long length = syscall(SYS_read, file, text, sizeof text);
    (void)syscall(SYS_close, file);
    for (long i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        pages = 10 * pages + (size_t)(text[i] - '0');
    return pages;
}

/* Stacks of threads and libraries need some of what is left under a limit, too. */
static size_t range_under_limit(size_t left)
{
    return left < LITTLE_LEFT ? left - left / 4 : left / 2;
}

/* SIZE_MAX: there is no limit. */
static size_t left_under_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    size_t mapped = (mapped_pages() << QUIRE_PAGE_SHIFT) + LEFT_FOR_OTHERS;
    return limit.rlim_cur > mapped ? (size_t)limit.rlim_cur - mapped : 0;
}

/* Twice the memory, so that all of it may be had in small blocks, and swap. */
static size_t wanted_range(void)
{
    struct sysinfo info;
    size_t size = LEAST_RANGE;
    size_t memory = sysinfo(&info) ? LEAST_RANGE : (size_t)info.totalram * info.mem_unit;
    while (size < 2 * memory && size < MOST_RANGE)
        size *= 2;
    return size;
}

static size_t whole_sections(size_t size)
{
    return (size_t)quire_align_down(size, (uint64_t)1 << QUIRE_SECTION_SHIFT);
}

/* False: something else is there. Without MAP_FIXED_NOREPLACE (before Linux 4.17) it's a hint. */
static bool map_at(char *at, size_t size)
{
    char *is = mmap(at, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (is != MAP_FAILED && is != at)
        (void)munmap(is, size);
    if (is != at)
        return false;
    return true;
}

/* Huge pages would take memory that nobody asked for. */
static void advise(char *at, size_t size, bool huge)
{
    (void)madvise(at, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* A range larger than what a limit leaves, since the limit may be lifted: below the place where the
 * system maps next, which it goes on to use from above. Nothing of it is reserved. */
static char *find_range(size_t left, size_t *size)
{
    size_t wanted = wanted_range(), most = whole_sections(left) * RANGE_BEYOND_LIMIT;
    wanted = wanted < most ? wanted : most;
    char *top =
        mmap(NULL, LEAST_RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (top == MAP_FAILED)
        return NULL;
    (void)munmap(top, LEAST_RANGE);
    uintptr_t end = (uintptr_t)top + LEAST_RANGE;
    if (wanted < LEAST_RANGE || end < 2 * wanted)
        return NULL;
    char *base = (char *)(uintptr_t)quire_align_down(end - wanted, RANGE_ALIGN);
    if (!map_at(base, LEAST_RANGE))
        return NULL;
    (void)munmap(base, LEAST_RANGE);
    hole_of_maps = (struct hole){0, wanted};
    *size = wanted;
    return base;
}

char *system_reserve(size_t *size)
{
    char *range = NULL;
    int saved = errno;
    size_t left = left_under_limit();
    *size = wanted_range();
    is_small_range = left < *size;
    hole_of_maps = hole_at_end = (struct hole){0, 0};
    if (is_small_range)
        range = find_range(left, size);
    if (!range && range_under_limit(left) < *size)
        *size = whole_sections(range_under_limit(left));
    for (; !range && *size >= LEAST_RANGE; *size = whole_sections(*size / 2)) {
        range = map_aligned(*size, RANGE_ALIGN, PROT_NONE, MAP_NORESERVE);
        if (range) {
            advise(range, *size, false);
            break;
        }
    }
    range_base = range;
    range_size = *size;
    errno = saved;
    return range;
}

/* ---- holes ----------------------------------------------------------------------------------- */

static bool is_hole(const struct hole *hole)
{
    return hole->start < hole->end;
}

static size_t reserved_end(void)
{
    return is_hole(&hole_at_end) ? hole_at_end.start : range_size;
}

/* Whether the system has any. */
static bool knows_huge_pages(void)
{
    char *at = mmap(NULL, QUIRE_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool knows = at != MAP_FAILED && !madvise(at, QUIRE_PAGE_SIZE, MADV_HUGEPAGE);
    if (at != MAP_FAILED)
        (void)munmap(at, QUIRE_PAGE_SIZE);
    return knows;
}

bool system_huge_pages(void)
{
    int saved = errno;
    quire_port_spin_lock(&heap->grow_lock);
    size_t start = (size_t)quire_align_up(heap->committed, RANGE_ALIGN), end = reserved_end();
    is_huge = knows_huge_pages();
    if (is_huge && start < end)
        advise(range_base + start, end - start, true);
    bool has = is_huge;
    quire_port_spin_unlock(&heap->grow_lock);
    errno = saved;
    return has;
}

/* Reserves the beginning of a hole. Of the maps of free slots little is used. */
static bool fill_hole(struct hole *hole, size_t end)
{
    char *at = range_base + hole->start;
    if (!map_at(at, end - hole->start))
        return false;
    advise(at, end - hole->start, is_huge && hole == &hole_at_end);
    hole->start = end;
    return true;
}

/* As much as there is, from the beginning on. */
static void fill_what_is_free(struct hole *hole)
{
    size_t section = (size_t)1 << QUIRE_SECTION_SHIFT;
    size_t piece = is_hole(hole) ? hole->end - hole->start : 0;
    while (piece && is_hole(hole)) {
        size_t left = hole->end - hole->start;
        piece = piece < left ? piece : left;
        if (!fill_hole(hole, hole->start + piece))
            piece = whole_sections(piece / 2) < section ? 0 : whole_sections(piece / 2);
    }
}

/* What is committed comes in order, so it is the beginning of a hole; but for the boot memory, when
 * all of the range is one hole, which is two from then on. */
static bool fill_for(size_t start, size_t end)
{
    struct hole *hole =
        is_hole(&hole_at_end) && end > hole_at_end.start ? &hole_at_end : &hole_of_maps;
    if (!is_hole(hole) || end <= hole->start || start >= hole->end)
        return true;
    if (start && hole->end == range_size && hole == &hole_of_maps) {
        hole_at_end = (struct hole){start, hole->end};
        hole->end = start;
        hole = &hole_at_end;
    }
    return fill_hole(hole, end < hole->end ? end : hole->end);
}

/* Nothing limits addresses any more. */
static void reserve_all(void)
{
    is_small_range = false;
    fill_what_is_free(&hole_of_maps);
    fill_what_is_free(&hole_at_end);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The range counts as addresses from the beginning, so the system doesn't see it grow. Who sets
 * RLIMIT_AS above what the process has then may have so much more, the range's growth included; who
 * sets it below, as much as if only what the heap uses of its range counted. In heap_grow. */
static bool is_within_limit(size_t more)
{
    static rlim_t known = RLIM_INFINITY;
    static size_t committed_before; /* when the limit was first seen */
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || !heap)
        return true;
    if (limit.rlim_cur != known) {
        known = limit.rlim_cur;
        committed_before = heap->committed;
    }
    size_t reserved = reserved_end(), is = heap->committed;
    size_t unused = reserved > is ? reserved - is : 0;
    size_t mapped = mapped_pages() << QUIRE_PAGE_SHIFT;
    if (mapped > known)
        return mapped < unused || mapped - unused + more <= known;
    return is_small_range || is - committed_before + more <= known - mapped;
}

/* The maps of free slots of pages that aren't reserved any more. */
static void give_up_maps(size_t end)
{
    size_t first = heap->maps + (end >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    size_t last = heap->maps + (range_size >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    last = is_hole(&hole_of_maps) ? hole_of_maps.start
                                  : (size_t)quire_align_down(last, QUIRE_PAGE_SIZE);
    first = (size_t)quire_align_up(first, QUIRE_PAGE_SIZE);
    if (last <= first || munmap(range_base + first, last - first))
        return;
    hole_of_maps.end = is_hole(&hole_of_maps) ? hole_of_maps.end : last;
    hole_of_maps.start = first;
}

/* What the range hasn't used yet is mappings', too. Under grow_lock. */
static bool give_up(size_t size)
{
    size_t end = reserved_end();
    size = (size_t)quire_align_up(size, (size_t)1 << QUIRE_SECTION_SHIFT);
    if (end < size || end - size < heap->committed || munmap(range_base + end - size, size))
        return false;
    hole_at_end = (struct hole){end - size, range_size};
    give_up_maps(end - size);
    return true;
}

static bool give_up_for(size_t size)
{
    if (!is_small_range || !heap)
        return false;
    quire_port_spin_lock(&heap->grow_lock);
    bool has = give_up(size);
    quire_port_spin_unlock(&heap->grow_lock);
    return has;
}

/* Of what the limit leaves beside what others have, the range keeps a part. */
static void fit_range(size_t limit)
{
    size_t mapped = mapped_pages() << QUIRE_PAGE_SHIFT, is = heap->committed;
    size_t unused = reserved_end() > is ? reserved_end() - is : 0;
    size_t unused_maps = (unused >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    if (limit >= mapped || mapped < unused + unused_maps)
        return;
    size_t others = mapped - unused - unused_maps, left = limit > others ? limit - others : 0;
    size_t keeps = range_under_limit(left), section = (size_t)1 << QUIRE_SECTION_SHIFT;
    is_small_range = true;
    if (unused > keeps + section)
        (void)give_up(unused - keeps - section);
}

void system_limit(void)
{
    int saved = errno;
    struct rlimit limit;
    quire_port_spin_lock(&heap->grow_lock);
    if (getrlimit(RLIMIT_AS, &limit))
        ;
    else if (limit.rlim_cur == RLIM_INFINITY)
        reserve_all();
    else
        fit_range(limit.rlim_cur);
    quire_port_spin_unlock(&heap->grow_lock);
    errno = saved;
}

/* ---- callbacks of the heap ------------------------------------------------------------------- */

static int commit(void *arg, void *at, size_t size)
{
    int saved = errno;
    (void)arg;
    size_t start = (size_t)((char *)at - range_base), end = start + size;
    if (is_small_range && heap && left_under_limit() == SIZE_MAX) /* lifted behind our back */
        reserve_all();
    int error = !is_within_limit(size) || !fill_for(start, end) ||
                mprotect(at, size, PROT_READ | PROT_WRITE);
    errno = saved;
    return error ? -QUIRE_ENOMEM : 0;
}

static void *map(void *arg, size_t size, size_t align)
{
    int saved = errno;
    (void)arg;
    void *at = map_aligned(size, align, PROT_READ | PROT_WRITE, 0);
    if (!at && give_up_for(size + align))
        at = map_aligned(size, align, PROT_READ | PROT_WRITE, 0);
    errno = saved;
    return at;
}

static void unmap(void *arg, void *at, size_t size)
{
    int saved = errno;
    (void)arg;
    /* When the process has as many mappings as it may the kernel can't split one: at least the
     * memory goes. */
    if (munmap(at, size))
        (void)madvise(at, size, MADV_DONTNEED);
    errno = saved;
}

static void *remap(void *arg, void *at, size_t old_size, size_t new_size, bool may_move)
{
    int saved = errno;
    (void)arg;
    void *moved = mremap(at, old_size, new_size, may_move ? MREMAP_MAYMOVE : 0);
    errno = saved;
    return moved == MAP_FAILED ? NULL : moved;
}

static size_t resident(void *arg, void *at, size_t size)
{
    unsigned char pages[1024];
    int saved = errno;
    size_t bytes = 0;
    (void)arg;
    for (size_t done = 0; done < size; done += sizeof pages << QUIRE_PAGE_SHIFT) {
        size_t left = (size - done) >> QUIRE_PAGE_SHIFT;
        size_t count = left < sizeof pages ? left : sizeof pages;
        if (mincore((char *)at + done, count << QUIRE_PAGE_SHIFT, pages))
            continue;
        for (size_t i = 0; i < count; i++)
            bytes += (size_t)(pages[i] & 1) << QUIRE_PAGE_SHIFT;
    }
    errno = saved;
    return bytes;
}

const struct quire_heap_ops system_ops = {
    .commit = commit,
    .map = map,
    .unmap = unmap,
    .remap = remap,
    .resident = resident,
    .mistake = message_mistake,
    .fence = fence_all,
    .hold_signals = hold_signals,
};

int malloc_discard(void *at, size_t size)
{
    int saved = errno;
    int error = madvise(at, size, MADV_DONTNEED) ? -errno : 0;
    errno = saved;
    return error;
}

/* ---- time and sleep -------------------------------------------------------------------------- */

uint64_t malloc_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* some milliseconds are near enough for decay */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void futex_wait(const uint32_t *word, uint32_t value)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = saved;
}

void futex_wait_for(const uint32_t *word, uint32_t value, uint64_t ns)
{
    int saved = errno;
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time, NULL, 0);
    errno = saved;
}

void futex_wake(const uint32_t *word)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = saved;
}
