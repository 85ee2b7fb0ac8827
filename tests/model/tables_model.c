/* tests/model/tables_model.c: random operations on page tables against an array
 *
 * The model is an array of what each page is mapped to: a few windows of the address space, at its
 * ends and across borders of tables, of small pages or of 2 MiB units. After each operation random
 * addresses are translated by the reference walker, which reads the tables as hardware would, and
 * by quire_query, and both are compared with the array. Hardware's accessed and dirty bits are part
 * of it: each window is used and written at random. Half of the time the tables are a kernel's, and
 * what they keep is walked from the root of a tree that shares it.
 *
 * --effort is the number of random addresses, over all formats together.
 */
#include "base/bits.h"
#include "tests/unit/tables.h"

#define UNITS 3072u /* of a window */
#define WINDOWS 3u
#define LOOKS 24u /* at random addresses, for each operation */
#define AD ((uint64_t)(QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY))
#define MEMORY (24 * MIB)

struct window {
    quire_linear_t start;
    unsigned shift;       /* of its units */
    uint64_t unit[UNITS]; /* 0; or not present; or the address | prot | PRESENT */
};

static struct {
    enum quire_pt_format_id id;
    struct quire_pgtable pt, child, sharer;
    bool shares; /* from shared_from on */
    quire_linear_t shared_from;
    struct window window[WINDOWS];
    struct quire_tlb_batch batch;
    uint64_t phys_end;
} model;

/* ---- choosing -------------------------------------------------------------------------------- */

struct range {
    struct window *window;
    unsigned first, count;
    quire_linear_t virt;
    uint64_t size;
};

/* Short ranges are more likely, and some begin or end where tables do. */
static struct range random_range(void)
{
    struct range r = {.window = &model.window[test_random_below(WINDOWS)]};
    unsigned most = 1u << test_random_below(12);
    r.first = test_random_below(UNITS);
    if (!test_random_below(3))
        r.first &= ~511u;
    r.count = 1 + test_random_below(most < UNITS - r.first ? most : UNITS - r.first);
    if (!test_random_below(3) && r.first + r.count > 512)
        r.count = ((r.first + r.count) & ~511u) > r.first ? ((r.first + r.count) & ~511u) - r.first
                                                          : r.count;
    /* From where a 4 MiB page may begin, as far as one goes or two. */
    unsigned until = (unsigned)(0 - (r.window->start >> 12)) & 1023;
    if (r.window->shift == 12 && !test_random_below(6) && until + 2048 <= UNITS) {
        r.first = until;
        r.count = 1024u << test_random_below(2);
    }
    r.virt = r.window->start + ((uint64_t)r.first << r.window->shift);
    r.size = (uint64_t)r.count << r.window->shift;
    return r;
}

static uint64_t random_prot(void)
{
    return test_random() & model.pt.prot_mask & ~AD;
}

/* Aligned now and then as `virt` is, so that huge pages come about. */
static uint64_t random_phys(quire_linear_t virt, uint64_t size)
{
    uint64_t phys, mask = (model.phys_end - 1) & ~(uint64_t)4095;
    do
        phys = test_random() & mask;
    while (phys > model.phys_end - size);
    uint64_t huge = (uint64_t)1 << (test_random_below(2) ? 22 : 30);
    if (!test_random_below(2) || model.phys_end < 2 * huge + size)
        return phys;
    phys = (phys & ~(huge - 1)) | (virt & (huge - 1));
    return phys + size <= model.phys_end ? phys : phys - huge;
}

/* ---- what the model says --------------------------------------------------------------------- */

static bool is_empty(const struct range *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->window->unit[r->first + i])
            return false;
    return true;
}

/* Units that one page of `bytes` covers, of which `unit` is one, are used as one. */
static void use_units(struct window *window, unsigned unit, uint64_t bytes, uint64_t bits)
{
    unsigned units = bytes >> window->shift ? (unsigned)(bytes >> window->shift) : 1;
    quire_linear_t virt = window->start + ((uint64_t)unit << window->shift);
    quire_linear_t begin = virt & ~(bytes - 1);
    for (unsigned i = 0; i < units; i++) {
        uint64_t at = begin + ((uint64_t)i << window->shift) - window->start;
        if (at >> window->shift < UNITS)
            window->unit[at >> window->shift] |= bits;
    }
}

