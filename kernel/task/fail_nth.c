/* kernel/task/fail_nth.c: which allocations fail, for tests
 *
 * Counted are those that a task makes for itself: what an interrupt's handler takes meanwhile is
 * counted with it, background reclaim isn't. A slab's pages are asked for twice, by the object's
 * allocation and by the pages': both may fail.
 */
#include "task/fail_nth.h"

#include "cmdline.h"
#include "task/task.h"

bool fail_nth_is_there;

void fail_nth_init(const char *command_line)
{
    fail_nth_is_there = cmdline_has(command_line, "fail-alloc");
}

bool fail_nth_object(void *arg)
{
    (void)arg;
    if (!current || !current->fail_count)
        return false;
    if (current->fail_nth > 1) {
        current->fail_nth--;
        return false;
    }
    current->fail_nth = 0;
    current->fail_count--;
    return true;
}

bool fail_nth_pages(void *arg, quire_gfp_t gfp, unsigned order)
{
    (void)gfp;
    (void)order;
    return fail_nth_object(arg);
}
