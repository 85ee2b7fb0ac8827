/* System V shared memory */
#include "say.h"

#include <sys/shm.h>

#define KEY (0x51554952 + (int)sizeof(long)) /* both classes may run at once */

static void refusals(int id)
{
    struct shmid_ds info;
    TELL(shmget(IPC_PRIVATE, 0, 0600));
    TELL(shmget(0x7654321, PAGE, 0600));
    TELL(shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600));
    TELL(shmget(KEY, 100 * PAGE, 0600));
    TELL(shmget(KEY, 0, 0600) == id);
    TELL_DONE(shmat(-1, NULL, 0));
    TELL_DONE(shmat(id, (void *)0x12345, 0));
    TELL(shmdt((void *)0x10000));
    TELL(shmctl(-1, IPC_STAT, &info));
    TELL(shmctl(id, 999, &info));
#ifdef __x86_64__ /* elsewhere libc looks at it itself */
    TELL(shmctl(id, IPC_STAT, (struct shmid_ds *)8));
#endif
}

int main(void)
{
    struct shmid_ds info;
    shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL); /* of a run that was broken off */
    int id = shmget(KEY, 2 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0640);
    printf("made: %d\n", id >= 0);
    refusals(id);
    char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
    strcpy(one, "shared");
    printf("%s, the whole of its last page: %d\n", two, one[3 * PAGE - 1]);
    say_access("attached to read", two, WRITE);
    TELL(shmctl(id, IPC_STAT, &info));
    printf("%d bytes, %d attached, mode %o, ours %d\n", (int)info.shm_segsz, (int)info.shm_nattch,
           info.shm_perm.mode, info.shm_cpid == getpid());
    pid_t pid = fork();
    if (!pid) {
        shmctl(id, IPC_STAT, &info);
        printf("a child has both: %d\n", (int)info.shm_nattch);
        strcpy(one, "child");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    shmctl(id, IPC_STAT, &info);
    printf("%s, %d attached\n", two, (int)info.shm_nattch);
    TELL(munmap(one + PAGE, PAGE));
    shmctl(id, IPC_STAT, &info);
    printf("with a hole: %d\n", (int)info.shm_nattch);
    TELL(shmdt(one + 1));
    TELL(shmdt(one));
    say_access("what was detached", one, READ);
    TELL(shmctl(id, IPC_RMID, NULL));
    printf("removed, but attached: %s\n", two);
    TELL(shmget(KEY, 0, 0));
    TELL(shmctl(id, IPC_STAT, &info));
    printf("to be removed: %d\n", (info.shm_perm.mode & SHM_DEST) != 0);
    char *area = pages(4);
    TELL_DONE(shmat(id, area, 0));
    char *third = shmat(id, area, SHM_REMAP);
    printf("over a mapping: %d\n", third == area);
    TELL(shmdt(third));
    TELL(shmdt(two));
    TELL(shmctl(id, IPC_STAT, &info));
    return 0;
}
