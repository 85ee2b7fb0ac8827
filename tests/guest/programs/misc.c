/* What belongs nowhere else: other processes' memory, randomness, barriers, usage */
#include "say.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>

static void others_memory(void)
{
    static char buffer[32];
    char *area = pages(2), text[16] = {0};
    int status;
    strcpy(area, "parent");
    pid_t pid = fork();
    if (!pid) {
        strcpy(area, "child");
        strcpy(buffer, "of the child");
        raise(SIGSTOP);
        printf("it was written to: %s\n", area);
        _exit(0);
    }
    waitpid(pid, &status, WUNTRACED);
    struct iovec local = {text, 6}, remote = {area, 6}, beyond = {area + 2 * PAGE - 3, 6};
    TELL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
    printf("%s, ours is %s\n", text, area);
    TELL(process_vm_readv(pid, &local, 1, &beyond, 1, 0));
    TELL(process_vm_readv(pid, &local, 1, &(struct iovec){(void *)8, 4}, 1, 0));
    TELL(process_vm_readv(pid, &local, 1, &remote, 1, 5));
    TELL(process_vm_readv(999999, &local, 1, &remote, 1, 0));
    TELL(process_vm_readv(pid, &local, 0, &remote, 1, 0));
    struct iovec parts[2] = {{buffer, 2}, {area, 3}};
    TELL(process_vm_readv(pid, &local, 1, parts, 2, 0));
    printf("in parts: %.5s\n", text);
    local = (struct iovec){"written", 8};
    TELL(process_vm_writev(pid, &local, 1, &(struct iovec){area, 8}, 1, 0));
    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);
}

static void randomness(void)
{
    char one[32] = {0}, two[32] = {0};
    TELL(getrandom(one, 32, 0));
    TELL(getrandom(two, 32, GRND_NONBLOCK));
    printf("the same twice: %d\n", !memcmp(one, two, 32));
    TELL(getrandom(one, 32, 99));
    TELL(getrandom((void *)8, 32, 0));
    TELL(getrandom(one, 0, 0));
}

static void usage(void)
{
    struct rusage self, children;
    struct tms tms;
    struct sysinfo info;
    TELL(getrusage(99, &self));
#ifdef __x86_64__ /* elsewhere libc looks at it itself */
    TELL(getrusage(RUSAGE_SELF, (struct rusage *)8));
#endif
    TELL(getrusage(RUSAGE_CHILDREN, &children));
    pid_t pid = fork();
    if (!pid) {
        char *area = pages(128);
        for (int page = 0; page < 128; page++)
            area[page * PAGE] = 1;
        _exit(0);
    }
    long before = children.ru_minflt;
    struct rusage ended;
    wait4(pid, NULL, 0, &ended);
    getrusage(RUSAGE_CHILDREN, &children);
    printf("children's faults are those of who ended: %d, more than 128: %d\n",
           children.ru_minflt - before == ended.ru_minflt, ended.ru_minflt >= 128);
    TELL(times(&tms) != -1);
    TELL(sysinfo(&info));
    printf("sane: %d\n", info.totalram >= info.freeram && info.procs >= 1 && info.mem_unit >= 1);
    TELL(sysinfo((struct sysinfo *)8));
}

static void named(void)
{
    char name[16];
    TELL(prctl(PR_SET_NAME, "a name that is far too long"));
    TELL(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    TELL(prctl(99999));
    TELL(prctl(PR_SET_PDEATHSIG, 99));
    TELL(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    int signal = 0;
    TELL(prctl(PR_GET_PDEATHSIG, &signal));
    printf("%d\n", signal);
    TELL(prctl(PR_GET_DUMPABLE));
}

static void priorities(void)
{
    TELL(nice(5));
    TELL(getpriority(PRIO_PROCESS, 0));
    TELL(setpriority(PRIO_PROCESS, 0, 100));
    TELL(getpriority(PRIO_PROCESS, 0));
    TELL(setpriority(99, 0, 0));
    TELL(setpriority(PRIO_PROCESS, 999999, 0));
}

int main(void)
{
    others_memory();
    randomness();
    usage();
    TELL((int)(syscall(SYS_membarrier, 0, 0, 0) > 0));
    TELL((int)syscall(SYS_membarrier, 1 << 30, 0, 0));
    TELL((int)syscall(SYS_membarrier, 1, 0, 0));
    TELL((int)syscall(SYS_membarrier, 8, 0, 0)); /* not registered */
    TELL((int)syscall(SYS_membarrier, 16, 0, 0));
    TELL((int)syscall(SYS_membarrier, 8, 0, 0));
    named();
    IN_CHILD(priorities);
    TELL((int)syscall(9999));
#if defined(__x86_64__)
    TELL(syscall(SYS_gettid | 1L << 32) == gettid()); /* the lower half is the number */
    TELL(syscall(SYS_gettid | 1L << 31));
    TELL(syscall(-1L));
#endif
    return 0;
}
