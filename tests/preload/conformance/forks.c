/* tests/preload/conformance/forks.c: processes made while others allocate, and in signal handlers
 *
 * A child has the forking thread only: it may never wait for what another one held. Each child has
 * an alarm, so that one that hangs ends, and is told.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "at_fork.h"
#include "conformance.h"

#define CHILD_SECONDS 300u
#define NR_THREADS 8u
#define NR_SLOTS 512u
#define MOST_TURNS 4u /* of destructors, by POSIX */

extern char **environ;

/* Allocates and frees; false: something is wrong with what it got. */
static bool work(uint64_t seed, unsigned steps)
{
    char *slot[64] = {NULL};
    size_t sizes[64] = {0};
    bool good = true;
    for (unsigned step = 0; step < steps; step++) {
        unsigned i = (unsigned)(random_next(&seed) % 64);
        good = good && (!slot[i] || (slot[i][0] == (char)i && slot[i][sizes[i] - 1] == (char)i));
        free(slot[i]);
        sizes[i] = random_size(&seed, step % 64 ? 3000 : 300000);
        slot[i] = malloc(sizes[i]);
        if (!slot[i])
            return false;
        slot[i][0] = slot[i][sizes[i] - 1] = (char)i;
    }
    for (unsigned i = 0; i < 64; i++)
        free(slot[i]);
    return good;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static bool is_good(int status, const char *what)
{
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return true;
    note("%s: wait status %#x%s", what, (unsigned)status,
         WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ", it hung" : "");
    return false;
}

/* A child that allocates; false: it didn't end as it should. */
static bool fork_and_work(uint64_t seed, unsigned steps)
{
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (!pid) {
        signal(SIGALRM, SIG_DFL);
        alarm(CHILD_SECONDS);
        _exit(!work(seed, steps));
    }
    return is_good(wait_for(pid), "child");
}

static void a_child_allocates_and_frees_what_it_inherited(void)
{
    char *held[200];
    for (unsigned i = 0; i < 200; i++) {
        held[i] = malloc(i * 50);
        fill(held[i], i * 50, i);
    }
    for (unsigned round = 0; round < 20; round++) {
        pid_t pid = fork();
        if (!pid) {
            bool good = true;
            alarm(CHILD_SECONDS);
            for (unsigned i = 0; i < 200; i++) {
                good = good && holds(held[i], i * 50, i);
                free(held[i]);
            }
            _exit(!good || !work(round, 5000));
        }
        CHECK(is_good(wait_for(pid), "child"));
    }
    for (unsigned i = 0; i < 200; i++) {
        CHECK(holds(held[i], i * 50, i));
        free(held[i]);
    }
}

static void children_of_children_allocate(void)
{
    pid_t pid;
    for (unsigned depth = 0; depth < 10; depth++) {
        pid = fork();
        REQUIRE(pid >= 0);
        if (pid) {
            bool good = is_good(wait_for(pid), "child") && work(depth, 1000);
            if (depth)
                _exit(!good);
            CHECK(good);
            return;
        }
        alarm(CHILD_SECONDS);
    }
    _exit(!work(99, 1000));
}

/* ---- under load ------------------------------------------------------------------------------ */

static atomic_bool stop;
static _Atomic(char *) shared[NR_SLOTS]; /* blocks that any thread frees */

static void *load(void *arg)
{
    const struct timespec pause = {.tv_nsec = 20000};
    uint64_t seed = (uintptr_t)arg;
    bool good = true;
    for (unsigned step = 0; !atomic_load_explicit(&stop, memory_order_relaxed); step++) {
        if (step % 200 == 0)
            nanosleep(&pause, NULL); /* or who forks has no turn */
        size_t size = random_size(&seed, random_next(&seed) % 64 ? 2000 : 200000);
        char *block = malloc(size);
        if (block)
            block[0] = block[size - 1] = 1;
        good = good && block;
        free(atomic_exchange(&shared[random_next(&seed) % NR_SLOTS], block));
    }
    return good ? NULL : arg;
}

static void start_load(pthread_t *thread)
{
    for (unsigned i = 0; i < NR_THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, load, (void *)(uintptr_t)(i + 1)));
}

