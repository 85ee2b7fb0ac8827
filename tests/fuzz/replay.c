/* tests/fuzz/replay.c: runs a fuzz target on files, without libFuzzer
 *
 *     quire-replay-TARGET [--changed=N [--seed=S]] FILE|FOLDER...
 *
 * Prints TAP: a case a file. An input that breaks something ends the process, as under libFuzzer;
 * the line before says which file it was. With --changed each file is followed by N copies of it
 * with a few random changes; which, follows from the seed and the copy's number. The one that broke
 * something is in the file `changed-input` of the working directory then, to be run alone.
 */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST_INPUT (1u << 20)
#define LONGEST_PATH 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned cases;

static unsigned long nr_changed;
static uint64_t seed = 1, state;

/* ---- changed copies -------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t random_number(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t below(size_t bound)
{
    return (size_t)(random_number() % bound);
}

/* Numbers at edges go where a format has its numbers: at multiples of their size, mostly. */
static void put_number(uint8_t *data, size_t size)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     3,
                                     0x7f,
                                     0xff,
                                     0xfff,
                                     0x1000,
                                     0x1001,
                                     0x7fff,
                                     0xffff,
                                     0x10000,
                                     0x400000,
                                     0x7fffffff,
                                     0x80000000,
                                     0xbffff000,
                                     0xc0000000,
                                     0xfffff000,
                                     0xffffffff,
                                     0x7ffffffff000,
                                     0x800000000000,
                                     INT64_MAX,
                                     UINT64_MAX - 4095,
                                     UINT64_MAX};
    size_t bytes = (size_t)1 << below(4), at = below(size);
    uint64_t number = edges[below(sizeof edges / sizeof edges[0])];
    if (bytes > size)
        return;
    at = below(8) ? at / bytes * bytes : at;
    at = at <= size - bytes ? at : size - bytes;
    if (!below(4)) { /* near to what is there */
        memcpy(&number, data + at, bytes);
        number += (uint64_t)below(9) - 4;
    }
    memcpy(data + at, &number, bytes);
}

static size_t change(uint8_t *data, size_t size)
{
    for (size_t n = 1 + below(6); n && size > 1; n--) {
        size_t at = below(size), length = 1 + below(size - at < 64 ? size - at : 64),
               to = below(size - length + 1);
        switch (below(8)) {
        case 0:
            data[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            data[at] = (uint8_t)random_number();
            break;
        case 2:
            memmove(data + to, data + at, length);
            break;
        case 3:
            if (!below(4))
                size = 1 + at;
            break;
        default:
            put_number(data, size);
        }
    }
    return size;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static void run(const uint8_t *data, size_t size)
{
    /* A copy of exact size, so that a sanitizer sees what is read beyond its end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

struct shared {
    size_t size;
    uint8_t data[LONGEST_INPUT];
};

static int keep(const struct shared *input)
{
    FILE *file = fopen("changed-input", "wb");
    if (!file || fwrite(input->data, 1, input->size, file) != input->size || fclose(file))
        perror("changed-input");
    return -1;
}

/* In a process of its own, which shares the input it is at: whatever ends it, that one is known. */
static int run_changed(const uint8_t *data, size_t size, const char *path)
{
    int status = 0;
    if (!nr_changed)
        return 0;
    struct shared *input =
        mmap(NULL, sizeof *input, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (input == MAP_FAILED)
        return -1;
    pid_t pid = fork();
    for (unsigned long n = 0; !pid && n < nr_changed; n++) {
        state = seed ^ (uint64_t)n << 20 ^ size;
        memcpy(input->data, data, size);
        input->size = change(input->data, size);
        run(input->data, input->size);
    }
    if (!pid)
        exit(0);
    bool ended = pid > 0 && waitpid(pid, &status, 0) == pid;
    printf("%sok %u - %s, changed %lu times, seed %llu\n", ended && !status ? "" : "not ", ++cases,
           path, nr_changed, (unsigned long long)seed);
    int err = ended && !status ? 0 : keep(input);
    munmap(input, sizeof *input);
    return err;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return alphasort(a, b);
}

static int replay_file(const char *path)
{
    static uint8_t data[LONGEST_INPUT];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    printf("# %s\n", path);
    fflush(stdout);
    run(data, size);
    printf("ok %u - %s\n", ++cases, path);
    fflush(stdout);
    return run_changed(data, size, path);
}

static int replay(const char *path)
{
    struct stat status;
    if (stat(path, &status)) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(status.st_mode))
        return replay_file(path);

    struct dirent **entry;
    int count = scandir(path, &entry, NULL, by_name), err = count < 0 ? -1 : 0;
    for (int i = 0; i < count; i++) {
        char name[LONGEST_PATH];
        snprintf(name, sizeof name, "%s/%s", path, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.')
            err |= replay_file(name);
        free(entry[i]);
    }
    if (count >= 0)
        free(entry);
    return err;
}

int main(int argc, char **argv)
{
    int err = 0;
    int first = 1;
    for (; first < argc && !strncmp(argv[first], "--", 2); first++) {
        unsigned long long number;
        if (sscanf(argv[first], "--changed=%llu", &number) == 1)
            nr_changed = (unsigned long)number;
        else if (sscanf(argv[first], "--seed=%llu", &number) == 1)
            seed = number;
        else
            first = argc;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: %s [--changed=N [--seed=S]] FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    puts("TAP version 14");
    for (int i = first; i < argc; i++)
        err |= replay(argv[i]);
    printf("1..%u\n", cases);
    return err || !cases;
}
