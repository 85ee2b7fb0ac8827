/* tests/model/vm_model.c: random operations of several processes against arrays of pages
 *
 * Each process has a window of addresses, and for each page of it the reference knows what is
 * mapped there, with which rights, and what it holds: a word at its beginning and the same at its
 * end. Two files, one of them shared memory, are arrays too. Memory is far too small for all of it,
 * so pages go to swap and come back all the time. After each operation what it touched is compared;
 * now and then everything is, and the layer's own invariants.
 *
 * A fault may find no memory at all. Then nothing changed, and the access is tried no more.
 */
#include "tests/unit/vm_machine.h"

#define PROCESSES 4u
#define WINDOW 128u
#define WINDOW_AT ((quire_linear_t)0x10000000)
#define FILE_PAGES 64u
#define SWAP_PAGES STORE_PAGES

enum kind { HOLE, ANON, FILE_PRIVATE, FILE_SHARED, SHM_SHARED };

struct place {
    enum kind kind;
    unsigned prot;
    unsigned index; /* in its file */
    bool own;       /* a private page that was written: `value` is its content, not the file's */
    uint64_t value;
};

static struct process {
    struct quire_mm *mm;
    struct place place[WINDOW];
} processes[PROCESSES];

static struct file {
    struct quire_mapping *mapping;
    unsigned pages;
    uint64_t value[FILE_PAGES];
} files[2]; /* a file, and shared memory */

static struct process *running;
static unsigned long ooms;
static uint64_t next_value;

/* ---- the reference --------------------------------------------------------------------------- */

static struct file *file_of_place(const struct place *p)
{
    return p->kind == SHM_SHARED ? &files[1] : p->kind >= FILE_PRIVATE ? &files[0] : NULL;
}

static bool is_shared(const struct place *p)
{
    return p->kind >= FILE_SHARED;
}

/* What can be read there; the place allows it. */
static uint64_t content(const struct place *p)
{
    const struct file *file = file_of_place(p);
    return p->own || !file ? p->value : file->value[p->index];
}

static enum quire_fault_result expected_result(const struct place *p, bool write)
{
    const struct file *file = file_of_place(p);
    if (p->kind == HOLE)
        return QUIRE_VM_SEGV_MAPERR;
    if (!(p->prot & (write ? QUIRE_PROT_WRITE : QUIRE_PROT_READ | QUIRE_PROT_WRITE)))
        return QUIRE_VM_SEGV_ACCERR;
    if (file && p->index >= file->pages)
        return QUIRE_VM_BUS_ADRERR;
    return QUIRE_VM_MINOR;
}

