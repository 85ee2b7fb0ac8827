/* vm/mempolicy.c: policies of memory, and allocating by them
 *
 * A policy never changes once it can be seen, so areas, threads and parts of shared memory share
 * one by a count. Which holds for a page: that of the part of shared memory, else the area's, else
 * the thread's (man 7 numa). While there is no policy at all (vm->nr_policies), nobody asks.
 *
 *   cost   an allocation by a policy goes past the CPU's own lists unless the node is any:
 *          quire_alloc_pages_node
 */
#include "vm/mempolicy.h"

#include "base/bits.h"
#include "base/text.h"
#include "vm/cache.h"

#define RELATIVE QUIRE_MPOL_F_RELATIVE_NODES
#define STATIC QUIRE_MPOL_F_STATIC_NODES

/* ---- sets of nodes --------------------------------------------------------------------------- */

static uint32_t weight(quire_nodes_t nodes)
{
    return quire_popcount64(nodes);
}

/* The nth of a set, counted around; the set isn't empty. */
static int nth_node(quire_nodes_t nodes, uint64_t n)
{
    uint32_t count = weight(nodes);
    for (n -= quire_div64(n, count) * count; n; n--)
        nodes &= nodes - 1;
    return (int)quire_ctz64(nodes);
}

/* Bit n means the nth of `there`, counted around. */
static quire_nodes_t relative_nodes(quire_nodes_t asked, quire_nodes_t there)
{
    quire_nodes_t nodes = 0;
    for (; asked && there; asked &= asked - 1)
        nodes |= (quire_nodes_t)1 << nth_node(there, quire_ctz64(asked));
    return nodes;
}

quire_nodes_t quire_vm_nodes(struct quire_vm *vm)
{
    return quire_mem_nodes(vm->mem);
}

/* ---- policies -------------------------------------------------------------------------------- */

int quire_mempolicy_check_mode(unsigned mode)
{
    const unsigned places = RELATIVE | STATIC;
    unsigned kind = mode & ~QUIRE_MPOL_MODE_FLAGS;
    if (kind > QUIRE_MPOL_PREFERRED_MANY || (mode & places) == places ||
        (mode & QUIRE_MPOL_F_NUMA_BALANCING && kind != QUIRE_MPOL_BIND &&
         kind != QUIRE_MPOL_PREFERRED_MANY))
        return -QUIRE_EINVAL;
    return 0;
}

/* 0: as it should be; LOCAL in place of a PREFERRED without nodes. */
static int check_nodes(unsigned *mode, unsigned flags, quire_nodes_t nodes)
{
    const unsigned places = RELATIVE | STATIC;
    switch (*mode) {
    case QUIRE_MPOL_DEFAULT:
        return nodes ? -QUIRE_EINVAL : 0;
    case QUIRE_MPOL_LOCAL:
        return nodes || flags & places ? -QUIRE_EINVAL : 0;
    case QUIRE_MPOL_PREFERRED:
        if (nodes)
            return 0;
        *mode = QUIRE_MPOL_LOCAL;
        return flags & places ? -QUIRE_EINVAL : 0;
    default:
        return nodes ? 0 : -QUIRE_EINVAL;
    }
}

/* They are as many as areas, threads and parts of shared memory at most, which are larger and have
 * limits of their own. */
static struct quire_mempolicy *new_policy(const struct quire_mempolicy *like)
{
    struct quire_vm *vm = like->vm;
    struct quire_mempolicy *policy = quire_kmalloc(vm->slab, sizeof *policy, QUIRE_GFP_KERNEL);
    if (!policy)
        return NULL;
    *policy = *like;
    policy->users = 1;
    (void)quire_fetch_add(&vm->nr_policies, 1);
    return policy;
}

struct quire_mempolicy *mempolicy_copy(const struct quire_mempolicy *policy)
{
    return new_policy(policy);
}

