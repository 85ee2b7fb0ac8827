/* malloc/operators_nothrow.cc: new that doesn't throw
 *
 * It calls the new handler, which may throw, and catches that: so this is the one file in C++. What
 * that needs of libstdc++ is weak, and is there in every program that has something to throw. See
 * operators.c for the names.
 */
#include <cstddef>

extern "C" {
void *quire_malloc_new(std::size_t size) __asm__("_Znwm");
void *quire_malloc_new_array(std::size_t size) __asm__("_Znam");
void *quire_malloc_new_aligned(std::size_t size, std::size_t align) __asm__("_ZnwmSt11align_val_t");
void *quire_malloc_new_array_aligned(std::size_t size, std::size_t align) __asm__(
    "_ZnamSt11align_val_t");

__attribute__((visibility("default"))) void *_ZnwmRKSt9nothrow_t(std::size_t size, const void *);
__attribute__((visibility("default"))) void *_ZnamRKSt9nothrow_t(std::size_t size, const void *);
__attribute__((visibility("default"))) void *
_ZnwmSt11align_val_tRKSt9nothrow_t(std::size_t size, std::size_t align, const void *);
__attribute__((visibility("default"))) void *
_ZnamSt11align_val_tRKSt9nothrow_t(std::size_t size, std::size_t align, const void *);
}

__asm__(".weak __gxx_personality_v0\n"
        ".weak __cxa_begin_catch\n"
        ".weak __cxa_end_catch\n");

void *_ZnwmRKSt9nothrow_t(std::size_t size, const void *)
{
    try {
        return quire_malloc_new(size);
    } catch (...) {
        return nullptr;
    }
}

void *_ZnamRKSt9nothrow_t(std::size_t size, const void *)
{
    try {
        return quire_malloc_new_array(size);
    } catch (...) {
        return nullptr;
    }
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(std::size_t size, std::size_t align, const void *)
{
    try {
        return quire_malloc_new_aligned(size, align);
    } catch (...) {
        return nullptr;
    }
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(std::size_t size, std::size_t align, const void *)
{
    try {
        return quire_malloc_new_array_aligned(size, align);
    } catch (...) {
        return nullptr;
    }
}
