/* The stack grows as it is touched, as far as its limit, and not into its neighbours */
#include "say.h"

#include <sys/resource.h>

static __attribute__((noinline)) int deep(int depth)
{
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth ? deep(depth - 1) + frame[0] - frame[0] + 1 : 0;
}

static void endless(void)
{
    deep(1 << 30);
}

static void overflow_on_an_alternate_stack(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("SIG%s, %s, handled on the other stack\n", sigabbrev_np(signal),
           fault_code_name(signal, info->si_code));
    _exit(0);
}

static void endless_but_handled(void)
{
    stack_t stack = {.ss_sp = pages(16), .ss_size = 16 * PAGE};
    struct sigaction action = {.sa_sigaction = overflow_on_an_alternate_stack,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    TELL(sigaltstack(&stack, NULL));
    TELL(sigaction(SIGSEGV, &action, NULL));
    deep(1 << 30);
}

static void endless_without_another_stack(void)
{
    struct sigaction action = {.sa_sigaction = overflow_on_an_alternate_stack,
                               .sa_flags = SA_SIGINFO};
    TELL(sigaction(SIGSEGV, &action, NULL));
    deep(1 << 30);
}

static void limited(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 256 * 1024;
    TELL(setrlimit(RLIMIT_STACK, &limit));
    printf("100 KiB: %d\n", deep(100));
    printf("1 MiB:\n");
    deep(1024);
    printf("not reached\n");
}

static void far_below(void)
{
    char here;
    char *page = (char *)((uintptr_t)&here & -PAGE);
    say_access("64 pages below, untouched between", page - 64 * PAGE, WRITE);
    say_access("a page of the stack on the way", page - 60 * PAGE, READ);
    printf("it is zero: %d\n", page[-60 * (long)PAGE]);
}

int main(void)
{
    printf("1 MiB of it: %d\n", deep(1000));
    IN_CHILD(far_below);
    IN_CHILD(limited);
    IN_CHILD(endless);
    IN_CHILD(endless_but_handled);
    IN_CHILD(endless_without_another_stack);
    printf("the parent's works: %d\n", deep(2000));
    return 0;
}
