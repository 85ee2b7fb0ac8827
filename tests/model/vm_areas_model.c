/* tests/model/vm_areas_model.c: random calls against an array of pages
 *
 * The address space is small, and the reference knows of each page of it what an area would say:
 * flags, file and index there. Each call is carried out on both, with the error or address that the
 * reference comes to by looking at every page. Then the areas have to be the shortest list that
 * says the same, as Linux's are, with the counts and the memory promised that follow from the
 * pages.
 *
 * No page is touched, so that areas are joined by what they are alone; locked ones are locked on
 * fault. What a stack's growth joins depends on its pages: see vm_mmap_test.c.
 */
#include "tests/model/vm_areas_model.h"

#define LOCKS (VM_LOCKED | VM_LOCKONFAULT)
#define MAYS (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

/* ---- calls ----------------------------------------------------------------------------------- */

static unsigned some_pages(void)
{
    unsigned shape = test_random_below(8);
    return shape < 5   ? 1 + test_random_below(6)
           : shape < 7 ? 1 + test_random_below(60)
                       : 1 + test_random_below(NR_PAGES / 2);
}

static unsigned some_prot(void)
{
    static const unsigned prots[] = {0, 1, 3, 3, 3, 5, 7};
    return prots[test_random_below(sizeof prots / sizeof prots[0])];
}

/* A range within the address space. */
static void some_range(unsigned *first, unsigned *count)
{
    *first = test_random_below(NR_PAGES);
    *count = some_pages();
    if (*first + *count > NR_PAGES)
        *count = NR_PAGES - *first;
}

struct mmap_call {
    unsigned hint, count, prot, flags;
    unsigned object; /* 1, 2: a file */
    unsigned pgoff;
};

