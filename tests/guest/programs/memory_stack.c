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

/* ---- what stays free below one that grows ---------------------------------------------------- */

#define GAP 256 /* pages: Linux's stack_guard_gap */
#define RW (PROT_READ | PROT_WRITE)

static char *low; /* where nothing is */
static long room; /* pages from there on */

/* `count` pages, `at` pages from the beginning of the room. */
static char *put(long at, long count, int protection, int flags)
{
    return mmap(low + at * (long)PAGE, (size_t)count * PAGE, protection,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

static void clear_room(void)
{
    munmap(low, (size_t)room * PAGE);
}

/* An area that grows down from page 600 on comes so near to one that ends at page 100. */
static void approach(const char *what, int protection, int flags)
{
    clear_room();
    put(600, 2, RW, MAP_GROWSDOWN);
    if (what)
        put(99, 1, protection, flags);
    printf("above %s\n", what ? what : "nothing");
    say_access("a page beyond the gap", low + (100 + GAP) * PAGE, WRITE);
    say_access("the gap's last page", low + (100 + GAP - 1) * PAGE, WRITE);
    say_access("the gap's first page", low + 100 * PAGE, READ);
    say_access("the area below", low + 99 * PAGE, READ);
}

/* In the gap below an area that grows down: where Linux puts nothing, but for who insists. */
static void in_the_gap(void)
{
    char *wish = low + 500 * PAGE;
    clear_room();
    put(600, 2, RW, MAP_GROWSDOWN);
    char *got = mmap(wish, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("a wish in the gap is granted: %d\n", got == wish);
    munmap(got, PAGE);
    wish = low + (600 - GAP - 1) * PAGE;
    got = mmap(wish, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("one below it: %d\n", got == wish);
    printf("that grows into it: %d\n", mremap(got, PAGE, 2 * PAGE, 0) == got);
    munmap(got, 2 * PAGE);
    printf("whoever insists: %d\n",
           mmap(low + 598 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                0) == low + 598 * PAGE);
    say_access("the page above that", low + 599 * PAGE, WRITE);
    TELL(munmap(low + 598 * PAGE, PAGE));
    say_access("the same, with nothing below", low + 599 * PAGE, WRITE);
    say_access("and the one that was in the way", low + 598 * PAGE, WRITE);
}

/* What can't be read is no neighbour until it can; then what is there already stays. */
static void neighbour_awakes(void)
{
    clear_room();
    put(600, 2, RW, MAP_GROWSDOWN);
    put(99, 1, PROT_NONE, 0);
    say_access("a page in the gap", low + 110 * PAGE, WRITE);
    TELL(mprotect(low + 99 * PAGE, PAGE, PROT_READ));
    say_access("the same", low + 110 * PAGE, WRITE);
    say_access("one below", low + 109 * PAGE, WRITE);
    TELL(mprotect(low + 99 * PAGE, PAGE, PROT_NONE));
    say_access("one below, again", low + 109 * PAGE, WRITE);
    say_access("up to the neighbour", low + 100 * PAGE, WRITE);
    say_access("the neighbour", low + 99 * PAGE, WRITE);
}

/* The break keeps away, too. */
static void break_below(void)
{
    char *at = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & -PAGE);
    char *stack = mmap(at + 512 * PAGE, PAGE, RW,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
    printf("in its place: %d\n", stack == at + 512 * PAGE);
    TELL(brk(at + (512 - GAP) * PAGE));
    TELL(brk(at + (512 - GAP - 1) * PAGE));
    TELL(brk(at + (512 - GAP - 2) * PAGE));
}

static void guards(void)
{
    room = 700;
    low =
        mmap(NULL, (size_t)(room + 2 * GAP) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(low, (size_t)(room + 2 * GAP) * PAGE);
    low += GAP * PAGE;
    approach(NULL, 0, 0);
    approach("what can be read", PROT_READ, 0);
    approach("what can be written", RW, 0);
    approach("what can't be touched", PROT_NONE, 0);
    approach("another that grows down", RW, MAP_GROWSDOWN);
    in_the_gap();
    neighbour_awakes();
}

int main(void)
{
    IN_CHILD(far_below); /* before anything has written there */
    printf("1 MiB of it: %d\n", deep(1000));
    IN_CHILD(limited);
    IN_CHILD(endless);
    IN_CHILD(endless_but_handled);
    IN_CHILD(endless_without_another_stack);
    IN_CHILD(guards);
    IN_CHILD(break_below);
    printf("the parent's works: %d\n", deep(2000));
    return 0;
}
