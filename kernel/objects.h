/* kernel/objects.h: small objects on the machine's own memory */
#ifndef KERNEL_OBJECTS_H
#define KERNEL_OBJECTS_H

#include <stdbool.h>

/* slabinfo of a slab layer that has just begun: which caches there are. */
void objects_print_view(void);
/* Tasks and blocks of many sizes come, slabinfo shows what they take, and half of them go. */
void objects_show(void);
/* The same without a word but one at the end; false: something was lost. */
bool objects_check(void);

#endif
