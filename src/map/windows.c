/* map/windows.c: the areas of kernel windows, the direct map, and the fixmap
 *
 * An area is a range whose entries are made once, all CLOSED, and from then on only exchanged: each
 * by its one owner (kmap's lock, a CPU, a fixmap page's caller). So a table's count of entries
 * stays, no window allocates, and whatever else shares the table can come and go.
 *
 *   bound   opening or closing a window is a walk and an exchange for each PT entry of a frame
 */
#include "map/windows.h"

/* ---- the direct map -------------------------------------------------------------------------- */

int quire_direct_map_init(struct quire_direct_map *direct, struct quire_pgtable *pt,
                          quire_linear_t base, quire_phys_t memory_end, quire_phys_t most,
                          uint64_t prot)
{
    quire_phys_t end = most && most < memory_end ? most : memory_end;
    if (end & (QUIRE_PAGE_SIZE - 1) || base & (QUIRE_PAGE_SIZE - 1))
        return -QUIRE_EINVAL;
    int error = quire_map_range(pt, base, 0, end, prot, 0);
    if (!error)
        *direct = (struct quire_direct_map){base, end};
    return error;
}

/* ---- entries --------------------------------------------------------------------------------- */

static quire_linear_t stripped(const struct quire_windows *w, quire_linear_t virt)
{
    return without_sign(w->pt, virt);
}

static uint64_t replace(const struct quire_pgtable *pt, quire_linear_t at, uint64_t entry)
{
    unsigned height;
    void *table = table_for(pt, at, at + 1, &height);
    QUIRE_BUG_ON(height); /* someone unmapped an area */
    uint64_t old = exchange(pt, table, step_index(pt, 0, at), entry);
    QUIRE_BUG_ON(!old);
    return old;
}

/* Shows a frame with any rights. True: it replaced another, which is in the batch then. */
static bool show(const struct quire_windows *w, quire_linear_t virt, quire_phys_t phys,
                 uint64_t prot, struct quire_tlb_batch *batch)
{
    quire_linear_t at = stripped(w, virt), end = at + QUIRE_PAGE_SIZE;
    uint64_t entry = leaf_entry(w->pt, 0, phys, prot);
    bool replaced = false;
    for (quire_linear_t piece = at; piece < end; piece += PT_PAGE_BYTES, entry += PT_PAGE_BYTES)
        replaced |= entry_is_present(replace(w->pt, piece, entry));
    if (replaced && batch)
        batch_add(batch, at, end, PT_SHIFT);
    return replaced;
}

void window_open(const struct quire_windows *w, quire_linear_t virt, quire_phys_t phys)
{
    bool was_open = show(w, virt, phys, w->prot, NULL);
    QUIRE_BUG_ON(was_open);
}

void window_close(const struct quire_windows *w, quire_linear_t virt, struct quire_tlb_batch *batch)
{
    quire_linear_t at = stripped(w, virt), end = at + QUIRE_PAGE_SIZE;
    bool was_open = false;
    for (quire_linear_t piece = at; piece < end; piece += PT_PAGE_BYTES)
        was_open |= entry_is_present(replace(w->pt, piece, CLOSED));
    if (was_open && batch)
        batch_add(batch, at, end, PT_SHIFT);
}

