/* tests/fuzz/replay.c: runs a fuzz target on files, without libFuzzer
 *
 *     quire-replay-TARGET FILE|FOLDER...
 *
 * Prints TAP: a case a file. An input that breaks something ends the process, as under libFuzzer;
 * the line before says which file it was.
 */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LONGEST_INPUT (1u << 20)
#define LONGEST_PATH 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned cases;

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
    /* A copy of exact size, so that a sanitizer sees what is read beyond its end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return -1;
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    printf("ok %u - %s\n", ++cases, path);
    return 0;
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
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    puts("TAP version 14");
    for (int i = 1; i < argc; i++)
        err |= replay(argv[i]);
    printf("1..%u\n", cases);
    return err || !cases;
}
