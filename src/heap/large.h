/* heap/large.h: what large.c, kept.c and regular.c know of each other
 *
 * A large block is a caller's, and in the tree; or it is kept for the next one, in a list; or it is
 * a regular, which comes and goes without a lock, and stays in the tree all the time.
 *
 * Everything here is called with large.lock held, where nothing else is said.
 */
#ifndef QUIRE_HEAP_LARGE_H
#define QUIRE_HEAP_LARGE_H

#include "heap/cache.h"

#define LEAST_REST ((size_t)NR_RUNS << QUIRE_PAGE_SHIFT) /* what is cut off is no less */
#define SLACK_SHARE 8 /* a block may be larger than what is wanted by that share */

struct large_part {
    char *at;
    size_t size, left; /* of the block, without the part */
};

/* Whether a block of `has` bytes is too large for `size`. */
static inline bool is_to_cut(size_t has, size_t size)
{
    size_t over = has - size;
    return over >= LEAST_REST && over > size / SLACK_SHARE;
}

/* ---- large.c --------------------------------------------------------------------------------- */

/* Into the tree and the counts, and out of them. */
void large_enter(struct quire_heap *heap, struct large *block);
void large_leave(struct quire_heap *heap, struct large *block);
/* A block in the tree counts with so many bytes from now on. */
void large_recount(struct quire_heap *heap, struct large *block, size_t asked);

/* ---- kept.c ---------------------------------------------------------------------------------- */

/* Keeps a block, joined with those beside it; records that are left over go to `spare`. */
void kept_add(struct quire_heap *heap, struct large *block, uint64_t now, struct list *spare);
/* Whether there is room for one more of `size` bytes; else it is allowed the next time. */
bool kept_has_room(struct quire_heap *heap, size_t size);
/* The smallest that has room; NULL: none. */
struct large *kept_find(struct quire_heap *heap, size_t size, size_t align);
/* The largest, if it is half of what is wanted. */
struct large *kept_find_to_grow(struct quire_heap *heap, size_t size, size_t align);
void kept_take(struct quire_heap *heap, struct large *block);
/* The same, but for what is more than `size` of it, which stays, with the record `rest`. True: that
 * was used. */
bool kept_take_part(struct quire_heap *heap, struct large *block, size_t size, struct large *rest);
/* Takes out what is to be unmapped: what is older than `until`, and the oldest up to `bytes`. */
void kept_take_oldest(struct quire_heap *heap, uint64_t until, size_t bytes, struct list *out);
/* Takes so many bytes out to be unmapped, the oldest first: whole blocks, and at last a part that
 * is returned, if there is one. */
struct large_part kept_cut_oldest(struct quire_heap *heap, size_t bytes, struct list *out);
/* Takes `more` bytes, and up to `spare_bytes` beside them, from what is kept behind a block, if
 * that is there; `spare`: its record, if nothing of it is left. */
void kept_grow(struct quire_heap *heap, struct large *block, size_t more, size_t spare_bytes,
               struct list *spare);

static inline struct large *kept_of(struct list *link)
{
    return quire_container_of(link, struct large, link);
}

/* ---- regular.c ------------------------------------------------------------------------------- */

/* A block that a caller has is a regular from now on, if there is room. */
void regular_add(struct quire_heap *heap, struct large *block);
/* Whether it is one that is free. */
bool regular_is_free(struct quire_heap *heap, const struct large *block);
/* It isn't one any more; false: it is free. */
bool regular_leave(struct quire_heap *heap, struct large *block);
/* Those that are free are kept like any other. */
void regular_recall(struct quire_heap *heap, uint64_t now, struct list *spare);
/* Takes those out that have been free all the time since the last look but one, to be unmapped. */
void regular_take_idle(struct quire_heap *heap, uint64_t now, struct list *out);
/* Bytes of a block that its caller may use: all but what it is lent. */
size_t regular_size(struct quire_heap *heap, const struct large *block);
/* Which blocks have room that they are lent: all, that at `at`, or those that haven't grown since
 * the last look but one. */
struct regular_filter {
    const void *at; /* NULL: any */
    bool idle;
};
/* Whether it is time to look for idle ones, and there are such. */
bool regular_loans_are_due(struct quire_heap *heap, uint64_t now);
unsigned regular_nr_lent(struct quire_heap *heap, struct regular_filter which);
/* Ends their loans: the room is kept, with the records that lie in `records`, as far as they
 * suffice. Those that are left over go to `spare`. */
void regular_end_loans(struct quire_heap *heap, struct regular_filter which, uint64_t now,
                       struct list *records, struct list *spare);
/* Bytes and blocks that are free; what is lent. */
struct regular_counts {
    size_t asked, room, mapped, lent;
    unsigned long blocks, mapped_blocks;
};
struct regular_counts regular_count(struct quire_heap *heap);
/* Where memory of a slot is that no program has: its block when it is free, or what of it is lent.
 */
bool regular_free_part(struct quire_heap *heap, unsigned number, struct large_part *part);
void regular_check(struct quire_heap *heap);

#endif
