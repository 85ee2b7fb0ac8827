/* malloc/emergency.c: blocks for those who can't get to the heap
 *
 * malloc may not be called in a signal handler that interrupted it, but programs do, and exit,
 * which may be, frees. What such a thread holds can't be waited for; nor can a fork that waits for
 * what the caller holds (gate.c). So their blocks come from an area of their own, one behind the
 * other. When the last of them is freed it begins anew.
 *
 *   invariant   `state` has the number of blocks in its upper half, and where the next one goes, in
 *               units of MIN_ALIGN, in its lower
 *   bound       AREA_BYTES; without locks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "malloc/family.h"

#define AREA_BYTES (64ul << 20)
#define ONE_BLOCK ((uint64_t)1 << 32)

static char *area; /* NULL: not yet needed */
static uint64_t state;

static char *get_area(void)
{
    char *none = NULL, *is = quire_load_acquire(&area);
    if (is)
        return is;
    void *made = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (quire_compare_exchange(&area, &none, made))
        return made;
    (void)munmap(made, AREA_BYTES);
    return none;
}

/* Where so many units begin; false: there are no more. */
static bool take_units(uint64_t units, uint64_t *at)
{
    uint64_t was = quire_load_relaxed(&state);
    do {
        *at = (uint32_t)was;
        if (*at + units > AREA_BYTES / MIN_ALIGN)
            return false;
    } while (!quire_compare_exchange(&state, &was, was + ONE_BLOCK + units));
    return true;
}

/* The size lies before the block. */
void *emergency_allocate(size_t size, size_t align)
{
    char *from = get_area();
    uint64_t at;
    align = align < MIN_ALIGN ? MIN_ALIGN : align;
    if (!from || size > AREA_BYTES / 2 || align > AREA_BYTES / 4 ||
        !take_units(quire_align_up(size + align + MIN_ALIGN, MIN_ALIGN) / MIN_ALIGN, &at)) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t start = (uintptr_t)from + (uintptr_t)at * MIN_ALIGN + MIN_ALIGN;
    char *block = (char *)(uintptr_t)quire_align_up(start, align);
    *(size_t *)(void *)(block - sizeof(size_t)) = size;
    return memset(block, 0, size);
}

bool emergency_owns(const void *ptr)
{
    const char *from = quire_load_acquire(&area);
    return from && (uintptr_t)ptr - (uintptr_t)from < AREA_BYTES;
}

size_t emergency_size(const void *ptr)
{
    return ((const size_t *)ptr)[-1];
}

void emergency_release(void)
{
    uint64_t was = quire_load_relaxed(&state), is;
    do {
        if (was < ONE_BLOCK)
            return;
        is = was - ONE_BLOCK < ONE_BLOCK ? 0 : was - ONE_BLOCK;
    } while (!quire_compare_exchange(&state, &was, is));
}
