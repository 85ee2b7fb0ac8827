/* vm/view.c: meminfo, vmstat, swaps: as Linux's /proc has them, or as JSON with a schema's name */
#include "vm/view.h"

static void put_meminfo_line(void *arg, const char *name, unsigned long value)
{
    char title[32];
    (void)quire_snprintf(title, sizeof title, "%s:", name);
    text_printf(arg, "%-15s %8lu kB\n", title, value);
}

static void put_line(void *arg, const char *name, unsigned long value)
{
    text_printf(arg, "%s %lu\n", name, value);
}

static void put_member(void *arg, const char *name, unsigned long value)
{
    json_unsigned(arg, name, value);
}

static void view_text(struct quire_vm *vm, enum quire_vm_view view, quire_write_fn *write,
                      void *arg)
{
    struct text text;
    text_init(&text, write, arg);
    if (view == QUIRE_VM_VIEW_MEMINFO)
        for_each_meminfo(vm, put_meminfo_line, &text);
    else if (view == QUIRE_VM_VIEW_VMSTAT)
        for_each_vmstat(vm, put_line, &text);
    else
        swaps_text(vm, &text);
    text_flush(&text);
}

static void view_json(struct quire_vm *vm, enum quire_vm_view view, quire_write_fn *write,
                      void *arg)
{
    static const char *const schema[QUIRE_NR_VM_VIEWS] = {
        [QUIRE_VM_VIEW_MEMINFO] = "quire.meminfo/1",
        [QUIRE_VM_VIEW_VMSTAT] = "quire.vm.vmstat/1",
        [QUIRE_VM_VIEW_SWAPS] = "quire.swaps/1",
    };
    struct json json;
    json_init(&json, write, arg);
    json_object(&json, NULL);
    json_string(&json, "schema", schema[view]);
    if (view == QUIRE_VM_VIEW_SWAPS) {
        swaps_json(vm, &json);
    } else if (view == QUIRE_VM_VIEW_MEMINFO) {
        json_object(&json, "kib");
        for_each_meminfo(vm, put_member, &json);
        json_end(&json);
    } else {
        json_object(&json, "counters");
        for_each_vmstat(vm, put_member, &json);
        json_end(&json);
    }
    json_end(&json);
    json_finish(&json);
}

int quire_vm_view(struct quire_vm *vm, enum quire_vm_view view, enum quire_format format,
                  quire_write_fn *write, void *arg)
{
    if (view >= QUIRE_NR_VM_VIEWS)
        return -QUIRE_EINVAL;
    if (format == QUIRE_FORMAT_TEXT)
        view_text(vm, view, write, arg);
    else if (format == QUIRE_FORMAT_JSON)
        view_json(vm, view, write, arg);
    else
        return -QUIRE_EINVAL;
    return 0;
}
