/* vm/mmap.c: mmap and brk: areas come
 *
 * Everything that can fail is done before what is in the way goes: the area, its shared memory, the
 * accounting of what it adds. Source: Linux, mm/mmap.c (do_mmap, mmap_region, brk), man 2 mmap.
 */
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/fault.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

#define LEGACY_FLAGS                                                                               \
    (QUIRE_MAP_SHARED | QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED | QUIRE_MAP_ANONYMOUS |                \
     QUIRE_MAP_DENYWRITE | QUIRE_MAP_EXECUTABLE | QUIRE_MAP_GROWSDOWN | QUIRE_MAP_LOCKED |         \
     QUIRE_MAP_NORESERVE | QUIRE_MAP_POPULATE | QUIRE_MAP_NONBLOCK | QUIRE_MAP_STACK |             \
     QUIRE_MAP_32BIT | QUIRE_MAP_FIXED_NOREPLACE)

struct request {
    struct quire_mm *mm;
    quire_linear_t address, size;
    unsigned prot, flags;
    struct quire_mapping *mapping;
    uint64_t pgoff;
    uint32_t vm_flags;
    struct quire_vma *next; /* the area above, where nothing is replaced */
};

/* ---- what may be ----------------------------------------------------------------------------- */

static int check_shared_file(struct request *r)
{
    const struct quire_mapping_config *config = &r->mapping->config;
    if ((r->flags & QUIRE_MAP_TYPE) == QUIRE_MAP_SHARED_VALIDATE &&
        r->flags & ~(LEGACY_FLAGS | QUIRE_MAP_NO_WRITE))
        return -QUIRE_EOPNOTSUPP;
    bool may_write = config->may_write && !(r->flags & QUIRE_MAP_NO_WRITE);
    if (r->prot & QUIRE_PROT_WRITE && !may_write)
        return -QUIRE_EACCES;
    if (r->prot & QUIRE_PROT_WRITE && config->sealed_write)
        return -QUIRE_EPERM;
    r->vm_flags |= VM_MAYSHARE;
    if (may_write)
        r->vm_flags |= VM_SHARED;
    if (!may_write || config->sealed_write)
        r->vm_flags &= ~VM_MAYWRITE;
    return 0;
}

static int check_file(struct request *r)
{
    unsigned type = r->flags & QUIRE_MAP_TYPE;
    int error = 0;
    /* Indices have PAGE_INDEX_BITS, which no file's size exceeds. */
    if (r->pgoff + (r->size >> QUIRE_PAGE_SHIFT) > (uint64_t)1 << PAGE_INDEX_BITS)
        return -QUIRE_EOVERFLOW;
    if (type == QUIRE_MAP_SHARED || type == QUIRE_MAP_SHARED_VALIDATE)
        error = check_shared_file(r);
    else if (type != QUIRE_MAP_PRIVATE)
        error = -QUIRE_EINVAL;
    if (error)
        return error;
    if (!r->mapping->config.may_exec) {
        if (r->prot & QUIRE_PROT_EXEC)
            return -QUIRE_EPERM;
        r->vm_flags &= ~VM_MAYEXEC;
    }
    return r->flags & QUIRE_MAP_GROWSDOWN ? -QUIRE_EINVAL : 0;
}

static int check_anonymous(struct request *r)
{
    switch (r->flags & QUIRE_MAP_TYPE) {
    case QUIRE_MAP_SHARED:
        r->pgoff = 0;
        r->vm_flags |= VM_SHARED | VM_MAYSHARE;
        return r->flags & QUIRE_MAP_GROWSDOWN ? -QUIRE_EINVAL : 0;
    case QUIRE_MAP_PRIVATE:
        r->pgoff = r->address >> QUIRE_PAGE_SHIFT;
        return 0;
    default:
        return -QUIRE_EINVAL;
    }
}

static uint32_t flags_of(const struct request *r)
{
    uint32_t flags = r->prot & VM_ACCESS;
    flags |= VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | r->mm->def_flags;
    flags |= r->flags & QUIRE_MAP_GROWSDOWN ? VM_GROWSDOWN : 0;
    flags |= r->flags & QUIRE_MAP_LOCKED ? VM_LOCKED : 0;
    if (r->flags & QUIRE_MAP_NORESERVE &&
        quire_load_relaxed(&r->mm->vm->overcommit) != QUIRE_OVERCOMMIT_NEVER)
        flags |= VM_NORESERVE;
    return flags;
}

/* Where, and whether it may be there at all. */
static int check(struct request *r)
{
    struct quire_mm *mm = r->mm;
    if (mm->nr_areas > max_areas(mm))
        return -QUIRE_ENOMEM;
    int64_t at = mm_place(mm, r->address, r->size, r->flags, &r->next);
    if (at < 0)
        return (int)at;
    r->address = (quire_linear_t)at;
    if (r->flags & QUIRE_MAP_FIXED_NOREPLACE &&
        vma_intersects(mm, r->address, r->address + r->size))
        return -QUIRE_EEXIST;
    r->vm_flags = flags_of(r);
    if (r->flags & QUIRE_MAP_LOCKED && !mm->limit[QUIRE_LIMIT_MEMLOCK])
        return -QUIRE_EPERM;
    int error = mm_may_lock(mm, r->vm_flags, r->size >> QUIRE_PAGE_SHIFT);
    if (error)
        return error;
    return r->mapping ? check_file(r) : check_anonymous(r);
}

