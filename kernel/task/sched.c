/* kernel/task/sched.c: whose turn it is
 *
 * Who sleeps on a word is in the bucket of its address, in order of arrival; sleepers with a
 * deadline are found by looking through all buckets, no sooner than the first deadline is over.
 */
#include "task/sched.h"

#include <quire/port.h>

#include "cpu.h"
#include "errno.h"
#include "events.h"
#include "irq.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "task/stats.h"

#define TIMER_IRQ 0
#define TIMER_CHANNEL_0 0x40
#define TIMER_COMMAND 0x43
#define TIMER_RATE_GENERATOR 0x34 /* channel 0, low byte then high byte, mode 2 */
#define TIMER_HZ 1193182u
#define NR_BUCKETS 64u

struct task *current;
struct event any_event;
struct sched_time sched_time;
bool sched_attention = true;

static struct task idle_task;
static struct list run_queue, sleepers[NR_BUCKETS];
static uint64_t turn_end, first_deadline = NO_DEADLINE;

static struct list *bucket_of(const void *word)
{
    return &sleepers[((uintptr_t)word >> 2) * 0x9e3779b1u >> 8 & (NR_BUCKETS - 1)];
}

static void make_ready(struct task *task)
{
    list_del(&task->queue);
    task->state = TASK_RUNNING;
    task->word = NULL;
    list_add_tail(&run_queue, &task->queue);
}

static void wake_late_sleepers(uint64_t now)
{
    first_deadline = NO_DEADLINE;
    for (unsigned i = 0; i < NR_BUCKETS; i++) {
        struct list *next;
        for (struct list *at = sleepers[i].next; at != &sleepers[i]; at = next) {
            struct task *task = quire_container_of(at, struct task, queue);
            next = at->next;
            if (task->deadline <= now)
                make_ready(task);
            else if (task->deadline < first_deadline)
                first_deadline = task->deadline;
        }
    }
}

static void tick(void)
{
    uint64_t now = quire_port_clock_ns();
    if (now >= first_deadline)
        wake_late_sleepers(now);
    timers_expire(now);
    if (stats_wanted)
        stats_sample();
    events_tick();
}

bool sched_turn_has_passed(void)
{
    return quire_port_clock_ns() >= turn_end;
}

/* There is no tick while the kernel works: who slept until now is woken here. */
bool sched_turn_is_over(void)
{
    uint64_t now = quire_port_clock_ns();
    if (now < turn_end)
        return false;
    if (now >= first_deadline)
        wake_late_sleepers(now);
    return !list_empty(&run_queue);
}

void sched_add(struct task *task)
{
    task->state = TASK_RUNNING;
    list_add_tail(&run_queue, &task->queue);
}

/* Runs on the stack of who comes back, or of a new task (task_begin). */
void sched_finish_switch(struct task *previous)
{
    sched_time.switched = cpu_ticks();
    turn_end = quire_port_clock_ns() + TURN_NS;
    sched_attend();
    sched_begin_faults();
    if (previous->state == TASK_DEAD)
        task_free(previous);
}

static struct task *switched_from;

struct task *sched_switched_from(void)
{
    return switched_from;
}

void sched_account(void)
{
    struct task *task = current;
    sched_leave_kernel();
    uint64_t user_ns = quire_x86_ticks_to_ns(sched_time.user);
    uint64_t system_ns = quire_x86_ticks_to_ns(sched_time.system);
    sched_time.user = sched_time.system = 0;
    task->user_ns += user_ns;
    task->system_ns += system_ns;
    if (task->process) {
        task->process->user_ns += user_ns;
        task->process->system_ns += system_ns;
    }
}

void sched_begin_faults(void)
{
    struct quire_mm *mm = current->process ? current->process->mm : NULL;
    current->mm_min_flt = current->mm_maj_flt = 0;
    if (mm)
        quire_mm_nr_faults(mm, &current->mm_min_flt, &current->mm_maj_flt);
}

void sched_account_faults(void)
{
    unsigned long minor, major;
    struct task *task = current;
    if (!task->process || !task->process->mm)
        return;
    quire_mm_nr_faults(task->process->mm, &minor, &major);
    task->min_flt += minor - task->mm_min_flt;
    task->maj_flt += major - task->mm_maj_flt;
    task->mm_min_flt = minor;
    task->mm_maj_flt = major;
}

struct sched_counts sched_counts;

static void switch_to(struct task *next)
{
    struct task *previous = current;
    sched_account();
    sched_account_faults();
    sched_counts.switches++;
    switched_from = previous;
    current = next;
    arch_switch(previous, next);
    sched_finish_switch(switched_from);
}

void schedule(void)
{
    struct task *next = &idle_task;
    if (current->state == TASK_RUNNING && current != &idle_task)
        list_add_tail(&run_queue, &current->queue);
    if (!list_empty(&run_queue)) {
        next = quire_container_of(run_queue.next, struct task, queue);
        list_del(&next->queue);
    }
    if (next == current)
        turn_end = quire_port_clock_ns() + TURN_NS;
    else
        switch_to(next);
}

