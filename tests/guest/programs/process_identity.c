/* Users, groups, sessions; who may signal whom */
#include "say.h"

#include <grp.h>
#include <sys/stat.h>

static void ids(const char *when)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    getresuid(&r, &e, &s);
    getresgid(&gr, &ge, &gs);
    printf("%s: %d %d %d, %d %d %d\n", when, (int)r, (int)e, (int)s, (int)gr, (int)ge, (int)gs);
}

static void set_by_root(void)
{
    gid_t groups[3] = {10, 20, 30}, got[4];
    TELL(setgroups(3, groups));
    TELL(getgroups(0, NULL));
    TELL(getgroups(2, got));
    TELL(getgroups(4, got));
    printf("%d %d %d\n", (int)got[0], (int)got[1], (int)got[2]);
    TELL(setresgid(100, 200, 300));
    TELL(setresuid(1000, 2000, 0));
    ids("three different");
    TELL(setuid(1000));
    ids("effective alone");
    TELL(setuid(5));
    TELL(setresuid((uid_t)-1, 0, (uid_t)-1));
    ids("root again");
    TELL(setuid(77));
    ids("for good");
    TELL(seteuid(0));
    TELL(setgid(100));
    TELL(setgid(5));
    TELL(setgroups(0, NULL));
}

static void groups_in_status(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Groups:", 7))
            fputs(line, stdout);
    if (status)
        fclose(status);
}

/* They are told sorted, with those that come twice; children have them; files are opened by them.
 */
static void supplementary_groups(void)
{
    static gid_t many[65537], got[65536];
    gid_t groups[5] = {70000, 7, 30, 7, 20};
    TELL(setgroups(0, NULL));
    groups_in_status();
    TELL(setgroups(5, groups));
    TELL(getgroups(5, got));
    for (int i = 0; i < 5; i++)
        printf("%d%s", (int)got[i], i < 4 ? " " : "\n");
    TELL(getgroups(-1, got));
    TELL(getgroups(5, (gid_t *)8));
    groups[2] = (gid_t)-1;
    TELL(setgroups(5, groups));
    TELL(setgroups(5, (gid_t *)8));
    TELL(setgroups(65537, many));
    IN_CHILD(groups_in_status);
    int fd = open("of-group", O_RDWR | O_CREAT, 0600);
    TELL(fchown(fd, 0, 70000));
    TELL(fchmod(fd, 0640));
    close(fd);
    TELL(setresgid(99, 99, 99));
    TELL(seteuid(99));
    TELL(open("of-group", O_RDONLY) < 0);
    TELL(open("of-group", O_RDWR));
    TELL(seteuid(0));
    TELL(setgroups(1, groups + 1));
    TELL(seteuid(99));
    TELL(open("of-group", O_RDONLY));
    TELL(seteuid(0));
    for (unsigned i = 0; i < 65536; i++)
        many[i] = 65535 - i;
    TELL(setgroups(65536, many));
    TELL(getgroups(65536, got));
    for (unsigned i = 0; i < 65536; i++)
        if (got[i] != i)
            printf("the one of number %u is %d\n", i, (int)got[i]);
    TELL(setgroups(0, NULL));
    TELL(unlink("of-group"));
}

/* i386's first calls, with groups of 16 bits. */
static void narrow_groups(void)
{
#ifdef __i386__
    gid_t wide[3] = {70000, 7, 65535};
    uint16_t got[4] = {0}, groups[3] = {20, 65534, 7};
    TELL(syscall(SYS_setgroups, 3, groups));
    groups_in_status();
    TELL(setgroups(3, wide));
    TELL(syscall(SYS_getgroups, 0, NULL));
    TELL(syscall(SYS_getgroups, 2, got));
    TELL(syscall(SYS_getgroups, 4, got));
    printf("%d %d %d %d\n", got[0], got[1], got[2], got[3]);
    groups[1] = 65535;
    TELL(syscall(SYS_setgroups, 3, groups));
    TELL(syscall(SYS_setgroups, 3, 8));
    TELL(syscall(SYS_setgroups, 65537, groups));
#endif
}

static void signals_to_others(void)
{
    pid_t pid = fork();
    if (!pid) {
        alarm(1000); /* nobody of ours may end it, but the session does */
        pause();
        _exit(0);
    }
    TELL(setresuid(1, 1, 1));
    TELL(kill(pid, SIGTERM));
    TELL(kill(pid, 0));
    TELL(kill(1, 0));
    TELL(kill(999999, 0));
    TELL(kill(getpid(), 99));
    TELL(kill(getpid(), -1));
    TELL(kill(getpid(), 0));
    TELL(kill(-999999, 0));
    _exit(0);
}

static void sessions(void)
{
    TELL(setsid() == getpid());
    printf("leads: %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
    TELL(setsid());
    TELL(setpgid(0, 0));
    pid_t pid = fork();
    if (!pid) {
        printf("a child's session is its parent's: %d\n", getsid(0) == getppid());
        TELL(setpgid(0, 0));
        TELL(setpgid(0, getppid()));
        TELL(setpgid(getppid(), 0));
        TELL(setsid() == getpid());
        TELL(setpgid(0, getppid()));
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    TELL(getsid(999999));
}

static void groups_die_together(void)
{
    int status, ends[2];
    pid_t leader = 0, pids[3];
    char byte;
    if (pipe(ends))
        return;
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            setpgid(0, leader);
            if (write(ends[1], "r", 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
        setpgid(pids[i], leader);
        leader = pids[0];
    }
    for (int i = 0; i < 3; i++)
        if (read(ends[0], &byte, 1) != 1)
            return;
    TELL(kill(-leader, SIGTERM));
    for (int i = 0; i < 3; i++) {
        waitpid(pids[i], &status, 0);
        say_status("one of three", status);
    }
    TELL(kill(-leader, 0));
}

int main(void)
{
    IN_CHILD(set_by_root);
    IN_CHILD(supplementary_groups);
    IN_CHILD(narrow_groups);
    IN_CHILD(signals_to_others);
    IN_CHILD(sessions);
    groups_die_together();
    return 0;
}
