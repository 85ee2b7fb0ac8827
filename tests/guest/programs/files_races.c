/* Reads into memory and writes from it while another thread forks, unmaps and seals */
#include "say.h"

#include <pthread.h>

#define MIB_PAGES 256ul
#define FILE_PAGES (24 * MIB_PAGES) /* more than a small machine has */
#define ROUNDS 150

static int fd;
static volatile int go, done, stop;
static char *volatile buffer;

/* Full of one letter, so that each read is right or wrong. */
static void make_file(void)
{
    static char piece[16 * PAGE];
    fd = open("races", O_RDWR | O_CREAT | O_TRUNC, 0644);
    memset(piece, 'f', sizeof piece);
    for (unsigned long at = 0; at < FILE_PAGES; at += sizeof piece / PAGE)
        if (write(fd, piece, sizeof piece) != (ssize_t)sizeof piece)
            printf("write: %s\n", error_name(errno));
}

static off_t next_place(unsigned *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return (off_t)((*seed >> 8) % FILE_PAGES * PAGE);
}

static unsigned count_other(const char *bytes, size_t size, char letter)
{
    unsigned other = 0;
    for (size_t i = 0; i < size; i++)
        other += bytes[i] != letter;
    return other;
}

/* ---- forks ----------------------------------------------------------------------------------- */

static unsigned short_reads, lost_reads;

static void *read_into_half(void *page)
{
    unsigned seed = 1;
    char *half = (char *)page + PAGE / 4;
    while (!stop) {
        memset(half, 0, PAGE / 2);
        short_reads += pread(fd, half, PAGE / 2, next_place(&seed)) != (ssize_t)(PAGE / 2);
        lost_reads += count_other(half, PAGE / 2, 'f') != 0;
    }
    return NULL;
}

/* The child keeps the page until the parent has written to it, and so got a copy. */
static void fork_and_write(volatile char *page)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        printf("pipe: %s\n", error_name(errno));
    pid_t pid = fork();
    if (!pid) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    page[0]++;
    close(ends[0]);
    close(ends[1]);
    waitpid(pid, NULL, 0);
}

static void reads_beside_forks(void)
{
    pthread_t thread;
    char *page = pages(1);
    pthread_create(&thread, NULL, read_into_half, page);
    for (int i = 0; i < ROUNDS; i++) {
        fork_and_write(page);
        if (i % 10 == 0)
            usleep(1000);
    }
    stop = 1;
    pthread_join(thread, NULL);
    printf("%u reads were short, %u lost bytes\n", short_reads, lost_reads);
}

/* ---- seals ----------------------------------------------------------------------------------- */

static void *read_once_each(void *ignored)
{
    unsigned seed = 2;
    (void)ignored;
    for (int seen = 0;;) {
        while (go == seen)
            usleep(0);
        seen = go;
        if (seen < 0)
            return NULL;
        (void)!pread(fd, buffer, PAGE, next_place(&seed)); /* -EFAULT is as good */
        done = seen;
    }
}

/* Whether a memfd that was sealed while somebody may be reading into its mapping is another after.
 */
static bool changes_when_sealed(int round)
{
    char before[PAGE], after[PAGE];
    int sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    (void)!ftruncate(sealed, PAGE);
    buffer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0);
    buffer[0] = 0;
    go = round;
    sched_yield();
    munmap(buffer, PAGE);
    while (fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) && errno == EBUSY) /* Linux waits, or says so */
        usleep(0);
    (void)!pread(sealed, before, PAGE, 0);
    while (done != round)
        usleep(0);
    (void)!pread(sealed, after, PAGE, 0);
    close(sealed);
    return memcmp(before, after, PAGE);
}

static void reads_beside_seals(void)
{
    pthread_t thread;
    unsigned changed = 0;
    pthread_create(&thread, NULL, read_once_each, NULL);
    for (int round = 1; round <= ROUNDS; round++)
        changed += changes_when_sealed(round);
    go = -1;
    pthread_join(thread, NULL);
    printf("%u changed after they were sealed\n", changed);
}

/* ---- unmapping ------------------------------------------------------------------------------- */

static void *write_from_memory(void *memory)
{
    unsigned seed = 3;
    while (!stop)
        (void)!pwrite(fd, memory, 8 * PAGE, next_place(&seed));
    return NULL;
}

/* What is written is the memory's, in whole or in part, or zeros: never what others had there. */
static void writes_beside_madvise(void)
{
    static char piece[PAGE];
    pthread_t thread;
    char *memory = pages(8);
    unsigned wrong = 0;
    stop = 0;
    pthread_create(&thread, NULL, write_from_memory, memory);
    for (int i = 0; i < ROUNDS; i++) {
        memset(memory, 'f', 8 * PAGE);
        madvise(memory, 8 * PAGE, MADV_DONTNEED);
        usleep(100);
    }
    stop = 1;
    pthread_join(thread, NULL);
    for (unsigned long at = 0; at < FILE_PAGES; at++) {
        (void)!pread(fd, piece, PAGE, (off_t)(at * PAGE));
        for (size_t i = 0; i < PAGE; i++)
            wrong += piece[i] && piece[i] != 'f';
    }
    printf("%u bytes are nobody's\n", wrong);
}

int main(void)
{
    make_file();
    reads_beside_forks();
    reads_beside_seals();
    writes_beside_madvise();
    unlink("races");
    return 0;
}
