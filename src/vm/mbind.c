/* vm/mbind.c: policies of a range of addresses (man 2 mbind; Linux, mm/mempolicy.c) */
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/mempolicy.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)
#define MOVES (QUIRE_MPOL_MF_MOVE | QUIRE_MPOL_MF_MOVE_ALL)

/* 0, with *end; -EINVAL; *end is the address: nothing to do. */
static int check_range(quire_linear_t address, uint64_t length, quire_linear_t *end)
{
    uint64_t sum = address + ((length + LOW_BITS) & ~(uint64_t)LOW_BITS);
    *end = range_end(sum);
    return address & LOW_BITS || sum < address ? -QUIRE_EINVAL : 0;
}

static bool has_hole(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    while (start < end) {
        const struct quire_vma *vma = vma_at(mm, start);
        if (!vma)
            return true;
        start = vma->end;
    }
    return false;
}

static quire_linear_t smaller(quire_linear_t a, quire_linear_t b)
{
    return a < b ? a : b;
}

/* ---- setting --------------------------------------------------------------------------------- */

static int set_policy(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                      struct quire_mempolicy *policy)
{
    struct quire_mapping *mapping = vma->mapping;
    if (mapping && mapping->is_shmem) {
        uint64_t first = vma_index(vma, start);
        int error = mapping_set_mempolicy(mapping, first,
                                          first + ((end - start) >> QUIRE_PAGE_SHIFT), policy);
        if (error)
            return error;
    }
    return vma_set_policy(vma, start, end, policy) ? 0 : -QUIRE_ENOMEM;
}

static int set_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                     struct quire_mempolicy *policy)
{
    int error = 0;
    while (!error && start < end) {
        struct quire_vma *vma = vma_at(mm, start);
        quire_linear_t to = smaller(vma->end, end);
        error = set_policy(vma, start, to, policy);
        start = to;
    }
    return error;
}

/* ---- pages that are there -------------------------------------------------------------------- */

/* Nodes that pages shouldn't be on. As on Linux what was said counts, not what came of it; a policy
 * without nodes lets no page be where it should. */
static quire_nodes_t wrong_nodes(const struct quire_mempolicy *policy)
{
    if (!policy)
        return ~(quire_nodes_t)0;
    return ~(policy->flags & QUIRE_MPOL_F_RELATIVE_NODES ? policy->nodes : policy->asked);
}

static bool has_misplaced(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                          quire_nodes_t wrong)
{
    for (quire_linear_t to; start < end; start = to) {
        struct quire_vma *vma = vma_at(mm, start);
        to = smaller(vma->end, end);
        if (vma_has_pages_on(vma, start, to, wrong))
            return true;
    }
    return false;
}

int quire_mbind(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                struct quire_mempolicy *policy, unsigned flags)
{
    quire_linear_t end;
    if (flags & ~QUIRE_MPOL_MF_VALID)
        return -QUIRE_EINVAL;
    int error = check_range(address, length, &end);
    if (error || end == address)
        return error;
    quire_nodes_t wrong = wrong_nodes(policy);
    bool strict = policy && flags & QUIRE_MPOL_MF_STRICT;
    struct page_moves moves = {.nodes = wrong, .to = -1, .all = flags & QUIRE_MPOL_MF_MOVE_ALL};
    rwlock_write(&mm->lock);
    if (has_hole(mm, address, end))
        error = -QUIRE_EFAULT;
    else if (strict && !(flags & MOVES) && has_misplaced(mm, address, end, wrong))
        error = -QUIRE_EIO;
    else
        error = set_range(mm, address, end, policy);
    struct quire_vma *gone = mm_downgrade(mm);
    if (!error && flags & MOVES)
        gone = mm_move_pages(mm, address, end, &moves, gone);
    mm_read_unlock(mm, gone);
    if (moves.error == -QUIRE_EINTR)
        return moves.error;
    return moves.stayed && strict ? -QUIRE_EIO : error;
}

/* ---- home ------------------------------------------------------------------------------------ */

static int set_home(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, int node)
{
    struct quire_mempolicy *policy = mempolicy_copy(vma->policy);
    if (!policy)
        return -QUIRE_ENOMEM;
    policy->home = node;
    int error = set_policy(vma, start, end, policy);
    quire_mempolicy_put(policy);
    return error;
}

static int set_homes(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, int node)
{
    int error = -QUIRE_ENOENT;
    for (struct quire_vma *vma; (vma = vma_above(mm, start)) && vma->start < end;) {
        const struct quire_mempolicy *policy = vma->policy;
        quire_linear_t from = vma->start > start ? vma->start : start;
        start = smaller(vma->end, end);
        if (policy) {
            if (policy->mode != QUIRE_MPOL_BIND && policy->mode != QUIRE_MPOL_PREFERRED_MANY)
                return -QUIRE_EOPNOTSUPP;
            error = set_home(vma, from, start, node);
            if (error)
                return error;
        }
        if (start == end)
            break;
    }
    return error;
}

int quire_set_home_node(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned node)
{
    quire_linear_t end;
    if (node >= mm->vm->nr_nodes)
        return -QUIRE_EINVAL;
    int error = check_range(address, length, &end);
    if (error || end == address)
        return error;
    rwlock_write(&mm->lock);
    error = set_homes(mm, address, end, (int)node);
    mm_write_unlock(mm);
    return error;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int quire_area_mempolicy(struct quire_mm *mm, quire_linear_t address,
                         struct quire_mempolicy **policy)
{
    *policy = NULL;
    rwlock_read(&mm->lock);
    const struct quire_vma *vma = vma_at(mm, address);
    if (vma)
        *policy = vma_mempolicy(vma, address);
    rwlock_read_unlock(&mm->lock);
    return vma ? 0 : -QUIRE_EFAULT;
}

int quire_address_node(struct quire_mm *mm, quire_linear_t address)
{
    struct quire_page *page;
    int error = quire_get_user_page(mm, address, false, &page);
    if (error)
        return error;
    int node = quire_page_node(mm->vm->mem, page);
    quire_put_user_page(mm->vm, page, false);
    return node;
}
