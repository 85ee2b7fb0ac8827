/* tests/preload/conformance/module.c: a library that allocates when it is opened and when it is
 * closed */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "module.h"

static char *constructed, *kept;
static __thread char storage[MODULE_STORAGE_BYTES];

__attribute__((constructor)) static void open_module(void)
{
    constructed = malloc(MODULE_BLOCK_BYTES);
    fill(constructed, MODULE_BLOCK_BYTES, 13);
    kept = malloc(100000);
    memset(kept, 1, 100000);
}

__attribute__((destructor)) static void close_module(void)
{
    char *block = malloc(50000);
    memset(block, 1, 50000);
    free(kept);
    free(block);
}

static char *take_constructed(void)
{
    char *block = constructed;
    constructed = NULL;
    return block;
}

static char *allocate(size_t size)
{
    return malloc(size);
}

static char *thread_storage(void)
{
    return storage;
}

extern const struct module conformance_module;
__attribute__((visibility("default")))
const struct module conformance_module = {take_constructed, allocate, thread_storage};
