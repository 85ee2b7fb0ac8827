/* bench/vm/machine.c: an address space to measure */
#include "bench.h"

struct quire_vm *vm;
struct quire_mm *mm;
static struct quire_slab *slab;

void check(int error)
{
    if (error)
        fail("an operation on an address space failed");
}

void space_create(struct quire_mem *mem)
{
    check(quire_slab_init(&slab, mem, NULL));
    struct quire_vm_config config = {
        .mem = mem, .slab = slab, .format = QUIRE_PT_FORMAT_X86_64, .flush = bench_flush_nothing};
    check(quire_vm_init(&vm, &config));
    check(quire_mm_create(&mm, vm, &quire_mm_layout_x86_64));
    quire_pgtable_cpu_enter(quire_mm_pgtable(mm), 0);
}

void space_destroy(void)
{
    quire_pgtable_cpu_leave(quire_mm_pgtable(mm), 0);
    quire_mm_put(mm);
    check(quire_vm_destroy(vm));
    check(quire_slab_destroy(slab) != 0);
}

quire_linear_t map_anon(unsigned long pages)
{
    int64_t at = quire_mmap(mm, 0, pages * PAGE, RW, ANON, NULL, 0);
    check(at < 0);
    return (quire_linear_t)at;
}

/* Each below the one before, as mmap places them. */
quire_linear_t map_areas(unsigned long areas, unsigned long pages)
{
    int64_t at = 0;
    for (unsigned long i = 0; i < areas; i++) {
        at = quire_mmap(mm, 0, pages * PAGE, i & 1 ? RW | QUIRE_PROT_EXEC : RW, ANON, NULL, 0);
        check(at < 0);
    }
    return (quire_linear_t)at;
}

void touch(struct quire_mm *space, quire_linear_t at, struct quire_fault_cache *cache)
{
    const unsigned flags = QUIRE_FAULT_FLAG_USER | QUIRE_FAULT_FLAG_WRITE;
    check(quire_handle_fault(space, at, flags, cache) > QUIRE_VM_MAJOR);
}
