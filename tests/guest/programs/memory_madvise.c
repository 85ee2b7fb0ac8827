/* madvise: what it changes, and what it refuses */
#include "say.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static void refusals(char *area)
{
    TELL(madvise(area + 1, PAGE, MADV_NORMAL));
    TELL(madvise(area, 0, MADV_DONTNEED));
    TELL(madvise(area, PAGE, 12345));
    TELL(madvise(area, 0, 12345));
    TELL(madvise(area, (size_t)-1, MADV_NORMAL));
    TELL(madvise(area - PAGE, PAGE, MADV_DONTNEED));
    TELL(madvise(area - PAGE, 2 * PAGE, MADV_NORMAL));
    TELL(madvise(area, PAGE, MADV_NORMAL));
    TELL(madvise(area, PAGE, MADV_RANDOM));
    TELL(madvise(area, PAGE, MADV_SEQUENTIAL));
    TELL(madvise(area, PAGE, MADV_WILLNEED));
    TELL(madvise(area, PAGE, MADV_REMOVE));
    TELL(madvise(area, PAGE, MADV_DONTDUMP));
    TELL(madvise(area, PAGE, MADV_DODUMP));
}

static void private_memory(char *area)
{
    memset(area, 'p', 4 * PAGE);
    TELL(madvise(area + PAGE, 2 * PAGE, MADV_DONTNEED));
    printf("%d %d %d %d\n", area[0], area[PAGE], area[2 * PAGE], area[3 * PAGE]);
    TELL(madvise(area, 1, MADV_DONTNEED)); /* rounded up to its page */
    printf("%d %d\n", area[0], area[3 * PAGE]);
    TELL(mlock(area + 3 * PAGE, PAGE));
    TELL(madvise(area + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
    printf("locked stays: %d\n", area[3 * PAGE]);
    TELL(munlock(area + 3 * PAGE, PAGE));
    TELL(madvise(area, 4 * PAGE, MADV_FREE));
    area[0] = 'w';
    printf("written to after FREE stays: %c\n", area[0]);
}

static void files(void)
{
    int fd = letters("file", 3 * PAGE);
    char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    private[0] = 'P';
    shared[PAGE] = 'S';
    TELL(madvise(private, 3 * PAGE, MADV_DONTNEED));
    TELL(madvise(shared, 3 * PAGE, MADV_DONTNEED));
    printf("the file's page is back: %c, what was shared stays: %c\n", private[0], shared[PAGE]);
    TELL(madvise(private, PAGE, MADV_FREE));
    TELL(madvise(private, PAGE, MADV_REMOVE));
    TELL(madvise(shared + PAGE, PAGE, MADV_REMOVE));
    printf("a hole was made: %d, its neighbours stay: %c%c\n", shared[PAGE], shared[0],
           shared[2 * PAGE]);
    close(fd);
}

static void fork_advice(void)
{
    static char *area;
    area = pages(3);
    memset(area, 'f', 3 * PAGE);
    TELL(madvise(area, PAGE, MADV_DONTFORK));
    TELL(madvise(area + PAGE, PAGE, MADV_WIPEONFORK));
    pid_t pid = fork();
    if (!pid) {
        say_access("DONTFORK in the child", area, READ);
        printf("WIPEONFORK in the child: %d, the third: %c\n", area[PAGE], area[2 * PAGE]);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("in the parent: %c%c%c\n", area[0], area[PAGE], area[2 * PAGE]);
    TELL(madvise(area, PAGE, MADV_DOFORK));
    TELL(madvise(area + PAGE, PAGE, MADV_KEEPONFORK));
    pid = fork();
    if (!pid) {
        printf("and taken back: %c%c\n", area[0], area[PAGE]);
        exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void populate(void)
{
    unsigned char resident[4];
    char *area = pages(4);
    TELL(madvise(area, 2 * PAGE, MADV_POPULATE_READ));
    TELL(madvise(area + 2 * PAGE, PAGE, MADV_POPULATE_WRITE));
    mincore(area, 4 * PAGE, resident);
    printf("resident: %d%d%d%d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1,
           resident[3] & 1);
    mprotect(area, PAGE, PROT_READ);
    TELL(madvise(area, PAGE, MADV_POPULATE_WRITE));
    TELL(madvise(area - PAGE, 2 * PAGE, MADV_POPULATE_READ));
}

int main(void)
{
    char *area = pages(4);
    refusals(area);
    private_memory(area);
    files();
    fork_advice();
    populate();
    return 0;
}
