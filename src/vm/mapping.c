/* vm/mapping.c: mappings come, are used, and go
 *
 * Users (descriptors, areas) have the mapping; together they hold one reference of its root, and
 * others may come from a page to its root without being users. So what has to be done at the end is
 * done by the last user, who may sleep and holds no locks, and not by reclaim, which may well drop
 * the root's last reference with a page locked.
 */
#include "vm/cache.h"

/* ---- beginning ------------------------------------------------------------------------------- */

static void release(struct quire_vm *vm, struct root *root)
{
    quire_kmem_cache_free(vm->mapping_cache, mapping_of_root(root));
}

static bool may_be_written(const struct quire_mapping *mapping)
{
    return mapping->is_shmem || mapping->config.ops->write_page;
}

static bool config_makes_sense(const struct quire_mapping_config *config)
{
    return (!config->ops || config->ops->read_pages) &&
           mapping_size_is_valid(!config->ops, config->size);
}

static int set_up(struct quire_mapping *mapping)
{
    struct quire_vm *vm = mapping->vm;
    int error = mapping_set_size(mapping, mapping->config.size);
    if (error)
        return error;
    error = root_init(vm, &mapping->root, mapping->is_shmem ? PAGE_KIND_SHMEM : PAGE_KIND_FILE,
                      NULL, release);
    if (!error)
        return 0;
    (void)!shmem_commit(mapping, -mapping->accounted);
    return -QUIRE_ENOMEM;
}

int quire_mapping_create(struct quire_mapping **mapping, struct quire_vm *vm,
                         const struct quire_mapping_config *config)
{
    if (!config_makes_sense(config))
        return -QUIRE_EINVAL;
    struct quire_mapping *new = quire_kmem_cache_zalloc(vm->mapping_cache, QUIRE_GFP_KERNEL);
    if (!new)
        return -QUIRE_ENOMEM;
    new->vm = vm;
    new->config = *config;
    new->is_shmem = !config->ops;
    new->users = 1;
    int error = set_up(new);
    if (error) {
        quire_kmem_cache_free(vm->mapping_cache, new);
        return error;
    }
    quire_mapping_set_writable(new, config->may_write);
    quire_port_irq_t irq = vm_lock(vm);
    list_add_tail(&vm->mappings, &new->link);
    vm_unlock(vm, irq);
    *mapping = new;
    return 0;
}

/* ---- end ------------------------------------------------------------------------------------- */

void quire_mapping_get(struct quire_mapping *mapping)
{
    (void)quire_fetch_add(&mapping->users, 1);
}

/* Nobody comes to the mapping any more but through pages, and those are dropped. */
static void end_mapping(struct quire_mapping *mapping)
{
    struct quire_vm *vm = mapping->vm;
    const struct quire_mapping_ops *ops = mapping->config.ops;
    if (quire_mapping_sync(mapping, 0, 0))
        quire_port_log(QUIRE_LOG_ERROR, "quire: a file's last pages couldn't be written");
    cache_drop_range(mapping, 0, LAST_INDEX);
    QUIRE_BUG_ON(mapping->pages.count || mapping->nr_dirty);
    mapping_drop_mempolicies(mapping);
    (void)!shmem_commit(mapping, -mapping->accounted);
    void (*released)(void *owner) = ops ? ops->release : mapping->config.release;
    if (released)
        released(mapping->config.owner);
    root_put(vm, &mapping->root);
}

void quire_mapping_put(struct quire_mapping *mapping)
{
    struct quire_vm *vm = mapping->vm;
    quire_port_irq_t irq = vm_lock(vm);
    bool last = !quire_sub_fetch(&mapping->users, 1);
    if (last)
        list_del(&mapping->link);
    vm_unlock(vm, irq);
    if (last)
        end_mapping(mapping);
}

struct quire_mapping *mapping_next(struct quire_vm *vm, struct quire_mapping *mapping)
{
    quire_port_irq_t irq = vm_lock(vm);
    struct list *link = mapping ? mapping->link.next : vm->mappings.next;
    struct quire_mapping *next = NULL;
    if (link != &vm->mappings) {
        next = quire_container_of(link, struct quire_mapping, link);
        quire_mapping_get(next); /* one in the list has a user */
    }
    vm_unlock(vm, irq);
    if (mapping)
        quire_mapping_put(mapping);
    return next;
}

/* ---- looking --------------------------------------------------------------------------------- */

uint64_t quire_mapping_size(const struct quire_mapping *mapping)
{
    struct quire_mapping *m = (struct quire_mapping *)mapping;
    mapping_lock(m);
    uint64_t size = m->size;
    mapping_unlock(m);
    return size;
}

void quire_mapping_set_writable(struct quire_mapping *mapping, bool may_write)
{
    mapping->config.may_write = may_write && may_be_written(mapping);
}

void quire_mapping_seal_write(struct quire_mapping *mapping)
{
    mapping->config.sealed_write = true;
}

void quire_mapping_set_name(struct quire_mapping *mapping, const char *name)
{
    mapping->config.name = name;
}

static void count_areas(struct quire_mapping *mapping, struct quire_mapping_info *info)
{
    const uint32_t writable = VM_SHARED | VM_MAYWRITE;
    info->nr_areas = info->nr_writable_areas = 0;
    rwlock_read(&mapping->root.lock);
    for (struct tree_node *node = tree_first(&mapping->root.areas); node; node = tree_next(node)) {
        const struct interval *interval = quire_container_of(node, struct interval, node);
        const struct quire_vma *vma = quire_container_of(interval, struct quire_vma, shared);
        info->nr_areas++;
        info->nr_writable_areas += (quire_load_relaxed(&vma->flags) & writable) == writable;
    }
    rwlock_read_unlock(&mapping->root.lock);
}

void quire_mapping_info(struct quire_mapping *mapping, struct quire_mapping_info *info)
{
    count_areas(mapping, info);
    mapping_lock(mapping);
    info->nr_pages = mapping->nr_pages + mapping->nr_bad;
    info->nr_dirty = mapping->nr_dirty;
    info->nr_swapped = mapping->nr_swapped;
    mapping_unlock(mapping);
}

/* A number is a page of shared memory that is in swap, and of a file only a memory of one. */
static bool is_there(const struct quire_mapping *mapping, uintptr_t word)
{
    return mapping->is_shmem ? word : cache_word_page(word) != NULL;
}

uint64_t quire_mapping_next(struct quire_mapping *mapping, uint64_t index, bool present)
{
    uintptr_t word = 0;
    if (index > LAST_INDEX)
        return present ? UINT64_MAX : index;
    mapping_lock(mapping);
    if (present) {
        while ((word = xa_next(&mapping->pages, &index, LAST_INDEX)) && !is_there(mapping, word))
            index++;
    } else if (mapping->is_shmem) {
        index = xa_free_index(&mapping->pages, index);
    } else {
        while (index <= LAST_INDEX && is_there(mapping, xa_load(&mapping->pages, index)))
            index++;
    }
    mapping_unlock(mapping);
    return present && !word ? UINT64_MAX : index;
}

unsigned long quire_drop_caches(struct quire_vm *vm)
{
    unsigned long dropped = 0;
    struct quire_mapping *mapping = NULL;
    while ((mapping = mapping_next(vm, mapping)))
        dropped += quire_mapping_drop(mapping);
    vm_count(vm, VM_DROP_PAGECACHE, 1);
    return dropped;
}
