/* quire/pgtable.h: page tables: a tree of tables, what it maps, and flushes
 *
 * Who may do what at once. A range's owner is who may change the translation of its addresses: the
 * caller sees to it that there is one at a time. Owners of disjoint ranges may map, protect,
 * harvest, split, copy, change single entries, and unmap with QUIRE_UNMAP_KEEP_TABLES, all at the
 * same time, also where their ranges share tables; others may query, visit and harvest meanwhile,
 * and hardware walks. What gives tables back (unmap without KEEP_TABLES, collapse, destroy, and
 * in the copy a copy that is stopped) needs the part of the address space to itself that lies under
 * the same entries of the root table as its range: 512 GiB on x86-64, 256 TiB with five levels,
 * 1 GiB with PAE, 4 MiB on i386.
 *
 * No function takes a lock, but for those of phys within an allocation or a free. Functions that
 * allocate may sleep if the table's gfp lets them; those that flush wait for other CPUs, so not
 * with interrupts off. Costs are for each entry of the range; tables and their parents add a small
 * constant for each table.
 *
 * What fails changes nothing. Everywhere:
 *   -EINVAL   the range is empty, isn't of whole pages, wraps, isn't canonical, or belongs to a
 *             tree that this one shares; has the last page of 4 GiB, where addresses have 32 bits
 *             (QUIRE_LINEAR_BITS); or some bits make no sense or aren't this processor's
 *   -EBUSY    what is there can't change any more: quire_pgtable_keep
 *   -ENOMEM   there is no page for a table
 */
#ifndef QUIRE_PGTABLE_H
#define QUIRE_PGTABLE_H

#include <quire/paging.h>
#include <quire/phys.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_pgtable;

/* What is to be flushed: given to the port, or to who the configuration says. */
struct quire_tlb_flush {
    const struct quire_cpumask *cpus; /* whose TLBs may hold entries of these tables */
    bool all;                         /* everything; the rest means nothing then */
    quire_linear_t virt;              /* at most QUIRE_TLB_FLUSH_PAGES pages from here on */
    uint64_t size;
    unsigned page_shift;
};
typedef void quire_tlb_flush_fn(void *arg, const struct quire_tlb_flush *flush);

struct quire_pgtable_config {
    struct quire_mem *mem;
    enum quire_pt_format_id format;
    struct quire_pt_features features;
    quire_gfp_t gfp;           /* for tables; 0: QUIRE_GFP_KERNEL. Not HIGHMEM, not MOVABLE. */
    quire_tlb_flush_fn *flush; /* NULL: the port's, level 2 */
    void *flush_arg;
    /* The kernel's tables, of the same mem, format and features, and the address from which on
     * these share them: see "page tables: shared". NULL: nothing is shared. */
    struct quire_pgtable *shared;
    quire_linear_t shared_from;
};

/* A level that has tables of its own, prepared for the walk: see src/map/table.h. */
struct quire_pt_step {
    uint16_t index_mask; /* entries of a table less 1 */
    uint8_t shift;
    uint8_t level;      /* the lowest of those that share its entries */
    bool may_be_leaf;   /* on this processor */
    uint8_t table_mask; /* an entry leads to a table if these of its bits are PRESENT; 0: never */
    uint64_t phys_end;  /* a leaf maps memory below this address */
    uint64_t table_set; /* bits of an entry that leads to a table, beside its address */
};

#define QUIRE_PT_ROOT_ENTRIES 1024u /* the most that a root has */