/* ---- doing it -------------------------------------------------------------------------------- */

static bool is_accountable(uint32_t flags)
{
    return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/* What the request comes to, in as much of an area as is copied and compared: it is in no tree and
 * holds no reference. */
static void describe_area(const struct request *r, struct quire_vma *like)
{
    like->mm = r->mm;
    like->start = r->address;
    like->end = r->address + r->size;
    like->pgoff = r->pgoff;
    like->mapping = r->mapping;
    like->anon_vma = NULL;
    like->policy = NULL;
    like->userfault = NULL;
    vma_set_flags(like, r->vm_flags | (is_accountable(r->vm_flags) ? VM_ACCOUNT : 0));
}

/* An area of its own, with a reference to its file, or shared memory that is made for it. */
static int make_area(const struct quire_vma *like, struct quire_vma **made)
{
    struct quire_vma *vma = vma_copy(like->mm, like);
    if (!vma)
        return -QUIRE_ENOMEM;
    if (vma->flags & VM_SHARED && !vma->mapping) {
        struct quire_mapping_config config = {
            .size = vma->end - vma->start,
            .device_minor = 1,
            .may_write = true,
            .may_exec = true,
            .noreserve = vma->flags & VM_NORESERVE,
        };
        int error = quire_mapping_create(&vma->mapping, like->mm->vm, &config);
        if (error) {
            vma_drop(vma);
            return error;
        }
    }
    *made = vma;
    return 0;
}

/* What is added to what was committed before has to be allowed; what goes makes room for the rest,
 * which is *kept. */
static int reserve(const struct quire_vma *like, bool replaces, unsigned long *added,
                   unsigned long *kept)
{
    struct quire_mm *mm = like->mm;
    unsigned long accounted = 0, there = 0, pages = (unsigned long)vma_pages(like);
    unsigned long wanted = like->flags & VM_ACCOUNT ? pages : 0;
    if (replaces)
        there = mm_mapped_pages(mm, like->start, like->end, &accounted);
    *kept = wanted < accounted ? wanted : accounted;
    *added = wanted - *kept;
    if (!mm_may_expand(mm, like->flags, pages - there))
        return -QUIRE_ENOMEM;
    return *added ? vm_commit(mm->vm, mm, (long)*added) : 0;
}

/* Where something may be. */
static int replace_areas(const struct quire_vma *like)
{
    struct quire_vma *vma;
    int error = make_area(like, &vma);
    if (error)
        return error;
    error = mm_unmap(like->mm, like->start, like->end);
    if (error) {
        vma_drop(vma);
        return error;
    }
    vma_insert(like->mm, vma);
    (void)vma_merge(vma);
    return 0;
}

/* Where nothing is; `next`: the area above. */
static int add_area(const struct quire_vma *like, struct quire_vma *next, bool joins)
{
    struct quire_vma *vma, *prev = vma_below(like->mm, next);
    if (joins && vma_extend(like, prev, next))
        return 0;
    int error = make_area(like, &vma);
    if (!error)
        vma_insert_between(vma, prev, next);
    return error;
}

/* `replaces`: something may be there. `joins`: with its neighbours, if they are alike. */
static int map_area(const struct quire_vma *like, struct quire_vma *next, bool replaces, bool joins)
{
    struct quire_mm *mm = like->mm;
    unsigned long added, kept;
    int error = reserve(like, replaces, &added, &kept);
    if (error)
        return error;
    error = replaces ? replace_areas(like) : add_area(like, next, joins);
    if (error) {
        vm_uncommit(mm->vm, (long)added);
        return error;
    }
    if (kept)
        vm_uncommit(mm->vm, -(long)kept);
    vma_count(mm, like, (long)vma_pages(like));
    return 0;
}

static int64_t mmap_locked(struct request *r)
{
    struct quire_vma like;
    int error = check(r);
    if (error)
        return error;
    bool replaces = r->flags & QUIRE_MAP_FIXED && !(r->flags & QUIRE_MAP_FIXED_NOREPLACE);
    if (r->flags & QUIRE_MAP_FIXED_NOREPLACE)
        r->next = vma_above(r->mm, r->address);
    describe_area(r, &like);
    error = map_area(&like, r->next, replaces, true);
    return error ? error : (int64_t)r->address;
}

/* Linux counts a file's pages in an unsigned long. Offset and length can exceed that on 32-bit
 * machines only, where it is looked at before anything is searched for, and of any memory; what a
 * file can't have is check_file's, later. */
static bool index_overflows(const struct request *r, uint64_t size)
{
    uint64_t end = r->pgoff + (size >> QUIRE_PAGE_SHIFT);
    return quire_pt_formats[r->mm->vm->config.format].virt_bits == 32 && end > UINT32_MAX;
}

static int check_arguments(struct request *r, uint64_t length, uint64_t offset)
{
    if (offset & LOW_BITS || !length || r->flags & QUIRE_MAP_HUGETLB)
        return -QUIRE_EINVAL;
    if (!r->mapping != !!(r->flags & QUIRE_MAP_ANONYMOUS))
        return -QUIRE_EINVAL;
    if (length > UINT64_MAX - LOW_BITS)
        return -QUIRE_ENOMEM;
    const uint64_t size = (length + LOW_BITS) & ~(uint64_t)LOW_BITS;
    r->size = (quire_linear_t)size;
    r->pgoff = offset >> QUIRE_PAGE_SHIFT;
    if (index_overflows(r, size))
        return -QUIRE_EOVERFLOW;
    return r->size < size ? -QUIRE_ENOMEM : 0; /* there are fewer addresses */
}

int64_t quire_mmap(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned prot,
                   unsigned flags, struct quire_mapping *mapping, uint64_t offset)
{
    struct request r = {
        .mm = mm, .address = address, .prot = prot, .flags = flags, .mapping = mapping};
    int error = check_arguments(&r, length, offset);
    if (error)
        return error;
    rwlock_write(&mm->lock);
    int64_t at = mmap_locked(&r);
    bool locked = at >= 0 && r.vm_flags & VM_LOCKED;
    bool populates =
        at >= 0 && (flags & (QUIRE_MAP_POPULATE | QUIRE_MAP_NONBLOCK)) == QUIRE_MAP_POPULATE;
    if (!locked && !populates) {
        mm_write_unlock(mm);
        return at;
    }
    struct quire_vma *gone = mm_downgrade(mm);
    if (locked)
        (void)mm_populate_locked(mm, r.address, r.address + r.size, true);
    else
        (void)!populate_range(mm, r.address, r.address + r.size, POPULATE_AHEAD);
    mm_read_unlock(mm, gone);
    return at;
}

/* ---- brk ------------------------------------------------------------------------------------- */

static bool within_data_limit(const struct quire_mm *mm, quire_linear_t brk)
{
    uint64_t data = mm->program.end_data - mm->program.start_data;
    return brk - mm->program.brk + data <= mm->limit[QUIRE_LIMIT_DATA];
}

/* [from, to) becomes heap. It isn't joined with the program's own data below its beginning: Linux
 * shows two areas there. */
static int grow_heap(struct quire_mm *mm, quire_linear_t from, quire_linear_t to)
{
    struct request r = {
        .mm = mm,
        .address = from,
        .size = to - from,
        .prot = QUIRE_PROT_READ | QUIRE_PROT_WRITE,
        .pgoff = from >> QUIRE_PAGE_SHIFT,
    };
    struct quire_vma *next = vma_above(mm, from);
    if (to > mm->layout.end || (next && to + QUIRE_PAGE_SIZE > vma_start_gap(next)))
        return -QUIRE_ENOMEM;
    r.vm_flags = flags_of(&r);
    if (mm_may_lock(mm, r.vm_flags, r.size >> QUIRE_PAGE_SHIFT))
        return -QUIRE_ENOMEM;
    struct quire_vma like;
    describe_area(&r, &like);
    return map_area(&like, next, false, from > mm->program.brk);
}

/* [from, to) is heap no more; if the program has unmapped all of it, the break stays. */
static int shrink_heap(struct quire_mm *mm, quire_linear_t from, quire_linear_t to)
{
    return vma_intersects(mm, from, to) ? mm_unmap(mm, from, to) : -QUIRE_EINVAL;
}

static int set_brk(struct quire_mm *mm, quire_linear_t brk)
{
    quire_linear_t old_end = (mm->brk + LOW_BITS) & ~LOW_BITS, end = (brk + LOW_BITS) & ~LOW_BITS;
    int error = 0;
    if (!mm->program.brk || brk < mm->program.brk || brk > mm->layout.end ||
        !within_data_limit(mm, brk))
        return -QUIRE_EINVAL;
    if (end < old_end)
        error = shrink_heap(mm, end, old_end);
    else if (end > old_end)
        error = grow_heap(mm, old_end, end);
    if (!error)
        mm->brk = brk;
    return error;
}

quire_linear_t quire_brk(struct quire_mm *mm, quire_linear_t brk)
{
    rwlock_write(&mm->lock);
    quire_linear_t old = mm->brk;
    bool set = !set_brk(mm, brk);
    brk = mm->brk;
    struct quire_vma *gone = mm_downgrade(mm);
    if (set && brk > old && mm->def_flags & VM_LOCKED)
        (void)mm_populate_locked(mm, old, brk, true);
    mm_read_unlock(mm, gone);
    return brk;
}
