/* Segment registers belong to a thread, and a new program begins with none (x86-64); their slots
 * may go under them (i386) */
#include "say.h"

#if defined(__x86_64__)
#include <asm/prctl.h>
#include <sched.h>

#define USER_DATA 0x2b
#define USER_CODE 0x33

struct selectors {
    unsigned ds, es, fs, gs;
};

#define LOAD(name, value) __asm__ volatile("mov %0, %%" #name : : "r"((unsigned)(value)))
#define STORE(name, to) __asm__ volatile("mov %%" #name ", %0" : "=r"(to))

static inline long call(long number, long a, long b)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return result;
}

static void read_selectors(struct selectors *s)
{
    STORE(ds, s->ds);
    STORE(es, s->es);
    STORE(fs, s->fs);
    STORE(gs, s->gs);
}

static void say(const char *what, const struct selectors *s)
{
    printf("%s: ds %#x, es %#x, fs %#x, gs %#x\n", what, s->ds, s->es, s->fs, s->gs);
}

/* Without FS there is no libc: in between only calls of the kernel. */
static void loses_fs(void)
{
    unsigned long base, without;
    struct selectors between;
    call(SYS_arch_prctl, ARCH_GET_FS, (long)&base);
    LOAD(fs, USER_DATA);
    for (int i = 0; i < 20; i++)
        call(SYS_sched_yield, 0, 0);
    read_selectors(&between);
    call(SYS_arch_prctl, ARCH_GET_FS, (long)&without);
    call(SYS_arch_prctl, ARCH_SET_FS, (long)base);
    say("without fs", &between);
    printf("its base: %#lx\n", without);
    read_selectors(&between);
    say("with it again", &between);
}

static void works_beside(int fd, unsigned ds, unsigned gs)
{
    struct selectors now;
    char byte;
    LOAD(ds, ds);
    LOAD(es, ds);
    LOAD(gs, gs);
    unsigned wrong = 0;
    for (int i = 0; i < 200; i++) {
        sched_yield();
        read_selectors(&now);
        wrong += now.ds != ds || now.es != ds || now.gs != gs;
    }
    (void)!read(fd, &byte, 1); /* until its parent is through */
    _exit(wrong ? 1 : 0);
}

static void beside_each_other(void)
{
    struct selectors now;
    int ends[2], status;
    if (pipe(ends))
        return;
    fflush(stdout);
    pid_t first = fork();
    if (!first) {
        close(ends[1]);
        works_beside(ends[0], USER_DATA, USER_CODE);
    }
    pid_t second = fork();
    if (!second) {
        close(ends[1]);
        works_beside(ends[0], 0, USER_DATA);
    }
    unsigned wrong = 0;
    for (int i = 0; i < 200; i++) {
        sched_yield();
        read_selectors(&now);
        wrong += now.ds || now.es || now.fs || now.gs;
    }
    printf("wrong here: %u\n", wrong);
    close(ends[1]);
    waitpid(first, &status, 0);
    say_status("the first", status);
    waitpid(second, &status, 0);
    say_status("the second", status);
}

int main(int argc, char **argv)
{
    struct selectors now;
    read_selectors(&now);
    if (argc > 1) {
        say(argv[1], &now);
        return 0;
    }
    say("at the beginning", &now);
    beside_each_other();
    loses_fs();
    LOAD(gs, USER_DATA);
    unsigned long base = 1;
    syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
    printf("the base of gs: %#lx\n", base);
    TELL(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x12345000));
    read_selectors(&now);
    say("a base was set", &now);
    sched_yield();
    syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
    printf("the base of gs: %#lx\n", base);
    LOAD(ds, USER_DATA);
    LOAD(es, USER_CODE);
    LOAD(gs, USER_DATA);
    fflush(stdout);
    execl("/proc/self/exe", "session", "--only", "process_selectors", "after exec", NULL);
    return 1;
}
#else
#include <asm/ldt.h>

static struct user_desc slot = {
    .entry_number = -1u, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};

/* The stack's selector names a slot, which is emptied under it: there is no way back. */
static void loses_its_stack(void)
{
    static struct user_desc empty;
    if (syscall(SYS_set_thread_area, &slot))
        return;
    empty = (struct user_desc){
        .entry_number = slot.entry_number, .read_exec_only = 1, .seg_not_present = 1};
    unsigned selector = slot.entry_number * 8 + 3;
    long result;
    __asm__ volatile("mov %2, %%ss\n\tint $0x80"
                     : "=a"(result)
                     : "0"(SYS_set_thread_area), "r"(selector), "b"(&empty)
                     : "memory");
}

int main(void)
{
    IN_CHILD(loses_its_stack);
    return 0;
}
#endif