/* Flags of the area, or a negative errno. */
static int64_t flags_of_mmap(const struct mmap_call *c)
{
    uint32_t flags = c->prot | MAYS | model.def_flags;
    bool shared = (c->flags & QUIRE_MAP_TYPE) == QUIRE_MAP_SHARED;
    flags |= c->flags & QUIRE_MAP_GROWSDOWN ? VM_GROWSDOWN : 0;
    if (!model_may_lock(flags, c->count))
        return -QUIRE_EAGAIN;
    if (c->object == 2 && shared && c->prot & QUIRE_PROT_WRITE)
        return -QUIRE_EACCES;
    if (c->object == 2 && c->prot & QUIRE_PROT_EXEC)
        return -QUIRE_EPERM;
    if ((c->object || shared) && c->flags & QUIRE_MAP_GROWSDOWN)
        return -QUIRE_EINVAL;
    flags |= shared ? VM_SHARED | VM_MAYSHARE : 0;
    if (c->object == 2)
        flags &= ~(shared ? VM_MAYEXEC | VM_MAYWRITE | VM_SHARED : VM_MAYEXEC);
    if (c->flags & QUIRE_MAP_NORESERVE && model.overcommit != QUIRE_OVERCOMMIT_NEVER)
        flags |= VM_NORESERVE;
    if ((flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE)
        flags |= VM_ACCOUNT;
    return flags;
}

static int64_t mmap_reference(const struct mmap_call *c)
{
    int at = model_find(c->hint, c->count, c->flags);
    if (at < 0)
        return at;
    if (c->flags & QUIRE_MAP_FIXED_NOREPLACE)
        for (unsigned i = 0; i < c->count; i++)
            if (model.place[at + (int)i].flags)
                return -QUIRE_EEXIST;
    int64_t flags = flags_of_mmap(c);
    if (flags < 0)
        return flags;
    /* Shared memory promises all of itself when it is made, before what is in the way goes. */
    bool shares = !c->object && flags & VM_SHARED;
    if (shares && !(flags & VM_NORESERVE) && !model_may_commit((long)c->count, true))
        return -QUIRE_ENOMEM;
    unsigned there = 0, accounted = 0, wanted = flags & VM_ACCOUNT ? c->count : 0;
    for (unsigned i = 0; i < c->count; i++) {
        there += !!model.place[at + (int)i].flags;
        accounted += !!(model.place[at + (int)i].flags & VM_ACCOUNT);
    }
    if (!model_may_expand((uint32_t)flags, c->count - there))
        return -QUIRE_ENOMEM;
    if (wanted > accounted && !model_may_commit((long)(wanted - accounted), false))
        return -QUIRE_ENOMEM;
    unsigned object = shares ? model.nr_objects++ : c->object;
    if (shares)
        model.object_pages[object] = flags & VM_NORESERVE ? 0 : (uint16_t)c->count;
    for (unsigned i = 0; i < c->count; i++) {
        struct place p = {(uint32_t)flags, object,
                          c->object || shares ? c->pgoff + i : (unsigned)at + i};
        model_give((unsigned)at + i, p);
    }
    return (int64_t)address_of((unsigned)at);
}

static void op_mmap(void)
{
    struct mmap_call c = {.count = some_pages(), .prot = some_prot()};
    static const unsigned where[] = {0, 0, 0, QUIRE_MAP_FIXED, QUIRE_MAP_FIXED_NOREPLACE};
    c.flags = where[test_random_below(5)];
    c.hint = c.flags || !test_random_below(4) ? test_random_below(NR_PAGES) : 0;
    c.flags |= test_random_below(4) ? QUIRE_MAP_PRIVATE : QUIRE_MAP_SHARED;
    c.flags |= test_random_below(8) ? 0 : QUIRE_MAP_NORESERVE;
    c.flags |= test_random_below(16) ? 0 : QUIRE_MAP_GROWSDOWN;
    c.object = test_random_below(3) ? 0 : 1 + test_random_below(2);
    c.flags |= c.object ? 0 : QUIRE_MAP_ANONYMOUS;
    /* Mostly so that neighbours can be joined. */
    c.pgoff = !c.object ? 0 : test_random_below(4) ? c.hint : test_random_below(64);
    int64_t expected = mmap_reference(&c);
    CHECK_EQ(quire_mmap(model.mm, address_of(c.hint), c.count * PAGE - test_random_below(100),
                        c.prot, c.flags, c.object ? model.files[c.object - 1] : NULL,
                        c.pgoff * PAGE),
             expected);
}

static void op_munmap(void)
{
    unsigned first, count;
    some_range(&first, &count);
    for (unsigned i = 0; i < count; i++)
        model_take(first + i);
    CHECK_EQ(quire_munmap(model.mm, address_of(first), count * PAGE - test_random_below(100)), 0);
}

static int protect_reference(unsigned first, unsigned count, unsigned prot)
{
    for (unsigned i = first; i < first + count;) {
        struct place *p = &model.place[i];
        uint32_t old = p->flags, flags = (old & ~VM_ACCESS) | prot;
        unsigned pages = 1;
        if (!old)
            return -QUIRE_ENOMEM;
        if (flags & ~(flags >> 4) & VM_ACCESS)
            return -QUIRE_EACCES;
        while (i + pages < first + count && model.place[i + pages].flags &&
               places_alike(p + pages - 1, p + pages))
            pages++;
        if (flags != old && flags & VM_WRITE) {
            if (!model_may_expand(flags, pages) && model_may_expand(old, pages))
                return -QUIRE_ENOMEM;
            if (!(old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE))) {
                if (!model_may_commit((long)pages, false))
                    return -QUIRE_ENOMEM;
                flags |= VM_ACCOUNT;
            }
        }
        for (unsigned end = i + pages; i < end; i++)
            model.place[i].flags = flags;
    }
    return 0;
}

static void op_mprotect(void)
{
    unsigned first, count, prot = some_prot();
    some_range(&first, &count);
    int expected = protect_reference(first, count, prot);
    CHECK_EQ(quire_mprotect(model.mm, address_of(first), count * PAGE, prot), expected);
}

/* ---- locking --------------------------------------------------------------------------------- */

static int lock_reference(unsigned first, unsigned count, uint32_t locks)
{
    for (unsigned i = first; i < first + count; i++) {
        if (!model.place[i].flags)
            return -QUIRE_ENOMEM;
        model.place[i].flags = (model.place[i].flags & ~LOCKS) | locks;
    }
    return 0;
}

static void op_mlock(void)
{
    unsigned first, count, more = 0;
    int expected = model.limit_locked ? 0 : -QUIRE_EPERM;
    some_range(&first, &count);
    for (unsigned i = 0; i < count; i++)
        more += !(model.place[first + i].flags & VM_LOCKED);
    if (!expected && model_sum().locked + more > model.limit_locked)
        expected = -QUIRE_ENOMEM;
    if (!expected)
        expected = lock_reference(first, count, LOCKS);
    CHECK_EQ(quire_mlock(model.mm, address_of(first) + test_random_below(2), count * PAGE - 1,
                         QUIRE_MLOCK_ONFAULT),
             expected);
}

