/* kernel/task/init.c: the first process, the kernel's own, which starts the program
 *
 * What is to be run stands in files of /.quire, made by who packed the RAM disk; they are gone when
 * the program starts. Process 1 is this one, so that the program is like any other: its parent
 * waits for it, and for orphans. When it ends the machine does.
 */
#include "task/init.h"
#include "task/give_way.h"

#include <quire/ksm.h>
#include <quire/port.h>
#include <quire/swap.h>

#include "base/bits.h"
#include "base/events.h"
#include "base/text.h"
#include "cmdline.h"
#include "control.h"
#include "dev/lines.h"
#include "dev/virtio_blk.h"
#include "errno.h"
#include "events.h"
#include "fs/devices.h"
#include "fs/file.h"
#include "fs/files.h"
#include "fs/fs.h"
#include "fs/initrd.h"
#include "fs/ksm.h"
#include "fs/names.h"
#include "fs/path.h"
#include "fs/random.h"
#include "fs/swap.h"
#include "memory.h"
#include "standard.h"
#include "string.h"
#include "sys/proc.h"
#include "syscall.h"
#include "task/exec.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/oom.h"
#include "task/sched.h"
#include "task/stats.h"
#include "task/wait.h"

#define FOLDER "/.quire/"
#define MAX_STRINGS_BYTES 0x200000u

struct process *init_process;

static const struct pvh_info *info;
static const struct credentials root; /* all zero */
static struct fs_context *directories;
static struct exec_strings argv, envp, cwd, exe;
static int program_pid;

/* The tool says it to the user, with the error in words: so `what` is what could not be done. */
_Noreturn static void give_up(const char *what, int error)
{
    tell("failed %d %s\n", -error, what);
    machine_exit(MACHINE_DONE);
}

_Noreturn static void give_up_at(const char *what, const char *where, int error)
{
    char text[200]; /* the tool takes lines of 255 characters */
    quire_snprintf(text, sizeof text, "%s%s", what, where);
    for (char *c = text; *c; c++)
        if (*c > 0 && *c < ' ')
            *c = '?';
    give_up(text, error);
}

/* ---- swap ------------------------------------------------------------------------------------ */

/* The command line's swap=COUNT: the first disks are swap areas from the beginning on, the first of
 * them first. */
static void use_swap(void)
{
    unsigned count = (unsigned)cmdline_number(info->command_line, "swap", 0);
    for (unsigned i = 0; i < count; i++) {
        struct file *file = NULL;
        const char *mistake = NULL;
        char path[] = "/dev/vda";
        path[sizeof path - 2] = (char)('a' + i);
        int error = file_open(&file, directories, &root, NULL, path, O_RDWR, 0);
        if (!error)
            error = swap_on(file, 0, &mistake);
        file_put(file);
        if (!error)
            continue;
        if (!mistake)
            mistake = error == -EIO      ? "its swap header can't be read"
                      : error == -EACCES ? "it can't be written to"
                      : error == -ENOMEM ? "the machine has too little memory to manage it"
                      : error == -ENXIO  ? "the machine doesn't find it"
                                         : "it can't be used";
        tell("no-swap %u %s\n", i, mistake);
        machine_exit(MACHINE_DONE);
    }
}

/* The command line's policy=NAME, which the tool has checked. */
static void use_policy(void)
{
    char wanted[16];
    if (!cmdline_string(info->command_line, "policy", wanted, sizeof wanted))
        return;
    for (unsigned i = 0; i < QUIRE_NR_RECLAIM_POLICIES; i++) {
        enum quire_reclaim_policy policy = (enum quire_reclaim_policy)i;
        if (!string_equal(quire_reclaim_policy_name(policy), wanted))
            continue;
        if (quire_vm_set_policy(machine_vm, policy))
            panic("init: the policy of reclaim can't be set");
        return;
    }
    give_up_at("reclaim memory by the policy ", wanted, -EINVAL);
}

/* ---- what is to be run ----------------------------------------------------------------------- */

