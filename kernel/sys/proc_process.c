/* kernel/sys/proc_process.c: /proc/PID: which files there are, and how processes are found */
#include <quire/swap.h>

#include "fs/fs.h"
#include "fs/mount.h"
#include "fs/random.h"
#include "rtc.h"
#include "string.h"
#include "sys/proc.h"
#include "task/capability.h"
#include "task/core_dump.h"
#include "task/fail_nth.h"
#include "task/lifecycle.h"

/* ---- processes ------------------------------------------------------------------------------- */

struct process *proc_process(uint64_t subject)
{
    return process_find((int)(uint32_t)subject);
}

int proc_mm(uint64_t subject, struct quire_mm **mm)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    *mm = process->mm;
    if (*mm)
        quire_mm_get(*mm);
    return 0;
}

int proc_parse_number(struct name name, uint32_t *number)
{
    uint64_t value;
    bool is_number = string_number(name.text, name.length, &value) && value <= INT32_MAX &&
                     (name.text[0] != '0' || name.length == 1);
    *number = is_number ? (uint32_t)value : 0;
    return is_number ? 0 : -ENOENT;
}

static int owner_of(uint64_t subject, struct proc_owner *owner)
{
    const struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    *owner = (struct proc_owner){process->credentials.euid, process->credentials.egid};
    return 0;
}

/* ---- small files ----------------------------------------------------------------------------- */

static int show_comm(struct text *text, uint64_t subject)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    text_printf(text, "%.15s\n", process->name); /* fits into the text's buffer: nothing sleeps */
    return 0;
}

static int store_comm(uint64_t subject, const char *bytes, size_t size)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    if (process != current_process())
        return -EINVAL;
    size = size && bytes[size - 1] == '\n' ? size - 1 : size;
    size = size < TASK_NAME_BYTES - 1 ? size : TASK_NAME_BYTES - 1;
    __builtin_memcpy(process->name, bytes, size);
    process->name[size] = '\0';
    if (process->mm)
        quire_mm_set_name(process->mm, process->pid, process->name);
    return 0;
}

static int show_oom_score(struct text *text, uint64_t subject)
{
    struct quire_mm *mm;
    int error = proc_mm(subject, &mm);
    if (error)
        return error;
    text_printf(text, "%u\n", mm ? quire_mm_oom_score(mm) : 0);
    if (mm)
        quire_mm_put(mm);
    return 0;
}

static int show_oom_score_adj(struct text *text, uint64_t subject)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    text_printf(text, "%d\n", process->oom_score_adj);
    return 0;
}

/* A number from -most to most. */
static int parse_adj(const char *bytes, size_t size, unsigned most, int *adj)
{
    uint64_t number;
    bool negative = size && bytes[0] == '-';
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    if (!string_number(bytes + negative, size - negative, &number) || number > most)
        return -EINVAL;
    *adj = negative ? -(int)number : (int)number;
    return 0;
}

static int set_oom_score_adj(uint64_t subject, int adj)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    if (adj < process->oom_score_adj && !caller_can(CAP_SYS_RESOURCE))
        return -EACCES;
    process->oom_score_adj = adj;
    return process->mm ? quire_mm_set_oom_score_adj(process->mm, adj) : 0;
}

static int store_oom_score_adj(uint64_t subject, const char *bytes, size_t size)
{
    int adj, error = parse_adj(bytes, size, 1000, &adj);
    return error ? error : set_oom_score_adj(subject, adj);
}

/* The same in units of 1000 / 17: what it was before Linux 2.6.36. */
#define OOM_ADJ_MOST 15
#define OOM_ADJ_DISABLE (-17)

static int show_oom_adj(struct text *text, uint64_t subject)
{
    const struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    int adj = process->oom_score_adj * -OOM_ADJ_DISABLE / 1000;
    text_printf(text, "%d\n",
                process->oom_score_adj == 1000 || adj > OOM_ADJ_MOST ? OOM_ADJ_MOST : adj);
    return 0;
}

static int store_oom_adj(uint64_t subject, const char *bytes, size_t size)
{
    int adj, error = parse_adj(bytes, size, -OOM_ADJ_DISABLE, &adj);
    if (error || adj > OOM_ADJ_MOST)
        return -EINVAL;
    return set_oom_score_adj(subject, adj == OOM_ADJ_MOST ? 1000 : adj * 1000 / -OOM_ADJ_DISABLE);
}

struct task *proc_task(uint64_t subject)
{
    uint32_t tid = (uint32_t)(subject >> 32);
    return task_find((int)(tid ? tid : (uint32_t)subject));
}

static int show_fail_nth(struct text *text, uint64_t subject)
{
    const struct task *task = proc_task(subject);
    if (!task)
        return -ESRCH;
    text_printf(text, "%llu\n", (unsigned long long)task->fail_nth);
    return 0;
}

/* N, or N and how many fail then. */
static int store_fail_nth(uint64_t subject, const char *bytes, size_t size)
{
    uint64_t nth, count = 1;
    size_t first = 0;
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    while (first < size && bytes[first] != ' ')
        first++;
    if (!string_number(bytes, first, &nth) ||
        (first < size && !string_number(bytes + first + 1, size - first - 1, &count)))
        return -EINVAL;
    struct task *task = proc_task(subject);
    if (!task)
        return -ESRCH;
    task->fail_nth = nth;
    task->fail_count = nth ? count : 0;
    return 0;
}

