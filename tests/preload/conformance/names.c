/* tests/preload/conformance/names.c: no name of the family is left to another library
 *
 * A block that one allocator gave and another gets is a crash: jemalloc leaves pvalloc to libc,
 * tells mallinfo2 nothing, and so on. Where the name is looked up is what the dynamic linker does.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

/* Old programs link with it; no header has it. */
__asm__(".symver cfree_of_old, cfree@GLIBC_2.2.5");
extern void cfree_of_old(void *block);

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void *__libc_valloc(size_t size);
extern void *__libc_pvalloc(size_t size);
extern void __libc_free(void *block);

static const char *object_of(void *function)
{
    Dl_info info;
    return function && dladdr(function, &info) ? info.dli_fname : "";
}

static void same_object(const char *name, void *function)
{
    const char *where = object_of(function), *wanted = object_of(dlsym(RTLD_DEFAULT, "malloc"));
    bool same = !strcmp(where, wanted);
    if (!same)
        note("%s is in %s, malloc in %s", name, *where ? where : "no library", wanted);
    CHECK(same);
}

static void one_library_has_them_all(const char *const *names)
{
    for (; *names; names++)
        same_object(*names, dlsym(RTLD_DEFAULT, *names));
}

static void what_allocates_is_of_one_library(void)
{
    static const char *const names[] = {
        "malloc",        "free",           "calloc", "realloc", "reallocarray",       "memalign",
        "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "malloc_usable_size", NULL,
    };
    one_library_has_them_all(names);
}

static void what_tells_and_trims_is_of_one_library(void)
{
    static const char *const names[] = {
        "mallopt", "mallinfo", "mallinfo2", "malloc_stats", "malloc_info", "malloc_trim", NULL,
    };
    one_library_has_them_all(names);
}

static void cfree_of_old_programs_is_of_the_same_library(void)
{
    same_object("cfree", (void *)cfree_of_old);
}

static void names_of_libc_itself_are_of_the_same_library(void)
{
    same_object("__libc_malloc", (void *)__libc_malloc);
    same_object("__libc_calloc", (void *)__libc_calloc);
    same_object("__libc_realloc", (void *)__libc_realloc);
    same_object("__libc_memalign", (void *)__libc_memalign);
    same_object("__libc_valloc", (void *)__libc_valloc);
    same_object("__libc_pvalloc", (void *)__libc_pvalloc);
    same_object("__libc_free", (void *)__libc_free);
}

static void use(void *block, size_t size)
{
    REQUIRE(block);
    memset(block, 1, size);
    CHECK(malloc_usable_size(block) >= size);
}

static void any_block_can_be_freed_and_resized(void)
{
    for (size_t size = 1; size < 5000000; size *= 7)
        for (unsigned way = 0; way < 3; way++) {
            void *block[9] = {malloc(size),
                              calloc(1, size),
                              realloc(NULL, size),
                              reallocarray(NULL, 1, size),
                              memalign(64, size),
                              aligned_alloc(4096, size),
                              NULL,
                              valloc(size),
                              pvalloc(size)};
            CHECK_EQ(posix_memalign(&block[6], 256, size), 0);
            for (unsigned i = 0; i < 9; i++) {
                use(block[i], size);
                if (way == 1)
                    block[i] = opaque(realloc(block[i], size * 3));
                if (way == 2)
                    cfree_of_old(block[i]);
                else
                    free(block[i]);
            }
        }
}

static void names_of_libc_itself_go_together_with_the_others(void)
{
    for (size_t size = 1; size < 1000000; size *= 9) {
        void *block[6] = {__libc_malloc(size),        __libc_calloc(1, size),
                          __libc_realloc(NULL, size), __libc_memalign(64, size),
                          __libc_valloc(size),        __libc_pvalloc(size)};
        for (unsigned i = 0; i < 6; i++) {
            use(block[i], size);
            free(block[i]);
        }
        __libc_free(malloc(size));
    }
}

static void free_sized_of_C23_frees(void)
{
    void (*free_sized)(void *, size_t) =
        (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (!free_sized && !free_aligned_sized)
        skip("neither this allocator nor the C library has it");
    REQUIRE(free_sized && free_aligned_sized);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < 3000; i++)
        for (size_t size = 1; size < 100000; size = size * 3 + 1) {
            void *block = malloc(size);
            use(block, size);
            free_sized(block, size);
            block = aligned_alloc(128, size);
            use(block, size);
            free_aligned_sized(block, 128, size);
        }
    /* The size that was asked for last. */
    for (size_t size = 1; size < 400000; size += size / 5 + 1)
        for (size_t last = 1; last < 400000; last += last / 3 + 1) {
            char *block = opaque(realloc(opaque(malloc(size)), opaque_size(last)));
            REQUIRE(block);
            block[0] = block[last - 1] = 1;
            free_sized(block, last);
        }
    free_sized(NULL, 5);
    free_aligned_sized(NULL, 16, 5);
    CHECK(resident_bytes() < before + ((size_t)16 << 20));
}

static const struct conformance_case cases[] = {
    CASE(what_allocates_is_of_one_library),
    CASE(what_tells_and_trims_is_of_one_library),
    CASE(cfree_of_old_programs_is_of_the_same_library),
    CASE(names_of_libc_itself_are_of_the_same_library),
    CASE(any_block_can_be_freed_and_resized),
    CASE(names_of_libc_itself_go_together_with_the_others),
    CASE(free_sized_of_C23_frees),
    END_OF_CASES,
};
const struct conformance_group conformance_names = {"names", cases};
