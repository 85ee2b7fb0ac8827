/* map/vmalloc.c: memory that is contiguous in addresses only
 *
 * Addresses first, then pages and their entries, some at a time, so that nothing grows with the
 * size but the range itself. A huge page is tried for wherever one fits, and split into order-0
 * blocks once it is mapped, so that each page can be used as any other; where there is none, small
 * ones go as far as the next place for one.
 */
#include "map/vmalloc.h"

#include "base/text.h"

#define CHUNK_PAGES 64u /* taken from phys and mapped at a time */

/* ---- pages ----------------------------------------------------------------------------------- */

struct filling {
    struct quire_vmalloc *vm;
    struct area *area;
    quire_gfp_t gfp;
    int node;
    quire_linear_t at, end;
    quire_linear_t small_until; /* no huge page was to be had before this */
    uint64_t huge_bytes;        /* 0: none wanted */
};

static void chain(struct area *area, struct quire_page *page)
{
    quire_tell_event(OWNER, page->pfn, 0, EVENT_OWNER_VMALLOC);
    page->owner.pointer[0] = area->pages;
    area->pages = page;
}

static struct quire_page *alloc_huge(const struct filling *f, unsigned order)
{
    quire_gfp_t gfp = f->gfp | QUIRE_GFP_NOWARN | QUIRE_GFP_NORETRY;
    gfp &= ~QUIRE_GFP_RETRY_MAYFAIL;
    return f->node < 0 ? quire_alloc_pages(f->vm->mem, gfp, order)
                       : quire_alloc_pages_node(f->vm->mem, f->node, gfp, order);
}

/* 1: there; 0: small pages are to serve; or -ENOMEM. */
static int fill_huge(struct filling *f)
{
    unsigned long pages = (unsigned long)(f->huge_bytes >> QUIRE_PAGE_SHIFT);
    unsigned order = quire_order_of_pages(pages);
    struct quire_page *block = alloc_huge(f, order);
    if (!block)
        return 0;
    int error =
        quire_map_range(f->vm->pt, f->at, quire_page_to_phys(block), f->huge_bytes, f->vm->prot, 0);
    if (error) {
        quire_free_pages(f->vm->mem, block, order);
        return error == -QUIRE_EINVAL ? 0 : error; /* entries can't say where it is */
    }
    quire_split_page(f->vm->mem, block, order);
    for (unsigned long i = pages; i--;)
        chain(f->area, &block[i]);
    f->at += f->huge_bytes;
    return 1;
}

static int fill_chunk(struct filling *f, quire_linear_t end)
{
    struct quire_page *pages[CHUNK_PAGES];
    uint64_t left = (end - f->at) >> QUIRE_PAGE_SHIFT;
    unsigned long count = left < CHUNK_PAGES ? (unsigned long)left : CHUNK_PAGES;
    for (unsigned long i = 0; i < count; i++)
        pages[i] = NULL;
    unsigned long got = quire_alloc_pages_bulk(f->vm->mem, f->node, f->gfp, count, pages);
    int error =
        got < count ? -QUIRE_ENOMEM : quire_map_pages(f->vm->pt, f->at, pages, count, f->vm->prot);
    if (error) {
        quire_free_pages_bulk(f->vm->mem, got, pages);
        return error;
    }
    for (unsigned long i = count; i--;)
        chain(f->area, pages[i]);
    f->at += (uint64_t)count << QUIRE_PAGE_SHIFT;
    return 0;
}

/* 0, or what it could get is chained and mapped. */
static int fill(struct filling *f)
{
    int error = 0;
    while (!error && f->at < f->end) {
        bool huge = f->huge_bytes && f->at >= f->small_until && f->end - f->at >= f->huge_bytes;
        int done = huge ? fill_huge(f) : 0;
        if (huge && !done)
            f->small_until = f->at + f->huge_bytes;
        if (done < 0)
            error = done;
        else if (!done)
            error = fill_chunk(f, f->at < f->small_until ? f->small_until : f->end);
    }
    return error;
}

/* ---- vmalloc --------------------------------------------------------------------------------- */

/* Bytes of a huge page that phys can give and the tables can map; 0: none. */
static uint64_t huge_bytes(const struct quire_vmalloc *vm)
{
    const struct quire_pgtable *pt = vm->pt;
    if (pt->height < 2 || !pt->step[1].may_be_leaf)
        return 0;
    uint64_t bytes = step_bytes(pt, 1);
    return bytes >> QUIRE_PAGE_SHIFT <= 1ul << QUIRE_MAX_ORDER ? bytes : 0;
}

static quire_gfp_t gfp_of_pages(quire_gfp_t gfp)
{
    gfp &= ~(QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE | QUIRE_GFP_COMP);
    return gfp & (QUIRE_GFP_DMA | QUIRE_GFP_DMA32) ? gfp : gfp | QUIRE_GFP_HIGHMEM;
}

