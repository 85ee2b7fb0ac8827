/* kernel/sys/user_time.c: times as programs write them
 */
#include "sys/user_time.h"

#include <quire/port.h>

#include "base/bits.h"
#include "errno.h"
#include "rtc.h"
#include "task/task.h"
#include "user.h"

struct user_long {
    long seconds, fraction;
};

struct user_64 {
    int64_t seconds, ns;
};

#define SECONDS_MAX (INT64_MAX / (int64_t)NS_PER_SECOND)

/* `ns` is less than a second. */
static uint64_t to_ns(int64_t seconds, int64_t ns)
{
    if (seconds >= SECONDS_MAX)
        return INT64_MAX;
    return (uint64_t)seconds * NS_PER_SECOND + (uint64_t)ns;
}

static void split(uint64_t ns, uint64_t *seconds, uint32_t *rest)
{
    *seconds = quire_div64(ns, NS_PER_SECOND);
    *rest = (uint32_t)(ns - *seconds * NS_PER_SECOND);
}

static int read_spec(struct user_64 *spec, uintptr_t at, enum time_width width)
{
    struct user_long narrow;
    if (width == TIME_64) {
        if (copy_from_user(spec, at, sizeof *spec))
            return -EFAULT;
        if (sizeof(long) == 4)
            spec->ns = (uint32_t)spec->ns;
        return 0;
    }
    if (copy_from_user(&narrow, at, sizeof narrow))
        return -EFAULT;
    *spec = (struct user_64){narrow.seconds, narrow.fraction};
    return 0;
}

int time_from_user(uint64_t *ns, uintptr_t at, enum time_width width)
{
    struct user_64 spec;
    if (read_spec(&spec, at, width))
        return -EFAULT;
    if (spec.seconds < 0 || spec.ns < 0 || spec.ns >= NS_PER_SECOND)
        return -EINVAL;
    *ns = to_ns(spec.seconds, spec.ns);
    return 0;
}

int time_to_user(uintptr_t at, uint64_t ns, enum time_width width)
{
    uint64_t seconds;
    uint32_t rest;
    split(ns, &seconds, &rest);
    struct user_long narrow = {(long)seconds, (long)rest};
    struct user_64 wide = {(int64_t)seconds, rest};
    return width == TIME_64 ? copy_to_user(at, &wide, sizeof wide)
                            : copy_to_user(at, &narrow, sizeof narrow);
}

int timeval_from_user(uint64_t *ns, uintptr_t at)
{
    struct user_long user;
    if (copy_from_user(&user, at, sizeof user))
        return -EFAULT;
    if (user.seconds < 0 || user.fraction < 0 || user.fraction >= (long)(NS_PER_SECOND / NS_PER_US))
        return -EINVAL;
    *ns = to_ns(user.seconds, (int64_t)user.fraction * NS_PER_US);
    return 0;
}

int timeval_to_user(uintptr_t at, uint64_t ns)
{
    uint64_t seconds;
    uint32_t rest;
    split(ns, &seconds, &rest);
    struct user_long user = {(long)seconds, (long)(rest / NS_PER_US)};
    return copy_to_user(at, &user, sizeof user);
}

/* Both are below 2^63: the sum isn't NO_DEADLINE. */
uint64_t deadline_after(uint64_t ns)
{
    return quire_port_clock_ns() + ns;
}

uint64_t deadline_of_realtime(uint64_t ns)
{
    uint64_t offset = realtime_offset_ns();
    return ns > offset ? ns - offset : 0;
}

uint64_t restart_take_deadline(void)
{
    uint64_t deadline = current->restart_deadline;
    current->restart_deadline = 0;
    return deadline;
}