static void end_load(pthread_t *thread)
{
    void *result;
    stop = true;
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    for (unsigned i = 0; i < NR_SLOTS; i++)
        free(shared[i]);
}

static void fork_under_load(unsigned times)
{
    pthread_t thread[NR_THREADS];
    start_load(thread);
    bool good = true;
    for (unsigned i = 0; good && i < times; i++)
        good = fork_and_work(i, 100);
    CHECK(good);
    end_load(thread);
}

static void children_allocate_while_8_threads_do(void)
{
    fork_under_load(1000);
}

static void a_hundred_children_while_8_threads_allocate(void)
{
    fork_under_load(100);
}

static void children_allocate_while_8_threads_fill_blocks(void)
{
    CHECK_EQ(mallopt(M_PERTURB, 0x55), 1);
    fork_under_load(1000);
}

static pthread_key_t late_key;

/* What a thread allocates when it begins, and in its last destructors. */
static void late(void *value)
{
    uintptr_t turn = (uintptr_t)value;
    free(malloc(turn * 100));
    if (turn < MOST_TURNS)
        pthread_setspecific(late_key, (void *)(turn + 1));
}

static void *begin_and_end(void *arg)
{
    char *block[20];
    pthread_setspecific(late_key, (void *)(uintptr_t)1);
    for (unsigned i = 0; i < 20; i++)
        block[i] = malloc(i * 100 + 1);
    for (unsigned i = 0; i < 20; i++)
        free(block[i]);
    return arg;
}

static void *start_threads(void *arg)
{
    while (!atomic_load(&stop)) {
        pthread_t thread[4];
        unsigned made = 0;
        while (made < 4 && !pthread_create(&thread[made], NULL, begin_and_end, NULL))
            made++;
        while (made)
            pthread_join(thread[--made], NULL);
    }
    return arg;
}

static void children_allocate_while_threads_begin_and_end(void)
{
    pthread_t thread[2];
    bool good = true;
    REQUIRE(!pthread_key_create(&late_key, late));
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, start_threads, NULL));
    for (unsigned i = 0; good && i < 1000; i++)
        good = fork_and_work(i, 100);
    CHECK(good);
    stop = true;
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static void *fork_often(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    for (unsigned i = 0; i < 40; i++)
        if (!work(seed, 200) || !fork_and_work(seed + i, 200))
            return arg;
    return NULL;
}

static void eight_threads_fork_at_the_same_time(void)
{
    pthread_t thread[NR_THREADS];
    void *result;
    for (unsigned i = 0; i < NR_THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, fork_often, (void *)(uintptr_t)(i + 1)));
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
}

static void *work_in_a_thread(void *arg)
{
    return work((uintptr_t)arg, 3000) ? NULL : arg;
}

static void a_child_of_a_threaded_process_has_threads_of_its_own(void)
{
    pthread_t thread[NR_THREADS];
    start_load(thread);
    for (unsigned round = 0; round < 30; round++) {
        pid_t pid = fork();
        if (!pid) {
            pthread_t own[4];
            void *result;
            bool good = true;
            alarm(CHILD_SECONDS);
            for (unsigned i = 0; i < 4; i++)
                good =
                    good && !pthread_create(&own[i], NULL, work_in_a_thread, (void *)(uintptr_t)i);
            for (unsigned i = 0; good && i < 4; i++)
                good = !pthread_join(own[i], &result) && !result;
            for (unsigned i = 0; i < NR_SLOTS; i++)
                free(shared[i]);
            _exit(!good);
        }
        CHECK(is_good(wait_for(pid), "child"));
    }
    end_load(thread);
}