/* Another root leads to the same entry. */
static void look_from_sharer(quire_linear_t virt, const struct reference *seen)
{
    struct reference r = reference_walk(model.id, model.sharer.root, virt);
    bool in_root = seen->where - model.pt.root < 4096;
    CHECK_EQ(r.entry & ~AD, seen->entry & ~AD);
    CHECK_EQ(r.where, in_root ? seen->where - model.pt.root + model.sharer.root : seen->where);
}

/* Both readers against the model, at one address. */
static void look(struct window *window, unsigned unit)
{
    uint64_t offset = test_random() & (((uint64_t)1 << window->shift) - 1);
    quire_linear_t virt = window->start + ((uint64_t)unit << window->shift) + offset;
    uint64_t expected = window->unit[unit];
    struct quire_pt_query query;
    struct reference r = reference_walk(model.id, model.pt.root, virt);
    int error = quire_query(&model.pt, virt, &query);
    CHECK_EQ(r.present, expected & 1);
    CHECK_EQ(error, expected & 1 ? 0 : -QUIRE_ENOENT);
    CHECK_EQ(query.entry, r.entry);
    CHECK_EQ(query.where, r.where);
    if (model.shares && virt >= model.shared_from)
        look_from_sharer(virt, &r);
    if (!(expected & 1)) {
        CHECK_EQ(r.entry, expected);
        return;
    }
    uint64_t prot = quire_pt_entry_prot(&model.pt, query.level, r.entry);
    uint64_t address = expected & 0xffffffffff000;
    if (window->shift > 12) /* smaller pages may have been used by themselves: not in the model */
        CHECK_EQ(prot & ~AD, expected & ~(0xffffffffff000 | AD | 1));
    else
        CHECK_EQ(prot, expected & ~(uint64_t)0xffffffffff001);
    CHECK_EQ(r.phys, address + offset);
    CHECK_EQ(query.phys, address + offset);
    CHECK_EQ(r.write, expected >> 1 & 1);
    CHECK_EQ(r.user, expected >> 2 & 1);
    CHECK_EQ(r.no_execute, expected >> 63);
}

/* ---- operations ------------------------------------------------------------------------------ */

static void do_map(void)
{
    struct range r = random_range();
    while (!is_empty(&r) && test_random_below(8))
        r = random_range();
    uint64_t prot = random_prot(), phys = random_phys(r.virt, r.size);
    unsigned flags = r.window->shift == 12 && !test_random_below(4) ? QUIRE_MAP_NO_HUGE : 0;
    int error = quire_map_range(&model.pt, r.virt, phys, r.size, prot, flags);
    CHECK_EQ(error, is_empty(&r) ? 0 : -QUIRE_EEXIST);
    for (unsigned i = 0; !error && i < r.count; i++)
        r.window->unit[r.first + i] =
            (phys + ((uint64_t)i << r.window->shift)) | prot | QUIRE_PTE_PRESENT;
}

static void do_map_pages(void)
{
    static struct quire_page *pages[UNITS];
    struct range r = random_range();
    uint64_t prot = random_prot();
    if (r.window->shift != 12)
        return;
    for (unsigned i = 0; i < r.count; i++)
        pages[i] = quire_pfn_to_page(machine.mem, quire_pfn(test_random_below(MEMORY >> 12)));
    int error = quire_map_pages(&model.pt, r.virt, pages, r.count, prot);
    CHECK_EQ(error, is_empty(&r) ? 0 : -QUIRE_EEXIST);
    for (unsigned i = 0; !error && i < r.count; i++)
        r.window->unit[r.first + i] = quire_page_to_phys(pages[i]) | prot | QUIRE_PTE_PRESENT;
}

static void do_unmap(void)
{
    struct range r = random_range();
    unsigned flags = test_random_below(2) ? QUIRE_UNMAP_KEEP_TABLES : 0;
    CHECK_EQ(quire_unmap_range(&model.pt, r.virt, r.size, flags, NULL), 0);
    for (unsigned i = 0; i < r.count; i++)
        r.window->unit[r.first + i] = 0;
}

