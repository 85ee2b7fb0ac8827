/* Semaphores and memory by names, as libc makes them in /dev/shm; and the end of a thread by
 * another's wish, for which glibc loads a library
 */
#include "say.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static char name[32];

static void semaphores(void)
{
    sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    int value = -1;
    printf("made: %d\n", sem != SEM_FAILED);
    sem_t *again = sem_open(name, 0);
    printf("found: %d, the same: %d\n", again != SEM_FAILED, again == sem);
    sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    printf("a second one: %s\n", error_name(errno));
    if (sem == SEM_FAILED)
        return;
    TELL(sem_wait(sem));
    TELL(sem_trywait(sem));
    pid_t pid = fork();
    if (!pid) {
        usleep(20000);
        sem_post(sem);
        _exit(0);
    }
    TELL(sem_wait(sem));
    waitpid(pid, NULL, 0);
    TELL(sem_getvalue(sem, &value));
    printf("value %d\n", value);
    TELL(sem_close(sem));
    TELL(sem_unlink(name));
    TELL(sem_unlink(name));
}

static void shared(void)
{
    struct stat status;
    struct statfs where;
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0640);
    TELL(ftruncate(fd, 3 * PAGE));
    int *number = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid = fork();
    if (!pid) {
        number[PAGE / sizeof(int)] = 4711;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("a child wrote %d\n", number[PAGE / sizeof(int)]);
    TELL(fstat(fd, &status));
    printf("mode %o, size %ld, blocks %ld\n", (unsigned)status.st_mode, (long)status.st_size,
           (long)status.st_blocks);
    TELL(fstatfs(fd, &where));
    printf("tmpfs: %d\n", where.f_type == 0x01021994);
    TELL(shm_unlink(name));
    TELL(shm_open(name, O_RDONLY, 0));
    TELL(stat("/dev/shm", &status));
    printf("mode %o\n", (unsigned)status.st_mode);
    munmap(number, 3 * PAGE);
    close(fd);
    TELL(link("/dev/null", "/dev/shm/null"));
}

/* ---- cancellation ---------------------------------------------------------------------------- */

static void cleaned_up(void *arg)
{
    printf("cleaned up: %s\n", (const char *)arg);
}

static void *waits(void *arg)
{
    pthread_cleanup_push(cleaned_up, "after a wait");
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return arg;
}

static void *leaves(void *arg)
{
    pthread_cleanup_push(cleaned_up, "after pthread_exit");
    pthread_exit(arg);
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancelled(void)
{
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, waits, NULL);
    usleep(10000);
    int asked = pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled: %d %d\n", asked, result == PTHREAD_CANCELED);
    pthread_create(&thread, NULL, leaves, &result);
    pthread_join(thread, &result);
    printf("left: %d\n", result == &result);
}

int main(void)
{
    snprintf(name, sizeof name, "/quire-%d", getpid());
    semaphores();
    shared();
    cancelled();
    return 0;
}
