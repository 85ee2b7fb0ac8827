/* vm/mm.c: address spaces: their life, limits and counts */
#include "vm/area.h"

#define DEFAULT_STACK_LIMIT ((uint64_t)8 << 20)
#define DEFAULT_MEMLOCK_LIMIT ((uint64_t)8 << 20)
#define MIN_GAP ((quire_linear_t)128 << 20)

/* Five sixths at most for what isn't mmap's. */
const struct quire_mm_layout quire_mm_layout_i386 = {
    .end = 0xc0000000u,
    .min_addr = 0x10000,
    .gap_min = MIN_GAP,
    .gap_max = 0xc0000000u / 6 * 5,
    .stack_gap = 256,
};
#if QUIRE_LINEAR_BITS > 32
const struct quire_mm_layout quire_mm_layout_x86_64 = {
    .end = 0x7ffffffff000u,
    .min_addr = 0x10000,
    .gap_min = MIN_GAP,
    .gap_max = 0x7ffffffff000u / 6 * 5,
    .stack_gap = 256,
};
#endif

/* ---- life ------------------------------------------------------------------------------------ */

static quire_port_irq_t lock_list(struct quire_vm *vm)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&vm->lock);
    return irq;
}

static void unlock_list(struct quire_vm *vm, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&vm->lock);
    quire_port_irq_restore(irq);
}

/* Generations of address spaces are far from each other, so that a thread's memory of an area of
 * one that is gone means nothing in another that has its place in memory. */
#define GENERATIONS_EACH ((uint64_t)1 << 40)

static void enlist(struct quire_mm *mm)
{
    struct quire_vm *vm = mm->vm;
    quire_port_irq_t irq = lock_list(vm);
    vm->generations += GENERATIONS_EACH;
    mm->generation = vm->generations;
    list_add_tail(&vm->mms, &mm->link);
    unlock_list(vm, irq);
}

/* Where the kernel's part begins: at an address that is a root entry's first. 4 GiB, where nothing
 * is left for the kernel, is no address on i386, and refused as such. */
static quire_linear_t kernel_start(const struct quire_vm *vm, const struct quire_mm_layout *layout)
{
    const struct quire_pt_format *format = &quire_pt_formats[vm->config.format];
    quire_linear_t each = (quire_linear_t)1 << format->level[QUIRE_PGD].shift;
    if (QUIRE_LINEAR_BITS > 32 && format->virt_bits > 32)
        return 0 - ((quire_linear_t)1 << (format->virt_bits - 1) % QUIRE_LINEAR_BITS);
    return (layout->end + each - 1) & ~(each - 1);
}

static bool layout_is_valid(const struct quire_vm *vm, const struct quire_mm_layout *layout)
{
    const struct quire_pt_format *format = &quire_pt_formats[vm->config.format];
    unsigned bits = format->virt_bits > 32 ? format->virt_bits - 1u : format->virt_bits;
    quire_linear_t low_bits = QUIRE_PAGE_SIZE - 1;
    if (bits > PAGE_INDEX_BITS + QUIRE_PAGE_SHIFT)
        bits = PAGE_INDEX_BITS + QUIRE_PAGE_SHIFT; /* of what a page can tell where it is */
    return layout->end <= (uint64_t)1 << bits && layout->min_addr < layout->end &&
           !((layout->end | layout->min_addr) & low_bits) && layout->gap_min <= layout->gap_max &&
           layout->gap_max < layout->end;
}

