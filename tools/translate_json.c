/* tools/translate_json.c: a translation as JSON
 *
 * Schema 2: members are only ever added. Addresses, and what has as many bits, are strings in
 * hexadecimal; counts are numbers. (In schema 1 all were numbers.)
 */
#include "base/json.h"
#include "translate.h"

static void write_stdout(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

static void segment(struct json *json, const struct translation *t)
{
    const struct quire_descriptor *d = &t->descriptor;
    json_object(json, "segment");
    json_unsigned(json, "selector", t->selector);
    json_unsigned(json, "index", quire_selector_index(t->selector));
    json_string(json, "table", t->selector & QUIRE_SELECTOR_TI ? "ldt" : "gdt");
    json_unsigned(json, "rpl", t->selector & QUIRE_SELECTOR_RPL);
    if (t->has_descriptor) {
        json_object(json, "descriptor");
        json_hex(json, "raw", t->descriptor_raw);
        json_hex(json, "base", d->base);
        json_unsigned(json, "limit", quire_descriptor_limit(d));
        json_unsigned(json, "type", d->type);
        json_bool(json, "code_or_data", d->code_or_data);
        json_unsigned(json, "dpl", d->dpl);
        json_bool(json, "present", d->present);
        json_bool(json, "long_mode", d->long_mode);
        json_bool(json, "big", d->big);
        json_bool(json, "granular", d->granular);
        json_end(json);
    }
    json_unsigned(json, "gdt_limit", t->gdt_limit);
    json_bool(json, "flat", t->flat);
    json_end(json);
}

static void level(struct json *json, const struct translation *t, unsigned l, unsigned step)
{
    const struct quire_pt_level_format *at = &t->format->level[l];
    json_object(json, NULL);
    json_string(json, "level", level_names[l]);
    json_bool(json, "folded", !at->index_bits);
    if (at->index_bits) {
        json_string(json, "name", intel_name(t->options->mode, l));
        json_unsigned(json, "low_bit", at->shift);
        json_unsigned(json, "bits", at->index_bits);
        json_unsigned(json, "index", split_index(t->format, l, t->linear));
    }
    if (t->walked && step < t->walk.nr_steps) {
        const struct quire_walk_step *seen = &t->step[step];
        char flags[160] = "";
        if (!seen->unreadable)
            flags_text(t->format, seen->entry, seen->leaf, seen->in_register, l, flags,
                       sizeof flags);
        json_hex(json, "entry_at", seen->entry_at);
        json_hex(json, "entry", seen->entry);
        json_bool(json, "leaf", seen->leaf);
        json_string(json, "flags", flags);
    }
    json_end(json);
}

static void levels(struct json *json, const struct translation *t)
{
    unsigned last = QUIRE_PT;
    if (t->walked)
        last = t->walk.nr_steps ? t->step[t->walk.nr_steps - 1].level : QUIRE_NR_PT_LEVELS;
    json_array(json, "levels");
    for (unsigned l = QUIRE_NR_PT_LEVELS, step = 0; l-- > last; step++)
        level(json, t, l, step);
    json_end(json);
}

static void fault(struct json *json, const struct quire_fault *f)
{
    json_object(json, "fault");
    json_string(json, "vector", vector_name(f->vector));
    json_unsigned(json, "number", f->vector);
    json_unsigned(json, "error_code", f->error_code);
    json_string(json, "reason", quire_fault_reason_text((enum quire_fault_reason)f->reason));
    json_end(json);
}

void print_json(const struct translation *t)
{
    static const char *const accesses[] = {"read", "write", "exec"};
    struct json json;
    json_init(&json, write_stdout, NULL);
    json_object(&json, NULL);
    json_unsigned(&json, "schema", TRANSLATE_SCHEMA);
    json_string(&json, "mode", t->format->name);
    json_string(&json, "access", accesses[t->options->access]);
    json_unsigned(&json, "cpl", t->options->user ? 3 : 0);
    json_hex(&json, "offset", t->options->address);
    segment(&json, t);
    if (t->has_linear) {
        json_hex(&json, "linear", t->linear);
        if (t->has_tables)
            json_hex(&json, "cr3", t->cr3);
        if (t->has_memory_bytes)
            json_unsigned(&json, "snapshot_bytes", t->memory_bytes);
        levels(&json, t);
    }
    if (t->has_phys) {
        json_hex(&json, "physical", t->walk.phys);
        json_unsigned(&json, "page_bytes", (uint64_t)1 << t->walk.shift);
    }
    if (t->fault.vector)
        fault(&json, &t->fault);
    json_end(&json);
    json_finish(&json);
}
