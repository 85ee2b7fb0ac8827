/* map/pgtable.c: a tree of tables, and the pages that its tables are
 *
 * A table is a whole page frame of the direct map, zeroed, of order 0; formats with 4-byte entries
 * need it below 4 GiB, and so does CR3 for PAE's root (SDM 3A, table 4-7), which uses 32 bytes of
 * its page. Tables are installed by a compare-exchange, so that two who miss the same one agree.
 *
 * Processors with PAE read the four entries of the root when they load CR3, and no flush of a page
 * makes them look again (4.4.1). So these entries never change: their tables are made with the root
 * and stay as long as it does. Linux does the same.
 */
#include "map/table.h"
#include "phys/cleared.h"

#define LIMIT_4_GIB ((quire_phys_t)1 << 32)

/* The last address that a range can have. */
#define LAST_BYTE ((quire_linear_t)(QUIRE_LINEAR_BITS == 32 ? -2 : -1))

/* ---- addresses ------------------------------------------------------------------------------- */

/* 0 or -EINVAL: also if it goes beyond `most`, or to where its end is no address. */
static QUIRE_ALWAYS_INLINE int strip_below(const struct quire_pgtable *pt, quire_linear_t virt,
                                           uint64_t size, uint64_t align, quire_linear_t most,
                                           quire_linear_t *at, quire_linear_t *end)
{
    quire_linear_t last;
    if (!size || ((virt | size) & (align - 1)) || size - 1 > LAST_BYTE - virt)
        return -QUIRE_EINVAL;
    if (!strip(pt, virt, at) || !strip(pt, virt + (quire_linear_t)(size - 1), &last))
        return -QUIRE_EINVAL;
    /* From one half to the other only across what isn't canonical. */
    if ((*at < pt->address_half) != (last < pt->address_half))
        return -QUIRE_EINVAL;
    *end = last + 1;
    return last <= most ? 0 : -QUIRE_EINVAL;
}

int strip_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t align,
                quire_linear_t *at, quire_linear_t *end)
{
    return strip_below(pt, virt, size, align, pt->address_last, at, end);
}

int own_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t align,
              quire_linear_t *at, quire_linear_t *end)
{
    return strip_below(pt, virt, size, align, pt->own_last, at, end);
}

int changed_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                  quire_linear_t *at, quire_linear_t *end)
{
    int error = strip_below(pt, virt, size, PT_PAGE_BYTES, pt->own_last, at, end);
    return !error && has_kept_page(pt, *at, *end) ? -QUIRE_EBUSY : error;
}

/* ---- entries --------------------------------------------------------------------------------- */

bool prot_is_valid(const struct quire_pgtable *pt, uint64_t prot)
{
    return !(prot & ~pt->prot_mask);
}

uint64_t leaf_bits(unsigned height, uint64_t prot)
{
    if (!height || !(prot & QUIRE_PTE_PAT))
        return prot;
    return (prot & ~(uint64_t)QUIRE_PTE_PAT) | QUIRE_PTE_PAT_HUGE;
}

uint64_t leaf_entry(const struct quire_pgtable *pt, unsigned height, quire_phys_t phys,
                    uint64_t prot)
{
    uint64_t huge = height ? QUIRE_PTE_HUGE : 0;
    return quire_pt_leaf_address(pt->format, step_level(pt, height), phys) | QUIRE_PTE_PRESENT |
           huge | leaf_bits(height, prot);
}

uint64_t leaf_prot(const struct quire_pgtable *pt, unsigned height, uint64_t entry)
{
    uint64_t prot = entry & (QUIRE_PT_PROT & (0xfff | pt->format->nx));
    if (!height)
        return prot;
    prot &= ~(uint64_t)QUIRE_PTE_PAT;
    return entry & QUIRE_PTE_PAT_HUGE ? prot | QUIRE_PTE_PAT : prot;
}

uint64_t quire_pt_entry_prot(const struct quire_pgtable *pt, enum quire_pt_level level,
                             uint64_t entry)
{
    return leaf_prot(pt, level == QUIRE_PT ? 0 : 1, entry);
}

/* ---- pages of tables ------------------------------------------------------------------------- */

static bool root_is_in_registers(const struct quire_pgtable *pt)
{
    return pt->wide && pt->format->virt_bits == 32;
}

