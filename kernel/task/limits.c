/* kernel/task/limits.c: resource limits, and which of them the library keeps
 *
 * Addresses, data, stack and locked memory are counted by the address space. The number of open
 * files is looked at by the table of them, and by who sends some (socket_message.c), processor time
 * by the clock's tick (timer.c), the size of files by what writes them. That of pending signals
 * bounds a process's POSIX timers. The others are noted and told, but not enforced.
 */
#include "task/limits.h"

#include "memory.h"

#define THREAD_BYTES (8u * 16384u) /* Linux: of threads' stacks an eighth of memory at most */

void limits_init(struct rlimit64 limit[NR_RLIMITS])
{
    const uint64_t infinite = QUIRE_LIMIT_INFINITE;
    uint64_t bytes = (uint64_t)quire_nr_managed_pages(machine_mem) << QUIRE_PAGE_SHIFT;
    uint64_t threads = bytes / THREAD_BYTES / 2;
    for (unsigned i = 0; i < NR_RLIMITS; i++)
        limit[i] = (struct rlimit64){infinite, infinite};
    limit[RLIMIT_STACK].current = 8u << 20;
    limit[RLIMIT_CORE].current = 0;
    limit[RLIMIT_NPROC] = limit[RLIMIT_SIGPENDING] = (struct rlimit64){threads, threads};
    limit[RLIMIT_NOFILE] = (struct rlimit64){1024, 4096};
    limit[RLIMIT_MEMLOCK] = (struct rlimit64){8u << 20, 8u << 20};
    limit[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
    limit[RLIMIT_NICE] = limit[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

static void apply(const struct rlimit64 limit[NR_RLIMITS], bool locks_freely, struct quire_mm *mm)
{
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, limit[RLIMIT_AS].current);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, limit[RLIMIT_DATA].current);
    quire_mm_set_limit(mm, QUIRE_LIMIT_STACK, limit[RLIMIT_STACK].current);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK,
                       locks_freely ? QUIRE_LIMIT_INFINITE : limit[RLIMIT_MEMLOCK].current);
}

void limits_apply(const struct process *process, struct quire_mm *mm)
{
    apply(process->limit, credentials_can(&process->credentials, CAP_IPC_LOCK), mm);
}

/* Another's process and memory may go while the memory's lock is waited for. */
void limits_changed(const struct process *process)
{
    struct rlimit64 limit[NR_RLIMITS];
    struct quire_mm *mm = process->mm;
    bool is_guest = process->parent && process->parent->mm == mm;
    if (!mm || is_guest)
        return;
    memcpy(limit, process->limit, sizeof limit);
    quire_mm_get(mm);
    apply(limit, credentials_can(&process->credentials, CAP_IPC_LOCK), mm);
    quire_mm_put(mm);
}
