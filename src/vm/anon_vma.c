/* vm/anon_vma.c: which areas may map a family's anonymous pages
 *
 * A process writes to an area: its pages get an anon_vma, A. It forks: the child's area gets a
 * chain to A, whose pages it shares, and an anon_vma of its own, B, for the pages that it will have
 * to itself. Its child in turn gets chains to A and B, and C.
 *
 *     area of parent       chains: A          writes to A
 *     area of child        chains: A, B       writes to B
 *     area of grandchild   chains: A, B, C    writes to C
 *
 * So pages of B are looked for in two areas, not in the family's three. All anon_vmas of a family
 * share the first's lock.
 *
 *   invariant   an area with a chain to an anon_vma has one to its parent, and so on to the first:
 *               clones copy all chains. So an anon_vma's tree is empty no earlier than its
 *               children's, and it need not be referenced by them
 *   invariant   an area has chains if and only if it has an anon_vma; the latter is written last
 *   bound       an area has as many chains as it has ancestors that are alive, and a few more: a
 *               fork takes an anon_vma for its child that no area writes to any more and that has
 *               one child at most, before it makes one. Never the first, whose pages are looked for
 *               in the whole family
 *   source      Linux's mm/rmap.c: anon_vma_chain (2.6.34), reuse (4.0)
 */
#include "vm/area.h"

/* ---- making ---------------------------------------------------------------------------------- */

static struct anon_vma *anon_vma_of(struct root *root)
{
    return quire_container_of(root, struct anon_vma, root);
}

static void release(struct quire_vm *vm, struct root *root)
{
    struct root *locked = root->locked;
    quire_kmem_cache_free(vm->anon_vma_cache, anon_vma_of(root));
    if (locked != root)
        root_put(vm, locked);
}

/* One of a family that gets a parent there; NULL: the first of a new one. */
static struct anon_vma *create(struct quire_vm *vm, struct root *family)
{
    struct anon_vma *anon_vma = quire_kmem_cache_alloc(vm->anon_vma_cache, QUIRE_GFP_KERNEL);
    if (!anon_vma)
        return NULL;
    if (root_init(vm, &anon_vma->root, PAGE_KIND_ANON, family, release)) {
        quire_kmem_cache_free(vm->anon_vma_cache, anon_vma);
        return NULL;
    }
    anon_vma->parent = NULL;
    anon_vma->nr_children = anon_vma->nr_active = 0;
    return anon_vma;
}

static struct anon_vma_chain *chain_of(struct list *link)
{
    return quire_container_of(link, struct anon_vma_chain, same_vma);
}

static void free_chains(struct quire_vm *vm, struct list *chains)
{
    while (!list_empty(chains)) {
        struct list *link = chains->next;
        list_del(link);
        quire_kmem_cache_free(vm->chain_cache, chain_of(link));
    }
}

/* `count` chains; on failure none. */
static int alloc_chains(struct quire_vm *vm, struct list *chains, unsigned long count)
{
    list_init(chains);
    while (count--) {
        struct anon_vma_chain *chain = quire_kmem_cache_alloc(vm->chain_cache, QUIRE_GFP_KERNEL);
        if (!chain) {
            free_chains(vm, chains);
            return -QUIRE_ENOMEM;
        }
        list_add(chains, &chain->same_vma);
    }
    return 0;
}

static unsigned long count_chains(const struct quire_vma *vma)
{
    unsigned long count = 0;
    list_for_each (link, &vma->chains)
        count++;
    return count;
}

/* Takes one of `spare`. The family's lock is held (writer). */
static void link_chain(struct quire_vma *vma, struct anon_vma *anon_vma, struct list *spare)
{
    struct anon_vma_chain *chain = chain_of(spare->next);
    list_del(&chain->same_vma);
    chain->vma = vma;
    chain->anon_vma = anon_vma;
    chain->interval.first = vma->pgoff;
    chain->interval.last = vma->pgoff + vma_pages(vma) - 1;
    interval_insert(&anon_vma->root.areas, &chain->interval);
    list_add(&vma->chains, &chain->same_vma);
}

static bool has_one_chain(const struct quire_vma *vma)
{
    return !list_empty(&vma->chains) && vma->chains.next->next == &vma->chains;
}

/* ---- the first page of an area --------------------------------------------------------------- */

/* Whether `high`, right above `low`, is alike but for what may be done there, so that mprotect
 * could make them one. */
static bool could_merge(const struct quire_vma *low, const struct quire_vma *high)
{
    return low->end == high->start && low->mapping == high->mapping &&
           !((low->flags ^ high->flags) & ~VM_ACCESS) && high->pgoff == low->pgoff + vma_pages(low);
}

/* A neighbour's chains were made before its anon_vma could be seen, and then change only under the
 * writer's lock, or we wouldn't see them. */
static struct anon_vma *of_neighbour(const struct quire_vma *neighbour)
{
    struct anon_vma *anon_vma = quire_load_acquire(&neighbour->anon_vma);
    return anon_vma && has_one_chain(neighbour) ? anon_vma : NULL;
}

static struct anon_vma *find_mergeable(const struct quire_vma *vma)
{
    const struct quire_vma *next = vma_next(vma), *prev = vma_prev(vma);
    struct anon_vma *anon_vma = NULL;
    if (next && could_merge(vma, next))
        anon_vma = of_neighbour(next);
    if (!anon_vma && prev && could_merge(prev, vma))
        anon_vma = of_neighbour(prev);
    return anon_vma;
}

/* Faults of several threads come here at once, perhaps with different anon_vmas: the entry's
 * spinlock lets one do it. */
