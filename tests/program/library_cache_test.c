/* tests/program/library_cache_test.c: glibc's cache of libraries, whole and broken */
#define _GNU_SOURCE
#include "library_cache.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"

#define I386 0x0003u
#define X86_64 0x0303u
#define OLD_BYTES (16u + 2 * 12u) /* an older form with two entries, and nothing in it */

static uint8_t bytes[1024];
static size_t size;

static void put(size_t at, uint32_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static uint32_t put_text(size_t header, const char *text)
{
    size_t at = size;
    memcpy(bytes + size, text, strlen(text) + 1);
    size += strlen(text) + 1;
    return (uint32_t)(at - header);
}

/* Three entries of libx.so: for the other class, for better processors, and for all. */
static void make(bool old)
{
    static const struct {
        uint32_t flags, demands;
        const char *path;
    } entries[] = {
        {I386, 0, "/32/libx.so"}, {X86_64, 2, "/v3/libx.so"}, {X86_64, 0, "/64/libx.so"}};
    memset(bytes, 0, sizeof bytes);
    size_t header = old ? OLD_BYTES : 0;
    if (old) {
        memcpy(bytes, "ld.so-1.7.0", 11);
        put(12, 2);
    }
    memcpy(bytes + header, "glibc-ld.so.cache1.1", 20);
    put(header + 20, 3);
    size = header + 48 + 3 * 24;
    for (size_t i = 0; i < 3; i++) {
        size_t at = header + 48 + i * 24;
        put(at, entries[i].flags);
        put(at + 4, put_text(header, "libx.so"));
        put(at + 8, put_text(header, entries[i].path));
        put(at + 16, entries[i].demands);
    }
}

/* What the cache says of libx.so, all of it one after the other. */
static void find(unsigned bits, char *found, size_t room)
{
    static int fd = -1;
    struct library_cache cache;
    char path[32];
    const char *next;
    uint32_t entry = 0;
    size_t length = 0;
    if (fd < 0)
        fd = memfd_create("cache", MFD_CLOEXEC);
    CHECK(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, bytes, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    library_cache_read(&cache, path);
    found[0] = '\0';
    while ((next = library_cache_find(&cache, "libx.so", bits, &entry)) && length < room)
        length += (size_t)snprintf(found + length, room - length, "%s ", next);
    library_cache_free(&cache);
}

static void a_library_is_found_by_class_and_without_demands(void)
{
    char found[256];
    for (int old = 0; old < 2; old++) {
        make(old);
        find(64, found, sizeof found);
        CHECK(!strcmp(found, "/64/libx.so "));
        find(32, found, sizeof found);
        CHECK(!strcmp(found, "/32/libx.so "));
    }
}

static void a_cache_of_another_form_is_as_none(void)
{
    char found[256];
    make(false);
    bytes[0] = 'G';
    find(64, found, sizeof found);
    CHECK(!*found);
    size = 0;
    find(64, found, sizeof found);
    CHECK(!*found);
}

static void any_bytes_are_looked_at_within_bounds(void)
{
    char found[256];
    for (uint64_t i = 0; i < test_environment.effort / 20; i++) {
        make(i & 1);
        for (uint32_t n = 1 + test_random_below(4); n; n--)
            bytes[test_random_below((uint32_t)size)] = (uint8_t)test_random();
        if (!test_random_below(3))
            size = test_random_below((uint32_t)size + 1);
        find(i & 2 ? 64 : 32, found, sizeof found);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(a_library_is_found_by_class_and_without_demands),
    TEST_CASE(a_cache_of_another_form_is_as_none),
    TEST_CASE(any_bytes_are_looked_at_within_bounds),
    {0},
};
const struct test_suite suite_library_cache = {"library_cache", cases};