static QUIRE_NOINLINE quire_linear_t complain(quire_gfp_t gfp, uint64_t size, const char *what)
{
    if (!(gfp & QUIRE_GFP_NOWARN))
        quire_log(QUIRE_LOG_WARNING, "quire: vmalloc of %llu bytes: no %s",
                  (unsigned long long)size, what);
    return 0;
}

/* Whole pages, no more than an unsigned long counts; 0: nonsense, or more than there can be. */
static uint64_t whole_pages(const struct quire_vmalloc *vm, uint64_t size)
{
    if (size > vm->end - vm->start || size >> QUIRE_PAGE_SHIFT >= ~0ul >> 1)
        return 0;
    return quire_align_up(size, QUIRE_PAGE_SIZE);
}

/* Aligned for huge pages if they may come; where addresses are too few for that, without. */
static struct area *area_for(struct filling *f, uint64_t size, uintptr_t caller)
{
    struct area *area = NULL;
    if (f->huge_bytes)
        area = area_create(f->vm, size, f->huge_bytes, f->gfp, AREA_VMALLOC, caller);
    if (!area) {
        f->huge_bytes = 0;
        area = area_create(f->vm, size, QUIRE_PAGE_SIZE, f->gfp, AREA_VMALLOC, caller);
    }
    return area;
}

quire_linear_t vm_alloc(struct quire_vmalloc *vm, uint64_t size, quire_gfp_t gfp, int node,
                        unsigned flags, uintptr_t caller)
{
    struct filling f = {.vm = vm, .gfp = gfp_of_pages(gfp), .node = node};
    if (!size || gfp & (~(quire_gfp_t)QUIRE_GFP_MASK | QUIRE_GFP_NOFAIL) ||
        flags & ~QUIRE_VMALLOC_HUGE || node < -1 || node >= (int)quire_mem_nr_nodes(vm->mem))
        return 0;
    uint64_t bytes = whole_pages(vm, size);
    if (flags & QUIRE_VMALLOC_HUGE && bytes >= huge_bytes(vm))
        f.huge_bytes = huge_bytes(vm);
    f.area = bytes ? area_for(&f, bytes, caller) : NULL;
    if (!f.area)
        return complain(gfp, size, "addresses");
    f.at = f.area->node.start;
    f.end = f.at + bytes;
    if (fill(&f)) {
        area_undo(vm, f.area);
        return complain(gfp, size, "memory");
    }
    return area_publish(vm, f.area);
}

quire_linear_t quire_vmalloc(struct quire_vmalloc *vm, uint64_t size, quire_gfp_t gfp)
{
    return vm_alloc(vm, size, gfp, -1, 0, VM_CALLER);
}

quire_linear_t quire_vzalloc(struct quire_vmalloc *vm, uint64_t size, quire_gfp_t gfp)
{
    return vm_alloc(vm, size, gfp | QUIRE_GFP_ZERO, -1, 0, VM_CALLER);
}

quire_linear_t quire_vmalloc_node(struct quire_vmalloc *vm, uint64_t size, quire_gfp_t gfp,
                                  int node, unsigned flags)
{
    return vm_alloc(vm, size, gfp, node, flags, VM_CALLER);
}

void quire_vfree(struct quire_vmalloc *vm, quire_linear_t address)
{
    if (address)
        area_leave(vm, address, AREA_VMALLOC);
}

/* ---- vmap ------------------------------------------------------------------------------------ */

quire_linear_t quire_vmap(struct quire_vmalloc *vm, struct quire_page *const *pages,
                          unsigned long count, uint64_t prot)
{
    prot = prot ? prot : vm->prot;
    if (!count || !prot_is_valid(vm->pt, prot) || count > (vm->end - vm->start) >> QUIRE_PAGE_SHIFT)
        return 0;
    struct area *area = area_create(vm, (uint64_t)count << QUIRE_PAGE_SHIFT, QUIRE_PAGE_SIZE,
                                    vm->pt->gfp, AREA_VMAP, VM_CALLER);
    if (!area)
        return 0;
    if (quire_map_pages(vm->pt, area->node.start, pages, count, prot)) {
        area_undo(vm, area);
        return 0;
    }
    return area_publish(vm, area);
}

void quire_vunmap(struct quire_vmalloc *vm, quire_linear_t address)
{
    if (address)
        area_leave(vm, address, AREA_VMAP);
}

/* ---- looking --------------------------------------------------------------------------------- */

struct quire_page *quire_vmalloc_to_page(const struct quire_vmalloc *vm, quire_linear_t address)
{
    struct quire_pt_query query;
    if (address < vm->start || address >= vm->end || quire_query(vm->pt, address, &query))
        return NULL;
    quire_pfn_t pfn = quire_phys_to_pfn(query.phys);
    return quire_pfn_valid(vm->mem, pfn) ? quire_pfn_to_page(vm->mem, pfn) : NULL;
}
