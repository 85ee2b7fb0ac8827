/* kernel/task/stats.c: counters and views for who started the machine
 *
 * Each is a line: a word for what it is, a space, and a JSON object. A process is told when it
 * ends, so that nothing is kept of those that are gone; its line goes to the device in one piece,
 * so that others don't come between. At the machine's end nobody else tells any more.
 *
 * A panic comes from anywhere, with any lock held: then what takes spinlocks only is told, which
 * nobody holds who could go on, and lines are written without sleeping. Views that wait for other
 * locks, or walk structures that may just be broken, come last.
 */
#include "task/stats.h"

#include <quire/port.h>
#include <quire/swap.h>

#include "base/json.h"
#include "cmdline.h"
#include "dev/lines.h"
#include "events.h"
#include "fs/procfs.h"
#include "memory.h"
#include "task/lifecycle.h"
#include "task/sched.h"

#define RECORD_BYTES 768u /* of a process: names have 15 characters, numbers 20 digits */

bool stats_wanted;

static bool ending;
static unsigned nr_writing; /* processes that are telling of themselves */
static struct event written;
static int program_pid;
static unsigned long least_free;
static unsigned long least_free_of[QUIRE_MAX_NODES]; /* of nodes, if there are several */
static bool has_nodes;
static uint64_t begin_ns;
static struct proc_statistics at_begin; /* what the machine's own start took */

void stats_sample(void)
{
    unsigned long free = quire_nr_free_pages(machine_mem);
    if (free < least_free)
        least_free = free;
    struct quire_node_info info;
    for (unsigned i = 0; has_nodes && !quire_node_info(machine_mem, i, &info); i++)
        if (info.nr_free < least_free_of[i])
            least_free_of[i] = info.nr_free;
}

static void begin_samples(void)
{
    struct quire_node_info info;
    least_free = quire_nr_free_pages(machine_mem);
    has_nodes = (quire_mem_nodes(machine_mem) & (quire_mem_nodes(machine_mem) - 1)) != 0;
    for (unsigned i = 0; has_nodes && !quire_node_info(machine_mem, i, &info); i++)
        least_free_of[i] = info.nr_free;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void put(void *arg, const char *text, size_t length)
{
    (void)arg;
    line_write(LINE_STATS, text, length);
}

static void put_word(const char *word)
{
    size_t length = 0;
    while (word[length])
        length++;
    put(NULL, word, length);
}

struct record {
    size_t size;
    char bytes[RECORD_BYTES];
};

static void collect(void *arg, const char *text, size_t length)
{
    struct record *record = arg;
    if (length > sizeof record->bytes - record->size)
        length = sizeof record->bytes - record->size;
    memcpy(record->bytes + record->size, text, length);
    record->size += length;
}

/* ---- processes ------------------------------------------------------------------------------- */

/* A name may hold any byte. */
static void put_name(struct json *json, const char *name)
{
    char clean[TASK_NAME_BYTES];
    unsigned i = 0;
    for (; i < sizeof clean - 1 && name[i]; i++)
        clean[i] = name[i] < ' ' || name[i] > '~' ? '?' : name[i];
    clean[i] = '\0';
    json_string(json, "name", clean);
}

static void put_end(struct json *json, const struct process *process, bool ended)
{
    bool killed = process->status & 0x7f;
    json_bool(json, "ended", ended);
    if (ended && killed)
        json_unsigned(json, "signal", (unsigned)process->status & 0x7f);
    else if (ended)
        json_unsigned(json, "exit_status", (unsigned)process->status >> 8 & 0xff);
    if (ended)
        json_unsigned(json, "end_ns", quire_port_clock_ns() - begin_ns);
}

/* `times` was found out before: that may sleep, and the process be gone. */
static void tell_process(struct process *process, const struct rusage_times *times, bool ended)
{
    struct record record = {0};
    struct json json;
    uint64_t start = process->start_ns > begin_ns ? process->start_ns - begin_ns : 0;
    process->told = true;
    collect(&record, "process ", 8);
    json_init(&json, collect, &record);
    json_object(&json, NULL);
    json_signed(&json, "pid", process->pid);
    json_signed(&json, "parent", process->parent ? process->parent->pid : 0);
    put_name(&json, process->name);
    json_bool(&json, "is_program", process->pid == program_pid);
    json_unsigned(&json, "minor_faults", times->min_flt);
    json_unsigned(&json, "major_faults", times->maj_flt);
    json_unsigned(&json, "peak_resident_pages", times->max_rss);
    json_unsigned(&json, "user_ns", times->user_ns);
    json_unsigned(&json, "system_ns", times->system_ns);
    json_unsigned(&json, "start_ns", start);
    put_end(&json, process, ended);
    json_end(&json);
    json_finish(&json);
    line_write(LINE_STATS, record.bytes, record.size);
}

void stats_tell_end(struct process *process)
{
    struct rusage_times times;
    if (!stats_wanted || ending)
        return;
    nr_writing++; /* before anything that may sleep: `ending` was looked at */
    process_times(process, &times);
    tell_process(process, &times, true);
    nr_writing--;
    event_signal(&written);
}

static struct process *first_untold(void)
{
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (!process->told && process->parent)
            return process;
    }
    return NULL;
}