static uint64_t bytes_each(const struct quire_pt_run *run)
{
    return (uint64_t)1 << model.pt.format->level[run->level].shift;
}

/* What was told as taken out, against the model, which forgets it. */
static void check_removed(void *arg, const struct quire_pt_run *run)
{
    struct window *window = arg;
    uint64_t unit = (run->virt - window->start) >> 12;
    if (window->shift != 12)
        return;
    for (unsigned i = 0; i < run->count; i++) {
        uint64_t pages = bytes_each(run) >> 12;
        uint64_t prot = quire_pt_entry_prot(&model.pt, run->level, run->entry[i]);
        for (uint64_t page = 0; page < pages; page++, unit++) {
            uint64_t expected = window->unit[unit];
            CHECK(expected != 0);
            if (expected & 1)
                CHECK_EQ(prot, expected & ~(uint64_t)0xffffffffff001);
            else
                CHECK_EQ(run->entry[i], expected);
            window->unit[unit] = 0;
        }
    }
}

static void do_zap(void)
{
    struct range r = random_range();
    CHECK_EQ(quire_zap_range(&model.pt, r.virt, r.size, 0, check_removed, r.window, &model.batch),
             0);
    if (r.window->shift == 12)
        CHECK(is_empty(&r));
    for (unsigned i = 0; i < r.count; i++)
        r.window->unit[r.first + i] = 0;
}

static void do_protect(void)
{
    struct range r = random_range();
    uint64_t set = random_prot() & random_prot(), clear = random_prot();
    CHECK_EQ(quire_protect_range(&model.pt, r.virt, r.size, set, clear, &model.batch), 0);
    for (unsigned i = 0; i < r.count; i++)
        if (r.window->unit[r.first + i] & 1)
            r.window->unit[r.first + i] = (r.window->unit[r.first + i] & ~clear) | set;
}

static void do_use(void)
{
    struct range r = random_range();
    for (unsigned tries = 0; !(r.window->unit[r.first] & 1) && tries < 8; tries++)
        r = random_range();
    bool write = test_random_below(2);
    struct reference before = reference_walk(model.id, model.pt.root, r.virt);
    CHECK_EQ(reference_access(model.id, model.pt.root, r.virt, write), r.window->unit[r.first] & 1);
    if (before.present)
        use_units(r.window, r.first, before.page_size, write ? AD : QUIRE_PTE_ACCESSED);
}

static void do_harvest(void)
{
    static uint64_t bitmap[UNITS / 64 + 1];
    struct range r = random_range();
    uint64_t bits = test_random_below(2) ? AD : QUIRE_PTE_DIRTY, count = 0, expected = 0;
    if (r.window->shift != 12)
        return;
    __builtin_memset(bitmap, 0, sizeof bitmap);
    /* Huge pages at the edges lose their bits outside the range too. */
    struct reference first = reference_walk(model.id, model.pt.root, r.virt);
    struct reference last = reference_walk(model.id, model.pt.root, r.virt + r.size - 1);
    CHECK_EQ(quire_harvest_range(&model.pt, r.virt, r.size, bits, bitmap, &count, &model.batch), 0);
    for (unsigned i = 0; i < r.count; i++) {
        uint64_t *unit = &r.window->unit[r.first + i];
        bool used = *unit & 1 && *unit & bits;
        CHECK_EQ(bitmap[i / 64] >> i % 64 & 1, used);
        expected += used;
        *unit &= *unit & 1 ? ~bits : ~(uint64_t)0;
    }
    CHECK_EQ(count, expected);
    struct reference edges[2] = {first, last};
    for (unsigned edge = 0; edge < 2; edge++) {
        unsigned unit = edge ? r.first + r.count - 1 : r.first;
        uint64_t bytes = edges[edge].page_size;
        uint64_t begin = ((r.window->start + unit * 4096) & ~(bytes - 1)) - r.window->start;
        for (uint64_t at = 0; edges[edge].present && at < bytes; at += 4096)
            if ((begin + at) >> 12 < UNITS)
                r.window->unit[(begin + at) >> 12] &= ~bits;
    }
}

