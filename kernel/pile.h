/* kernel/pile.h: blocks that the demonstration holds, and that can be moved
 *
 * A doubly linked list through the descriptors' owner words, so that it takes no memory of its own
 * and a block leaves it in O(1). Compaction may move the blocks of order 0 of a movable pile; a
 * number written into each shows that their content goes with them.
 */
#ifndef KERNEL_PILE_H
#define KERNEL_PILE_H

#include <quire/phys.h>

struct pile {
    struct quire_page *first;
    unsigned long count; /* blocks */
    unsigned mover;      /* 0: blocks stay where they are */
};

/* Makes the pile's blocks movable; false when no mover can be registered. */
QUIRE_MUST_CHECK bool pile_make_movable(struct pile *pile, struct quire_mover *mover);

void pile_push(struct pile *pile, struct quire_page *page);
void pile_remove(struct pile *pile, struct quire_page *page);
struct quire_page *pile_next(const struct quire_page *page);

/* Allocates until `count` blocks are held or there are none left; how many there were. */
unsigned long pile_fill(struct pile *pile, quire_gfp_t gfp, unsigned order, unsigned long count);
/* Frees every block. */
void pile_free(struct pile *pile);

/* Writes a number into each block of order 0, and counts those that don't hold theirs. */
void pile_mark(struct pile *pile);
unsigned long pile_count_damaged(const struct pile *pile);

#endif