/* Those of the kernel's own have no parent. */
static void tell_processes(void)
{
    for (struct process *process; (process = first_untold());) {
        struct rusage_times times;
        int pid = process->pid;
        process->told = true;
        process_times(process, &times);
        if (process_find(pid) == process)
            tell_process(process, &times, process->zombie);
    }
}

/* The same in a panic: nothing sleeps, so peaks are what is resident now or was before. */
static void tell_processes_as_they_are(void)
{
    for (struct process *process; (process = first_untold());) {
        struct rusage_times times = {.user_ns = process->user_ns,
                                     .system_ns = process->system_ns,
                                     .min_flt = process->min_flt,
                                     .maj_flt = process->maj_flt,
                                     .max_rss = process->max_rss};
        if (process->mm) {
            unsigned long minor, major, resident = quire_mm_nr_resident(process->mm);
            quire_mm_nr_faults(process->mm, &minor, &major);
            times.min_flt += minor;
            times.maj_flt += major;
            times.max_rss = resident > times.max_rss ? resident : times.max_rss;
        }
        tell_process(process, &times, process->zombie);
    }
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void tell_nodes(struct json *json)
{
    struct quire_node_info info;
    json_array(json, "nodes");
    for (unsigned i = 0; has_nodes && !quire_node_info(machine_mem, i, &info); i++) {
        if (!info.managed)
            continue;
        json_object(json, NULL);
        json_unsigned(json, "node", i);
        json_unsigned(json, "node_pages", info.managed);
        json_unsigned(json, "peak_used", info.managed - least_free_of[i]);
        json_unsigned(json, "used_at_end", info.managed - info.nr_free);
        json_unsigned(json, "misses", info.numa_miss);
        json_end(json);
    }
    json_end(json);
}

static void tell_machine(void)
{
    struct proc_statistics s;
    struct json json;
    unsigned long managed = quire_nr_managed_pages(machine_mem), most = events_most_used();
    stats_sample();
    if (most < managed - least_free) /* what ticks saw, where no event tells */
        most = managed - least_free;
    procfs_statistics(&s);
    put_word("machine ");
    json_init(&json, put, NULL);
    json_object(&json, NULL);
    json_string(&json, "arch", ARCH_NAME);
    json_unsigned(&json, "page_bytes", QUIRE_PAGE_SIZE);
    json_unsigned(&json, "managed_pages", managed);
    json_unsigned(&json, "peak_used_pages", most);
    json_unsigned(&json, "elapsed_ns", quire_port_clock_ns() - begin_ns);
    json_unsigned(&json, "user_ns", s.user_ns - at_begin.user_ns);
    json_unsigned(&json, "system_ns", s.system_ns - at_begin.system_ns);
    json_unsigned(&json, "idle_ns", s.idle_ns - at_begin.idle_ns);
    json_unsigned(&json, "switches", s.nr_switches);
    json_unsigned(&json, "forks", s.nr_forks);
    tell_nodes(&json);
    json_end(&json);
    json_finish(&json);
}

static void tell_views(void)
{
    static const struct {
        const char *name;
        enum quire_view view;
    } views[] = {{"buddyinfo ", QUIRE_VIEW_BUDDYINFO},
                 {"pagetypeinfo ", QUIRE_VIEW_PAGETYPEINFO},
                 {"zoneinfo ", QUIRE_VIEW_ZONEINFO}};
    static const struct {
        const char *name;
        enum quire_vm_view view;
    } vm_views[] = {{"vmstat ", QUIRE_VM_VIEW_VMSTAT},
                    {"meminfo ", QUIRE_VM_VIEW_MEMINFO},
                    {"swaps ", QUIRE_VM_VIEW_SWAPS}};
    for (unsigned i = 0; i < sizeof vm_views / sizeof vm_views[0]; i++) {
        put_word(vm_views[i].name);
        if (quire_vm_view(machine_vm, vm_views[i].view, QUIRE_FORMAT_JSON, put, NULL))
            put(NULL, "\n", 1);
    }
    for (unsigned i = 0; i < sizeof views / sizeof views[0]; i++) {
        put_word(views[i].name);
        (void)quire_view(machine_mem, views[i].view, QUIRE_FORMAT_JSON, put, NULL);
    }
    put_word("slabinfo ");
    (void)quire_slabinfo(machine_slab, QUIRE_FORMAT_JSON, put, NULL);
    put_word("vmallocinfo ");
    (void)quire_vmallocinfo(machine_vmalloc, QUIRE_FORMAT_JSON, put, NULL);
}

void stats_tell_all(void)
{
    if (!stats_wanted)
        return;
    ending = true;
    /* Their lines would come within ours. */
    for (uint32_t seen = event_read(&written); nr_writing; seen = event_read(&written))
        event_wait_uninterruptible(&written, seen);
    tell_processes();
    tell_machine();
    tell_views();
}

/* A line that another process was writing is ended: who reads leaves it out. */
static void tell_in_panic(void)
{
    ending = true;
    lines_write_without_sleep(PANIC_PATIENCE_NS);
    put(NULL, "\n", 1);
    tell_machine();
    tell_processes_as_they_are();
    tell_views();
}

void stats_init(const struct process *program)
{
    stats_wanted = line_is_there(LINE_STATS);
    if (!stats_wanted)
        return;
    program_pid = program->pid;
    begin_ns = quire_port_clock_ns();
    procfs_statistics(&at_begin);
    begin_samples();
    panic_last_hook = tell_in_panic;
}
