/* mmap: what it refuses, where it puts things */
#include "say.h"

static void refusals(void)
{
    int file = letters("file", PAGE), read_only = open("file", O_RDONLY);
    int write_only = open("file", O_WRONLY), folder = open(".", O_RDONLY);
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    char *two = pages(2);
    TELL_DONE(mmap(NULL, 0, PROT_READ, anonymous, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, folder, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 1000 * PAGE));
    TELL_DONE(mmap(two + 1, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0));
    TELL_DONE(mmap(NULL, -PAGE, PROT_READ, anonymous, -1, 0));
    TELL_DONE(mmap(NULL, (size_t)-1, PROT_READ, anonymous, -1, 0));
    TELL_DONE(mmap((void *)-PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_NONE, anonymous, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, anonymous | 0x2000, -1, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, file, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    close(file);
    close(read_only);
    close(write_only);
    close(folder);
}

static void places(void)
{
    char *area = pages(8), *got;
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    munmap(area + 2 * PAGE, 2 * PAGE);
    got = mmap(area + 2 * PAGE, PAGE, PROT_READ, anonymous, -1, 0);
    printf("a free hint is taken: %d\n", got == area + 2 * PAGE);
    got = mmap(area + 3 * PAGE + 5, PAGE, PROT_READ, anonymous, -1, 0);
    printf("a hint within a page is rounded: %d\n", got == area + 3 * PAGE);
    got = mmap(area, PAGE, PROT_READ, anonymous, -1, 0);
    printf("a taken hint is left alone: %d\n", got != area && got != MAP_FAILED);
    area[0] = 'x';
    errno = 0;
    got = mmap(area, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0);
    printf("NOREPLACE on something: %s, still there: %c\n", error_name(errno), area[0]);
    munmap(area + 4 * PAGE, PAGE);
    got = mmap(area + 4 * PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0);
    printf("NOREPLACE on nothing: %d\n", got == area + 4 * PAGE);
    got = mmap(area + 3 * PAGE, 2 * PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0);
    printf("NOREPLACE half on something: %s\n", error_name(got == MAP_FAILED ? errno : 0));
    got = mmap(area, 2 * PAGE, PROT_READ | PROT_WRITE, anonymous | MAP_FIXED, -1, 0);
    printf("FIXED replaces: %d, by zeros: %d\n", got == area, area[0]);
}

static void private_file(void)
{
    int fd = letters("private", 2 * PAGE + 10);
    char *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), byte;
    printf("%c%c%c, behind the end %d\n", map[0], map[PAGE], map[2 * PAGE + 9], map[2 * PAGE + 10]);
    map[0] = 'X';
    TELL(pread(fd, &byte, 1, 0));
    printf("the file keeps %c\n", byte);
    TELL(pwrite(fd, "YZ", 2, PAGE - 1));
    printf("a page written to keeps its own: %c, one only read follows the file: %c\n",
           map[PAGE - 1], map[PAGE]);
    TELL(munmap(map, 3 * PAGE));
    map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    printf("from the second page on: %c%c\n", map[0], map[1]);
    close(fd);
    printf("the descriptor isn't needed: %c\n", map[2]);
}

int main(void)
{
    refusals();
    places();
    private_file();
    return 0;
}
