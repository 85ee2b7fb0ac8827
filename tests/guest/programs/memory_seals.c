/* memfd_create and its seals: what each forbids, and when it can't be set */
#include "say.h"

#include <sys/stat.h>

#define SEAL_SEAL 1
#define SEAL_SHRINK 2
#define SEAL_GROW 4
#define SEAL_WRITE 8
#define SEAL_FUTURE_WRITE 16
#define SEAL_EXEC 32
#define ADD_SEALS 1033
#define GET_SEALS 1034
#define ALLOW_SEALING 2
#define NOEXEC_SEAL 8
#define EXEC 16

static int made(unsigned flags)
{
    int fd = memfd_create("m", flags);
    if (fd >= 0 && ftruncate(fd, 4 * PAGE))
        return -1;
    return fd;
}

static void flags(void)
{
    TELL_DONE(memfd_create("m", 0));
    TELL_DONE(memfd_create("", 0));
    TELL(memfd_create(NULL, 0));
    TELL(memfd_create("m", 0x100));
    TELL(memfd_create("m", 21u << 26));
    TELL(memfd_create("m", EXEC | NOEXEC_SEAL));
    char name[251];
    memset(name, 'n', sizeof name);
    name[250] = '\0';
    TELL(memfd_create(name, 0));
    name[249] = '\0';
    TELL_DONE(memfd_create(name, 0));
    TELL(fcntl(made(0), GET_SEALS));
    TELL(fcntl(made(0), ADD_SEALS, SEAL_WRITE));
    TELL(fcntl(made(ALLOW_SEALING), GET_SEALS));
    TELL(fcntl(made(ALLOW_SEALING), ADD_SEALS, 0x1000));
    TELL(fcntl(0, GET_SEALS));
}

static void sizes(void)
{
    int fd = made(ALLOW_SEALING);
    TELL(fcntl(fd, ADD_SEALS, SEAL_SHRINK));
    TELL(ftruncate(fd, PAGE));
    TELL(ftruncate(fd, 8 * PAGE));
    TELL(fcntl(fd, ADD_SEALS, SEAL_GROW));
    TELL(ftruncate(fd, 9 * PAGE));
    TELL(ftruncate(fd, 8 * PAGE));
    TELL(pwrite(fd, "x", 1, 8 * PAGE));
    TELL(pwrite(fd, "xy", 2, 8 * PAGE - 1));
    TELL(fallocate(fd, 0, 0, 9 * PAGE));
    TELL(fallocate(fd, 0, 0, 8 * PAGE));
    TELL(fcntl(fd, GET_SEALS));
    TELL(fcntl(fd, ADD_SEALS, SEAL_SEAL));
    TELL(fcntl(fd, ADD_SEALS, SEAL_WRITE));
    close(fd);
}

static char *mapped(int fd, int prot, int type)
{
    return mmap(NULL, 4 * PAGE, prot, type, fd, 0);
}

static void writing(void)
{
    int fd = made(ALLOW_SEALING);
    char *shared = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    shared[0] = 's';
    TELL(fcntl(fd, ADD_SEALS, SEAL_WRITE));
    TELL(mprotect(shared, 4 * PAGE, PROT_READ));
    TELL(fcntl(fd, ADD_SEALS, SEAL_WRITE));
    munmap(shared, 4 * PAGE);
    char *private = mapped(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    TELL(fcntl(fd, ADD_SEALS, SEAL_WRITE));
    private[0] = 'p';
    printf("the file's is still %c\n", mapped(fd, PROT_READ, MAP_PRIVATE)[0]);
    TELL(write(fd, "x", 1));
    TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    TELL(mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED ? -1 : 0);
    TELL(ftruncate(fd, PAGE));
    close(fd);
}

static void writing_from_now_on(void)
{
    int fd = made(ALLOW_SEALING);
    char *shared = mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    TELL(fcntl(fd, ADD_SEALS, SEAL_FUTURE_WRITE));
    shared[0] = 's';
    TELL(write(fd, "x", 1));
    TELL(mapped(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED ? -1 : 0);
    char *read_only = mapped(fd, PROT_READ, MAP_SHARED);
    printf("%c\n", read_only[0]);
    TELL(mprotect(read_only, PAGE, PROT_READ | PROT_WRITE));
    close(fd);
}

static unsigned mode_of(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) ? 0 : stat.st_mode & 0777;
}

static void executing(void)
{
    int fd = made(NOEXEC_SEAL);
    if (fd < 0) {
        printf("this Linux has no such flag\n");
        exit(NOT_COMPARABLE);
    }
    printf("mode %o\n", mode_of(fd));
    TELL(fcntl(fd, GET_SEALS));
    TELL(fchmod(fd, 0700));
    TELL(fchmod(fd, 0600));
    printf("mode %o\n", mode_of(fd));
    close(fd);
    fd = made(ALLOW_SEALING | EXEC);
    printf("mode %o\n", mode_of(fd));
    TELL(fcntl(fd, ADD_SEALS, SEAL_EXEC));
    TELL(fcntl(fd, GET_SEALS));
    TELL(fchmod(fd, 0666));
    TELL(fchmod(fd, 0711));
}

int main(void)
{
    flags();
    sizes();
    writing();
    writing_from_now_on();
    executing();
    return 0;
}
