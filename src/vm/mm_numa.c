/* vm/mm_numa.c: /proc/PID/numa_maps: which node's memory areas have (man 7 numa) */
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/mm_view.h"

struct counts {
    struct quire_vma *vma;
    unsigned long pages, anon, dirty, swapcache, active, writeback;
    unsigned mapcount_max;
    unsigned long node[QUIRE_MAX_NODES];
};

static void count_page(struct counts *c, const struct quire_page *page, uint64_t entry)
{
    struct quire_vm *vm = c->vma->mm->vm;
    unsigned node = (unsigned)quire_page_node(vm->mem, page), maps = page_mapcount(page);
    c->pages++;
    c->node[node]++;
    c->anon += page_is_anon(page);
    c->dirty += entry & QUIRE_PTE_DIRTY || page_has(page, PG_DIRTY);
    c->swapcache += page_has(page, PG_SWAPCACHE);
    c->writeback += page_has(page, PG_WRITEBACK);
    c->active += lru_is_active(vm, page);
    c->mapcount_max = maps > c->mapcount_max ? maps : c->mapcount_max;
}

/* As smaps: each entry under its lock. */
static int count_run(void *arg, const struct quire_pt_run *run)
{
    struct counts *c = arg;
    struct quire_mm *mm = c->vma->mm;
    for (unsigned i = 0; i < run->count; i++) {
        quire_linear_t at = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE;
        entry_lock(mm, at);
        uint64_t entry = quire_get_entry(&mm->pt, at);
        if (entry_has_page(entry)) {
            const struct quire_page *page =
                quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
            if (page != mm->vm->zero_page)
                count_page(c, page, entry);
        }
        entry_unlock(mm, at);
    }
    return 0;
}

static void count_area(struct counts *c, struct quire_vma *vma)
{
    *c = (struct counts){.vma = vma};
    (void)!quire_visit_range(&vma->mm->pt, vma->start, vma->end - vma->start,
                             QUIRE_VISIT_NOT_PRESENT, count_run, c);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_count(struct text *text, const char *label, unsigned long count, bool wanted)
{
    if (wanted)
        text_printf(text, " %s=%lu", label, count);
}

static void put_name(struct text *text, const struct quire_vma *vma)
{
    const char *name = vma_name(vma);
    if (!name)
        return;
    if (name[0] == '[') { /* [heap] and [stack] have names of their own here, [vdso] has none */
        text_puts(text, name[1] == 'h' ? " heap" : name[1] == 's' ? " stack" : "");
        return;
    }
    text_puts(text, " file=");
    for (; *name; name++) {
        unsigned c = (unsigned char)*name;
        if (c == '\n' || c == '\t' || c == ' ' || c == '=')
            text_printf(text, "\\%u%u%u", c >> 6, c >> 3 & 7, c & 7);
        else
            text_printf(text, "%c", *name);
    }
}

static void put_area(struct text *text, struct quire_vma *vma,
                     const struct quire_mempolicy *otherwise)
{
    struct quire_mempolicy *policy = vma_mempolicy(vma, vma->start);
    struct counts c;
    text_printf(text, "%08llx ", (unsigned long long)vma->start);
    mempolicy_text(text, policy ? policy : otherwise);
    quire_mempolicy_put(policy);
    put_name(text, vma);
    count_area(&c, vma);
    put_count(text, "anon", c.anon, c.anon);
    put_count(text, "dirty", c.dirty, c.dirty);
    put_count(text, "mapped", c.pages, c.pages != c.anon && c.pages != c.dirty);
    put_count(text, "mapmax", c.mapcount_max, c.mapcount_max > 1);
    put_count(text, "swapcache", c.swapcache, c.swapcache);
    put_count(text, "active", c.active, c.active < c.pages);
    put_count(text, "writeback", c.writeback, c.writeback);
    for (unsigned node = 0; node < QUIRE_MAX_NODES; node++)
        if (c.node[node])
            text_printf(text, " N%u=%lu", node, c.node[node]);
    if (c.pages)
        text_printf(text, " kernelpagesize_kB=%lu", QUIRE_PAGE_SIZE >> 10);
    text_puts(text, "\n");
}

void numa_maps_text(struct quire_mm *mm, struct text *text)
{
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma))
        put_area(text, vma, NULL);
}

int quire_mm_numa_maps(struct quire_mm *mm, const struct quire_mempolicy *thread,
                       quire_linear_t *from, quire_write_fn *write, void *arg)
{
    struct text text;
    text_init(&text, write, arg);
    rwlock_read(&mm->lock);
    struct quire_vma *vma = vma_above(mm, *from);
    if (vma) {
        put_area(&text, vma, thread);
        *from = vma->end;
    }
    text_flush(&text);
    rwlock_read_unlock(&mm->lock);
    return vma ? 0 : -QUIRE_ENOENT;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void numa_maps_json(struct quire_mm *mm, struct json *json)
{
    json_array(json, "areas");
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        struct quire_mempolicy *policy = vma_mempolicy(vma, vma->start);
        struct counts c;
        count_area(&c, vma);
        json_object(json, NULL);
        maps_members(json, vma);
        json_unsigned(json, "policy", quire_mempolicy_mode(policy));
        json_hex(json, "policy_nodes", quire_mempolicy_nodes(policy));
        json_unsigned(json, "pages", c.pages);
        json_unsigned(json, "anon", c.anon);
        json_unsigned(json, "dirty", c.dirty);
        json_array(json, "nodes");
        for (unsigned node = 0; node < mm->vm->nr_nodes; node++)
            json_unsigned(json, NULL, c.node[node]);
        json_end(json);
        json_end(json);
        quire_mempolicy_put(policy);
    }
    json_end(json);
}
