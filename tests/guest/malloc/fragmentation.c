/* Allocates i KiB for i in 0..199, frees the odd ones, then the rest; after each
 * step prints the process's faults, the break, mallinfo, malloc_stats and maps.
 * With an argument, every byte is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void faults(const char *when)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    printf("%s: minflt=%ld majflt=%ld maxrss=%ldK sbrk=%p\n", when, r.ru_minflt, r.ru_majflt,
           r.ru_maxrss, sbrk(0));
}

static void maps(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/maps", "r");
    if (!f) {
        puts("(no /proc/self/maps)");
        return;
    }
    while (fgets(line, sizeof line, f))
        fputs(line, stdout);
    fclose(f);
}

static void heap(const char *when)
{
#ifdef __GLIBC__
    struct mallinfo m = mallinfo();
    printf("%s: arena=%d ordblks=%d smblks=%d hblks=%d hblkhd=%d fsmblks=%d uordblks=%d "
           "fordblks=%d keepcost=%d\n",
           when, m.arena, m.ordblks, m.smblks, m.hblks, m.hblkhd, m.fsmblks, m.uordblks, m.fordblks,
           m.keepcost);
    fflush(stdout);
    malloc_stats();
#else
    printf("%s: (no mallinfo in this libc)\n", when);
#endif
}

int main(int argc, char **argv)
{
    static char *block[200];
    int touch = argc > 1;
    (void)argv;
    setvbuf(stdout, 0, _IOLBF, 0);
    dup2(1, 2);
    faults("start");
    for (int i = 0; i < 200; i++) {
        block[i] = malloc((size_t)i * 1024);
        if (!block[i]) {
            printf("malloc %d failed\n", i);
            return 1;
        }
        if (touch)
            memset(block[i], i, (size_t)i * 1024);
    }
    faults("after malloc");
    heap("after malloc");
    maps();
    for (int i = 1; i < 200; i += 2)
        free(block[i]);
    faults("after free odd");
    heap("after free odd");
    maps();
    for (int i = 0; i < 200; i += 2)
        free(block[i]);
    faults("after free all");
    heap("after free all");
    maps();
    return 0;
}