/* Where hardware can find this table; only the root of PAE is named by CR3's 32 bits. */
static quire_phys_t table_limit(const struct quire_pgtable *pt, bool root)
{
    quire_phys_t limit = pt->step[0].phys_end;
    return root && root_is_in_registers(pt) && limit > LIMIT_4_GIB ? LIMIT_4_GIB : limit;
}

static struct quire_page *alloc_table(struct quire_pgtable *pt, bool root)
{
    quire_phys_t limit = table_limit(pt, root);
    struct quire_page *page = alloc_cleared_page(pt->mem, pt->gfp);
    if (page && quire_page_to_phys(page) >= limit) {
        quire_free_page(pt->mem, page);
        page = quire_alloc_page(pt->mem, pt->gfp | QUIRE_GFP_DMA32);
        if (page && quire_page_to_phys(page) >= limit) {
            quire_free_page(pt->mem, page);
            page = NULL;
        }
    }
    if (!page)
        return NULL;
    page->owner_word = 0;
    quire_tell_event(OWNER, page->pfn, 0, EVENT_OWNER_TABLE);
    return page;
}

void stock_put(struct stock *stock, struct quire_page *page)
{
    page->owner.pointer[0] = stock->first;
    stock->first = page;
}

struct quire_page *stock_take(struct stock *stock)
{
    struct quire_page *page = stock->first;
    stock->first = page->owner.pointer[0];
    return page;
}

void stock_empty(struct stock *stock, struct quire_pgtable *pt)
{
    while (stock->first)
        free_cleared_page(pt->mem, stock_take(stock));
}

int stock_fill(struct stock *stock, struct quire_pgtable *pt, unsigned long count)
{
    for (; count; count--) {
        struct quire_page *page = alloc_table(pt, false);
        if (!page) {
            stock_empty(stock, pt);
            return -QUIRE_ENOMEM;
        }
        stock_put(stock, page);
    }
    return 0;
}

/* ---- the tree -------------------------------------------------------------------------------- */

uint64_t entry_of_table(const struct quire_pgtable *pt, unsigned height,
                        const struct quire_page *page)
{
    return quire_page_to_phys(page) | pt->step[height].table_set;
}

void table_came(struct quire_pgtable *pt, unsigned height)
{
    (void)quire_fetch_add(&pt->nr_tables[table_level(pt, height)], 1);
}

void *table_get(struct quire_pgtable *pt, unsigned height, void *parent, unsigned index,
                struct stock *stock, uint32_t *added)
{
    uint64_t entry = load(pt, parent, index);
    if (!entry) {
        struct quire_page *page = stock_take(stock);
        uint64_t desired = entry_of_table(pt, height, page);
        if (compare_exchange(pt, parent, index, &entry, desired)) {
            table_came(pt, height - 1);
            ++*added;
            entry = desired;
        } else
            stock_put(stock, page);
    }
    return leads_to_table(pt, height, entry) ? table_of(pt, entry) : NULL;
}

