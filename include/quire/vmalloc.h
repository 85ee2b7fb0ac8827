/* quire/vmalloc.h: memory that is contiguous in addresses only
 *
 * A `struct quire_vmalloc` hands out addresses of one range of a kernel's page tables, with pages
 * from anywhere, HighMem first; an unmapped guard page follows each piece. What is given back is
 * unmapped at once, but TLBs may still lead to it: addresses and pages stay out of use until one
 * flush serves for many pieces (a "purge"), which comes when there are enough of them, when
 * addresses run out, when the machine is short of memory, or when asked for.
 *
 * Addresses are of the machine whose tables these are: who runs on it makes pointers of them. 0 is
 * never one; it says: failed, and nothing changed but that tables which were made stay, empty. They
 * stay as long as the page tables do, for the kernel's part of them is shared.
 *
 * Contexts. What allocates, maps and frees may be called by any number of CPUs at once, but not in
 * interrupt handlers nor with interrupts off: it may flush. It sleeps only if `gfp`, or that of the
 * tables, holds QUIRE_GFP_DIRECT_RECLAIM. One spinlock guards the tree of ranges, for O(log n) at a
 * time with n of them; tables are changed without it.
 *
 * Linux: mm/vmalloc.c; names are its.
 */
#ifndef QUIRE_VMALLOC_H
#define QUIRE_VMALLOC_H

#include <quire/pgtable.h>
#include <quire/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_vmalloc;

struct quire_vmalloc_config {
    struct quire_mem *mem;
    struct quire_slab *slab;   /* of `mem`: for what describes ranges, and kvmalloc */
    struct quire_pgtable *pt;  /* the kernel's; nobody else maps anything in the range */
    quire_linear_t start, end; /* of whole pages, `end` exclusive; not from 0 on */
    unsigned long lazy_pages;  /* given back, guards included, that a purge is for; 0: 32 MiB for
                                * each bit of the number of CPUs, as Linux, but at most 1/32 of
                                * managed memory */
    uint64_t prot;             /* of QUIRE_PT_PROT; 0: writable, accessed, dirty, and global and
                                * no-execute where the tables have them */
};

/* No ranges yet; registers a shrinker. -EINVAL: mem, slab or pt is missing, or the range or `prot`
 * isn't one of these tables; -ENOMEM. */
QUIRE_MUST_CHECK int quire_vmalloc_init(struct quire_vmalloc **vm,
                                        const struct quire_vmalloc_config *config);
/* The end: frees every piece, and flushes. Nobody uses it any more. Returns the number of pieces
 * that nobody had given back. O(pages). */
unsigned long quire_vmalloc_destroy(struct quire_vmalloc *vm);

/* `size` bytes, rounded up to pages, at a page's beginning. `gfp` is for the pages (ZERO clears
 * them; with DMA or DMA32 they aren't taken from HighMem; MOVABLE, RECLAIMABLE and COMP are
 * ignored). 0: size 0, nonsense in gfp, NOFAIL; no addresses, pages or memory for tables, with a
 * line in the log unless NOWARN. The pages are order-0 blocks with one reference, whose
 * owner.pointer[0] is this layer's. O(pages + log ranges). */
QUIRE_MUST_CHECK quire_linear_t quire_vmalloc(struct quire_vmalloc *vm, uint64_t size,
                                              quire_gfp_t gfp);
QUIRE_MUST_CHECK quire_linear_t quire_vzalloc(struct quire_vmalloc *vm, uint64_t size,
                                              quire_gfp_t gfp);

/* From the size of a huge page on: by huge pages as far as memory allows, and small ones for the
 * rest. Linux: VM_ALLOW_HUGE_VMAP. */
#define QUIRE_VMALLOC_HUGE 0x1u

/* The same with pages of `node` or near it (-1: the CPU's), and flags. 0 also for no such node or
 * flag. Linux: vmalloc_node, vmalloc_huge. */
QUIRE_MUST_CHECK quire_linear_t quire_vmalloc_node(struct quire_vmalloc *vm, uint64_t size,
                                                   quire_gfp_t gfp, int node, unsigned flags);

/* Gives back what any of these gave; 0 is ignored. What isn't such an address is reported as a
 * mistake. O(pages + log ranges); a purge is O(its pages + its ranges * log ranges). */
void quire_vfree(struct quire_vmalloc *vm, quire_linear_t address);

/* Maps `count` pages in a row, with `prot` (0: the configuration's). The pages, and the references
 * to them, stay the caller's. 0: count 0, no such prot, no addresses, no memory for tables. */
QUIRE_MUST_CHECK quire_linear_t quire_vmap(struct quire_vmalloc *vm,
                                           struct quire_page *const *pages, unsigned long count,
                                           uint64_t prot);
/* Undoes vmap; 0 is ignored, mistakes as for vfree. TLBs may lead to the pages until a purge: who
 * minds calls quire_vm_unmap_aliases before he frees them. */
void quire_vunmap(struct quire_vmalloc *vm, quire_linear_t address);

/* Purges: flushes, and frees what was waiting for that. Pages freed. When it returns no TLB leads
 * to anything that was given back before the call, also where another CPU's purge has it. */
unsigned long quire_vm_unmap_aliases(struct quire_vmalloc *vm);

/* The page that is mapped at an address of the range; NULL: none. O(levels), without locks, in any
 * context. */
struct quire_page *quire_vmalloc_to_page(const struct quire_vmalloc *vm, quire_linear_t address);

/* For kernels whose pointers these addresses are, beside the direct map's: kmalloc, silently, and
 * if that fails and `size` is more than a page, vmalloc, if gfp lets it sleep. NULL: neither, or
 * size 0 gives QUIRE_ZERO_SIZE_PTR as kmalloc does. A range whose addresses are more than a pointer
 * holds is never used. */
QUIRE_MUST_CHECK void *quire_kvmalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp);
QUIRE_MUST_CHECK void *quire_kvzalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp);
/* Frees what kvmalloc or kmalloc gave; NULL is ignored. */
void quire_kvfree(struct quire_vmalloc *vm, const void *ptr);

/* Exact while nobody allocates or frees. O(1). */
struct quire_vmalloc_info {
    unsigned long nr_ranges;     /* in use */
    unsigned long nr_pages;      /* of vmalloc, in use */
    unsigned long nr_lazy;       /* ranges that wait for a purge */
    unsigned long nr_lazy_pages; /* of addresses: guards included */
    unsigned long nr_purges;     /* so far */
};
void quire_vmalloc_info(struct quire_vmalloc *vm, struct quire_vmalloc_info *info);

/* All ranges by address: as /proc/vmallocinfo (with addresses of callers as numbers), or as JSON,
 * where addresses are strings in hexadecimal. `write` is called without locks, and each range is
 * told as it was then. -EINVAL: no such format. O(pages + ranges * log ranges). */
int quire_vmallocinfo(struct quire_vmalloc *vm, enum quire_format format, quire_write_fn *write,
                      void *arg);

/* Checks every invariant while nobody allocates or frees; a broken one is a panic. O(ranges). For
 * tests. */
void quire_vmalloc_check(struct quire_vmalloc *vm);

#ifdef __cplusplus
}
#endif

#endif
