/* tests/unit/tables.c: page tables of a simulated machine, and a second opinion about them */
#include "tests/unit/tables.h"

struct flushes flushes;
static unsigned long free_before;

/* ---- the reference walker -------------------------------------------------------------------- */

static uint64_t read_32(uint64_t phys)
{
    uint32_t value;
    __builtin_memcpy(&value, machine.port.base + phys, sizeof value);
    return value;
}

static uint64_t read_64(uint64_t phys)
{
    uint64_t value;
    __builtin_memcpy(&value, machine.port.base + phys, sizeof value);
    return value;
}

static void step(struct reference *r, uint64_t where, bool wide, uint64_t page_size)
{
    r->where = where;
    r->entry = wide ? read_64(where) : read_32(where);
    r->page_size = page_size;
    r->present = r->entry & 1;
}

static void rights(struct reference *r)
{
    r->write = r->write && r->entry & 2;
    r->user = r->user && r->entry & 4;
    r->no_execute = r->no_execute || r->entry >> 63;
}

/* SDM 3A, figures 4-2 and 4-3. */
static void walk_i386(struct reference *r, uint64_t root, uint64_t virt, bool pse)
{
    step(r, root + (virt >> 22) * 4, false, 0x400000);
    if (!r->present)
        return;
    rights(r);
    if (pse && r->entry & 0x80) {
        r->phys = (r->entry & 0xffc00000) | (r->entry >> 13 & 0xff) << 32 | (virt & 0x3fffff);
        return;
    }
    step(r, (r->entry & 0xfffff000) + (virt >> 12 & 0x3ff) * 4, false, 0x1000);
    if (!r->present)
        return;
    rights(r);
    r->phys = (r->entry & 0xfffff000) | (virt & 0xfff);
}

/* Figures 4-5 and 4-6: a PDPTE has no rights. */
static void walk_pae(struct reference *r, uint64_t root, uint64_t virt)
{
    step(r, root + (virt >> 30) * 8, true, 0x40000000);
    if (!r->present)
        return;
    step(r, (r->entry & 0xffffffffff000) + (virt >> 21 & 0x1ff) * 8, true, 0x200000);
    if (!r->present)
        return;
    rights(r);
    if (r->entry & 0x80) {
        r->phys = (r->entry & 0xfffffffe00000) | (virt & 0x1fffff);
        return;
    }
    step(r, (r->entry & 0xffffffffff000) + (virt >> 12 & 0x1ff) * 8, true, 0x1000);
    if (!r->present)
        return;
    rights(r);
    r->phys = (r->entry & 0xffffffffff000) | (virt & 0xfff);
}

/* Figures 4-8 to 4-10. */
static void walk_long(struct reference *r, uint64_t root, uint64_t virt, unsigned top)
{
    uint64_t table = root;
    for (unsigned shift = top;; shift -= 9) {
        step(r, table + (virt >> shift & 0x1ff) * 8, true, (uint64_t)1 << shift);
        if (!r->present)
            return;
        rights(r);
        if (shift == 12 || (shift <= 30 && r->entry & 0x80)) {
            uint64_t offset = virt & (((uint64_t)1 << shift) - 1);
            r->phys = (r->entry & 0xffffffffff000 & ~(((uint64_t)1 << shift) - 1)) | offset;
            return;
        }
        table = r->entry & 0xffffffffff000;
    }
}

struct reference reference_walk(enum quire_pt_format_id format, uint64_t root, uint64_t virt)
{
    struct reference r = {.write = true, .user = true};
    switch (format) {
    case QUIRE_PT_FORMAT_I386:
    case QUIRE_PT_FORMAT_I386_4K:
        walk_i386(&r, root, virt, format == QUIRE_PT_FORMAT_I386);
        break;
    case QUIRE_PT_FORMAT_PAE:
        walk_pae(&r, root, virt);
        break;
    default:
        walk_long(&r, root, virt, format == QUIRE_PT_FORMAT_LA57 ? 48 : 39);
    }
    return r;
}

bool reference_access(enum quire_pt_format_id format, uint64_t root, uint64_t virt, bool write)
{
    struct reference r = reference_walk(format, root, virt);
    if (!r.present)
        return false;
    /* Both bits are in the lowest byte. */
    machine.port.base[r.where] = (char)(machine.port.base[r.where] | (write ? 0x60 : 0x20));
    return true;
}

/* ---- what the tables hold -------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* Which pages the tables are doesn't count, nor do tables without entries count as nothing. */
static uint64_t hash_table(const struct quire_pgtable *pt, uint64_t table, unsigned depth,
                           uint64_t hash)
{
    static const unsigned char entries[QUIRE_NR_PT_FORMATS][5] = {
        {10, 10}, {10, 10}, {2, 9, 9}, {9, 9, 9, 9}, {9, 9, 9, 9, 9}};
    static const unsigned char levels[QUIRE_NR_PT_FORMATS] = {2, 2, 3, 4, 5};
    unsigned id = (unsigned)(pt->format - quire_pt_formats);
    bool wide = id >= QUIRE_PT_FORMAT_PAE;
    for (unsigned i = 0; i < 1u << entries[id][depth]; i++) {
        uint64_t entry = wide ? read_64(table + i * 8) : read_32(table + i * 4);
        bool huge = entry & 0x80 && id != QUIRE_PT_FORMAT_I386_4K;
        if (!entry)
            continue;
        hash = mix(hash, i);
        if (depth + 1u < levels[id] && entry & 1 && !huge)
            hash = mix(hash_table(pt, entry & 0xffffffffff000, depth + 1, hash), 7);
        else
            hash = mix(hash, entry);
    }
    return hash;
}

uint64_t tables_hash(const struct quire_pgtable *pt)
{
    return hash_table(pt, pt->root, 0, 1);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void count_flush(void *arg, const struct quire_tlb_flush *flush)
{
    (void)arg;
    flushes.count++;
    flushes.all += flush->all;
    flushes.bytes += flush->all ? 0 : flush->size;
    flushes.last = *flush;
}

bool tables_start(struct quire_pgtable *pt, enum quire_pt_format_id format,
                  struct quire_pt_features features)
{
    struct quire_pgtable_config config = {
        .mem = machine.mem, .format = format, .features = features, .flush = count_flush};
    free_before = quire_nr_free_pages(machine.mem);
    flushes = (struct flushes){0};
    int error = quire_pgtable_init(pt, &config);
    CHECK_EQ(error, 0);
    if (error)
        return false;
    quire_pgtable_cpu_enter(pt, 0);
    return true;
}

unsigned empty_tables(const struct quire_pgtable *pt)
{
    return pt->format == &quire_pt_formats[QUIRE_PT_FORMAT_PAE] ? 5 : 1;
}

void tables_end(struct quire_pgtable *pt)
{
    quire_pgtable_check(pt);
    quire_pgtable_destroy(pt);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
    CHECK_EQ(machine.bad_pages, 0);
}
