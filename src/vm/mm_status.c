/* vm/mm_status.c: /proc/PID/status (its lines about memory), statm, pagemap; the same as numbers */
#include "vm/cache.h"
#include "vm/mm_view.h"

static unsigned long resident(const struct quire_mm *mm, enum rss kind)
{
    long pages = quire_load_relaxed(&mm->rss[kind]);
    return pages > 0 ? (unsigned long)pages : 0;
}

static unsigned long larger(unsigned long a, unsigned long b)
{
    return a > b ? a : b;
}

static void get_info(struct quire_mm *mm, struct quire_mm_info *info)
{
    *info = (struct quire_mm_info){
        .nr_areas = mm->nr_areas,
        .total = mm->total_vm,
        .locked = mm->locked_vm,
        .data = mm->data_vm,
        .exec = mm->exec_vm,
        .stack = mm->stack_vm,
        .rss_anon = resident(mm, RSS_ANON),
        .rss_file = resident(mm, RSS_FILE),
        .rss_shmem = resident(mm, RSS_SHMEM),
        .swap = resident(mm, RSS_SWAP),
        .tables = quire_pgtable_nr_tables(&mm->pt),
        .min_flt = quire_load_relaxed(&mm->min_flt),
        .maj_flt = quire_load_relaxed(&mm->maj_flt),
    };
    unsigned long rss = info->rss_anon + info->rss_file + info->rss_shmem;
    info->hiwater_total = larger(mm->hiwater_vm, info->total);
    info->hiwater_rss = larger(quire_load_relaxed(&mm->hiwater_rss), rss);
}

void quire_mm_info(struct quire_mm *mm, struct quire_mm_info *info)
{
    rwlock_read(&mm->lock);
    get_info(mm, info);
    rwlock_read_unlock(&mm->lock);
}

unsigned long quire_mm_nr_resident(struct quire_mm *mm)
{
    return resident(mm, RSS_ANON) + resident(mm, RSS_FILE) + resident(mm, RSS_SHMEM);
}

void quire_mm_nr_faults(struct quire_mm *mm, unsigned long *minor, unsigned long *major)
{
    *minor = quire_load_relaxed(&mm->min_flt);
    *major = quire_load_relaxed(&mm->maj_flt);
}

/* ---- status, statm --------------------------------------------------------------------------- */

/* Pages of the program's own text: what else can be executed are libraries. */
static unsigned long text_pages(const struct quire_mm *mm)
{
    const struct quire_mm_program *program = &mm->program;
    quire_linear_t mask = QUIRE_PAGE_SIZE - 1;
    unsigned long pages = (unsigned long)(((program->end_code + mask) >> QUIRE_PAGE_SHIFT) -
                                          (program->start_code >> QUIRE_PAGE_SHIFT));
    return pages < mm->exec_vm ? pages : mm->exec_vm;
}

struct line {
    const char *label, *key;
    unsigned long pages;
};

#define NR_LINES 15
static void get_lines(struct quire_mm *mm, struct line *lines)
{
    struct quire_mm_info info;
    get_info(mm, &info);
    unsigned long text = text_pages(mm);
    const struct line all[NR_LINES] = {
        {"VmPeak", "vm_peak_kib", info.hiwater_total},
        {"VmSize", "vm_size_kib", info.total},
        {"VmLck", "vm_lck_kib", info.locked},
        {"VmPin", "vm_pin_kib", info.pinned},
        {"VmHWM", "vm_hwm_kib", info.hiwater_rss},
        {"VmRSS", "vm_rss_kib", info.rss_anon + info.rss_file + info.rss_shmem},
        {"RssAnon", "rss_anon_kib", info.rss_anon},
        {"RssFile", "rss_file_kib", info.rss_file},
        {"RssShmem", "rss_shmem_kib", info.rss_shmem},
        {"VmData", "vm_data_kib", info.data},
        {"VmStk", "vm_stk_kib", info.stack},
        {"VmExe", "vm_exe_kib", text},
        {"VmLib", "vm_lib_kib", mm->exec_vm - text},
        {"VmPTE", "vm_pte_kib", info.tables - 1}, /* without the root */
        {"VmSwap", "vm_swap_kib", info.swap},
    };
    __builtin_memcpy(lines, all, sizeof all);
}

void status_text(struct quire_mm *mm, struct text *text)
{
    struct line lines[NR_LINES];
    get_lines(mm, lines);
    for (unsigned i = 0; i < NR_LINES; i++)
        text_printf(text, "%s:\t%8llu kB\n", lines[i].label,
                    (unsigned long long)PAGES_KIB(lines[i].pages));
}

void status_json(struct quire_mm *mm, struct json *json)
{
    struct line lines[NR_LINES];
    get_lines(mm, lines);
    for (unsigned i = 0; i < NR_LINES; i++)
        json_unsigned(json, lines[i].key, PAGES_KIB(lines[i].pages));
    json_unsigned(json, "min_flt", quire_load_relaxed(&mm->min_flt));
    json_unsigned(json, "maj_flt", quire_load_relaxed(&mm->maj_flt));
}

void statm_text(struct quire_mm *mm, struct text *text)
{
    struct quire_mm_info info;
    get_info(mm, &info);
    unsigned long shared = info.rss_file + info.rss_shmem;
    text_printf(text, "%lu %lu %lu %lu 0 %lu 0\n", info.total, shared + info.rss_anon, shared,
                text_pages(mm), info.data + info.stack);
}

/* ---- pagemap (Linux: Documentation/admin-guide/mm/pagemap.rst) ------------------------------- */

#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)
#define PM_FILE (1ull << 61)
#define PM_EXCLUSIVE (1ull << 56)
#define PM_SWAP_OFFSET_SHIFT 5

static uint64_t pagemap_page(const struct quire_mm *mm, uint64_t entry)
{
    quire_pfn_t pfn = entry_pfn(&mm->pt, entry);
    const struct quire_page *page = quire_pfn_to_page(mm->vm->mem, pfn);
    uint64_t bits = PM_PRESENT | pfn.value;
    if (page == mm->vm->zero_page)
        return bits;
    if (!page_is_anon(page))
        bits |= PM_FILE;
    return page_mapcount(page) == 1 ? bits | PM_EXCLUSIVE : bits;
}

static uint64_t pagemap_entry(struct quire_mm *mm, quire_linear_t at)
{
    struct quire_pt_query query;
    uint64_t bits = 0;
    entry_lock(mm, at);
    (void)!quire_query(&mm->pt, at, &query);
    uint64_t entry = query.level == QUIRE_PT ? query.entry : 0;
    if (entry_has_page(entry))
        bits = pagemap_page(mm, entry);
    else if (entry_is_swap(entry))
        bits = PM_SWAP | entry_offset(entry) << PM_SWAP_OFFSET_SHIFT | (entry_type(entry) - 1);
    entry_unlock(mm, at);
    return bits;
}

void quire_pagemap(struct quire_mm *mm, uint64_t address, unsigned long count, uint64_t *entries)
{
    rwlock_read(&mm->lock);
    for (unsigned long i = 0; i < count; i++) {
        uint64_t at = address + (uint64_t)i * QUIRE_PAGE_SIZE;
        entries[i] = at < mm->layout.end ? pagemap_entry(mm, (quire_linear_t)at) : 0;
    }
    rwlock_read_unlock(&mm->lock);
}
