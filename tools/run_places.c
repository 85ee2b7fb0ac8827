/* tools/run_places.c: a memory file of pages */
#define _GNU_SOURCE
#include "run_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap_page.h"

#define MOST_BYTES (1ull << 47)  /* of addresses that a process has */
#define MOST_EVENTS (1ull << 48) /* a million a second for nine years */

static bool write_at(int file, const void *from, size_t size, uint64_t at)
{
    return pwrite(file, from, size, (off_t)at) == (ssize_t)size;
}

/* Whatever programs do with the file, it stays as large as it is. */
static bool prepare(int file)
{
    static const struct {
        uint64_t magic;
        uint32_t version, nr_places;
    } head = {QUIRE_HEAP_PLACES_MAGIC, QUIRE_HEAP_PAGE_VERSION, QUIRE_HEAP_PLACES};
    return !ftruncate(file, (off_t)heap_page_place(QUIRE_HEAP_PLACES)) &&
           !fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) &&
           write_at(file, &head, sizeof head, 0);
}

bool places_open(struct places *places)
{
    memset(places, 0, sizeof *places);
    places->file = memfd_create(QUIRE_HEAP_PLACES_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (places->file < 0)
        return false;
    if (!prepare(places->file)) {
        int error = errno;
        places_close(places);
        errno = error;
        return false;
    }
    snprintf(places->path, sizeof places->path, "/proc/%d/fd/%d", (int)getpid(), places->file);
    return true;
}

void places_close(struct places *places)
{
    if (places->file >= 0)
        close(places->file);
    places->file = -1;
}

void places_look(struct places *places)
{
    if (places->file < 0 ||
        pread(places->file, places->owner, sizeof places->owner,
              offsetof(struct quire_heap_places, owner)) != (ssize_t)sizeof places->owner)
        memset(places->owner, 0, sizeof places->owner);
}

/* A program that writes where it shouldn't may hit its page; what no machine has isn't believed. */
static bool is_plausible(const struct quire_heap_page *page)
{
    const uint64_t bytes[] = {page->used,     page->cached, page->slots, page->dirty,
                              page->metadata, page->large,  page->kept,  page->peak_large};
    const uint64_t numbers[] = {page->nr_given_back, page->nr_maps,       page->nr_unmaps,
                                page->nr_reused,     page->nr_fresh,      page->nr_again,
                                page->mapped_pages,  page->unmapped_pages};
    bool is = page->page_size == (uint64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        is &= bytes[i] < MOST_BYTES;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        is &= numbers[i] < MOST_EVENTS;
    return is;
}

bool places_read(const struct places *places, uint32_t n, struct quire_heap_page *page)
{
    return heap_page_read_at(places->file, heap_page_place(n), places->owner[n], page) ==
               HEAP_PAGE_READ &&
           is_plausible(page);
}

/* The place comes last, so that who takes it finds it empty. */
void places_free(struct places *places, uint32_t n)
{
    static const uint8_t nothing[QUIRE_HEAP_PLACE_BYTES];
    const uint32_t nobody = 0;
    if (write_at(places->file, nothing, sizeof nothing, heap_page_place(n)))
        (void)write_at(places->file, &nobody, sizeof nobody,
                       offsetof(struct quire_heap_places, owner) + n * sizeof nobody);
    places->owner[n] = 0;
}
