/* tests/preload/errors/mismatch.cc: freed by the wrong function, or with the wrong size or
 * alignment */
#include <cstdlib>
#include <cstring>
#include <new>

#include "errors.h"

static void malloc_and_delete()
{
    operator delete(hidden(malloc(100)));
}

static void malloc_and_delete_of_an_array()
{
    operator delete[](hidden(malloc(100)));
}

static void new_and_free()
{
    free(hidden(operator new(100)));
}

static void new_of_an_array_and_free()
{
    free(hidden(operator new[](100)));
}

static void new_and_delete_of_an_array()
{
    operator delete[](hidden(operator new(100)));
}

static void new_of_an_array_and_delete()
{
    operator delete(hidden(operator new[](100)));
}

static void new_and_realloc()
{
    free(realloc(hidden(operator new(100)), 1000));
}

static void aligned_new_and_plain_delete()
{
    operator delete(hidden(operator new(1000, std::align_val_t(512))));
}

static void plain_new_and_aligned_delete()
{
    operator delete(hidden(operator new(1000)), std::align_val_t(512));
}

static void delete_with_a_smaller_size()
{
    operator delete(hidden(operator new(1000)), std::size_t(16));
}

static void delete_with_a_larger_size()
{
    operator delete(hidden(operator new(16)), std::size_t(1000));
}

static void delete_of_an_array_with_a_smaller_size()
{
    operator delete[](hidden(operator new[](5000)), std::size_t(100));
}

static void delete_of_a_large_block_with_a_small_size()
{
    operator delete(hidden(operator new(LARGE)), std::size_t(100));
}

static void delete_of_a_small_block_with_a_large_size()
{
    operator delete(hidden(operator new(100)), LARGE);
}

static void aligned_delete_with_another_alignment()
{
    operator delete(hidden(operator new(1000, std::align_val_t(64))), std::size_t(1000),
                    std::align_val_t(4096));
}

/* An array with a count before it, which delete of one doesn't know. */
struct Counted {
    char byte[100];
    ~Counted()
    {
        byte[0] = 0;
    }
};

static void array_of_objects_and_delete_of_one()
{
    auto *array = reinterpret_cast<Counted *>(hidden(new Counted[10]));
    delete array;
}

static void object_twice_deleted()
{
    auto *object = new Counted;
    delete object;
    delete reinterpret_cast<Counted *>(hidden(object));
}

static const struct heap_error errors[] = {
    HEAP_ERROR(malloc_and_delete),
    HEAP_ERROR(malloc_and_delete_of_an_array),
    HEAP_ERROR(new_and_free),
    HEAP_ERROR(new_of_an_array_and_free),
    HEAP_ERROR(new_and_delete_of_an_array),
    HEAP_ERROR(new_of_an_array_and_delete),
    HEAP_ERROR(new_and_realloc),
    HEAP_ERROR(aligned_new_and_plain_delete),
    HEAP_ERROR(plain_new_and_aligned_delete),
    HEAP_ERROR(delete_with_a_smaller_size),
    HEAP_ERROR(delete_with_a_larger_size),
    HEAP_ERROR(delete_of_an_array_with_a_smaller_size),
    HEAP_ERROR(delete_of_a_large_block_with_a_small_size),
    HEAP_ERROR(delete_of_a_small_block_with_a_large_size),
    HEAP_ERROR(aligned_delete_with_another_alignment),
    HEAP_ERROR(array_of_objects_and_delete_of_one),
    HEAP_ERROR(object_twice_deleted),
    {nullptr, nullptr},
};
extern "C" const struct error_group errors_mismatch;
const struct error_group errors_mismatch = {"mismatch", errors};