static int read_strings(const char *path, struct exec_strings *strings)
{
    struct file *file;
    struct quire_mapping *mapping;
    char piece[256];
    int error = exec_strings_init(strings);
    if (!error)
        error = file_open(&file, directories, &root, NULL, path, O_RDONLY, 0);
    if (error)
        return error;
    uint64_t at = 0;
    char *text = NULL;
    error = file_mapping(file, &mapping);
    size_t size = error ? 0 : (size_t)quire_mapping_size(mapping);
    if (size > MAX_STRINGS_BYTES)
        error = -E2BIG;
    if (!error)
        text = quire_kvmalloc(machine_vmalloc, size + 1, QUIRE_GFP_KERNEL);
    if (!error && !text)
        error = -ENOMEM;
    while (!error && at < size) {
        int64_t got = file_pread(file, at, piece, sizeof piece);
        if (got <= 0)
            error = got ? (int)got : -EIO;
        else
            memcpy(text + at, piece, (size_t)got);
        at += got > 0 ? (uint64_t)got : 0;
    }
    for (size_t begin = 0, i = 0; !error && i < size; i++)
        if (!text[i]) {
            error = exec_strings_add(strings, text + begin, i - begin);
            begin = i + 1;
        }
    quire_kvfree(machine_vmalloc, text);
    file_put(file);
    return error;
}

static void read_what_to_run(void)
{
    static const struct {
        const char *path;
        struct exec_strings *strings;
    } parts[] = {
        {FOLDER "argv", &argv}, {FOLDER "env", &envp}, {FOLDER "cwd", &cwd}, {FOLDER "exe", &exe}};
    const struct fs_at at = {directories, &root, NULL};
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int error = read_strings(parts[i].path, parts[i].strings);
        if (!error && !parts[i].strings->count && parts[i].strings != &envp)
            error = -ENOENT;
        if (error)
            give_up_at("read ", parts[i].path, error);
        error = names_unlink(&at, parts[i].path);
        if (error)
            give_up_at("remove ", parts[i].path, error);
    }
    int error = names_rmdir(&at, FOLDER);
    if (error)
        give_up("remove " FOLDER, error);
}

/* ---- the program ----------------------------------------------------------------------------- */

bool init_is_program(const struct process *process)
{
    return process->pid == program_pid;
}

void init_continue_program(void)
{
    (void)signal_group(program_pid, SIGCONT, NULL);
}

static bool end_is_wanted;

void init_end_machine(void)
{
    end_is_wanted = true;
    event_signal(&init_process->child_event);
}

/* Who starts programs by exec passes on which signals they are to ignore: a bit each, the lowest
 * for number 1. */
static void ignore_signals(struct process *process)
{
    const struct signal_action ignore = {.handler = 1};
    uint64_t set = cmdline_number(info->command_line, "ignore", 0);
    for (int number = 1; number <= NR_SIGNALS; number++)
        if (set & SIGNAL_BIT(number) && number != SIGKILL && number != SIGSTOP)
            signal_set_action(process, number, &ignore);
}

/* The first thing that the program's task does. */
static void start_program(void)
{
    int error = exec(NULL, exe.text, &argv, &envp);
    if (error)
        give_up_at("execute ", exe.text, error);
}

static void open_standard_files(struct files *table)
{
    struct file *files[3];
    int error = console_open(files, info->command_line, directories, &root);
    for (int fd = 0; error >= 0 && fd < 3; fd++)
        error = files[fd] ? files_set(table, fd, files[fd], false) : 0;
    if (error >= 0)
        error = control_init();
    if (error < 0)
        give_up("open standard input and output", error);
    tell("ready\n");
}

static void make_program(void)
{
    struct walk walk;
    struct process *process = process_create(init_process, init_process, NULL);
    struct task *task = process ? task_create(process) : NULL;
    if (!task)
        give_up("make a process", -ENOMEM);
    int error = path_walk(&walk, directories, &root, NULL, cwd.text, WALK_FOLLOW | WALK_DIRECTORY);
    if (error)
        give_up_at("start in the folder ", cwd.text, error);
    task->fs = fs_context_copy(directories);
    task->files = files_create();
    if (!task->fs || !task->files)
        give_up("make a process", -ENOMEM);
    fs_context_set_cwd(task->fs, walk.inode);
    walk_end(&walk);
    ignore_signals(process);
    open_standard_files(task->files);
    process->exit_signal = SIGCHLD;
    process->pgid = process->sid = process->pid;
    console_set_session(process->sid, process->pgid);
    limits_init(process->limit);
    program_pid = process->pid;
    stats_init(process);
    sched_counts.forks++;
    quire_tell_event(FORK, (uint64_t)process->pid, (uint64_t)init_process->pid, 0);
    quire_tell_event_of(MARK, "the program starts", 0);
    task->kernel_main = start_program;
    sched_add(task);
}

