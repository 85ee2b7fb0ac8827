/* tests/preload/errors/double_free.c: blocks that are freed twice */
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"

static void free_it(char *block)
{
    free(block);
}

static void twice(size_t size)
{
    char *block = block_among_others(size);
    free(block);
    free(hidden(block));
}

static void with_one_between(size_t size)
{
    char *block = block_among_others(size), *other = block_among_others(size);
    free(block);
    free(other);
    free(hidden(block));
}

static void with_many_between(size_t size, unsigned count)
{
    char *block = block_among_others(size), *other[1000];
    for (unsigned i = 0; i < count; i++)
        other[i] = malloc(size);
    free(block);
    for (unsigned i = 0; i < count; i++)
        free(other[i]);
    free(hidden(block));
}

static void when_it_is_another_one(size_t size)
{
    char *block = block_among_others(size);
    free(block);
    char *other = malloc(size);
    free(hidden(block));
    free(hidden(other));
}

static void by_a_thread_and_here(size_t size)
{
    char *block = block_among_others(size);
    in_a_thread(free_it, block);
    free(hidden(block));
}

static void here_and_by_a_thread(size_t size)
{
    char *block = block_among_others(size);
    free(block);
    in_a_thread(free_it, hidden(block));
}

static void after_trim(size_t size)
{
    char *block = block_among_others(size);
    free(block);
    malloc_trim(0);
    free(hidden(block));
}

static void small_block_at_once(void)
{
    twice(SMALL);
}

static void middle_block_at_once(void)
{
    twice(MIDDLE);
}

static void block_of_pages_at_once(void)
{
    twice(PAGES);
}

static void large_block_at_once(void)
{
    twice(LARGE);
}

static void block_of_64_MiB_at_once(void)
{
    twice((size_t)64 << 20);
}

static void small_block_with_one_between(void)
{
    with_one_between(SMALL);
}

static void middle_block_with_one_between(void)
{
    with_one_between(MIDDLE);
}

static void block_of_pages_with_one_between(void)
{
    with_one_between(PAGES);
}

static void large_block_with_one_between(void)
{
    with_one_between(LARGE);
}

static void small_block_with_10_between(void)
{
    with_many_between(SMALL, 10);
}

static void small_block_with_1000_between(void)
{
    with_many_between(SMALL, 1000);
}

static void middle_block_with_100_between(void)
{
    with_many_between(MIDDLE, 100);
}

static void small_block_that_is_another_one_by_now(void)
{
    when_it_is_another_one(SMALL);
}

static void middle_block_that_is_another_one_by_now(void)
{
    when_it_is_another_one(MIDDLE);
}

static void large_block_that_is_another_one_by_now(void)
{
    when_it_is_another_one(LARGE);
}

static void small_block_by_a_thread_that_ended_and_here(void)
{
    by_a_thread_and_here(SMALL);
}

static void middle_block_by_a_thread_that_ended_and_here(void)
{
    by_a_thread_and_here(MIDDLE);
}

static void large_block_by_a_thread_that_ended_and_here(void)
{
    by_a_thread_and_here(LARGE);
}

static void small_block_here_and_by_a_thread(void)
{
    here_and_by_a_thread(SMALL);
}

static void middle_block_here_and_by_a_thread(void)
{
    here_and_by_a_thread(MIDDLE);
}

static pthread_barrier_t barrier;

static void *free_and_stay(void *block)
{
    free(block);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void small_block_in_the_cache_of_a_living_thread(void)
{
    pthread_t thread;
    char *block = block_among_others(SMALL);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, free_and_stay, block);
    pthread_barrier_wait(&barrier);
    free(hidden(block));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}

static void zeroed_block(void)
{
    char *block = calloc(1, SMALL);
    free(block);
    free(hidden(block));
}

static void block_aligned_to_64(void)
{
    char *block = memalign(64, 100);
    free(block);
    free(hidden(block));
}

static void block_aligned_to_a_page(void)
{
    char *block = memalign(4096, 5000);
    free(block);
    free(hidden(block));
}

static void block_that_realloc_freed(void)
{
    char *block = block_among_others(MIDDLE);
    if (!realloc(block, (size_t)(uintptr_t)hidden(NULL)))
        free(hidden(block));
}

static void block_that_realloc_moved(void)
{
    char *block = block_among_others(SMALL);
    char *moved = realloc(block, 100000);
    free(hidden(block));
    free(moved);
}

static void small_block_after_trim(void)
{
    after_trim(SMALL);
}

static void middle_block_after_trim(void)
{
    after_trim(MIDDLE);
}

static void small_block_whose_first_words_were_written(void)
{
    char *block = block_among_others(SMALL);
    free(block);
    memset(hidden(block), 0, 16);
    free(hidden(block));
}

static void middle_block_beside_a_free_one(void)
{
    char *before = malloc(MIDDLE), *block = malloc(MIDDLE), *after = malloc(MIDDLE);
    free(before);
    free(block);
    free(after);
    free(hidden(block));
}

static void twenty_small_blocks_in_turns(void)
{
    char *block[20];
    for (unsigned i = 0; i < 20; i++)
        block[i] = malloc(SMALL);
    for (unsigned i = 0; i < 40; i++)
        free(hidden(block[i % 20]));
}

