/* tests/preload/conformance/early.c: allocates where nothing has been initialised yet
 *
 * In the resolver of an ifunc (while the program is being relocated), in .preinit_array (before any
 * library's constructor), in constructors, in main, at exit. Exit status: 0 all blocks held what
 * they should, else the number of the step.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_STEPS 4u
#define BLOCK_BYTES 3000u

static char *block[NR_STEPS];

/* No function of a library but malloc's: it may not be relocated yet. */
static void allocate(unsigned step)
{
    static const unsigned sizes[] = {16, 200, BLOCK_BYTES - 100};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *other = malloc(sizes[i]);
        if (!other)
            _exit((int)step + 1);
        other[0] = other[sizes[i] - 1] = 1;
        free(other);
    }
    block[step] = calloc(1, BLOCK_BYTES);
    if (!block[step] || block[step][BLOCK_BYTES - 1])
        _exit((int)step + 1);
    for (unsigned i = 0; i < BLOCK_BYTES; i++)
        block[step][i] = (char)(step + i);
}

static int answer(void)
{
    return 42;
}

__attribute__((used)) static int (*resolve(void))(void)
{
    allocate(0);
    return answer;
}

int resolved(void) __attribute__((ifunc("resolve")));

static void before_constructors(int argc, char **argv, char **environment)
{
    (void)argc, (void)argv, (void)environment;
    allocate(1);
}
__attribute__((section(".preinit_array"),
               used)) static void (*preinit)(int, char **, char **) = before_constructors;

__attribute__((constructor(101))) static void construct(void)
{
    allocate(2);
}

static void check_blocks(void)
{
    for (unsigned step = 0; step < NR_STEPS; step++) {
        if (!block[step])
            _exit(10 + (int)step);
        for (unsigned i = 0; i < BLOCK_BYTES; i++)
            if (block[step][i] != (char)(step + i))
                _exit(20 + (int)step);
    }
}

static void at_end(void)
{
    check_blocks();
    for (unsigned step = 0; step < NR_STEPS; step++)
        free(block[step]);
}

int main(void)
{
    allocate(3);
    atexit(at_end);
    for (unsigned step = 0; step < NR_STEPS; step++) {
        block[step] = realloc(block[step], 100000);
        if (!block[step])
            return 30;
    }
    check_blocks();
    return resolved() == 42 ? 0 : 31;
}
