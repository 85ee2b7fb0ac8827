/* map/kvmalloc.c: memory that is contiguous if that is easy, and from vmalloc if it isn't */
#include "map/vmalloc.h"

static bool is_vmalloc_address(const struct quire_vmalloc *vm, const void *ptr)
{
    quire_linear_t address = (uintptr_t)ptr;
    return address >= vm->start && address < vm->end;
}

/* More than a page is tried for without effort: there is another way. */
static quire_gfp_t gfp_of_first_try(size_t size, quire_gfp_t gfp)
{
    if (size <= QUIRE_PAGE_SIZE)
        return gfp;
    gfp = (gfp & ~QUIRE_GFP_NOFAIL) | QUIRE_GFP_NOWARN;
    return gfp & QUIRE_GFP_RETRY_MAYFAIL ? gfp : gfp | QUIRE_GFP_NORETRY;
}

static void *kvmalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp, uintptr_t caller)
{
    const uint64_t last = vm->end - 1; /* addresses may be wider than pointers */
    void *ptr = quire_kmalloc(vm->slab, size, gfp_of_first_try(size, gfp));
    if (ptr || size <= QUIRE_PAGE_SIZE || !(gfp & QUIRE_GFP_DIRECT_RECLAIM) || last > UINTPTR_MAX)
        return ptr;
    return (void *)(uintptr_t)vm_alloc(vm, size, gfp, -1, 0, caller);
}

void *quire_kvmalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp)
{
    return kvmalloc(vm, size, gfp, VM_CALLER);
}

void *quire_kvzalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp)
{
    return kvmalloc(vm, size, gfp | QUIRE_GFP_ZERO, VM_CALLER);
}

void quire_kvfree(struct quire_vmalloc *vm, const void *ptr)
{
    if (is_vmalloc_address(vm, ptr))
        quire_vfree(vm, (uintptr_t)ptr);
    else
        quire_kfree(vm->slab, ptr);
}