static void check_everything(void)
{
    quire_vm_check(machine_vm);
    quire_vmalloc_check(machine_vmalloc);
    quire_pgtable_check(&machine_tables);
    quire_slab_check(machine_slab);
    quire_mem_check(machine_mem);
}

/* The program is still there. */
_Noreturn static void end_machine_early(void)
{
    quire_tell_event_of(MARK, "the machine is ended", 0);
    syscall_tell_unknown();
    stats_tell_all();
    machine_exit(MACHINE_DONE);
}

_Noreturn static void end_machine(int status)
{
    char way[8];
    if (cmdline_string(info->command_line, "crash", way, sizeof way))
        panic("the program has ended, and the command line wants this");
    if (cmdline_has(info->command_line, "check"))
        check_everything();
    quire_tell_event_of(MARK, "the program has ended", 0);
    syscall_tell_unknown();
    stats_tell_all();
    if (status & 0x7f)
        tell("killed %d\n", status & 0x7f);
    else
        tell("exit %d\n", status >> 8 & 0xff);
    machine_exit(MACHINE_DONE);
}

/* ---- memory is short ------------------------------------------------------------------------- */

static struct event memory_is_short;

static void wake_reclaim(void *arg, int node)
{
    (void)arg;
    (void)node;
    event_signal(&memory_is_short);
}

static void reclaim_main(void)
{
    for (;;) {
        uint32_t seen = event_read(&memory_is_short);
        bool some = false;
        for (unsigned node = 0; node < QUIRE_MAX_NODES; node++)
            if (quire_vm_needs_reclaim(machine_vm, (int)node))
                some |= quire_kswapd(machine_vm, (int)node) > 0;
        if (!some)
            event_wait_uninterruptible(&memory_is_short, seen);
        schedule();
    }
}

#define MERGE_PIECE 8u          /* addresses, before the clock is looked at */
#define MERGE_TURN_NS 1000000u  /* of its own; those of others are ten times that */
#define MERGE_REST_NS 20000000u /* when there was nothing to be merged */
#define TRIM_REST_NS 1000000000u

/* However short the rounds are. */
static void end_merge_turn(void)
{
    static uint64_t began_ns;
    if (quire_port_clock_ns() - began_ns < MERGE_TURN_NS)
        return;
    sched_let_others_run();
    began_ns = quire_port_clock_ns();
}

/* One round of ksm_settings.pages; false: nothing is mergeable. */
static bool merge_some(void)
{
    unsigned long done = 0, last = MERGE_PIECE;
    for (uint64_t left = ksm_settings.pages; left && last && ksm_settings.run == KSM_MERGE;) {
        unsigned long some = left < MERGE_PIECE ? (unsigned long)left : MERGE_PIECE;
        last = quire_ksm_scan(machine_vm, some);
        done += last;
        left -= some;
        end_merge_turn();
    }
    return done;
}

static void merge_main(void)
{
    for (;;) {
        uint32_t seen = event_read(&ksm_settings.changed);
        if (ksm_settings.run != KSM_MERGE) {
            /* What was merged may come to be nobody's. */
            uint64_t rest = quire_ksm_trim(machine_vm) ? TRIM_REST_NS : 0;
            if (rest)
                (void)event_wait(&ksm_settings.changed, seen, quire_port_clock_ns() + rest);
            else
                event_wait_uninterruptible(&ksm_settings.changed, seen);
            continue;
        }
        uint64_t rest = merge_some() ? ksm_settings.sleep_ms * 1000000u : MERGE_REST_NS;
        if (rest)
            (void)event_wait(&ksm_settings.changed, seen, quire_port_clock_ns() + rest);
    }
}

/* ---- process 1 ------------------------------------------------------------------------------- */

/* Maps physical memory of whole pages, wherever it is. 0: it can't be. */
static uintptr_t map_pages(quire_phys_t phys, unsigned long count)
{
    size_t size = count * sizeof(struct quire_page *);
    struct quire_page **pages = quire_kvmalloc(machine_vmalloc, size, QUIRE_GFP_KERNEL);
    uintptr_t at = 0;
    if (!pages)
        return 0;
    for (unsigned long i = 0; i < count; i++)
        pages[i] = quire_pfn_to_page(
            machine_mem, quire_phys_to_pfn(phys + ((quire_phys_t)i << QUIRE_PAGE_SHIFT)));
    at = (uintptr_t)quire_vmap(machine_vmalloc, pages, count, 0);
    quire_kvfree(machine_vmalloc, pages);
    return at;
}

