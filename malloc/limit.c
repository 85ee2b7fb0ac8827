/* malloc/limit.c: setrlimit and prlimit, as far as they limit addresses
 *
 * The heap's range counts as addresses, used or not. A program that lowers RLIMIT_AS below what it
 * has mapped by that would have none left for anything else (its threads' stacks): so most of what
 * the heap doesn't use of its range goes then, and comes back with the limit's end. The system is
 * asked first: what it refuses changes nothing.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malloc/family.h"

static int set(pid_t pid, int which, const struct rlimit *limit, struct rlimit *old)
{
    int result = (int)syscall(SYS_prlimit64, pid, which, limit, old);
    bool is_own = !pid || pid == (pid_t)syscall(SYS_getpid);
    if (result || which != RLIMIT_AS || !is_own || !limit || !heap || self.inside || !heap_enter())
        return result;
    if (heap_is_own())
        system_limit();
    heap_leave();
    return result;
}

EXPORT int setrlimit(__rlimit_resource_t which, const struct rlimit *limit)
{
    return set(0, (int)which, limit, NULL);
}

EXPORT int prlimit(pid_t pid, enum __rlimit_resource which, const struct rlimit *limit,
                   struct rlimit *old)
{
    return set(pid, (int)which, limit, old);
}

#if defined(__x86_64__) && defined(__LP64__)
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "both are the same");
EXPORT int setrlimit64(__rlimit_resource_t which, const struct rlimit64 *limit)
    __attribute__((alias("setrlimit")));
EXPORT int prlimit64(pid_t pid, enum __rlimit_resource which, const struct rlimit64 *limit,
                     struct rlimit64 *old) __attribute__((alias("prlimit")));
#endif
