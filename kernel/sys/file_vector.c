/* kernel/sys/file_vector.c: the pieces of user memory that readv and writev go through
 *
 * The array stays in user memory and is read piece by piece. A program that changes it meanwhile
 * gets what it then says, never more than the total that was counted at first.
 */
#include "sys/file_vector.h"

#include "errno.h"
#include "sys/abi_memory.h"
#include "user.h"

#define MAX_PIECES 1024u

void vector_of_piece(struct user_vector *vector, uintptr_t base, size_t size)
{
    size = size < VECTOR_MAX_BYTES ? size : VECTOR_MAX_BYTES;
    *vector = (struct user_vector){.base = base, .left = size, .total = size};
}

int vector_of_array(struct user_vector *vector, uintptr_t array, unsigned long count)
{
    size_t total = 0;
    if (count > MAX_PIECES)
        return -EINVAL;
    for (unsigned long i = 0; i < count; i++) {
        struct abi_iovec piece;
        if (copy_from_user(&piece, array + i * sizeof piece, sizeof piece))
            return -EFAULT;
        if (piece.length > (size_t)PTRDIFF_MAX - total)
            return -EINVAL;
        total += piece.length;
    }
    if (total > VECTOR_MAX_BYTES)
        total = VECTOR_MAX_BYTES;
    *vector = (struct user_vector){.next = array, .count = (unsigned)count, .total = total};
    return 0;
}

int vector_take(struct user_vector *vector, size_t *size, uintptr_t *at)
{
    while (!vector->left) {
        struct abi_iovec piece;
        if (!vector->count || copy_from_user(&piece, vector->next, sizeof piece))
            return -EFAULT;
        vector->next += sizeof piece;
        vector->count--;
        vector->base = piece.base;
        vector->left = piece.length;
    }
    *size = *size < vector->left ? *size : vector->left;
    *at = vector->base;
    vector->base += *size;
    vector->left -= *size;
    vector->total -= *size;
    return 0;
}

size_t vector_to_user(struct user_vector *vector, const char *from, size_t size)
{
    size_t done = 0;
    while (done < size) {
        uintptr_t at;
        size_t piece = size - done;
        if (vector_take(vector, &piece, &at))
            break;
        size_t copied = copy_some_to_user(at, from + done, piece);
        done += copied;
        if (copied < piece)
            break;
    }
    return done;
}

size_t vector_from_user(struct user_vector *vector, char *to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        uintptr_t at;
        size_t piece = size - done;
        if (vector_take(vector, &piece, &at))
            break;
        size_t copied = copy_some_from_user(to + done, at, piece);
        done += copied;
        if (copied < piece)
            break;
    }
    return done;
}
