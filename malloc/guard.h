/* malloc/guard.h: sampled blocks on pages of their own; see guard.c */
#ifndef QUIRE_MALLOC_GUARD_H
#define QUIRE_MALLOC_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* One of `every` blocks from now on; 0: of 1000. False: no memory for it. */
bool guard_start(unsigned long every);
/* NULL: this one isn't sampled, or there is no place. */
void *guard_allocate(size_t size, size_t align);
bool guard_owns(const void *ptr);
void guard_release(void *ptr);
/* Says, and ends the program, if it may not be freed. */
void guard_check_free(void *ptr);
/* So many bytes were written to a block that is yet to be freed: behind its end they are undone. */
void guard_mend(void *ptr, size_t bytes);
size_t guard_size(const void *ptr);

#endif
