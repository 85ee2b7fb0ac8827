/* tools/library_cache.c: reads /etc/ld.so.cache
 *
 * The form is that of glibc 2.2 and later ("glibc-ld.so.cache1.1"): a header of 48 bytes, entries
 * of 24, then the texts; offsets count from the header. An older form may stand before it.
 * Everything is checked against the file's size when it is used.
 */
#define _GNU_SOURCE
#include "library_cache.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocate.h"

#define MAGIC "glibc-ld.so.cache1.1"
#define MAGIC_BYTES (sizeof MAGIC - 1)
#define OLD_MAGIC "ld.so-1.7.0"
#define OLD_HEADER_BYTES 16u
#define OLD_ENTRY_BYTES 12u
#define HEADER_BYTES 48u
#define ENTRY_BYTES 24u
#define MOST_BYTES (64u << 20)

/* Flags of an entry: a library of glibc, and whose. */
#define FLAGS_I386 0x0003u
#define FLAGS_X86_64 0x0303u

static uint32_t load(const struct library_cache *cache, size_t at)
{
    uint32_t value;
    if (cache->size < sizeof value || at > cache->size - sizeof value)
        return 0;
    memcpy(&value, cache->bytes + at, sizeof value);
    return value;
}

static bool is_at(const struct library_cache *cache, const char *magic, size_t at)
{
    size_t length = strlen(magic);
    return at <= cache->size && length <= cache->size - at &&
           !memcmp(cache->bytes + at, magic, length);
}

/* Skips the older form. */
static void find_begin(struct library_cache *cache)
{
    if (is_at(cache, OLD_MAGIC, 0)) {
        size_t count = load(cache, 12);
        cache->begin = (OLD_HEADER_BYTES + count * OLD_ENTRY_BYTES + 7) & ~(size_t)7;
    }
    if (is_at(cache, MAGIC, cache->begin) && cache->size - cache->begin >= HEADER_BYTES) {
        size_t room = (cache->size - cache->begin - HEADER_BYTES) / ENTRY_BYTES;
        uint32_t count = load(cache, cache->begin + MAGIC_BYTES);
        cache->count = count < room ? count : (uint32_t)room;
    }
}

void library_cache_read(struct library_cache *cache, const char *path)
{
    struct stat status;
    *cache = (struct library_cache){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &status) && status.st_size > 0 &&
        (uint64_t)status.st_size <= MOST_BYTES) {
        cache->bytes = must(malloc((size_t)status.st_size));
        ssize_t got = pread(fd, cache->bytes, (size_t)status.st_size, 0);
        cache->size = got > 0 ? (size_t)got : 0;
        find_begin(cache);
    }
    if (fd >= 0)
        close(fd);
}

void library_cache_free(struct library_cache *cache)
{
    free(cache->bytes);
    *cache = (struct library_cache){0};
}

/* The text at an offset from the header on; "": there is none. */
static const char *text_at(const struct library_cache *cache, uint32_t offset)
{
    size_t at = cache->begin + offset;
    if (at >= cache->size || !memchr(cache->bytes + at, '\0', cache->size - at))
        return "";
    return (const char *)cache->bytes + at;
}

const char *library_cache_find(const struct library_cache *cache, const char *name, unsigned bits,
                               uint32_t *next)
{
    while (*next < cache->count) {
        size_t at = cache->begin + HEADER_BYTES + (size_t)(*next)++ * ENTRY_BYTES;
        const char *path = text_at(cache, load(cache, at + 8));
        bool demands = load(cache, at + 16) || load(cache, at + 20);
        if (load(cache, at) == (bits == 64 ? FLAGS_X86_64 : FLAGS_I386) && !demands &&
            !strcmp(text_at(cache, load(cache, at + 4)), name) && path[0] == '/')
            return path;
    }
    return NULL;
}
