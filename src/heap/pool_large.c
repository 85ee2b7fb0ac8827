/* heap/pool_large.c: objects with a block of their own, in a tree by address
 *
 * The tree finds what is freed early in O(log n), and knows what isn't the pool's. What describes
 * the object lies before it in the same block; when debugging it has a block of its own, so that
 * the object is all of what the source gave, and nothing of ours lies where an underrun writes.
 */
#include "base/list.h"
#include "heap/pool.h"

static struct pool_large *large_of(struct tree_node *node)
{
    return quire_container_of(node, struct pool_large, node);
}

/* Where a node for `memory` is or would be; `*parent` is what it hangs on. */
static struct tree_node **find_link(struct tree *tree, const void *memory,
                                    struct tree_node **parent)
{
    struct tree_node **link = &tree->root;
    *parent = NULL;
    while (*link && large_of(*link)->memory != memory) {
        *parent = *link;
        link = &(*link)->child[(uintptr_t)memory > (uintptr_t)large_of(*link)->memory];
    }
    return link;
}

struct pool_large *pool_large_find(const struct pool *pool, const void *memory)
{
    struct tree tree = pool->large;
    struct tree_node *parent, **link = find_link(&tree, memory, &parent);
    return *link ? large_of(*link) : NULL;
}

static void insert(struct pool *pool, struct pool_large *large)
{
    struct tree_node *parent, **link = find_link(&pool->large, large->memory, &parent);
    QUIRE_BUG_ON(*link); /* the source gave the same block twice */
    tree_link(&pool->large, &large->node, parent, link);
    pool->nr_large++;
    pool->large_bytes += large->size;
}

/* A block whose first `header` bytes stay before the object; false: none. */
static bool take_memory(struct pool *pool, struct pool_large *large, size_t header, size_t align,
                        size_t size)
{
    size_t padding = align - QUIRE_POOL_ALIGN;
    large->size = size;
    large->block_size = header + padding + (header || size ? size : 1);
    if (large->block_size < size || !pool_may_hold(pool, large->block_size))
        return false;
    large->block = pool_source_alloc(pool->cache, &large->block_size);
    if (!large->block)
        return false;
    uintptr_t start = (uintptr_t)large->block + header;
    large->memory = (char *)((start + align - 1) & ~(uintptr_t)(align - 1));
    if (pool_hold(pool, large->block_size + large->own_size))
        return true;
    pool_source_free(pool->cache, large->block, large->block_size);
    return false;
}

static struct pool_large *take_apart(struct pool *pool, size_t align, size_t size)
{
    size_t own_size = sizeof(struct pool_large);
    struct pool_large *large = pool_source_alloc(pool->cache, &own_size);
    if (!large)
        return NULL;
    large->own_size = own_size;
    if (take_memory(pool, large, 0, align, size))
        return large;
    pool_source_free(pool->cache, large, own_size);
    return NULL;
}

void *pool_large_alloc(struct pool *pool, size_t align, size_t size)
{
    struct pool_large taken = {.own_size = 0}, *large;
    if (pool->cache->debug)
        large = take_apart(pool, align, size);
    else if (take_memory(pool, &taken, sizeof taken, align, size)) {
        large = taken.block;
        *large = taken;
    } else
        large = NULL;
    if (!large)
        return NULL;
    insert(pool, large);
    return large->memory;
}

/* No longer in the tree. */
static void give_back(struct pool *pool, struct pool_large *large)
{
    size_t own_size = large->own_size;
    pool->nr_large--;
    pool->large_bytes -= large->size;
    pool_let_go(pool, large->block_size + own_size);
    pool_source_free(pool->cache, large->block, large->block_size);
    if (own_size)
        pool_source_free(pool->cache, large, own_size);
}

void pool_large_free(struct pool *pool, struct pool_large *large)
{
    tree_unlink(&pool->large, &large->node);
    give_back(pool, large);
}

/* From the leaves, without balancing: O(large blocks). */
void pool_large_free_all(struct pool *pool)
{
    struct tree_node *node = pool->large.root;
    while (node) {
        struct tree_node *parent = node->parent;
        if (node->child[0] || node->child[1]) {
            node = node->child[node->child[0] ? 0 : 1];
            continue;
        }
        if (parent)
            parent->child[parent->child[1] == node] = NULL;
        give_back(pool, large_of(node));
        node = parent;
    }
    pool->large.root = NULL;
}
