/* vm/shmem.c: memory that is shared like a file, without one
 *
 * A page is in memory, in a slot of swap that the array remembers, or never was: then it is zero,
 * and made when somebody maps or writes it. It is always dirty, since swap is the only place for
 * it. On its way out it is in the swap cache, and no longer in the array; on its way in it leaves
 * the swap cache for the array, under its lock both times, so that it is never looked for in vain
 * nor found twice.
 *
 *   invariant   a slot that the array remembers is counted once for that
 *
 * Linux: mm/shmem.c.
 */
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/swap.h"

#define TYPE_BITS 5
_Static_assert(ENTRY_TYPE_MASK >> ENTRY_TYPE_SHIFT < 1u << TYPE_BITS, "a type has five bits");

uintptr_t shmem_word_of_entry(uint64_t entry)
{
    return xa_number((unsigned long)(entry_type(entry) | entry_offset(entry) << TYPE_BITS));
}

uint64_t shmem_entry_of_word(uintptr_t word)
{
    unsigned long number = xa_to_number(word);
    return entry_make((unsigned)number & ((1u << TYPE_BITS) - 1), number >> TYPE_BITS);
}

/* ---- accounting ------------------------------------------------------------------------------ */

int shmem_commit(struct quire_mapping *mapping, long pages)
{
    int error = pages > 0 ? vm_commit(mapping->vm, NULL, pages) : 0;
    if (error)
        return error;
    if (pages < 0)
        vm_uncommit(mapping->vm, -pages);
    (void)__atomic_fetch_add(&mapping->accounted, pages, __ATOMIC_RELAXED);
    return 0;
}

void shmem_uncommit_page(struct quire_mapping *mapping)
{
    if (mapping->config.noreserve)
        (void)!shmem_commit(mapping, -1);
}

/* ---- in -------------------------------------------------------------------------------------- */

static struct quire_page *new_page(struct quire_mapping *mapping, uint64_t index, bool leave,
                                   int *error)
{
    *error = mapping->config.noreserve ? shmem_commit(mapping, 1) : 0;
    if (*error)
        return NULL;
    struct quire_page *page =
        vm_alloc_page_of(mapping, mapping->vm, index, leave ? 0 : QUIRE_GFP_ZERO);
    if (!page)
        *error = -QUIRE_ENOMEM;
    if (page && cache_insert(mapping, index, &page, 1, error)) {
        page_set(page, leave ? PG_DIRTY : PG_UPTODATE | PG_DIRTY);
        return page;
    }
    if (page)
        vm_put_page(mapping->vm, page);
    shmem_uncommit_page(mapping);
    return NULL;
}

/* A locked page of the swap cache is put in the place of its slot. False: that is another now. */
static bool take_back(struct quire_mapping *mapping, uint64_t index, struct quire_page *page,
                      uintptr_t word)
{
    struct quire_vm *vm = mapping->vm;
    page_wait_writeback(page);
    mapping_lock(mapping);
    bool same = xa_load(&mapping->pages, index) == word;
    if (same) {
        cache_belong(mapping, page, index);
        xa_store(vm, &mapping->pages, index, (uintptr_t)page, NULL);
        mapping->nr_pages++;
        mapping->nr_swapped--;
    }
    mapping_unlock(mapping);
    if (!same)
        return false;
    vm_stat_add(vm, NR_FILE_PAGES, 1);
    vm_stat_add(vm, NR_SHMEM, 1);
    swap_free(vm, shmem_entry_of_word(word));
    swap_cache_remove(vm, page); /* dirty from here on */
    return true;
}

/* NULL and *error; -EAGAIN: look again. */
static struct quire_page *swap_page_in(struct quire_mapping *mapping, uint64_t index,
                                       uintptr_t word, bool *major, int *error)
{
    const struct alloc_place place = {NULL, mapping, index};
    struct quire_page *page = swap_in(mapping->vm, shmem_entry_of_word(word), &place, major, error);
    if (!page || take_back(mapping, index, page, word))
        return page;
    cache_put_page(mapping, page);
    *error = -QUIRE_EAGAIN;
    return NULL;
}

struct quire_page *shmem_get_page(struct quire_mapping *mapping, uint64_t index, bool leave,
                                  bool *major, int *error)
{
    for (;;) {
        uintptr_t word;
        struct quire_page *page = cache_lock_page(mapping, index, &word);
        if (page)
            return page;
        if (word && quire_unlikely(entry_is_bad_frame(shmem_entry_of_word(word)))) {
            *error = -QUIRE_EHWPOISON;
            return NULL;
        }
        page = word ? swap_page_in(mapping, index, word, major, error)
                    : new_page(mapping, index, leave, error);
        if (page || (*error != -QUIRE_EEXIST && *error != -QUIRE_EAGAIN))
            return page;
    }
}

