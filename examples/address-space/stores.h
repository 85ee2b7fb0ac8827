/* examples/address-space/stores.h: where pages come from and go to: files of the host */
#ifndef EXAMPLE_STORES_H
#define EXAMPLE_STORES_H

#include <quire/file.h>
#include <quire/swap.h>

/* The owner of a file's mapping, and the store of a swap area: it knows the memory that pages are
 * of, so that it can reach their bytes, and the file. */
struct store {
    struct quire_mem *mem;
    int file;
};

extern const struct quire_mapping_ops file_ops; /* `owner` is a struct store */
extern const struct quire_swap_ops swap_ops;    /* `store` is one */

#endif