/* Read only, but by this layer. */
struct quire_pgtable {
    struct quire_mem *mem;
    const struct quire_port_mem *port;
    const struct quire_pt_format *format;
    quire_phys_t root;           /* for CR3: the table's address */
    uint64_t prot_mask;          /* bits that `prot` may have */
    uint64_t reserved;           /* of PT entries that are present */
    quire_linear_t address_last; /* the largest address, stripped of their sign */
    quire_linear_t own_last;     /* so stripped, addresses behind it are `shared`'s */
    quire_linear_t address_half; /* how many have the sign 0 where they have one, else 0 */
    uint64_t address_mask;       /* the format's */
    unsigned long pfn_mask;      /* the same of an entry's frame number */
    uint64_t phys_end;           /* the largest of the steps' */
    quire_gfp_t gfp;
    uint8_t height; /* steps that there are; the root is the last */
    bool wide;      /* entries of 8 bytes, not 4 */
    bool has_huge;  /* a huge page was mapped some time: edges of ranges may have to be split */
    struct quire_pt_features features;
    struct quire_pt_step step[QUIRE_NR_PT_LEVELS]; /* from PT up */
    unsigned long nr_tables[QUIRE_NR_PT_LEVELS];   /* by level; the root's is PGD */
    struct quire_cpumask cpus;
    uint32_t cpu_words; /* of `cpus`, in which a CPU ever was: the others are 0 */
    quire_tlb_flush_fn *flush;
    void *flush_arg;
    struct quire_pgtable *shared;
    unsigned nr_sharers;                       /* trees whose `shared` this is */
    unsigned nr_kept;                          /* bits of `kept` */
    uint32_t kept[QUIRE_PT_ROOT_ENTRIES / 32]; /* root entries that don't change any more */
};

/* Maps nothing of its own. The root has no entries but shared ones, and with PAE all four: they
 * can't change while a processor has them loaded, so their tables are made now and stay. -ENOMEM;
 * -EINVAL, also when `shared` doesn't fit: see there.
 *
 * A kernel makes its own tables while it runs on those of its boot code; as long as no CPU has
 * entered them nothing is flushed, whatever is mapped, protected and split. Boot code's tables have
 * to map what tables are made of where the port says that it is. Its global pages, if it has any,
 * outlive a load of CR3: clear CR4.PGE for a moment. */
QUIRE_MUST_CHECK int quire_pgtable_init(struct quire_pgtable *pt,
                                        const struct quire_pgtable_config *config);
/* Gives all tables back. What they map is the caller's. No CPU has them loaded any more, nor
 * anything of them in its TLB: nothing is flushed. Nobody shares them: else a panic. O(entries
 * above PT). */
void quire_pgtable_destroy(struct quire_pgtable *pt);

/* Before a CPU loads the root, and after its TLB has lost what it had of it. Flushes go to the CPUs
 * of the set. Atomic; a full fence. Who enters a tree enters the one that it shares too, and stays
 * there: global pages outlive a root. Only who takes a CPU away leaves the shared one. */
void quire_pgtable_cpu_enter(struct quire_pgtable *pt, unsigned cpu);
void quire_pgtable_cpu_leave(struct quire_pgtable *pt, unsigned cpu);

/* Tables that there are, the root included. Each costs a page. */
unsigned long quire_pgtable_nr_tables(const struct quire_pgtable *pt);
/* Checks every invariant; a broken one is a panic. Nobody changes the tables meanwhile. For tests.
 */
void quire_pgtable_check(const struct quire_pgtable *pt);

/* ---- page tables: shared --------------------------------------------------------------------- */

/* Every process's tables have the kernel's part of the address space: the same tables, led to by
 * copies of the kernel's root entries.
 *
 *     quire_pgtable_init(&kernel, ...);             the kernel's own tree; map, protect, then
 *     quire_pgtable_keep(&kernel, start, size);     for each part that processes shall see
 *     config.shared = &kernel;                      for each process, any time later
 *     config.shared_from = 0xffff800000000000;      where the kernel's part of all trees begins
 *
 * A sharer copies, when it is made, the root entries from `shared_from` on, an address that is a
 * multiple of what a root entry covers and not 0. What they lead to stays the kernel's: the sharer
 * never counts, frees or changes it, and its operations on ranges and addresses there fail with
 * -EINVAL. quire_query, quire_visit_range and quire_get_entry look there too, and so do processors.
 *
 * So that no copy is ever out of date, what is copied has to be kept: root entries that don't
 * change as long as the tree lives, whatever is mapped and unmapped below them. Later changes there
 * are seen by all sharers at once and need no syncing, but the flush that they need anyway, which
 * goes to every CPU that has entered the kernel's tree or one that shares it. Who may do what at
 * once is as if all of them were one tree. A root entry of the kernel from `shared_from` on that
 * isn't kept makes quire_pgtable_init say -EINVAL; empty ones are copied as empty.
 *
 * A sharer costs its root, and the copy of at most 1024 entries; with PAE a table less for each
 * GiB that it shares. Trees that share can't be shared. */

