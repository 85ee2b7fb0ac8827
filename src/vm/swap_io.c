/* vm/swap_io.c: pages to swap and back
 *
 * A page that is read is put into the swap cache first, locked: whoever wants the same slot
 * meanwhile waits for its lock. If reading fails it is taken out again, and the slot keeps what it
 * has.
 *
 * With it come its neighbours in the slot's aligned window, as far as some entry means them: what
 * was swapped out together lies together. The window grows and shrinks with how many of the last
 * one's pages were asked for (Linux: mm/swap_state.c, swapin_nr_pages). A window of one page can't
 * tell; what tells then is a miss that the largest window could have spared, being within its reach
 * of the last one (Linux: if it is the next slot).
 *
 * What reclaim writes together lies together, mostly: neighbouring slots are one transfer. If that
 * fails each of its pages is written alone.
 *
 * A write that fails is tried once more, in another slot; for that the entries that mean the page
 * are found by its reverse maps and changed, or it's the place in shared memory's array that
 * changes. If that fails too the page stays, dirty.
 */
#include "vm/cache.h"
#include "vm/policy.h"
#include "vm/swap_area.h"

#define KIB_PER_PAGE (QUIRE_PAGE_SIZE / 1024)
#define PG_READAHEAD PG_RECLAIM /* of a page in the swap cache: it was read for nobody yet */
#define MAX_WINDOW 32u

struct backing {
    const struct quire_swap_ops *ops;
    void *store;
};

static struct backing backing_of(struct quire_vm *vm, swap_entry entry)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    const struct swap_area *area = area_of(vm->swap, entry);
    struct backing backing = {area->ops, area->store};
    swap_unlock(vm->swap, irq);
    return backing;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Pages of neighbouring slots, the first of them `entry`. */
static int write_run(struct quire_vm *vm, struct quire_page *const *pages, unsigned count,
                     swap_entry entry)
{
    struct backing backing = backing_of(vm, entry);
    for (unsigned i = 0; i < count; i++) {
        page_clear(pages[i], PG_DIRTY);
        page_set(pages[i], PG_WRITEBACK);
    }
    vm_stat_add(vm, NR_WRITEBACK, (long)count);
    int error = backing.ops->write(backing.store, entry_offset(entry), pages, count);
    vm_stat_add(vm, NR_WRITEBACK, -(long)count);
    for (unsigned i = 0; i < count; i++) {
        if (error)
            page_set(pages[i], PG_DIRTY);
        page_end_writeback(pages[i]);
    }
    if (error)
        return error;
    for (unsigned i = 0; QUIRE_EVENTS && i < count; i++)
        quire_tell_event(SWAP_OUT, pages[i]->pfn, entry_type(entry) - 1, entry_offset(entry) + i);
    vm_count(vm, VM_PSWPOUT, count);
    vm_count(vm, VM_PGPGOUT, count * KIB_PER_PAGE);
    return 0;
}

struct change {
    struct quire_vm *vm;
    swap_entry from, to;
};

/* One entry means the other slot from now on, which is counted first. */
static bool change_entry(void *arg, struct quire_vma *vma, quire_linear_t address)
{
    const struct change *change = arg;
    struct quire_pt_query query;
    (void)!quire_query(&vma->mm->pt, address, &query);
    const uint64_t wp = query.entry & ENTRY_WP_AWAY;
    if (query.level != QUIRE_PT || (query.entry ^ wp) != change->from)
        return true;
    if (!swap_duplicate(change->vm, change->to))
        return true;
    uint64_t expected = query.entry;
    bool changed = !quire_cmpxchg_entry(&vma->mm->pt, address, &expected, change->to | wp);
    swap_free(change->vm, changed ? change->from : change->to);
    return true;
}

/* Whoever means one slot of a page means the other from now on. */
static void change_slot(struct quire_vm *vm, struct quire_page *page, struct quire_mapping *mapping,
                        swap_entry from, swap_entry to)
{
    struct change change = {vm, from, to};
    if (!swap_count(vm, from))
        return;
    if (mapping)
        shmem_change_slot(mapping, page_index(page), from, to);
    else
        rmap_walk(vm, page, change_entry, &change);
}

/* A second slot for the page, found by entries but not from the page yet; 0: none. In another area
 * than the first, if there is one: a store that fails once may fail always. */
