/* Capabilities: root without some of them, what becomes of them when ids change, and over exec
 *
 * It runs itself with a word that says what to look at. Of the sets it tells those three that root
 * has everywhere.
 */
#include "say.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define NAME "process_capabilities"
#define BIT(capability) (1u << (capability))
#define TOLD (BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_SETUID))

extern char **environ;

static void get(struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    if (syscall(SYS_capget, &header, sets))
        perror("capget");
}

static long set(const struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return syscall(SYS_capset, &header, sets);
}

static void say_set(const char *what, unsigned set)
{
    printf(" %s:%s%s%s", what, set & BIT(CAP_CHOWN) ? " chown" : "",
           set & BIT(CAP_KILL) ? " kill" : "", set & BIT(CAP_SETUID) ? " setuid" : "");
}

/* By the call and by /proc. */
static void say(const char *when)
{
    struct __user_cap_data_struct sets[2];
    char line[256];
    unsigned long long told = 0;
    get(sets);
    printf("%s:", when);
    say_set("effective", sets[0].effective);
    say_set("permitted", sets[0].permitted);
    say_set("inheritable", sets[0].inheritable);
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "CapEff: %llx", &told) == 1)
            printf("; /proc says %s",
                   (told & TOLD) == (sets[0].effective & TOLD) ? "the same" : line);
    if (status)
        fclose(status);
    printf("\n");
}

/* Without those, though they are permitted, unless `for_good`. */
static void leave(unsigned which, int for_good)
{
    struct __user_cap_data_struct sets[2];
    get(sets);
    sets[0].effective &= ~which;
    if (for_good)
        sets[0].permitted &= ~which;
    TELL(set(sets));
}

static void take_back(unsigned which)
{
    struct __user_cap_data_struct sets[2];
    get(sets);
    sets[0].effective |= which;
    TELL(set(sets));
}

static void leave_all(void)
{
    const struct __user_cap_data_struct none[2] = {{0}};
    TELL(set(none));
}

static void refusals(void)
{
    struct __user_cap_data_struct sets[2];
    leave(BIT(CAP_KILL), 1);
    say("without one");
    take_back(BIT(CAP_KILL));
    get(sets);
    sets[0].permitted |= BIT(CAP_KILL);
    TELL(set(sets));
    get(sets);
    sets[0].permitted &= ~BIT(CAP_CHOWN);
    TELL(set(sets)); /* it is effective */
    get(sets);
    sets[0].inheritable = BIT(CAP_CHOWN) | BIT(CAP_KILL);
    TELL(set(sets));
    say("inheritable");
    leave(BIT(CAP_SETPCAP), 0);
    get(sets);
    sets[0].inheritable = BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_SETUID);
    TELL(set(sets));
    leave_all();
    sets[0].inheritable = BIT(CAP_DAC_OVERRIDE);
    sets[0].effective = sets[0].permitted = 0;
    TELL(set(sets));
    say("none");
}

/* Bits beyond the last capability are as good as none. */
static void unknown_ones(void)
{
    const unsigned unknown = 0xff000000;
    struct __user_cap_data_struct sets[2], now[2];
    get(sets);
    get(now);
    now[1].effective |= unknown;
    now[1].permitted |= unknown;
    now[1].inheritable |= unknown;
    TELL(set(now));
    get(now);
    TELL(memcmp(sets, now, sizeof now) == 0);
}

static void locked_memory(void)
{
    const struct rlimit eight = {8 * PAGE, 8 * PAGE}, none = {0, 0}, nine = {9 * PAGE, 9 * PAGE};
    char *at = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TELL(setrlimit(RLIMIT_MEMLOCK, &eight));
    leave_all();
    TELL(mlock(at, 9 * PAGE));
    TELL(mlock(at, 8 * PAGE));
    TELL(mlock(at + 8 * PAGE, PAGE));
    TELL(munlock(at, 16 * PAGE));
    TELL_DONE(mmap(NULL, 9 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    TELL(mlockall(MCL_CURRENT));
    TELL(setrlimit(RLIMIT_MEMLOCK, &nine));
    TELL(setrlimit(RLIMIT_MEMLOCK, &none));
    TELL(mlock(at, PAGE));
    TELL(mlockall(MCL_FUTURE));
    TELL(munlockall());
}

static void files(void)
{
    TELL(close(open("file", O_WRONLY | O_CREAT, 0600)));
    TELL(chown("file", 7, 7));
    TELL(mkdir("directory", 0700));
    TELL(chown("directory", 7, 7));
    leave(BIT(CAP_DAC_OVERRIDE), 0);
    TELL_DONE(open("file", O_RDONLY)); /* CAP_DAC_READ_SEARCH is enough */
    TELL(open("file", O_WRONLY));
    TELL(chdir("directory"));
    TELL(chdir(".."));
    TELL(mkdir("directory/x", 0700));
    leave(BIT(CAP_DAC_READ_SEARCH), 0);
    TELL(open("file", O_RDONLY));
    TELL(chdir("directory"));
    TELL(access("file", R_OK)); /* by what the real user is permitted */
    TELL(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS) == -1 ? -1 : 0);
    take_back(BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH));
    TELL_DONE(open("file", O_RDWR));
    leave(BIT(CAP_FOWNER), 0);
    TELL(chmod("file", 0644));
    leave(BIT(CAP_CHOWN), 0);
    TELL(chown("file", 8, 7));
    leave(BIT(CAP_MKNOD), 0);
    TELL(mknod("node", S_IFCHR | 0600, 0x103));
    leave(BIT(CAP_SYS_CHROOT), 0);
    TELL(chroot("directory"));
    take_back(BIT(CAP_CHOWN));
    TELL(chown("file", 0, 0));
    TELL(unlink("file"));
    TELL(rmdir("directory"));
}