static void do_split_or_collapse(void)
{
    struct range r = random_range();
    struct reference before = reference_walk(model.id, model.pt.root, r.virt);
    if (test_random_below(2)) {
        int error = quire_split(&model.pt, r.virt, &model.batch);
        CHECK_EQ(error, before.present && before.page_size > 4096 ? 0 : -QUIRE_ENOENT);
        return;
    }
    int error = quire_collapse(&model.pt, r.virt, QUIRE_PMD, &model.batch);
    if (error)
        return;
    struct reference after = reference_walk(model.id, model.pt.root, r.virt);
    CHECK(before.present && before.page_size == 4096 && after.page_size > 4096);
    use_units(r.window, r.first, after.page_size, after.entry & AD);
}

static void do_single(void)
{
    struct range r = random_range();
    uint64_t *unit = &r.window->unit[r.first];
    struct reference before = reference_walk(model.id, model.pt.root, r.virt);
    uint64_t expected = before.present ? before.entry : *unit;
    uint64_t mask = model.pt.wide ? ~(uint64_t)1 : 0xfffffffe;
    uint64_t desired = test_random_below(3) ? test_random() & mask
                                            : (random_phys(0, 4096) & 0xfffff000) | random_prot() |
                                                  QUIRE_PTE_PRESENT;
    if (r.window->shift != 12)
        return;
    if (before.present && before.page_size > 4096) {
        CHECK_EQ(quire_update_entry(&model.pt, r.virt, &expected, desired, &model.batch),
                 -QUIRE_EEXIST);
        return;
    }
    if (before.present)
        CHECK_EQ(quire_update_entry(&model.pt, r.virt, &expected, desired, &model.batch), 0);
    else
        CHECK_EQ(quire_cmpxchg_entry(&model.pt, r.virt, &expected, desired), 0);
    *unit = desired;
}

static int check_visited(void *arg, const struct quire_pt_run *run)
{
    const struct range *r = arg;
    for (uint64_t at = 0; at < run->size; at += 4096) {
        quire_linear_t virt = run->virt + at;
        if (virt < r->virt || virt - r->virt >= r->size)
            continue; /* a huge page is told whole */
        uint64_t expected = r->window->unit[(virt - r->window->start) >> 12];
        if (!run->count)
            CHECK_EQ(expected, 0);
        else {
            unsigned shift = model.pt.format->level[run->level].shift;
            uint64_t entry = run->entry[at >> shift];
            if (expected & 1)
                CHECK_EQ(quire_pt_leaf_phys(model.pt.format, run->level, entry) +
                             (at & (bytes_each(run) - 1)),
                         expected & 0xffffffffff000);
            else
                CHECK_EQ(entry, expected);
        }
    }
    return 0;
}

static void do_visit(void)
{
    struct range r = random_range();
    if (r.window->shift == 12)
        CHECK_EQ(quire_visit_range(&model.pt, r.virt, r.size, QUIRE_VISIT_NOT_PRESENT,
                                   check_visited, &r),
                 0);
}