/* Whole pages of the RAM disk, up to a byte, are the allocator's from here on. Nobody reads them
 * where they are mapped. */
static void free_initrd(void *arg, size_t bytes)
{
    quire_phys_t *freed = arg, end = quire_align_down(info->initrd + bytes, QUIRE_PAGE_SIZE);
    if (end <= *freed)
        return;
    int error = quire_free_reserved(machine_mem, *freed, end - *freed);
    if (error)
        give_up("free the RAM disk", error);
    *freed = end;
}

/* It lies where the boot loader put it, in whole pages, perhaps beyond the direct map. Its memory
 * is the allocator's as its files are made. */
static void unpack_initrd(void)
{
    uint64_t size = info->initrd_size;
    unsigned long count = (unsigned long)((size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT);
    if (!size)
        give_up("find a RAM disk", -ENXIO);
    uintptr_t at = map_pages(info->initrd, count);
    if (!at)
        give_up("map the RAM disk", -ENOMEM);
    struct initrd_error where;
    quire_phys_t freed = info->initrd;
    int error =
        initrd_consume(fs_root, (const void *)at, (size_t)size, free_initrd, &freed, &where);
    if (error && where.what)
        print("init: the RAM disk: %s, at byte %zu\n", where.what, where.at);
    if (error)
        give_up_at("unpack /", where.name, error);
    quire_vunmap(machine_vmalloc, at);
    quire_vm_unmap_aliases(machine_vmalloc);
    free_initrd(&freed, (size_t)size);
}

static void mark(const char *text)
{
    quire_tell_event_of(MARK, text, 0);
}

static unsigned wanted_lines(void)
{
    unsigned lines = 0;
    if (cmdline_has(info->command_line, "stats"))
        lines |= 1u << LINE_STATS;
    if (cmdline_has(info->command_line, "events") && events_are_compiled_in())
        lines |= 1u << LINE_EVENTS;
    return lines;
}

static void init_main(void)
{
    int error = lines_init(wanted_lines());
    if (error)
        give_up("reach who started the machine", error);
    events_begin();
    virtio_blk_init();
    device_mark = mark;
    error = fs_init();
    if (error)
        give_up("make the file system", error);
    proc_init();
    userfault_init();
    directories = fs_context_create(fs_root);
    if (!directories)
        give_up("make the file system", -ENOMEM);
    unpack_initrd();
    read_what_to_run();
    use_swap();
    use_policy();
    make_program();
    const struct wait_request request = {
        .type = WAIT_ALL, .kind = WAIT_ANY_KIND, .exited = true, .stopped = true};
    for (;;) {
        struct wait_result result;
        uint32_t seen = event_read(&init_process->child_event);
        if (end_is_wanted)
            end_machine_early();
        error = wait_for_child(&request, &result);
        if (!error && !result.pid)
            event_wait_uninterruptible(&init_process->child_event, seen);
        if (error || result.pid != program_pid)
            continue;
        if ((result.status & 0xff) != 0x7f)
            end_machine(result.status);
        tell("stopped %d\n", result.status >> 8);
    }
}

static struct quire_numa_thread *numa_of_current(void *arg)
{
    (void)arg;
    return current ? &current->numa : NULL;
}

static bool give_way_in_moves(void *arg)
{
    (void)arg;
    return give_way();
}

void run_program(const struct pvh_info *given)
{
    info = given;
    memory_init_programs();
    sched_init();
    quire_vm_set_wake(machine_vm, wake_reclaim, NULL);
    quire_vm_set_numa_thread(machine_vm, numa_of_current, NULL);
    quire_vm_set_numa_go_on(machine_vm, give_way_in_moves);
    oom_init();
    struct task *task = task_create_kernel("init", init_main);
    if (!task || !task_create_kernel("kswapd", reclaim_main) ||
        !task_create_kernel("ksmd", merge_main))
        panic("no memory for the first processes");
    init_process = task->process;
    sched_idle();
}
