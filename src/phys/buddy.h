/* phys/buddy.h: what buddy.c and superblock.c share: lists and counts of a shard's pageblocks
 *
 * All with shard->lock held. Counters that watermark checks read without it are advanced by
 * quire_count_hot.
 */
#ifndef QUIRE_PHYS_BUDDY_H
#define QUIRE_PHYS_BUDDY_H

#include "phys/internal.h"

#define ALL_FREE (~(uint64_t)0)

static QUIRE_ALWAYS_INLINE void block_link(struct shard *shard, struct pageblock *block,
                                           int largest)
{
    block->largest = (int8_t)largest;
    list_add(&shard->blocks[largest][block->type], &block->link);
    quire_store_relaxed(&shard->avail[block->type], shard->avail[block->type] | 1u << largest);
}

static QUIRE_ALWAYS_INLINE void block_unlink(struct shard *shard, struct pageblock *block)
{
    list_del(&block->link);
    if (list_empty(&shard->blocks[block->largest][block->type]))
        quire_store_relaxed(&shard->avail[block->type],
                            shard->avail[block->type] & ~(1u << block->largest));
    block->largest = LARGEST_NONE;
}

static inline void block_relink(struct shard *shard, struct pageblock *block, int largest)
{
    if (block->largest != LARGEST_NONE)
        block_unlink(shard, block);
    if (largest != LARGEST_NONE)
        block_link(shard, block, largest);
}

/* `pages` may be negative. ISOLATE's free frames are nobody's to allocate. */
static QUIRE_ALWAYS_INLINE void count_free(struct shard *shard, unsigned type, long pages)
{
    if (quire_unlikely(type >= QUIRE_MIGRATE_HIGHATOMIC)) {
        quire_count(&shard->nr_free_special[type], (unsigned long)pages);
        if (type == QUIRE_MIGRATE_ISOLATE)
            return;
    }
    quire_count_hot(&shard->nr_free, (unsigned long)pages);
}

static QUIRE_ALWAYS_INLINE void count_blocks(struct shard *shard, unsigned order, long blocks)
{
    quire_count_hot(&shard->nr_blocks[order], (unsigned long)blocks);
}

/* Sets words of the free map that are clear. Unrolled: a whole pageblock is eight words, and loops
 * would double what a huge block costs. */
static QUIRE_ALWAYS_INLINE void set_words(struct pageblock *block, unsigned word, unsigned count)
{
    uint64_t any = 0;
#pragma GCC unroll 8
    for (unsigned i = word; i < word + count; i++)
        any |= block->free[i];
    QUIRE_BUG_ON(any);
    __builtin_memset(&block->free[word], 0xff, count * sizeof block->free[0]);
}

/* Gives a pageblock that isn't linked another type. */
static inline void block_change_type(struct shard *shard, struct pageblock *block, unsigned type)
{
    count_free(shard, block->type, -(long)block->nr_free);
    block->type = (uint8_t)type;
    quire_tell_event(PAGEBLOCK, block->pfn, type);
    count_free(shard, type, block->nr_free);
}

/* superblock.c */

/* Frees and takes blocks of PAGEBLOCK_ORDER and above, as buddy_free and buddy_take_exact do. */
void superblock_free(struct shard *shard, struct pageblock *block, unsigned order);
void superblock_free_pages(struct shard *shard, struct quire_page **pages, unsigned count);
void superblock_take_exact(struct shard *shard, struct pageblock *block, unsigned order);
/* The pageblock that the free block of `block` begins at. */
struct pageblock *superblock_head(const struct quire_mem *mem, struct pageblock *block);
/* Halves a linked free block until it is of `order`; the upper halves go onto lists. */
void superblock_split(struct shard *shard, struct pageblock *head, unsigned order);
/* Links the unlinked, wholly free block of `order` at `head`, merged with its buddies. */
void superblock_merge(struct shard *shard, struct pageblock *head, unsigned order);

#endif
