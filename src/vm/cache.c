/* vm/cache.c: the array of a mapping's pages
 *
 * Pages are found, put in and taken out here, with the counts that depend on it. See cache.h for
 * the invariants; what a page holds is none of this file's business.
 */
#include "vm/cache.h"

#include "vm/lru.h"

/* ---- finding --------------------------------------------------------------------------------- */

/* The page at an index, pinned, in whatever state; NULL: *word says what is there. */
static struct quire_page *pin_at(struct quire_mapping *mapping, uint64_t index, uintptr_t *word)
{
    mapping_lock(mapping);
    *word = xa_load(&mapping->pages, index);
    struct quire_page *page = cache_word_page(*word);
    if (page)
        page_pin(page);
    mapping_unlock(mapping);
    return page;
}

struct quire_page *cache_find(struct quire_mapping *mapping, uint64_t index)
{
    uintptr_t word;
    struct quire_page *page = pin_at(mapping, index, &word);
    if (!page || page_has(page, PG_UPTODATE))
        return page;
    vm_put_page(mapping->vm, page);
    return NULL;
}

void cache_put_page(struct quire_mapping *mapping, struct quire_page *page)
{
    page_unlock(page);
    vm_put_page(mapping->vm, page);
}

struct quire_page *cache_lock_page(struct quire_mapping *mapping, uint64_t index, uintptr_t *word)
{
    for (;;) {
        struct quire_page *page = pin_at(mapping, index, word);
        if (!page)
            return NULL;
        page_lock(page);
        if (cache_holds(mapping, page, index))
            return page;
        cache_put_page(mapping, page);
    }
}

unsigned cache_find_batch(struct quire_mapping *mapping, uint64_t *index, uint64_t last, bool dirty,
                          struct quire_page **pages)
{
    unsigned count = 0;
    mapping_lock(mapping);
    while (count < CACHE_BATCH) {
        uintptr_t word = dirty ? xa_next_marked(&mapping->pages, index, last)
                               : xa_next(&mapping->pages, index, last);
        if (!word)
            break;
        ++*index;
        struct quire_page *page = cache_word_page(word);
        if (!page)
            continue;
        page_pin(page);
        pages[count++] = page;
    }
    mapping_unlock(mapping);
    return count;
}

unsigned cache_count_vacant(struct quire_mapping *mapping, uint64_t index, unsigned count)
{
    uintptr_t word[CACHE_BATCH];
    unsigned vacant = 0;
    mapping_lock(mapping);
    xa_load_range(&mapping->pages, index, count, word);
    mapping_unlock(mapping);
    while (vacant < count && !word[vacant])
        vacant++;
    return vacant;
}

/* ---- putting in and taking out --------------------------------------------------------------- */

static void count_pages(struct quire_mapping *mapping, long pages)
{
    vm_stat_add(mapping->vm, NR_FILE_PAGES, pages);
    if (mapping->is_shmem)
        vm_stat_add(mapping->vm, NR_SHMEM, pages);
}

void cache_belong(struct quire_mapping *mapping, struct quire_page *page, uint64_t index)
{
    page_set_index(page, index);
    page_set_root(page, mapping->root.kind, mapping->root.id);
    bool used = page_use(page);
    QUIRE_BUG_ON(!used);
}

/* Whether a new page may take the place of a word: that of nothing, or of a memory. */
static bool is_vacant(const struct quire_mapping *mapping, uintptr_t word)
{
    return !word || (xa_is_number(word) && !mapping->is_shmem);
}

