/* What parent and child have in common: private and shared memory after fork */
#include "say.h"

#include <sys/resource.h>

static char data[2 * PAGE] = "data", zeros[2 * PAGE];
static char *heap, *private, *shared, *file_private, *file_shared;

static void show(const char *who)
{
    printf("%s: %s %s %s %s %s %s %s\n", who, data, zeros, heap, private, shared, file_private,
           file_shared);
}

static void write_all(const char *text)
{
    char *all[] = {data, zeros, heap, private, shared, file_private, file_shared};
    for (unsigned i = 0; i < COUNT(all); i++)
        strcpy(all[i], text);
}

static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void generations(int depth)
{
    int status;
    pid_t pid = depth ? fork() : -1;
    if (!pid) {
        private[0] = (char)('0' + depth);
        generations(depth - 1);
        printf("generation %d sees %c\n", depth, private[0]);
        exit(depth);
    }
    if (pid > 0) {
        waitpid(pid, &status, 0);
        printf("of depth %d: %d\n", depth, WEXITSTATUS(status));
    }
}

static void counted(void)
{
    char *area = pages(32);
    memset(area, 'c', 32 * PAGE);
    pid_t pid = fork();
    if (!pid) {
        long before = minor_faults();
        for (int page = 0; page < 32; page++)
            area[page * PAGE] = 'd';
        printf("32 pages of the parent's written to: %ld faults\n", minor_faults() - before);
        before = minor_faults();
        for (int page = 0; page < 32; page++)
            area[page * PAGE] = 'e';
        printf("and again: %ld\n", minor_faults() - before);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("the parent's is as it was: %c%c\n", area[0], area[31 * PAGE]);
    area[0] = 'f';
    printf("and can be written to: %c\n", area[0]);
}

int main(void)
{
    int to_child[2], to_parent[2];
    char byte;
    int fd = letters("file", PAGE);
    heap = malloc(100);
    private = pages(1);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    file_private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    file_shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    write_all("first");
    if (pipe(to_child) || pipe(to_parent))
        return 1;
    pid_t pid = fork();
    if (!pid) {
        show("the child begins");
        write_all("child");
        show("the child wrote");
        if (write(to_parent[1], "x", 1) != 1 || read(to_child[0], &byte, 1) != 1)
            return 1;
        show("the child after its parent wrote");
        exit(0);
    }
    if (read(to_parent[0], &byte, 1) != 1)
        return 1;
    show("the parent after its child wrote");
    write_all("parent");
    if (write(to_child[1], "x", 1) != 1)
        return 1;
    waitpid(pid, NULL, 0);
    show("the parent at the end");
    TELL(pread(fd, &byte, 1, 0));
    printf("the file: %c\n", byte);
    generations(4);
    printf("the first sees %c\n", private[0]);
    counted();
    return 0;
}
