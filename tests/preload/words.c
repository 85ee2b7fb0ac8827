/* tests/preload/words.c: quire-words CASE: programs for what words of QUIRE_MALLOC do and say */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_BLOCKS 1000u
#define BLOCK_BYTES 50000u

static size_t resident_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
        exit(2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Whether what is freed stays. */
static int keeps(void)
{
    static char *block[NR_BLOCKS];
    size_t before = resident_bytes();
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(BLOCK_BYTES);
        if (!block[i])
            return 2;
        memset(block[i], 1, BLOCK_BYTES);
    }
    for (unsigned i = NR_BLOCKS; i--;)
        free(block[i]);
    return resident_bytes() < before + (size_t)NR_BLOCKS * BLOCK_BYTES * 4 / 5;
}

/* Of guarded blocks there are as many as were allocated, and their pages are in one row: far behind
 * is one that had no block yet. */
static char *beside_all(void)
{
    static char *volatile block;
    block = malloc(100);
    return block + 300 * 8192;
}

static int writes_beside_all(void)
{
    *(volatile char *)beside_all() = 1;
    return 0;
}

static int frees_beside_all(void)
{
    free(beside_all());
    return 0;
}

static int writes_behind(void)
{
    static char *volatile block;
    block = malloc(100);
    block[112] = 1;
    return 0;
}

static int writes_freed(void)
{
    static char *volatile block;
    block = malloc(100);
    free(block);
    block[1] = 1;
    return 0;
}

static void *volatile lost;

__attribute__((noinline)) static void lose(void)
{
    lost = malloc(1234);
    lost = NULL;
}

static int leaks(void)
{
    lose();
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {
    {"keeps", keeps},
    {"writes_beside_all", writes_beside_all},
    {"frees_beside_all", frees_beside_all},
    {"writes_behind", writes_behind},
    {"writes_freed", writes_freed},
    {"leaks", leaks},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof cases[0]; i++)
        if (!strcmp(argv[1], cases[i].name))
            return cases[i].run();
    return 2;
}