static void block_that_the_parent_freed(void)
{
    char *block = block_among_others(SMALL);
    int status;
    free(block);
    pid_t pid = fork();
    if (!pid) {
        free(hidden(block));
        return;
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        raise(WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

/* Registered before any library's constructor may: so it comes when those of all libraries have
 * run, and allocators that wait for forks do. */
static bool has_handler, is_met;

static void meet_within_fork(void)
{
    if (!is_met)
        return;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
}

/* Of the C library itself, since preloaded ones may have the name, too. To ask for it initialises
 * it, with an environment that it doesn't know yet. */
static void register_first(int argc, char **argv, char **variables)
{
    int (*next)(void (*)(void), void (*)(void), void (*)(void), void *) = NULL;
    if (argc < 2 || !strstr(argv[1], "_while_another_thread_forks"))
        return;
    void *library = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    environ = variables;
    if (library)
        *(void **)&next = dlsym(library, "__register_atfork");
    has_handler = next && !next(meet_within_fork, NULL, NULL, NULL);
}
typedef void initialiser(int argc, char **argv, char **variables);
__attribute__((section(".preinit_array"), used)) static initialiser *first = register_first;

static void *free_within_fork(void *blocks)
{
    pthread_barrier_wait(&barrier);
    for (char **block = blocks; *block; block++)
        free(hidden(*block));
    pthread_barrier_wait(&barrier);
    (void)pause(); /* so that it isn't this thread that looks at what it freed */
    return NULL;
}

static void free_while_this_thread_forks(char *blocks[])
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, free_within_fork, blocks);
    is_met = has_handler;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    if (!is_met) { /* another C library: afterwards, then */
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    is_met = false;
    waitpid(pid, NULL, 0);
}

/* Which is no more in its thread's cache. */
static void middle_block_while_another_thread_forks(void)
{
    char *block[] = {block_among_others(MIDDLE), NULL}, *other[1000];
    for (unsigned i = 0; i < 1000; i++)
        other[i] = malloc(MIDDLE);
    free(block[0]);
    for (unsigned i = 0; i < 1000; i++)
        free(other[i]);
    for (unsigned i = 0; i < 2; i++)
        other[i] = hidden(malloc(MIDDLE));
    free_while_this_thread_forks(block);
}

static void small_block_twice_while_another_thread_forks(void)
{
    char *block[] = {block_among_others(SMALL), malloc(SMALL), NULL, NULL};
    block[2] = block[0];
    free_while_this_thread_forks(block);
}

static char *left_to_exit;

static void free_at_exit(void)
{
    free(left_to_exit);
}

static void small_block_in_two_handlers_of_exit(void)
{
    left_to_exit = block_among_others(SMALL);
    atexit(free_at_exit);
    atexit(free_at_exit);
}

static const struct heap_error errors[] = {
    HEAP_ERROR(small_block_at_once),
    HEAP_ERROR(middle_block_at_once),
    HEAP_ERROR(block_of_pages_at_once),
    HEAP_ERROR(large_block_at_once),
    HEAP_ERROR(block_of_64_MiB_at_once),
    HEAP_ERROR(small_block_with_one_between),
    HEAP_ERROR(middle_block_with_one_between),
    HEAP_ERROR(block_of_pages_with_one_between),
    HEAP_ERROR(large_block_with_one_between),
    HEAP_ERROR(small_block_with_10_between),
    HEAP_ERROR(small_block_with_1000_between),
    HEAP_ERROR(middle_block_with_100_between),
    HEAP_ERROR(small_block_that_is_another_one_by_now),
    HEAP_ERROR(middle_block_that_is_another_one_by_now),
    HEAP_ERROR(large_block_that_is_another_one_by_now),
    HEAP_ERROR(small_block_by_a_thread_that_ended_and_here),
    HEAP_ERROR(middle_block_by_a_thread_that_ended_and_here),
    HEAP_ERROR(large_block_by_a_thread_that_ended_and_here),
    HEAP_ERROR(small_block_here_and_by_a_thread),
    HEAP_ERROR(middle_block_here_and_by_a_thread),
    HEAP_ERROR(small_block_in_the_cache_of_a_living_thread),
    HEAP_ERROR(zeroed_block),
    HEAP_ERROR(block_aligned_to_64),
    HEAP_ERROR(block_aligned_to_a_page),
    HEAP_ERROR(block_that_realloc_freed),
    HEAP_ERROR(block_that_realloc_moved),
    HEAP_ERROR(small_block_after_trim),
    HEAP_ERROR(middle_block_after_trim),
    HEAP_ERROR(small_block_whose_first_words_were_written),
    HEAP_ERROR(middle_block_beside_a_free_one),
    HEAP_ERROR(twenty_small_blocks_in_turns),
    HEAP_ERROR(block_that_the_parent_freed),
    HEAP_ERROR(middle_block_while_another_thread_forks),
    HEAP_ERROR(small_block_twice_while_another_thread_forks),
    HEAP_ERROR(small_block_in_two_handlers_of_exit),
    {NULL, NULL},
};
const struct error_group errors_double_free = {"double_free", errors};