int quire_mempolicy_create(struct quire_mempolicy **policy, struct quire_vm *vm, unsigned mode,
                           quire_nodes_t nodes)
{
    unsigned flags = mode & QUIRE_MPOL_MODE_FLAGS;
    quire_nodes_t there = quire_vm_nodes(vm);
    *policy = NULL;
    int error = quire_mempolicy_check_mode(mode);
    mode &= ~QUIRE_MPOL_MODE_FLAGS;
    if (!error)
        error = check_nodes(&mode, flags, nodes);
    if (error || mode == QUIRE_MPOL_DEFAULT)
        return error;
    quire_nodes_t effective = flags & RELATIVE ? relative_nodes(nodes, there) : nodes & there;
    if (mode == QUIRE_MPOL_PREFERRED)
        effective &= ~effective + 1;
    if (mode != QUIRE_MPOL_LOCAL && !effective)
        return -QUIRE_EINVAL;
    *policy = new_policy(&(struct quire_mempolicy){
        .vm = vm,
        .mode = (uint16_t)mode,
        .flags = (uint16_t)flags,
        .home = -1,
        .nodes = (uint32_t)effective,
        .asked = nodes,
    });
    return *policy ? 0 : -QUIRE_ENOMEM;
}

void quire_mempolicy_get(struct quire_mempolicy *policy)
{
    if (policy)
        (void)quire_fetch_add(&policy->users, 1);
}

void quire_mempolicy_put(struct quire_mempolicy *policy)
{
    if (!policy || quire_sub_fetch(&policy->users, 1))
        return;
    struct quire_vm *vm = policy->vm;
    (void)quire_sub_fetch(&vm->nr_policies, 1);
    quire_kfree(vm->slab, policy);
}

bool mempolicy_equal(const struct quire_mempolicy *a, const struct quire_mempolicy *b)
{
    if (a == b || !a || !b)
        return a == b;
    if (a->mode != b->mode || a->flags != b->flags || a->home != b->home)
        return false;
    return a->nodes == b->nodes && (!(a->flags & (RELATIVE | STATIC)) || a->asked == b->asked);
}

unsigned quire_mempolicy_mode(const struct quire_mempolicy *policy)
{
    return policy ? (unsigned)policy->mode | policy->flags : QUIRE_MPOL_DEFAULT;
}

quire_nodes_t quire_mempolicy_nodes(const struct quire_mempolicy *policy)
{
    if (!policy)
        return 0;
    return policy->flags & (RELATIVE | STATIC) ? policy->asked : policy->nodes;
}