static void write_reference(struct place *p, uint64_t value)
{
    if (is_shared(p)) {
        file_of_place(p)->value[p->index] = value;
    } else {
        p->own = true;
        p->value = value;
    }
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void run(struct process *process)
{
    if (running != process)
        run_on(process->mm);
    running = process;
}

static quire_linear_t address_of(unsigned page)
{
    return WINDOW_AT + page * PAGE;
}

/* True: a fault came to nothing, as it had to; or there was no memory, or no answer from swap. */
static bool failed_rightly(enum quire_fault_result expected)
{
    if (last_result == QUIRE_VM_OOM) {
        ooms++;
        return true;
    }
    return expected != QUIRE_VM_MINOR && last_result == expected;
}

static void look_at(struct process *process, unsigned page)
{
    struct place *p = &process->place[page];
    enum quire_fault_result expected = expected_result(p, false);
    uint64_t first, last;
    run(process);
    if (peek(address_of(page), &first) && peek(address_of(page) + PAGE - 8, &last)) {
        CHECK_EQ(expected, QUIRE_VM_MINOR);
        if (expected == QUIRE_VM_MINOR) {
            CHECK_EQ(first, content(p));
            CHECK_EQ(last, content(p));
        }
    } else {
        CHECK(failed_rightly(expected));
    }
}

static void write_to(struct process *process, unsigned page)
{
    struct place *p = &process->place[page];
    enum quire_fault_result expected = expected_result(p, true);
    uint64_t value = ++next_value;
    run(process);
    if (!poke(address_of(page), value)) {
        CHECK(failed_rightly(expected));
        return;
    }
    CHECK_EQ(expected, QUIRE_VM_MINOR);
    if (expected == QUIRE_VM_MINOR) {
        write_reference(p, value);
        /* The page may have gone again in between, and there may be no memory to bring it back: the
         * kernel tries harder to finish what it began. */
        for (unsigned tries = 0; !poke(address_of(page) + PAGE - 8, value) && tries < 1000; tries++)
            (void)quire_vm_reclaim(test_vm, 0, 32);
    }
}

static void kernel_write(struct process *process, unsigned page)
{
    struct place *p = &process->place[page];
    static uint64_t buffer[512];
    uint64_t value = ++next_value;
    buffer[0] = buffer[511] = value;
    size_t left = quire_copy_to_user(process->mm, address_of(page), buffer, PAGE);
    CHECK(left == 0 || left == PAGE);
    if (!left) {
        CHECK_EQ(expected_result(p, true), QUIRE_VM_MINOR);
        write_reference(p, value);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

struct range {
    unsigned first, count;
};

static struct range random_range(void)
{
    struct range r = {test_random_below(WINDOW), 0};
    r.count = 1 + test_random_below(test_random() & 3 ? 12 : WINDOW);
    if (r.count > WINDOW - r.first)
        r.count = WINDOW - r.first;
    return r;
}

static unsigned random_prot(void)
{
    static const unsigned prot[] = {
        QUIRE_PROT_NONE, QUIRE_PROT_READ, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
        QUIRE_PROT_READ | QUIRE_PROT_WRITE, QUIRE_PROT_READ | QUIRE_PROT_WRITE};
    return prot[test_random_below(5)];
}

static void op_mmap(struct process *process)
{
    struct range r = random_range();
    enum kind kind = (enum kind)(ANON + test_random_below(4));
    unsigned prot = random_prot(), index = test_random_below(FILE_PAGES - 4);
    unsigned flags = QUIRE_MAP_FIXED;
    flags |= kind == ANON ? QUIRE_MAP_ANONYMOUS : 0;
    flags |= kind >= FILE_SHARED ? QUIRE_MAP_SHARED : QUIRE_MAP_PRIVATE;
    if (kind != ANON && r.count > FILE_PAGES - index)
        r.count = FILE_PAGES - index;
    struct quire_mapping *mapping = kind == ANON         ? NULL
                                    : kind == SHM_SHARED ? files[1].mapping
                                                         : files[0].mapping;
    int64_t at = quire_mmap(process->mm, address_of(r.first), r.count * PAGE, prot, flags, mapping,
                            index * PAGE);
    if (at == -QUIRE_ENOMEM)
        return;
    CHECK_EQ((uint64_t)at, address_of(r.first));
    for (unsigned i = 0; i < r.count; i++)
        process->place[r.first + i] =
            (struct place){.kind = kind, .prot = prot, .index = kind == ANON ? 0 : index + i};
}

static void op_munmap(struct process *process)
{
    struct range r = random_range();
    int error = quire_munmap(process->mm, address_of(r.first), r.count * PAGE);
    CHECK(!error || error == -QUIRE_ENOMEM);
    for (unsigned i = 0; !error && i < r.count; i++)
        process->place[r.first + i] = (struct place){.kind = HOLE};
}

/* Up to the first hole everything changes, as on Linux. */
static void op_mprotect(struct process *process)
{
    struct range r = random_range();
    unsigned prot = random_prot(), i = 0;
    int error = quire_mprotect(process->mm, address_of(r.first), r.count * PAGE, prot);
    for (; i < r.count && process->place[r.first + i].kind != HOLE; i++)
        process->place[r.first + i].prot = prot;
    CHECK_EQ(error, i < r.count ? -QUIRE_ENOMEM : 0);
}

static void op_dontneed(struct process *process)
{
    struct range r = random_range();
    bool hole = false;
    int error =
        quire_madvise(process->mm, address_of(r.first), r.count * PAGE, QUIRE_MADV_DONTNEED);
    for (unsigned i = 0; i < r.count; i++) {
        struct place *p = &process->place[r.first + i];
        hole |= p->kind == HOLE;
        p->own = false;
        p->value = 0;
    }
    CHECK_EQ(error, hole ? -QUIRE_ENOMEM : 0);
}

static void op_mremap(struct process *process)
{
    struct range r = random_range();
    unsigned to = test_random_below(WINDOW - r.count + 1);
    struct place moved[WINDOW];
    int64_t at = quire_mremap(process->mm, address_of(r.first), r.count * PAGE, r.count * PAGE,
                              QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, address_of(to));
    bool overlap = to < r.first + r.count && r.first < to + r.count;
    if (at < 0) {
        CHECK(at == -QUIRE_EFAULT || at == -QUIRE_ENOMEM || (overlap && at == -QUIRE_EINVAL));
        /* As on Linux, what was at the new place has gone if the old one turned out to be bad. */
        if (!overlap && at != -QUIRE_EINVAL)
            for (unsigned i = 0; i < r.count; i++) {
                uint64_t value;
                run(process);
                if (!peek(address_of(to + i), &value) && last_result == QUIRE_VM_SEGV_MAPERR)
                    process->place[to + i] = (struct place){.kind = HOLE};
            }
        return;
    }
    CHECK(!overlap);
    for (unsigned i = 0; i < r.count; i++) {
        moved[i] = process->place[r.first + i];
        CHECK(moved[i].kind != HOLE);
        process->place[r.first + i] = (struct place){.kind = HOLE};
    }
    for (unsigned i = 0; i < r.count; i++)
        process->place[to + i] = moved[i];
}

static void leave(struct process *process)
{
    if (running == process) {
        run_on(NULL);
        running = NULL;
    }
    quire_mm_put(process->mm);
    process->mm = NULL;
}

static void op_fork(struct process *process)
{
    struct process *child = &processes[test_random_below(PROCESSES)];
    if (child == process)
        return;
    if (child->mm)
        leave(child);
    int error = quire_mm_fork(&child->mm, process->mm);
    CHECK(!error || error == -QUIRE_ENOMEM);
    if (error)
        child->mm = mm_new();
    for (unsigned i = 0; i < WINDOW; i++)
        child->place[i] = error ? (struct place){.kind = HOLE} : process->place[i];
}

static void op_truncate(struct process *process)
{
    (void)process;
    struct file *file = &files[test_random_below(2)];
    unsigned pages =
        test_random() & 3 ? FILE_PAGES - test_random_below(8) : test_random_below(FILE_PAGES + 1);
    int error = quire_mapping_truncate(file->mapping, pages * PAGE);
    CHECK(!error || error == -QUIRE_ENOMEM);
    if (error)
        return;
    for (unsigned i = pages; i < FILE_PAGES; i++)
        file->value[i] = 0;
    if (file == &files[0]) /* as a file system forgets what is beyond the end */
        __builtin_memset(file_store.bytes + pages * PAGE, 0, (FILE_PAGES - pages) * PAGE);
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned i = 0; i < WINDOW; i++) {
            struct place *place = &processes[p].place[i];
            if (file_of_place(place) == file && place->index >= pages)
                place->own = false;
        }
    file->pages = pages;
}

static void op_sync(struct process *process)
{
    struct range r = random_range();
    bool hole = false;
    for (unsigned i = 0; i < r.count; i++)
        hole |= process->place[r.first + i].kind == HOLE;
    int error = quire_msync(process->mm, address_of(r.first), r.count * PAGE, QUIRE_MS_SYNC);
    CHECK_EQ(error, hole ? -QUIRE_ENOMEM : 0);
    if (test_random() & 7)
        return;
    CHECK_EQ(quire_mapping_sync(files[0].mapping, 0, 0), 0);
    for (unsigned i = 0; i < files[0].pages; i++)
        CHECK(!__builtin_memcmp(file_store.bytes + i * PAGE, &files[0].value[i], 8));
}

static void op_advice(struct process *process)
{
    static const int advice[] = {QUIRE_MADV_COLD, QUIRE_MADV_PAGEOUT, QUIRE_MADV_WILLNEED,
                                 QUIRE_MADV_POPULATE_READ};
    struct range r = random_range();
    int error = quire_madvise(process->mm, address_of(r.first), r.count * PAGE,
                              advice[test_random_below(4)]);
    CHECK(!error || error == -QUIRE_ENOMEM || error == -QUIRE_EFAULT || error == -QUIRE_EINVAL);
}

static void op_reclaim(struct process *process)
{
    (void)process;
    (void)quire_vm_reclaim(test_vm, 0, 1 + test_random_below(64));
    if (!(test_random() & 15))
        (void)quire_compact(machine.mem, -1, -1);
}

static void op_file(struct process *process)
{
    (void)process;
    struct file *file = &files[test_random_below(2)];
    unsigned index = test_random_below(FILE_PAGES);
    uint64_t value;
    int64_t done = quire_mapping_read(file->mapping, index * PAGE, &value, sizeof value);
    if (done == -QUIRE_ENOMEM)
        return;
    CHECK_EQ((uint64_t)done, index < file->pages ? sizeof value : 0);
    if (done > 0)
        CHECK_EQ(value, file->value[index]);
}

static void op_touch(struct process *process)
{
    unsigned page = test_random_below(WINDOW), count = 1 + test_random_below(16);
    for (; count-- && page < WINDOW; page++) {
        uint64_t how = test_random() & 7;
        if (how < 4)
            write_to(process, page);
        else if (how < 7)
            look_at(process, page);
        else
            kernel_write(process, page);
    }
}

static void (*const operations[])(struct process *) = {
    op_touch, op_touch,    op_touch,  op_touch,    op_touch,    op_touch,    op_touch,
    op_mmap,  op_mmap,     op_munmap, op_mprotect, op_mprotect, op_dontneed, op_mremap,
    op_fork,  op_truncate, op_sync,   op_advice,   op_reclaim,  op_file};
#define NR_OPERATIONS (sizeof operations / sizeof operations[0])

/* ---- running --------------------------------------------------------------------------------- */

static void look_at_all(void)
{
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned i = 0; processes[p].mm && i < WINDOW; i++)
            look_at(&processes[p], i);
    quire_vm_check(test_vm);
}

static void start(void)
{
    ooms = 0;
    next_value = 0;
    running = NULL;
    files[0].mapping = file_of(FILE_PAGES * PAGE);
    CHECK_EQ(quire_mapping_create(
                 &files[1].mapping, test_vm,
                 &(struct quire_mapping_config){.size = FILE_PAGES * PAGE, .may_write = true}),
             0);
    __builtin_memset(file_store.bytes, 0, sizeof file_store.bytes);
    for (unsigned f = 0; f < 2; f++) {
        files[f].pages = FILE_PAGES;
        for (unsigned i = 0; i < FILE_PAGES; i++)
            files[f].value[i] = 0;
    }
    for (unsigned p = 0; p < PROCESSES; p++) {
        processes[p].mm = mm_new();
        for (unsigned i = 0; i < WINDOW; i++)
            processes[p].place[i] = (struct place){.kind = HOLE};
    }
}

static void model_run(enum quire_pt_format_id format, enum quire_reclaim_policy policy)
{
    if (!vm_boot(2 * MIB, format))
        return;
    int area = swap_of(SWAP_PAGES);
    CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
    start();
    unsigned long rounds = (unsigned long)test_environment.effort / 40;
    for (unsigned long round = 0; round < rounds; round++) {
        operations[test_random_below(NR_OPERATIONS)](&processes[test_random_below(PROCESSES)]);
        if (round % 500 == 499)
            look_at_all();
    }
    look_at_all();
    for (unsigned p = 0; p < PROCESSES; p++)
        leave(&processes[p]);
    for (unsigned f = 0; f < 2; f++)
        quire_mapping_put(files[f].mapping);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    test_note("%lu accesses found no memory", ooms);
    vm_end();
}

static void address_spaces_hold_what_arrays_of_pages_hold(void)
{
    model_run(QUIRE_PT_FORMAT_X86_64, QUIRE_RECLAIM_LRU);
}

static void and_so_they_do_with_32_bit_entries_and_every_policy(void)
{
    model_run(QUIRE_PT_FORMAT_I386, QUIRE_RECLAIM_CLOCK);
    model_run(QUIRE_PT_FORMAT_PAE, QUIRE_RECLAIM_FIFO);
    model_run(QUIRE_PT_FORMAT_X86_64, QUIRE_RECLAIM_MGLRU);
}

static const struct test_case cases[] = {
    TEST_CASE(address_spaces_hold_what_arrays_of_pages_hold),
    TEST_CASE(and_so_they_do_with_32_bit_entries_and_every_policy),
    {0},
};
const struct test_suite suite_vm_model = {"vm_model", cases};
