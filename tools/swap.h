/* tools/swap.h: what the machine swaps to */
#ifndef TOOLS_SWAP_H
#define TOOLS_SWAP_H

#include <stdbool.h>

#include "allocate.h"

#define MOST_SWAPS 4

/* One --swap, as QEMU gets it. */
struct swap_store {
    const char *wanted; /* as the user said it */
    char *url;          /* for QEMU to open; NULL: it gets `fd` */
    int fd;             /* -1: none */
};

struct swap_stores {
    struct swap_store store[MOST_SWAPS];
    unsigned count;
};

/* What is asked for: a size, a file, a file to be made with its size, or a URL. Files are opened,
 * and made, and what a header should be in is looked at. False after a complaint; whatever, it is
 * to be closed. */
bool swap_open(struct swap_stores *stores, const struct texts *wanted);
void swap_close(struct swap_stores *stores);

#endif
