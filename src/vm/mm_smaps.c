/* vm/mm_smaps.c: /proc/PID/smaps: what of each area is in memory, and how it is shared
 *
 * A page that several entries map counts for each by its part (Pss). Parts are kept with 12 binary
 * digits, as Linux does, so that sums of many small ones come out the same.
 */
#include "base/bits.h"
#include "vm/cache.h"
#include "vm/mm_view.h"
#include "vm/swap.h"

#define PSS_SHIFT 12

struct usage {
    struct quire_vma *vma;
    uint64_t size, rss, referenced, anonymous, lazyfree, swap, locked; /* bytes */
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked, swap_pss; /* << PSS_SHIFT */
};

static void count_pss(struct usage *u, const struct quire_page *page, uint64_t pss, bool dirty)
{
    enum page_kind kind = page_kind(page);
    u->pss += pss;
    if (kind == PAGE_KIND_ANON)
        u->pss_anon += pss;
    else if (kind == PAGE_KIND_SHMEM)
        u->pss_shmem += pss;
    else
        u->pss_file += pss;
    if (dirty)
        u->pss_dirty += pss;
    if (u->vma->flags & VM_LOCKED)
        u->locked += pss >> PSS_SHIFT;
}

static void count_page(struct usage *u, const struct quire_page *page, uint64_t entry)
{
    unsigned maps = page_mapcount(page);
    bool dirty = entry & QUIRE_PTE_DIRTY || page_has(page, PG_DIRTY);
    u->rss += QUIRE_PAGE_SIZE;
    if (page_is_anon(page)) {
        u->anonymous += QUIRE_PAGE_SIZE;
        if (!dirty && !page_has(page, PG_SWAPCACHE))
            u->lazyfree += QUIRE_PAGE_SIZE;
    }
    if (entry & QUIRE_PTE_ACCESSED || page_has(page, PG_REFERENCED))
        u->referenced += QUIRE_PAGE_SIZE;
    if (maps >= 2)
        *(dirty ? &u->shared_dirty : &u->shared_clean) += QUIRE_PAGE_SIZE;
    else
        *(dirty ? &u->private_dirty : &u->private_clean) += QUIRE_PAGE_SIZE;
    uint64_t pss = (uint64_t)QUIRE_PAGE_SIZE << PSS_SHIFT;
    count_pss(u, page, maps >= 2 ? quire_div64(pss, maps) : pss, dirty);
}

static void count_entry(struct usage *u, uint64_t entry)
{
    const struct quire_mm *mm = u->vma->mm;
    if (entry_has_page(entry)) {
        const struct quire_page *page = quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
        if (page != mm->vm->zero_page)
            count_page(u, page, entry);
    } else if (entry_is_swap(entry)) {
        unsigned users = swap_count(mm->vm, entry);
        uint64_t pss = (uint64_t)QUIRE_PAGE_SIZE << PSS_SHIFT;
        u->swap += QUIRE_PAGE_SIZE;
        u->swap_pss += users >= 2 ? quire_div64(pss, users) : pss;
    }
}

/* The entries of 64 pages at most are looked at under their lock, since their pages are. */
static int count_run(void *arg, const struct quire_pt_run *run)
{
    struct usage *u = arg;
    for (unsigned i = 0; i < run->count; i++) {
        struct quire_pt_query query;
        quire_linear_t at = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE;
        entry_lock(u->vma->mm, at);
        (void)!quire_query(&u->vma->mm->pt, at, &query);
        count_entry(u, query.level == QUIRE_PT ? query.entry : 0);
        entry_unlock(u->vma->mm, at);
    }
    return 0;
}

