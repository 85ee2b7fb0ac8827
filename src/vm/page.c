/* vm/page.c: the life of a page of this layer: allocation, users, references, its lock, its content
 */
#include "vm/page.h"

#include "vm/lru.h"
#include "vm/swap.h"

/* ---- allocation, users, references ----------------------------------------------------------- */

void page_dress(struct quire_vm *vm, struct quire_page *page)
{
    page_start(page);
    quire_page_set_mover(page, (unsigned)vm->mover);
}

struct quire_page *vm_alloc_page(struct quire_vm *vm, quire_gfp_t extra)
{
    struct quire_page *page = quire_alloc_page(vm->mem, QUIRE_GFP_HIGHUSER_MOVABLE | extra);
    if (quire_unlikely(!page))
        return NULL;
    page_dress(vm, page);
    return page;
}

/* With one reference left the page is the caller's alone: what could take another one needs a user
 * or a list, and phys's isolation, which needs neither, is refused by our mover and gives its
 * reference back by itself. */
void vm_put_page(struct quire_vm *vm, struct quire_page *page)
{
    uint32_t references = quire_load_acquire(&page->refcount);
    while (references != 1)
        if (quire_compare_exchange(&page->refcount, &references, references - 1))
            return;
    QUIRE_ASSERT(!page_has(
        page, PG_LOCKED)); /* who locks a page pins it, or a cache that he holds it in does */
    page_clear(page, PG_FLAGS);
    quire_put_page(vm->mem, page);
}

/* All that is asked of the page is asked before: with the user it may be gone, and be another's.
 * When nobody maps it any more, or so it seems, it isn't counted as mapped: whoever does so again
 * counts it again. */
void page_drop_user(struct quire_vm *vm, struct quire_page *page)
{
    const bool is_cached = page_is_cached(page);
    uint32_t word = quire_load_relaxed(&page->owner_word), now, left;
    /* Others map it yet. */
    while ((left = (word & ~PAGE_MAPPED) / PAGE_USER - 1) > is_cached) {
        QUIRE_ASSERT(left < MAX_USERS);
        if (quire_compare_exchange(&page->owner_word, &word, word - PAGE_USER))
            return;
    }
    enum vm_stat stat = page_is_anon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED;
    do {
        left = (word & ~PAGE_MAPPED) / PAGE_USER - 1;
        now = word - PAGE_USER;
        if (left == is_cached)
            now &= ~PAGE_MAPPED;
        QUIRE_ASSERT(left < MAX_USERS);
    } while (!quire_compare_exchange(&page->owner_word, &word, now));
    if ((word ^ now) & PAGE_MAPPED)
        vm_stat_add(vm, stat, -1);
    if (left)
        return;
    lru_remove(vm, page);
    vm_put_page(vm, page);
}

void page_unuse(struct quire_vm *vm, struct quire_page *page)
{
    if (quire_unlikely(page_has(page, PG_SWAPCACHE)))
        swap_cache_unuse(vm, page);
    else
        page_drop_user(vm, page);
}

/* ---- the page lock --------------------------------------------------------------------------- */

bool page_trylock(struct quire_page *page)
{
    return !page_test_and_set(page, PG_LOCKED);
}

/* Sleeps while `bit` is set. */
static void wait_for_bit(struct quire_page *page, uint32_t bit)
{
    uint32_t seen = page_flags_of(page);
    if (!(seen & bit))
        return;
    if (!(seen & PG_WAITERS) && !quire_compare_exchange(&page->flags, &seen, seen | PG_WAITERS))
        return;
    quire_port_wait(&page->flags, seen | PG_WAITERS);
}

void page_lock(struct quire_page *page)
{
    while (!page_trylock(page))
        wait_for_bit(page, PG_LOCKED);
}

/* A page that isn't this layer's any more, or another one's, is not harmed: to say that somebody
 * waits takes PG_LOCKED to be set in the same word, and whoever has it locked clears both. */
void page_wait_locked(struct quire_page *page)
{
    wait_for_bit(page, PG_LOCKED);
}

/* All who wait are woken, for whichever bit, and look again. */
static void clear_and_wake(struct quire_page *page, uint32_t bit)
{
    uint32_t old = quire_fetch_and(&page->flags, ~(bit | PG_WAITERS));
    QUIRE_ASSERT(old & bit);
    if (quire_unlikely(old & PG_WAITERS))
        quire_port_wake(&page->flags);
}

void page_unlock(struct quire_page *page)
{
    clear_and_wake(page, PG_LOCKED);
}

void page_wait_writeback(struct quire_page *page)
{
    while (page_has(page, PG_WRITEBACK))
        wait_for_bit(page, PG_WRITEBACK);
}

void page_end_writeback(struct quire_page *page)
{
    clear_and_wake(page, PG_WRITEBACK);
}

/* ---- content --------------------------------------------------------------------------------- */

static char *open_window(struct quire_vm *vm, struct quire_page *page)
{
    return quire_port_kmap_local(vm->port, quire_page_to_phys(page));
}

void page_zero_part(struct quire_vm *vm, struct quire_page *page, size_t from, size_t size)
{
    char *at = open_window(vm, page);
    __builtin_memset(at + from, 0, size);
    quire_port_kunmap_local(vm->port, at);
}

void page_zero(struct quire_vm *vm, struct quire_page *page)
{
    page_zero_part(vm, page, 0, QUIRE_PAGE_SIZE);
}

void page_copy(struct quire_vm *vm, struct quire_page *to, struct quire_page *from)
{
    char *target = open_window(vm, to), *source = open_window(vm, from);
    /* Or gcc aligns the two itself. */
    __builtin_memcpy(__builtin_assume_aligned(target, QUIRE_PAGE_SIZE),
                     __builtin_assume_aligned(source, QUIRE_PAGE_SIZE), QUIRE_PAGE_SIZE);
    quire_port_kunmap_local(vm->port, source);
    quire_port_kunmap_local(vm->port, target);
}

void page_copy_part(struct quire_vm *vm, struct quire_page *to, size_t to_at,
                    struct quire_page *from, size_t from_at, size_t size)
{
    char *target = open_window(vm, to), *source = to == from ? target : open_window(vm, from);
    __builtin_memmove(target + to_at, source + from_at, size);
    if (to != from)
        quire_port_kunmap_local(vm->port, source);
    quire_port_kunmap_local(vm->port, target);
}

void page_read(struct quire_vm *vm, struct quire_page *page, size_t at, void *to, size_t size)
{
    char *source = open_window(vm, page);
    __builtin_memcpy(to, source + at, size);
    quire_port_kunmap_local(vm->port, source);
}

void page_write(struct quire_vm *vm, struct quire_page *page, size_t at, const void *from,
                size_t size)
{
    char *target = open_window(vm, page);
    __builtin_memcpy(target + at, from, size);
    quire_port_kunmap_local(vm->port, target);
}