int quire_mm_create(struct quire_mm **mm, struct quire_vm *vm, const struct quire_mm_layout *layout)
{
    if (!layout_is_valid(vm, layout))
        return -QUIRE_EINVAL;
    struct quire_mm *new = quire_kmem_cache_zalloc(vm->mm_cache, QUIRE_GFP_KERNEL);
    if (!new)
        return -QUIRE_ENOMEM;
    struct quire_pgtable_config config = {
        .mem = vm->mem,
        .format = vm->config.format,
        .features = vm->config.features,
        .flush = vm->config.flush,
        .flush_arg = vm->config.flush_arg,
        .shared = vm->config.kernel_tables,
        .shared_from = kernel_start(vm, layout),
    };
    int error = quire_pgtable_init(&new->pt, &config);
    if (error) {
        quire_kmem_cache_free(vm->mm_cache, new);
        return error;
    }
    new->vm = vm;
    new->nr_users = new->nr_refs = 1;
    new->layout = *layout;
    areas_init(new);
    new->limit[QUIRE_LIMIT_AS] = new->limit[QUIRE_LIMIT_DATA] = QUIRE_LIMIT_INFINITE;
    new->limit[QUIRE_LIMIT_STACK] = DEFAULT_STACK_LIMIT;
    new->limit[QUIRE_LIMIT_MEMLOCK] = DEFAULT_MEMLOCK_LIMIT;
    enlist(new);
    quire_tell_event_of(MM, "", mm_number(new), 0);
    *mm = new;
    return 0;
}

void quire_mm_get(struct quire_mm *mm)
{
    QUIRE_BUG_ON(!quire_fetch_add(&mm->nr_users, 1));
}

void mm_ref(struct quire_mm *mm)
{
    (void)quire_fetch_add(&mm->nr_refs, 1);
}

/* It is in the list as long as somebody holds it, so that who walks the list by references can go
 * on from it. */
void mm_unref(struct quire_mm *mm)
{
    struct quire_vm *vm = mm->vm;
    quire_port_irq_t irq = lock_list(vm);
    bool last = !quire_sub_fetch(&mm->nr_refs, 1);
    if (last)
        list_del(&mm->link);
    unlock_list(vm, irq);
    if (!last)
        return;
    quire_tell_event(MM_END, mm_number(mm));
    quire_pgtable_destroy(&mm->pt);
    quire_kmem_cache_free(vm->mm_cache, mm);
}

void quire_mm_put(struct quire_mm *mm)
{
    if (quire_sub_fetch(&mm->nr_users, 1))
        return;
    rwlock_write(&mm->lock);
    mm_unmap_all(mm);
    mm_write_unlock(mm);
    mm_unref(mm);
}

void mm_inherit(struct quire_mm *child, const struct quire_mm *parent)
{
    child->program = parent->program;
    child->brk = parent->brk;
    child->mmap_base = parent->mmap_base;
    child->oom_score_adj = parent->oom_score_adj;
    child->has_sealed = parent->has_sealed;
    child->has_mergeable = parent->has_mergeable;
    __builtin_memcpy(child->limit, parent->limit, sizeof child->limit);
    __builtin_memcpy(child->name, parent->name, sizeof child->name);
}

struct quire_pgtable *quire_mm_pgtable(struct quire_mm *mm)
{
    return &mm->pt;
}

/* ---- the writer's lock ----------------------------------------------------------------------- */

/* Areas that are nothing any more but references to files. */
void vmas_free_gone(struct quire_vm *vm, struct quire_vma *gone)
{
    while (gone) {
        struct quire_vma *vma = gone;
        struct quire_mapping *mapping = vma->mapping;
        gone = vma->gone;
        if (quire_unlikely(vma->policy))
            quire_mempolicy_put(vma->policy);
        quire_kmem_cache_free(vm->vma_cache, vma);
        quire_mapping_put(mapping);
    }
}

struct quire_vma *mm_downgrade(struct quire_mm *mm)
{
    struct quire_vma *gone = mm->gone;
    mm->gone = NULL;
    rwlock_downgrade(&mm->lock);
    return gone;
}

void mm_read_unlock(struct quire_mm *mm, struct quire_vma *gone)
{
    rwlock_read_unlock(&mm->lock);
    vmas_free_gone(mm->vm, gone);
}

/* ---- what it is told ------------------------------------------------------------------------- */

