/* Shared mappings: anonymous and of files, over fork, truncation and unlinking */
#include "say.h"

static void anonymous(void)
{
    volatile int *shared =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++)
        if (!fork()) {
            __atomic_fetch_add((int *)&shared[0], i + 1, __ATOMIC_SEQ_CST);
            shared[1024 + i] = i * 10; /* pages that the parent hasn't touched */
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("sum of four children: %d; their pages: %d %d %d %d\n", shared[0], shared[1024],
           shared[1025], shared[1026], shared[1027]);
}

static void with_the_file(void)
{
    char text[8] = {0};
    int fd = letters("file", 2 * PAGE), other = open("file", O_RDWR);
    char *one = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *two = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, other, 0);
    memcpy(one, "mapped", 6);
    TELL(pread(other, text, 6, 0));
    printf("read: %s, other mapping: %.6s\n", text, two);
    TELL(pwrite(other, "write", 5, PAGE));
    printf("mapped: %.5s\n", one + PAGE);
    TELL(unlink("file"));
    memcpy(one, "unlink", 6);
    printf("unlinked: %.6s\n", two);
    TELL(open("file", O_RDONLY));
    TELL(ftruncate(fd, PAGE));
    say_access("the page cut off", one + PAGE, READ);
    TELL(ftruncate(fd, 2 * PAGE));
    printf("and back, as zeros: %d\n", one[PAGE]);
    TELL(ftruncate(fd, 3));
    TELL(ftruncate(fd, PAGE));
    printf("cut within a page: %c%c%c, then %d\n", one[0], one[1], one[2], one[3]);
    close(fd);
    close(other);
    printf("closed: %.3s\n", two);
}

static void private_under_truncation(void)
{
    int fd = letters("private", 2 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    map[PAGE] = 'P';
    TELL(ftruncate(fd, PAGE));
    say_access("a private copy of a page cut off", map + PAGE, READ);
    TELL(ftruncate(fd, 2 * PAGE));
    printf("and back: %d\n", map[PAGE]);
    close(fd);
}

int main(void)
{
    anonymous();
    with_the_file();
    private_under_truncation();
    return 0;
}
