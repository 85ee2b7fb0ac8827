/* kernel/sys/file_vector.h: the pieces of user memory that readv and writev go through */
#ifndef KERNEL_SYS_FILE_VECTOR_H
#define KERNEL_SYS_FILE_VECTOR_H

#include <quire/types.h>

/* Where it has got to; a plain read or write has one piece. */
struct user_vector {
    uintptr_t next; /* struct abi_iovec, of pieces that aren't begun */
    unsigned count;
    uintptr_t base;
    size_t left;
    size_t total; /* of all from here on */
};

/* At most so many bytes a call, as Linux. */
#define VECTOR_MAX_BYTES 0x7ffff000u

void vector_of_piece(struct user_vector *vector, uintptr_t base, size_t size);
/* -EINVAL: more than 1024 pieces, or more bytes than a result can say; -EFAULT. */
QUIRE_MUST_CHECK int vector_of_array(struct user_vector *vector, uintptr_t array,
                                     unsigned long count);
/* The next piece, of at most *size bytes: where it is; *size becomes its own. -EFAULT. */
QUIRE_MUST_CHECK int vector_take(struct user_vector *vector, size_t *size, uintptr_t *at);
/* Copies the next bytes, at most `total`: how many; fewer than `size`: the next is -EFAULT, and the
 * vector isn't to be used any more. */
QUIRE_MUST_CHECK size_t vector_to_user(struct user_vector *vector, const char *from, size_t size);
QUIRE_MUST_CHECK size_t vector_from_user(struct user_vector *vector, char *to, size_t size);

#endif
