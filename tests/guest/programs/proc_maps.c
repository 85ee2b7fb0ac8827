/* /proc/self/maps and smaps of many areas, read in pieces, backwards, and while areas go */
#include "say.h"

#define PAIRS 300ul /* of pages with rights and without */
static char text[2][1 << 20], *area;

/* All of it from `at` on, by reads of at most `piece` bytes; bytes. */
static size_t read_all(const char *path, char *to, off_t at, size_t piece)
{
    int fd = open(path, O_RDONLY);
    size_t done = 0;
    for (ssize_t got = 1; got > 0 && done + piece < sizeof text[0]; done += (size_t)got) {
        got = at ? pread(fd, to + done, piece, at + (off_t)done) : read(fd, to + done, piece);
        if (got < 0)
            return 0;
    }
    to[done] = '\0';
    close(fd);
    return done;
}

static unsigned long lines_with(const char *what)
{
    unsigned long count = 0;
    for (const char *at = text[0]; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* Lines whose range lies in the area. */
static unsigned long areas(const char *maps)
{
    unsigned long count = 0;
    for (const char *at = maps; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        unsigned long start = strtoul(at, NULL, 16);
        count += start >= (unsigned long)area && start < (unsigned long)area + 2 * PAIRS * PAGE;
    }
    return count;
}

static void in_pieces(void)
{
    const size_t pieces[] = {7, 100, 4096, 65536, 500000};
    size_t size = read_all("/proc/self/maps", text[1], 0, 4096);
    printf("areas: %lu\n", areas(text[1]));
    for (unsigned i = 0; i < COUNT(pieces); i++) {
        size_t got = read_all("/proc/self/maps", text[0], 0, pieces[i]);
        printf("in pieces of %zu: %s\n", pieces[i],
               got == size && !memcmp(text[0], text[1], size) ? "the same" : "different");
    }
    size_t got = read_all("/proc/self/maps", text[0], 10001, 4096);
    printf("from the middle on: %s\n", got == size - 10001 && !memcmp(text[0], text[1] + 10001, got)
                                           ? "the same"
                                           : "different");
    read_all("/proc/self/smaps", text[0], 0, 10000);
    printf("smaps: %d\n", lines_with("\nVmFlags:") == lines_with("\nSize:") &&
                              lines_with("\nSize:") == lines_with("\nRss:") &&
                              lines_with("\nSize:") >= 2 * PAIRS);
}

/* A read gets whole areas, of which the last one's last line begins with `last`, up to a page. */
static void whole_areas(const char *path, const char *last, size_t piece)
{
    bool whole = true, fits = true;
    int fd = open(path, O_RDONLY);
    for (ssize_t got; (got = read(fd, text[0], piece)) > 0;) {
        whole &= text[0][got - 1] == '\n';
        text[0][got - 1] = '\0';
        const char *line = strrchr(text[0], '\n');
        whole &= !strncmp(line ? line + 1 : text[0], last, strlen(last));
        fits &= got <= 4096;
    }
    printf("%s by %zu bytes: %d %d\n", path, piece, whole, fits);
    close(fd);
}

static bool same_at(int fd, off_t at)
{
    char piece[200];
    return pread(fd, piece, sizeof piece, at) == sizeof piece &&
           !memcmp(piece, text[1] + at, sizeof piece);
}

static void back_and_forth(void)
{
    size_t size = read_all("/proc/self/maps", text[1], 0, 4096);
    int fd = open("/proc/self/maps", O_RDONLY);
    printf("back and forth: %d %d %d %d\n", same_at(fd, 20000), same_at(fd, 100),
           same_at(fd, 15000), same_at(fd, 0));
    TELL(pread(fd, text[0], 10, (off_t)size));
    TELL(pread(fd, text[0], 10, (off_t)size + 100000));
    printf("and again: %d\n", same_at(fd, 19000));
    close(fd);
}

/* What comes is as it is then. */
static void while_they_go(void)
{
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t done = (size_t)read(fd, text[0], 1000);
    munmap(area + PAIRS * PAGE, PAIRS * PAGE);
    for (ssize_t got; (got = read(fd, text[0] + done, 1000)) > 0;)
        done += (size_t)got;
    text[0][done] = '\0';
    close(fd);
    read_all("/proc/self/maps", text[1], 0, 4096);
    printf("then: %lu\n", areas(text[1]));
}

int main(void)
{
    memset(text, 1, sizeof text);
    area = mmap(NULL, 2 * PAIRS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned long i = 0; i < PAIRS; i++)
        mprotect(area + 2 * i * PAGE, PAGE, PROT_NONE);
    in_pieces();
    whole_areas("/proc/self/maps", "", 4096);
    whole_areas("/proc/self/smaps", "VmFlags:", 4096);
    whole_areas("/proc/self/smaps", "VmFlags:", 100000);
    back_and_forth();
    while_they_go();
    return 0;
}
