/* tests/command/allocator.c: a program whose use of memory is known, for run.sh
 *
 *     pages N           touches N pages of its own mapping
 *     hold N SIZE       has N blocks at the end of which each was written, and waits a moment
 *     serve N SIZE      takes and drops one block N times
 *     burst N SIZE M    M times takes N blocks, and then drops them
 *     settle N SIZE M   the same, and then one block at a time for a moment
 *     sparse SIZE       takes a block, touches a byte of it and drops it, a thousand times
 *     headless SIZE     goes on with a block for a moment when the first thread has ended
 *     threads N         threads that each have a hundred blocks of 112 bytes at the end
 *     family N          N children that each have a hundred blocks of 1024 bytes, and end by _exit
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 100000
#define A_MOMENT_US 400000
#define SELDOM 48 /* bytes of a block that nobody else takes */

static void *block[MOST];

static void *taken(size_t size)
{
    char *made = malloc(size);
    if (!made)
        exit(1);
    for (size_t at = 0; at < size; at += 1000)
        ((volatile char *)made)[at] = 1;
    return made;
}

static int pages(size_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *at = mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || madvise(at, count * page, MADV_NOHUGEPAGE))
        return 1;
    for (size_t i = 0; i < count; i++)
        ((volatile char *)at)[i * page] = 1;
    return 0;
}

static int hold(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        block[i] = taken(size);
    usleep(A_MOMENT_US);
    free(taken(SELDOM)); /* which isn't on a stack: so its heap says what it has */
    usleep(A_MOMENT_US);
    return 0;
}

static int burst(size_t count, size_t size, size_t times)
{
    while (times--) {
        for (size_t i = 0; i < count; i++)
            block[i] = taken(size);
        for (size_t i = 0; i < count; i++)
            free(block[i]);
    }
    return 0;
}

static int settle(size_t count, size_t size, size_t times)
{
    (void)burst(count, size, times);
    for (unsigned i = 0; i < 60; i++) {
        free(taken(size));
        usleep(A_MOMENT_US / 20);
    }
    return 0;
}

static void *thread(void *arg)
{
    for (size_t i = 0; i < 100; i++)
        block[*(size_t *)arg * 100 + i] = taken(112);
    return NULL;
}

static int threads(size_t count)
{
    static pthread_t started[MOST / 100];
    static size_t number[MOST / 100];
    for (size_t i = 0; i < count; i++) {
        number[i] = i;
        if (pthread_create(&started[i], NULL, thread, &number[i]))
            return 1;
    }
    for (size_t i = 0; i < count; i++)
        if (pthread_join(started[i], NULL))
            return 1;
    return 0;
}

static int family(size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!fork())
            _exit(hold(100, 1024));
    while (wait(NULL) > 0)
        ;
    return 0;
}

static int sparse(size_t size)
{
    for (size_t i = 0; i < 1000; i++) {
        volatile char *made = malloc(size);
        if (!made)
            return 1;
        *made = 1;
        free((void *)made);
    }
    usleep(A_MOMENT_US);
    return hold(1000, 64);
}

static void *go_on(void *arg)
{
    (void)taken(*(size_t *)arg);
    for (unsigned i = 0; i < 4; i++)
        usleep(A_MOMENT_US);
    exit(0);
}

static int headless(size_t size)
{
    static size_t bytes;
    pthread_t thread;
    bytes = size;
    if (pthread_create(&thread, NULL, go_on, &bytes))
        return 1;
    pthread_exit(NULL);
}

int main(int argc, char **argv)
{
    size_t number[3] = {0};
    if (argc < 3)
        return 2;
    for (int i = 2; i < argc && i < 5; i++)
        number[i - 2] = strtoul(argv[i], NULL, 10);
    bool is_count = !strchr("ps", argv[1][0]) && strcmp(argv[1], "headless") != 0;
    if (number[0] > MOST && (is_count || !strcmp(argv[1], "settle")))
        return 2;
    return !strcmp(argv[1], "pages")      ? pages(number[0])
           : !strcmp(argv[1], "hold")     ? hold(number[0], number[1])
           : !strcmp(argv[1], "serve")    ? burst(1, number[1], number[0])
           : !strcmp(argv[1], "burst")    ? burst(number[0], number[1], number[2])
           : !strcmp(argv[1], "settle")   ? settle(number[0], number[1], number[2])
           : !strcmp(argv[1], "sparse")   ? sparse(number[0])
           : !strcmp(argv[1], "headless") ? headless(number[0])
           : !strcmp(argv[1], "threads")  ? threads(number[0])
           : !strcmp(argv[1], "family")   ? family(number[0])
                                          : 2;
}
