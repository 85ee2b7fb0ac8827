/* examples/tour/byte.c: one byte of memory, which docs/tour.md follows
 *
 * With an argument it allocates once more for each line of its input, so that there is time to look
 * at it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE_SHIFT 12

/* Linux tells root which frame a page is in; others get 0 (proc(5), pagemap). */
static void say_frame(const void *at)
{
    uint64_t entry = 0;
    int file = open("/proc/self/pagemap", O_RDONLY);
    off_t offset = (off_t)((uintptr_t)at >> PAGE_SHIFT) * (off_t)sizeof entry;
    if (file >= 0 && pread(file, &entry, sizeof entry, offset) == (ssize_t)sizeof entry)
        printf("its frame is 0x%llx\n", (unsigned long long)entry & 0x7fffffffffffff);
    if (file >= 0)
        close(file);
}

int main(int argc, char **argv)
{
    char *byte = malloc(100), *more;
    (void)argv;
    if (!byte)
        return 1;
    *byte = 'Q';
    printf("'%c' is at %p\n", *byte, (void *)byte);
    say_frame(byte);
    fflush(stdout);
    for (int c; argc > 1 && (c = getchar()) != EOF;)
        if ((more = malloc(100)))
            *more = (char)c;
    free(byte);
    return 0;
}
