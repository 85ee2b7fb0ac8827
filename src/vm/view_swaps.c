/* vm/view_swaps.c: /proc/swaps, to the column (Linux: mm/swapfile.c, swap_show) */
#include "vm/swap.h"
#include "vm/view.h"

#define KIB(pages) ((unsigned long)(pages) << (QUIRE_PAGE_SHIFT - 10))
#define NAME_COLUMNS 40
#define WIDE_KIB 10000000ul /* from here on a number fills its column */

/* A name, and spaces to the next column: at least one. */
static void put_name(struct text *text, const char *name)
{
    unsigned length = 0;
    text_puts(text, name);
    while (name[length])
        length++;
    do
        text_puts(text, " ");
    while (++length < NAME_COLUMNS);
}

static void put_line(struct text *text, const struct quire_swap_info *info)
{
    unsigned long size = KIB(info->nr_slots), used = KIB(info->nr_used);
    put_name(text, info->name);
    text_printf(text, "%s\t%lu\t%s%lu\t%s%d\n", info->is_file ? "file\t" : "partition", size,
                size < WIDE_KIB ? "\t" : "", used, used < WIDE_KIB ? "\t" : "", info->priority);
}

void swaps_text(struct quire_vm *vm, struct text *text)
{
    struct quire_swap_info info;
    text_puts(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (unsigned area = 0; area < QUIRE_MAX_SWAP_AREAS; area++)
        if (!quire_swap_info(vm, (int)area, &info))
            put_line(text, &info);
}

void swaps_json(struct quire_vm *vm, struct json *json)
{
    struct quire_swap_info info;
    json_array(json, "areas");
    for (unsigned area = 0; area < QUIRE_MAX_SWAP_AREAS; area++) {
        if (quire_swap_info(vm, (int)area, &info))
            continue;
        json_object(json, NULL);
        json_unsigned(json, "area", area);
        json_string(json, "filename", info.name);
        json_string(json, "type", info.is_file ? "file" : "partition");
        json_unsigned(json, "size_kib", KIB(info.nr_slots));
        json_unsigned(json, "used_kib", KIB(info.nr_used));
        json_signed(json, "priority", info.priority);
        json_end(json);
    }
    json_end(json);
}
