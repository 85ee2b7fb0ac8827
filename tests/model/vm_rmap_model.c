/* tests/model/vm_rmap_model.c: random processes, and where their pages are
 *
 * Five processes fork, end, write, unmap, move and protect; pages are swapped out and moved in
 * memory. What each holds is told by a plain array for each process; which entries a page has, by a
 * look at all page tables, against which every page's reverse maps are compared now and then.
 */
#include "tests/unit/vm_entries.h"
#include "vm/lru.h"
#include "vm/swap.h"

#define PROCESSES 5u
#define WINDOW 48u
#define WINDOW_AT ((quire_linear_t)0x20000000)
#define SHARED_PAGES 16u

enum kind { HOLE, PRIVATE, SHARED };

struct place {
    enum kind kind;
    unsigned prot;
    unsigned index; /* of shared memory */
    uint64_t value; /* of private memory */
};

static struct process {
    struct quire_mm *mm;
    struct place place[WINDOW];
} processes[PROCESSES];
static struct quire_mapping *shared;
static uint64_t shared_value[SHARED_PAGES];
static uint64_t next_value;

static quire_linear_t address_of(unsigned page)
{
    return WINDOW_AT + page * PAGE;
}

static uint64_t *content(struct place *p)
{
    return p->kind == SHARED ? &shared_value[p->index] : &p->value;
}

/* ---- operations ------------------------------------------------------------------------------ */

struct range {
    unsigned first, count;
};

static struct range random_range(void)
{
    unsigned first = test_random_below(WINDOW), most = WINDOW - first;
    return (struct range){first, 1 + test_random_below(most < 12 ? most : 12)};
}

static void map(struct process *process, struct range range)
{
    bool is_shared = !test_random_below(4);
    unsigned flags = QUIRE_MAP_FIXED, index = 0;
    if (is_shared) {
        range.count = range.count < SHARED_PAGES ? range.count : SHARED_PAGES;
        index = test_random_below(SHARED_PAGES + 1 - range.count);
    }
    flags |= is_shared ? QUIRE_MAP_SHARED : QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS;
    int64_t at = quire_mmap(process->mm, address_of(range.first), range.count * PAGE, READ_WRITE,
                            flags, is_shared ? shared : NULL, index * PAGE);
    CHECK_EQ(at, address_of(range.first));
    for (unsigned i = 0; i < range.count; i++)
        process->place[range.first + i] = (struct place){
            .kind = is_shared ? SHARED : PRIVATE, .prot = READ_WRITE, .index = index + i};
}

static void unmap(struct process *process, struct range range)
{
    CHECK_EQ(quire_munmap(process->mm, address_of(range.first), range.count * PAGE), 0);
    for (unsigned i = 0; i < range.count; i++)
        process->place[range.first + i].kind = HOLE;
}

/* The longest part of a range that has no hole and is of one kind, from its beginning. */
static unsigned alike(const struct process *process, struct range range)
{
    const struct place *first = &process->place[range.first];
    unsigned count = 0;
    while (count < range.count && first->kind != HOLE && first[count].kind == first->kind &&
           first[count].prot == first->prot &&
           (first->kind == PRIVATE || first[count].index == first->index + count))
        count++;
    return count;
}

static void protect(struct process *process, struct range range)
{
    static const unsigned prots[] = {QUIRE_PROT_NONE, QUIRE_PROT_READ, READ_WRITE, READ_WRITE};
    unsigned prot = prots[test_random_below(4)];
    range.count = alike(process, range);
    if (!range.count)
        return;
    CHECK_EQ(quire_mprotect(process->mm, address_of(range.first), range.count * PAGE, prot), 0);
    for (unsigned i = 0; i < range.count; i++)
        process->place[range.first + i].prot = prot;
}

/* mremap takes one area; alike neighbours may be two, so a page at a time. */
static void move(struct process *process, struct range range)
{
    unsigned to = test_random_below(WINDOW), from = range.first;
    if (process->place[from].kind == HOLE || to == from)
        return;
    int64_t at = quire_mremap(process->mm, address_of(from), PAGE, PAGE,
                              QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, address_of(to));
    CHECK_EQ(at, address_of(to));
    process->place[to] = process->place[from];
    process->place[from].kind = HOLE;
}

static void drop(struct process *process, struct range range)
{
    range.count = alike(process, range);
    if (!range.count)
        return;
    CHECK_EQ(quire_madvise(process->mm, address_of(range.first), range.count * PAGE,
                           QUIRE_MADV_DONTNEED),
             0);
    for (unsigned i = 0; i < range.count; i++)
        process->place[range.first + i].value = 0;
}