static void children_trim_and_count_while_8_threads_allocate(void)
{
    pthread_t thread[NR_THREADS];
    start_load(thread);
    for (unsigned round = 0; round < 50; round++) {
        pid_t pid = fork();
        if (!pid) {
            alarm(CHILD_SECONDS);
            malloc_trim(0);
            bool good = mallinfo2().uordblks + mallinfo2().hblkhd > 0;
            _exit(!good || !work(round, 100));
        }
        CHECK(is_good(wait_for(pid), "child"));
    }
    end_load(thread);
}

static void programs_are_started_while_8_threads_allocate(void)
{
    pthread_t thread[NR_THREADS];
    char *argv[] = {"/bin/true", NULL};
    start_load(thread);
    for (unsigned round = 0; round < 50; round++) {
        pid_t pid;
        REQUIRE(!posix_spawn(&pid, argv[0], NULL, NULL, argv, environ));
        CHECK(is_good(wait_for(pid), "posix_spawn"));
        CHECK(is_good(system("exit 0"), "system"));
    }
    end_load(thread);
}

/* ---- files, whose locks fork takes ----------------------------------------------------------- */

static void *read_lines(void *arg)
{
    while (!atomic_load(&stop)) {
        FILE *file = fopen(arg, "r");
        char *line = NULL;
        size_t size = 0;
        while (file && getline(&line, &size, file) > 0)
            ;
        free(line);
        if (!file || fclose(file))
            return arg;
    }
    return NULL;
}

static void *flush_all(void *arg)
{
    while (!atomic_load(&stop))
        if (fflush(NULL))
            return arg;
    return NULL;
}

static void children_allocate_while_threads_read_lines_and_flush(void)
{
    char name[] = "/tmp/quire-lines-XXXXXX";
    pthread_t thread[NR_THREADS];
    void *result;
    int descriptor = mkstemp(name);
    FILE *file = fdopen(descriptor, "w");
    REQUIRE(file);
    for (unsigned i = 0; i < 200000; i++)
        fputc(i % 60000 == 59999 ? '\n' : 'x', file);
    REQUIRE(!fclose(file));
    for (unsigned i = 0; i < NR_THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, i % 4 ? read_lines : flush_all, name));
    for (unsigned i = 0; i < 100; i++)
        CHECK(fork_and_work(i, 100));
    stop = true;
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    unlink(name);
}

static void *allocate_with_a_file(void *arg)
{
    FILE *file = arg;
    while (!atomic_load(&stop)) {
        flockfile(file);
        for (unsigned i = 0; i < 10; i++) {
            char *small = malloc(3000), *large = opaque(malloc(400000));
            if (!small || !large || !malloc_usable_size(large))
                return NULL;
            large[399999] = small[2999] = 1;
            free(small);
            free(large);
        }
        fputc(1, file);
        funlockfile(file);
    }
    return arg;
}

/* Who has a FILE that fflush waits for, with the list's lock, which fork waits for, may not wait
 * for fork; nor keep the FILE so long that nobody else ever has it. */
static void threads_allocate_while_they_have_a_file(void)
{
    pthread_t thread[3];
    void *result;
    FILE *file = fopen("/dev/null", "w");
    REQUIRE(file);
    fputc(1, file);
    alarm(CHILD_SECONDS);
    REQUIRE(!pthread_create(&thread[0], NULL, allocate_with_a_file, file));
    REQUIRE(!pthread_create(&thread[1], NULL, allocate_with_a_file, file));
    REQUIRE(!pthread_create(&thread[2], NULL, flush_all, NULL));
    for (unsigned i = 0; i < 100; i++)
        CHECK(fork_and_work(i, 10));
    stop = true;
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(thread[i], &result);
        CHECK((i == 2) == !result);
    }
    fclose(file);
}

#define NR_HELD 6u
#define HELD_BYTES (10ul << 20)

static void *hold_a_file(void *arg)
{
    const struct timespec some = {.tv_nsec = 400000000};
    flockfile(arg);
    stop = true;
    nanosleep(&some, NULL);
    funlockfile(arg);
    return NULL;
}

static void *flush_once(void *arg)
{
    (void)arg;
    return fflush(NULL) ? (void *)1 : NULL;
}

