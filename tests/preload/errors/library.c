/* tests/preload/errors/library.c: errors with blocks that the C library allocates or frees
 *
 * What programs get from getline, strdup or opendir is theirs to free, once and as it is; what
 * getenv, stdin or an element of argv is isn't.
 */
#include <alloca.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

#include "errors.h"

static void stream_closed_twice(void)
{
    FILE *file = fopen("/dev/null", "r");
    fclose(file);
    fclose((FILE *)(void *)hidden(file));
}

static void folder_closed_twice(void)
{
    DIR *folder = opendir("/");
    closedir(folder);
    closedir((DIR *)(void *)hidden(folder));
}

static void line_freed_after_its_buffer(void)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (getline(&line, &size, file) > 0)
        free(line);
    (void)getline(&line, &size, file); /* writes into what was freed */
    fclose(file);
    free(hidden(line));
}

static void middle_of_a_line(void)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen("/proc/self/status", "r");
    (void)getline(&line, &size, file);
    fclose(file);
    free(hidden(strchr(line, ':')));
}

static void formatted_text_twice(void)
{
    char *text = NULL;
    if (asprintf(&text, "%d and %s", 42, "some text") > 0)
        free(text);
    free(hidden(text));
}

static void copy_of_a_string_without_its_first_character(void)
{
    free(hidden(strdup("a string") + 1));
}

static void copy_of_a_string_and_its_alias(void)
{
    char *one = strdup("a string"), *other = hidden(one);
    free(one);
    free(hidden(strdup("in between of another length altogether, for another class")));
    free(other);
}

static void path_that_was_given_back(void)
{
    char *path = realpath("/proc/self/exe", NULL);
    free(path);
    path = hidden(path);
    (void)chdir("/");
    free(path);
}

static void buffer_of_memory_stream_before_and_after_its_close(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    fputs("text", file);
    fclose(file);
    free(text);
    free(hidden(text));
}

static void standard_input(void)
{
    free(hidden(stdin));
}

static void literal(void)
{
    free(hidden((char *)(uintptr_t) "a literal of some length, sixteen and more"));
}

static void variable_of_a_thread(void)
{
    static __thread char own[64];
    memset(own, 1, sizeof own);
    free(hidden(own + 16));
}

static void name_of_the_program(void)
{
    free(hidden(program_invocation_name));
}

static void array_on_the_stack(void)
{
    size_t size = (size_t)getpid() % 16 + 100;
    char *here = alloca(size);
    memset(here, 0, size);
    free(hidden(here));
}

static void break_of_the_program(void)
{
    char *here = sbrk(4096);
    memset(here, 0, 4096);
    free(hidden(here + 64));
}

static void shared_memory(void)
{
    int file = memfd_create("errors", 0);
    if (ftruncate(file, 8192))
        return;
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    free(hidden(shared + 4096));
}

static void memory_of_an_unmapped_library(void)
{
    char *mapping = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(mapping, 8192, PROT_NONE);
    free(hidden(mapping + 16));
}

/* A wide terminator is four bytes. */
static void wide_string_without_its_end(void)
{
    wchar_t *text = malloc(6 * sizeof *text), *after = malloc(6 * sizeof *after);
    wcscpy((wchar_t *)(void *)hidden(text), L"sixsix");
    free(hidden(after));
    free(text);
}

static void read_beyond_the_buffer(void)
{
    char *buffer = malloc(40), *after = malloc(40);
    int pair[2];
    char text[64];
    memset(text, 0x42, sizeof text);
    if (pipe(pair) || write(pair[1], text, sizeof text) < 0)
        return;
    (void)!read(pair[0], hidden(buffer), sizeof text);
    free(hidden(after));
    free(buffer);
}

static void printed_beyond_the_buffer(void)
{
    char *buffer = malloc(24), *after = malloc(24);
    sprintf(hidden(buffer), "%s-%s", "twelve chars", "and twelve more");
    free(buffer);
    free(hidden(after));
}

static void pasted_beyond_the_buffer(void)
{
    char *buffer = calloc(1, 56);
    char *after = calloc(1, 56);
    for (unsigned i = 0; i < 8; i++)
        strcat(hidden(buffer), "8 bytes.");
    free(hidden(after));
    free(buffer);
}

static void one_element_too_many(void)
{
    struct element {
        void *at[3];
    } *array = malloc(9 * sizeof *array), *after = malloc(9 * sizeof *after);
    for (unsigned i = 0; i <= 9; i++)
        ((struct element *)(void *)hidden(array))[i].at[0] = array;
    free(hidden(array));
    free(after);
}

static const struct heap_error errors[] = {
    HEAP_ERROR(stream_closed_twice),
    HEAP_ERROR(folder_closed_twice),
    HEAP_ERROR(line_freed_after_its_buffer),
    HEAP_ERROR(middle_of_a_line),
    HEAP_ERROR(formatted_text_twice),
    HEAP_ERROR(copy_of_a_string_without_its_first_character),
    HEAP_ERROR(copy_of_a_string_and_its_alias),
    HEAP_ERROR(path_that_was_given_back),
    HEAP_ERROR(buffer_of_memory_stream_before_and_after_its_close),
    HEAP_ERROR(standard_input),
    HEAP_ERROR(literal),
    HEAP_ERROR(variable_of_a_thread),
    HEAP_ERROR(name_of_the_program),
    HEAP_ERROR(array_on_the_stack),
    HEAP_ERROR(break_of_the_program),
    HEAP_ERROR(shared_memory),
    HEAP_ERROR(memory_of_an_unmapped_library),
    HEAP_ERROR(wide_string_without_its_end),
    HEAP_ERROR(read_beyond_the_buffer),
    HEAP_ERROR(printed_beyond_the_buffer),
    HEAP_ERROR(pasted_beyond_the_buffer),
    HEAP_ERROR(one_element_too_many),
    {NULL, NULL},
};
const struct error_group errors_library = {"library", errors};