bool window_phys(const struct quire_windows *w, quire_linear_t virt, quire_phys_t *phys)
{
    struct quire_pt_query query;
    if (quire_query(w->pt, virt, &query))
        return false;
    *phys = query.phys;
    return true;
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void release_area(struct quire_pgtable *pt, quire_linear_t base, uint64_t size)
{
    if (size) {
        int error = quire_unmap_range(pt, base, size, 0, NULL);
        QUIRE_BUG_ON(error); /* there is nothing huge to be split */
    }
}

static int reserve_area(struct quire_pgtable *pt, quire_linear_t base, uint64_t size)
{
    quire_linear_t at, end;
    int error = size ? own_range(pt, base, size, QUIRE_PAGE_SIZE, &at, &end) : 0;
    if (error)
        return error;
    for (uint64_t done = 0; done < size; done += PT_PAGE_BYTES) {
        uint64_t expected = 0;
        error = quire_cmpxchg_entry(pt, base + done, &expected, CLOSED);
        if (error) {
            release_area(pt, base, done);
            return error == -QUIRE_EAGAIN ? -QUIRE_EEXIST : error;
        }
    }
    return 0;
}

static uint64_t pkmap_bytes(const struct quire_windows *w)
{
    return (uint64_t)w->nr_pkmap * QUIRE_PAGE_SIZE;
}

static uint64_t fixmap_bytes(const struct quire_windows *w)
{
    uint64_t local = (uint64_t)w->nr_cpus * QUIRE_KMAP_LOCAL_SLOTS;
    return w->fixmap_top ? (w->nr_fixed + local) * QUIRE_PAGE_SIZE : 0;
}

static quire_linear_t fixmap_base(const struct quire_windows *w)
{
    return w->fixmap_top - fixmap_bytes(w);
}

unsigned quire_pkmap_pages(const struct quire_pgtable *pt)
{
    return step_entries(pt, 0) >> (QUIRE_PAGE_SHIFT - PT_SHIFT);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int make(struct quire_windows *w)
{
    int error = reserve_area(w->pt, w->pkmap_base, pkmap_bytes(w));
    if (error)
        return error;
    error = reserve_area(w->pt, fixmap_base(w), fixmap_bytes(w));
    if (error)
        goto release_pkmap;
    error = pkmap_init(w);
    if (error)
        goto release_fixmap;
    error = kmap_stacks_init(w);
    if (!error)
        return 0;
    (void)pkmap_destroy(w);
release_fixmap:
    release_area(w->pt, fixmap_base(w), fixmap_bytes(w));
release_pkmap:
    release_area(w->pt, w->pkmap_base, pkmap_bytes(w));
    return error;
}

int quire_windows_init(struct quire_windows *w, const struct quire_windows_config *config)
{
    struct quire_pgtable *pt = config->pt;
    const uint64_t rights =
        QUIRE_PTE_WRITE | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX;
    if (!pt || config->nr_pkmap > QUIRE_MAX_PKMAP || config->nr_cpus > QUIRE_MAX_CPUS ||
        config->nr_fixed > QUIRE_MAX_PKMAP || (config->nr_fixed && !config->fixmap_top) ||
        !prot_is_valid(pt, config->prot))
        return -QUIRE_EINVAL;
    *w = (struct quire_windows){
        .pt = pt,
        .direct = config->direct,
        .pkmap_base = config->pkmap_base,
        .fixmap_top = config->fixmap_top,
        .nr_pkmap = config->nr_pkmap,
        .nr_fixed = config->nr_fixed,
        .nr_cpus = config->nr_cpus ? config->nr_cpus : quire_mem_nr_cpus(pt->mem),
        .prot = config->prot ? config->prot : rights & pt->prot_mask,
    };
    return make(w);
}

unsigned long quire_windows_destroy(struct quire_windows *w)
{
    unsigned long open = pkmap_destroy(w) + kmap_stacks_destroy(w);
    release_area(w->pt, fixmap_base(w), fixmap_bytes(w));
    release_area(w->pt, w->pkmap_base, pkmap_bytes(w));
    *w = (struct quire_windows){.pt = NULL};
    return open;
}

void quire_windows_check(const struct quire_windows *w)
{
    pkmap_check(w);
    kmap_stacks_check(w);
}

/* ---- the fixmap ------------------------------------------------------------------------------ */

int quire_set_fixmap(struct quire_windows *w, unsigned index, quire_phys_t phys, uint64_t prot)
{
    struct quire_tlb_batch batch;
    if (index >= w->nr_fixed || phys & (QUIRE_PAGE_SIZE - 1) || !window_can_show(w, phys) ||
        !prot_is_valid(w->pt, prot))
        return -QUIRE_EINVAL;
    quire_tlb_batch_init(&batch, w->pt);
    show(w, quire_fix_to_virt(w, index), phys, prot, &batch);
    quire_tlb_flush(&batch);
    return 0;
}

int quire_clear_fixmap(struct quire_windows *w, unsigned index)
{
    struct quire_tlb_batch batch;
    if (index >= w->nr_fixed)
        return -QUIRE_EINVAL;
    quire_tlb_batch_init(&batch, w->pt);
    window_close(w, quire_fix_to_virt(w, index), &batch);
    quire_tlb_flush(&batch);
    return 0;
}

int quire_virt_to_fix(const struct quire_windows *w, quire_linear_t virt, unsigned *index)
{
    uint64_t below = w->fixmap_top - 1 - virt; /* an address above the top wraps */
    if (below >= (uint64_t)w->nr_fixed * QUIRE_PAGE_SIZE)
        return -QUIRE_EINVAL;
    *index = (unsigned)(below >> QUIRE_PAGE_SHIFT);
    return 0;
}