/* Keeps the root entries of all addresses of a range, also beyond its edges: missing tables are
 * made, and stay when they are empty. With PAE there is nothing to do. A 4 MiB page that is mapped
 * by a root entry (i386) stays such a page: map and protect what needs small pages before. From
 * then on what would change that entry fails with -EBUSY: unmap, protect, harvest, split, and
 * copying from there; so does a collapse to it. Needs its part of the address space to itself, as
 * what gives tables back. O(entries of the root).
 *
 *   -EINVAL   also: it is shared from another tree
 *   -EBUSY    somebody shares this tree already, and would miss the new entries */
QUIRE_MUST_CHECK int quire_pgtable_keep(struct quire_pgtable *pt, quire_linear_t virt,
                                        uint64_t size);

/* Flushes of several changes, done at once; and pages that can be freed only after them. On the
 * stack of who makes the changes. A change that gets a batch leaves its flush to it, and hardware
 * may use the old translation until quire_tlb_flush; one that gets NULL flushes before it returns.
 * Linux: mmu_gather. */
#define QUIRE_TLB_BATCH_RANGES 4
#define QUIRE_TLB_BATCH_PAGES 64
struct quire_tlb_batch {
    struct quire_pgtable *pt;
    bool all;
    uint8_t nr_ranges, nr_free;
    unsigned nr_pages; /* of all ranges */
    struct quire_tlb_range {
        quire_linear_t start, end; /* stripped of their sign */
        uint8_t page_shift;
    } range[QUIRE_TLB_BATCH_RANGES];
    struct quire_page *free[QUIRE_TLB_BATCH_PAGES];
    /* What becomes of pages of quire_tlb_remove_page after the flush; NULL: quire_put_page. Set
     * after init. */
    void (*release)(void *arg, struct quire_page *page);
    void *release_arg;
};

void quire_tlb_batch_init(struct quire_tlb_batch *batch, struct quire_pgtable *pt);
/* A range of pages of one size whose translation changed. Neighbours are merged; more than
 * QUIRE_TLB_FLUSH_PAGES pages become all. O(1). */
void quire_tlb_add(struct quire_tlb_batch *batch, quire_linear_t virt, uint64_t size,
                   unsigned page_shift);
/* Drops a reference of a block after the flush (quire_put_page), or hands it to batch->release.
 * When there is no room for more, flushes first. */
void quire_tlb_remove_page(struct quire_tlb_batch *batch, struct quire_page *page);
/* Flushes what was gathered, if some CPU may have it, then frees. The batch is empty then. */
void quire_tlb_flush(struct quire_tlb_batch *batch);
/* A PT entry's page, at once. */
void quire_tlb_flush_page(struct quire_pgtable *pt, quire_linear_t virt);

/* ---- page tables: mapping -------------------------------------------------------------------- */

/* `prot` is QUIRE_PTE_ bits as a PT entry has them, of these; PRESENT is added and, in an entry
 * above PT, PAT is put where it belongs. NX is not among them where format or processor lack it:
 * callers take pt->prot_mask. Rights of the tables on the way are all granted. */
#define QUIRE_PT_PROT                                                                              \
    (QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_PWT | QUIRE_PTE_PCD | QUIRE_PTE_ACCESSED |       \
     QUIRE_PTE_DIRTY | QUIRE_PTE_PAT | QUIRE_PTE_GLOBAL | QUIRE_PTE_SOFT1 | QUIRE_PTE_SOFT2 |      \
     QUIRE_PTE_SOFT3 | QUIRE_PTE_NX)

#define QUIRE_MAP_NO_HUGE 0x1u /* PT entries only */

