/* tests/preload/conformance/lifetime.c: from before main to after exit, and libraries in between */
#include <dirent.h>
#include <dlfcn.h>
#include <glob.h>
#include <malloc.h>
#include <pthread.h>
#include <regex.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "conformance.h"
#include "module.h"

extern char **environ;

/* A file beside this program. */
static const char *beside(const char *name)
{
    static __thread char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    REQUIRE(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/') + 1, 64, "%s", name);
    return path;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static char *of_constructor;

__attribute__((constructor(101))) static void allocate_in_constructor(void)
{
    of_constructor = malloc(1000);
    fill(of_constructor, 1000, 11);
}

static void blocks_of_constructors_live_on(void)
{
    CHECK(holds(of_constructor, 1000, 11));
    of_constructor = realloc(of_constructor, 100000);
    CHECK(of_constructor && holds(of_constructor, 1000, 11));
    free(of_constructor);
}

/* conformance/early.c: in an ifunc's resolver, before initialisation, in constructors. */
static void run_early(void)
{
    char *argv[] = {(char *)beside("quire-conformance-early"), NULL};
    int status = -1;
    pid_t pid;
    REQUIRE(!posix_spawn(&pid, argv[0], NULL, NULL, argv, environ));
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

static void a_program_allocates_before_everything(void)
{
    run_early();
}

static void a_program_allocates_before_everything_when_all_is_bound_at_once(void)
{
    setenv("LD_BIND_NOW", "1", 1);
    run_early();
}

/* ---- the end --------------------------------------------------------------------------------- */

static char *of_main;
static unsigned at_end;

static void allocate_at_exit(void)
{
    char *block = malloc(5000), *large = malloc(500000);
    if (!block || !large || !holds(of_main, 1000, 12))
        _exit(3);
    memset(block, 1, 5000);
    memset(large, 1, 500000);
    free(block);
    free(large);
    at_end++;
}

__attribute__((destructor)) static void allocate_in_destructor(void)
{
    if (!of_main)
        return; /* another case */
    allocate_at_exit();
    free(of_main);
    if (at_end != 3)
        _exit(4);
    of_main = NULL;
}

static void *leave_by_exit(void *arg)
{
    (void)arg;
    of_main = malloc(1000);
    fill(of_main, 1000, 12);
    REQUIRE(!atexit(allocate_at_exit) && !atexit(allocate_at_exit));
    exit(0);
}

static void of_end(void)
{
    leave_by_exit(NULL);
}

static void handlers_of_exit_and_destructors_allocate(void)
{
    CHECK_EQ(run_self("lifetime.of_end", NULL, NULL), 0);
}

static void allocate_at_quick_exit(void)
{
    char *block = malloc(100000);
    if (!block)
        _exit(3);
    free(block);
}

static void of_quick_end(void)
{
    REQUIRE(!at_quick_exit(allocate_at_quick_exit));
    quick_exit(0);
}

static void handlers_of_quick_exit_allocate(void)
{
    CHECK_EQ(run_self("lifetime.of_quick_end", NULL, NULL), 0);
}

static void *go_on_allocating(void *arg)
{
    while (!arg)
        free(opaque(malloc(1000)));
    return NULL;
}

static void of_end_with_threads(void)
{
    pthread_t thread;
    for (unsigned i = 0; i < 4; i++)
        REQUIRE(!pthread_create(&thread, NULL, go_on_allocating, NULL));
    exit(0);
}

static void a_process_ends_while_threads_allocate(void)
{
    for (unsigned i = 0; i < 50; i++)
        CHECK_EQ(run_self("lifetime.of_end_with_threads", NULL, NULL), 0);
}

static void of_main_thread_that_ends(void)
{
    pthread_t thread;
    free(opaque(malloc(1000)));
    REQUIRE(!pthread_create(&thread, NULL, leave_by_exit, NULL));
    pthread_exit(NULL);
}

static void another_thread_ends_the_process_after_the_main_thread(void)
{
    CHECK_EQ(run_self("lifetime.of_main_thread_that_ends", NULL, NULL), 0);
}

/* ---- libraries that come and go -------------------------------------------------------------- */

static const struct module *open_module(void **handle)
{
    *handle = dlopen(beside("quire-conformance-module.so"), RTLD_NOW);
    if (!*handle)
        note("%s", dlerror());
    REQUIRE(*handle);
    const struct module *module = dlsym(*handle, "conformance_module");
    REQUIRE(module);
    return module;
}

static void libraries_allocate_in_constructors_and_destructors(void)
{
    for (unsigned round = 0; round < 100; round++) {
        void *handle;
        const struct module *module = open_module(&handle);
        char *block = module->take_constructed();
        CHECK(block && holds(block, MODULE_BLOCK_BYTES, 13));
        char *other = module->allocate(round * 100 + 1);
        fill(other, round * 100 + 1, 14);
        CHECK(!dlclose(handle));
        CHECK(holds(other, round * 100 + 1, 14) && holds(block, MODULE_BLOCK_BYTES, 13));
        free(other);
        free(block);
    }
}

static const struct module *module_of_threads;

static void *use_thread_storage(void *arg)
{
    char *storage = module_of_threads->thread_storage();
    if (!is_zero(storage, MODULE_STORAGE_BYTES))
        return arg;
    memset(storage, 0xff, MODULE_STORAGE_BYTES);
    return NULL;
}

/* The dynamic linker takes it from the program's malloc, and frees it when the thread ends. */
static void thread_storage_of_libraries_comes_and_goes(void)
{
    for (unsigned round = 0; round < 20; round++) {
        void *handle;
        pthread_t thread[10];
        module_of_threads = open_module(&handle);
        for (unsigned i = 0; i < 10; i++)
            REQUIRE(!pthread_create(&thread[i], NULL, use_thread_storage, (void *)1));
        for (unsigned i = 0; i < 10; i++) {
            void *result;
            pthread_join(thread[i], &result);
            CHECK(!result);
        }
        CHECK(!use_thread_storage((void *)1));
        CHECK(!dlclose(handle));
    }
}

static void *open_and_close(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 50; i++) {
        void *handle;
        const struct module *module = open_module(&handle);
        free(module->allocate(1000));
        if (dlclose(handle))
            return (void *)1;
    }
    return NULL;
}

static void threads_open_and_close_libraries(void)
{
    pthread_t thread[6];
    for (unsigned i = 0; i < 6; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, open_and_close, NULL));
    for (unsigned i = 0; i < 6; i++) {
        void *result;
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
}

/* ---- what the C library allocates ------------------------------------------------------------ */

static void blocks_of_the_C_library_are_freed_by_free(void)
{
    char *text = NULL, *line = NULL;
    size_t size = 0;
    struct dirent **names;
    for (unsigned round = 0; round < 100; round++) {
        CHECK(asprintf(&text, "%0*d", (int)round * 50 + 1, 7) > 0);
        free(text);
        text = strdup("a block of strdup");
        text = realloc(text, 1000);
        CHECK(text && !strcmp(text, "a block of strdup"));
        free(text);
        free(strndup("another", 3));
        free(wcsdup(L"wide"));
        free(realpath("/proc/../usr", NULL));
        free(getcwd(NULL, 0));
        FILE *stream = open_memstream(&text, &size);
        REQUIRE(stream);
        for (unsigned i = 0; i < 1000; i++)
            fprintf(stream, "%u ", i);
        fclose(stream);
        CHECK_EQ(strlen(text), size);
        free(text);
        stream = fopen("/proc/self/maps", "r");
        REQUIRE(stream);
        text = NULL, size = 0;
        while (getline(&line, &size, stream) > 0)
            ;
        fclose(stream);
        int found = scandir("/etc", &names, NULL, alphasort);
        CHECK(found > 0);
        while (found > 0)
            free(names[--found]);
        free(names);
    }
    free(line);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 40);
}

static void functions_of_the_C_library_allocate_inside(void)
{
    regex_t expression;
    glob_t found;
    uint64_t seed = 5;
    char *records = malloc(40 * 20000);
    REQUIRE(records);
    for (unsigned i = 0; i < 40 * 20000 / 8; i++)
        ((uint64_t *)(void *)records)[i] = random_next(&seed);
    qsort(records, 20000, 40, compare);
    for (unsigned i = 1; i < 20000; i++)
        CHECK(compare(records + (i - 1) * 40, records + i * 40) <= 0);
    free(records);
    CHECK(!regcomp(&expression, "(a|b)*c[[:digit:]]{2,5}", REG_EXTENDED));
    CHECK(!regexec(&expression, "xababc1234", 0, NULL, 0));
    regfree(&expression);
    CHECK(!glob("/etc/*", 0, NULL, &found) && found.gl_pathc);
    globfree(&found);
    for (unsigned i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "QUIRE_TEST_%u", i);
        CHECK(!setenv(name, "value", 1));
    }
    CHECK(!clearenv());
}

static const struct conformance_case cases[] = {
    CASE(blocks_of_constructors_live_on),
    CASE(a_program_allocates_before_everything),
    CASE(a_program_allocates_before_everything_when_all_is_bound_at_once),
    CASE_INNER(of_end),
    CASE(handlers_of_exit_and_destructors_allocate),
    CASE_INNER(of_quick_end),
    CASE(handlers_of_quick_exit_allocate),
    CASE_INNER(of_end_with_threads),
    CASE(a_process_ends_while_threads_allocate),
    CASE_INNER(of_main_thread_that_ends),
    CASE(another_thread_ends_the_process_after_the_main_thread),
    CASE(libraries_allocate_in_constructors_and_destructors),
    CASE(thread_storage_of_libraries_comes_and_goes),
    CASE(threads_open_and_close_libraries),
    CASE(blocks_of_the_C_library_are_freed_by_free),
    CASE(functions_of_the_C_library_allocate_inside),
    END_OF_CASES,
};
const struct conformance_group conformance_lifetime = {"lifetime", cases};