static void *fork_once(void *arg)
{
    (void)arg;
    return fork_and_work(1, 10) ? NULL : (void *)1;
}

/* Who forks waits for the FILE meanwhile. */
static void what_is_allocated_while_another_thread_forks_goes_back(void)
{
    const struct timespec some = {.tv_nsec = 20000000};
    pthread_t thread[3];
    void *result;
    char *held[NR_HELD];
    FILE *file = fopen("/dev/null", "w");
    REQUIRE(file);
    fputc(1, file);
    REQUIRE(!pthread_create(&thread[0], NULL, hold_a_file, file));
    while (!stop)
        nanosleep(&some, NULL);
    REQUIRE(!pthread_create(&thread[1], NULL, flush_once, NULL));
    nanosleep(&some, NULL);
    REQUIRE(!pthread_create(&thread[2], NULL, fork_once, NULL));
    nanosleep(&some, NULL);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < NR_HELD; i++) {
        REQUIRE(held[i] = malloc(HELD_BYTES));
        fill(held[i], HELD_BYTES, i);
    }
    char *small[2000];
    for (unsigned i = 0; i < 2000; i++) {
        REQUIRE(small[i] = malloc(10000));
        memset(small[i], 1, 10000);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    for (unsigned i = 0; i < NR_HELD; i++) {
        CHECK(holds(held[i], HELD_BYTES, i));
        free(held[i]);
    }
    for (unsigned i = 0; i < 2000; i++)
        free(small[i]);
    malloc_trim(0);
    note("%zu KiB more are resident", (resident_bytes() - before) / 1024);
    CHECK(resident_bytes() < before + (6ul << 20));
    fclose(file);
}

static atomic_bool has_asked;

/* Until there were figures. */
static void *ask_with_a_file(void *arg)
{
    const struct timespec some = {.tv_nsec = 100000000};
    flockfile(arg);
    stop = true;
    nanosleep(&some, NULL);
    bool is_told = mallinfo2().arena && mallopt(M_TRIM_THRESHOLD, 1 << 20);
    has_asked = true;
    funlockfile(arg);
    return is_told ? NULL : arg;
}

/* The flush has the list's lock and waits for the FILE, fork for the list. */
static void who_has_a_file_may_ask_the_heap_while_another_thread_forks(void)
{
    const struct timespec some = {.tv_nsec = 20000000};
    pthread_t thread[3];
    void *result;
    FILE *file = fopen("/dev/null", "w");
    REQUIRE(file);
    fputc(1, file);
    alarm(CHILD_SECONDS);
    REQUIRE(!pthread_create(&thread[0], NULL, ask_with_a_file, file));
    while (!stop)
        nanosleep(&some, NULL);
    REQUIRE(!pthread_create(&thread[1], NULL, flush_once, NULL));
    nanosleep(&some, NULL);
    REQUIRE(!pthread_create(&thread[2], NULL, fork_once, NULL));
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    CHECK(has_asked);
    fclose(file);
}

/* ---- _Fork beside fork ----------------------------------------------------------------------- */

#define IMAGE_BYTES (128ul << 20)

static void *fork_again(void *arg)
{
    while (!atomic_load(&stop)) {
        pid_t pid = fork();
        if (!pid)
            _exit(0);
        (void)wait_for(pid);
    }
    return arg;
}

/* What is large takes long to fork. */
static void children_of__Fork_allocate_while_another_thread_forks(void)
{
    pthread_t thread;
    char *image =
        mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(image != MAP_FAILED);
    madvise(image, IMAGE_BYTES, MADV_NOHUGEPAGE);
    memset(image, 1, IMAGE_BYTES);
    REQUIRE(!pthread_create(&thread, NULL, fork_again, NULL));
    for (unsigned round = 0; round < 20; round++) {
        const struct timespec pause = {.tv_nsec = 3000000 + round * 97000};
        nanosleep(&pause, NULL);
        pid_t pid = _Fork();
        if (!pid) {
            alarm(CHILD_SECONDS);
            _exit(!work(round, 500));
        }
        REQUIRE(is_good(wait_for(pid), "child"));
    }
    stop = true;
    pthread_join(thread, NULL);
}

