/* vm/uaccess.c: the kernel's access to user memory, page by page
 *
 * A page is looked up in the page tables as the processor would, faulted in if need be, and copied
 * through the kernel's own mapping, under its entry's lock (uaccess.h). So it works whatever
 * address space is loaded, and a fault in the middle is a return value. Who wants the page itself
 * gets it pinned.
 */
#include "vm/uaccess.h"

#include "vm/cache.h"
#include "vm/fault.h"

#define TABLE_BYTES ((quire_linear_t)1 << 21) /* one entry lock, and within one table */

static uint32_t rights_for(bool write)
{
    return QUIRE_PTE_PRESENT | (write ? QUIRE_PTE_WRITE : 0);
}

/* Pins a page that is there. */
static bool pin_present(struct quire_mm *mm, quire_linear_t at, bool write,
                        struct quire_page **page)
{
    void *where;
    entry_lock(mm, at);
    uint64_t entry = quire_find_entry(&mm->pt, at, &where);
    bool present = (entry & rights_for(write)) == rights_for(write);
    if (present) {
        *page = quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
        page_pin(*page);
    }
    entry_unlock(mm, at);
    return present;
}

static bool access_allowed(const struct quire_vma *vma, bool write)
{
    return vma->flags & (write ? VM_WRITE : VM_ACCESS);
}

/* -ENOENT: there is no area; -EAGAIN: its monitor sees to it. With the reader's lock. */
static int get_page_locked(struct quire_mm *mm, quire_linear_t at, bool write,
                           struct quire_page **page)
{
    struct quire_vma *vma = vma_at(mm, at);
    if (!vma)
        return -QUIRE_ENOENT;
    if (!access_allowed(vma, write))
        return -QUIRE_EFAULT;
    while (!pin_present(mm, at, write, page)) {
        enum quire_fault_result result = fault_in_area(vma, at, write ? QUIRE_FAULT_FLAG_WRITE : 0);
        if (result == QUIRE_VM_OOM)
            return -QUIRE_ENOMEM;
        if (quire_unlikely(result == FAULT_WAITS))
            return -QUIRE_EAGAIN;
        if (result >= QUIRE_VM_SEGV_MAPERR)
            return -QUIRE_EFAULT;
    }
    return 0;
}

int quire_get_user_page(struct quire_mm *mm, quire_linear_t address, bool write,
                        struct quire_page **page)
{
    quire_linear_t at = address & ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1);
    if (at >= mm->layout.end)
        return -QUIRE_EFAULT;
    rwlock_read(&mm->lock);
    int error = get_page_locked(mm, at, write, page);
    rwlock_read_unlock(&mm->lock);
    /* A stack may grow, a monitor may have to be waited for: that takes the path of faults. */
    for (bool grown = false; error == -QUIRE_EAGAIN || (error == -QUIRE_ENOENT && !grown);) {
        grown = error == -QUIRE_ENOENT;
        enum quire_fault_result result =
            quire_handle_fault(mm, at, write ? QUIRE_FAULT_FLAG_WRITE : 0, NULL);
        if (result >= QUIRE_VM_SEGV_MAPERR)
            return result == QUIRE_VM_OOM ? -QUIRE_ENOMEM : -QUIRE_EFAULT;
        rwlock_read(&mm->lock);
        error = get_page_locked(mm, at, write, page);
        rwlock_read_unlock(&mm->lock);
    }
    return error == -QUIRE_ENOENT ? -QUIRE_EFAULT : error;
}

/* A page that is dropped from its file meanwhile has nobody left to write it for. */
static void set_dirty(struct quire_vm *vm, struct quire_page *page)
{
    page_lock(page);
    if (page_kind(page) == PAGE_KIND_FILE || page_kind(page) == PAGE_KIND_SHMEM) {
        struct root *root = root_of_page(vm, page);
        if (root) {
            cache_set_dirty(mapping_of_root(root), page);
            root_put(vm, root);
        }
    } else {
        page_set(page, PG_DIRTY);
    }
    page_unlock(page);
}

