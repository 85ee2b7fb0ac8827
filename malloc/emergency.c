/* malloc/emergency.c: blocks for those who can't get to the heap
 *
 * malloc may not be called in a signal handler that interrupted it, but programs do, and exit,
 * which may be, frees. What such a thread holds can't be waited for; nor can a fork that waits for
 * what the caller holds (gate.c). So their blocks come from an area of their own, in chunks: in
 * each they lie one behind the other, and when the last of them is freed it begins anew, and its
 * memory goes back. Larger blocks, and all when the area is full, are mappings of their own.
 *
 *   invariant   a chunk's state has the number of its blocks in the upper half, and where the next
 *               one goes, in units of MIN_ALIGN, in the lower; before each block lies the inverse
 *               of its size, 0 once it is free
 *   bound       AREA_BYTES that a chunk's last block each may hold, and MAPPINGS; without locks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "malloc/family.h"

#define CHUNK_BYTES (1ul << 20)
#define CHUNKS 64u
#define AREA_BYTES (CHUNKS * CHUNK_BYTES)
#define MOST_IN_CHUNK (64ul << 10)
#define CHUNK_UNITS (CHUNK_BYTES / MIN_ALIGN)
#define FEW_UNITS (4 * QUIRE_PAGE_SIZE / MIN_ALIGN) /* stay */
#define ONE_BLOCK ((uint64_t)1 << 32)
#define MAPPINGS 1024u

/* Before a block, its size last. */
struct head {
    size_t mapped; /* bytes of its mapping, and where that begins, if it has one */
    char *at;
    size_t unused, inverse;
};

static char *area; /* NULL: not yet needed */
static uint64_t states[CHUNKS];
static uint32_t current; /* the chunk that was used last */
static const void *mappings[MAPPINGS];
static uint32_t nr_mappings;

static struct head *head_of(const void *ptr)
{
    return (struct head *)(uintptr_t)ptr - 1;
}

static char *get_area(void)
{
    char *none = NULL, *is = quire_load_acquire(&area);
    if (is)
        return is;
    void *made = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    (void)madvise(made, AREA_BYTES, MADV_NOHUGEPAGE);
    if (quire_compare_exchange(&area, &none, made))
        return made;
    (void)munmap(made, AREA_BYTES);
    return none;
}

/* ---- in chunks ------------------------------------------------------------------------------- */

/* Where so many units begin; false: there are no more. */
static bool take_units(uint64_t *state, uint64_t units, uint64_t *at)
{
    uint64_t was = quire_load_relaxed(state);
    do {
        *at = (uint32_t)was;
        if (*at + units > CHUNK_UNITS)
            return false;
    } while (!quire_compare_exchange(state, &was, was + ONE_BLOCK + units));
    return true;
}

static void *allocate_in_chunk(size_t size, size_t align)
{
    char *from = get_area();
    uint32_t first = quire_load_relaxed(&current), chunk = first;
    uint64_t at, units = quire_align_up(size + align + sizeof(struct head), MIN_ALIGN) / MIN_ALIGN;
    if (!from)
        return NULL;
    while (!take_units(&states[chunk], units, &at)) {
        chunk = (chunk + 1) % CHUNKS;
        if (chunk == first)
            return NULL;
    }
    quire_store_relaxed(&current, chunk);
    uintptr_t start = (uintptr_t)from + chunk * CHUNK_BYTES + (uintptr_t)at * MIN_ALIGN;
    void *block = (void *)(uintptr_t)quire_align_up(start + sizeof(struct head), align);
    head_of(block)->inverse = ~size;
    return memset(block, 0, size);
}

/* While its memory goes back a chunk is full, so nobody takes of it. */
static void release_in_chunk(const char *ptr)
{
    size_t chunk = (size_t)(ptr - area) / CHUNK_BYTES;
    uint64_t *state = &states[chunk], was = quire_load_relaxed(state), is;
    bool is_last;
    do {
        is_last = was >> 32 == 1;
        is = is_last ? CHUNK_UNITS : was - ONE_BLOCK;
    } while (!quire_compare_exchange(state, &was, is));
    if (!is_last)
        return;
    if ((uint32_t)was > FEW_UNITS)
        (void)madvise(area + chunk * CHUNK_BYTES, CHUNK_BYTES, MADV_DONTNEED);
    quire_store_release(state, 0);
}

/* ---- as mappings ----------------------------------------------------------------------------- */

static bool replace_mapping(const void *old, const void *with)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        const void *is = old;
        if (quire_load_relaxed(&mappings[i]) == old &&
            quire_compare_exchange(&mappings[i], &is, with))
            return true;
    }
    return false;
}

static void *allocate_mapping(size_t size, size_t align)
{
    if (size > PTRDIFF_MAX - QUIRE_PAGE_SIZE - align - sizeof(struct head))
        return NULL;
    size_t bytes = (size_t)quire_align_up(size + align + sizeof(struct head), QUIRE_PAGE_SIZE);
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    void *block = (void *)(uintptr_t)quire_align_up((uintptr_t)at + sizeof(struct head), align);
    *head_of(block) = (struct head){.mapped = bytes, .at = at, .inverse = ~size};
    (void)quire_fetch_add(&nr_mappings, 1);
    if (replace_mapping(NULL, block))
        return block;
    (void)quire_fetch_add(&nr_mappings, 0u - 1);
    (void)munmap(at, bytes);
    return NULL;
}

static bool is_mapping(const void *ptr)
{
    if (quire_likely(!quire_load_relaxed(&nr_mappings)))
        return false;
    for (unsigned i = 0; i < MAPPINGS; i++)
        if (quire_load_relaxed(&mappings[i]) == ptr)
            return true;
    return false;
}

static void release_mapping(void *ptr)
{
    struct head *head = head_of(ptr);
    if (!replace_mapping(ptr, NULL))
        return;
    (void)quire_fetch_add(&nr_mappings, 0u - 1);
    (void)munmap(head->at, head->mapped);
}

/* ---- either ---------------------------------------------------------------------------------- */

void *emergency_allocate(size_t size, size_t align)
{
    int saved = errno;
    align = align < MIN_ALIGN ? MIN_ALIGN : align;
    void *block =
        size <= MOST_IN_CHUNK && align <= MOST_IN_CHUNK ? allocate_in_chunk(size, align) : NULL;
    if (!block)
        block = allocate_mapping(size, align);
    errno = block ? saved : ENOMEM;
    return block;
}

static bool is_in_area(const void *ptr)
{
    const char *from = quire_load_acquire(&area);
    return from && (uintptr_t)ptr - (uintptr_t)from < AREA_BYTES;
}

bool emergency_owns(const void *ptr)
{
    return ptr && (is_in_area(ptr) || is_mapping(ptr));
}

size_t emergency_size(const void *ptr)
{
    return ~head_of(ptr)->inverse;
}

void emergency_release(void *ptr)
{
    int saved = errno;
    if (!is_in_area(ptr))
        release_mapping(ptr);
    else if (__atomic_exchange_n(&head_of(ptr)->inverse, 0, __ATOMIC_ACQ_REL))
        release_in_chunk(ptr);
    else
        message_mistake(NULL, ptr, "double free");
    errno = saved;
}