/* 0; -EEXIST: it isn't vacant; -ENOMEM. *old is what was there. */
static int place(struct quire_mapping *mapping, uint64_t index, struct quire_page *page,
                 struct xa_reserve *reserve, uintptr_t *old)
{
    int error = 0;
    mapping_lock(mapping);
    while (xa_missing(&mapping->pages, index) > reserve->count) {
        mapping_unlock(mapping);
        error = xa_prepare(mapping->vm, reserve, QUIRE_GFP_KERNEL);
        if (error)
            return error;
        mapping_lock(mapping);
    }
    *old = xa_load(&mapping->pages, index);
    if (is_vacant(mapping, *old)) {
        page_set(page, PG_LOCKED);
        cache_belong(mapping, page, index);
        page_pin(page);
        xa_store(mapping->vm, &mapping->pages, index, (uintptr_t)page, reserve);
        mapping->nr_pages++;
    } else {
        error = -QUIRE_EEXIST;
    }
    mapping_unlock(mapping);
    return error;
}

/* Several whose places are empty, and for which the array has room: how many, from the first on.
 * Pages that nobody has seen, but phys's compaction, which sees that they are on no list: so all is
 * written at once. */
static unsigned place_run(struct quire_mapping *mapping, uint64_t index, struct quire_page **pages,
                          unsigned count)
{
    mapping_lock(mapping);
    unsigned done = xa_store_run(mapping->vm, &mapping->pages, index, pages, count);
    for (unsigned i = 0; i < done; i++) {
        struct page_owner *owner = page_owner(pages[i]);
        quire_store_relaxed(&owner->index_low, (uint32_t)(index + i));
        quire_store_relaxed(&owner->place, mapping->root.kind | mapping->root.id << PLACE_ID_SHIFT);
        page_tell_kind(pages[i], mapping->root.kind);
        quire_store_relaxed(&pages[i]->owner_word, PAGE_USER | (uint32_t)((index + i) >> 32));
        page_set(pages[i], PG_LOCKED);
        page_pin(pages[i]);
    }
    mapping->nr_pages += done;
    mapping_unlock(mapping);
    return done;
}

unsigned cache_insert(struct quire_mapping *mapping, uint64_t index, struct quire_page **pages,
                      unsigned count, int *error)
{
    struct quire_vm *vm = mapping->vm;
    struct xa_reserve reserve = {.count = 0};
    unsigned done = 0;
    for (*error = 0; done < count; done++) {
        uintptr_t old;
        unsigned run = place_run(mapping, index + done, pages + done, count - done);
        for (; run; run--)
            lru_add(vm, pages[done++], 0);
        if (done == count)
            break;
        *error = place(mapping, index + done, pages[done], &reserve, &old);
        if (*error)
            break;
        if (old)
            workingset_refault(vm, pages[done], (uint32_t)xa_to_number(old));
        lru_add(vm, pages[done], 0);
    }
    count_pages(mapping, (long)done);
    xa_release(vm, &reserve);
    return done;
}

/* Its word becomes another; the page loses its root, and is counted no more. With the mapping's
 * lock; the user is for the caller to give back, without it. */
void cache_take_out(struct quire_mapping *mapping, struct quire_page *page, uintptr_t word)
{
    uint64_t index = page_index(page);
    if (!mapping->is_shmem && page_test_and_clear(page, PG_DIRTY)) {
        xa_set_mark(&mapping->pages, index, false);
        mapping->nr_dirty--;
        vm_stat_add(mapping->vm, NR_FILE_DIRTY, -1);
    }
    xa_store(mapping->vm, &mapping->pages, index, word, NULL);
    mapping->nr_pages--;
    page_set_root(page, PAGE_KIND_NONE, 0);
    count_pages(mapping, -1);
}

void cache_delete(struct quire_mapping *mapping, struct quire_page *page)
{
    mapping_lock(mapping);
    cache_take_out(mapping, page, 0);
    mapping_unlock(mapping);
    page_unuse(mapping->vm, page);
    if (mapping->is_shmem)
        shmem_uncommit_page(mapping);
}

