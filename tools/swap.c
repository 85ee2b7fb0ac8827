/* tools/swap.c: what the machine swaps to: files and other servers' memory
 *
 * A file is opened here, and its descriptor handed to QEMU: so one that has no name is gone with
 * the machine, however that ends, and no name is taken for one of QEMU's protocols. What has "://"
 * in it, or begins with "json:", is a name of QEMU's own.
 */
#define _GNU_SOURCE
#include "swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quire.h"

#define PAGE_BYTES 4096u
#define LEAST_PAGES 10u /* mkswap's least, too */

/* What mkswap(8) writes into the first page: kernel/fs/swap.c reads it. */
struct header {
    char boot[1024];
    uint32_t version, last_page, nr_bad;
    char unused[PAGE_BYTES - 1024 - 3 * sizeof(uint32_t) - 10];
    char signature[10];
};
_Static_assert(sizeof(struct header) == PAGE_BYTES, "the header is a page");
static const char signature[10] = {'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2'};

static bool failed(const struct swap_store *store, const char *what)
{
    complain("--swap=%s: %s", store->wanted, what);
    return false;
}

/* ---- files that are made --------------------------------------------------------------------- */

static bool is_sensible(const struct swap_store *store, uint64_t size)
{
    if (size < (uint64_t)LEAST_PAGES * PAGE_BYTES || size % PAGE_BYTES)
        return failed(store, "a swap area has 40K at least, in whole pages of 4K");
    if (size / PAGE_BYTES > UINT32_MAX || size > INT64_MAX)
        return failed(store, "a swap area has 16T at most");
    return true;
}

/* Sparse but for the header. */
static bool make_area(const struct swap_store *store, uint64_t size)
{
    struct header header = {.version = 1, .last_page = (uint32_t)(size / PAGE_BYTES - 1)};
    memcpy(header.signature, signature, sizeof signature);
    if (ftruncate(store->fd, (off_t)size))
        return failed(store, strerror(errno));
    ssize_t written = pwrite(store->fd, &header, sizeof header, 0);
    return written == (ssize_t)sizeof header || failed(store, strerror(written < 0 ? errno : EIO));
}

/* Not in /tmp, which may be memory. Where files without a name can't be made, it loses its name at
 * once. */
static bool open_temporary(struct swap_store *store)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/var/tmp";
    store->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (store->fd < 0) {
        char *name = text("%s/quire.XXXXXX", folder);
        store->fd = mkostemp(name, O_CLOEXEC);
        if (store->fd >= 0)
            unlink(name);
        free(name);
    }
    if (store->fd >= 0)
        return true;
    complain("--swap=%s: no file can be made in %s (TMPDIR says where): %s", store->wanted, folder,
             strerror(errno));
    return false;
}

static bool open_new(struct swap_store *store, const char *name)
{
    store->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (store->fd >= 0)
        return true;
    if (errno == EEXIST)
        complain("--swap=%s: %s is there already; --swap=%s uses it", store->wanted, name, name);
    else
        complain("--swap=%s: %s can't be made: %s", store->wanted, name, strerror(errno));
    return false;
}

/* ---- files that are there -------------------------------------------------------------------- */

static bool has_header(const struct swap_store *store)
{
    char found[sizeof signature];
    off_t place = PAGE_BYTES - sizeof signature;
    return pread(store->fd, found, sizeof found, place) == (ssize_t)sizeof found &&
           !memcmp(found, signature, sizeof found);
}

/* QEMU locks bytes from 100 on of what it uses, each for something that others may not do. */
static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 200};
    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static bool open_existing(struct swap_store *store)
{
    const char *name = store->wanted;
    struct stat status;
    store->fd = open(name, O_RDWR | O_CLOEXEC);
    if (store->fd < 0 && errno == ENOENT) {
        complain("--swap=%s: there is no such file; --swap=%s:SIZE makes it", name, name);
        return false;
    }
    if (store->fd < 0 || fstat(store->fd, &status))
        return failed(store, strerror(errno));
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return failed(store, "it is neither a file nor a block device");
    if (is_locked(store->fd))
        return failed(store, "another machine uses it");
    if (has_header(store))
        return true;
    complain("--swap=%s: it has no swap header, and may hold something else; if it doesn't, "
             "mkswap %s makes one",
             name, name);
    return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_url(const char *wanted)
{
    return strstr(wanted, "://") || !strncmp(wanted, "json:", 5);
}

/* The part before a size at the end; NULL: there is none. Freed by the caller. */
static char *name_before_size(const char *wanted, uint64_t *size)
{
    const char *colon = strrchr(wanted, ':');
    if (!colon || colon == wanted || !parse_size(colon + 1, size))
        return NULL;
    return text("%.*s", (int)(colon - wanted), wanted);
}

static bool open_one(struct swap_store *store)
{
    uint64_t size;
    if (is_url(store->wanted)) {
        store->url = text("%s", store->wanted);
        return true;
    }
    if (parse_size(store->wanted, &size))
        return is_sensible(store, size) && open_temporary(store) && make_area(store, size);
    char *name = name_before_size(store->wanted, &size);
    if (!name)
        return open_existing(store);
    bool opened = is_sensible(store, size) && open_new(store, name);
    if (opened && !make_area(store, size)) {
        unlink(name);
        opened = false;
    }
    free(name);
    return opened;
}

static bool is_named_before(const struct swap_stores *stores, const struct swap_store *store)
{
    struct stat status, other;
    if (store->fd < 0 || fstat(store->fd, &status))
        return false;
    for (const struct swap_store *before = stores->store; before < store; before++)
        if (before->fd >= 0 && !fstat(before->fd, &other) && other.st_dev == status.st_dev &&
            other.st_ino == status.st_ino)
            return true;
    return false;
}

bool swap_open(struct swap_stores *stores, const struct texts *wanted)
{
    *stores = (struct swap_stores){.count = 0};
    for (size_t i = 0; i < wanted->count; i++) {
        struct swap_store *store = &stores->store[stores->count++];
        *store = (struct swap_store){.wanted = wanted->text[i], .fd = -1};
        if (!open_one(store))
            return false;
        if (is_named_before(stores, store))
            return failed(store, "it is named twice");
    }
    return true;
}

void swap_close(struct swap_stores *stores)
{
    for (unsigned i = 0; i < stores->count; i++) {
        free(stores->store[i].url);
        if (stores->store[i].fd >= 0)
            close(stores->store[i].fd);
    }
    stores->count = 0;
}