static swap_entry second_slot(struct quire_vm *vm, struct quire_page *page, swap_entry first)
{
    bool wants_discard = false;
    quire_port_irq_t irq = swap_lock(vm->swap);
    swap_entry entry = slot_take_outside(vm->swap, area_of(vm->swap, first));
    if (!entry)
        entry = slot_take(vm->swap, &wants_discard);
    if (entry)
        *slot_word(vm->swap, entry) = page->pfn;
    swap_unlock(vm->swap, irq);
    return entry;
}

/* The page's slot is `to` rather than `from`, which goes, unless an entry means `from` (a fork was
 * faster than the walk, or the page's entries can't be found): then it's the other way round. */
static bool settle(struct quire_vm *vm, struct quire_page *page, swap_entry from, swap_entry to)
{
    struct swap_state *swap = vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    bool moved = *slot_state(swap, from) == SLOT_CACHED;
    if (moved) {
        cache_unlink(swap, from);
        slot_release(swap, from);
        cache_link(swap, to, page->pfn);
    }
    bool back = !moved && *slot_state(swap, to) == SLOT_CACHED;
    if (back) {
        *slot_state(swap, to) = 0;
        slot_release(swap, to);
    }
    swap_unlock(swap, irq);
    return moved || back;
}

/* 0, or the entry that the page has now. */
static swap_entry move_to_other_slot(struct quire_vm *vm, struct quire_page *page,
                                     struct quire_mapping *mapping, swap_entry from)
{
    swap_entry to = second_slot(vm, page, from);
    if (!to)
        return 0;
    change_slot(vm, page, mapping, from, to);
    while (!settle(vm, page, from, to))
        change_slot(vm, page, mapping, to, from);
    swap_entry now = swap_cache_entry(vm, page);
    return now == to ? now : 0;
}

int swap_write_page(struct quire_vm *vm, struct quire_page *page, struct quire_mapping *mapping)
{
    swap_entry entry = swap_cache_entry(vm, page);
    int error = write_run(vm, &page, 1, entry);
    if (error && (entry = move_to_other_slot(vm, page, mapping, entry)))
        error = write_run(vm, &page, 1, entry);
    return error;
}

