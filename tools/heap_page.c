/* tools/heap_page.c: the page that a program with libquire-malloc.so shares */
#define _GNU_SOURCE
#include "heap_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 1000
#define LEAST_BYTES 64 /* of a page of any version */
#define PAGE_FILE "/memfd:" QUIRE_HEAP_PAGE_NAME " (deleted)"
#define PLACES_FILE "/memfd:" QUIRE_HEAP_PLACES_NAME " (deleted)"

static bool is_file(int folder, const char *name, const char *is)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return !strcmp(target, is);
}

/* Another user's program may say anything. */
static bool is_known(const struct quire_heap_page *page)
{
    return page->version == QUIRE_HEAP_PAGE_VERSION && page->bytes >= sizeof *page &&
           page->nr_classes == QUIRE_HEAP_PAGE_CLASSES;
}

/* What the process is called where it runs: in a container, by another number. */
uint32_t heap_page_innermost_pid(uint32_t pid)
{
    char line[256];
    unsigned inner = pid;
    snprintf(line, sizeof line, "/proc/%u/status", pid);
    FILE *file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *last = strrchr(line, '\t');
        if (!strncmp(line, "NSpid:", 6) && last && sscanf(last, "%u", &inner) != 1)
            inner = pid;
    }
    if (file)
        fclose(file);
    return inner;
}

#define MOST_BYTES (1u << 30) /* of a block or a page: then differences fit 64 bits */

/* From 0 to the largest number, whatever the page says. */
static uint64_t changed(uint64_t count, int64_t by)
{
    uint64_t sum;
    if (by < 0)
        return count > 0 - (uint64_t)by ? count + (uint64_t)by : 0;
    return __builtin_add_overflow(count, (uint64_t)by, &sum) ? UINT64_MAX : sum;
}

/* What has been added since then, of counts that may be cut; no more goes than there was. */
static int64_t added(uint32_t then, uint32_t now, uint64_t count)
{
    int64_t more = (int32_t)(now - then);
    return changed(count, more) ? more : -(int64_t)count;
}

/* What has become of the classes since the page was written. Another user's program may say
 * anything. */
static void bring_up_to_date(struct quire_heap_page *page)
{
    if (page->page_size > MOST_BYTES)
        return;
    for (unsigned i = 1; i < QUIRE_HEAP_PAGE_CLASSES; i++) {
        struct quire_heap_page_class *c = &page->class_of[i];
        int64_t more = added(page->taken_then[i], page->taken_now[i], c->used);
        int64_t pages = added(page->pages_then[i], page->pages_now[i], c->pages);
        if ((!more && !pages) || !c->size || c->size > MOST_BYTES)
            continue;
        int64_t size = (int64_t)c->size, bytes = pages * (int64_t)page->page_size;
        page->slots = changed(page->slots, bytes - more * size);
        c->slots = changed(c->slots, bytes / size);
        c->used = changed(c->used, more);
        c->pages = changed(c->pages, pages);
        c->slots = c->slots < c->used + c->cached ? c->used + c->cached : c->slots;
        page->used = changed(page->used, more * size);
        page->nr_blocks = changed(page->nr_blocks, more);
    }
}

/* A child that hasn't made its own yet still has its parent's: told apart by the page's pid. */
enum heap_page_result heap_page_read_at(int file, uint64_t start, uint32_t pid,
                                        struct quire_heap_page *page)
{
    enum heap_page_result result = HEAP_PAGE_NONE;
    memset(page, 0, sizeof *page);
    for (unsigned i = 0; i < TRIES && result == HEAP_PAGE_NONE; i++) {
        uint32_t after;
        off_t at = (off_t)start + (off_t)offsetof(struct quire_heap_page, sequence);
        if (pread(file, page, sizeof *page, (off_t)start) < LEAST_BYTES ||
            pread(file, &after, sizeof after, at) != (ssize_t)sizeof after)
            break;
        bool whole = page->sequence == after && !(after & 1);
        if (whole && (page->magic != QUIRE_HEAP_PAGE_MAGIC || page->pid != pid))
            break;
        if (whole)
            result = is_known(page) ? HEAP_PAGE_READ : HEAP_PAGE_UNKNOWN;
    }
    if (result == HEAP_PAGE_READ)
        bring_up_to_date(page);
    return result;
}

/* The latest of its pages: a program that called exec left one. */
static enum heap_page_result read_places(int file, uint32_t pid, struct quire_heap_page *page)
{
    static struct quire_heap_places places;
    static struct quire_heap_page one;
    enum heap_page_result result = HEAP_PAGE_NONE;
    uint64_t latest_ns = 0;
    if (pread(file, &places, sizeof places, 0) != (ssize_t)sizeof places ||
        places.magic != QUIRE_HEAP_PLACES_MAGIC)
        return HEAP_PAGE_NONE;
    for (uint32_t n = 0; n < QUIRE_HEAP_PLACES; n++) {
        if (places.owner[n] != pid ||
            heap_page_read_at(file, heap_page_place(n), pid, &one) != HEAP_PAGE_READ ||
            one.started_ns < latest_ns)
            continue;
        latest_ns = one.started_ns;
        *page = one;
        result = HEAP_PAGE_READ;
    }
    return result;
}

static enum heap_page_result read_file(int folder, const char *name, bool has_places, uint32_t pid,
                                       struct quire_heap_page *page)
{
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return HEAP_PAGE_FORBIDDEN;
    enum heap_page_result result =
        has_places ? read_places(file, pid, page) : heap_page_read_at(file, 0, pid, page);
    close(file);
    return result;
}

enum heap_page_result heap_page_read(uint32_t pid, struct quire_heap_page *page)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%u/fd", pid);
    DIR *folder = opendir(name);
    if (!folder)
        return errno == ENOENT ? HEAP_PAGE_NO_PROCESS : HEAP_PAGE_FORBIDDEN;
    enum heap_page_result result = HEAP_PAGE_NONE;
    const struct dirent *entry;
    uint32_t inner = heap_page_innermost_pid(pid);
    while (result == HEAP_PAGE_NONE && (entry = readdir(folder))) {
        bool has_places = is_file(dirfd(folder), entry->d_name, PLACES_FILE);
        if (has_places || is_file(dirfd(folder), entry->d_name, PAGE_FILE))
            result = read_file(dirfd(folder), entry->d_name, has_places, inner, page);
    }
    closedir(folder);
    return result;
}
