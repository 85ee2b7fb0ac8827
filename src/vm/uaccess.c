/* vm/uaccess.c: the kernel's access to user memory, page by page
 *
 * A page is looked up in the page tables as the processor would, faulted in if need be, pinned
 * under its entry's lock, and copied through the kernel's own mapping. So it works whatever address
 * space is loaded, and a fault in the middle is a return value.
 */
#include "vm/cache.h"
#include "vm/fault.h"

#define TABLE_BYTES ((quire_linear_t)1 << 21) /* one entry lock, and within one table */

/* Pins pages that are there, from `at` on and within one table: how many of `count`. */
static unsigned pin_present(struct quire_mm *mm, quire_linear_t at, unsigned count, bool write,
                            struct quire_page **pages)
{
    const uint64_t rights = QUIRE_PTE_PRESENT | (write ? QUIRE_PTE_WRITE : 0);
    const unsigned entry_bytes = mm->pt.format->entry_bytes;
    const unsigned most = (unsigned)((TABLE_BYTES - (at & (TABLE_BYTES - 1))) >> QUIRE_PAGE_SHIFT);
    unsigned done = 0;
    void *where;
    count = count < most ? count : most;
    entry_lock(mm, at);
    uint64_t entry = quire_find_entry(&mm->pt, at, &where);
    while ((entry & rights) == rights) {
        struct quire_page *page = quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
        page_pin(page);
        pages[done++] = page;
        if (done == count)
            break;
        entry = quire_entry_at(&mm->pt, (char *)where + (size_t)done * entry_bytes);
    }
    entry_unlock(mm, at);
    return done;
}

static bool access_allowed(const struct quire_vma *vma, bool write)
{
    return vma->flags & (write ? VM_WRITE : VM_ACCESS);
}

/* -ENOENT: there is no area. With the reader's lock. */
static int get_page_locked(struct quire_mm *mm, quire_linear_t at, bool write,
                           struct quire_page **page)
{
    struct quire_vma *vma = vma_at(mm, at);
    if (!vma)
        return -QUIRE_ENOENT;
    if (!access_allowed(vma, write))
        return -QUIRE_EFAULT;
    while (!pin_present(mm, at, 1, write, page)) {
        enum quire_fault_result result = fault_in_area(vma, at, write ? QUIRE_FAULT_FLAG_WRITE : 0);
        if (result == QUIRE_VM_OOM)
            return -QUIRE_ENOMEM;
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
    if (error != -QUIRE_ENOENT)
        return error;
    /* A stack may grow; that takes the path of faults. */
    enum quire_fault_result result =
        quire_handle_fault(mm, at, write ? QUIRE_FAULT_FLAG_WRITE : 0, NULL);
    if (result >= QUIRE_VM_SEGV_MAPERR)
        return result == QUIRE_VM_OOM ? -QUIRE_ENOMEM : -QUIRE_EFAULT;
    rwlock_read(&mm->lock);
    error = get_page_locked(mm, at, write, page);
    rwlock_read_unlock(&mm->lock);
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

/* One lock for all that are there, one look at the area for those that it has. */
int quire_get_user_pages(struct quire_mm *mm, quire_linear_t address, unsigned count, bool write,
                         struct quire_page **pages)
{
    quire_linear_t at = address & ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1);
    unsigned done = 0, pinned = 1;
    rwlock_read(&mm->lock);
    while (pinned && done < count && at < mm->layout.end) {
        const struct quire_vma *vma = vma_at(mm, at);
        if (!vma || !access_allowed(vma, write))
            break;
        uint64_t in_area = (vma->end - at) >> QUIRE_PAGE_SHIFT;
        pinned = pin_present(mm, at, in_area < count - done ? (unsigned)in_area : count - done,
                             write, pages + done);
        done += pinned;
        at += (quire_linear_t)pinned << QUIRE_PAGE_SHIFT;
    }
    rwlock_read_unlock(&mm->lock);
    int error = 0;
    for (; done < count && !error; done += !error)
        error = quire_get_user_page(mm, address + ((quire_linear_t)done << QUIRE_PAGE_SHIFT), write,
                                    &pages[done]);
    return done ? (int)done : error;
}

void quire_put_user_pages(struct quire_vm *vm, struct quire_page *const *pages, unsigned count,
                          bool dirty)
{
    for (unsigned i = 0; i < count; i++)
        quire_put_user_page(vm, pages[i], dirty);
}

/* ---- copying -----------------------------------------------------------------------------------
 */

/* What lies within one page of a range, for each page in turn. */
struct piece {
    quire_linear_t at;
    size_t offset, size;
};

static struct piece first_piece(const struct quire_mm *mm, quire_linear_t at, size_t size)
{
    struct piece piece = {.at = at, .offset = at & (QUIRE_PAGE_SIZE - 1)};
    uint64_t room = at < mm->layout.end ? mm->layout.end - at : 0;
    piece.size = QUIRE_PAGE_SIZE - piece.offset;
    if (piece.size > size)
        piece.size = size;
    if (piece.size > room)
        piece.size = (size_t)room;
    return piece;
}

size_t quire_copy_from_user(struct quire_mm *mm, void *to, quire_linear_t from, size_t size)
{
    char *target = to;
    while (size) {
        struct piece piece = first_piece(mm, from, size);
        struct quire_page *page;
        if (!piece.size || quire_get_user_page(mm, from, false, &page))
            return size;
        page_read(mm->vm, page, piece.offset, target, piece.size);
        quire_put_user_page(mm->vm, page, false);
        target += piece.size;
        from += piece.size;
        size -= piece.size;
    }
    return 0;
}

/* `from` NULL: zeros. */
static size_t write_user(struct quire_mm *mm, quire_linear_t to, const char *from, size_t size)
{
    while (size) {
        struct piece piece = first_piece(mm, to, size);
        struct quire_page *page;
        if (!piece.size || quire_get_user_page(mm, to, true, &page))
            return size;
        if (from) {
            page_write(mm->vm, page, piece.offset, from, piece.size);
            from += piece.size;
        } else {
            page_zero_part(mm->vm, page, piece.offset, piece.size);
        }
        quire_put_user_page(mm->vm, page, true);
        to += piece.size;
        size -= piece.size;
    }
    return 0;
}

size_t quire_copy_to_user(struct quire_mm *mm, quire_linear_t to, const void *from, size_t size)
{
    return write_user(mm, to, from, size);
}

size_t quire_clear_user(struct quire_mm *mm, quire_linear_t to, size_t size)
{
    return write_user(mm, to, NULL, size);
}

/* ---- strings -----------------------------------------------------------------------------------
 */

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
        struct piece piece = first_piece(mm, from + done, size - done);
        if (piece.size > sizeof chunk)
            piece.size = sizeof chunk;
        if (!piece.size || quire_copy_from_user(mm, chunk, from + done, piece.size))
            return -QUIRE_EFAULT;
        size_t length = length_within(chunk, piece.size);
        bool ends = length < piece.size;
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
