/* tests/unit/heap_machine.h: a heap for a test case
 *
 *     if (!heap_boot())
 *         return;
 *     ... quire_heap_alloc(&heap_cache, 100) ...
 *     heap_end();
 *
 * Its range and its large blocks lie in the environment's memory; mistakes are caught.
 */
#ifndef QUIRE_TESTS_HEAP_MACHINE_H
#define QUIRE_TESTS_HEAP_MACHINE_H

#include <quire/heap.h>
#include <quire/port.h>

#include "tests/harness/harness.h"

struct heap_machine {
    struct quire_port_mem port;
    struct quire_heap *heap;
    unsigned mistakes;
    char text[96];                      /* of the last one */
    unsigned long maps, unmaps, remaps; /* calls that were successful */
    unsigned long fail_at, nr_calls;    /* call number fail_at fails, and no other; 0: none */
    bool fail_all;                      /* and all after it */
    void (*on_call)(void);              /* NULL, or called with each */
    void (*on_question)(void);          /* the same, when it is asked what takes memory */
    void (*on_fence)(void);             /* the same, before all fence */
    unsigned fences, held;              /* calls; of those, with signals held, that weren't ended */
};
extern struct heap_machine heap_machine;
/* Whether the next heap can have all threads fence: then it reaps stacks of those that wait. */
extern bool heap_fences;
extern struct quire_heap_cache heap_cache;

/* False: the case is skipped or failed. `config` has what isn't the default, or is NULL. */
bool heap_boot_with(const struct quire_heap_config *config);
bool heap_boot(void);
/* The range and the callbacks, but no heap yet. */
bool heap_prepare(void);
/* With a range of so many sections rather than 4: all of it is cleared. */
bool heap_prepare_sections(unsigned count);
int heap_start(const struct quire_heap_config *config);
/* Checks everything, empties the cache, and sees that nothing is left and no mistake was made. */
void heap_end(void);
struct quire_heap_info heap_info(void);
/* Makes the class of that size one that has stacks. */
void heap_warm_up(size_t size);
/* Whether exactly one mistake was reported since the last question, and says `what`. */
bool heap_caught(const char *what);

/* Bytes that an address and a seed say; for `size` bytes, but for large blocks only some of them.
 */
void pattern_write(void *block, size_t size, unsigned seed);
bool pattern_is(const void *block, size_t size, unsigned seed);

#endif
