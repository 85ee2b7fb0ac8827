/* Segments of a program's own, by modify_ldt (i386): what is refused, who shares them, and what
 * becomes of selectors whose descriptors change */
#include "say.h"

#if defined(__i386__)
#include <asm/ldt.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

#define MOST 8192
#define SELECTOR(entry) ((entry)*8u + 7)
#define LOAD(name, value) __asm__ volatile("mov %0, %%" #name : : "r"((unsigned)(value)))
#define STORE(name, to) __asm__ volatile("mov %%" #name ", %0" : "=r"(to))

static uint64_t table[MOST];

static long ldt(int function, void *at, unsigned long size)
{
    return syscall(SYS_modify_ldt, function, at, size);
}

static struct user_desc data_at(unsigned entry, const void *at)
{
    return (struct user_desc){.entry_number = entry,
                              .base_addr = (unsigned)(uintptr_t)at,
                              .limit = 0xfff,
                              .seg_32bit = 1,
                              .useable = 1};
}

/* All of memory, as code or data. */
static struct user_desc flat(unsigned entry, unsigned contents)
{
    return (struct user_desc){.entry_number = entry,
                              .limit = 0xfffff,
                              .seg_32bit = 1,
                              .contents = contents,
                              .limit_in_pages = 1};
}

static long put(struct user_desc desc)
{
    return ldt(0x11, &desc, sizeof desc);
}

static long clear(unsigned entry)
{
    return put(
        (struct user_desc){.entry_number = entry, .read_exec_only = 1, .seg_not_present = 1});
}

static unsigned by_fs(void)
{
    unsigned value;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

static unsigned fs(void)
{
    unsigned selector;
    STORE(fs, selector);
    return selector & 0xffff;
}

static void say_entry(unsigned entry)
{
    long got = ldt(0, table, sizeof table);
    printf("%ld bytes, entry %u: type and flags %04x, limit %05x\n", got, entry,
           (unsigned)(table[entry] >> 40) & 0xf0ff,
           (unsigned)(table[entry] & 0xffff) | (unsigned)(table[entry] >> 32 & 0xf0000));
}

/* ---- the call -------------------------------------------------------------------------------- */

static void reading(void)
{
    TELL(ldt(0, table, sizeof table));
    TELL(ldt(0, NULL, 100));
    TELL(ldt(2, table, 32));
    TELL(ldt(2, NULL, 32));
    TELL(ldt(99, table, 32));
    TELL(ldt(-1, table, 32));
    TELL(put(data_at(3, table)));
    TELL(ldt(0, table, 0));
    TELL(ldt(0, table, 12));
    TELL(ldt(0, table, sizeof table));
    TELL(ldt(0, table, sizeof table + 8));
    TELL(ldt(0, (void *)64, 16));
    printf("the end is zero: %d\n", !table[4] && !table[MOST - 1] && table[3]);
}

static void refused(void)
{
    struct user_desc desc = data_at(1, table);
    TELL(ldt(0x11, &desc, sizeof desc - 1));
    TELL(ldt(0x11, &desc, sizeof desc + 1));
    TELL(ldt(0x11, NULL, sizeof desc));
    TELL(ldt(1, NULL, 3));
    TELL(put(data_at(MOST, table)));
    TELL(put(data_at(-1u, table)));
    desc.contents = 3;
    TELL(put(desc));
    TELL(ldt(1, &desc, sizeof desc));
    desc.seg_not_present = 1;
    TELL(ldt(1, &desc, sizeof desc));
    TELL(put(desc));
    say_entry(1);
}

static void kinds(void)
{
    for (unsigned contents = 0; contents < 3; contents++)
        for (unsigned rest = 0; rest < 4; rest++) {
            struct user_desc desc = flat(5, contents);
            desc.read_exec_only = rest & 1;
            desc.useable = rest >> 1;
            printf("%u, %u: %ld, ", contents, rest, ldt(rest == 3 ? 1 : 0x11, &desc, sizeof desc));
            say_entry(5);
        }
    struct user_desc none = {.entry_number = 5, .read_exec_only = 1, .seg_32bit = 1};
    TELL(ldt(1, &none, sizeof none)); /* in the old way nothing is an empty one */
    say_entry(5);
    TELL(put(data_at(MOST - 1, table)));
    say_entry(MOST - 1);
    TELL(clear(MOST - 1));
    say_entry(MOST - 1);
}

/* ---- who has it ------------------------------------------------------------------------------ */

static unsigned values[8] __attribute__((aligned(4))) = {100, 101, 102, 103, 104, 105, 106, 107};
static volatile unsigned turn;

static void *uses_another(void *argument)
{
    unsigned number = (unsigned)(uintptr_t)argument, wrong = 0;
    if (put(data_at(number, &values[number])))
        printf("thread %u can't\n", number);
    LOAD(fs, SELECTOR(number));
    for (int i = 0; i < 300; i++) {
        sched_yield();
        wrong += by_fs() != 100 + number || fs() != SELECTOR(number);
    }
    return (void *)(uintptr_t)wrong;
}

static void threads(void)
{
    pthread_t thread[8];
    unsigned wrong = 0;
    void *result;
    for (uintptr_t i = 0; i < 8; i++)
        pthread_create(&thread[i], NULL, uses_another, (void *)i);
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(thread[i], &result);
        wrong += (unsigned)(uintptr_t)result;
    }
    LOAD(fs, SELECTOR(6));
    printf("wrong: %u; the sixth's: %u\n", wrong, by_fs());
}

