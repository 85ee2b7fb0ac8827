/* kernel/task/oom.c: somebody is killed for want of memory
 *
 * Whom, vm/oom.c chooses. A victim ends when it comes to user mode, so it needs its turns: whoever
 * waits for its memory gives way, again and again, until that is back; but not for ever, since what
 * the victim sleeps for may be held by who waits here, in the middle of a fault. Who ends already
 * doesn't wait, and gets no memory: he is on his way out of the kernel, and then gone.
 */
#include "task/oom.h"

#include <quire/port.h>
#include <quire/swap.h>

#include "base/events.h"
#include "dev/lines.h"
#include "memory.h"
#include "task/lifecycle.h"
#include "task/sched.h"

#define MOST_TURNS 64u     /* of one wait before it sleeps: who waits for a disk needs time */
#define LOOK_NS 4000000u   /* then it looks so often */
#define MOST_TOLD 4u       /* of processes that share memory */
#define MOST_NS 100000000u /* of one wait: vm/oom.c allows several */

static unsigned long resident_kib(struct quire_mm *mm)
{
    return quire_mm_nr_resident(mm) * (unsigned long)(QUIRE_PAGE_SIZE >> 10);
}

/* What is told of one that was killed: telling may sleep, and it may be gone by then. */
struct killed {
    int pid;
    unsigned long kib;
    char name[TASK_NAME_BYTES];
};

/* False: it is ending already. */
static bool kill_one(struct process *process, struct killed *killed)
{
    if (process->exiting || process->zombie)
        return false;
    killed->pid = process->pid;
    killed->kib = process->mm ? resident_kib(process->mm) : 0;
    for (unsigned i = 0; i < sizeof killed->name; i++) /* a program may call itself anything */
        killed->name[i] = process->name[i] > 0 && process->name[i] < ' ' ? '?' : process->name[i];
    quire_tell_event_of(OOM_KILL, process->name, (uint64_t)process->pid,
                        process->mm ? quire_mm_nr_resident(process->mm) : 0,
                        process->mm ? quire_mm_oom_score(process->mm) : 0);
    signal_process(process, SIGKILL, NULL);
    return true;
}

static void tell_of(const struct killed *killed)
{
    tell("oom %d %lu %s\n", killed->pid, killed->kib, killed->name);
}

static enum quire_oom_result kill_for_memory(void *arg, struct quire_mm *victim, const char *report)
{
    (void)arg;
    print("%s", report);
    struct killed killed[MOST_TOLD];
    unsigned count = 0;
    bool found = false;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (process->mm != victim)
            continue;
        found = true;
        count += kill_one(process, &killed[count < MOST_TOLD ? count : MOST_TOLD - 1]);
    }
    for (unsigned i = 0; i < count && i < MOST_TOLD; i++)
        tell_of(&killed[i]);
    return count ? QUIRE_OOM_KILLED : found ? QUIRE_OOM_ENDS : QUIRE_OOM_REFUSED;
}

static bool is_ending(void)
{
    return current && current->process && current->process->exiting;
}

/* Lets others run, if nobody can until what they wait for has come. */
static void give_way(unsigned turn, uint64_t deadline)
{
    uint64_t next = quire_port_clock_ns() + LOOK_NS;
    if (turn < MOST_TURNS)
        sched_yield();
    else
        (void)sched_sleep(NULL, 0, SLEEP_UNINTERRUPTIBLE, next < deadline ? next : deadline);
}

static bool wait_for_victim(void *arg, struct quire_mm *victim)
{
    uint64_t deadline = quire_port_clock_ns() + MOST_NS;
    (void)arg;
    if (!victim)
        return !is_ending();
    for (unsigned turn = 0; resident_kib(victim); turn++) {
        give_way(turn, deadline);
        if (is_ending())
            return false;
        if (quire_port_clock_ns() >= deadline)
            break;
    }
    return true;
}

static struct quire_mm *who_allocates(void *arg)
{
    (void)arg;
    return current && current->process ? current->process->mm : NULL;
}

void oom_kill(struct process *process)
{
    struct killed killed;
    if (!kill_one(process, &killed))
        return;
    quire_count_oom_kill(machine_mem);
    tell_of(&killed);
}

void oom_init(void)
{
    quire_vm_set_oom(machine_vm, kill_for_memory, NULL);
    quire_vm_set_oom_wait(machine_vm, wait_for_victim);
    quire_vm_set_oom_who(machine_vm, who_allocates);
}
