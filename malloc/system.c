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
#define RANGE_ALIGN                                                                                \
    ((QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER) > (2ul << 20) ? (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)     \
                                                        : (2ul << 20))

static bool is_small_range; /* it was made so by a limit */

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

/* Twice the memory, so that all of it may be had in small blocks, and swap. Under a limit, what is
 * left of that, in part. */
static size_t wanted_range(void)
{
    struct sysinfo info;
    struct rlimit limit;
    size_t size = LEAST_RANGE, section = (size_t)1 << QUIRE_SECTION_SHIFT;
    size_t memory = sysinfo(&info) ? LEAST_RANGE : (size_t)info.totalram * info.mem_unit;
    while (size < 2 * memory && size < MOST_RANGE)
        size *= 2;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return size;
    size_t mapped = (mapped_pages() << QUIRE_PAGE_SHIFT) + LEFT_FOR_OTHERS;
    size_t left = limit.rlim_cur > mapped ? limit.rlim_cur - mapped : 0;
    is_small_range = left < size;
    left = range_under_limit(left);
    return left < size ? (size_t)quire_align_down(left, section) : size;
}

static size_t half_of(size_t size)
{
    return (size_t)quire_align_down(size / 2, (uint64_t)1 << QUIRE_SECTION_SHIFT);
}

/* Huge pages would take memory that nobody asked for. */
char *system_reserve(size_t *size)
{
    char *range = NULL;
    int saved = errno;
    for (*size = wanted_range(); *size >= LEAST_RANGE; *size = half_of(*size)) {
        range = map_aligned(*size, RANGE_ALIGN, PROT_NONE, MAP_NORESERVE);
        if (range)
            break;
    }
    if (range)
        (void)madvise(range, *size, MADV_NOHUGEPAGE);
    errno = saved;
    return range;
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
    size_t unused = heap_size - heap->committed;
    size_t mapped = mapped_pages() << QUIRE_PAGE_SHIFT;
    if (mapped > known)
        return mapped < unused || mapped - unused + more <= known;
    return is_small_range || heap->committed - committed_before + more <= known - mapped;
}

/* The maps of free slots of pages that aren't in the range any more. */
static void give_up_maps(size_t end, size_t old_end)
{
    size_t first = heap->maps + (end >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    size_t last = heap->maps + (old_end >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    first = (size_t)quire_align_up(first, QUIRE_PAGE_SIZE);
    last = (size_t)quire_align_down(last, QUIRE_PAGE_SIZE);
    if (last > first)
        (void)munmap(heap_base + first, last - first);
}

/* A limit that was there from the beginning left little for mappings beside the range: what the
 * range hasn't used yet is theirs, too. */
static bool give_up_range(size_t size)
{
    if (!is_small_range || !heap)
        return false;
    size_t section = (size_t)1 << QUIRE_SECTION_SHIFT;
    size = (size_t)quire_align_up(size, section);
    quire_port_spin_lock(&heap->grow_lock);
    bool can = heap->size >= heap->committed + size;
    if (can) {
        quire_store_relaxed(&heap->size, heap->size - size);
        quire_store_relaxed(&heap_size, heap->size);
    }
    size_t end = heap->size;
    quire_port_spin_unlock(&heap->grow_lock);
    if (!can)
        return false;
    (void)munmap(heap_base + end, size);
    give_up_maps(end, end + size);
    return true;
}

void system_limit(uint64_t bytes)
{
    size_t mapped = mapped_pages() << QUIRE_PAGE_SHIFT, unused = heap_size - heap->committed;
    size_t unused_maps = (unused >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    if (bytes >= mapped || mapped < unused + unused_maps)
        return;
    size_t others = mapped - unused - unused_maps,
           left = bytes > others ? (size_t)bytes - others : 0;
    size_t keeps = range_under_limit(left), section = (size_t)1 << QUIRE_SECTION_SHIFT;
    is_small_range = true;
    if (unused > keeps + section)
        (void)give_up_range(unused - keeps - section);
}

/* ---- callbacks of the heap ------------------------------------------------------------------- */

static int commit(void *arg, void *at, size_t size)
{
    int saved = errno;
    (void)arg;
    int error = !is_within_limit(size) || mprotect(at, size, PROT_READ | PROT_WRITE);
    errno = saved;
    return error ? -QUIRE_ENOMEM : 0;
}

static void *map(void *arg, size_t size, size_t align)
{
    int saved = errno;
    (void)arg;
    void *at = map_aligned(size, align, PROT_READ | PROT_WRITE, 0);
    if (!at && give_up_range(size + align))
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

const struct quire_heap_ops system_ops = {
    .commit = commit,
    .map = map,
    .unmap = unmap,
    .remap = remap,
    .mistake = message_mistake,
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
