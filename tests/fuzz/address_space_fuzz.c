/* tests/fuzz/address_space_fuzz.c: operations of address spaces with arbitrary arguments
 *
 * An input is a few bytes of settings, then operations: a byte says which, the others are its
 * arguments. Addresses are mostly near those that an operation gave before, lengths mostly a few
 * pages, but both may be anything. Up to three processes, four mappings and three swap areas share
 * a machine of one and a half or two MiB, of which others take a part; allocations of objects and
 * transfers of backing stores fail now and then.
 *
 * Whatever comes of it: what an operation returns is an error that there is, or makes sense; what
 * was written can be read, or the access fails; the layer's invariants hold all the time; and at
 * the end all can be put away, and every frame is back.
 */
#include "address_space.h"

/* ---- arguments ------------------------------------------------------------------------------- */

static struct process *take_process(struct input *input)
{
    return &processes[take(input, 1) % NR_PROCESSES];
}

static quire_linear_t take_address(struct input *input, const struct process *process)
{
    const quire_linear_t edges[] = {0,
                                    layout->min_addr,
                                    layout->end,
                                    UINT64_MAX,
                                    (uint64_t)1 << 63,
                                    (uint64_t)1 << 47,
                                    (uint64_t)1 << 32};
    unsigned how = (unsigned)take(input, 1);
    quire_linear_t near = process->seen[how >> 3 & (NR_SEEN - 1)];
    switch (how & 7) {
    case 0:
        return near + take(input, 2);
    case 1:
        return edges[take(input, 1) % 7] + (uint64_t)(int64_t)(int8_t)take(input, 1) * PAGE;
    case 2:
        return take(input, 2) << 12;
    case 3:
        return take(input, 8);
    default:
        return near + (uint64_t)(int64_t)(int8_t)take(input, 1) * PAGE;
    }
}

static uint64_t take_length(struct input *input)
{
    unsigned how = (unsigned)take(input, 1);
    switch (how & 15) {
    case 0:
        return take(input, 8);
    case 1:
        return (uint64_t)1 << (take(input, 1) & 63);
    case 2:
        return take(input, 2);
    case 3:
        return (0 - take(input, 1)) * PAGE;
    default:
        return (uint64_t)(1 + (how >> 4)) * (how & 8 ? 8 : 1) * PAGE;
    }
}

static struct quire_mapping *take_mapping(struct input *input)
{
    return mappings[take(input, 1) % NR_MAPPINGS];
}

static uint64_t take_offset(struct input *input)
{
    unsigned how = (unsigned)take(input, 1);
    return how == 255 ? take(input, 8) : how < 128 ? how * PAGE : (how - 128) * 1000;
}

/* ---- operations of address spaces ------------------------------------------------------------ */

static bool is_error(int64_t result)
{
    return result < 0 && result >= -133;
}

static void op_mmap(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input);
    unsigned kind = (unsigned)take(input, 1), prot = kind & 7, flags = (unsigned)take(input, 3);
    struct quire_mapping *mapping = kind & 0x40 ? take_mapping(input) : NULL;
    uint64_t offset = mapping ? take_offset(input) : 0;
    /* Mostly what isn't refused at once. */
    if (kind & 0x80)
        flags = (flags & ~QUIRE_MAP_TYPE & ~QUIRE_MAP_HUGETLB) | (kind & 0x20 ? 1 : 2);
    flags = mapping ? flags & ~QUIRE_MAP_ANONYMOUS : flags | QUIRE_MAP_ANONYMOUS;
    int64_t result = quire_mmap(process->mm, at, length, prot, flags, mapping, offset);
    EXPECT(is_error(result) || (!(result & (int64_t)(PAGE - 1)) && length <= layout->end));
    if (result >= 0)
        see(process, (quire_linear_t)result);
}

static void op_munmap(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    int error = quire_munmap(process->mm, at, take_length(input));
    EXPECT(!error || error == -QUIRE_EINVAL || error == -QUIRE_ENOMEM);
}

static void op_mprotect(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input);
    unsigned prot = (unsigned)take(input, 1);
    prot = prot & 0x80 ? prot << 20 : prot & 15;
    int error = quire_mprotect(process->mm, at, length, prot);
    EXPECT(!error || is_error(error));
}