bool cache_remove(struct quire_mapping *mapping, struct quire_page *page, uint32_t shadow)
{
    mapping_lock(mapping);
    /* Who looks pages up pins or locks them under the lock, and who maps them is a user before; the
     * caller has this one locked. */
    bool unused = cache_holds(mapping, page, page_index(page)) && page_users(page) == 1 &&
                  quire_page_count(page) == 2 && !page_has(page, PG_DIRTY | PG_WRITEBACK);
    if (unused)
        cache_take_out(mapping, page, shadow ? xa_number(shadow) : 0);
    mapping_unlock(mapping);
    if (unused)
        page_unuse(mapping->vm, page);
    return unused;
}

int cache_replace(struct quire_mapping *mapping, struct quire_page *from, struct quire_page *to)
{
    uint64_t index = page_index(from);
    int error = -QUIRE_EAGAIN;
    mapping_lock(mapping);
    if (cache_holds(mapping, from, index) && page_users(from) == 1 && quire_page_count(from) == 2) {
        cache_belong(mapping, to, index);
        xa_store(mapping->vm, &mapping->pages, index, (uintptr_t)to, NULL);
        page_set_root(from, PAGE_KIND_NONE, 0);
        /* The reference that users had stays. */
        (void)quire_sub_fetch(&from->owner_word, PAGE_USER);
        error = 0;
    }
    mapping_unlock(mapping);
    return error;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Takes up to CACHE_BATCH numbers out, which are handed over; *index is behind the last. */
static unsigned take_numbers(struct quire_mapping *mapping, uint64_t *index, uint64_t last,
                             uintptr_t *numbers)
{
    unsigned count = 0;
    uintptr_t word;
    mapping_lock(mapping);
    for (; count < CACHE_BATCH && (word = xa_next(&mapping->pages, index, last)); ++*index) {
        if (!xa_is_number(word))
            continue;
        xa_store(mapping->vm, &mapping->pages, *index, 0, NULL);
        if (mapping->is_shmem)
            shmem_forget_word(mapping, word);
        numbers[count++] = word;
    }
    mapping_unlock(mapping);
    return count;
}

void cache_drop_numbers(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    uintptr_t numbers[CACHE_BATCH];
    unsigned count;
    do {
        count = take_numbers(mapping, &first, last, numbers);
        for (unsigned i = 0; mapping->is_shmem && i < count; i++)
            shmem_drop_slot(mapping, shmem_entry_of_word(numbers[i]));
    } while (count == CACHE_BATCH);
}

/* ---- dirty pages ----------------------------------------------------------------------------- */

/* Who sees the mark of another before him needn't do anything: the page is written after that mark
 * goes, with what was written to it before now. */
void cache_set_dirty(struct quire_mapping *mapping, struct quire_page *page)
{
    if (page_has(page, PG_DIRTY))
        return;
    mapping_lock(mapping);
    if (!page_test_and_set(page, PG_DIRTY) && !mapping->is_shmem) {
        xa_set_mark(&mapping->pages, page_index(page), true);
        mapping->nr_dirty++;
        vm_stat_add(mapping->vm, NR_FILE_DIRTY, 1);
    }
    mapping_unlock(mapping);
}

int cache_make_dirty(struct quire_mapping *mapping, struct quire_page *page)
{
    const struct quire_mapping_ops *ops = mapping->config.ops;
    if (!page_has(page, PG_DIRTY) && ops && ops->page_mkwrite) {
        int error = ops->page_mkwrite(mapping->config.owner, page_index(page));
        if (error)
            return error;
    }
    cache_set_dirty(mapping, page);
    return 0;
}

bool cache_clear_dirty(struct quire_mapping *mapping, struct quire_page *page)
{
    mapping_lock(mapping);
    bool was = page_test_and_clear(page, PG_DIRTY);
    if (was && !mapping->is_shmem) {
        xa_set_mark(&mapping->pages, page_index(page), false);
        mapping->nr_dirty--;
        vm_stat_add(mapping->vm, NR_FILE_DIRTY, -1);
    }
    mapping_unlock(mapping);
    return was;
}
