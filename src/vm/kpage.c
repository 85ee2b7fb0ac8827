/* vm/kpage.c: what frames are, for who looks from outside (man 5 proc: kpageflags, kpagecount)
 *
 * Frames of this layer's users are told from others by their mover, which free ones and those of
 * objects and tables don't have. Nothing is locked: what is told was so a moment ago.
 */
#include "phys/page.h"
#include "vm/ksm.h"
#include "vm/lru.h"
#include "vm/madvise.h"

#define KPF(name) (UINT64_C(1) << QUIRE_KPF_##name)

static bool is_users(const struct quire_vm *vm, const struct quire_page *page)
{
    uint32_t flags = page_flags(page);
    return flags & PAGE_ALLOCATED && flags_mover(flags) == (unsigned)vm->mover;
}

static uint64_t flags_of_user(const struct quire_page *page)
{
    static const struct {
        uint32_t ours;
        uint64_t theirs;
    } same[] = {{PG_LOCKED, KPF(LOCKED)},       {PG_REFERENCED, KPF(REFERENCED)},
                {PG_UPTODATE, KPF(UPTODATE)},   {PG_DIRTY, KPF(DIRTY)},
                {PG_WRITEBACK, KPF(WRITEBACK)}, {PG_SWAPCACHE, KPF(SWAPCACHE)}};
    uint64_t flags = page_mapcount(page) ? KPF(MMAP) : 0;
    unsigned list = page_list(page);
    for (unsigned i = 0; i < sizeof same / sizeof same[0]; i++)
        flags |= page_has(page, same[i].ours) ? same[i].theirs : 0;
    if (list != LIST_NONE)
        flags |= KPF(LRU) | (list == LIST_UNEVICTABLE ? KPF(UNEVICTABLE) : 0);
    if (page_users(page) && page_is_swapbacked(page))
        flags |= KPF(SWAPBACKED) | (page_is_anon(page) ? KPF(ANON) : 0);
    if (flags & KPF(ANON) && page_is_merged(page))
        flags |= KPF(KSM);
    return flags;
}

static uint64_t flags_of(struct quire_vm *vm, quire_pfn_t pfn)
{
    if (!quire_pfn_valid(vm->mem, pfn))
        return KPF(NOPAGE);
    const struct quire_page *page = quire_pfn_to_page(vm->mem, pfn);
    uint32_t flags = page_flags(page);
    if (page == vm->zero_page)
        return KPF(ZERO_PAGE);
    if (is_users(vm, page))
        return page_is_bad(page) ? KPF(HWPOISON) : flags_of_user(page);
    if (flags & PAGE_ALLOCATED)
        return flags & QUIRE_PAGE_SLAB ? KPF(SLAB) : 0;
    return flags & PAGE_RESERVED ? 0 : KPF(BUDDY);
}

void quire_kpageflags(struct quire_vm *vm, quire_pfn_t first, unsigned long count, uint64_t *flags)
{
    for (unsigned long i = 0; i < count; i++)
        flags[i] = flags_of(vm, quire_pfn(first.value + i));
}

void quire_kpagecount(struct quire_vm *vm, quire_pfn_t first, unsigned long count, uint64_t *counts)
{
    for (unsigned long i = 0; i < count; i++) {
        quire_pfn_t pfn = quire_pfn(first.value + i);
        const struct quire_page *page =
            quire_pfn_valid(vm->mem, pfn) ? quire_pfn_to_page(vm->mem, pfn) : NULL;
        counts[i] = page && page != vm->zero_page && is_users(vm, page) ? page_mapcount(page) : 0;
    }
}

unsigned long quire_kpage_end(struct quire_vm *vm)
{
    const struct quire_mem_sections *sections =
        (const struct quire_mem_sections *)(const void *)vm->mem;
    return sections->count << (QUIRE_SECTION_SHIFT - QUIRE_PAGE_SHIFT);
}
