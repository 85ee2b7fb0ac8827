/* phys/view_extfrag.c: extfrag_index and unusable_index, as Linux has them in debugfs */
#include "phys/view.h"

typedef int index_fn(const struct zone *zone, unsigned order);

/* `width`: of the digits before the point. Linux leaves room for a sign in one of the views. */
static void print_indexes(struct quire_mem *mem, struct text *text, index_fn *index_of, int width)
{
    for_each_zone (mem, zone) {
        if (!zone_has_memory(zone))
            continue;
        view_zone_title(text, zone);
        text_puts(text, " ");
        for (unsigned order = 0; order < NR_ORDERS; order++) {
            int index = index_of(zone, order);
            text_printf(text, "%*d.%03d ", width, index / 1000, index % 1000);
        }
        text_puts(text, "\n");
    }
}

static void json_indexes(struct quire_mem *mem, struct json *json, index_fn *index_of)
{
    json_array(json, "zones");
    for_each_zone (mem, zone) {
        if (!zone_has_memory(zone))
            continue;
        view_zone_object(json, zone);
        json_array(json, "index_per_mille_by_order");
        for (unsigned order = 0; order < NR_ORDERS; order++)
            json_signed(json, NULL, index_of(zone, order));
        json_end(json);
        json_end(json);
    }
    json_end(json);
}

void extfrag_text(struct quire_mem *mem, struct text *text)
{
    print_indexes(mem, text, fragmentation_index, 2);
}

void extfrag_json(struct quire_mem *mem, struct json *json)
{
    json_indexes(mem, json, fragmentation_index);
}

void unusable_text(struct quire_mem *mem, struct text *text)
{
    print_indexes(mem, text, unusable_index, 1);
}

void unusable_json(struct quire_mem *mem, struct json *json)
{
    json_indexes(mem, json, unusable_index);
}
