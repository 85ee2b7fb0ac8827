/* kernel/sys/proc_status.c: /proc/PID/stat, status, limits (man 5 proc_pid_stat) */
#include "base/bits.h"
#include "fs/sysfs.h"
#include "memory.h"
#include "standard.h"
#include "string.h"
#include "sys/proc.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/sched.h"
#include "time_units.h"

/* What is told of a process or thread, copied while nothing sleeps. */
struct snapshot {
    char name[TASK_NAME_BYTES], state;
    int id, pid, parent, pgid, sid, exit_signal, nice, tracer;
    unsigned nr_threads;
    int umask; /* -1: it has ended */
    struct credentials who;
    struct rusage_times times;
    uint64_t children_user_ns, children_system_ns, start_ns;
    unsigned long children_min_flt, children_maj_flt;
    uint64_t pending, shared_pending, blocked, ignored, caught, rss_limit;
    bool no_new_privileges;
    struct quire_mm *mm; /* held, or NULL */
};

static char state_of(const struct process *process, const struct task *only)
{
    if (process->zombie)
        return 'Z';
    if (process->stopped)
        return 'T';
    char state = 'S';
    list_for_each (link, &process->threads) {
        const struct task *task = quire_container_of(link, struct task, thread);
        if ((!only || task == only) && task->state == TASK_RUNNING)
            state = 'R';
    }
    return state;
}

static void take_signals(struct snapshot *s, const struct process *process, const struct task *task)
{
    s->shared_pending = process->pending.set;
    if (task) {
        s->pending = task->pending.set;
        s->blocked = task->blocked;
    }
    for (unsigned i = 0; i < NR_SIGNALS; i++) {
        uintptr_t handler = process->actions->action[i].handler;
        s->ignored |= (uint64_t)(handler == 1) << i;
        s->caught |= (uint64_t)(handler > 1) << i;
    }
}

/* -ESRCH: it is gone. */
static int take(struct snapshot *s, uint64_t subject)
{
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    const struct task *owner = proc_task(subject); /* of files and directories */
    struct task *only = subject >> 32 ? task_find((int)(subject >> 32)) : NULL, *first = only;
    if (!first && !list_empty(&process->threads))
        first = quire_container_of(process->threads.next, struct task, thread);
    *s = (struct snapshot){
        .state = state_of(process, only),
        .id = only ? only->tid : process->pid,
        .pid = process->pid,
        .parent = process->parent ? process->parent->pid : 0,
        .pgid = process->pgid,
        .sid = process->sid,
        .exit_signal = process->exit_signal,
        .nice = process->attributes.nice,
        .nr_threads = process->nr_threads,
        .umask = owner && owner->fs ? (int)owner->fs->umask : -1,
        .who = process->credentials,
        .children_user_ns = process->children_user_ns,
        .children_system_ns = process->children_system_ns,
        .start_ns = process->start_ns,
        .children_min_flt = process->children_min_flt,
        .children_maj_flt = process->children_maj_flt,
        .rss_limit = process->limit[RLIMIT_RSS].current,
        .no_new_privileges = process->attributes.no_new_privileges,
        .mm = process->mm,
    };
    __builtin_memcpy(s->name, process->name, sizeof s->name);
    s->name[sizeof s->name - 1] = '\0';
    take_signals(s, process, first);
    (void)groups_get(s->who.groups);
    if (s->mm)
        quire_mm_get(s->mm);
    process_times(process, &s->times); /* may sleep */
    return 0;
}

static void drop(struct snapshot *s)
{
    if (s->mm)
        quire_mm_put(s->mm);
    groups_put(s->who.groups);
}

/* ---- stat ------------------------------------------------------------------------------------ */

static void put_memory(struct text *text, const struct snapshot *s)
{
    struct quire_mm_info info = {0};
    struct quire_mm_program program = {0};
    if (s->mm) {
        quire_mm_info(s->mm, &info);
        quire_mm_get_program(s->mm, &program);
    }
    text_printf(text, " %llu %lu %llu %llu %llu %llu 0 0",
                (unsigned long long)info.total << QUIRE_PAGE_SHIFT,
                info.rss_anon + info.rss_file + info.rss_shmem, (unsigned long long)s->rss_limit,
                (unsigned long long)program.start_code, (unsigned long long)program.end_code,
                (unsigned long long)program.start_stack);
    text_printf(text, " %llu %llu %llu %llu 0 0 0 %d 0 0 0 0 0 0", (unsigned long long)s->pending,
                (unsigned long long)(s->blocked & UINT32_MAX),
                (unsigned long long)(s->ignored & UINT32_MAX),
                (unsigned long long)(s->caught & UINT32_MAX), s->exit_signal);
    text_printf(text, " %llu %llu %llu %llu %llu %llu %llu 0\n",
                (unsigned long long)program.start_data, (unsigned long long)program.end_data,
                (unsigned long long)program.brk, (unsigned long long)program.arg_start,
                (unsigned long long)program.arg_end, (unsigned long long)program.env_start,
                (unsigned long long)program.env_end);
}

int proc_show_stat(struct text *text, uint64_t subject)
{
    struct snapshot s;
    int error = take(&s, subject);
    if (error)
        return error;
    text_printf(text, "%d (%s) %c %d %d %d 0 -1 0 %lu %lu %lu %lu", s.id, s.name, s.state, s.parent,
                s.pgid, s.sid, s.times.min_flt, s.children_min_flt, s.times.maj_flt,
                s.children_maj_flt);
    text_printf(text, " %llu %llu %llu %llu %d %d %u 0 %llu", ticks_of(s.times.user_ns),
                ticks_of(s.times.system_ns), ticks_of(s.children_user_ns),
                ticks_of(s.children_system_ns), 20 + s.nice, s.nice, s.nr_threads,
                ticks_of(s.start_ns));
    put_memory(text, &s);
    drop(&s);
    return 0;
}

