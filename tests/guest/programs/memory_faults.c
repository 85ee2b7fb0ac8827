/* Faults: which signal, which code, which address */
#include "say.h"

#include <ucontext.h>

static void in_files(void)
{
    int fd = letters("file", PAGE + 100);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    say_access("the last byte", map + PAGE + 99, READ);
    say_access("the rest of the last page", map + 2 * PAGE - 1, WRITE);
    say_access("a page behind the end", map + 2 * PAGE + 7, READ);
    say_access("a page behind the end", map + 3 * PAGE, WRITE);
    TELL(ftruncate(fd, 3 * PAGE));
    say_access("it after the file grew", map + 2 * PAGE + 7, READ);
    say_access("what is still behind", map + 3 * PAGE, READ);
    TELL(ftruncate(fd, 0));
    say_access("the first page of an empty file", map, READ);
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    say_access("a private page behind the end", private, WRITE);
    close(fd);
}

static void in_code(void)
{
    static char data[64] __attribute__((aligned(64)));
    data[0] = (char)0xc3; /* ret */
    char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *area = pages(1);
    (void)data;
    say_access("nothing", NULL, READ);
    say_access("nothing", NULL, WRITE);
    say_access("nothing", NULL, EXECUTE);
    say_access("PROT_NONE", none + 123, READ);
    say_access("behind an area", area + PAGE, READ);
    say_access("before an area", area - 1, WRITE);
    say_access("our own code", (void *)(uintptr_t)in_files, WRITE);
#ifdef __x86_64__
    say_access("data", data, EXECUTE);
    say_access("a fresh page", area, EXECUTE);
    say_access("the kernel", (void *)0xffff888000000000, READ);
    say_access("the kernel", (void *)0xffffffff80100000, WRITE);
    say_access("the kernel", (void *)0xffffffff80100000, EXECUTE);
    faults((void *)0x800000000000, READ);
    printf("no canonical address: SIG%s, %s, at %p\n", sigabbrev_np(fault_signal),
           fault_code_name(fault_signal, fault_code), fault_address);
#endif
}

static volatile int handled;
static void other_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    handled = signal;
    printf("SIG%s with code %d\n", sigabbrev_np(signal), info->si_code);
    siglongjmp(fault_return, 1);
}

static void other_faults(void)
{
    const struct sigaction action = {.sa_sigaction = other_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("ud2");
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("xor %%eax, %%eax\n\tcltd\n\tidivl %%eax" ::: "eax", "edx");
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("int3");
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("hlt");
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("int $0x20");
    if (!sigsetjmp(fault_return, 1))
        __asm__ volatile("mov %0, %%fs" ::"r"(0x1234));
}

static void system_calls(void)
{
    void *volatile nothing = NULL; /* the compiler knows what may be NULL */
    char *area = pages(2);
    int ends[2];
    mprotect(area + PAGE, PAGE, PROT_NONE);
    TELL(pipe(ends));
    TELL(write(ends[1], area + PAGE, 1));
    TELL(write(ends[1], nothing, 1));
    TELL(write(ends[1], area + PAGE - 2, 4)); /* what can be read comes over, or nothing */
    TELL(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    TELL(read(ends[0], area + PAGE, 4));
    TELL(open(area + PAGE, O_RDONLY));
    TELL(open(nothing, O_RDONLY));
    TELL(pipe((int *)(area + PAGE)));
    TELL(pipe((int *)(area + PAGE - 4)));
    memset(area, 'p', PAGE);
    TELL(open(area, O_RDONLY)); /* a name without end */
}

static void die_of_a_fault(void)
{
    *(volatile int *)16 = 1;
}

static void fault_while_blocked(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    signal(SIGSEGV, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *(volatile int *)16 = 1;
}

static void fault_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)16 = 1;
}

static void divide_by_zero(void)
{
    __asm__ volatile("xor %%eax, %%eax\n\tcltd\n\tidivl %%eax" ::: "eax", "edx");
}

int main(void)
{
    in_files();
    in_code();
    IN_CHILD(other_faults);
    system_calls();
    IN_CHILD(die_of_a_fault);
    IN_CHILD(fault_while_blocked);
    IN_CHILD(fault_ignored);
    IN_CHILD(divide_by_zero);
    return 0;
}