/* Maps [virt, virt + size) to physical memory from `phys` on, by the largest pages that both
 * addresses' alignment, the format and what is there already allow. There is nothing to flush.
 * Also -EINVAL when `phys` is beyond what entries can say; -EEXIST: an entry of the range isn't 0.
 */
QUIRE_MUST_CHECK int quire_map_range(struct quire_pgtable *pt, quire_linear_t virt,
                                     quire_phys_t phys, uint64_t size, uint64_t prot,
                                     unsigned flags);
/* The same for `count` single pages of QUIRE_PAGE_SIZE in any order. */
QUIRE_MUST_CHECK int quire_map_pages(struct quire_pgtable *pt, quire_linear_t virt,
                                     struct quire_page *const *pages, unsigned long count,
                                     uint64_t prot);

/* A run of entries of one table, of consecutive pages of one size; or a hole. */
struct quire_pt_run {
    quire_linear_t virt; /* of the first; of a huge page its beginning, even outside the range */
    uint64_t size;       /* of all; a hole's is cut to the range */
    enum quire_pt_level level;
    unsigned count;        /* 0: a hole */
    const uint64_t *entry; /* as read, or as taken out; none of them 0 */
};

#define QUIRE_PT_RUN_ENTRIES 64 /* the most that one run has */

typedef void quire_pt_removed_fn(void *arg, const struct quire_pt_run *run);

/* Empty tables stay, until an unmap without this meets them. */
#define QUIRE_UNMAP_KEEP_TABLES 0x1u
/* The caller knows that no page table (PT) has an entry of the range any more: only tables that are
 * empty go, by their counts. */
#define QUIRE_UNMAP_EMPTIED 0x2u

/* Takes out every entry of the range, also those that aren't present. Huge mappings that the range
 * cuts are split first: the only thing that can fail, with -ENOMEM (or -EINVAL: beyond 4 GiB i386
 * has nothing smaller). Holes are no error. */
QUIRE_MUST_CHECK int quire_unmap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                                       unsigned flags, struct quire_tlb_batch *batch);
/* The same, and tells `removed` the entries with the accessed and dirty bits that hardware left in
 * them: each read and cleared in one step. They may still be in use: what is to be freed goes
 * through the batch (not NULL). Linux: zap_page_range. */
QUIRE_MUST_CHECK int quire_zap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                                     unsigned flags, quire_pt_removed_fn *removed, void *arg,
                                     struct quire_tlb_batch *batch);

/* Sets and clears `prot` bits in all present entries of the range; a bit of both is set. Huge
 * mappings that the range cuts are split first. Accessed and dirty bits that hardware sets
 * meanwhile aren't lost. Flushes what could be seen otherwise: new rights needn't be. Holes are no
 * error. */
QUIRE_MUST_CHECK int quire_protect_range(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t size, uint64_t set, uint64_t clear,
                                         struct quire_tlb_batch *batch);

/* ---- page tables: looking -------------------------------------------------------------------- */

/* Entries that aren't present are no holes, unless they are 0. */
#define QUIRE_VISIT_NOT_PRESENT 0x1u

typedef int quire_pt_visit_fn(void *arg, const struct quire_pt_run *run);

/* Visits a range in order of address until `visit` returns non-zero, which is returned.
 * Neighbouring holes are told as one. -EINVAL. */
int quire_visit_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                      unsigned flags, quire_pt_visit_fn *visit, void *arg);

/* The first address of a range, of whole pages, whose entry isn't 0; its end: there is none. What a
 * huge page maps begins where the range does, or it does. About 12 instructions for eight entries.
 */
quire_linear_t quire_next_entry(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size);

struct quire_pt_query {
    uint64_t entry;     /* the last that was read: 0, not present, or what maps the address */
    quire_phys_t phys;  /* of the byte asked about, if it is mapped */
    quire_phys_t where; /* of the entry itself */
    enum quire_pt_level level;
};

/* What is at one address. 0: it is mapped; -ENOENT: it isn't; -EINVAL: it isn't canonical.
 * O(levels). No rights are checked: that is the walk's as hardware does it. */
