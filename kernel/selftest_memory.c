/* kernel/selftest_memory.c: zeroed memory for one simulated machine after the other
 *
 * A simulated machine's memory is a piece of this one's, from its own allocator: contiguous frames,
 * seen at another offset of the direct map. A heap's machine has half a GiB, of which a case writes
 * a few MiB: to clear all of it each time took an emulated processor most of the tests' time. So a
 * piece is kept until a larger one is wanted, and the D bits of the direct map's entries say what
 * was written since it was zero.
 *
 *   invariant   a page of the direct map whose D bit is clear has zeros in that part of it which is
 *               of the piece: while it is kept nobody else knows these frames, so nothing writes
 *               them at another address, and no device does
 *   bound       O(pages of the direct map in the piece), and what is cleared
 *
 * The bits are cleared behind the tables' back, as nobody else wants them: the library refuses that
 * of entries of the root, which i386 without PAE has here.
 */
#include "selftest_memory.h"

#include <quire/pgtable.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "kernel.h"
#include "memory.h"
#include "paging.h"

static struct quire_page *piece;
static unsigned long piece_pages;

void selftest_memory_give_back(void)
{
    if (piece_pages)
        quire_free_contig_range(machine_mem, quire_page_to_pfn(piece), piece_pages);
    piece_pages = 0;
}

static char *begin_of_piece(void)
{
    return quire_page_address(machine_mem, piece);
}

static char *end_of_piece(void)
{
    return begin_of_piece() + (piece_pages << QUIRE_PAGE_SHIFT);
}

/* Where the page of the direct map ends that has this address, and the byte of its entry that has
 * the D bit. Of a huge page it is a part, without that bit: it may have been written always. */
static char *mapped_until(char *at, uint8_t **flags)
{
    struct quire_pt_query query;
    uintptr_t size = (uintptr_t)1 << LARGE_PAGE_SHIFT;
    if (quire_query(&machine_tables, (uintptr_t)at, &query))
        panic("the selftest's memory isn't mapped at %p", (void *)at);
    bool is_huge = paging_is_wide && query.level > QUIRE_PMD;
    if (query.level == QUIRE_PT)
        size = QUIRE_PAGE_SIZE;
    *flags = is_huge ? NULL : quire_port_phys_to_virt(&machine_port, query.where);
    return at + (size - ((uintptr_t)at & (size - 1)));
}

static bool is_written(const uint8_t *flags)
{
    return !flags || quire_load_relaxed(flags) & QUIRE_PTE_DIRTY;
}

/* All pages of the direct map that the piece's first `size` bytes lie in, as far as they are the
 * piece's. */
static void clear_what_was_written(uint64_t size, bool all)
{
    char *at = begin_of_piece(), *end = at + size, *next;
    for (; at < end; at = next) {
        uint8_t *flags;
        next = mapped_until(at, &flags);
        if (next > end_of_piece())
            next = end_of_piece();
        if (!all && !is_written(flags))
            continue;
        memset(at, 0, (size_t)(next - at));
        if (flags)
            quire_fetch_and(flags, (uint8_t)~QUIRE_PTE_DIRTY);
    }
    /* What is in the TLB as written isn't marked again. */
    quire_port_tlb_flush_all(&machine_port, NULL);
}

static bool take(unsigned long pages)
{
    selftest_memory_give_back();
    piece =
        quire_alloc_contig_pages(machine_mem, pages, 1, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, -1);
    piece_pages = piece ? pages : 0;
    return piece;
}

/* Taken and given back as CPU 0, the only one that the real machine knows. */
bool selftest_memory(uint64_t size, struct quire_port_mem *pm)
{
    unsigned cpu = quire_x86_cpu;
    uint64_t pages = quire_align_up(size, QUIRE_PAGE_SIZE) >> QUIRE_PAGE_SHIFT;
    bool is_new = pages > piece_pages;
    if (!pages || pages > quire_nr_managed_pages(machine_mem))
        return false;
    quire_x86_cpu = 0;
    bool taken = !is_new || take((unsigned long)pages);
    if (taken)
        clear_what_was_written(size, is_new);
    quire_x86_cpu = cpu;
    if (!taken)
        return false;
    pm->base = begin_of_piece();
    pm->direct_end = size;
    pm->machine = false;
    return true;
}