/* ---- handlers of fork ------------------------------------------------------------------------ */

static void *at_fork[3];

static void before_fork(void)
{
    at_fork[0] = malloc(1000);
}

static void after_fork_in_parent(void)
{
    at_fork[1] = realloc(at_fork[0], 5000);
}

static void after_fork_in_child(void)
{
    free(at_fork[0]);
    at_fork[2] = malloc(300000);
}

static void handlers_of_fork_may_allocate(void)
{
    pthread_t thread[NR_THREADS];
    REQUIRE(!pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child));
    start_load(thread);
    for (unsigned round = 0; round < 50; round++) {
        CHECK(fork_and_work(round, 100));
        CHECK(at_fork[1]);
        free(at_fork[1]);
    }
    end_load(thread);
}

static void *open_with_the_lock(void *arg)
{
    while (!atomic_load(&stop)) {
        at_fork_lock();
        FILE *file = fopen("/dev/null", "w");
        if (file)
            fclose(file);
        at_fork_unlock();
    }
    return arg;
}

/* fork takes the list of FILEs after the handlers, and who has their lock takes it, too. */
static void who_has_a_lock_that_forks_take_may_open_files(void)
{
    pthread_t thread;
    at_fork_begin();
    alarm(CHILD_SECONDS);
    REQUIRE(!pthread_create(&thread, NULL, open_with_the_lock, NULL));
    for (unsigned round = 0; round < 500; round++)
        CHECK(fork_and_work(round, 10));
    stop = true;
    pthread_join(thread, NULL);
}

/* ---- in a signal handler --------------------------------------------------------------------- */

static atomic_uint interruptions;
static atomic_int bad_status;

static long until_next;

/* Counted from a handler's end: those that take longer than that leave who is interrupted his turn.
 */
static void again(void)
{
    struct itimerval timer = {.it_value = {0, until_next}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void every(long microseconds, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    until_next = microseconds;
    REQUIRE(!sigaction(SIGALRM, &action, NULL));
    again();
}

static void no_more(void)
{
    signal(SIGALRM, SIG_IGN);
    until_next = 0;
    again();
}

static void fork_in_handler(int number)
{
    (void)number;
    int before = errno;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    int status = wait_for(pid);
    if (pid < 0 || status)
        bad_status = status ? status : -1;
    interruptions++;
    again();
    errno = before;
}

static void bare_fork_in_handler(int number)
{
    (void)number;
    int before = errno;
    pid_t pid = _Fork();
    if (!pid)
        _exit(0);
    int status = wait_for(pid);
    if (pid < 0 || status)
        bad_status = status ? status : -1;
    interruptions++;
    again();
    errno = before;
}

static void a_handler_that_interrupts_malloc_forks(void)
{
    every(300, fork_in_handler);
    for (unsigned round = 0; interruptions < 500; round++)
        REQUIRE(work(round, 1000));
    no_more();
    CHECK_EQ(bad_status, 0);
}

static void *work_until_stopped(void *arg)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (uint64_t seed = (uintptr_t)arg; !stop; seed++)
        if (!work(seed, 1000))
            return arg;
    return NULL;
}

static void a_handler_that_interrupts_malloc_forks_by__Fork_with_other_threads(void)
{
    pthread_t thread[2];
    void *result;
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, work_until_stopped, (void *)(uintptr_t)(i + 1)));
    every(300, bare_fork_in_handler);
    for (unsigned round = 0; interruptions < 300; round++)
        REQUIRE(work(round, 1000));
    no_more();
    stop = true;
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    CHECK_EQ(bad_status, 0);
}

/* beyond: fork is not async-signal-safe with threads, and its lock may be held */
static void a_handler_that_interrupts_malloc_forks_with_other_threads(void)
{
    pthread_t thread[2];
    void *result;
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, work_until_stopped, (void *)(uintptr_t)(i + 1)));
    every(300, fork_in_handler);
    for (unsigned round = 0; interruptions < 300; round++)
        REQUIRE(work(round, 1000));
    no_more();
    stop = true;
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    CHECK_EQ(bad_status, 0);
}

