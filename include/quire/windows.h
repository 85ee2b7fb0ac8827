/* quire/windows.h: how a kernel reaches memory that isn't directly mapped
 *
 * On 32-bit machines that is what lies beyond 896 MiB (HighMem), and devices.
 *
 *     quire_direct_map_init    [0, end) once and for all, at a fixed offset
 *     quire_kmap               a page for as long as one likes, for all CPUs; may have to wait
 *     quire_kmap_local_page    a page for this CPU, for a few lines of code; never waits
 *     quire_set_fixmap         devices, at addresses that are known beforehand
 *
 * A page of the direct map needs no window: its address there is what the functions give, and
 * giving it back does nothing. Where everything is directly mapped (64 bits) a configuration
 * without windows will do.
 *
 * Addresses are the table's, not this machine's own pointers: a kernel that runs on the table casts
 * them, who simulates one accesses them through ports/sim. The table's set of CPUs is that of all
 * who use its windows.
 *
 * Every page of a window that is closed has an entry that isn't present and isn't 0: nothing else
 * is mapped there by mistake, and tables stay. So opening one allocates nothing.
 *
 * Source: Linux's mm/highmem.c and include/asm-generic/fixmap.h.
 */
#ifndef QUIRE_WINDOWS_H
#define QUIRE_WINDOWS_H

#include <quire/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `most` on 32-bit machines: 128 MiB of the kernel's GiB are left for windows, as on Linux. */
#define QUIRE_DIRECT_MAP_I386_BYTES 0x38000000u

/* Physical memory [0, end) at [base, base + end). */
struct quire_direct_map {
    quire_linear_t base;
    quire_phys_t end; /* where HighMem begins */
};

/* Maps memory from 0 to `memory_end`, but no more than `most` bytes (0: no limit), at `base`, by
 * the largest pages that fit. All three are multiples of QUIRE_PAGE_SIZE. Errors, locks, context
 * and cost are quire_map_range's; `direct` is set on success. */
QUIRE_MUST_CHECK int quire_direct_map_init(struct quire_direct_map *direct,
                                           struct quire_pgtable *pt, quire_linear_t base,
                                           quire_phys_t memory_end, quire_phys_t most,
                                           uint64_t prot);

/* Where the direct map ends as an address: Linux's high_memory. */
static inline quire_linear_t quire_high_memory(const struct quire_direct_map *direct)
{
    return direct->base + (quire_linear_t)direct->end;
}

static inline bool quire_is_directly_mapped(const struct quire_direct_map *direct,
                                            quire_phys_t phys)
{
    return phys < direct->end;
}

/* Windows of kmap_local that a CPU can have open: code, interrupts and what they call together.
 * Linux's KM_MAX_IDX. */
#define QUIRE_KMAP_LOCAL_SLOTS 16u
#define QUIRE_MAX_PKMAP 4096u

struct quire_windows_config {
    struct quire_pgtable *pt;
    struct quire_direct_map direct;
    /* [pkmap_base, + nr_pkmap pages) is kmap's. 0 pages: there is no kmap beyond the direct map.
     * As many as a table maps (quire_pkmap_pages) cost one table. */
    quire_linear_t pkmap_base;
    unsigned nr_pkmap; /* at most QUIRE_MAX_PKMAP */
    /* Fixmap page i is at fixmap_top - (i + 1) pages: first nr_fixed of devices, below them
     * QUIRE_KMAP_LOCAL_SLOTS a CPU. 0: there is neither. */
    quire_linear_t fixmap_top;
    unsigned nr_fixed;
    unsigned nr_cpus; /* that have kmap_local; 0: those of the quire_mem */
    uint64_t prot;    /* of kmap and kmap_local; 0: written, global, not executed */
};

struct quire_pkmap;
struct quire_kmap_stack;

/* Read only, but by this layer. */
struct quire_windows {
    struct quire_pgtable *pt;
    struct quire_direct_map direct;
    quire_linear_t pkmap_base, fixmap_top;
    unsigned nr_pkmap, nr_fixed, nr_cpus;
    uint64_t prot;
    struct quire_pkmap *pkmap;      /* NULL: none */
    struct quire_kmap_stack *stack; /* by CPU; NULL: no fixmap */
};

/* Pages that one table maps: 1024 on i386, 512 elsewhere (of 4 KiB). */
unsigned quire_pkmap_pages(const struct quire_pgtable *pt);

/* Reserves the areas in the table, all closed. Their addresses are this object's from here on. The
 * root's entries for them are made now and stay: other roots copy them after this. Allocates their
 * tables, and some 16 bytes a page of kmap and a cache line a CPU. May sleep as the table's gfp
 * lets it; without locks. O(pages of the areas). Nobody else changes anything under the same
 * entries of the root meanwhile: what fails gives tables back.
 *   -EINVAL   an area isn't of whole pages, wraps or isn't canonical; a number is out of range; or
 *             prot has bits that the table can't have
 *   -EEXIST   something is mapped there, or the areas overlap
 *   -ENOMEM   nothing stays allocated */
