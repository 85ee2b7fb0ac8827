/* phys/view.c: what a machine's memory looks like
 *
 * As text, each view has the format that Linux 6.1 has for it, to the column, so that what reads
 * Linux's files reads these. Left out are lines that are another layer's to know (LRU lists,
 * dirty pages) or that don't exist here. As JSON, each is one object with the name and version of
 * its schema and the bytes of a page; the unit of a number is in its field's name. A version
 * changes when a field changes its meaning or goes; a new field doesn't change it.
 */
#include "phys/view.h"

const char *const zone_names[QUIRE_NR_ZONES] = {
    [QUIRE_ZONE_DMA] = "DMA",         [QUIRE_ZONE_DMA32] = "DMA32",
    [QUIRE_ZONE_NORMAL] = "Normal",   [QUIRE_ZONE_HIGHMEM] = "HighMem",
    [QUIRE_ZONE_MOVABLE] = "Movable",
};

const char *const migratetype_names[QUIRE_NR_MIGRATETYPES] = {
    [QUIRE_MIGRATE_UNMOVABLE] = "Unmovable",
    [QUIRE_MIGRATE_MOVABLE] = "Movable",
    [QUIRE_MIGRATE_RECLAIMABLE] = "Reclaimable",
    [QUIRE_MIGRATE_HIGHATOMIC] = "HighAtomic",
    [QUIRE_MIGRATE_CMA] = "CMA",
    [QUIRE_MIGRATE_ISOLATE] = "Isolate",
};

static const struct {
    const char *schema;
    void (*text)(struct quire_mem *mem, struct text *text);
    void (*json)(struct quire_mem *mem, struct json *json);
} views[QUIRE_NR_VIEWS] = {
    [QUIRE_VIEW_BUDDYINFO] = {"quire.buddyinfo/1", buddyinfo_text, buddyinfo_json},
    [QUIRE_VIEW_PAGETYPEINFO] = {"quire.pagetypeinfo/1", pagetypeinfo_text, pagetypeinfo_json},
    [QUIRE_VIEW_ZONEINFO] = {"quire.zoneinfo/1", zoneinfo_text, zoneinfo_json},
    [QUIRE_VIEW_VMSTAT] = {"quire.vmstat/1", vmstat_text, vmstat_json},
    [QUIRE_VIEW_EXTFRAG] = {"quire.extfrag_index/1", extfrag_text, extfrag_json},
    [QUIRE_VIEW_UNUSABLE] = {"quire.unusable_index/1", unusable_text, unusable_json},
};

void view_zone_title(struct text *text, const struct zone *zone)
{
    text_printf(text, "Node %d, zone %8s", zone->node, zone_names[zone->type]);
}

void view_zone_object(struct json *json, const struct zone *zone)
{
    json_object(json, NULL);
    json_signed(json, "node", zone->node);
    json_string(json, "zone", zone_names[zone->type]);
}

int quire_view(struct quire_mem *mem, enum quire_view view, enum quire_format format,
               quire_write_fn *write, void *arg)
{
    if ((unsigned)view >= QUIRE_NR_VIEWS)
        return -QUIRE_EINVAL;
    if (format == QUIRE_FORMAT_TEXT) {
        struct text text;
        text_init(&text, write, arg);
        views[view].text(mem, &text);
        text_flush(&text);
        return 0;
    }
    if (format == QUIRE_FORMAT_JSON) {
        struct json json;
        json_init(&json, write, arg);
        json_object(&json, NULL);
        json_string(&json, "schema", views[view].schema);
        json_unsigned(&json, "page_bytes", QUIRE_PAGE_SIZE);
        views[view].json(mem, &json);
        json_end(&json);
        json_finish(&json);
        return 0;
    }
    return -QUIRE_EINVAL;
}
