/* tests/stress/movables.h: movable blocks that several threads own together
 *
 * As tests/unit/movable.h, but any thread may make a block, look at it, hold on to it, or free it,
 * while others have the library move it. Each place of the table has a lock, which the mover only
 * tries: a block that its owner has in hand doesn't move.
 */
#ifndef QUIRE_TESTS_STRESS_MOVABLES_H
#define QUIRE_TESTS_STRESS_MOVABLES_H

#include "tests/stress/stress.h"

#define MAX_MOVABLES 2048u

/* Begins an empty table and registers its mover with stress.mem. */
void movables_start(void);
/* One operation out of a mixture: blocks come, go, are looked at, and held by a reference. */
void movables_once(struct worker *worker);
/* From now on the mover has no objections. */
void movables_agree(void);
/* Checks and frees all, when no thread is at them; and that nothing was moving. */
void movables_end(void);

#endif