QUIRE_MUST_CHECK int quire_windows_init(struct quire_windows *w,
                                        const struct quire_windows_config *config);
/* Gives the areas and their tables back, whatever is open, and flushes. Nobody uses them any more,
 * nor anything under the same entries of the root (as for unmap without KEEP_TABLES). The number of
 * windows of kmap and kmap_local that were open: mistakes. The direct map stays. */
unsigned long quire_windows_destroy(struct quire_windows *w);
/* Checks every invariant; a broken one is a panic. Nobody uses the windows meanwhile. For tests. */
void quire_windows_check(const struct quire_windows *w);

/* The address of a page until as many quire_kunmap; the same for all who ask meanwhile. A page that
 * was unmapped last keeps its place until places run out: then all that are unused are cleared at
 * once, with one flush. If all are used, it waits if `gfp` has QUIRE_GFP_DIRECT_RECLAIM and the
 * machine has a `wait` callback, which is called until another gives one back: so who holds many at
 * a time may wait for himself.
 *   -EAGAIN   all are used, and it can't wait
 *   -EINVAL   there are none, or entries can't say where the page is
 * Takes the windows' lock, with interrupts off; flushes and waits without it. Not in interrupts,
 * not with locks held. O(1); each flush is O(nr_pkmap), once for as many pages as it freed. */
QUIRE_MUST_CHECK int quire_kmap(struct quire_windows *w, const struct quire_page *page,
                                quire_gfp_t gfp, quire_linear_t *virt);
/* Of a page that isn't mapped: reported as phys reports mistakes (ops->bad_page), and ignored.
 * Takes the windows' lock; from any context but interrupts. O(1). */
void quire_kunmap(struct quire_windows *w, const struct quire_page *page);
/* Where a page is in the direct map or, while someone has it, in kmap's area: Linux's page_address.
 * -ENOENT: nowhere. Takes the windows' lock. O(1). */
QUIRE_MUST_CHECK int quire_kmap_address(struct quire_windows *w, const struct quire_page *page,
                                        quire_linear_t *virt);
/* The page of an address of the direct map or of kmap, NULL for others: Linux's kmap_to_page. Takes
 * the windows' lock. O(1). */
struct quire_page *quire_kmap_to_page(struct quire_windows *w, quire_linear_t virt);
/* How often kmap's area was flushed. */
unsigned long quire_kmap_flushes(const struct quire_windows *w);

/* The address of a page frame for this CPU. A frame that needs a window keeps preemption off until
 * quire_kunmap_local; last in, first out. Also in interrupts, where quire_port_cpu names the CPU
 * there. No locks; never sleeps. O(levels). The frame may have no descriptor.
 *   -ENOSPC   QUIRE_KMAP_LOCAL_SLOTS are open, or this CPU has none
 *   -EINVAL   there is no fixmap, or entries can't say where the frame is */
QUIRE_MUST_CHECK int quire_kmap_local_pfn(struct quire_windows *w, quire_pfn_t pfn,
                                          quire_linear_t *virt);
QUIRE_MUST_CHECK static inline int
quire_kmap_local_page(struct quire_windows *w, const struct quire_page *page, quire_linear_t *virt)
{
    return quire_kmap_local_pfn(w, quire_page_to_pfn(page), virt);
}
/* By any address of the page. Flushes it from this CPU alone, since no other uses its windows. One
 * that isn't this CPU's last is reported as phys reports mistakes, and stays as it is. O(levels).
 */
void quire_kunmap_local(struct quire_windows *w, quire_linear_t virt);

/* Maps page `index` of the fixmap to the page at `phys`, in place of what it mapped; then that is
 * flushed everywhere. The page's owner is the caller: one change at a time. No locks; waits for
 * other CPUs if it flushes. `prot` as in quire_map_range.
 *   -EINVAL   no such page, or `phys` or `prot` is nothing that the table can have */
QUIRE_MUST_CHECK int quire_set_fixmap(struct quire_windows *w, unsigned index, quire_phys_t phys,
                                      uint64_t prot);
/* Nothing is mapped there any more. -EINVAL: no such page. */
QUIRE_MUST_CHECK int quire_clear_fixmap(struct quire_windows *w, unsigned index);

/* The address of page `index`, below nr_fixed. O(1). */
static inline quire_linear_t quire_fix_to_virt(const struct quire_windows *w, unsigned index)
{
    return w->fixmap_top - ((quire_linear_t)index + 1) * QUIRE_PAGE_SIZE;
}
/* Back, by any address of the page. -EINVAL: it isn't the fixmap's. */
QUIRE_MUST_CHECK int quire_virt_to_fix(const struct quire_windows *w, quire_linear_t virt,
                                       unsigned *index);

#ifdef __cplusplus
}
#endif

#endif