void quire_mm_set_limit(struct quire_mm *mm, enum quire_limit limit, uint64_t bytes)
{
    rwlock_write(&mm->lock);
    mm->limit[limit] = bytes;
    rwlock_write_unlock(&mm->lock);
}

uint64_t quire_mm_limit(struct quire_mm *mm, enum quire_limit limit)
{
    rwlock_read(&mm->lock);
    uint64_t bytes = mm->limit[limit];
    rwlock_read_unlock(&mm->lock);
    return bytes;
}

void quire_mm_set_name(struct quire_mm *mm, int pid, const char *name)
{
    size_t length = 0;
    rwlock_write(&mm->lock);
    mm->pid = pid;
    for (; name[length] && length < sizeof mm->name - 1; length++)
        mm->name[length] = name[length];
    mm->name[length] = '\0';
    quire_tell_event_of(MM, mm->name, mm_number(mm), (uint64_t)pid);
    rwlock_write_unlock(&mm->lock);
}

int quire_mm_set_oom_score_adj(struct quire_mm *mm, int adj)
{
    if (adj < -1000 || adj > 1000)
        return -QUIRE_EINVAL;
    quire_store_relaxed(&mm->oom_score_adj, adj);
    return 0;
}

int quire_mm_set_program(struct quire_mm *mm, const struct quire_mm_program *program)
{
    const quire_linear_t at[] = {program->start_code, program->end_code, program->start_data,
                                 program->end_data,   program->brk,      program->start_stack,
                                 program->arg_start,  program->arg_end,  program->env_start,
                                 program->env_end};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        if (at[i] > mm->layout.end)
            return -QUIRE_EINVAL;
    if (program->end_code < program->start_code || program->end_data < program->start_data)
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    mm->program = *program;
    mm->brk = program->brk;
    mm->mmap_base = 0;
    (void)mm_place_down(mm);
    rwlock_write_unlock(&mm->lock);
    return 0;
}

void quire_mm_get_program(struct quire_mm *mm, struct quire_mm_program *program)
{
    rwlock_read(&mm->lock);
    *program = mm->program;
    rwlock_read_unlock(&mm->lock);
}

/* ---- counts ---------------------------------------------------------------------------------- */

static bool is_data(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

void mm_count(struct quire_mm *mm, uint32_t flags, long pages)
{
    unsigned long change = (unsigned long)pages; /* modulo: it may be less than 0 */
    mm->total_vm += change;
    if (mm->total_vm > mm->hiwater_vm)
        mm->hiwater_vm = mm->total_vm;
    if (flags & VM_LOCKED)
        mm->locked_vm += change;
    if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
        mm->exec_vm += change;
    else if (flags & VM_GROWSDOWN)
        mm->stack_vm += change;
    else if (is_data(flags))
        mm->data_vm += change;
}

void vma_count(struct quire_mm *mm, const struct quire_vma *vma, long pages)
{
    mm_count(mm, vma->flags, pages);
}

bool mm_may_expand(const struct quire_mm *mm, uint32_t flags, uint64_t pages)
{
    if (mm->total_vm + pages > mm->limit[QUIRE_LIMIT_AS] >> QUIRE_PAGE_SHIFT)
        return false;
    return !is_data(flags) ||
           mm->data_vm + pages <= mm->limit[QUIRE_LIMIT_DATA] >> QUIRE_PAGE_SHIFT;
}

/* Several may be taking pages at once: the mark only ever rises. */
void mm_note_peak(struct quire_mm *mm)
{
    long rss = quire_load_relaxed(&mm->rss[RSS_ANON]) + quire_load_relaxed(&mm->rss[RSS_FILE]) +
               quire_load_relaxed(&mm->rss[RSS_SHMEM]);
    unsigned long mark = quire_load_relaxed(&mm->hiwater_rss);
    while (rss > 0 && (unsigned long)rss > mark)
        if (quire_compare_exchange(&mm->hiwater_rss, &mark, (unsigned long)rss))
            return;
}