QUIRE_MUST_CHECK int quire_query(const struct quire_pgtable *pt, quire_linear_t virt,
                                 struct quire_pt_query *query);

/* The bits of `prot`'s kind that an entry of a level has: PAT where PT has it, no address. */
uint64_t quire_pt_entry_prot(const struct quire_pgtable *pt, enum quire_pt_level level,
                             uint64_t entry);

/* ---- page tables: single entries ------------------------------------------------------------- */

/* Entries at PT that aren't present hold whatever the caller likes in bits 1 and up, 32 or 64 bits
 * wide; 0 is a hole. Whoever faults on them finds them by quire_get_entry. */

/* The PT entry of an address; 0 where there is none: no table, a huge page, not canonical.
 * O(levels). */
uint64_t quire_get_entry(const struct quire_pgtable *pt, quire_linear_t virt);
/* The same, and in *where the entry itself, for those below whose names end with _at, as long as no
 * table is given back; NULL: there is no table, or it is another tree's. */
uint64_t quire_find_entry(const struct quire_pgtable *pt, quire_linear_t virt, void **where);
/* What it is by now. */
uint64_t quire_entry_at(const struct quire_pgtable *pt, const void *where);

/* Replaces an entry that isn't present, 0 included, by any other, if it is *expected; tables are
 * made as needed. A present one is a full PT entry with its address. Nothing is to be flushed.
 *   -EINVAL   *expected is present, or `desired` has reserved bits
 *   -EAGAIN   it was another: *expected is what it was
 *   -EEXIST   a huge page is mapped there */
QUIRE_MUST_CHECK int quire_cmpxchg_entry(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t *expected, uint64_t desired);

/* The same without the walk: `where` is quire_find_entry's. -EINVAL, -EAGAIN. O(1). */
QUIRE_MUST_CHECK int quire_cmpxchg_entry_at(struct quire_pgtable *pt, void *where,
                                            uint64_t *expected, uint64_t desired);

/* Fills up to 32 PT entries of one table that follow each other, from `where` on, as
 * quire_cmpxchg_entry_at would: those of which entry[] isn't 0, where nothing is. Entries have no
 * reserved bits. A bit for each that was written. */
uint32_t quire_fill_entries_at(struct quire_pgtable *pt, void *where, const uint64_t *entry,
                               unsigned count);

/* Replaces a present PT entry by another (of another frame, of other rights, not present, 0). It
 * may differ from *expected in accessed and dirty, which hardware sets: *expected becomes what was
 * taken out, exactly; where old and new are of the same frame, what hardware set since is kept. An
 * emptied table stays.
 *   -EINVAL   *expected isn't present, or `desired` has reserved bits
 *   -EAGAIN   it was another: *expected is what it was
 *   -EEXIST   a huge page is mapped there */
QUIRE_MUST_CHECK int quire_update_entry(struct quire_pgtable *pt, quire_linear_t virt,
                                        uint64_t *expected, uint64_t desired,
                                        struct quire_tlb_batch *batch);

/* The same without the walk, `where` is quire_find_entry's, and without the flush: *flush says
 * whether there has to be one, for which quire_tlb_flush_page will do. -EINVAL, -EAGAIN. O(1). */
QUIRE_MUST_CHECK int quire_update_entry_at(struct quire_pgtable *pt, void *where,
                                           uint64_t *expected, uint64_t desired, bool *flush);

/* Moves entries of any kind, within one PT, to places within one PT that is there, and empty in
 * that range; up to one that isn't present and of which stays() says true. How many bytes it came:
 * `size` if none did. What was present is to be flushed by the batch before anybody uses the new
 * place. The caller owns both ranges, as for a change of ranges; a huge page on either way is a
 * panic. O(pages), about 10 instructions each. */
quire_linear_t quire_move_entries(struct quire_pgtable *pt, quire_linear_t from, quire_linear_t to,
                                  uint64_t size, bool (*stays)(uint64_t entry),
                                  struct quire_tlb_batch *batch);

