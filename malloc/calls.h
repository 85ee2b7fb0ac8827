/* malloc/calls.h: a histogram of calls, by size class */
#ifndef QUIRE_MALLOC_CALLS_H
#define QUIRE_MALLOC_CALLS_H

#include "malloc/self.h"

#pragma GCC visibility push(hidden)

enum call_kind { CALL_ALLOCATE, CALL_FREE, CALL_RESIZE, NR_CALL_KINDS };

/* `size`: that was asked for; of a free, that of the block. */
void call_count(enum call_kind kind, size_t size);
/* Class 0: of what is larger than runs. */
unsigned long call_counts(enum call_kind kind, size_t class);
/* At exit, on stderr. */
void calls_report(void);

#pragma GCC visibility pop

#endif