/* ---- status ---------------------------------------------------------------------------------- */

static const char *name_of_state(char state)
{
    switch (state) {
    case 'R':
        return "running";
    case 'T':
        return "stopped";
    case 'Z':
        return "zombie";
    default:
        return "sleeping";
    }
}

/* As Linux writes it: a space behind the last, and behind none. */
static void put_groups(struct text *text, const struct group_list *groups)
{
    text_puts(text, "Groups:\t");
    for (unsigned i = 0; groups && i < groups->count; i++)
        text_printf(text, i ? " %u" : "%u", groups->gid[i]);
    text_puts(text, " \n");
}

static void put_ids(struct text *text, const struct snapshot *s)
{
    unsigned umask = (unsigned)s->umask;
    text_printf(text, "Name:\t%s\n", s->name);
    if (s->umask >= 0)
        text_printf(text, "Umask:\t0%03x\n",
                    (umask >> 6 & 7) << 8 | (umask >> 3 & 7) << 4 | (umask & 7));
    text_printf(text, "State:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
                s->state, name_of_state(s->state), s->pid, s->id, s->parent);
    text_printf(text, "Uid:\t%u\t%u\t%u\t%u\n", s->who.uid, s->who.euid, s->who.suid, s->who.euid);
    text_printf(text, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t64\n", s->who.gid, s->who.egid, s->who.sgid,
                s->who.egid);
    put_groups(text, s->who.groups);
    text_printf(text, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", s->pid, s->id, s->pgid,
                s->sid);
}

static void put_set(struct text *text, const char *label, uint64_t set)
{
    text_printf(text, "%s:\t%016llx\n", label, (unsigned long long)set);
}

/* In words of 32 bits, the highest first, and as a list. */
static void put_nodes(struct text *text)
{
    quire_nodes_t nodes = quire_vm_nodes(machine_vm);
    text_printf(text, "Mems_allowed:\t%08x,%08x\nMems_allowed_list:\t", (unsigned)(nodes >> 32),
                (unsigned)nodes);
    put_number_list(text, nodes);
    text_puts(text, "\n");
}

int proc_show_status(struct text *text, uint64_t subject)
{
    struct snapshot s;
    int error = take(&s, subject);
    if (error)
        return error;
    put_ids(text, &s);
    if (s.mm) {
        text_flush(text);
        error =
            quire_mm_view(s.mm, QUIRE_MM_VIEW_STATUS, QUIRE_FORMAT_TEXT, text->write, text->arg);
    }
    text_printf(text, "Threads:\t%u\nSigQ:\t0/1024\n", s.nr_threads);
    put_set(text, "SigPnd", s.pending);
    put_set(text, "ShdPnd", s.shared_pending);
    put_set(text, "SigBlk", s.blocked);
    put_set(text, "SigIgn", s.ignored);
    put_set(text, "SigCgt", s.caught);
    put_set(text, "CapInh", s.who.inheritable);
    put_set(text, "CapPrm", CAP_ALL & ~s.who.lost);
    put_set(text, "CapEff", CAP_ALL & ~s.who.lacks);
    put_set(text, "CapBnd", CAP_ALL);
    put_set(text, "CapAmb", 0);
    text_printf(text, "NoNewPrivs:\t%d\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n",
                s.no_new_privileges);
    put_nodes(text);
    drop(&s);
    return error;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void put_limit(struct text *text, uint64_t limit)
{
    if (limit == UINT64_MAX)
        text_printf(text, "%-20s ", "unlimited");
    else
        text_printf(text, "%-20llu ", (unsigned long long)limit);
}

int proc_show_limits(struct text *text, uint64_t subject)
{
    static const struct {
        const char *name, *unit;
    } rows[NR_RLIMITS] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", ""},
        [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    struct rlimit64 limits[NR_RLIMITS];
    struct process *process = proc_process(subject);
    if (!process)
        return -ESRCH;
    __builtin_memcpy(limits, process->limit, sizeof limits);
    text_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < NR_RLIMITS; i++) {
        text_printf(text, "%-25s ", rows[i].name);
        put_limit(text, limits[i].current);
        put_limit(text, limits[i].max);
        text_printf(text, "%-10s\n", rows[i].unit);
    }
    return 0;
}

/* ---- of all processes ------------------------------------------------------------------------ */

/* Each process's own times, and those of the children that it waited for: together all that ever
 * ran, whoever has ended. */
void proc_statistics(struct proc_statistics *statistics)
{
    static uint64_t told_idle_ns;
    sched_account();
    list_for_each (link, &all_processes) {
        const struct process *process = quire_container_of(link, struct process, all);
        statistics->user_ns += process->user_ns + process->children_user_ns;
        statistics->system_ns += process->system_ns + process->children_system_ns;
        statistics->nr_tasks += process->nr_threads;
        statistics->nr_running += state_of(process, NULL) == 'R';
        if (process->pid > statistics->last_pid)
            statistics->last_pid = process->pid;
    }
    uint64_t up = quire_port_clock_ns(), used = statistics->user_ns + statistics->system_ns;
    /* The two were looked at one after the other: what was told is never taken back. */
    if (up > used && up - used > told_idle_ns)
        told_idle_ns = up - used;
    statistics->idle_ns = told_idle_ns;
    statistics->nr_switches = sched_counts.switches;
    statistics->nr_forks = sched_counts.forks;
}
