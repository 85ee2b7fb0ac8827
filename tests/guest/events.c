/* tests/guest/events.c: does a known number of things that events are told of
 *
 *     CLASS-events FAULTS CHILDREN AREAS
 *
 * First touches FAULTS pages, then has CHILDREN children that each write to 10 of them, then maps
 * and unmaps AREAS areas of 13 pages that aren't next to each other, at 0x20000000, 0x20100000 and
 * so on. Prints its faults by getrusage, up to then and those of what was touched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define AREA_PAGES 13

static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static int complain(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned long faults = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long children = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long areas = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    long before = minor_faults();
    char *memory =
        mmap(NULL, faults * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return complain("mmap");
    for (unsigned long i = 0; i < faults; i++)
        memory[i * PAGE] = 1;
    long touched = minor_faults() - before;
    for (unsigned long i = 0; i < children; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return complain("fork");
        if (!pid) {
            for (unsigned long page = 0; page < 10; page++)
                memory[page * PAGE] = 2;
            _exit(7);
        }
        waitpid(pid, NULL, 0);
    }
    for (unsigned long i = 0; i < areas; i++)
        if (mmap((void *)(0x20000000ul + i * 0x100000), AREA_PAGES * PAGE, PROT_READ,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            return complain("mmap");
    for (unsigned long i = 0; i < areas; i++)
        munmap((void *)(0x20000000ul + i * 0x100000), AREA_PAGES * PAGE);
    printf("touched %ld\n", touched);
    return 0;
}
