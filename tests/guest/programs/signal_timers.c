/* alarm, setitimer, and processor time */
#include "say.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static volatile int alarms;

static void handler(int signal)
{
    (void)signal;
    alarms++;
}

static void refusals(void)
{
    struct itimerval wrong = {.it_value = {0, 1000000}}, timer = {.it_value = {1000000, 0}}, old;
    TELL(setitimer(ITIMER_REAL, &wrong, NULL));
    TELL(setitimer(99, &timer, NULL));
#ifdef __x86_64__ /* elsewhere libc looks at it itself */
    TELL(getitimer(ITIMER_REAL, (struct itimerval *)8));
#endif
    TELL(setitimer(ITIMER_REAL, &timer, NULL));
    TELL(getitimer(ITIMER_REAL, &old));
    printf("nearly 1000000 s: %d\n",
           old.it_value.tv_sec >= 990000 && old.it_value.tv_sec <= 1000000);
    printf("the alarm is the same timer: %d\n", alarm(0) >= 990000);
    TELL(getitimer(ITIMER_REAL, &old));
    printf("off: %d %d\n", (int)old.it_value.tv_sec, (int)old.it_value.tv_usec);
    alarm(500000);
    printf("again: %d\n", alarm(2000) >= 490000);
    TELL((int)syscall(SYS_setitimer, ITIMER_REAL, NULL, NULL)); /* libc looks at it itself */
    printf("nothing clears it: %d\n", alarm(0));
    pid_t pid = fork();
    alarm(1000);
    if (!pid) {
        alarm(0);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    pid = fork();
    if (!pid)
        _exit((int)alarm(0)); /* a child has none */
    int status;
    waitpid(pid, &status, 0);
    say_status("a child's alarm", status);
    alarm(0);
}

static void repeated(void)
{
    struct itimerval timer = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}};
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (alarms < 5)
        pause();
    setitimer(ITIMER_REAL, &off, NULL);
    int seen = alarms;
    usleep(50000);
    printf("five came: %d; none after: %d\n", seen >= 5, alarms == seen);
}

static void while_it_computes(void)
{
    struct itimerval timer = {{0, 0}, {0, 50000}};
    alarms = 0;
    setitimer(ITIMER_REAL, &timer, NULL);
    while (!alarms)
        ;
    printf("a loop is interrupted: %d\n", alarms);
    signal(SIGVTALRM, handler);
    alarms = 0;
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    while (!alarms)
        ;
    printf("by its own time: %d\n", alarms);
    signal(SIGPROF, handler);
    alarms = 0;
    setitimer(ITIMER_PROF, &timer, NULL);
    while (!alarms)
        getppid();
    printf("by that of the system: %d\n", alarms);
    struct rusage usage;
    do /* Linux may have counted a whole tick for a part of it */
        getrusage(RUSAGE_SELF, &usage);
    while (usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec <= 50000);
    printf("time was used\n");
}

static void killed_by_alarm(void)
{
    struct itimerval timer = {{0, 0}, {0, 10000}};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (;;)
        ;
}

static void clocks(void)
{
    static const clockid_t ids[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                                    CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                                    CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME};
    for (unsigned i = 0; i < COUNT(ids); i++) {
        struct timespec last = {0, 0}, now;
        bool back = false;
        for (int n = 0; n < 1000; n++) {
            if (clock_gettime(ids[i], &now))
                printf("clock %d: %s\n", (int)ids[i], error_name(errno));
            back = back || now.tv_sec < last.tv_sec ||
                   (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec) ||
                   now.tv_nsec >= 1000000000;
            last = now;
        }
        printf("clock %d goes back: %d\n", (int)ids[i], back);
    }
    TELL(clock_gettime(1234, &(struct timespec){0, 0}));
    TELL(clock_getres(CLOCK_MONOTONIC, NULL));
    printf("this century: %d\n", time(NULL) > 1600000000);
}

int main(void)
{
    refusals();
    repeated();
    while_it_computes();
    IN_CHILD(killed_by_alarm);
    clocks();
    return 0;
}
