/* tests/preload/conformance/at_fork.h: a library that the program links, with a lock that is whole
 * in children: its constructor, which runs before those of preloaded libraries, registers handlers
 * of fork that take it.
 */
#ifndef QUIRE_TESTS_PRELOAD_AT_FORK_H
#define QUIRE_TESTS_PRELOAD_AT_FORK_H

#include <stdbool.h>

/* From then on forks take the lock. */
void at_fork_begin(void);
void at_fork_lock(void);
void at_fork_unlock(void);

#endif
