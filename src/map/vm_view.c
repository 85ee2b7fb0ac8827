/* map/vm_view.c: what vmalloc has handed out
 *
 * As text in the format of Linux's /proc/vmallocinfo: sizes include the guard page as they do
 * there, and a range that waits for a purge is an "unpurged vm_area". As JSON, one object with the
 * name and version of its schema, where addresses are strings in hexadecimal. Pages of each node
 * are counted in the page tables: those are never taken away, whatever becomes of the range
 * meanwhile.
 */
#include "base/json.h"
#include "map/vmalloc.h"

struct line {
    quire_linear_t start, end;
    uintptr_t caller;
    uint8_t kind, state;
    unsigned long on_node[QUIRE_MAX_NODES];
};

/* The first range that ends above *at, which moves on; false: there is none. */
static bool next_line(struct quire_vmalloc *vm, quire_linear_t *at, struct line *line)
{
    quire_port_irq_t irq = vm_lock(vm);
    struct vm_node *node = vm_tree_above(&vm->tree, *at);
    if (node) {
        const struct area *area = area_of(node);
        *line = (struct line){.start = node->start,
                              .end = node->end,
                              .caller = area->caller,
                              .kind = area->kind,
                              .state = area->state};
        *at = node->end;
    }
    vm_unlock(vm, irq);
    return node;
}

static void count_nodes(struct quire_vmalloc *vm, struct line *line)
{
    for (quire_linear_t at = line->start; at < line->end - QUIRE_PAGE_SIZE; at += QUIRE_PAGE_SIZE) {
        const struct quire_page *page = quire_vmalloc_to_page(vm, at);
        if (page)
            line->on_node[quire_page_node(vm->mem, page)]++;
    }
}

static unsigned long line_pages(const struct line *line)
{
    return (unsigned long)((line->end - line->start) >> QUIRE_PAGE_SHIFT) - 1;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_line(struct quire_vmalloc *vm, struct text *text, const struct line *line)
{
    int digits = vm->pt->format->virt_bits > 32 ? 16 : 8;
    text_printf(text, "0x%0*llx-0x%0*llx %7llu", digits, (unsigned long long)line->start, digits,
                (unsigned long long)line->end, (unsigned long long)(line->end - line->start));
    if (line->state != AREA_USED) {
        text_puts(text, " unpurged vm_area\n");
        return;
    }
    text_printf(text, " 0x%lx", (unsigned long)line->caller);
    if (line->kind == AREA_VMAP) {
        text_puts(text, " vmap\n");
        return;
    }
    text_printf(text, " pages=%lu vmalloc", line_pages(line));
    for (unsigned node = 0; node < QUIRE_MAX_NODES; node++)
        if (line->on_node[node])
            text_printf(text, " N%u=%lu", node, line->on_node[node]);
    text_puts(text, "\n");
}

static void put_text(struct quire_vmalloc *vm, quire_write_fn *write, void *arg)
{
    struct text text;
    struct line line;
    text_init(&text, write, arg);
    for (quire_linear_t at = 0; next_line(vm, &at, &line);) {
        if (line.state == AREA_BUILDING)
            continue;
        if (line.state == AREA_USED && line.kind == AREA_VMALLOC)
            count_nodes(vm, &line);
        put_line(vm, &text, &line);
    }
    text_flush(&text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static const char *kind_name(const struct line *line)
{
    if (line->state != AREA_USED)
        return "unpurged";
    return line->kind == AREA_VMAP ? "vmap" : "vmalloc";
}

static void put_object(struct quire_vmalloc *vm, struct json *json, const struct line *line)
{
    json_object(json, NULL);
    json_hex(json, "start", line->start);
    json_unsigned(json, "bytes", line->end - line->start);
    json_string(json, "kind", kind_name(line));
    json_hex(json, "caller", line->caller);
    json_unsigned(json, "pages", line_pages(line));
    json_array(json, "node_pages");
    for (unsigned node = 0; node < quire_mem_nr_nodes(vm->mem); node++)
        json_unsigned(json, NULL, line->on_node[node]);
    json_end(json);
    json_end(json);
}

static void put_json(struct quire_vmalloc *vm, quire_write_fn *write, void *arg)
{
    struct json json;
    struct line line;
    struct quire_vmalloc_info info;
    quire_vmalloc_info(vm, &info);
    json_init(&json, write, arg);
    json_object(&json, NULL);
    json_string(&json, "schema", "quire.vmallocinfo/2");
    json_unsigned(&json, "page_bytes", QUIRE_PAGE_SIZE);
    json_hex(&json, "start", vm->start);
    json_hex(&json, "end", vm->end);
    json_unsigned(&json, "lazy_pages", info.nr_lazy_pages);
    json_unsigned(&json, "lazy_limit_pages", vm->lazy_limit);
    json_unsigned(&json, "purges", info.nr_purges);
    json_array(&json, "ranges");
    for (quire_linear_t at = 0; next_line(vm, &at, &line);) {
        if (line.state == AREA_BUILDING)
            continue;
        count_nodes(vm, &line);
        put_object(vm, &json, &line);
    }
    json_end(&json);
    json_end(&json);
    json_finish(&json);
}

int quire_vmallocinfo(struct quire_vmalloc *vm, enum quire_format format, quire_write_fn *write,
                      void *arg)
{
    if (format == QUIRE_FORMAT_TEXT)
        put_text(vm, write, arg);
    else if (format == QUIRE_FORMAT_JSON)
        put_json(vm, write, arg);
    else
        return -QUIRE_EINVAL;
    return 0;
}