int quire_mapping_allocate(struct quire_mapping *mapping, uint64_t start, uint64_t size)
{
    int error = 0;
    if (!mapping->is_shmem || !size || start > MAX_FILE_SIZE || size > MAX_FILE_SIZE - start)
        return -QUIRE_EINVAL;
    rwlock_read(&mapping->resize);
    uint64_t last = pages_of_bytes(start + size), end = pages_of_bytes(mapping->size);
    last = last < end ? last : end;
    for (uint64_t index = start >> QUIRE_PAGE_SHIFT; !error; index++) {
        bool major;
        index = quire_mapping_next(mapping, index, false);
        if (index >= last)
            break;
        struct quire_page *page = shmem_get_page(mapping, index, false, &major, &error);
        if (page) {
            cache_put_page(mapping, page);
            error = 0;
        }
    }
    rwlock_read_unlock(&mapping->resize);
    return error;
}

/* ---- out ------------------------------------------------------------------------------------- */

int shmem_swap_out(struct quire_mapping *mapping, struct quire_page *page)
{
    struct quire_vm *vm = mapping->vm;
    if (!cache_holds(mapping, page, page_index(page)) || page_users(page) != 1)
        return -QUIRE_EAGAIN;
    int error = swap_cache_add(vm, page);
    if (error)
        return error;
    swap_entry entry = swap_cache_entry(vm, page);
    uintptr_t word = shmem_word_of_entry(entry);
    if (shmem_entry_of_word(word) != entry || !swap_duplicate(vm, entry)) {
        swap_cache_remove(vm, page);
        return -QUIRE_ENOSPC;
    }
    mapping_lock(mapping);
    cache_take_out(mapping, page, word);
    page_set_root(page, PAGE_KIND_ANON, 0);
    mapping->nr_swapped++;
    mapping_unlock(mapping);
    page_unuse(vm, page);
    return 0;
}

void shmem_swap_back(struct quire_mapping *mapping, struct quire_page *page)
{
    struct quire_vm *vm = mapping->vm;
    swap_entry entry = swap_cache_entry(vm, page);
    if (!take_back(mapping, page_index(page), page, shmem_word_of_entry(entry)) &&
        !swap_count(vm, entry))
        swap_cache_remove(vm, page);
}

/* The slot that is counted first may be one that the array has no number for. */
void shmem_change_slot(struct quire_mapping *mapping, uint64_t index, swap_entry from,
                       swap_entry to)
{
    struct quire_vm *vm = mapping->vm;
    uintptr_t word = shmem_word_of_entry(to);
    if (shmem_entry_of_word(word) != to || !swap_duplicate(vm, to))
        return;
    mapping_lock(mapping);
    bool changed = xa_load(&mapping->pages, index) == shmem_word_of_entry(from);
    if (changed)
        xa_store(vm, &mapping->pages, index, word, NULL);
    mapping_unlock(mapping);
    swap_free(vm, changed ? from : to);
}

void shmem_poison(struct quire_mapping *mapping, struct quire_page *page)
{
    uintptr_t word = shmem_word_of_entry(entry_make(ENTRY_POISON, quire_page_to_pfn(page).value));
    mapping_lock(mapping);
    cache_take_out(mapping, page, word);
    mapping->nr_bad++;
    mapping_unlock(mapping);
    page_unuse(mapping->vm, page);
}

void shmem_forget_word(struct quire_mapping *mapping, uintptr_t word)
{
    if (quire_unlikely(entry_is_bad_frame(shmem_entry_of_word(word))))
        mapping->nr_bad--;
    else
        mapping->nr_swapped--;
}

void shmem_drop_slot(struct quire_mapping *mapping, uint64_t entry)
{
    struct quire_vm *vm = mapping->vm;
    if (quire_unlikely(entry_is_bad_frame(entry))) {
        shmem_uncommit_page(mapping);
        return;
    }
    struct quire_page *page = swap_cache_find(vm, entry);
    swap_free(vm, entry);
    if (page) {
        swap_cache_drop_unused(vm, page);
        vm_put_page(vm, page);
    }
    shmem_uncommit_page(mapping);
}

/* ---- swapoff --------------------------------------------------------------------------------- */

/* The next index whose page is in slots of a type. */
static bool find_swapped(struct quire_mapping *mapping, unsigned type, uint64_t *index)
{
    uintptr_t word;
    mapping_lock(mapping);
    for (; (word = xa_next(&mapping->pages, index, LAST_INDEX)); ++*index)
        if (xa_is_number(word) && entry_type(shmem_entry_of_word(word)) == type)
            break;
    mapping_unlock(mapping);
    return word;
}

static int unuse(struct quire_mapping *mapping, unsigned type)
{
    int error = 0;
    rwlock_read(&mapping->resize);
    for (uint64_t index = 0; !error && find_swapped(mapping, type, &index);) {
        bool major;
        struct quire_page *page = shmem_get_page(mapping, index, false, &major, &error);
        if (page) {
            cache_put_page(mapping, page);
            error = 0;
        }
    }
    rwlock_read_unlock(&mapping->resize);
    return error;
}

int shmem_unuse(struct quire_vm *vm, unsigned type)
{
    struct quire_mapping *mapping = NULL;
    int error = 0;
    while ((mapping = mapping_next(vm, mapping)))
        if (!error && mapping->is_shmem)
            error = unuse(mapping, type);
    return error;
}
