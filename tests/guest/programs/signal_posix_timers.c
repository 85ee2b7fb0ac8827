/* timer_create and its relatives */
#include "say.h"

#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

static volatile int came, code, value, overrun, number;
static pthread_t who;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    number = signal;
    code = info->si_code;
    value = info->si_value.sival_int;
    overrun = info->si_overrun;
    who = pthread_self();
    came++;
}

static void catch (int signal)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(signal, &action, NULL);
    came = 0;
}

static int set(timer_t timer, int flags, long ms, long every)
{
    struct itimerspec time = {{every / 1000, every % 1000 * 1000000},
                              {ms / 1000, ms % 1000 * 1000000}};
    return timer_settime(timer, flags, &time, NULL);
}

static void wait_for(int count)
{
    while (came < count)
        usleep(1000);
}

static void refusals(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    struct itimerspec wrong = {{0, 0}, {0, 1000000000}};
    int none = 4711, id;
    TELL(syscall(SYS_timer_create, 99, NULL, &id));
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &id));
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    event.sigev_signo = SIGUSR1;
    event.sigev_notify = 77;
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8));
    TELL(syscall(SYS_timer_delete, none));
    TELL(syscall(SYS_timer_settime, none, 0, &wrong, NULL));
    TELL(syscall(SYS_timer_gettime, none, &wrong));
    TELL(syscall(SYS_timer_getoverrun, none));
    TELL(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    TELL(timer_settime(timer, 0, &wrong, NULL));
    TELL(timer_delete(timer));
}

static void usual(void)
{
    timer_t timer;
    struct itimerspec left;
    catch (SIGALRM);
    TELL(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    TELL(timer_gettime(timer, &left));
    printf("off: %d %d\n", (int)left.it_value.tv_sec, (int)left.it_value.tv_nsec);
    TELL(set(timer, 0, 20, 0));
    wait_for(1);
    printf("SIG%s, code %d, overrun %d\n", sigabbrev_np(number), code, overrun);
    TELL(timer_gettime(timer, &left));
    printf("off: %d %d\n", (int)left.it_value.tv_sec, (int)left.it_value.tv_nsec);
    TELL(set(timer, 0, 1000000000, 2000));
    TELL(timer_gettime(timer, &left));
    printf("%d, every %d\n", left.it_value.tv_sec >= 990000, (int)left.it_interval.tv_sec);
    TELL(set(timer, 0, 0, 0));
    TELL(timer_delete(timer));
    TELL(timer_delete(timer) < 0);
}

static void overruns(void)
{
    timer_t timer;
    sigset_t blocked, old;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    catch (SIGUSR1);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    TELL(timer_create(CLOCK_REALTIME, &event, &timer));
    TELL(set(timer, 0, 10, 10));
    usleep(105000);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("SIG%s, code %d, value %d, overrun %d, told %d\n", sigabbrev_np(number), code, value,
           overrun >= 7, timer_getoverrun(timer) >= 0);
    wait_for(3);
    printf("and so on: %d\n", came >= 3);
    signal(SIGUSR1, SIG_IGN);
    usleep(30000);
    catch (SIGUSR1);
    wait_for(2);
    printf("after it was ignored: %d\n", came >= 2);
    TELL(timer_delete(timer));
    came = 0;
    usleep(30000);
    printf("deleted: %d\n", came <= 1);
}

/* However short the interval, each time counts; and only the kernel's own word for it does. */
static void short_intervals(void)
{
    timer_t timer;
    sigset_t blocked, old;
    siginfo_t info = {.si_signo = SIGUSR2, .si_code = SI_TIMER};
    const struct timespec soon = {0, 0};
    const struct itimerspec shortest = {{0, 1}, {0, 1}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    TELL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TELL(timer_settime(timer, 0, &shortest, NULL));
    usleep(50000);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    TELL(sigtimedwait(&blocked, &info, &soon) == SIGUSR1);
    printf("code %d, many: %d\n", info.si_code, info.si_overrun >= 10000000);
    TELL(timer_delete(timer));
    info = (siginfo_t){.si_signo = SIGUSR2, .si_code = SI_TIMER};
    info.si_overrun = 7;
    sigaddset(&blocked, SIGUSR2);
    TELL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR2, &info));
    TELL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR2, &info));
    sigdelset(&blocked, SIGUSR1);
    TELL(sigtimedwait(&blocked, &info, &soon) == SIGUSR2);
    printf("code %d, overrun %d\n", info.si_code, info.si_overrun);
    TELL(sigtimedwait(&blocked, &info, &soon));
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void limited(void)
{
    timer_t timer;
    struct rlimit none = {0, 0};
    TELL(setrlimit(RLIMIT_SIGPENDING, &none));
    TELL(timer_create(CLOCK_MONOTONIC, NULL, &timer));
}

static void *in_thread(void *arg)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    event._sigev_un._tid = gettid();
    catch (SIGRTMIN);
    TELL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TELL(set(timer, 0, 10, 0));
    wait_for(1);
    printf("this thread: %d\n", pthread_equal(who, pthread_self()) != 0);
    TELL(timer_delete(timer));
    event._sigev_un._tid = 1;
    TELL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    return arg;
}

static volatile int notified;

static void notify(union sigval given)
{
    notified += given.sival_int;
}

static void threads_of_libc(void)
{
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 7};
    TELL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TELL(set(timer, 0, 5, 5));
    while (notified < 21)
        usleep(1000);
    printf("a function was called: %d\n", notified >= 21);
    TELL(timer_delete(timer));
}

static void processor_time(void)
{
    timer_t timer;
    struct itimerspec left;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    static const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < COUNT(clocks); i++) {
        catch (SIGUSR2);
        TELL(timer_create(clocks[i], &event, &timer));
        /* A machine that was itself stopped counts that for who ran: then it's tried anew. */
        for (int tries = 0; tries < 200; tries++) {
            came = 0;
            set(timer, 0, 100, 0);
            usleep(200000);
            timer_gettime(timer, &left);
            if (!came && left.it_value.tv_nsec > 10000000)
                break;
        }
        printf("asleep: %d\n", came);
        printf("left: %d\n", left.it_value.tv_nsec > 10000000);
        while (!came)
            ;
        printf("code %d\n", code);
        TELL(timer_delete(timer));
    }
}

static void not_inherited(void)
{
    timer_t timer;
    catch (SIGALRM);
    TELL(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    TELL(set(timer, 0, 30, 30));
    pid_t pid = fork();
    if (!pid) {
        came = 0;
        for (int i = 0; i < 10; i++)
            usleep(10000);
        _exit(came);
    }
    int status;
    waitpid(pid, &status, 0);
    say_status("a child has none", status);
    timer_delete(timer);
}

int main(void)
{
    short_intervals();
    IN_CHILD(limited);
    pthread_t thread;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec left;
    timer_t timer;
    refusals();
    usual();
    overruns();
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    threads_of_libc();
    processor_time();
    not_inherited();
    TELL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TELL(set(timer, 0, 10, 1000000000));
    usleep(20000);
    TELL(timer_gettime(timer, &left));
    printf("nobody is told: %d\n", left.it_value.tv_sec >= 990000);
    return 0;
}
