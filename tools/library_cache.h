/* tools/library_cache.h: /etc/ld.so.cache, where glibc's dynamic linker looks for libraries */
#ifndef TOOLS_LIBRARY_CACHE_H
#define TOOLS_LIBRARY_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define LIBRARY_CACHE "/etc/ld.so.cache"

struct library_cache {
    uint8_t *bytes;
    size_t size;  /* 0: there is none */
    size_t begin; /* of the present form, which an older one may come before */
    uint32_t count;
};

/* What can't be read, or has another form, is as if it weren't there. */
void library_cache_read(struct library_cache *cache, const char *path);
void library_cache_free(struct library_cache *cache);

/* The path of a library's entry number `*next` or a later one, for programs of 32 or 64 bits, and
 * without demands on the processor; NULL: there is no further one. *next becomes the number of the
 * entry to go on with. */
const char *library_cache_find(const struct library_cache *cache, const char *name, unsigned bits,
                               uint32_t *next);

#endif
