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

#define LEAST_RANGE (64ul << 20)
#define MOST_RANGE (1ul << 40)
#define RANGE_ALIGN                                                                                \
    ((QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER) > (2ul << 20) ? (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)     \
                                                        : (2ul << 20))

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

/* Twice the memory, so that all of it may be had in small blocks, and swap. */
static size_t wanted_range(void)
{
    struct sysinfo info;
    struct rlimit limit;
    size_t size = LEAST_RANGE;
    size_t memory = sysinfo(&info) ? LEAST_RANGE : (size_t)info.totalram * info.mem_unit;
    while (size < 2 * memory && size < MOST_RANGE)
        size *= 2;
    while (!getrlimit(RLIMIT_AS, &limit) && size > limit.rlim_cur / 2 && size > LEAST_RANGE)
        size /= 2;
    return size;
}

/* Huge pages would take memory that nobody asked for. */
char *system_reserve(size_t *size)
{
    char *range = NULL;
    int saved = errno;
    for (*size = wanted_range(); *size >= LEAST_RANGE; *size /= 2) {
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

/* Pages of addresses that the process has, by /proc/self/statm; 0: unknown. */
static size_t mapped_pages(void)
{
    char text[64];
    size_t pages = 0;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text);
    (void)close(file);
    for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        pages = 10 * pages + (size_t)(text[i] - '0');
    return pages;
}

/* The range counts as addresses from the beginning, so the system doesn't see it grow: who set
 * RLIMIT_AS is obeyed as if only what the heap uses of it did. */
static bool is_within_limit(size_t more)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || !heap)
        return true;
    size_t unused = heap_size - heap->committed;
    size_t mapped = mapped_pages() << QUIRE_PAGE_SHIFT;
    return mapped < unused || mapped - unused + more <= limit.rlim_cur;
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
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void futex_wait(const uint32_t *word, uint32_t value)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = saved;
}

void futex_wake(const uint32_t *word)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = saved;
}