uint32_t swap_write_pages(struct quire_vm *vm, struct quire_page *const *pages, unsigned count)
{
    uint32_t failed = 0;
    for (unsigned first = 0, run; first < count; first += run) {
        swap_entry entry = swap_cache_entry(vm, pages[first]), next;
        for (run = 1; first + run < count; run++) {
            next = swap_cache_entry(vm, pages[first + run]);
            if (entry_type(next) != entry_type(entry) ||
                entry_offset(next) != entry_offset(entry) + run)
                break;
        }
        if (run > 1 && !write_run(vm, pages + first, run, entry))
            continue;
        for (unsigned i = first; i < first + run; i++)
            if (swap_write_page(vm, pages[i], NULL))
                failed |= 1u << i;
    }
    return failed;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct incoming {
    struct quire_page *page; /* NULL: it isn't to be read */
    swap_entry entry;
};

/* A new page into the cache for a slot: locked, with the cache as its one user; the caller's
 * reference becomes a pin. 0; -EEXIST: there is a page; -EAGAIN: no entry means the slot. */
static int insert(struct quire_vm *vm, struct quire_page *page, swap_entry entry)
{
    struct swap_state *swap = vm->swap;
    uint32_t shadow = 0;
    page_set(page, PG_LOCKED | PG_SWAPCACHE);
    page_set_root(page, PAGE_KIND_ANON, 0);
    bool used = page_use(page);
    QUIRE_ASSERT(used);
    (void)used;
    page_pin(page);
    quire_port_irq_t irq = swap_lock(swap);
    uint16_t state = slot_state_now(swap, entry);
    int error = state & SLOT_CACHED           ? -QUIRE_EEXIST
                : !state || state == SLOT_BAD ? -QUIRE_EAGAIN
                                              : 0;
    if (!error) {
        shadow = *slot_word(swap, entry);
        cache_link(swap, entry, page->pfn);
    }
    swap_unlock(swap, irq);
    if (error) {
        page_unlock(page);
        page_drop_user(vm, page);
        return error;
    }
    vm_stat_add(vm, NR_SWAPCACHE, 1);
    workingset_refault(vm, page, shadow);
    return 0;
}

static struct quire_page *new_page(struct quire_vm *vm, const struct alloc_place *place,
                                   quire_gfp_t gfp)
{
    if (quire_load_relaxed(&vm->nr_policies))
        return mempolicy_alloc_gfp(vm, place, gfp);
    struct quire_page *page = quire_alloc_page(vm->mem, gfp);
    if (!page)
        return NULL;
    page_dress(vm, page);
    return page;
}

/* Out of the cache, since it couldn't be read. What was noted of an eviction is lost. */
static void give_up(struct quire_vm *vm, struct incoming *in)
{
    swap_cache_remove(vm, in->page);
    page_unlock(in->page);
    vm_put_page(vm, in->page);
    in->page = NULL;
}

static void tell_read(const struct incoming *in)
{
    quire_tell_event(SWAP_IN, in->page->pfn, entry_type(in->entry) - 1, entry_offset(in->entry));
}

static void finish(struct quire_vm *vm, struct quire_page *page)
{
    page_set(page, PG_UPTODATE);
    lru_add(vm, page, 0);
    vm_count(vm, VM_PSWPIN, 1);
    vm_count(vm, VM_PGPGIN, KIB_PER_PAGE);
}

static int read_run(struct quire_vm *vm, struct incoming *in, unsigned count)
{
    struct quire_page *pages[MAX_WINDOW];
    struct backing backing = backing_of(vm, in->entry);
    for (unsigned i = 0; i < count; i++)
        pages[i] = in[i].page;
    return backing.ops->read(backing.store, entry_offset(in->entry), pages, count);
}

/* Reads a run of neighbouring slots in one go; the wanted one alone if that fails. */
static int read_pages(struct quire_vm *vm, struct incoming *in, unsigned count, unsigned wanted)
{
    int error = read_run(vm, in, count);
    if (!error) {
        for (unsigned i = 0; i < count; i++) {
            tell_read(&in[i]);
            finish(vm, in[i].page);
        }
        return 0;
    }
    if (wanted < count && count > 1)
        error = read_run(vm, &in[wanted], 1);
    if (wanted < count && !error) {
        tell_read(&in[wanted]);
        finish(vm, in[wanted].page);
    }
    for (unsigned i = 0; i < count; i++)
        if (i != wanted || error)
            give_up(vm, &in[i]);
    return wanted < count ? error : 0;
}

/* All runs of the window; the result of the wanted page's. */
static int read_window(struct quire_vm *vm, struct incoming *in, unsigned count, unsigned wanted)
{
    int result = 0;
    for (unsigned i = 0, run; i < count; i += run) {
        run = 1;
        if (!in[i].page)
            continue;
        while (i + run < count && in[i + run].page)
            run++;
        int error = read_pages(vm, &in[i], run, wanted - i);
        if (wanted >= i && wanted < i + run)
            result = error;
    }
    return result;
}

/* What a window without hits counts as that could have had some: the last miss was near. */
#define NEAR_HITS 2u

/* Pages of the window around an entry; 1: none beside it. */
static unsigned window_pages(struct swap_state *swap, swap_entry entry)
{
    unsigned most = 1u << quire_load_relaxed(&swap->page_cluster);
    if (most == 1)
        return 1;
    quire_port_irq_t irq = swap_lock(swap);
    uint64_t last = entry_offset(swap->last_entry), now = entry_offset(entry);
    const uint64_t distance = now > last ? now - last : last - now;
    unsigned hits = swap->hits, pages = 1;
    if (!hits && distance && distance < most)
        hits = NEAR_HITS;
    while (hits && pages < hits + 2)
        pages *= 2;
    pages = pages < most ? pages : most;
    if (pages < swap->last_window / 2)
        pages = swap->last_window / 2; /* not all at once */
    swap->last_entry = entry;
    swap->last_window = pages;
    swap->hits = 0;
    swap_unlock(swap, irq);
    return pages;
}

static void note_hit(struct quire_vm *vm)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    vm->swap->hits++;
    swap_unlock(vm->swap, irq);
    vm_count(vm, VM_SWAP_RA_HIT, 1);
}

/* Whether a slot is worth reading ahead. Allocations before may have slept: a swapoff may have
 * taken the area since, and another have its number. */
static bool is_swapped(struct quire_vm *vm, swap_entry entry)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    uint16_t state = slot_state_now(vm->swap, entry);
    if (state && area_of(vm->swap, entry)->going)
        state = 0;
    swap_unlock(vm->swap, irq);
    return state && state <= SLOT_MAX;
}

/* Pages for the window's slots that are worth it. Neighbours may take a round of reclaim, as
 * whoever swaps has no free memory to put them into, but nobody is killed for them. They come from
 * where the wanted one does, since what was swapped out together is one area's, mostly. */