static void op_munlock(void)
{
    unsigned first, count;
    some_range(&first, &count);
    int expected = lock_reference(first, count, 0);
    CHECK_EQ(quire_munlock(model.mm, address_of(first), count * PAGE), expected);
}

static void op_mlockall(void)
{
    unsigned flags = QUIRE_MCL_ONFAULT | (1 + test_random_below(3));
    int expected = 0;
    if (!model.limit_locked)
        expected = -QUIRE_EPERM;
    else if (flags & QUIRE_MCL_CURRENT && model_sum().total > model.limit_locked)
        expected = -QUIRE_ENOMEM;
    if (!expected)
        model.def_flags = flags & QUIRE_MCL_FUTURE ? LOCKS : 0;
    for (unsigned i = 0; !expected && flags & QUIRE_MCL_CURRENT && i < NR_PAGES; i++)
        model.place[i].flags |= model.place[i].flags ? LOCKS : 0;
    CHECK_EQ(quire_mlockall(model.mm, flags), expected);
}

static void op_munlockall(void)
{
    model.def_flags = 0;
    for (unsigned i = 0; i < NR_PAGES; i++)
        model.place[i].flags &= ~LOCKS;
    CHECK_EQ(quire_munlockall(model.mm), 0);
}

/* ---- advice ---------------------------------------------------------------------------------- */

static void op_madvise(void)
{
    static const struct {
        int advice;
        uint32_t set, clear;
    } kinds[] = {
        {QUIRE_MADV_RANDOM, VM_RAND_READ, VM_SEQ_READ},
        {QUIRE_MADV_NORMAL, 0, VM_RAND_READ | VM_SEQ_READ},
        {QUIRE_MADV_DONTFORK, VM_DONTCOPY, 0},
        {QUIRE_MADV_DOFORK, 0, VM_DONTCOPY},
        {QUIRE_MADV_WIPEONFORK, VM_WIPEONFORK, 0},
        {QUIRE_MADV_KEEPONFORK, 0, VM_WIPEONFORK},
    };
    unsigned kind = test_random_below(6), first, count;
    int expected = 0;
    some_range(&first, &count);
    for (unsigned i = first; i < first + count; i++) {
        if (!model.place[i].flags) {
            expected = -QUIRE_ENOMEM;
            continue;
        }
        if (kinds[kind].advice == QUIRE_MADV_WIPEONFORK &&
            (model.place[i].object || model.place[i].flags & VM_SHARED)) {
            expected = -QUIRE_EINVAL;
            break;
        }
        model.place[i].flags = (model.place[i].flags & ~kinds[kind].clear) | kinds[kind].set;
    }
    CHECK_EQ(quire_madvise(model.mm, address_of(first), count * PAGE, kinds[kind].advice),
             expected);
}

/* ---- brk, mremap ----------------------------------------------------------------------------- */

static bool brk_reference(unsigned to)
{
    struct mmap_call c = {
        .hint = model.brk_page, .prot = 3, .flags = QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED};
    if (to < HEAP || to - HEAP > model.limit_data)
        return false;
    if (to < model.brk_page) {
        bool any = false;
        for (unsigned i = to; i < model.brk_page; i++) {
            any = any || model.place[i].flags;
        }
        for (unsigned i = to; any && i < model.brk_page; i++)
            model_take(i);
        return any;
    }
    if (to == model.brk_page)
        return true;
    c.count = to - model.brk_page;
    for (unsigned i = model.brk_page; i <= to; i++)
        if (model.place[i].flags || model_is_guard(i))
            return false;
    return mmap_reference(&c) > 0;
}

static void op_brk(void)
{
    unsigned to = HEAP - 2 + test_random_below(test_random_below(4) ? 40 : 300);
    if (brk_reference(to))
        model.brk_page = to;
    CHECK_EQ(quire_brk(model.mm, address_of(to)), address_of(model.brk_page));
}

/* Within one area, and no stack: those keep what their pages are called. */
static bool is_one_area(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (!model.place[i].flags ||
            (i > first && !places_alike(&model.place[i - 1], &model.place[i])))
            return false;
    return true;
}

struct mremap_call {
    unsigned from, old_count, new_count, flags, to;
};

