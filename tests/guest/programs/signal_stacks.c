/* The alternate stack; what a handler may change of what it interrupted */
#include "say.h"

#include <ucontext.h>

static char *stack_begin;
static size_t stack_size = 16 * PAGE;

static bool on_it(const void *address)
{
    return (const char *)address >= stack_begin && (const char *)address < stack_begin + stack_size;
}

static void handler(int signal, siginfo_t *info, void *context)
{
    char here;
    stack_t now;
    const ucontext_t *interrupted = context;
    (void)info;
    sigaltstack(NULL, &now);
    printf("%s: on the stack %d, flags %d, in the context %d\n", sigabbrev_np(signal), on_it(&here),
           now.ss_flags, interrupted->uc_stack.ss_sp == stack_begin);
    if (signal == SIGUSR1) {
        stack_t other = {.ss_sp = malloc(stack_size), .ss_size = stack_size};
        TELL(sigaltstack(&other, NULL));
        raise(SIGUSR2);
    }
}

static void skips(int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)signal;
    (void)info;
#ifdef __x86_64__
    interrupted->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
    interrupted->uc_mcontext.gregs[REG_RBX] = 4711;
#else
    interrupted->uc_mcontext.gregs[REG_EIP] += 2;
    interrupted->uc_mcontext.gregs[REG_EBX] = 4711;
#endif
    sigaddset(&interrupted->uc_sigmask, SIGWINCH);
}

static void changed(void)
{
    struct sigaction action = {.sa_sigaction = skips, .sa_flags = SA_SIGINFO};
    long rbx = 0;
    sigset_t set;
    sigaction(SIGILL, &action, NULL);
    __asm__ volatile("ud2" : "=b"(rbx));
    printf("a register and where it goes on: %ld\n", rbx);
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("and the mask: %d\n", sigismember(&set, SIGWINCH));
}

static volatile int reached;
static void floats(int signal)
{
    (void)signal;
    volatile double x = 3.25;
    for (int i = 0; i < 100; i++)
        x *= 1.5;
#ifdef __SSE__
    __asm__ volatile("xorps %%xmm0, %%xmm0\n\txorps %%xmm1, %%xmm1" ::: "xmm0", "xmm1");
#endif
    reached++;
}

static void registers_are_kept(void)
{
    double sums[2] = {0, 0};
    signal(SIGUSR1, floats);
    for (int round = 0; round < 2; round++) {
        double a = 1, b = 2;
        for (int i = 0; i < 50; i++) {
            a = a * 1.0625 + b;
            b = b / 1.03125 + 1;
            if (round)
                raise(SIGUSR1);
        }
        sums[round] = a + b;
    }
    printf("floating point is as it was: %d, after %d signals\n", sums[0] == sums[1], reached);
}

int main(void)
{
    stack_t stack, old;
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_begin = pages(16);
    TELL(sigaltstack(NULL, &old));
    printf("at first: %d\n", old.ss_flags == SS_DISABLE);
    stack = (stack_t){.ss_sp = stack_begin, .ss_size = 1000};
    TELL(sigaltstack(&stack, NULL));
    stack = (stack_t){.ss_sp = stack_begin, .ss_size = stack_size, .ss_flags = 99};
    TELL(sigaltstack(&stack, NULL));
    stack.ss_flags = 0;
    TELL(sigaltstack(&stack, NULL));
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR1);
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTERM, &action, NULL);
    raise(SIGTERM);
    pid_t pid = fork();
    if (!pid) {
        raise(SIGUSR2); /* a child has it too */
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    stack.ss_flags = SS_DISABLE;
    TELL(sigaltstack(&stack, &old));
    raise(SIGUSR2);
    changed();
    registers_are_kept();
    return 0;
}
