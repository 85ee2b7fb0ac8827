/* malloc/leak.h: blocks that there are, and who allocated them; see leak.c */
#ifndef QUIRE_MALLOC_LEAK_H
#define QUIRE_MALLOC_LEAK_H

#include <stddef.h>

void leak_add(const void *block, size_t size);
/* One that isn't known is no error. */
void leak_remove(const void *block);
/* Of all that are left, on stderr. At the end of the process. */
void leak_report(void);

#endif