static void fork_and_work_in_handler(int number)
{
    (void)number;
    int before = errno;
    pid_t pid = fork();
    if (!pid) {
        no_more();
        signal(SIGALRM, SIG_DFL);
        alarm(CHILD_SECONDS);
        _exit(!work(interruptions, 200));
    }
    int status = wait_for(pid);
    if (pid < 0 || status)
        bad_status = status ? status : -1;
    interruptions++;
    again();
    errno = before;
}

/* beyond: malloc is not async-signal-safe, in the child neither */
static void the_child_of_such_a_handler_allocates(void)
{
    every(300, fork_and_work_in_handler);
    for (unsigned round = 0; interruptions < 300; round++)
        REQUIRE(work(round, 1000));
    no_more();
    CHECK_EQ(bad_status, 0);
}

static void allocate_in_handler(int number)
{
    (void)number;
    int before = errno;
    if (!work(interruptions, 20))
        bad_status = 1;
    interruptions++;
    again();
    errno = before;
}

/* beyond: malloc is not async-signal-safe */
static void a_handler_that_interrupts_malloc_allocates(void)
{
    every(200, allocate_in_handler);
    for (unsigned round = 0; interruptions < 2000; round++)
        REQUIRE(work(round, 1000));
    no_more();
    CHECK_EQ(bad_status, 0);
}

static void exit_in_handler(int number)
{
    (void)number;
    exit(0);
}

static void a_handler_that_interrupts_malloc_ends_the_process(void)
{
    for (unsigned round = 0; round < 200; round++) {
        pid_t pid = fork();
        if (!pid) {
            every(200 + round * 7, exit_in_handler);
            for (;;)
                if (!work(round, 1000))
                    _exit(1);
        }
        CHECK(is_good(wait_for(pid), "child"));
    }
}

static const struct conformance_case cases[] = {
    CASE(a_child_allocates_and_frees_what_it_inherited),
    CASE(children_of_children_allocate),
    CASE(children_allocate_while_8_threads_do),
    CASE_INNER(a_hundred_children_while_8_threads_allocate),
    CASE(children_allocate_while_8_threads_fill_blocks),
    CASE(children_allocate_while_threads_begin_and_end),
    CASE(eight_threads_fork_at_the_same_time),
    CASE(a_child_of_a_threaded_process_has_threads_of_its_own),
    CASE(children_trim_and_count_while_8_threads_allocate),
    CASE(programs_are_started_while_8_threads_allocate),
    CASE(children_allocate_while_threads_read_lines_and_flush),
    CASE(threads_allocate_while_they_have_a_file),
    CASE(what_is_allocated_while_another_thread_forks_goes_back),
    CASE(who_has_a_file_may_ask_the_heap_while_another_thread_forks),
    CASE_BEYOND(children_of__Fork_allocate_while_another_thread_forks,
                "malloc is not async-signal-safe, and _Fork takes none of its locks"),
    CASE(handlers_of_fork_may_allocate),
    CASE(who_has_a_lock_that_forks_take_may_open_files),
    CASE(a_handler_that_interrupts_malloc_forks),
    CASE(a_handler_that_interrupts_malloc_forks_by__Fork_with_other_threads),
    CASE_BEYOND(a_handler_that_interrupts_malloc_forks_with_other_threads,
                "fork is not async-signal-safe with threads, and its lock may be held"),
    CASE_BEYOND(the_child_of_such_a_handler_allocates,
                "malloc is not async-signal-safe, in the child neither"),
    CASE_BEYOND(a_handler_that_interrupts_malloc_allocates, "malloc is not async-signal-safe"),
    CASE(a_handler_that_interrupts_malloc_ends_the_process),
    END_OF_CASES,
};
const struct conformance_group conformance_forks = {"forks", cases};