static void count_area(struct usage *u, struct quire_vma *vma)
{
    u->vma = vma;
    u->size += vma->end - vma->start;
    (void)!quire_visit_range(&vma->mm->pt, vma->start, vma->end - vma->start,
                             QUIRE_VISIT_NOT_PRESENT, count_run, u);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_kib(struct text *text, const char *label, uint64_t bytes)
{
    text_printf(text, "%-16s%8llu kB\n", label, (unsigned long long)(bytes >> 10));
}

static void put_usage(struct text *text, const struct usage *u, bool rollup)
{
    put_kib(text, "Rss:", u->rss);
    put_kib(text, "Pss:", u->pss >> PSS_SHIFT);
    put_kib(text, "Pss_Dirty:", u->pss_dirty >> PSS_SHIFT);
    if (rollup) {
        put_kib(text, "Pss_Anon:", u->pss_anon >> PSS_SHIFT);
        put_kib(text, "Pss_File:", u->pss_file >> PSS_SHIFT);
        put_kib(text, "Pss_Shmem:", u->pss_shmem >> PSS_SHIFT);
    }
    put_kib(text, "Shared_Clean:", u->shared_clean);
    put_kib(text, "Shared_Dirty:", u->shared_dirty);
    put_kib(text, "Private_Clean:", u->private_clean);
    put_kib(text, "Private_Dirty:", u->private_dirty);
    put_kib(text, "Referenced:", u->referenced);
    put_kib(text, "Anonymous:", u->anonymous);
    put_kib(text, "LazyFree:", u->lazyfree);
    put_kib(text, "AnonHugePages:", 0);
    put_kib(text, "ShmemPmdMapped:", 0);
    put_kib(text, "FilePmdMapped:", 0);
    put_kib(text, "Shared_Hugetlb:", 0);
    put_kib(text, "Private_Hugetlb:", 0);
    put_kib(text, "Swap:", u->swap);
    put_kib(text, "SwapPss:", u->swap_pss >> PSS_SHIFT);
    put_kib(text, "Locked:", u->locked);
}

/* By Linux's bits, in their order. */
static const struct {
    uint32_t flag;
    char name[3];
} flag_names[] = {
    {VM_READ, "rd"},        {VM_WRITE, "wr"},        {VM_EXEC, "ex"},       {VM_SHARED, "sh"},
    {VM_MAYREAD, "mr"},     {VM_MAYWRITE, "mw"},     {VM_MAYEXEC, "me"},    {VM_MAYSHARE, "ms"},
    {VM_GROWSDOWN, "gd"},   {VM_UFFD_MISSING, "um"}, {VM_UFFD_WP, "uw"},    {VM_LOCKED, "lo"},
    {VM_SEQ_READ, "sr"},    {VM_RAND_READ, "rr"},    {VM_DONTCOPY, "dc"},   {VM_DONTEXPAND, "de"},
    {VM_LOCKONFAULT, "lf"}, {VM_ACCOUNT, "ac"},      {VM_NORESERVE, "nr"},  {VM_WIPEONFORK, "wf"},
    {VM_DONTDUMP, "dd"},    {VM_HUGEPAGE, "hg"},     {VM_NOHUGEPAGE, "nh"}, {VM_MERGEABLE, "mg"},
    {VM_SEALED, "sl"},
};
#define NR_FLAG_NAMES (sizeof flag_names / sizeof flag_names[0])

static void put_flags(struct text *text, uint32_t flags)
{
    text_puts(text, "VmFlags: ");
    for (size_t i = 0; i < NR_FLAG_NAMES; i++)
        if (flags & flag_names[i].flag)
            text_printf(text, "%s ", flag_names[i].name);
    text_puts(text, "\n");
}

void smaps_area(struct text *text, struct quire_vma *vma)
{
    struct usage usage = {0};
    count_area(&usage, vma);
    maps_line(text, vma);
    put_kib(text, "Size:", usage.size);
    put_kib(text, "KernelPageSize:", QUIRE_PAGE_SIZE);
    put_kib(text, "MMUPageSize:", QUIRE_PAGE_SIZE);
    put_usage(text, &usage, false);
    text_puts(text, "THPeligible:    0\n");
    put_flags(text, vma->flags);
}

static void put_rollup(struct quire_mm *mm, struct text *text, const struct usage *usage)
{
    struct quire_vma *first = vma_above(mm, 0);
    char line[96];
    size_t length = quire_snprintf(line, sizeof line, "%08llx-%08llx ---p 00000000 00:00 0 ",
                                   first ? (unsigned long long)first->start : 0,
                                   first ? (unsigned long long)usage->vma->end : 0);
    size_t column = mm->pt.format->virt_bits > 32 ? 72 : 48;
    text_puts(text, line);
    for (; length < column; length++)
        text_puts(text, " ");
    text_puts(text, " [rollup]\n");
    put_usage(text, usage, true);
}

void smaps_text(struct quire_mm *mm, struct text *text, bool rollup)
{
    struct usage all = {0};
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        if (rollup)
            count_area(&all, vma);
        else
            smaps_area(text, vma);
    }
    if (rollup)
        put_rollup(mm, text, &all);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_members(struct json *json, const struct usage *u)
{
    json_unsigned(json, "size_bytes", u->size);
    json_unsigned(json, "rss_bytes", u->rss);
    json_unsigned(json, "pss_bytes", u->pss >> PSS_SHIFT);
    json_unsigned(json, "pss_dirty_bytes", u->pss_dirty >> PSS_SHIFT);
    json_unsigned(json, "pss_anon_bytes", u->pss_anon >> PSS_SHIFT);
    json_unsigned(json, "pss_file_bytes", u->pss_file >> PSS_SHIFT);
    json_unsigned(json, "pss_shmem_bytes", u->pss_shmem >> PSS_SHIFT);
    json_unsigned(json, "shared_clean_bytes", u->shared_clean);
    json_unsigned(json, "shared_dirty_bytes", u->shared_dirty);
    json_unsigned(json, "private_clean_bytes", u->private_clean);
    json_unsigned(json, "private_dirty_bytes", u->private_dirty);
    json_unsigned(json, "referenced_bytes", u->referenced);
    json_unsigned(json, "anonymous_bytes", u->anonymous);
    json_unsigned(json, "lazyfree_bytes", u->lazyfree);
    json_unsigned(json, "swap_bytes", u->swap);
    json_unsigned(json, "swap_pss_bytes", u->swap_pss >> PSS_SHIFT);
    json_unsigned(json, "locked_bytes", u->locked);
}

static void put_flag_members(struct json *json, uint32_t flags)
{
    json_array(json, "vm_flags");
    for (size_t i = 0; i < NR_FLAG_NAMES; i++)
        if (flags & flag_names[i].flag)
            json_string(json, NULL, flag_names[i].name);
    json_end(json);
}

void smaps_json(struct quire_mm *mm, struct json *json, bool rollup)
{
    struct usage all = {0};
    if (!rollup)
        json_array(json, "areas");
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        struct usage one = {0};
        count_area(rollup ? &all : &one, vma);
        if (rollup)
            continue;
        json_object(json, NULL);
        maps_members(json, vma);
        put_members(json, &one);
        put_flag_members(json, vma->flags);
        json_end(json);
    }
    if (rollup)
        put_members(json, &all);
    else
        json_end(json);
}