static void add_neighbours(struct quire_vm *vm, struct incoming *in, unsigned count,
                           unsigned wanted, const struct alloc_place *place)
{
    const quire_gfp_t gfp =
        QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_NORETRY | QUIRE_GFP_NOWARN | QUIRE_GFP_NOMEMALLOC;
    const swap_entry entry = in[wanted].entry;
    const uint64_t first = entry_offset(entry) - wanted;
    for (unsigned i = 0; i < count; i++) {
        const swap_entry neighbour = entry_make(entry_type(entry), first + i);
        if (i == wanted || !is_swapped(vm, neighbour))
            continue;
        in[i] = (struct incoming){new_page(vm, place, gfp), neighbour};
        if (!in[i].page)
            return;
    }
}

/* Those that somebody else was faster with aren't read. */
static void insert_neighbours(struct quire_vm *vm, struct incoming *in, unsigned count,
                              unsigned wanted)
{
    for (unsigned i = 0; i < count; i++) {
        if (i == wanted || !in[i].page)
            continue;
        if (insert(vm, in[i].page, in[i].entry)) {
            vm_put_page(vm, in[i].page);
            in[i].page = NULL;
            continue;
        }
        page_set(in[i].page, PG_READAHEAD);
        vm_count(vm, VM_SWAP_RA, 1);
    }
}

static void put_neighbours(struct quire_vm *vm, struct incoming *in, unsigned count,
                           unsigned wanted, bool are_locked)
{
    for (unsigned i = 0; i < count; i++) {
        if (i == wanted || !in[i].page)
            continue;
        if (are_locked)
            page_unlock(in[i].page);
        vm_put_page(vm, in[i].page);
    }
}

/* All memory is taken before a page of it can be found, which is locked from then on: reclaim comes
 * before locks. NULL and *error; -EEXIST: somebody else is reading it. */
static struct quire_page *read_in(struct quire_vm *vm, swap_entry entry,
                                  const struct alloc_place *place, quire_gfp_t extra, int *error)
{
    struct incoming in[MAX_WINDOW] = {{NULL, 0}};
    struct quire_page *page = new_page(vm, place, QUIRE_GFP_HIGHUSER_MOVABLE | extra);
    *error = -QUIRE_ENOMEM;
    if (!page)
        return NULL;
    const unsigned count = window_pages(vm->swap, entry);
    const unsigned wanted = (unsigned)entry_offset(entry) & (count - 1);
    in[wanted] = (struct incoming){page, entry};
    if (count > 1)
        add_neighbours(vm, in, count, wanted, place);
    *error = insert(vm, page, entry);
    if (*error) {
        vm_put_page(vm, page);
        put_neighbours(vm, in, count, wanted, false);
        return NULL;
    }
    insert_neighbours(vm, in, count, wanted);
    *error = read_window(vm, in, count, wanted);
    put_neighbours(vm, in, count, wanted, true);
    return *error ? NULL : page;
}

/* The page of a slot if it is in the cache, locked and up to date. */
static struct quire_page *lock_cached(struct quire_vm *vm, swap_entry entry)
{
    struct quire_page *page = swap_cache_find(vm, entry);
    if (!page)
        return NULL;
    page_lock(page);
    if (page_has(page, PG_UPTODATE) && swap_cache_is(vm, entry, page))
        return page;
    page_unlock(page);
    vm_put_page(vm, page);
    return NULL;
}

struct quire_page *swap_in_gfp(struct quire_vm *vm, swap_entry entry,
                               const struct alloc_place *place, quire_gfp_t extra, bool *major,
                               int *error)
{
    *major = false;
    do {
        struct quire_page *page = lock_cached(vm, entry);
        if (page) {
            if (page_test_and_clear(page, PG_READAHEAD))
                note_hit(vm);
            return page;
        }
        if (!swap_count(vm, entry)) {
            *error = -QUIRE_EAGAIN;
            return NULL;
        }
        page = read_in(vm, entry, place, extra, error);
        if (page) {
            *major = true;
            return page;
        }
    } while (*error == -QUIRE_EEXIST);
    return NULL;
}

struct quire_page *swap_in(struct quire_vm *vm, swap_entry entry, const struct alloc_place *place,
                           bool *major, int *error)
{
    return swap_in_gfp(vm, entry, place, 0, major, error);
}