void table_left(struct quire_pgtable *pt, unsigned height, void *table, quire_linear_t at,
                struct quire_tlb_batch *batch)
{
    (void)quire_fetch_add(&pt->nr_tables[table_level(pt, height)], -1ul);
    /* Also when it mapped nothing: hardware may remember the entry that led to it. */
    at &= ~(PT_PAGE_BYTES - 1);
    batch_add(batch, at, at + PT_PAGE_BYTES, PT_SHIFT);
    batch_remove_table(batch, table_page(pt, table));
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void add_step(struct quire_pgtable *pt, enum quire_pt_level table)
{
    const uint64_t rights =
        QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_ACCESSED;
    enum quire_pt_level level = quire_pt_lowest_shared(pt->format, table);
    quire_phys_t phys_end = quire_pt_phys_end(pt->format, &pt->features, level);
    bool may_be_leaf = quire_pt_may_be_leaf(pt->format, &pt->features, level);
    pt->step[pt->height++] = (struct quire_pt_step){
        .shift = pt->format->level[table].shift,
        .index_mask = (uint16_t)((1u << pt->format->level[table].index_bits) - 1),
        .level = (uint8_t)level,
        .may_be_leaf = may_be_leaf,
        .table_mask = (uint8_t)(level == QUIRE_PT ? 0
                                : may_be_leaf     ? QUIRE_PTE_PRESENT | QUIRE_PTE_HUGE
                                                  : QUIRE_PTE_PRESENT),
        .phys_end = phys_end,
        .table_set = rights & ~quire_pt_reserved(pt->format, &pt->features, level, false),
    };
    if (may_be_leaf && phys_end > pt->phys_end)
        pt->phys_end = phys_end;
}

static int make_root(struct quire_pgtable *pt)
{
    struct quire_page *page = alloc_table(pt, true);
    if (!page)
        return -QUIRE_ENOMEM;
    pt->root = quire_page_to_phys(page);
    pt->nr_tables[QUIRE_PGD] = 1;
    int error = 0;
    if (root_is_in_registers(pt))
        error = keep_entries(pt, 0, own_entries(pt, pt->height - 1u));
    if (error)
        quire_free_page(pt->mem, page);
    else if (pt->shared)
        copy_shared(pt);
    return error;
}

static bool config_is_valid(const struct quire_pgtable_config *config)
{
    unsigned bits = config->features.phys_bits;
    return config->mem && (unsigned)config->format < QUIRE_NR_PT_FORMATS &&
           quire_pt_formats[config->format].virt_bits <= QUIRE_LINEAR_BITS &&
           (!bits || (bits >= 32 && bits <= 52)) &&
           !(config->gfp & (~(quire_gfp_t)QUIRE_GFP_MASK | QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE |
                            QUIRE_GFP_COMP));
}

/* What follows from the format and the processor. */
static void find_format(struct quire_pgtable *pt)
{
    pt->wide = pt->format->entry_bytes == 8;
    pt->address_mask = pt->format->address_mask;
    pt->pfn_mask = (unsigned long)(pt->address_mask >> QUIRE_PAGE_SHIFT);
    pt->address_last = pt->own_last = (quire_linear_t)(((uint64_t)1 << pt->format->virt_bits) - 1);
    pt->address_half = pt->format->virt_bits > 32 ? pt->address_last / 2 + 1 : 0;
    pt->prot_mask = QUIRE_PT_PROT & ~QUIRE_PTE_NX;
    if (!pt->features.no_nx)
        pt->prot_mask |= pt->format->nx;
    pt->reserved = quire_pt_reserved(pt->format, &pt->features, QUIRE_PT, true);
    for (unsigned table = QUIRE_PT; table <= QUIRE_PGD; table++)
        if (pt->format->level[table].index_bits)
            add_step(pt, (enum quire_pt_level)table);
}

static bool knows_format(const struct quire_pgtable *pt, const struct quire_pgtable_config *config)
{
    return pt->format == &quire_pt_formats[config->format] &&
           quire_pt_features_are_equal(&pt->features, &config->features);
}

/* The same from a tree that has found it. */
static void take_format(struct quire_pgtable *pt, const struct quire_pgtable *known)
{
    pt->wide = known->wide;
    pt->height = known->height;
    pt->address_mask = known->address_mask;
    pt->pfn_mask = known->pfn_mask;
    pt->address_last = pt->own_last = known->address_last;
    pt->address_half = known->address_half;
    pt->prot_mask = known->prot_mask;
    pt->reserved = known->reserved;
    pt->phys_end = known->phys_end;
    for (unsigned height = 0; height < known->height; height++)
        pt->step[height] = known->step[height];
}

int quire_pgtable_init(struct quire_pgtable *pt, const struct quire_pgtable_config *config)
{
    if (!config_is_valid(config))
        return -QUIRE_EINVAL;
    *pt = (struct quire_pgtable){
        .mem = config->mem,
        .port = quire_mem_port(config->mem),
        .format = &quire_pt_formats[config->format],
        .features = config->features,
        .gfp = (config->gfp ? config->gfp : QUIRE_GFP_KERNEL) | QUIRE_GFP_ZERO,
        .flush = config->flush,
        .flush_arg = config->flush_arg,
    };
    if (config->shared && knows_format(config->shared, config))
        take_format(pt, config->shared);
    else
        find_format(pt);
    int error = config->shared ? share(pt, config->shared, config->shared_from) : 0;
    return error ? error : make_root(pt);
}

static void destroy_table(struct quire_pgtable *pt, unsigned height, void *table);

/* Frees the tables that entries [index, end) lead to, and clears these; how many weren't 0. */
static uint32_t destroy_below(struct quire_pgtable *pt, unsigned height, void *table,
                              unsigned index, unsigned end)
{
    uint32_t count = 0;
    for (; (index = skip_zeros(pt, table, index, end)) < end; index++) {
        uint64_t entry = load(pt, table, index);
        if (leads_to_table(pt, height, entry))
            destroy_table(pt, height - 1, table_of(pt, entry));
        store(pt, table, index, 0);
        count++;
    }
    return count;
}

/* Frees a table and those below it. What an address space has is at both ends, its code and its
 * stack, and so are the entries that lead there; they are looked for from both. */
static void destroy_table(struct quire_pgtable *pt, unsigned height, void *table)
{
    const unsigned group = 16;
    unsigned first = 0, end = height ? own_entries(pt, height) : 0;
    struct quire_page *page = table_page(pt, table);
    uint32_t left = page->owner_word;
    while (left && first < end) {
        unsigned middle = end - first > group ? first + group : end;
        left -= destroy_below(pt, height, table, first, middle);
        first = middle;
        middle = end - first > group ? end - group : first;
        if (left)
            left -= destroy_below(pt, height, table, middle, end);
        end = middle;
    }
    /* What is left is in a lowest table that still maps pages. */
    if (left)
        quire_free_page(pt->mem, page);
    else
        free_cleared_page(pt->mem, page);
}

void quire_pgtable_destroy(struct quire_pgtable *pt)
{
    QUIRE_BUG_ON(quire_load_relaxed(&pt->nr_sharers)); /* their roots lead to these tables */
    if (pt->shared)
        unshare(pt);
    destroy_table(pt, pt->height - 1u, root_of(pt));
    *pt = (struct quire_pgtable){.mem = NULL};
}

unsigned long quire_pgtable_nr_tables(const struct quire_pgtable *pt)
{
    unsigned long sum = 0;
    for (unsigned level = 0; level < QUIRE_NR_PT_LEVELS; level++)
        sum += quire_load_relaxed(&pt->nr_tables[level]);
    return sum;
}

/* ---- invariants ------------------------------------------------------------------------------ */

/* Who walks the tables may set the accessed bit of an entry that leads to a table; QEMU does so
 * where it is reserved, too (PAE's root). */
static void check_entry(const struct quire_pgtable *pt, unsigned height, uint64_t entry)
{
    bool leaf = maps_memory(pt, height, entry);
    if (!leaf)
        entry &= ~(uint64_t)QUIRE_PTE_ACCESSED;
    QUIRE_BUG_ON(height && !entry_is_present(entry));
    QUIRE_BUG_ON(
        entry_is_present(entry) &&
        (entry & quire_pt_reserved(pt->format, &pt->features, step_level(pt, height), leaf)));
}

static void check_table(const struct quire_pgtable *pt, unsigned height, const void *table,
                        unsigned long *nr_tables)
{
    uint32_t count = 0;
    nr_tables[table_level(pt, height)]++;
    for (unsigned i = 0; i < own_entries(pt, height); i++) {
        uint64_t entry = load(pt, table, i);
        QUIRE_BUG_ON(!entry && is_kept(pt, height, i));
        if (!entry)
            continue;
        count++;
        check_entry(pt, height, entry);
        if (height && leads_to_table(pt, height, entry))
            check_table(pt, height - 1, table_of(pt, entry), nr_tables);
    }
    QUIRE_BUG_ON(table_page(pt, table)->owner_word != count);
}

void quire_pgtable_check(const struct quire_pgtable *pt)
{
    unsigned long nr_tables[QUIRE_NR_PT_LEVELS] = {0};
    check_table(pt, pt->height - 1u, root_of(pt), nr_tables);
    for (unsigned level = 0; level < QUIRE_NR_PT_LEVELS; level++)
        QUIRE_BUG_ON(nr_tables[level] != pt->nr_tables[level]);
    QUIRE_BUG_ON(pt->shared && !shares_truly(pt));
}