void quire_put_user_page(struct quire_vm *vm, struct quire_page *page, bool dirty)
{
    if (dirty)
        set_dirty(vm, page);
    vm_put_page(vm, page);
}

/* ---- copying --------------------------------------------------------------------------------- */

static size_t rest_of_page(size_t offset, size_t size)
{
    size_t rest = QUIRE_PAGE_SIZE - offset;
    return size < rest ? size : rest;
}

/* Up to the end of the address space. */
static size_t within_layout(const struct quire_mm *mm, quire_linear_t at, size_t size)
{
    uint64_t room = at < mm->layout.end ? mm->layout.end - at : 0;
    return size < room ? size : (size_t)room;
}

/* What lies within one page, which the entry's lock keeps in its place. */
static void copy_part(struct quire_vm *vm, struct quire_page *page, size_t at,
                      const struct user_other *other, size_t done, size_t size, bool to_user)
{
    if (other->bytes && to_user)
        page_write(vm, page, at, other->bytes + done, size);
    else if (other->bytes)
        page_read(vm, page, at, other->bytes + done, size);
    else if (!other->page)
        page_zero_part(vm, page, at, size);
    else if (to_user)
        page_copy_part(vm, page, at, other->page, other->offset + done, size);
    else
        page_copy_part(vm, other->page, other->offset + done, page, at, size);
}

/* An entry that allows the access gets what a processor would set in it. Rights may be taken
 * without the entry's lock (mprotect): then what was seen counts no more. */
static bool mark_entry(struct quire_pgtable *pt, void *where, uint64_t *entry, uint32_t rights,
                       uint32_t marks)
{
    while (((uint32_t)*entry & rights) == rights) {
        bool flush = false; /* it never takes one */
        uint64_t expected = *entry;
        if (((uint32_t)*entry & marks) == marks ||
            !quire_update_entry_at(pt, where, &expected, *entry | marks, &flush))
            return true;
        *entry = expected;
    }
    return false;
}

/* One walk, but where the next page is another table's, and has another lock. */
size_t user_copy_present(struct quire_mm *mm, quire_linear_t at, const struct user_other *other,
                         size_t size, bool to_user)
{
    const uint32_t rights = rights_for(to_user);
    const uint32_t marks = rights | QUIRE_PTE_ACCESSED | (to_user ? QUIRE_PTE_DIRTY : 0);
    size_t offset = at & (QUIRE_PAGE_SIZE - 1), part = rest_of_page(offset, size), done = 0;
    void *where;
    rwlock_read(&mm->tables);
    entry_lock(mm, at);
    uint64_t entry = quire_find_entry(&mm->pt, at, &where);
    while (((uint32_t)entry & marks) == marks ||
           mark_entry(&mm->pt, where, &entry, rights, marks)) {
        copy_part(mm->vm, quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry)), offset, other,
                  done, part, to_user);
        done += part;
        if (done == size)
            break;
        offset = 0;
        part = rest_of_page(0, size - done);
        at = (at | (QUIRE_PAGE_SIZE - 1)) + 1;
        if (at & (TABLE_BYTES - 1)) {
            where = (char *)where + mm->pt.format->entry_bytes;
            entry = quire_entry_at(&mm->pt, where);
        } else {
            entry_unlock(mm, at - 1);
            entry_lock(mm, at);
            entry = quire_find_entry(&mm->pt, at, &where);
        }
    }
    entry_unlock(mm, at);
    rwlock_read_unlock(&mm->tables);
    return done;
}

/* How many of `count` pages are there, from `at` on and within one table. */
static unsigned count_present(struct quire_mm *mm, quire_linear_t at, unsigned count, bool write)
{
    const uint32_t rights = rights_for(write);
    const unsigned entry_bytes = mm->pt.format->entry_bytes;
    const unsigned most = (unsigned)((TABLE_BYTES - (at & (TABLE_BYTES - 1))) >> QUIRE_PAGE_SHIFT);
    unsigned done = 0;
    void *where;
    count = count < most ? count : most;
    rwlock_read(&mm->tables);
    uint64_t entry = quire_find_entry(&mm->pt, at, &where);
    while ((entry & rights) == rights && ++done < count)
        entry = quire_entry_at(&mm->pt, (char *)where + (size_t)done * entry_bytes);
    rwlock_read_unlock(&mm->tables);
    return done;
}

