/* tools/run_places.h: the pages that the heaps of watched programs write (quire/heap_page.h)
 *
 * They are in a memory file that the programs reach through /proc, so nothing of it stays behind,
 * whoever ends how, and no folder is needed.
 */
#ifndef TOOLS_RUN_PLACES_H
#define TOOLS_RUN_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include <quire/heap_page.h>

struct places {
    int file; /* -1: there is none */
    char path[64];
    uint32_t owner[QUIRE_HEAP_PLACES]; /* as of places_look */
};

/* False: no such file can be made; errno says why. */
bool places_open(struct places *places);
void places_close(struct places *places);

/* Sees who has which place. */
void places_look(struct places *places);
/* A whole copy of the page of place `n`, as its owner wrote it; false: it hasn't yet. */
bool places_read(const struct places *places, uint32_t n, struct quire_heap_page *page);
/* Its owner is gone. */
void places_free(struct places *places, uint32_t n);

#endif