static int show_coredump_filter(struct text *text, uint64_t subject)
{
    const struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    text_printf(text, "%08x\n", CORE_FILTER_DEFAULT ^ process->attributes.core_filter_change);
    return 0;
}

/* As strtoul takes it: 0x.., 0.., or a decimal number. */
static int store_coredump_filter(uint64_t subject, const char *bytes, size_t size)
{
    struct process *process = proc_process(subject);
    unsigned base = 10;
    uint64_t value = 0;
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    if (size > 2 && bytes[0] == '0' && (bytes[1] | 0x20) == 'x') {
        base = 16;
        bytes += 2;
        size -= 2;
    } else if (size > 1 && bytes[0] == '0')
        base = 8;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                             ? (unsigned)((c | 0x20) - 'a' + 10)
                             : base;
        value = value * base + digit;
        if (digit >= base || value > UINT32_MAX)
            return -EINVAL;
    }
    if (!process)
        return -ESRCH;
    if (!size)
        return -EINVAL;
    process->attributes.core_filter_change =
        CORE_FILTER_DEFAULT ^ ((uint32_t)value & CORE_FILTER_ALL);
    return 0;
}

static int show_mounts(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "tmpfs / tmpfs rw,relatime 0 0\n"
                    "devtmpfs /dev devtmpfs rw,relatime 0 0\n"
                    "tmpfs /dev/shm tmpfs rw,relatime 0 0\n"
                    "proc /proc proc rw,relatime 0 0\n"
                    "sysfs /sys sysfs rw,relatime 0 0\n");
    mount_show(text, false);
    return 0;
}

static int show_mountinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "1 1 0:16 / / rw,relatime - tmpfs tmpfs rw\n"
                    "2 1 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw\n"
                    "4 2 0:22 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"
                    "3 1 0:21 / /proc rw,relatime - proc proc rw\n"
                    "5 1 0:23 / /sys rw,relatime - sysfs sysfs rw\n");
    mount_show(text, true);
    return 0;
}

static int show_cgroup(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "0::/\n");
    return 0;
}

static int show_wchan(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "0");
    return 0;
}

/* ---- task/ ----------------------------------------------------------------------------------- */

static int find_thread(struct inode *directory, struct name name, struct entry **entry);
static int list_threads(struct inode *directory, uint64_t *position, list_fn *tell, void *arg);

#define FILE_NODE(title, permissions, ...)                                                         \
    {                                                                                              \
        .name = title, .mode = S_IFREG | (permissions), .owner = owner_of, __VA_ARGS__             \
    }
#define LINK_NODE(title, what)                                                                     \
    {                                                                                              \
        .name = title, .mode = S_IFLNK | 0777, .owner = owner_of, .read_link = proc_read_##what,   \
        .jump = proc_jump_##what                                                                   \
    }
/* What a thread has as well. */
#define SHARED_NODES                                                                               \
    FILE_NODE("coredump_filter", 0644, .show = show_coredump_filter,                               \
              .store = store_coredump_filter),                                                     \
        FILE_NODE("cgroup", 0444, .show = show_cgroup),                                            \
        FILE_NODE("clear_refs", 0200, .store = proc_store_clear_refs),                             \
        FILE_NODE("cmdline", 0444, .read = proc_read_cmdline),                                     \
        FILE_NODE("comm", 0644, .show = show_comm, .store = store_comm), LINK_NODE("cwd", cwd),    \
        FILE_NODE("environ", 0400, .read = proc_read_environ), LINK_NODE("exe", exe),              \
        {.name = "fd",                                                                             \
         .mode = S_IFDIR | 0500,                                                                   \
         .owner = owner_of,                                                                        \
         .lookup = proc_find_descriptor,                                                           \
         .list = proc_list_descriptors},                                                           \
        FILE_NODE("limits", 0444, .show = proc_show_limits),                                       \
        FILE_NODE("maps", 0444, .show_part = proc_show_maps),                                      \
        FILE_NODE("mountinfo", 0444, .show = show_mountinfo),                                      \
        FILE_NODE("mounts", 0444, .show = show_mounts),                                            \
        FILE_NODE("numa_maps", 0444, .show_part = proc_show_numa_maps),                            \
        FILE_NODE("oom_adj", 0644, .show = show_oom_adj, .store = store_oom_adj),                  \
        FILE_NODE("oom_score", 0444, .show = show_oom_score),                                      \
        FILE_NODE("oom_score_adj", 0644, .show = show_oom_score_adj,                               \
                  .store = store_oom_score_adj),                                                   \
        FILE_NODE("pagemap", 0400, .read = proc_read_pagemap), LINK_NODE("root", root),            \
        FILE_NODE("smaps", 0444, .show_part = proc_show_smaps),                                    \
        FILE_NODE("smaps_rollup", 0444, .show = proc_show_smaps_rollup),                           \
        FILE_NODE("stat", 0444, .show = proc_show_stat),                                           \
        FILE_NODE("statm", 0444, .show = proc_show_statm),                                         \
        FILE_NODE("status", 0444, .show = proc_show_status),                                       \
        FILE_NODE("wchan", 0444, .show = show_wchan)

