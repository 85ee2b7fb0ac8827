/* brk: up, down, against what is in its way */
#include "say.h"

#include <sys/resource.h>

static long ask(char *start, long by)
{
    return (long)((char *)syscall(SYS_brk, start + by) - start);
}

int main(void)
{
    char *start = (char *)((syscall(SYS_brk, 0) + PAGE - 1) & -PAGE);
    printf("up: %ld\n", ask(start, 0));
    printf("by three pages: %ld\n", ask(start, 3 * (long)PAGE));
    printf("fresh memory is zero: %d\n", start[2 * PAGE + 5]);
    memset(start, 'b', 3 * PAGE);
    printf("by a part of a page: %ld\n", ask(start, 3 * (long)PAGE + 100));
    say_access("the rest of that page", start + 4 * PAGE - 1, WRITE);
    say_access("the page behind", start + 4 * PAGE, WRITE);
    printf("down: %ld\n", ask(start, PAGE));
    say_access("what was given back", start + PAGE, READ);
    printf("up again: %ld\n", ask(start, 3 * (long)PAGE));
    printf("as zeros: %d\n", start[PAGE]);
    printf("far below its begin: %ld\n", ask(start, -(64l << 20)));
    printf("the first page stays: %c\n", start[0]);
    mmap(start + 8 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("over a mapping: %ld\n", ask(start, 10 * (long)PAGE));
    printf("up to it: %ld\n", ask(start, 7 * (long)PAGE));
    printf("to nowhere: %ld\n", ask(start, -(long)(uintptr_t)start - 1));
    struct rlimit limit = {16 * PAGE, RLIM_INFINITY};
    munmap(start + 8 * PAGE, PAGE);
    TELL(setrlimit(RLIMIT_DATA, &limit));
    printf("beyond RLIMIT_DATA: %ld\n", ask(start, 64 * (long)PAGE));
    limit.rlim_cur = RLIM_INFINITY;
    TELL(setrlimit(RLIMIT_DATA, &limit));
    pid_t pid = fork();
    if (!pid) {
        printf("a child's own: %ld\n", ask(start, 2 * (long)PAGE));
        exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("the parent's: %ld\n", (long)((char *)syscall(SYS_brk, 0) - start));
    printf("it can be unmapped: %d\n", munmap(start, PAGE));
    say_access("a part of the heap that was unmapped", start, READ);
    return 0;
}
