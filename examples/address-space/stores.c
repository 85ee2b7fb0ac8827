/* examples/address-space/stores.c: callbacks that read and write pages
 *
 * A page's bytes are at quire_page_address, since all memory of this machine is in its direct map.
 * Where there is HighMem that is NULL for some, and a window is opened for each page in turn:
 * quire_port_kmap_local(port, quire_page_to_phys(page)), and quire_port_kunmap_local after it.
 */
#define _POSIX_C_SOURCE 200809L
#include "stores.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* All of it, or what the file has: the bytes that were read, or a negative errno. Linux's numbers
 * are the library's. */
static ssize_t read_all(int file, char *to, size_t size, uint64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file, to + done, size - done, (off_t)(at + done));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (!got)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

static int write_all(int file, const char *from, size_t size, uint64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(file, from + done, size - done, (off_t)(at + done));
        if (put < 0 && errno != EINTR)
            return -errno;
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static int read_pages(void *owner, uint64_t index, struct quire_page *const *pages, unsigned count)
{
    const struct store *store = owner;
    for (unsigned i = 0; i < count; i++) {
        char *bytes = quire_page_address(store->mem, pages[i]);
        ssize_t got = read_all(store->file, bytes, QUIRE_PAGE_SIZE, (index + i) * QUIRE_PAGE_SIZE);
        if (got < 0)
            return (int)got;
        memset(bytes + got, 0, QUIRE_PAGE_SIZE - (size_t)got); /* beyond the file's end */
    }
    return 0;
}

static int write_page(void *owner, uint64_t index, struct quire_page *page, size_t bytes)
{
    const struct store *store = owner;
    return write_all(store->file, quire_page_address(store->mem, page), bytes,
                     index * QUIRE_PAGE_SIZE);
}

const struct quire_mapping_ops file_ops = {.read_pages = read_pages, .write_page = write_page};

/* ---- swap ------------------------------------------------------------------------------------ */

static int read_slots(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    const struct store *store = arg;
    for (unsigned i = 0; i < count; i++) {
        ssize_t got = read_all(store->file, quire_page_address(store->mem, pages[i]),
                               QUIRE_PAGE_SIZE, (slot + i) * QUIRE_PAGE_SIZE);
        if (got != (ssize_t)QUIRE_PAGE_SIZE)
            return got < 0 ? (int)got : -EIO;
    }
    return 0;
}

static int write_slots(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    const struct store *store = arg;
    int error = 0;
    for (unsigned i = 0; !error && i < count; i++)
        error = write_all(store->file, quire_page_address(store->mem, pages[i]), QUIRE_PAGE_SIZE,
                          (slot + i) * QUIRE_PAGE_SIZE);
    return error;
}

const struct quire_swap_ops swap_ops = {.read = read_slots, .write = write_slots};