/* The last place is fail-nth's, where there is one. */
#define NR_SHARED_NODES (sizeof thread_nodes / sizeof thread_nodes[0] - 2)
static struct proc_node thread_nodes[] = {SHARED_NODES, {0}, {0}};
static const struct proc_node thread_node = {
    .mode = S_IFDIR | 0555, .children = thread_nodes, .owner = owner_of};

static struct proc_node process_nodes[] = {SHARED_NODES,
                                           {.name = "task",
                                            .mode = S_IFDIR | 0555,
                                            .owner = owner_of,
                                            .lookup = find_thread,
                                            .list = list_threads},
                                           {0},
                                           {0}};
static const struct proc_node process_node = {
    .mode = S_IFDIR | 0555, .children = process_nodes, .owner = owner_of};

static int find_thread(struct inode *directory, struct name name, struct entry **entry)
{
    uint32_t tid;
    int error = proc_parse_number(name, &tid);
    const struct process *process = proc_process(proc_subject(directory));
    const struct task *task = error ? NULL : task_find((int)tid);
    if (!task || !process || task->process != process)
        return -ENOENT;
    return proc_entry(directory, name, &thread_node, proc_subject_of(process->pid, tid), entry);
}

/* A number in a directory, whose position is after `base`. */
static bool tell_number(int number, const struct proc_node *node, uint64_t subject, uint64_t base,
                        uint64_t *position, list_fn *tell, void *arg)
{
    char text[12];
    size_t length = quire_snprintf(text, sizeof text, "%d", number);
    uint64_t next = base + (unsigned)number + 1;
    if (!tell(arg, (struct name){text, (unsigned)length}, proc_number(node, subject),
              DT_OF_MODE(node->mode), next))
        return false;
    *position = next;
    return true;
}

/* In the order of numbers: each time the least that wasn't told yet. */
static int list_threads(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    for (;;) {
        struct process *process = proc_process(proc_subject(directory));
        uint64_t from = *position - PROC_DYNAMIC;
        int least = 0;
        if (!process)
            return -ENOENT;
        list_for_each (link, &process->threads) {
            int tid = quire_container_of(link, struct task, thread)->tid;
            if ((uint64_t)tid >= from && (!least || tid < least))
                least = tid;
        }
        if (!least ||
            !tell_number(least, &thread_node, proc_subject_of(process->pid, (uint32_t)least),
                         PROC_DYNAMIC, position, tell, arg))
            return 0;
    }
}

/* ---- /proc ----------------------------------------------------------------------------------- */

static int find_process(struct inode *directory, struct name name, struct entry **entry)
{
    uint32_t pid;
    int error = proc_parse_number(name, &pid);
    if (error || !process_find((int)pid))
        return -ENOENT;
    return proc_entry(directory, name, &process_node, pid, entry);
}

static int list_processes(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    (void)directory;
    for (;;) {
        uint64_t from = *position - PROC_FIRST_PROCESS;
        int least = 0;
        list_for_each (link, &all_processes) {
            int pid = quire_container_of(link, struct process, all)->pid;
            if ((uint64_t)pid >= from && (!least || pid < least))
                least = pid;
        }
        if (!least || !tell_number(least, &process_node, (uint32_t)least, PROC_FIRST_PROCESS,
                                   position, tell, arg))
            return 0;
    }
}

static int current_pid(void)
{
    return current_process()->pid;
}

static int current_tid(void)
{
    return current->tid;
}

/* ---- noise ----------------------------------------------------------------------------------- */

#define CPUID_1_ECX_RDRAND (1u << 30)
#define RDRAND_TRIES 10u

static bool has_rdrand(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c & CPUID_1_ECX_RDRAND;
}

static bool rdrand(unsigned long *value)
{
    bool valid = false;
    for (unsigned i = 0; i < RDRAND_TRIES && !valid; i++)
        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(valid));
    return valid;
}

static void seed(void)
{
    uint64_t now[2] = {realtime_ns(), quire_port_clock_ns()};
    random_seed(now, sizeof now);
    for (unsigned i = 0; has_rdrand() && i < 32 / sizeof(long); i++) {
        unsigned long value;
        if (rdrand(&value))
            random_seed(&value, sizeof value);
    }
}

void proc_init(void)
{
    static const struct proc_processes processes = {find_process, list_processes,  current_pid,
                                                    current_tid,  proc_statistics, proc_show_shm};
    fs_clock_ns = realtime_ns;
    static const struct proc_node fail_nth =
        FILE_NODE("fail-nth", 0644, .show = show_fail_nth, .store = store_fail_nth);
    if (fail_nth_is_there) {
        thread_nodes[NR_SHARED_NODES] = fail_nth;
        process_nodes[NR_SHARED_NODES + 1] = fail_nth;
    }
    procfs_set_processes(&processes);
    seed();
}