static void give_anon_vma(struct quire_vma *vma, struct anon_vma *anon_vma, struct list *spare)
{
    struct rwlock *lock = &anon_vma->root.locked->lock;
    rwlock_write(lock);
    entry_lock(vma->mm, vma->start);
    if (!vma->anon_vma) {
        link_chain(vma, anon_vma, spare);
        anon_vma->nr_active++;
        quire_store_release(&vma->anon_vma, anon_vma);
    }
    entry_unlock(vma->mm, vma->start);
    rwlock_write_unlock(lock);
}

int anon_vma_make(struct quire_vma *vma)
{
    struct quire_vm *vm = vma->mm->vm;
    struct list spare;
    if (alloc_chains(vm, &spare, 1))
        return -QUIRE_ENOMEM;
    struct anon_vma *neighbours = find_mergeable(vma);
    struct anon_vma *anon_vma = neighbours ? neighbours : create(vm, NULL);
    if (anon_vma)
        give_anon_vma(vma, anon_vma, &spare);
    if (anon_vma && !neighbours && !list_empty(&spare))
        root_put(vm, &anon_vma->root);
    free_chains(vm, &spare);
    return anon_vma ? 0 : -QUIRE_ENOMEM;
}

bool anon_vma_compatible(const struct quire_vma *a, const struct quire_vma *b)
{
    if (a->anon_vma && b->anon_vma)
        return a->anon_vma == b->anon_vma;
    if (!a->anon_vma && !b->anon_vma)
        return true;
    return has_one_chain(a->anon_vma ? a : b);
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* Chains to all that `from` has chains to, the oldest first. */
static void link_clones(struct quire_vma *to, const struct quire_vma *from, struct list *spare)
{
    for (struct list *link = from->chains.prev; link != &from->chains; link = link->prev)
        link_chain(to, chain_of(link)->anon_vma, spare);
}

int anon_vma_clone(struct quire_vma *to, struct quire_vma *from)
{
    struct anon_vma *anon_vma = from->anon_vma;
    struct list spare;
    QUIRE_ASSERT(list_empty(&to->chains));
    if (!anon_vma) {
        to->anon_vma = NULL;
        return 0;
    }
    if (alloc_chains(from->mm->vm, &spare, count_chains(from)))
        return -QUIRE_ENOMEM;
    rwlock_write(&anon_vma->root.locked->lock);
    link_clones(to, from, &spare);
    anon_vma->nr_active++;
    to->anon_vma = anon_vma;
    rwlock_write_unlock(&anon_vma->root.locked->lock);
    return 0;
}

/* The oldest that nobody writes to. */
static struct anon_vma *find_reusable(const struct quire_vma *vma)
{
    for (struct list *link = vma->chains.prev; link != &vma->chains; link = link->prev) {
        struct anon_vma *anon_vma = chain_of(link)->anon_vma;
        if (anon_vma->parent && !anon_vma->nr_active && anon_vma->nr_children < 2)
            return anon_vma;
    }
    return NULL;
}

int anon_vma_fork(struct quire_vma *child, struct quire_vma *parent)
{
    struct quire_vm *vm = parent->mm->vm;
    struct anon_vma *above = parent->anon_vma;
    struct list spare;
    child->anon_vma = NULL;
    QUIRE_ASSERT(list_empty(&child->chains));
    if (!above)
        return 0;
    if (alloc_chains(vm, &spare, count_chains(parent) + 1))
        return -QUIRE_ENOMEM;
    struct anon_vma *new = create(vm, above->root.locked);
    if (!new) {
        free_chains(vm, &spare);
        return -QUIRE_ENOMEM;
    }
    rwlock_write(&above->root.locked->lock);
    struct anon_vma *anon_vma = find_reusable(parent);
    link_clones(child, parent, &spare);
    if (!anon_vma) {
        anon_vma = new;
        new->parent = above;
        above->nr_children++;
        link_chain(child, new, &spare);
    }
    anon_vma->nr_active++;
    child->anon_vma = anon_vma;
    rwlock_write_unlock(&above->root.locked->lock);
    if (anon_vma != new)
        root_put(vm, &new->root);
    free_chains(vm, &spare);
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Out of all trees. Chains that were their anon_vma's last go to `last`, others to `spare`. */
static void unlink_chains(struct quire_vma *vma, struct list *last, struct list *spare)
{
    while (!list_empty(&vma->chains)) {
        struct anon_vma_chain *chain = chain_of(vma->chains.next);
        struct anon_vma *anon_vma = chain->anon_vma;
        list_del(&chain->same_vma);
        interval_remove(&anon_vma->root.areas, &chain->interval);
        list_add(anon_vma->root.areas.root ? spare : last, &chain->same_vma);
        if (!anon_vma->root.areas.root && anon_vma->parent)
            anon_vma->parent->nr_children--;
    }
    vma->anon_vma->nr_active--;
    vma->anon_vma = NULL;
}

/* The reference keeps the lock from going with somebody else's last chain while it is let go. */
void anon_vma_unlink(struct quire_vma *vma)
{
    struct quire_vm *vm = vma->mm->vm;
    struct list last, spare;
    if (!vma->anon_vma)
        return;
    struct root *locked = vma->anon_vma->root.locked;
    list_init(&last);
    list_init(&spare);
    rwlock_write(&locked->lock);
    root_get(locked);
    unlink_chains(vma, &last, &spare);
    rwlock_write_unlock(&locked->lock);
    list_for_each (link, &last)
        root_put(vm, &chain_of(link)->anon_vma->root);
    root_put(vm, locked);
    free_chains(vm, &last);
    free_chains(vm, &spare);
}