static void op_mremap(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process), to;
    uint64_t length = take_length(input), size = take_length(input);
    unsigned flags = (unsigned)take(input, 1);
    to = take_address(input, process);
    int64_t result =
        quire_mremap(process->mm, at, length, size, flags & 0x80 ? flags : flags & 7, to);
    EXPECT(is_error(result) || !(result & (int64_t)(PAGE - 1)));
    if (result >= 0)
        see(process, (quire_linear_t)result);
}

static void op_madvise(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input);
    int error = quire_madvise(process->mm, at, length, (int)(int8_t)take(input, 1) & 31);
    EXPECT(!error || is_error(error));
}

static void op_lock(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input);
    unsigned how = (unsigned)take(input, 1), flags = how >> 3;
    int error = (how & 7) < 3   ? quire_mlock(process->mm, at, length, flags & 3)
                : (how & 7) < 5 ? quire_munlock(process->mm, at, length)
                : (how & 7) < 7 ? quire_mlockall(process->mm, flags)
                                : quire_munlockall(process->mm);
    EXPECT(!error || is_error(error));
}

static void op_msync(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input);
    int error = quire_msync(process->mm, at, length, (unsigned)take(input, 1) & 15);
    EXPECT(!error || is_error(error));
}

static void op_mincore(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    uint64_t length = take_length(input), pages = (length + PAGE - 1) / PAGE;
    unsigned char *vec = pages <= 1024 ? malloc(pages ? (size_t)pages : 1) : NULL;
    if (vec) {
        int error = quire_mincore(process->mm, at, length, vec);
        EXPECT(!error || is_error(error));
        for (uint64_t i = 0; !error && i < pages; i++)
            EXPECT(!(vec[i] & ~1u));
    }
    free(vec);
}

static void op_brk(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process), brk = quire_brk(process->mm, at);
    EXPECT(brk <= layout->end);
    see(process, brk & ~(PAGE - 1));
}

static void op_program(struct input *input, struct process *process)
{
    quire_linear_t at[10];
    for (unsigned i = 0; i < 10; i++)
        at[i] = i < 6 ? take_address(input, process) : at[i - 6];
    struct quire_mm_program program = {at[0], at[1], at[2], at[3], at[4],
                                       at[5], at[6], at[7], at[8], at[9]};
    int error = quire_mm_set_program(process->mm, &program);
    EXPECT(!error || error == -QUIRE_EINVAL);
}

static void op_limit(struct input *input, struct process *process)
{
    enum quire_limit limit = (enum quire_limit)(take(input, 1) % QUIRE_NR_LIMITS);
    uint64_t bytes = take(input, 1) * PAGE * 4;
    /* Locking without a limit takes the time to look for memory for each page of it. */
    quire_mm_set_limit(
        process->mm, limit,
        bytes == 255 * PAGE * 4 && limit != QUIRE_LIMIT_MEMLOCK ? QUIRE_LIMIT_INFINITE : bytes);
}

static void op_fork(struct input *input, struct process *process)
{
    struct process *child = take_process(input);
    struct quire_mm *mm;
    if (child == process)
        return;
    int error = quire_mm_fork(&mm, process->mm);
    EXPECT(!error || error == -QUIRE_ENOMEM);
    if (error)
        return;
    leave(child);
    *child = *process;
    child->mm = mm;
}

