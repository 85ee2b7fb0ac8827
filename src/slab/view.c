/* slab/view.c: what caches look like
 *
 * As text in the format of Linux's /proc/slabinfo, version 2.1, to the column; the tunables are 0
 * as they are there. As JSON, one object with the name and version of its schema, as phys' views.
 */
#include "slab/view.h"

#include "base/json.h"
#include "base/text.h"

static void put_header(struct text *text)
{
    text_puts(text, "slabinfo - version: 2.1\n"
                    "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                    "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
                    "<active_slabs> <num_slabs> <sharedavail>\n");
}

/* Linux counts every slab as active, and the objects in sheaves as allocated; here active slabs are
 * those that aren't empty, and active objects those that somebody has. */
static void put_line(struct text *text, const struct quire_kmem_cache_info *info)
{
    text_printf(text, "%-17s %6lu %6lu %6lu %4u %4u", info->name, info->nr_active, info->nr_objects,
                (unsigned long)info->size, info->objects_per_slab, 1u << info->order);
    text_printf(text, " : tunables %4u %4u %4u : slabdata %6lu %6lu %6lu\n", 0u, 0u, 0u,
                info->nr_slabs - info->nr_empty, info->nr_slabs, 0ul);
}

static void put_cpus(struct json *json, struct cache *cache)
{
    struct quire_slab *slab = cache->slab;
    json_array(json, "cpu_objects");
    for (unsigned cpu = 0; cpu < slab->nr_cpus; cpu++) {
        sheaves_hide(slab, cpu, cpu + 1);
        unsigned long objects = cpu_objects(cache, slab->cpu[cpu]);
        sheaves_show(slab, cpu, cpu + 1);
        json_unsigned(json, NULL, objects);
    }
    json_end(json);
}

/* All but the oldest. */
static void put_alias_names(struct json *json, struct cache *cache)
{
    char name[NAME_BYTES];
    json_array(json, "alias_names");
    for (unsigned n = 1; n < cache_name(cache->slab, cache->id, n, name); n++)
        json_string(json, NULL, name);
    json_end(json);
}

static void put_object(struct json *json, struct cache *cache,
                       const struct quire_kmem_cache_info *info)
{
    json_object(json, NULL);
    json_string(json, "name", info->name);
    json_unsigned(json, "aliases", info->nr_aliases);
    put_alias_names(json, cache);
    json_unsigned(json, "flags", info->flags);
    json_unsigned(json, "object_bytes", info->object_size);
    json_unsigned(json, "slot_bytes", info->size);
    json_unsigned(json, "objects_per_slab", info->objects_per_slab);
    json_unsigned(json, "pages_per_slab", 1ul << info->order);
    json_unsigned(json, "active_objects", info->nr_active);
    json_unsigned(json, "objects", info->nr_objects);
    json_unsigned(json, "slabs", info->nr_slabs);
    json_unsigned(json, "partial_slabs", info->nr_partial);
    json_unsigned(json, "empty_slabs", info->nr_empty);
    json_unsigned(json, "pages", info->nr_pages);
    json_unsigned(json, "sheaf_capacity", info->sheaf_capacity);
    json_unsigned(json, "barn_objects", info->nr_barn);
    put_cpus(json, cache);
    json_unsigned(json, "internal_waste_bytes", info->internal_waste);
    json_unsigned(json, "external_waste_bytes", info->external_waste);
    json_end(json);
}

static void put_text(struct quire_slab *slab, quire_write_fn *write, void *arg)
{
    struct text text;
    text_init(&text, write, arg);
    put_header(&text);
    for_each_cache (slab, cache) {
        struct quire_kmem_cache_info info;
        char name[NAME_BYTES];
        cache_info(cache, &info, name);
        put_line(&text, &info);
    }
    text_flush(&text);
}

static void put_json(struct quire_slab *slab, quire_write_fn *write, void *arg)
{
    struct json json;
    json_init(&json, write, arg);
    json_object(&json, NULL);
    json_string(&json, "schema", "quire.slabinfo/1");
    json_unsigned(&json, "page_bytes", QUIRE_PAGE_SIZE);
    json_array(&json, "caches");
    for_each_cache (slab, cache) {
        struct quire_kmem_cache_info info;
        char name[NAME_BYTES];
        cache_info(cache, &info, name);
        put_object(&json, cache, &info);
    }
    json_end(&json);
    json_end(&json);
    json_finish(&json);
}

int quire_slabinfo(struct quire_slab *slab, enum quire_format format, quire_write_fn *write,
                   void *arg)
{
    if (format == QUIRE_FORMAT_TEXT)
        put_text(slab, write, arg);
    else if (format == QUIRE_FORMAT_JSON)
        put_json(slab, write, arg);
    else
        return -QUIRE_EINVAL;
    return 0;
}

void quire_slab_aliases(struct quire_slab *slab, quire_write_fn *write, void *arg)
{
    struct text text;
    text_init(&text, write, arg);
    for_each_cache (slab, cache) {
        char name[NAME_BYTES];
        if (cache_name(slab, cache->id, 0, name) < 2)
            continue;
        text_printf(&text, "%-17s <-", name);
        for (unsigned n = 1; n < cache_name(slab, cache->id, n, name); n++)
            text_printf(&text, " %s", name);
        text_puts(&text, "\n");
    }
    text_flush(&text);
}