static void forks(void)
{
    int status;
    put(data_at(2, &values[1]));
    LOAD(fs, SELECTOR(2));
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        printf("in the child: %u\n", by_fs());
        put(data_at(2, &values[2]));
        LOAD(fs, SELECTOR(2));
        printf("changed: %u\n", by_fs());
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    LOAD(fs, SELECTOR(2));
    printf("in the parent: %u\n", by_fs());
    pid = vfork();
    if (!pid) {
        put(data_at(2, &values[3]));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    LOAD(fs, SELECTOR(2));
    printf("after a child with its memory: %u\n", by_fs());
    clear(2);
    LOAD(fs, 0);
    pid = vfork();
    if (!pid)
        execl("/proc/self/exe", program_invocation_name, "--only", "process_ldt", "begun", NULL);
    waitpid(pid, &status, 0);
    say_status("another program", status);
}

static void first_by_a_child(void)
{
    int status;
    pid_t pid = vfork();
    if (!pid)
        _exit(put(data_at(9, &values[4])) ? 1 : 0);
    waitpid(pid, &status, 0);
    LOAD(fs, SELECTOR(9));
    printf("by a child with its memory: %u\n", by_fs());
}

/* ---- descriptors that change under who uses them --------------------------------------------- */

static void *clears(void *argument)
{
    while (!turn)
        sched_yield();
    clear((unsigned)(uintptr_t)argument);
    turn = 2;
    return NULL;
}

static void cleared_by_another(void)
{
    pthread_t thread;
    put(data_at(4, &values[5]));
    pthread_create(&thread, NULL, clears, (void *)(uintptr_t)4);
    LOAD(fs, SELECTOR(4));
    printf("before: %u\n", by_fs());
    turn = 1;
    while (turn != 2)
        sched_yield();
    pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++)
        usleep(1000);
    printf("fs afterwards: %#x\n", fs());
    (void)by_fs();
    printf("not reached\n");
}

static void not_there(void)
{
    struct user_desc desc = data_at(4, values);
    desc.seg_not_present = 1;
    TELL(put(desc));
    LOAD(fs, SELECTOR(4));
    printf("not reached\n");
}

/* ---- code and stack -------------------------------------------------------------------------- */

static volatile unsigned nr_alarms;

static void handler(int signal)
{
    (void)signal;
    nr_alarms++;
}

/* Where a far jump goes. (A far return reads the stack as the kernel would in some emulators, which
 * SMAP forbids.) */
static struct __attribute__((packed)) {
    unsigned at;
    unsigned short selector;
} far;

