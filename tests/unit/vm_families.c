#include "tests/unit/vm_families.h"

struct quire_vm family_vm;
struct quire_mm family_mm[PROCESSES];
struct quire_vma relative[AREAS];
bool alive_relative[AREAS];
static unsigned long calls, family_failure;
static bool family_failure_lasts;

static bool fails(void *arg)
{
    (void)arg;
    calls++;
    return family_failure &&
           (family_failure_lasts ? calls >= family_failure : calls == family_failure);
}

void family_fail(unsigned long number, bool lasts)
{
    calls = 0;
    family_failure = number;
    family_failure_lasts = lasts;
}

/* Objects that take a slab each, and a cache that keeps none for later. */
static struct quire_kmem_cache *cache_of_slabs(const char *name)
{
    struct quire_kmem_cache *cache = quire_kmem_cache_create(
        slab, name, QUIRE_PAGE_SIZE, 0, QUIRE_SLAB_CONSISTENCY_CHECKS | QUIRE_SLAB_NO_MERGE, NULL);
    CHECK_EQ(quire_kmem_cache_set_order(cache, 0), 0);
    return cache;
}

bool family_boot(bool failing)
{
    static const struct quire_slab_config config = {.fail = fails};
    family_fail(0, false);
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return false;
    if (!slab_start(&config))
        return false;
    family_vm = (struct quire_vm){.mem = machine.mem, .slab = slab};
    family_vm.anon_vma_cache =
        failing ? cache_of_slabs("anon_vma") : cache_of("anon_vma", sizeof(struct anon_vma), 0);
    family_vm.chain_cache = failing ? cache_of_slabs("anon_vma_chain")
                                    : cache_of("anon_vma_chain", sizeof(struct anon_vma_chain), 0);
    CHECK_EQ(roots_create(&family_vm), 0);
    for (unsigned i = 0; i < PROCESSES; i++) {
        family_mm[i] = (struct quire_mm){.vm = &family_vm};
        list_init(&family_mm[i].in_order);
    }
    for (unsigned i = 0; i < AREAS; i++)
        alive_relative[i] = false;
    return true;
}

void end_relative(unsigned i)
{
    anon_vma_unlink(&relative[i]);
    CHECK(list_empty(&relative[i].chains) && !relative[i].anon_vma);
    tree_unlink(&relative[i].mm->areas, &relative[i].node);
    list_del(&relative[i].link);
    alive_relative[i] = false;
}

void family_end(void)
{
    for (unsigned i = 0; i < AREAS; i++)
        if (alive_relative[i])
            end_relative(i);
    roots_destroy(&family_vm); /* panics if a root is left */
    destroy(family_vm.anon_vma_cache);
    destroy(family_vm.chain_cache);
    slab_end();
}

struct quire_vma *new_relative(unsigned i, unsigned process, uint64_t first, uint64_t count)
{
    struct quire_vma *vma = &relative[i];
    struct quire_mm *mm = &family_mm[process % PROCESSES];
    struct tree *tree = &mm->areas;
    struct tree_node *parent = NULL, **link = &tree->root;
    *vma = (struct quire_vma){
        .start = first * PAGE,
        .end = (first + count) * PAGE,
        .mm = mm,
        .flags = VM_READ | VM_WRITE,
        .pgoff = first,
    };
    list_init(&vma->chains);
    while (*link) {
        parent = *link;
        link =
            &parent->child[vma->start >= quire_container_of(parent, struct quire_vma, node)->start];
    }
    tree_link(tree, &vma->node, parent, link);
    const struct tree_node *next = tree_next(&vma->node);
    list_add_tail(next ? &quire_container_of(next, struct quire_vma, node)->link : &mm->in_order,
                  &vma->link);
    alive_relative[i] = true;
    return vma;
}

int fork_relative(unsigned from, unsigned to, unsigned process)
{
    struct quire_vma *parent = &relative[from];
    struct quire_vma *child = new_relative(to, process, parent->pgoff, vma_pages(parent));
    return anon_vma_fork(child, parent);
}

unsigned nr_chains(const struct quire_vma *vma)
{
    unsigned count = 0;
    list_for_each (link, &vma->chains)
        count++;
    return count;
}

bool leads_to(const struct anon_vma *anon_vma, const struct quire_vma *vma, uint64_t index)
{
    struct interval *at = interval_first(&anon_vma->root.areas, index, index);
    for (; at; at = interval_next(at, index, index))
        if (quire_container_of(at, struct anon_vma_chain, interval)->vma == vma)
            return true;
    return false;
}
