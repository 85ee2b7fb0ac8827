/* tests/model/vm_areas_pages.c: what an array of pages says of an address space */
#include "tests/model/vm_areas_model.h"

struct areas_model model;

/* ---- what the pages come to ------------------------------------------------------------------ */

static bool is_data(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

bool places_alike(const struct place *a, const struct place *b)
{
    return a->flags == b->flags && a->object == b->object && a->pgoff + 1 == b->pgoff;
}

struct sums model_sum(void)
{
    struct sums s = {0};
    for (unsigned i = 0; i < NR_PAGES; i++) {
        uint32_t flags = model.place[i].flags;
        if (!flags)
            continue;
        s.areas +=
            !i || !model.place[i - 1].flags || !places_alike(&model.place[i - 1], &model.place[i]);
        s.total++;
        s.locked += !!(flags & VM_LOCKED);
        s.data += is_data(flags);
        s.stack += !!(flags & VM_GROWSDOWN);
        s.exec += (flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC;
        s.committed += !!(flags & VM_ACCOUNT);
    }
    for (unsigned object = 3; object < model.nr_objects; object++)
        s.committed += model.object_mapped[object] ? model.object_pages[object] : 0;
    return s;
}

bool model_may_commit(long pages, bool is_file)
{
    struct sums s = model_sum();
    long reserve = is_file ? 0 : (long)s.total / 32;
    if (model.overcommit != QUIRE_OVERCOMMIT_NEVER)
        return true;
    return s.committed + pages < (long)vm_commit_limit(test_vm) - reserve;
}

bool model_may_expand(uint32_t flags, unsigned pages)
{
    struct sums s = model_sum();
    return s.total + pages <= model.limit_total &&
           (!is_data(flags) || s.data + pages <= model.limit_data);
}

bool model_may_lock(uint32_t flags, unsigned pages)
{
    return !(flags & VM_LOCKED) || model_sum().locked + pages <= model.limit_locked;
}

/* ---- the reference's own operations ---------------------------------------------------------- */

void model_take(unsigned page)
{
    if (model.place[page].object)
        model.object_mapped[model.place[page].object]--;
    model.place[page] = (struct place){0};
}

void model_give(unsigned page, struct place what)
{
    model_take(page);
    model.place[page] = what;
    if (what.object)
        model.object_mapped[what.object]++;
}

bool model_is_guard(unsigned page)
{
    for (unsigned above = page + 1; above < NR_PAGES && above <= page + STACK_GAP; above++)
        if (model.place[above].flags)
            return model.place[above].flags & VM_GROWSDOWN;
    return false;
}

static bool model_is_free(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (model.place[first + i].flags || model_is_guard(first + i))
            return false;
    return true;
}

int model_find(unsigned hint, unsigned count, unsigned flags)
{
    if (flags & (QUIRE_MAP_FIXED | QUIRE_MAP_FIXED_NOREPLACE)) {
        if (hint + count > NR_PAGES)
            return -QUIRE_ENOMEM;
        return hint < FIRST ? -QUIRE_EPERM : (int)hint;
    }
    if (count > NR_PAGES)
        return -QUIRE_ENOMEM;
    if (hint && hint < FIRST)
        hint = FIRST;
    if (hint && hint + count <= NR_PAGES && model_is_free(hint, count))
        return (int)hint;
    for (unsigned at = BASE; at-- > FIRST;)
        if (at + count <= BASE && model_is_free(at, count))
            return (int)at;
    for (unsigned at = (NR_PAGES + 2) / 3; at + count <= NR_PAGES; at++)
        if (model_is_free(at, count))
            return (int)at;
    return -QUIRE_ENOMEM;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static unsigned object_of(const struct quire_vma *vma)
{
    if (!vma->mapping)
        return 0;
    return vma->mapping == model.files[0] ? 1 : vma->mapping == model.files[1] ? 2 : 3;
}

static void check_area(const struct quire_vma *vma)
{
    unsigned first = (unsigned)(vma->start / PAGE), end = (unsigned)(vma->end / PAGE);
    for (unsigned i = first; i < end; i++) {
        const struct place *p = &model.place[i];
        CHECK_EQ(vma->flags, p->flags);
        CHECK_EQ(object_of(vma), p->object < 3 ? p->object : 3);
        CHECK_EQ(vma_index(vma, address_of(i)), p->pgoff);
    }
}

void model_check(void)
{
    struct sums s = model_sum();
    struct quire_mm_info info = mm_info(model.mm);
    unsigned pages = 0, areas = 0;
    for (struct quire_vma *vma = vma_above(model.mm, 0); vma; vma = vma_next(vma)) {
        check_area(vma);
        pages += (unsigned)vma_pages(vma);
        /* The heap isn't joined with what lies below it, until something else changes there. */
        unsigned start = (unsigned)(vma->start / PAGE);
        areas += start == HEAP && model.place[start - 1].flags &&
                         places_alike(&model.place[start - 1], &model.place[start])
                     ? 0
                     : 1;
    }
    CHECK_EQ(areas, s.areas);
    CHECK_EQ(pages, s.total);
    CHECK_EQ(info.total, s.total);
    CHECK_EQ(info.locked, s.locked);
    CHECK_EQ(info.data, s.data);
    CHECK_EQ(info.exec, s.exec);
    CHECK_EQ(info.stack, s.stack);
    CHECK_EQ(test_vm->committed, s.committed);
    areas_check(model.mm);
}