static void others(void)
{
    int ends[2], status;
    char byte = 0;
    if (pipe(ends))
        return;
    pid_t pid = fork();
    if (!pid) {
        if (setresuid(7, 7, 7) || write(ends[1], &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    TELL(read(ends[0], &byte, 1));
    leave(BIT(CAP_KILL), 0);
    TELL(kill(pid, 0));
    leave(BIT(CAP_SYS_NICE), 0);
    TELL(setpriority(PRIO_PROCESS, (id_t)pid, 1));
    leave(BIT(CAP_SETUID) | BIT(CAP_SETGID), 0);
    TELL(setresuid(7, 7, 7));
    TELL(setgid(7));
    TELL(syscall(SYS_setgroups, 0, NULL));
    take_back(BIT(CAP_KILL));
    TELL(kill(pid, SIGKILL));
    TELL(waitpid(pid, &status, 0) == pid);
    say_status("other", status);
}

/* The other's memory, as root's, of whom both are. */
static void memory_of_others(void)
{
    static char byte;
    int status;
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    char got;
    const struct iovec here = {&got, 1}, there = {&byte, 1};
    TELL(process_vm_readv(pid, &here, 1, &there, 1, 0));
    leave(BIT(CAP_SYS_PTRACE), 0);
    TELL(process_vm_readv(pid, &here, 1, &there, 1, 0)); /* what is permitted counts here */
    leave(BIT(CAP_CHOWN), 1);
    TELL(process_vm_readv(pid, &here, 1, &there, 1, 0));
    TELL(kill(pid, SIGKILL));
    TELL(waitpid(pid, &status, 0) == pid);
}

static void ids_change(void)
{
    say("root");
    TELL(seteuid(7));
    say("effective 7");
    TELL(seteuid(0));
    say("root again");
    leave(BIT(CAP_KILL), 1);
    TELL(setresuid(7, 7, 0));
    say("saved root");
    TELL(seteuid(0));
    say("root without one");
    TELL(setresuid(7, 7, 7));
    say("nobody's");
}

static void ids_change_and_they_stay(void)
{
    TELL(prctl(PR_SET_KEEPCAPS, 1));
    TELL(setresuid(7, 7, 7));
    say("kept");
    take_back(BIT(CAP_SETUID));
    say("effective");
    TELL(setresuid(8, 9, 9));
    say("another");
}

static void begin(const char *what)
{
    char *const arguments[] = {program_invocation_name, "--only", NAME, (char *)(uintptr_t)what,
                               NULL};
    execve(program_invocation_name, arguments, environ);
    printf("not started: %s\n", error_name(errno));
}

static void root_begins(void)
{
    leave_all();
    say("none");
    begin("look");
}

static void root_begins_and_gains_none(void)
{
    leave(BIT(CAP_KILL), 1);
    leave(BIT(CAP_CHOWN), 0);
    TELL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    begin("look");
}

static int sits(void *ends)
{
    char byte;
    close(((int *)ends)[1]);
    return (int)read(((int *)ends)[0], &byte, 1);
}

/* Who has the directories, too, ends when the new program does. */
static void root_begins_beside_another(void)
{
    static char stack[65536] __attribute__((aligned(64)));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) || fcntl(ends[1], F_SETFD, 0))
        return;
    leave(BIT(CAP_KILL), 1);
    TELL_DONE(clone(sits, stack + sizeof stack, CLONE_FS | SIGCHLD, ends));
    begin("look");
}

static void nobody_begins(void)
{
    TELL(prctl(PR_SET_KEEPCAPS, 1));
    TELL(setresuid(7, 7, 7));
    take_back(BIT(CAP_KILL));
    say("kept");
    begin("look");
}

static void half_root_begins(void)
{
    TELL(setresuid(0, 7, 7));
    begin("look");
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[argc - 1], "look")) {
        say("begun");
        return 0;
    }
    say("at first");
    IN_CHILD(refusals);
    IN_CHILD(unknown_ones);
    IN_CHILD(locked_memory);
    IN_CHILD(files);
    IN_CHILD(others);
    IN_CHILD(memory_of_others);
    IN_CHILD(ids_change);
    IN_CHILD(ids_change_and_they_stay);
    IN_CHILD(root_begins);
    IN_CHILD(root_begins_and_gains_none);
    IN_CHILD(root_begins_beside_another);
    IN_CHILD(nobody_begins);
    IN_CHILD(half_root_begins);
    return 0;
}