/* Clears the bits `bits` (ACCESSED, DIRTY or both) of what maps `virt`, and returns those that were
 * set: atomically. A cleared ACCESSED isn't flushed, so a page that stays in a TLB may seem unused
 * for a while; who minds adds it to the batch. -ENOENT: nothing does. Linux:
 * ptep_test_and_clear_young. */
QUIRE_MUST_CHECK int quire_test_and_clear(struct quire_pgtable *pt, quire_linear_t virt,
                                          uint64_t bits, struct quire_tlb_batch *batch);
/* The same over a range, by PT-sized pages: bit i of `bitmap` (room for size / 4096 bits, not
 * cleared before; NULL: not wanted) is set if page i had one of the bits; a huge page's bits are
 * all its pages'. Adds their number to *count. */
QUIRE_MUST_CHECK int quire_harvest_range(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t size, uint64_t bits, uint64_t *bitmap,
                                         uint64_t *count, struct quire_tlb_batch *batch);

/* ---- page tables: huge mappings, fork -------------------------------------------------------- */

/* Replaces the huge page that maps `virt` by a table of pages of the next smaller size, which
 * translate the same and have its bits, accessed and dirty included. -ENOENT: there is no huge
 * page; -EINVAL: nor is there anything smaller (i386 beyond 4 GiB). */
QUIRE_MUST_CHECK int quire_split(struct quire_pgtable *pt, quire_linear_t virt,
                                 struct quire_tlb_batch *batch);
/* The reverse: the table of `level`'s entry for `virt` becomes one page, if it maps contiguous,
 * aligned memory with the same bits throughout; accessed and dirty become those of any. Flushes at
 * once, whatever is in the batch. The translation is never interrupted.
 *   -ENOENT   there is no such table, or a hole in it
 *   -EINVAL   it isn't contiguous and alike, or the level can't map memory */
QUIRE_MUST_CHECK int quire_collapse(struct quire_pgtable *pt, quire_linear_t virt,
                                    enum quire_pt_level level, struct quire_tlb_batch *batch);

/* Tables that are there before they are needed, for who may wait for memory only before he takes
 * his locks. All zero at first. */
struct quire_pt_spares {
    struct quire_page *first;
    unsigned long lacking; /* what a copy that ended with -ENOMEM would have taken; else 0 */
};

/* So many more, with the gfp of `pt`; if there is no memory for all (-ENOMEM) there are none. */
QUIRE_MUST_CHECK int quire_pt_spares_fill(struct quire_pt_spares *spares, struct quire_pgtable *pt,
                                          unsigned long count);
/* Frees what is left. */
void quire_pt_spares_empty(struct quire_pt_spares *spares, struct quire_pgtable *pt);

/* For fork: gives `to` the entries that `from` has in a range, which is empty in `to`, in one walk.
 * Both have the same format and features. */
struct quire_pt_copy {
    /* Bits that present entries lose: on both sides (WRITE, for copy on write), and in the copy
     * alone (ACCESSED, DIRTY). */
    uint64_t clear_both, clear_copy;
    /* Told each run before the copy has it, as the source has it then, entries that aren't present
     * included: to take references. Non-zero stops the copy, and is returned. May be NULL. */
    quire_pt_visit_fn *copied;
    /* Told what was told `copied` with success when the copy is stopped, as the copy had it. May be
     * NULL. */
    quire_pt_removed_fn *undone;
    void *arg;
    /* Where tables for the copy are taken first, before any are allocated. May be NULL. */
    struct quire_pt_spares *spares;
};

/* The batch is the source's. Huge mappings that the range cuts are split first. When `copied` stops
 * it, `to` is as it was; what the source lost to clear_both stays lost, so that has to be something
 * that a fault can give back.
 *   -EINVAL   the formats differ, or what the processors can do
 *   -EEXIST   something is mapped in `to`, or it has a table of smaller pages where a huge one goes
 */
QUIRE_MUST_CHECK int quire_copy_range(struct quire_pgtable *to, struct quire_pgtable *from,
                                      quire_linear_t virt, uint64_t size,
                                      const struct quire_pt_copy *copy,
                                      struct quire_tlb_batch *batch);

#ifdef __cplusplus
}
#endif

#endif
