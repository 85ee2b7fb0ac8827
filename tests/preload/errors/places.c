/* tests/preload/errors/places.c: errors in places where programs commit them
 *
 * Handlers of signals and of exit, destructors of threads' data, children, threads that hand blocks
 * on, lists that are freed while they are walked.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"

static char *left;

static void free_left(void)
{
    free(hidden(left));
}

static void free_it(char *block)
{
    free(block);
}

static void freed_by_a_handler_of_a_signal_and_here(void)
{
    left = block_among_others(80);
    free(left);
    signal(SIGUSR1, (void (*)(int))(uintptr_t)free_left);
    raise(SIGUSR1);
}

static void freed_here_and_at_exit(void)
{
    left = block_among_others(80);
    atexit(free_left);
    free(left);
}

static pthread_key_t key;

static void set_it(char *block)
{
    pthread_setspecific(key, block);
}

static void freed_by_the_destructor_of_a_key_and_here(void)
{
    char *block = block_among_others(120);
    pthread_key_create(&key, free);
    in_a_thread(set_it, block);
    free(hidden(block));
}

/* As when the work of a child isn't its parent's: the child's end is the result. */
static void in_a_child(void (*function)(char *), char *argument)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        function(argument);
        exit(0);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        raise(WTERMSIG(status));
}

static void free_and_again(char *block)
{
    free(block);
    free(hidden(block));
}

static void twice_in_a_child(void)
{
    in_a_child(free_and_again, block_among_others(SMALL));
}

static void write_beyond(char *block)
{
    memset(hidden(block), 0x41, 48);
    free(block);
}

static void overflow_of_a_parents_block_in_a_child(void)
{
    in_a_child(write_beyond, block_among_others(SMALL));
}

static void overflow_by_another_thread(void)
{
    in_a_thread(write_beyond, block_among_others(SMALL));
}

/* Two threads that both think it is theirs. */
static void by_two_threads(void)
{
    char *block = block_among_others(500);
    in_a_thread(free_it, block);
    in_a_thread(free_it, hidden(block));
}

struct node {
    struct node *next;
    char text[40];
};

static struct node *list_of(unsigned count)
{
    struct node *list = NULL;
    for (unsigned i = 0; i < count; i++) {
        struct node *node = malloc(sizeof *node);
        memset(node->text, 'a', sizeof node->text);
        node->next = list;
        list = node;
    }
    return list;
}

static void node_unlinked_after_its_free(void)
{
    struct node *list = list_of(10), *next;
    for (struct node *node = list; node; node = next) {
        next = node->next;
        free(node);
        ((struct node *)(void *)hidden(node))->next = NULL;
    }
}

static void node_named_after_its_free(void)
{
    struct node *list = list_of(3);
    free(list);
    strcpy(((struct node *)(void *)hidden(list))->text, "gone");
}

static void list_freed_twice(void)
{
    struct node *list = list_of(5), *at[5];
    unsigned count = 0;
    for (struct node *node = list; node; node = node->next)
        at[count++] = node;
    for (unsigned i = 0; i < count; i++)
        free(at[i]);
    for (unsigned i = 0; i < count; i++)
        free(hidden(at[i]));
}

static void ring_freed_past_its_beginning(void)
{
    struct node *list = list_of(4), *last = list, *kept[8];
    unsigned count = 0;
    while (last->next)
        last = last->next;
    last->next = list;
    for (struct node *node = list; count < 8; node = node->next)
        kept[count++] = node;
    for (unsigned i = 0; i < count; i++)
        free(hidden(kept[i]));
}

static void stale_pointer_into_a_buffer_that_grew(void)
{
    char *buffer = block_among_others(64), *at = hidden(buffer + 40);
    buffer = realloc(buffer, 20000);
    memcpy(at, "a stale write", 13);
    free(buffer);
}

static void counter_below_its_array(void)
{
    unsigned *before = calloc(14, sizeof *before), *array = calloc(14, sizeof *array);
    unsigned *lower = before < array ? before : array, *upper = before < array ? array : before;
    for (int i = 13; i >= -1; i--)
        ((unsigned *)(void *)hidden(upper))[i] = 1;
    free(hidden(upper));
    free(hidden(lower));
}

static const struct heap_error errors[] = {
    HEAP_ERROR(freed_by_a_handler_of_a_signal_and_here),
    HEAP_ERROR(freed_here_and_at_exit),
    HEAP_ERROR(freed_by_the_destructor_of_a_key_and_here),
    HEAP_ERROR(twice_in_a_child),
    HEAP_ERROR(overflow_of_a_parents_block_in_a_child),
    HEAP_ERROR(overflow_by_another_thread),
    HEAP_ERROR(by_two_threads),
    HEAP_ERROR(node_unlinked_after_its_free),
    HEAP_ERROR(node_named_after_its_free),
    HEAP_ERROR(list_freed_twice),
    HEAP_ERROR(ring_freed_past_its_beginning),
    HEAP_ERROR(stale_pointer_into_a_buffer_that_grew),
    HEAP_ERROR(counter_below_its_array),
    {NULL, NULL},
};
const struct error_group errors_places = {"places", errors};