void mempolicy_text(struct text *text, const struct quire_mempolicy *policy)
{
    static const char *const names[] = {"default",    "prefer", "bind",
                                        "interleave", "local",  "prefer (many)"};
    const char *separator = ":";
    text_puts(text, names[policy ? policy->mode : QUIRE_MPOL_DEFAULT]);
    if (!policy)
        return;
    if (policy->flags & STATIC)
        text_puts(text, "=static");
    else if (policy->flags & RELATIVE)
        text_puts(text, "=relative");
    for (unsigned node = 0; node < 32; node++) {
        unsigned last = node;
        if (!(policy->nodes >> node & 1))
            continue;
        while (last < 31 && policy->nodes >> (last + 1) & 1)
            last++;
        text_printf(text, last > node ? "%s%u-%u" : "%s%u", separator, node, last);
        separator = ",";
        node = last;
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

void quire_vm_set_numa_thread(struct quire_vm *vm, quire_numa_thread_fn *thread, void *arg)
{
    quire_store_relaxed(&vm->numa_arg, arg);
    quire_store_relaxed(&vm->numa_thread, thread);
}

void quire_vm_set_numa_go_on(struct quire_vm *vm, quire_numa_go_on_fn *go_on)
{
    quire_store_relaxed(&vm->numa_go_on, go_on);
}

void quire_numa_thread_set(struct quire_numa_thread *thread, struct quire_mempolicy *policy)
{
    struct quire_mempolicy *old = thread->policy;
    thread->policy = policy;
    thread->next = 0;
    quire_mempolicy_put(old);
}

int quire_numa_thread_next_node(const struct quire_numa_thread *thread)
{
    const struct quire_mempolicy *policy = thread->policy;
    if (!policy || policy->mode != QUIRE_MPOL_INTERLEAVE)
        return -QUIRE_EINVAL;
    return nth_node(policy->nodes, thread->next);
}

/* ---- allocating ------------------------------------------------------------------------------ */

struct quire_mempolicy *vma_mempolicy(const struct quire_vma *vma, quire_linear_t address)
{
    if (vma->mapping && vma->mapping->is_shmem)
        return mapping_mempolicy(vma->mapping, vma_index(vma, address));
    quire_mempolicy_get(vma->policy);
    return vma->policy;
}

static struct quire_mempolicy *policy_of_place(const struct alloc_place *place)
{
    if (place->mapping && place->mapping->is_shmem)
        return mapping_mempolicy(place->mapping, place->index);
    if (place->vma)
        quire_mempolicy_get(place->vma->policy);
    return place->vma ? place->vma->policy : NULL;
}

static struct quire_page *alloc_by(const struct quire_mempolicy *policy, uint64_t index,
                                   quire_gfp_t gfp)
{
    struct quire_mem *mem = policy->vm->mem;
    switch (policy->mode) {
    case QUIRE_MPOL_PREFERRED:
        return quire_alloc_pages_node(mem, (int)quire_ctz32(policy->nodes), gfp, 0);
    case QUIRE_MPOL_INTERLEAVE:
        return quire_alloc_pages_node(mem, nth_node(policy->nodes, index), gfp, 0);
    case QUIRE_MPOL_BIND:
        return quire_alloc_pages_nodemask(mem, policy->home, policy->nodes, gfp, 0);
    case QUIRE_MPOL_PREFERRED_MANY: {
        /* Other nodes' free memory is better than reclaiming here. */
        quire_gfp_t gently =
            (gfp & ~QUIRE_GFP_DIRECT_RECLAIM) | QUIRE_GFP_NOWARN | QUIRE_GFP_NOMEMALLOC;
        struct quire_page *page =
            quire_alloc_pages_nodemask(mem, policy->home, policy->nodes, gently, 0);
        return page ? page : quire_alloc_pages_nodemask(mem, policy->home, UINT32_MAX, gfp, 0);
    }
    default:
        return quire_alloc_page(mem, gfp);
    }
}

struct quire_page *mempolicy_alloc_gfp(struct quire_vm *vm, const struct alloc_place *place,
                                       quire_gfp_t gfp)
{
    struct quire_mempolicy *policy = place ? policy_of_place(place) : NULL;
    uint64_t index = place ? place->index : 0;
    if (!policy) {
        quire_numa_thread_fn *ask = quire_load_relaxed(&vm->numa_thread);
        struct quire_numa_thread *thread = ask ? ask(quire_load_relaxed(&vm->numa_arg)) : NULL;
        policy = thread ? thread->policy : NULL;
        quire_mempolicy_get(policy);
        if (policy && (!place || !place->vma))
            index = thread->next++;
    }
    struct quire_page *page =
        policy ? alloc_by(policy, index, gfp) : quire_alloc_page(vm->mem, gfp);
    quire_mempolicy_put(policy);
    if (page)
        page_dress(vm, page);
    return page;
}

unsigned vm_alloc_pages_of(struct quire_mapping *mapping, uint64_t index, struct quire_page **pages,
                           unsigned count)
{
    unsigned got = 0;
    for (; got < count; got++) {
        quire_gfp_t extra = got ? QUIRE_GFP_NORETRY | QUIRE_GFP_NOWARN : 0;
        pages[got] = vm_alloc_page_of(mapping, mapping->vm, index + got, extra);
        if (!pages[got])
            break;
    }
    return got;
}
