/* vm/oom_report.c: what the log says when something is to be killed
 *
 * Linux's lines in Linux's order, as far as they mean something here: who asked, Mem-Info, zones,
 * swap, the table of tasks, the verdict. That is for the callback to carry out or not, so it says
 * "Kill process", as Linux once did when it had chosen, and not "Killed". Written into a buffer
 * that was allocated long ago: if it is too small, tasks are left out and counted.
 */
#include "vm/lru.h"
#include "vm/oom.h"
#include "vm/swap.h"

#include "base/text.h"

#define KIB(pages) ((unsigned long)(pages) << (QUIRE_PAGE_SHIFT - 10))
#define TASK_LINE_BYTES 128u
#define VERDICT_BYTES 384u

static const char *const zone_names[QUIRE_NR_ZONES] = {
    [QUIRE_ZONE_DMA] = "DMA",         [QUIRE_ZONE_DMA32] = "DMA32",
    [QUIRE_ZONE_NORMAL] = "Normal",   [QUIRE_ZONE_HIGHMEM] = "HighMem",
    [QUIRE_ZONE_MOVABLE] = "Movable",
};

/* A string that ends where its room ends. */
struct report {
    struct text text;
    char *buffer;
    size_t size, used;
};

static void append(void *arg, const char *piece, size_t length)
{
    struct report *report = arg;
    size_t left = report->size - 1 - report->used;
    length = length < left ? length : left;
    __builtin_memcpy(report->buffer + report->used, piece, length);
    report->used += length;
    report->buffer[report->used] = 0;
}

static bool has_room(struct report *report, size_t bytes)
{
    text_flush(&report->text);
    return report->size - report->used > bytes;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static unsigned long stat(struct quire_vm *vm, enum vm_stat which)
{
    long pages = quire_load_relaxed(&vm->stat[which]);
    return pages > 0 ? (unsigned long)pages : 0;
}

static void put_counts(struct quire_vm *vm, struct text *text)
{
    struct lru_counts lru;
    lru_counts(vm, &lru);
    text_puts(text, "Mem-Info:\n");
    text_printf(text, "active_anon:%lu inactive_anon:%lu\n", lru.active_anon, lru.inactive_anon);
    text_printf(text, " active_file:%lu inactive_file:%lu\n", lru.active_file, lru.inactive_file);
    text_printf(text, " unevictable:%lu dirty:%lu writeback:%lu\n", lru.unevictable,
                stat(vm, NR_FILE_DIRTY), stat(vm, NR_WRITEBACK));
    text_printf(text, " mapped:%lu shmem:%lu\n", stat(vm, NR_FILE_MAPPED), stat(vm, NR_SHMEM));
    text_printf(text, " free:%lu\n", quire_nr_free_pages(vm->mem));
}

static void put_zone(struct text *text, const struct quire_zone_info *zone)
{
    text_printf(text, "Node %d %s free:%lukB boost:%lukB min:%lukB low:%lukB high:%lukB ",
                zone->node, zone_names[zone->type], KIB(zone->nr_free), KIB(zone->watermark_boost),
                KIB(zone->watermark_min), KIB(zone->watermark_low), KIB(zone->watermark_high));
    text_printf(text, "present:%lukB managed:%lukB\n", KIB(zone->present), KIB(zone->managed));
    text_puts(text, "lowmem_reserve[]:");
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        text_printf(text, " %lu", zone->lowmem_reserve[type]);
    text_puts(text, "\n");
}

static void put_blocks(struct text *text, const struct quire_zone_info *zone)
{
    unsigned long pages = 0;
    text_printf(text, "Node %d %s:", zone->node, zone_names[zone->type]);
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
        text_printf(text, " %lu*%lukB", zone->nr_blocks[order], KIB(1ul << order));
        pages += zone->nr_blocks[order] << order;
    }
    text_printf(text, " = %lukB\n", KIB(pages));
}