#define JUMP_FAR(label)                                                                            \
    "call 9f\n9:\tpop %%eax\n\t"                                                                   \
    "add $(" label " - 9b), %%eax\n\t"                                                             \
    "mov %%eax, %[at]\n\t"                                                                         \
    "ljmp *%[at]\n"

/* In a code segment of its own, with a stack segment of its own, until signals came; with calls of
 * the kernel in between, and others' turns. */
static void other_code_and_stack(void)
{
    struct sigaction action = {.sa_handler = handler};
    const struct itimerval soon = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    unsigned cs, ss, old_cs, old_ss;
    TELL(put(flat(1, 2)));
    TELL(put(flat(2, 0)));
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    STORE(cs, old_cs);
    STORE(ss, old_ss);
    far.selector = SELECTOR(1);
    LOAD(ss, SELECTOR(2));
    __asm__ volatile(JUMP_FAR("1f") "1:\tmov $158, %%eax\n\t" /* sched_yield */
                                    "int $0x80\n\t"
                                    "cmpl $3, %[alarms]\n\t"
                                    "jb 1b"
                     : [at] "+m"(far)
                     : [alarms] "m"(nr_alarms)
                     : "eax", "memory", "cc");
    STORE(cs, cs);
    STORE(ss, ss);
    far.selector = (unsigned short)old_cs;
    __asm__ volatile(JUMP_FAR("1f") "1:" : [at] "+m"(far) : : "eax", "memory", "cc");
    LOAD(ss, old_ss);
    setitimer(ITIMER_REAL, &never, NULL);
    printf("cs %#x, ss %#x\n", cs & 0xffff, ss & 0xffff);
}

/* There is no way back into code that is gone; a handler begins where all is as usual. */
static void code_goes(unsigned which)
{
    static struct user_desc empty;
    empty = (struct user_desc){.entry_number = which, .read_exec_only = 1, .seg_not_present = 1};
    put(flat(1, 2));
    put(flat(2, 0));
    fflush(stdout);
    far.selector = SELECTOR(1);
    LOAD(ss, SELECTOR(2));
    __asm__ volatile(JUMP_FAR("1f") "1:" : [at] "+m"(far) : : "eax", "memory", "cc");
    __asm__ volatile("int $0x80\n\tud2"
                     :
                     : "a"(SYS_modify_ldt), "b"(0x11), "c"(&empty), "d"(sizeof empty)
                     : "memory");
}

static void loses_its_code(void)
{
    code_goes(1);
}

static void loses_its_stack(void)
{
    code_goes(2);
}

static void segv(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    bool own = (at->uc_mcontext.gregs[REG_CS] & 0xffff) == SELECTOR(1);
    printf("%s, %d, in its own code: %d\n", sigabbrev_np(signal), info->si_code == SI_KERNEL, own);
    fflush(stdout);
    _exit(0);
}

static void handled(void)
{
    struct sigaction action = {.sa_sigaction = segv, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    code_goes(1);
}

static void empty_slots(void)
{
    struct user_desc desc = flat(-1u, 0);
    TELL(syscall(SYS_set_thread_area, &desc));
    unsigned entry = desc.entry_number;
    desc = (struct user_desc){.entry_number = entry};
    TELL(syscall(SYS_set_thread_area, &desc));
    desc = (struct user_desc){.entry_number = entry, .useable = 1};
    TELL(syscall(SYS_set_thread_area, &desc));
    desc = flat(-1u, 0);
    TELL(syscall(SYS_set_thread_area, &desc));
    printf("the same again: %d\n", desc.entry_number == entry);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[argc - 1], "begun")) {
        TELL(ldt(0, table, sizeof table));
        return 0;
    }
    IN_CHILD(reading);
    IN_CHILD(refused);
    IN_CHILD(kinds);
    IN_CHILD(threads);
    IN_CHILD(forks);
    IN_CHILD(first_by_a_child);
    IN_CHILD(cleared_by_another);
    IN_CHILD(not_there);
    IN_CHILD(other_code_and_stack);
    IN_CHILD(loses_its_code);
    IN_CHILD(loses_its_stack);
    IN_CHILD(handled);
    IN_CHILD(empty_slots);
    return 0;
}
#else
int main(void)
{
    return 0;
}
#endif