/* The copy is compared address by address, and goes again. */
static void do_copy(void)
{
    struct range r = random_range();
    struct quire_pt_copy how = {.clear_both = test_random_below(2) ? QUIRE_PTE_WRITE : 0};
    struct quire_pgtable_config config = {
        .mem = machine.mem, .format = model.id, .features = model.pt.features};
    CHECK_EQ(quire_pgtable_init(&model.child, &config), 0);
    CHECK_EQ(quire_copy_range(&model.child, &model.pt, r.virt, r.size, &how, &model.batch), 0);
    for (unsigned i = 0; i < r.count; i++) {
        uint64_t *unit = &r.window->unit[r.first + i];
        if (*unit & 1)
            *unit &= ~how.clear_both;
        struct reference here =
            reference_walk(model.id, model.pt.root, r.virt + ((uint64_t)i << r.window->shift));
        struct reference there =
            reference_walk(model.id, model.child.root, r.virt + ((uint64_t)i << r.window->shift));
        CHECK_EQ(there.present ? there.entry : there.entry & 1, here.present ? here.entry : 0);
    }
    quire_pgtable_check(&model.child);
    quire_pgtable_destroy(&model.child);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void (*const operations[])(void) = {
    do_map,    do_map,       do_map,   do_map,     do_map,     do_map,
    do_map,    do_map_pages, do_unmap, do_zap,     do_use,     do_use,
    do_use,    do_use,       do_use,   do_use,     do_protect, do_split_or_collapse,
    do_single, do_single,    do_visit, do_harvest, do_copy,
};

/* Small pages across a table's border and at the top; units of 2 MiB, or 4 on i386, across what an
 * entry of the level above covers. */
static void place_windows(void)
{
    bool halves = model.pt.format->virt_bits > 32;
    uint64_t limit = (uint64_t)model.pt.address_last + 1;
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned unit = 0; unit < UNITS; unit++)
            model.window[i].unit[unit] = 0;
    model.window[0].start = 0x40000000 - 1000 * 4096;
    model.window[1].start = (halves ? 0 : limit) - UNITS * (uint64_t)4096;
    model.window[0].shift = model.window[1].shift = 12;
    model.window[2].shift = 12;
    model.window[2].start = limit / 2 - UNITS * (uint64_t)4096;
    if (halves) {
        model.window[2].shift = 21;
        model.window[2].start = 0 - limit / 2 + 0x100000000;
    }
}

/* The windows in the upper part are kept, and another tree shares them. */
static void start_sharing(void)
{
    bool halves = model.pt.format->virt_bits > 32;
    model.shared_from = halves ? 0 - ((uint64_t)model.pt.address_last + 1) / 2 : 0xc0000000;
    for (unsigned i = 0; i < WINDOWS; i++)
        if (model.window[i].start >= model.shared_from)
            CHECK_EQ(quire_pgtable_keep(&model.pt, model.window[i].start,
                                        (uint64_t)UNITS << model.window[i].shift),
                     0);
    struct quire_pgtable_config config = {
        .mem = machine.mem,
        .format = model.id,
        .features = model.pt.features,
        .shared = &model.pt,
        .shared_from = model.shared_from,
    };
    CHECK_EQ(quire_pgtable_init(&model.sharer, &config), 0);
}

static void run_format(enum quire_pt_format_id id, bool shares, uint64_t looks)
{
    if (!machine_boot_plain(MEMORY, (struct quire_mem_config){.nr_cpus = 1}) ||
        !tables_start(&model.pt, id, (struct quire_pt_features){.phys_bits = 46}))
        return;
    model.id = id;
    model.shares = shares;
    model.phys_end = model.pt.step[0].phys_end;
    place_windows();
    if (shares)
        start_sharing();
    quire_tlb_batch_init(&model.batch, &model.pt);
    for (uint64_t done = 0; done < looks; done += LOOKS) {
        operations[test_random_below(sizeof operations / sizeof operations[0])]();
        for (unsigned i = 0; i < LOOKS; i++)
            look(&model.window[test_random_below(WINDOWS)], test_random_below(UNITS));
        if (!test_random_below(16))
            quire_tlb_flush(&model.batch);
        if (!test_random_below(2000)) {
            quire_pgtable_check(&model.pt);
            if (shares)
                quire_pgtable_check(&model.sharer);
        }
    }
    quire_tlb_flush(&model.batch);
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned unit = 0; unit < UNITS; unit++)
            look(&model.window[i], unit);
    if (shares)
        quire_pgtable_destroy(&model.sharer);
    tables_end(&model.pt);
}

static void random_operations_agree_with_the_model(void)
{
    uint64_t looks = quire_div64(test_environment.effort, 2 * QUIRE_NR_PT_FORMATS);
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++)
        for (unsigned shares = 0; shares < 2; shares++)
            run_format((enum quire_pt_format_id)id, shares, looks);
}

static const struct test_case cases[] = {
    TEST_CASE(random_operations_agree_with_the_model),
    {0},
};
const struct test_suite suite_tables_model = {"tables_model", cases};