static void put_memory(struct quire_vm *vm, struct text *text)
{
    struct quire_zone_info zone;
    put_counts(vm, text);
    for (unsigned i = 0; !quire_zone_info(vm->mem, i, &zone); i++)
        if (zone.managed)
            put_zone(text, &zone);
    for (unsigned i = 0; !quire_zone_info(vm->mem, i, &zone); i++)
        if (zone.managed)
            put_blocks(text, &zone);
    text_printf(text, "%lu total pagecache pages\n", stat(vm, NR_FILE_PAGES));
    text_printf(text, "%lu pages in swap cache\n", stat(vm, NR_SWAPCACHE));
    text_printf(text, "Free swap  = %lukB\n", KIB(swap_free_pages(vm)));
    text_printf(text, "Total swap = %lukB\n", KIB(swap_total_pages(vm)));
    text_printf(text, "%lu pages RAM\n", quire_nr_managed_pages(vm->mem));
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static unsigned long rss(const struct quire_mm *mm, enum rss kind)
{
    long pages = quire_load_relaxed(&mm->rss[kind]);
    return pages > 0 ? (unsigned long)pages : 0;
}

static unsigned long table_bytes(const struct quire_mm *mm)
{
    return quire_pgtable_nr_tables(&mm->pt) << QUIRE_PAGE_SHIFT;
}

static void put_task(struct text *text, const struct quire_mm *mm)
{
    unsigned long anon = rss(mm, RSS_ANON), file = rss(mm, RSS_FILE), shmem = rss(mm, RSS_SHMEM);
    text_printf(text, "[%7d] %5d %5d %8lu %8lu %8lu %8lu %9lu %8lu %8lu         %5d %s\n", mm->pid,
                0, mm->pid, mm->total_vm, anon + file + shmem, anon, file, shmem, table_bytes(mm),
                rss(mm, RSS_SWAP), quire_load_relaxed(&mm->oom_score_adj), mm->name);
}

static void put_tasks(struct quire_vm *vm, struct report *report)
{
    unsigned long left_out = 0;
    text_puts(&report->text, "Tasks state (memory values in pages):\n");
    text_puts(&report->text, "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem "
                             "pgtables_bytes swapents oom_score_adj name\n");
    quire_port_irq_t irq = vm_lock(vm);
    list_for_each (link, &vm->mms) {
        if (has_room(report, VERDICT_BYTES + TASK_LINE_BYTES))
            put_task(&report->text, quire_container_of(link, struct quire_mm, link));
        else
            left_out++;
    }
    vm_unlock(vm, irq);
    if (left_out)
        text_printf(&report->text, "and %lu more\n", left_out);
}

void oom_report(struct quire_vm *vm, struct quire_mm *victim, const struct oom_request *request,
                char *buffer, size_t size)
{
    struct report report = {.buffer = buffer, .size = size};
    buffer[0] = 0;
    text_init(&report.text, append, &report);
    text_printf(&report.text, "quire invoked oom-killer: gfp_mask=0x%x, order=%u", request->gfp,
                request->order);
    if (request->nodes)
        text_printf(&report.text, ", nodes=0x%x", request->nodes);
    text_puts(&report.text, "\n");
    if (size > VERDICT_BYTES * 2) {
        put_memory(vm, &report.text);
        put_tasks(vm, &report);
    }
    text_printf(&report.text, "Out of memory: Kill process %d (%s) total-vm:%lukB, ", victim->pid,
                victim->name, KIB(victim->total_vm));
    text_printf(&report.text, "anon-rss:%lukB, file-rss:%lukB, shmem-rss:%lukB, ",
                KIB(rss(victim, RSS_ANON)), KIB(rss(victim, RSS_FILE)),
                KIB(rss(victim, RSS_SHMEM)));
    text_printf(&report.text, "UID:0 pgtables:%lukB oom_score_adj:%d\n", table_bytes(victim) >> 10,
                victim->oom_score_adj);
    text_flush(&report.text);
}