void sched_let_others_run(void)
{
    if (!current || current == &idle_task)
        return;
    if (list_empty(&run_queue)) {
        list_add_tail(&run_queue, &current->queue);
        switch_to(&idle_task);
    }
    if (!list_empty(&run_queue))
        schedule();
}

void sched_yield(void)
{
    if (current && current != &idle_task)
        schedule();
}

/* Has the running task to come back from this kind of sleep? */
static bool is_interrupted(enum sleep sleep)
{
    const struct process *process = current->process;
    if (sleep == SLEEP_UNINTERRUPTIBLE || !process)
        return false;
    if (process->exiting || (process->survivor && process->survivor != current))
        return true;
    return sleep == SLEEP_INTERRUPTIBLE && signal_is_pending();
}

int sched_sleep(const uint32_t *word, uint32_t value, enum sleep sleep, uint64_t deadline)
{
    struct task *task = current;
    if (word && *(const volatile uint32_t *)word != value)
        return 0;
    if (is_interrupted(sleep))
        return -EINTR;
    if (task == &idle_task) /* nobody else is there: spin */
        return 0;
    task->state = TASK_SLEEPING;
    task->word = word;
    task->sleep = sleep;
    task->deadline = deadline;
    if (deadline < first_deadline)
        first_deadline = deadline;
    list_add_tail(bucket_of(word), &task->queue);
    schedule();
    if (deadline != NO_DEADLINE && quire_port_clock_ns() >= deadline)
        return -ETIMEDOUT;
    return is_interrupted(sleep) ? -EINTR : 0;
}

unsigned sched_wake(const uint32_t *word, unsigned most)
{
    struct list *bucket = bucket_of(word), *next;
    unsigned woken = 0;
    for (struct list *at = bucket->next; at != bucket && woken < most; at = next) {
        struct task *task = quire_container_of(at, struct task, queue);
        next = at->next;
        if (task->word != word)
            continue;
        make_ready(task);
        woken++;
    }
    return woken;
}

void sched_interrupt(struct task *task)
{
    if (task->state == TASK_SLEEPING && task->sleep == SLEEP_INTERRUPTIBLE)
        make_ready(task);
}

void sched_interrupt_for_end(struct task *task)
{
    if (task->state == TASK_SLEEPING && task->sleep != SLEEP_UNINTERRUPTIBLE)
        make_ready(task);
}

void sched_init(void)
{
    list_init(&run_queue);
    for (unsigned i = 0; i < NR_BUCKETS; i++)
        list_init(&sleepers[i]);
    idle_task.state = TASK_RUNNING;
    current = &idle_task;
    irq_init();
    cpu_out8(TIMER_COMMAND, TIMER_RATE_GENERATOR);
    cpu_out8(TIMER_CHANNEL_0, (uint8_t)(TIMER_HZ / TICKS_PER_SECOND));
    cpu_out8(TIMER_CHANNEL_0, (uint8_t)(TIMER_HZ / TICKS_PER_SECOND >> 8));
    irq_set_handler(TIMER_IRQ, tick);
}

/* On a stack of its own, with a guard page below it as all tasks' have. */
_Noreturn void sched_run_idle(void (*run)(void))
{
    idle_task.stack =
        (char *)(uintptr_t)quire_vmalloc(machine_vmalloc, KERNEL_STACK_BYTES, QUIRE_GFP_KERNEL);
    if (!idle_task.stack)
        panic("no memory for the idle task's stack");
    __asm__ volatile("mov %0, %%" STACK_POINTER "\n\tcall *%1"
                     :
                     : "r"(idle_task.stack + KERNEL_STACK_BYTES), "r"(run)
                     : "memory");
    __builtin_unreachable();
}

static void idle_main(void)
{
    memory_free_boot_stack();
    for (;;) {
        schedule();
        if (list_empty(&run_queue))
            __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
        else /* sched_let_others_run */
            __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
    }
}

_Noreturn void sched_idle(void)
{
    sched_run_idle(idle_main);
}

/* ---- events, and the port's words ------------------------------------------------------------ */

int event_wait(struct event *event, uint32_t seen, uint64_t deadline)
{
    return sched_sleep(&event->changes, seen, SLEEP_INTERRUPTIBLE, deadline);
}

void event_wait_uninterruptible(struct event *event, uint32_t seen)
{
    sched_sleep(&event->changes, seen, SLEEP_UNINTERRUPTIBLE, NO_DEADLINE);
}

int event_wait_killable(struct event *event, uint32_t seen)
{
    return sched_sleep(&event->changes, seen, SLEEP_KILLABLE, NO_DEADLINE);
}

void event_give_way(void)
{
    if (sched_turn_is_over())
        schedule();
}

const void *event_who(void)
{
    return current;
}

void event_signal(struct event *event)
{
    event->changes++;
    any_event.changes++;
    if (!current)
        return;
    sched_wake(&event->changes, UINT32_MAX);
    sched_wake(&any_event.changes, UINT32_MAX);
}

void quire_x86_wait(const uint32_t *word, uint32_t value)
{
    if (current)
        sched_sleep(word, value, SLEEP_UNINTERRUPTIBLE, NO_DEADLINE);
}

void quire_x86_wake(const uint32_t *word)
{
    if (current)
        sched_wake(word, UINT32_MAX);
}
