/* heap/view.c: the heap's counts as text and JSON
 *
 * Counts are read class by class, so that those of a busy heap are each true but not of one
 * instant.
 */
#include "base/json.h"
#include "heap/internal.h"

static void text_total(struct text *out, const char *name, size_t bytes, unsigned long blocks)
{
    text_printf(out, "%-14s %14zu bytes", name, bytes);
    if (blocks)
        text_printf(out, " %10lu blocks", blocks);
    text_puts(out, "\n");
}

static void view_text(struct quire_heap *heap, const struct quire_heap_info *info, struct text *out)
{
    struct quire_heap_class_info class;
    text_total(out, "used", info->used, info->nr_blocks);
    text_total(out, "large", info->large, info->nr_large);
    text_total(out, "on stacks", info->cached, info->nr_cached);
    text_total(out, "free in slabs", info->slots, info->nr_slots);
    text_total(out, "free pages", info->dirty, 0);
    text_total(out, "large, kept", info->kept, info->nr_kept);
    text_total(out, "metadata", info->metadata, 0);
    text_total(out, "largest free", info->largest_free, 0);
    text_printf(out, "%-14s %14zu bytes of %zu\n", "free, resident", info->free_resident,
                info->free);
    text_printf(out,
                "threads %lu, sections added %lu, pages given back %lu, mapped %lu, unmapped %lu, "
                "kept and reused %lu\n",
                info->nr_caches, info->nr_grown, info->nr_given_back, info->nr_maps,
                info->nr_unmaps, info->nr_reused);
    text_puts(out, "     size       used  on stacks       free      pages\n");
    for (unsigned n = 1; !quire_heap_class_info(heap, n, &class); n++)
        if (class.pages)
            text_printf(out, "%9zu %10lu %10lu %10lu %10lu\n", class.size, class.used, class.cached,
                        class.slots - class.used - class.cached, class.pages);
}

static void json_totals(struct json *out, const struct quire_heap_info *info)
{
    json_unsigned(out, "used", info->used);
    json_unsigned(out, "used_blocks", info->nr_blocks);
    json_unsigned(out, "large", info->large);
    json_unsigned(out, "large_blocks", info->nr_large);
    json_unsigned(out, "on_stacks", info->cached);
    json_unsigned(out, "free_in_slabs", info->slots);
    json_unsigned(out, "free_pages", info->dirty);
    json_unsigned(out, "large_kept", info->kept);
    json_unsigned(out, "metadata", info->metadata);
    json_unsigned(out, "largest_free", info->largest_free);
    json_unsigned(out, "free", info->free);
    json_unsigned(out, "free_resident", info->free_resident);
    json_unsigned(out, "threads", info->nr_caches);
    json_unsigned(out, "sections_added", info->nr_grown);
    json_unsigned(out, "pages_given_back", info->nr_given_back);
    json_unsigned(out, "mapped", info->nr_maps);
    json_unsigned(out, "unmapped", info->nr_unmaps);
    json_unsigned(out, "reused", info->nr_reused);
}

static void view_json(struct quire_heap *heap, const struct quire_heap_info *info, struct json *out)
{
    struct quire_heap_class_info class;
    json_object(out, NULL);
    json_unsigned(out, "schema", 1);
    json_totals(out, info);
    json_array(out, "classes");
    for (unsigned n = 1; !quire_heap_class_info(heap, n, &class); n++) {
        if (!class.pages)
            continue;
        json_object(out, NULL);
        json_unsigned(out, "size", class.size);
        json_unsigned(out, "used", class.used);
        json_unsigned(out, "on_stacks", class.cached);
        json_unsigned(out, "free", class.slots - class.used - class.cached);
        json_unsigned(out, "pages", class.pages);
        json_end(out);
    }
    json_end(out);
    json_end(out);
}

int quire_heap_view(struct quire_heap *heap, enum quire_format format, quire_write_fn *write,
                    void *arg)
{
    struct quire_heap_info info;
    if (format != QUIRE_FORMAT_TEXT && format != QUIRE_FORMAT_JSON)
        return -QUIRE_EINVAL;
    quire_heap_info(heap, &info);
    if (format == QUIRE_FORMAT_TEXT) {
        struct text out;
        text_init(&out, write, arg);
        view_text(heap, &info, &out);
        text_flush(&out);
    } else {
        struct json out;
        json_init(&out, write, arg);
        view_json(heap, &info, &out);
        json_finish(&out);
    }
    return 0;
}