static int check_growth(const struct mremap_call *c, unsigned more)
{
    uint32_t flags = model.place[c->from].flags;
    if (!more)
        return 0;
    if (!(c->flags & QUIRE_MREMAP_DONTUNMAP) && !model_may_lock(flags, more))
        return -QUIRE_EAGAIN;
    if (!model_may_expand(flags, more) ||
        (flags & VM_ACCOUNT && !model_may_commit((long)more, false)))
        return -QUIRE_ENOMEM;
    return 0;
}

/* The pages of [from, + old) are at `to` then, and more of the kind. */
static int64_t move(const struct mremap_call *c, unsigned to, unsigned old_count)
{
    struct place first = model.place[c->from];
    bool keeps = c->flags & QUIRE_MREMAP_DONTUNMAP;
    for (unsigned i = 0; i < old_count; i++) {
        if (keeps)
            model.place[c->from + i].flags &= ~LOCKS;
        else
            model_take(c->from + i);
    }
    for (unsigned i = 0; i < c->new_count; i++) {
        struct place p = first;
        p.pgoff = first.object ? first.pgoff + i : to + i;
        model_give(to + i, p);
    }
    return (int64_t)address_of(to);
}

static int64_t mremap_to_reference(const struct mremap_call *c)
{
    unsigned old_count = c->old_count < c->new_count ? c->old_count : c->new_count;
    if (c->to + c->new_count > NR_PAGES)
        return -QUIRE_EINVAL;
    if (c->from + c->old_count > c->to && c->to + c->new_count > c->from)
        return -QUIRE_EINVAL;
    if (!is_one_area(c->from, old_count))
        return -QUIRE_EFAULT;
    bool keeps = c->flags & QUIRE_MREMAP_DONTUNMAP;
    int error = check_growth(c, keeps ? c->new_count : c->new_count - old_count);
    if (error)
        return error;
    int at = model_find(c->to, c->new_count, c->flags & QUIRE_MREMAP_FIXED ? QUIRE_MAP_FIXED : 0);
    if (at < 0)
        return at;
    for (unsigned i = 0; c->flags & QUIRE_MREMAP_FIXED && i < c->new_count; i++)
        model_take((unsigned)at + i);
    for (unsigned i = old_count; i < c->old_count; i++)
        model_take(c->from + i);
    return move(c, (unsigned)at, old_count);
}

static int64_t mremap_reference(const struct mremap_call *c)
{
    if (!model.place[c->from].flags)
        return -QUIRE_EFAULT;
    if (c->flags & (QUIRE_MREMAP_FIXED | QUIRE_MREMAP_DONTUNMAP))
        return mremap_to_reference(c);
    if (c->old_count >= c->new_count) {
        for (unsigned i = c->new_count; i < c->old_count; i++)
            model_take(c->from + i);
        return (int64_t)address_of(c->from);
    }
    if (!is_one_area(c->from, c->old_count))
        return -QUIRE_EFAULT;
    int error = check_growth(c, c->new_count - c->old_count);
    if (error)
        return error;
    unsigned end = c->from + c->old_count, new_end = c->from + c->new_count;
    bool at_end = end == NR_PAGES || !model.place[end].flags ||
                  !places_alike(&model.place[end - 1], &model.place[end]);
    for (unsigned i = end; at_end && i < new_end; i++)
        at_end = i < NR_PAGES && !model.place[i].flags;
    if (at_end) {
        for (unsigned i = end; i < new_end; i++) {
            struct place p = model.place[i - 1];
            p.pgoff++;
            model_give(i, p);
        }
        return (int64_t)address_of(c->from);
    }
    if (!(c->flags & QUIRE_MREMAP_MAYMOVE))
        return -QUIRE_ENOMEM;
    int at = model_find(0, c->new_count, 0);
    return at < 0 ? at : move(c, (unsigned)at, c->old_count);
}

