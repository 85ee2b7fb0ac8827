/* malloc/emergency.c: calls of signal handlers that interrupted a slow path
 *
 * malloc may not be called there, but programs do, and exit, which may be, frees. What such a
 * thread holds can't be waited for. So a handler's blocks come from an area of their own, one after
 * the other, and never go back; what it frees that isn't from there is lost.
 *
 *   bound   AREA_BYTES for the life of the process; without locks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "malloc/family.h"

#define AREA_BYTES (64ul << 20)

static char *area; /* NULL: not yet needed */
static size_t used;

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

/* The size lies before the block. */
void *emergency_allocate(size_t size, size_t align)
{
    char *from = get_area();
    size_t at = AREA_BYTES;
    align = align < MIN_ALIGN ? MIN_ALIGN : align;
    if (from && size < AREA_BYTES / 2 && align < AREA_BYTES / 4) {
        size_t bytes = (size_t)quire_align_up(size + align + MIN_ALIGN, MIN_ALIGN);
        at = quire_fetch_add(&used, bytes);
        if (at > AREA_BYTES - bytes) {
            (void)quire_fetch_add(&used, 0 - bytes);
            at = AREA_BYTES;
        }
    }
    if (at == AREA_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = (char *)(uintptr_t)quire_align_up((uintptr_t)from + at + MIN_ALIGN, align);
    *(size_t *)(void *)(block - sizeof(size_t)) = size;
    return block;
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