size_t user_fault_in(struct quire_mm *mm, quire_linear_t at, size_t size, bool write)
{
    const size_t offset = at & (QUIRE_PAGE_SIZE - 1);
    size = within_layout(mm, at, size);
    const size_t end = offset + size;
    for (size_t done = 0; done < end;) {
        quire_linear_t page_at = at - offset + done;
        size_t left = (end - done + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT;
        struct quire_page *page;
        unsigned there = count_present(mm, page_at, left < 512 ? (unsigned)left : 512, write);
        done += (size_t)there << QUIRE_PAGE_SHIFT;
        if (there)
            continue;
        if (quire_get_user_page(mm, page_at, write, &page))
            return done > offset ? done - offset : 0;
        vm_put_page(mm->vm, page);
        done += QUIRE_PAGE_SIZE;
    }
    return size;
}

/* What is gone again before it was copied is faulted in again, as a program's own access would. */
static size_t copy_user(struct quire_mm *mm, quire_linear_t at, const struct user_other *other,
                        size_t size, bool to_user)
{
    const size_t most = within_layout(mm, at, size);
    struct user_other rest = *other;
    size_t done = 0;
    for (;;) {
        size_t piece = most - done < QUIRE_PAGE_SIZE ? most - done : QUIRE_PAGE_SIZE;
        rest.bytes = other->bytes ? other->bytes + done : NULL;
        size_t copied = piece ? user_copy_present(mm, at + done, &rest, piece, to_user) : 0;
        done += copied;
        if (done == most || (copied < piece && !user_fault_in(mm, at + done, 1, to_user)))
            return size - done;
    }
}

size_t quire_copy_from_user(struct quire_mm *mm, void *to, quire_linear_t from, size_t size)
{
    return copy_user(mm, from, &(struct user_other){.bytes = to}, size, false);
}

size_t quire_copy_to_user(struct quire_mm *mm, quire_linear_t to, const void *from, size_t size)
{
    struct user_other other = {.bytes = (char *)(uintptr_t)from}; /* read only */
    return copy_user(mm, to, &other, size, true);
}

size_t quire_clear_user(struct quire_mm *mm, quire_linear_t to, size_t size)
{
    return copy_user(mm, to, &(struct user_other){.bytes = NULL}, size, true);
}

/* ---- strings --------------------------------------------------------------------------------- */

static size_t length_within(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length])
        length++;
    return length;
}

/* Copies (`to` may be NULL) until a NUL or `size` bytes: their number, or -EFAULT. */
static int64_t copy_string(struct quire_mm *mm, char *to, quire_linear_t from, size_t size)
{
    char chunk[128];
    size_t done = 0;
    while (done < size) {
        size_t piece = rest_of_page((from + done) & (QUIRE_PAGE_SIZE - 1), size - done);
        piece = piece < sizeof chunk ? piece : sizeof chunk;
        piece = within_layout(mm, from + done, piece);
        if (!piece || quire_copy_from_user(mm, chunk, from + done, piece))
            return -QUIRE_EFAULT;
        size_t length = length_within(chunk, piece);
        bool ends = length < piece;
        if (to)
            __builtin_memcpy(to + done, chunk, length + ends);
        done += length;
        if (ends)
            return (int64_t)done;
    }
    return (int64_t)size;
}

int64_t quire_strncpy_from_user(struct quire_mm *mm, char *to, quire_linear_t from, size_t size)
{
    return copy_string(mm, to, from, size);
}

size_t quire_strnlen_user(struct quire_mm *mm, quire_linear_t at, size_t size)
{
    int64_t length = copy_string(mm, NULL, at, size);
    return length < 0 ? 0 : (size_t)length + 1;
}
