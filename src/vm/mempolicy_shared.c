/* vm/mempolicy_shared.c: policies of parts of shared memory
 *
 * What mbind says of a part of shared memory holds for all who map it, and stays when they unmap
 * it: so it is kept with the mapping, as runs of indices in order. Adjacent runs that come to the
 * same are one. Linux: the tree of struct sp_node.
 *
 *   bound   MAX_RUNS runs a mapping, and for all together as many as the machine has pages (0.6 %
 * of it); a look is O(log runs), a change O(runs)
 */
#include "vm/cache.h"
#include "vm/mempolicy.h"

#define MAX_RUNS 4096u

struct mempolicy_run {
    uint64_t first, end;
    struct quire_mempolicy *policy;
};

/* The number of runs that end at or below `index`. */
static unsigned runs_below(const struct mempolicy_runs *runs, uint64_t index)
{
    unsigned low = 0, high = runs->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (runs->run[middle].end <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct quire_mempolicy *mapping_mempolicy(struct quire_mapping *mapping, uint64_t index)
{
    const struct mempolicy_runs *runs = &mapping->policies;
    struct quire_mempolicy *policy = NULL;
    if (quire_likely(!quire_load_relaxed(&runs->count)))
        return NULL;
    mapping_lock(mapping);
    unsigned at = runs_below(runs, index);
    if (at < runs->count && runs->run[at].first <= index)
        policy = runs->run[at].policy;
    quire_mempolicy_get(policy);
    mapping_unlock(mapping);
    return policy;
}

/* ---- changing -------------------------------------------------------------------------------- */

static void append(struct mempolicy_runs *to, uint64_t first, uint64_t end,
                   struct quire_mempolicy *policy)
{
    struct mempolicy_run *last = to->count ? &to->run[to->count - 1] : NULL;
    if (first >= end || !policy)
        return;
    if (last && last->end == first && mempolicy_equal(last->policy, policy)) {
        last->end = end;
        return;
    }
    quire_mempolicy_get(policy);
    to->run[to->count++] = (struct mempolicy_run){first, end, policy};
}

/* All runs anew, with the change. A run at most is added, and one cut in two. */
static void merge(struct mempolicy_runs *to, const struct mempolicy_runs *from, uint64_t first,
                  uint64_t end, struct quire_mempolicy *policy)
{
    unsigned i = 0;
    for (; i < from->count && from->run[i].first < first; i++) {
        const struct mempolicy_run *run = &from->run[i];
        append(to, run->first, run->end < first ? run->end : first, run->policy);
        if (run->end > first)
            break;
    }
    append(to, first, end, policy);
    for (; i < from->count; i++) {
        const struct mempolicy_run *run = &from->run[i];
        append(to, run->first > end ? run->first : end, run->end, run->policy);
    }
}

static int runs_alloc(struct quire_vm *vm, struct mempolicy_runs *runs, unsigned room)
{
    *runs = (struct mempolicy_runs){.room = room};
    if (room > MAX_RUNS ||
        quire_load_relaxed(&vm->nr_policy_runs) + room > quire_nr_managed_pages(vm->mem))
        return -QUIRE_ENOMEM;
    runs->run = quire_kmalloc(vm->slab, room * sizeof *runs->run, QUIRE_GFP_KERNEL);
    if (!runs->run)
        return -QUIRE_ENOMEM;
    (void)quire_fetch_add(&vm->nr_policy_runs, room);
    return 0;
}

static void runs_free(struct quire_vm *vm, struct mempolicy_runs *runs)
{
    for (unsigned i = 0; i < runs->count; i++)
        quire_mempolicy_put(runs->run[i].policy);
    if (runs->run)
        quire_kfree(vm->slab, runs->run);
    (void)quire_sub_fetch(&vm->nr_policy_runs, runs->room);
    *runs = (struct mempolicy_runs){0};
}

/* The room is made without the lock; who finds more runs then makes more. */
int mapping_set_mempolicy(struct quire_mapping *mapping, uint64_t first, uint64_t end,
                          struct quire_mempolicy *policy)
{
    struct quire_vm *vm = mapping->vm;
    for (;;) {
        struct mempolicy_runs new;
        int error = runs_alloc(vm, &new, quire_load_relaxed(&mapping->policies.count) + 2);
        if (error)
            return error;
        mapping_lock(mapping);
        struct mempolicy_runs old = mapping->policies;
        bool fits = new.room >= old.count + 2;
        if (fits) {
            merge(&new, &old, first, end, policy);
            mapping->policies.run = new.run;
            mapping->policies.room = new.room;
            quire_store_relaxed(&mapping->policies.count, new.count);
        }
        mapping_unlock(mapping);
        runs_free(vm, fits ? &old : &new);
        if (fits)
            return 0;
    }
}

void mapping_drop_mempolicies(struct quire_mapping *mapping)
{
    runs_free(mapping->vm, &mapping->policies);
}