static void op_exec(struct input *input, struct process *process)
{
    (void)input;
    struct quire_mm *mm;
    int error = quire_mm_create(&mm, vm, layout);
    EXPECT(!error || error == -QUIRE_ENOMEM);
    if (error)
        return;
    leave(process);
    process->mm = mm;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void op_access(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    unsigned how = (unsigned)take(input, 1), count = 1 + (how >> 4) * (how & 4 ? 4 : 1);
    uint64_t value = at ^ 0x5a5a5a5a5a5a5a5au, found;
    run_on(process);
    for (; count--; at += PAGE) {
        if ((how & 3) == 0) {
            (void)quire_sim_read(&cpu, at, &found, sizeof found);
        } else if ((how & 3) == 1) {
            (void)quire_sim_fetch(&cpu, at, &found, 1);
        } else if (quire_sim_write(&cpu, at, &value, sizeof value) &&
                   quire_sim_read(&cpu, at, &found, sizeof found)) {
            EXPECT(found == value);
        }
    }
}

static void op_fault(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    unsigned flags = (unsigned)take(input, 1) & 7;
    EXPECT(quire_handle_fault(process->mm, at, flags, NULL) <= QUIRE_VM_OOM);
}

static void op_uaccess(struct input *input, struct process *process)
{
    quire_linear_t at = take_address(input, process);
    unsigned how = (unsigned)take(input, 1);
    size_t size = (how >> 3) * 400, left = 0;
    char *buffer = malloc(size ? size : 1);
    if (!buffer)
        return;
    memset(buffer, (int)how, size);
    int64_t length = 0;
    switch (how & 7) {
    case 0:
        left = quire_copy_from_user(process->mm, buffer, at, size);
        break;
    case 1:
        length = quire_strncpy_from_user(process->mm, buffer, at, size);
        break;
    case 2:
        EXPECT(quire_strnlen_user(process->mm, at, size) <= size + 1);
        break;
    case 3:
        left = quire_clear_user(process->mm, at, size);
        break;
    default:
        left = quire_copy_to_user(process->mm, at, buffer, size);
    }
    EXPECT(left <= size);
    EXPECT(length == -QUIRE_EFAULT || (length >= 0 && (size_t)length <= size));
    free(buffer);
}

static void op_pin(struct input *input, struct process *process)
{
    struct pin *pin = &pins[take(input, 1) % NR_PINS];
    unsigned how = (unsigned)take(input, 1);
    if (pin->page) {
        quire_put_user_page(vm, pin->page, how & 1 && pin->write);
        pin->page = NULL;
        return;
    }
    int error = quire_get_user_page(process->mm, take_address(input, process), how & 1, &pin->page);
    EXPECT(!error || error == -QUIRE_EFAULT || error == -QUIRE_ENOMEM);
    if (error)
        pin->page = NULL;
}

/* ---- files, swap, reclaim
 * ------------------------------------------------------------------------
 */

static void op_file(struct input *input, struct process *process)
{
    (void)process;
    unsigned which = (unsigned)take(input, 1), number = which % NR_MAPPINGS;
    struct quire_mapping *mapping = mappings[number];
    uint64_t at = take_offset(input);
    size_t size = (size_t)take(input, 1) * 40;
    char *buffer = calloc(1, size ? size : 1);
    int64_t result = 0;
    if (!buffer)
        return;
    switch (which >> 2 & 7) {
    case 0:
        result = quire_mapping_read(mapping, at, buffer, size);
        break;
    case 1:
    case 2:
        result = quire_mapping_write(mapping, at, buffer, size);
        break;
    case 3:
        result = quire_mapping_truncate(mapping, at);
        if (!result)
            forget_store(number, at, UINT64_MAX);
        break;
    case 4:
        forget_store(number, at, size);
        result = quire_mapping_punch(mapping, at, size);
        break;
    case 5:
        result = quire_mapping_sync(mapping, at, size);
        break;
    case 6:
        (void)quire_mapping_drop(mapping);
        break;
    default:
        quire_mapping_set_writable(mapping, which & 0x80);
    }
    EXPECT(is_error(result) || (result >= 0 && (uint64_t)result <= size));
    free(buffer);
}

static void op_swap(struct input *input, struct process *process)
{
    (void)process;
    unsigned how = (unsigned)take(input, 1), number = how >> 1 & 3;
    if (how & 1 || number >= NR_AREAS) {
        int error = quire_swapoff(vm, (int)number);
        EXPECT(!error || error == -QUIRE_EINVAL || error == -QUIRE_ENOMEM || error == -QUIRE_EIO);
        for (unsigned i = 0; !error && i < NR_AREAS; i++)
            if (areas[i] == (int)number)
                areas[i] = -1;
        return;
    }
    if (areas[number] < 0)
        swap_on(number, how >> 3, (int)(int8_t)take(input, 1));
}

static void op_stores(struct input *input, struct process *process)
{
    (void)process;
    stores_failing = (unsigned)take(input, 1);
}

/* Any range of frames, which is in use mostly: its pages are moved. */
static void move_range(struct input *input)
{
    unsigned long start = (unsigned long)take(input, 2) % (nr_frames + 8);
    unsigned long count = (unsigned long)take(input, 1);
    int error =
        quire_alloc_contig_range(mem, quire_pfn(start), quire_pfn(start + count),
                                 QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    EXPECT(!error || is_error(error));
    if (!error)
        quire_free_contig_range(mem, quire_pfn(start), count);
}

static void op_reclaim(struct input *input, struct process *process)
{
    (void)process;
    unsigned how = (unsigned)take(input, 1);
    switch (how & 7) {
    case 0:
        (void)quire_kswapd(vm, 0);
        break;
    case 1:
        (void)quire_compact(mem, -1, -1);
        break;
    case 2:
        (void)quire_drop_caches(vm);
        break;
    case 3:
    case 4:
        move_range(input);
        break;
    default:
        (void)quire_vm_reclaim(vm, 0, how >> 1);
    }
}

/* Others take memory, or give it back; an allocation of an object fails. */
static void op_shortage(struct input *input, struct process *process)
{
    (void)process;
    unsigned how = (unsigned)take(input, 1);
    if (how & 1)
        fail_at = how >> 1;
    else if (how & 2)
        hold(how >> 2);
    else
        release(how >> 2);
}

static void op_settings(struct input *input, struct process *process)
{
    unsigned which = (unsigned)take(input, 1), value = (unsigned)take(input, 1);
    int error = 0;
    switch (which % 6) {
    case 0:
        error = quire_vm_set_policy(vm, (enum quire_reclaim_policy)(value & 7));
        break;
    case 1:
        error = quire_vm_set_swappiness(vm, value);
        break;
    case 2:
        error = quire_vm_set_page_cluster(vm, value & 7);
        break;
    case 3:
        error = quire_vm_set_overcommit(vm, (enum quire_overcommit)(value & 3), value);
        break;
    case 4:
        error = quire_mm_set_oom_score_adj(process->mm, (int)value * 10 - 1100);
        break;
    default:
        EXPECT(quire_mm_oom_score(process->mm) <= 2000);
    }
    EXPECT(!error || error == -QUIRE_EINVAL);
}

static void op_views(struct input *input, struct process *process)
{
    unsigned which = (unsigned)take(input, 1);
    quire_linear_t at = take_address(input, process);
    struct quire_mm_info info;
    struct quire_mapping_info file;
    uint64_t entries[64];
    enum quire_format format = which & 0x80 ? QUIRE_FORMAT_JSON : QUIRE_FORMAT_TEXT;
    EXPECT(!quire_mm_view(process->mm, (enum quire_mm_view)(which % QUIRE_NR_MM_VIEWS), format,
                          hear, NULL));
    EXPECT(!quire_vm_view(vm, (enum quire_vm_view)(which % QUIRE_NR_VM_VIEWS), format, hear, NULL));
    quire_pagemap(process->mm, at, 1 + which % 64, entries);
    quire_mm_info(process->mm, &info);
    quire_mapping_info(mappings[which % NR_MAPPINGS], &file);
}

static void (*const operations[])(struct input *, struct process *) = {
    op_mmap,    op_mmap,    op_mmap,   op_access, op_access, op_access,  op_access,   op_munmap,
    op_fault,   op_uaccess, op_mremap, op_mremap, op_fork,   op_file,    op_file,     op_mprotect,
    op_lock,    op_madvise, op_msync,  op_brk,    op_pin,    op_swap,    op_stores,   op_reclaim,
    op_reclaim, op_mincore, op_exec,   op_limit,  op_views,  op_program, op_settings, op_shortage};
#define NR_OPERATIONS (sizeof operations / sizeof operations[0])
#define MOST_OPERATIONS 300u
#define CHECK_EACH 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (!start((unsigned)take(&input, 2)))
        return 0;
    for (unsigned n = 1; n <= MOST_OPERATIONS && input.left; n++) {
        unsigned which = (unsigned)take(&input, 1) % NR_OPERATIONS;
        operations[which](&input, take_process(&input));
        if (n % CHECK_EACH == 0)
            quire_vm_check(vm);
    }
    end();
    return 0;
}