static void write_to(struct process *process, struct range range)
{
    run_on(process->mm);
    for (unsigned i = 0; i < range.count; i++) {
        struct place *p = &process->place[range.first + i];
        bool allowed = p->kind != HOLE && p->prot & QUIRE_PROT_WRITE;
        CHECK_EQ(poke(address_of(range.first + i), ++next_value), allowed);
        if (allowed)
            *content(p) = next_value;
    }
}

static void look_at(struct process *process, struct range range)
{
    run_on(process->mm);
    for (unsigned i = 0; i < range.count; i++) {
        struct place *p = &process->place[range.first + i];
        uint64_t value;
        bool allowed = p->kind != HOLE && p->prot != QUIRE_PROT_NONE;
        CHECK_EQ(peek(address_of(range.first + i), &value), allowed);
        CHECK(!allowed || value == *content(p));
    }
}

static void fork_or_end(struct process *process)
{
    struct process *other = &processes[test_random_below(PROCESSES)];
    if (other == process)
        return;
    if (other->mm)
        mm_end(other->mm);
    *other = *process;
    other->mm = NULL;
    if (test_random_below(3))
        CHECK_EQ(quire_mm_fork(&other->mm, process->mm), 0);
}

/* ---- what reclaim and compaction do ---------------------------------------------------------- */

static void swap_out(struct process *process, unsigned place)
{
    struct quire_page *page = page_of(process->mm, address_of(place));
    if (!page || !page_is_anon(page) || page == test_vm->zero_page)
        return;
    page_pin(page);
    page_lock(page);
    if (page_has(page, PG_SWAPCACHE) || !swap_cache_add(test_vm, page))
        CHECK(try_to_unmap(test_vm, page, 0));
    page_unlock(page);
    if (test_random_below(2))
        reclaim_pages(test_vm, &page, 1);
    else /* and it is found in the swap cache */
        vm_put_page(test_vm, page);
}

static void move_in_memory(struct process *process, unsigned place)
{
    struct quire_page *page = page_of(process->mm, address_of(place));
    if (!page || page == test_vm->zero_page)
        return;
    CHECK_EQ(take_frame(page), 0);
    CHECK(page_of(process->mm, address_of(place)) != page);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void step(void)
{
    struct process *process = &processes[test_random_below(PROCESSES)];
    struct range range = random_range();
    if (!process->mm) {
        process->mm = mm_new();
        *process = (struct process){.mm = process->mm};
    }
    switch (test_random_below(16)) {
    case 0:
    case 1:
        map(process, range);
        break;
    case 2:
        unmap(process, range);
        break;
    case 3:
        protect(process, range);
        break;
    case 4:
        move(process, range);
        break;
    case 5:
        drop(process, range);
        break;
    case 6:
    case 7:
        fork_or_end(process);
        break;
    case 8:
    case 9:
        swap_out(process, range.first);
        break;
    case 10:
    case 11:
        move_in_memory(process, range.first);
        break;
    case 12:
        look_at(process, range);
        break;
    default:
        write_to(process, range);
    }
}

static void check_all(void)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        if (processes[i].mm)
            look_at(&processes[i], (struct range){0, WINDOW});
    check_reverse_maps();
    quire_vm_check(test_vm);
}

static void run_model(enum quire_pt_format_id format)
{
    uint64_t steps = test_environment.effort / 100 + 100;
    if (!vm_boot(16 * MIB, format))
        return;
    int area = swap_of(STORE_PAGES);
    struct quire_mapping_config config = {.size = SHARED_PAGES * PAGE, .name = "/shared"};
    config.may_write = true;
    CHECK_EQ(quire_mapping_create(&shared, test_vm, &config), 0);
    __builtin_memset(processes, 0, sizeof processes);
    __builtin_memset(shared_value, 0, sizeof shared_value);
    for (uint64_t i = 0; i < steps; i++) {
        step();
        if (i % 16 == 0)
            check_reverse_maps();
        if (i % 128 == 0)
            check_all();
    }
    check_all();
    for (unsigned i = 0; i < PROCESSES; i++)
        if (processes[i].mm)
            mm_end(processes[i].mm);
    quire_mapping_put(shared);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

static void random_processes_are_found_from_their_pages(void)
{
    run_model(QUIRE_PT_FORMAT_X86_64);
}

static void random_processes_of_i386_are_found_from_their_pages(void)
{
    run_model(QUIRE_PT_FORMAT_I386);
}

static const struct test_case cases[] = {
    TEST_CASE(random_processes_are_found_from_their_pages),
    TEST_CASE(random_processes_of_i386_are_found_from_their_pages),
    {0},
};
const struct test_suite suite_vm_rmap_model = {"vm_rmap_model", cases};