static void op_mremap(void)
{
    static const unsigned flags[] = {0, 1, 1, 3, 5, 7};
    struct mremap_call c = {.flags = flags[test_random_below(6)]};
    some_range(&c.from, &c.old_count);
    while (c.old_count > 1 && test_random_below(8) && !is_one_area(c.from, c.old_count))
        c.old_count /= 2;
    c.new_count = c.flags & QUIRE_MREMAP_DONTUNMAP ? c.old_count : some_pages();
    c.to = c.flags & QUIRE_MREMAP_FIXED ? test_random_below(NR_PAGES) : 0;
    /* Areas at the heap's beginning may be two where the reference sees one. */
    if (c.from < HEAP && c.from + c.old_count > HEAP)
        return;
    int64_t expected = mremap_reference(&c);
    CHECK_EQ(quire_mremap(model.mm, address_of(c.from), c.old_count * PAGE, c.new_count * PAGE,
                          c.flags, address_of(c.to)),
             expected);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static unsigned some_limit(void)
{
    return test_random_below(2) ? NR_PAGES : test_random_below(NR_PAGES);
}

static void set_limits(void)
{
    quire_mm_set_limit(model.mm, QUIRE_LIMIT_AS, model.limit_total * PAGE);
    quire_mm_set_limit(model.mm, QUIRE_LIMIT_DATA, model.limit_data * PAGE);
    quire_mm_set_limit(model.mm, QUIRE_LIMIT_MEMLOCK, model.limit_locked * PAGE);
}

static void op_limits(void)
{
    model.limit_total = some_limit();
    model.limit_data = some_limit();
    model.limit_locked = some_limit();
    set_limits();
    model.overcommit = (enum quire_overcommit)test_random_below(3);
    /* Of 4,096 frames: from 40 to about as many as there are addresses. */
    CHECK_EQ(quire_vm_set_overcommit(test_vm, model.overcommit, 1 + test_random_below(25)), 0);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static struct quire_mapping *file_with(bool may_write)
{
    struct quire_mapping *mapping = file_of(64 * PAGE);
    mapping->config.may_write = mapping->config.may_exec = may_write;
    return mapping;
}

static void start(void)
{
    const struct quire_mm_layout layout = {
        .end = address_of(NR_PAGES),
        .min_addr = address_of(FIRST),
        .gap_min = address_of(NR_PAGES - BASE),
        .gap_max = address_of(NR_PAGES - BASE),
        .stack_gap = STACK_GAP,
    };
    const struct quire_mm_program program = {.brk = address_of(HEAP)};
    __builtin_memset(model.place, 0, sizeof model.place);
    __builtin_memset(model.object_mapped, 0, sizeof model.object_mapped);
    model.nr_objects = 3;
    model.brk_page = HEAP;
    model.def_flags = 0;
    model.limit_total = model.limit_data = model.limit_locked = NR_PAGES;
    model.overcommit = QUIRE_OVERCOMMIT_GUESS;
    CHECK_EQ(quire_vm_set_overcommit(test_vm, model.overcommit, 50), 0);
    CHECK_EQ(quire_mm_create(&model.mm, test_vm, &layout), 0);
    CHECK_EQ(quire_mm_set_program(model.mm, &program), 0);
    set_limits();
}

static void op(void)
{
    static void (*const ops[])(void) = {op_mmap,   op_mmap,     op_mmap,     op_mmap,   op_munmap,
                                        op_munmap, op_mprotect, op_mprotect, op_mremap, op_mremap,
                                        op_brk,    op_mlock,    op_munlock,  op_madvise};
    static void (*const rare[])(void) = {op_mlockall, op_munlockall, op_limits};
    if (test_random_below(32))
        ops[test_random_below(sizeof ops / sizeof ops[0])]();
    else
        rare[test_random_below(3)]();
}

static void run(enum quire_pt_format_id format)
{
    if (!vm_boot(16 * MIB, format))
        return;
    model.files[0] = file_with(true);
    model.files[1] = file_with(false);
    start();
    uint64_t ops = test_environment.effort / 20;
    for (uint64_t i = 0; i < ops; i++) {
        op();
        model_check();
        if (model.nr_objects > NR_OBJECTS - 8) {
            mm_end(model.mm);
            start();
        }
    }
    mm_end(model.mm);
    CHECK_EQ(test_vm->committed, 0);
    quire_mapping_put(model.files[0]);
    quire_mapping_put(model.files[1]);
    vm_end();
}

static void areas_are_what_the_pages_say(void)
{
    run(QUIRE_PT_FORMAT_X86_64);
}

static void and_so_they_are_with_32_bit_entries(void)
{
    run(QUIRE_PT_FORMAT_I386);
}

static const struct test_case cases[] = {
    TEST_CASE(areas_are_what_the_pages_say),
    TEST_CASE(and_so_they_are_with_32_bit_entries),
    {0},
};

const struct test_suite suite_vm_areas_model = {"vm_areas_model", cases};
