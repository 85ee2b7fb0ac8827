/* malloc/operators.c: C++'s operators new and delete, by their mangled names
 *
 * In C, so that no program is made to load libstdc++; what they need of it (the new handler, and to
 * throw) is there in every program that calls them. Names: _Zn w|a: new, new[]; _Zd l|a: delete,
 * delete[]; m: size_t; St11align_val_t: std::align_val_t; RKSt9nothrow_t: std::nothrow.
 *
 * new that doesn't throw is in operators_nothrow.cc: it has to catch what a handler throws, which C
 * can't.
 */
#include <stdlib.h>

#include "malloc/family.h"

typedef void handler_fn(void);
extern handler_fn *_ZSt15get_new_handlerv(void) __attribute__((weak)); /* std::get_new_handler */
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/* Asks the handler for memory as long as there is one. */
static void *try_again(size_t size, size_t align)
{
    void *block = NULL;
    handler_fn *handler;
    while (!block && _ZSt15get_new_handlerv && (handler = _ZSt15get_new_handlerv())) {
        handler();
        block = allocate_aligned(size, align);
    }
    return block;
}

static QUIRE_NOINLINE void *new_or_throw(size_t size, size_t align)
{
    void *block = try_again(size, align);
    if (block)
        return block;
    if (_ZSt17__throw_bad_allocv)
        _ZSt17__throw_bad_allocv();
    message("quire-malloc: operator new: no memory for %zu bytes", size);
    abort();
}

#define NEW(name)                                                                                  \
    EXPORT void *name(size_t size);                                                                \
    void *name(size_t size)                                                                        \
    {                                                                                              \
        void *block = allocate(size);                                                              \
        return quire_likely(block) ? block : new_or_throw(size, 1);                                \
    }
NEW(_Znwm)
NEW(_Znam)

#define NEW_ALIGNED(name)                                                                          \
    EXPORT void *name(size_t size, size_t align);                                                  \
    void *name(size_t size, size_t align)                                                          \
    {                                                                                              \
        void *block = allocate_aligned(size, align);                                               \
        return quire_likely(block) ? block : new_or_throw(size, align);                            \
    }
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)

/* Sizes are looked at, where they say the class: those without alignment. */
EXPORT void _ZdlPv(void *ptr);
void _ZdlPv(void *ptr)
{
    release(ptr);
}

EXPORT void _ZdlPvm(void *ptr, size_t size);
void _ZdlPvm(void *ptr, size_t size)
{
    release_sized(ptr, size);
}

EXPORT void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow);
void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
    (void)nothrow;
    release(ptr);
}

EXPORT void _ZdlPvSt11align_val_t(void *ptr, size_t align);
void _ZdlPvSt11align_val_t(void *ptr, size_t align)
{
    (void)align;
    release(ptr);
}

EXPORT void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align);
void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
    (void)size;
    (void)align;
    release(ptr);
}

EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
{
    (void)align;
    (void)nothrow;
    release(ptr);
}

EXPORT void _ZdaPv(void *ptr);
void _ZdaPv(void *ptr)
{
    release(ptr);
}

EXPORT void _ZdaPvm(void *ptr, size_t size);
void _ZdaPvm(void *ptr, size_t size)
{
    release_sized(ptr, size);
}

EXPORT void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow);
void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
    (void)nothrow;
    release(ptr);
}

EXPORT void _ZdaPvSt11align_val_t(void *ptr, size_t align);
void _ZdaPvSt11align_val_t(void *ptr, size_t align)
{
    (void)align;
    release(ptr);
}

EXPORT void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align);
void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
    (void)size;
    (void)align;
    release(ptr);
}

EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
{
    (void)align;
    (void)nothrow;
    release(ptr);
}
