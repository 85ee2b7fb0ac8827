/* vm/migrate.c: user pages move in memory
 *
 * Phys asks (compaction, contiguous ranges, memory that goes) for a page to be kept, then to be
 * moved to another frame, or put back:
 *
 *     isolate    off its list; so reclaim doesn't find it
 *     migrate    the page lock; every entry becomes a migration entry, on which faults wait for the
 *                page lock; what finds the page then, by a cache, waits for the lock or has a pin,
 *                and with a pin the page stays. Copy; caches lead to the new page; entries too
 *     putback    back onto a list
 *
 * One who uses the page must be left when nobody maps it, or page_unuse would drop the users'
 * reference: the cache that it is in, or else migration itself.
 *
 *   invariant   from the count of users and references (1, and 2 with phys's) to the page's removal
 *               from its cache nobody can reach its content: entries and lists don't lead to it,
 * and the cache's lock is held for the last look and the exchange invariant   `from` is unlocked
 * only after no entry waits for it any more
 */
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/swap.h"

/* What a page is, wherever it is. Whether it is in the swap cache changes with the cache. */
#define MOVED_FLAGS (PG_UPTODATE | PG_DIRTY | PG_REFERENCED | PG_WORKINGSET)

/* ---- isolate and back ------------------------------------------------------------------------ */

static int isolate(void *arg, struct quire_page *page)
{
    struct quire_vm *vm = arg;
    if (!page_users(page) || page_has(page, PG_LOCKED | PG_WRITEBACK) || !lru_remove(vm, page))
        return -QUIRE_EBUSY;
    return 0;
}

static void putback(void *arg, struct quire_page *page)
{
    lru_putback(arg, page);
}

/* ---- users ----------------------------------------------------------------------------------- */

/* The page has no users any more; their reference is phys's now. */
static void leave_to_phys(struct quire_vm *vm, struct quire_page *page)
{
    if (page->owner_word & PAGE_MAPPED)
        vm_stat_add(vm, page_is_anon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
    quire_store_relaxed(&page->owner_word, 0);
    page_set_root(page, PAGE_KIND_NONE, 0);
}

/* ---- migrate --------------------------------------------------------------------------------- */

/* Nobody maps the page, and nobody pins it but phys. */
static bool is_alone(struct quire_page *page)
{
    return page_users(page) == 1 && quire_page_count(page) == 2;
}

/* Gives `to` all that `from` is, a user included. -EAGAIN: somebody found `from` in its cache. */
static int take_over(struct quire_vm *vm, struct root *root, struct quire_page *to,
                     struct quire_page *from)
{
    page_copy(vm, to, from);
    page_set(to, page_flags_of(from) & MOVED_FLAGS);
    if (page_kind(from) != PAGE_KIND_ANON && page_is_cached(from) && !page_has(from, PG_SWAPCACHE))
        return cache_replace(mapping_of_root(root), from, to);
    page_set_index(to, page_index(from));
    page_set_root(to, page_kind(from), page_root_id(from));
    if (!page_use(to))
        return -QUIRE_EAGAIN;
    if (!page_has(from, PG_SWAPCACHE))
        return 0;
    page_set(to, PG_SWAPCACHE);
    return swap_cache_replace(vm, from, to);
}

/* As it came from phys. */
static void undress(struct quire_page *page)
{
    page_clear(page, PG_FLAGS & ~PG_LOCKED);
    page_start(page);
}

/* Both pages locked. */
static int move(struct quire_vm *vm, struct root *root, struct quire_page *to,
                struct quire_page *from)
{
    bool cached = page_is_cached(from);
    if (page_has(from, PG_WRITEBACK))
        return -QUIRE_EAGAIN;
    if (!cached && !page_use_unless_unused(from))
        return -QUIRE_EBUSY;
    int error = -QUIRE_EAGAIN;
    if (try_to_unmap(vm, from, UNMAP_MIGRATION | UNMAP_IGNORE_LOCKED) && is_alone(from))
        error = take_over(vm, root, to, from);
    if (error)
        undress(to);
    else
        leave_to_phys(vm, from);
    struct quire_page *now = error ? from : to;
    if (!error)
        lru_putback(vm, to); /* before an entry says that it is mlocked */
    remove_migration_entries(vm, from, now);
    if (!cached)
        page_unuse(vm, now);
    return error;
}

static int migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct quire_vm *vm = arg;
    if (!page_trylock(from))
        return -QUIRE_EAGAIN;
    page_start(to);
    page_set(to, PG_LOCKED);
    struct root *root = root_of_page(vm, from);
    int error = move(vm, root, to, from);
    page_unlock(to);
    page_unlock(from);
    if (root)
        root_put(vm, root);
    return error;
}

/* ---- from node to node ----------------------------------------------------------------------- */

#define ATTEMPTS 10u /* Linux's */

/* As phys's migrate_block: the caller's pin is what phys's reference is there. With `keep` he has
 * it when all went well, and nobody else. */
static int migrate_pinned(struct quire_vm *vm, struct quire_page *from, struct quire_page *to,
                          bool keep)
{
    int error = -QUIRE_EAGAIN;
    page_wait_locked(from);
    if (isolate(vm, from)) {
        vm_put_page(vm, to);
        vm_put_page(vm, from);
        return -QUIRE_EBUSY;
    }
    page_pin(to);
    for (unsigned i = 0; i < ATTEMPTS && error == -QUIRE_EAGAIN; i++) {
        page_wait_writeback(from);
        error = migrate(vm, to, from);
    }
    if (error) {
        vm_put_page(vm, to);
        lru_putback(vm, from);
    } else {
        page_clear(from, PG_FLAGS);
        vm_put_page(vm, from);
    }
    vm_put_page(vm, to);
    if (error || !keep)
        vm_put_page(vm, from);
    return error;
}

int page_migrate(struct quire_vm *vm, struct quire_page *from, struct quire_page *to)
{
    return migrate_pinned(vm, from, to, false);
}

int page_migrate_away(struct quire_vm *vm, struct quire_page *from, struct quire_page *to)
{
    return migrate_pinned(vm, from, to, true);
}

/* ---- registration ---------------------------------------------------------------------------- */

int migrate_register(struct quire_vm *vm)
{
    vm->moves = (struct quire_mover){
        .isolate = isolate,
        .migrate = migrate,
        .putback = putback,
        .arg = vm,
    };
    int id = quire_register_mover(vm->mem, &vm->moves);
    if (id < 0)
        return id;
    vm->mover = id;
    return 0;
}

void migrate_unregister(struct quire_vm *vm)
{
    quire_unregister_mover(vm->mem, (unsigned)vm->mover);
    vm->mover = 0;
}
