/* phys/view_zone.c: zoneinfo: sizes, watermarks, reserves and per-CPU lists of every zone
 *
 * Zones without memory are shown too, as in Linux. min, low and high are what allocations are
 * measured by: a boost is part of them. A CPU's `high` and `batch` are sums, in pages, over lists
 * that Linux has limits for all at once: what its lists hold before they are drained, and the most
 * that the next refill or drain of one of them moves.
 */
#include "phys/view.h"

/* ---- one CPU's lists ------------------------------------------------------------------------- */

struct pageset {
    unsigned long count, high, batch; /* pages */
};

static void pageset_read(const struct pcp *pcp, struct pageset *set)
{
    *set = (struct pageset){0};
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        unsigned order = pcp_list_order(index);
        const struct pcp_list *list = &pcp->list[index];
        unsigned long refill = quire_load_relaxed(&list->refill);
        unsigned long drain = quire_load_relaxed(&list->drain);
        unsigned long batch = (refill > drain ? refill : drain) << order;
        unsigned long high = (unsigned long)(quire_load_relaxed(&list->limit) - list->base);
        set->count += (unsigned long)(quire_load_relaxed(&list->top) - list->base) << order;
        set->high += high << order;
        set->batch = batch > set->batch ? batch : set->batch;
    }
}

static unsigned nr_pagesets(const struct zone *zone)
{
    return zone_pcps(zone) ? zone->mem->nr_cpus : 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_pages(struct text *text, const struct quire_zone_info *info)
{
    unsigned long boost = info->watermark_boost;
    text_printf(text, "\n  pages free     %lu", info->nr_free);
    text_printf(text, "\n        boost    %lu", boost);
    text_printf(text, "\n        min      %lu", info->watermark_min + boost);
    text_printf(text, "\n        low      %lu", info->watermark_low + boost);
    text_printf(text, "\n        high     %lu", info->watermark_high + boost);
    text_printf(text, "\n        spanned  %lu", info->spanned);
    text_printf(text, "\n        present  %lu", info->present);
    text_printf(text, "\n        managed  %lu", info->managed);
    text_printf(text, "\n        cma      %lu", info->cma);
}

/* Only zone types that the machine has: others don't exist, as one that Linux was built without. */
static void print_protection(struct text *text, const struct quire_mem *mem,
                             const struct quire_zone_info *info)
{
    const char *separator = "\n        protection: (";
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (mem->zone_end[type]) {
            text_printf(text, "%s%lu", separator, info->lowmem_reserve[type]);
            separator = ", ";
        }
    text_puts(text, ")");
}

static void print_numa(struct text *text, const struct zone *zone)
{
    struct numa_stat stat;
    zone_numa_stat(zone, &stat);
    for (unsigned i = 0; i < NR_NUMA_EVENTS; i++)
        text_printf(text, "\n      %-12s %lu", numa_event_names[i], stat.event[i]);
}

static void print_pagesets(struct text *text, const struct zone *zone)
{
    text_puts(text, "\n  pagesets");
    for (unsigned cpu = 0; cpu < nr_pagesets(zone); cpu++) {
        struct pageset set;
        pageset_read(zone->pcp[cpu], &set);
        text_printf(text, "\n    cpu: %u", cpu);
        text_printf(text, "\n              count: %lu", set.count);
        text_printf(text, "\n              high:  %lu", set.high);
        text_printf(text, "\n              batch: %lu", set.batch);
    }
}

void zoneinfo_text(struct quire_mem *mem, struct text *text)
{
    struct quire_zone_info info;
    for (unsigned number = 0; !quire_zone_info(mem, number, &info); number++) {
        const struct zone *zone = &mem->zones[number];
        view_zone_title(text, zone);
        print_pages(text, &info);
        print_protection(text, mem, &info);
        if (info.present) {
            text_printf(text, "\n      %-12s %lu", "nr_free_pages", info.nr_free);
            text_printf(text, "\n      %-12s %lu", "nr_free_cma", info.nr_free_cma);
            print_numa(text, zone);
            print_pagesets(text, zone);
            text_printf(text, "\n  start_pfn:           %lu", info.start.value);
        }
        text_puts(text, "\n");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_pages(struct json *json, const struct quire_zone_info *info)
{
    unsigned long boost = info->watermark_boost;
    json_unsigned(json, "free_pages", info->nr_free);
    json_unsigned(json, "boost_pages", boost);
    json_unsigned(json, "min_pages", info->watermark_min + boost);
    json_unsigned(json, "low_pages", info->watermark_low + boost);
    json_unsigned(json, "high_pages", info->watermark_high + boost);
    json_unsigned(json, "spanned_pages", info->spanned);
    json_unsigned(json, "present_pages", info->present);
    json_unsigned(json, "managed_pages", info->managed);
    json_unsigned(json, "cma_pages", info->cma);
    json_unsigned(json, "free_cma_pages", info->nr_free_cma);
    json_unsigned(json, "highatomic_pages", info->nr_reserved_highatomic);
    json_unsigned(json, "isolated_free_pages", info->nr_isolated);
    json_unsigned(json, "pcp_pages", info->nr_pcp);
    json_unsigned(json, "start_pfn", info->start.value);
}

static void json_protection(struct json *json, const struct quire_mem *mem,
                            const struct quire_zone_info *info)
{
    json_object(json, "protection_pages");
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (mem->zone_end[type])
            json_unsigned(json, zone_names[type], info->lowmem_reserve[type]);
    json_end(json);
}

static void json_numa(struct json *json, const struct zone *zone)
{
    struct numa_stat stat;
    zone_numa_stat(zone, &stat);
    for (unsigned i = 0; i < NR_NUMA_EVENTS; i++)
        json_unsigned(json, numa_event_names[i], stat.event[i]);
}

static void json_pagesets(struct json *json, const struct zone *zone)
{
    json_array(json, "pagesets");
    for (unsigned cpu = 0; cpu < nr_pagesets(zone); cpu++) {
        struct pageset set;
        pageset_read(zone->pcp[cpu], &set);
        json_object(json, NULL);
        json_unsigned(json, "cpu", cpu);
        json_unsigned(json, "count_pages", set.count);
        json_unsigned(json, "high_pages", set.high);
        json_unsigned(json, "batch_pages", set.batch);
        json_end(json);
    }
    json_end(json);
}

void zoneinfo_json(struct quire_mem *mem, struct json *json)
{
    struct quire_zone_info info;
    json_array(json, "zones");
    for (unsigned number = 0; !quire_zone_info(mem, number, &info); number++) {
        const struct zone *zone = &mem->zones[number];
        view_zone_object(json, zone);
        json_pages(json, &info);
        json_protection(json, mem, &info);
        json_numa(json, zone);
        json_pagesets(json, zone);
        json_end(json);
    }
    json_end(json);
}
