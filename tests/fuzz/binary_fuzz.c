/* tests/fuzz/binary_fuzz.c: any bytes as an ELF file, and as a cache of libraries
 *
 * The first byte of an input says which of the two the rest is. Whatever comes: it is read, with
 * fields that are whole, or refused with a reason; of a cache only paths come out that are in it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary.h"
#include "library_cache.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_binary(int fd)
{
    struct binary binary;
    char why[BINARY_WHY_BYTES] = "";
    if (binary_read(&binary, fd, why) != BINARY_READ) {
        EXPECT(*why && strlen(why) < sizeof why);
        EXPECT(!binary.interpreter && !binary.needed.count && !binary.soname);
        return;
    }
    EXPECT(binary.bits == 32 || binary.bits == 64);
    for (size_t i = 0; i < binary.needed.count; i++)
        EXPECT(strlen(binary.needed.text[i]) < 4096);
    binary_free(&binary);
}

static void read_cache(int fd, size_t size)
{
    struct library_cache cache;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    library_cache_read(&cache, path);
    EXPECT(cache.size == size);
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        uint32_t next = 0;
        const char *found;
        while ((found = library_cache_find(&cache, "libc.so.6", bits, &next))) {
            const char *within = (const char *)cache.bytes;
            EXPECT(found >= within && found + strlen(found) < within + cache.size);
        }
        EXPECT(next == cache.count);
    }
    library_cache_free(&cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (!size)
        return 0;
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    EXPECT(fd >= 0 && !ftruncate(fd, 0));
    EXPECT(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    if (data[0] & 1)
        read_cache(fd, size - 1);
    else
        read_binary(fd);
    return 0;
}
