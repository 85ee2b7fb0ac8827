/* kernel/sys/swap.c: swapon(2) and swapoff(2)
 */
#include "fs/swap.h"

#include <quire/port.h>

#include "base/text.h"
#include "sys/calls_memory.h"
#include "sys/file_user.h"
#include "task/capability.h"

/* As Linux opens it: also for writing, with the caller's rights. */
static long on_file(uintptr_t text, int (*act)(struct file *file, unsigned flags), unsigned flags)
{
    struct user_path path;
    struct file *file = NULL;
    int error = user_path_begin(&path, (unsigned long)AT_FDCWD, text);
    if (error)
        return error;
    error = file_open(&file, path.at.fs, path.at.who, path.at.start, path.text,
                      O_RDWR | O_LARGEFILE, 0);
    user_path_end(&path);
    if (error)
        return user_restart(error);
    error = act(file, flags);
    file_put(file);
    return error;
}

static int turn_on(struct file *file, unsigned flags)
{
    const char *mistake;
    int error = swap_on(file, flags, &mistake);
    if (mistake)
        quire_log(QUIRE_LOG_WARNING, "swap: an area can't be used: %s", mistake);
    return error;
}

static int turn_off(struct file *file, unsigned flags)
{
    (void)flags;
    return swap_off(file);
}

long sys_swapon(const unsigned long *arg)
{
    unsigned flags = (unsigned)arg[1];
    if (flags & ~SWAP_FLAGS_VALID)
        return -EINVAL;
    if (!caller_can(CAP_SYS_ADMIN))
        return -EPERM;
    return on_file(arg[0], turn_on, flags);
}

long sys_swapoff(const unsigned long *arg)
{
    return caller_can(CAP_SYS_ADMIN) ? on_file(arg[0], turn_off, 0) : -EPERM;
}
