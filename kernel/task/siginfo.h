/* kernel/task/siginfo.h: siginfo_t (man 2 sigaction)
 *
 * Linux's layout follows from the class's own sizes and alignments, so one description serves both.
 */
#ifndef KERNEL_TASK_SIGINFO_H
#define KERNEL_TASK_SIGINFO_H

#include "task/signal.h"

#define SIGINFO_BYTES 128

struct user_siginfo {
    int number, error, code;
    union {
        char all[SIGINFO_BYTES - (sizeof(long) == 8 ? 16 : 12)];
        struct {
            int pid;
            uint32_t uid;
            uintptr_t value;
        } sender;
        struct {
            int pid;
            uint32_t uid;
            int status;
            long user_ticks, system_ticks;
        } child;
        struct {
            uintptr_t address;
            short address_lsb; /* of BUS_MCEERR_AR: log2 of what is lost there */
        } fault;
    } of;
};
_Static_assert(sizeof(struct user_siginfo) == SIGINFO_BYTES, "siginfo_t has 128 bytes");

/* All bytes are written. */
void siginfo_to_user(struct user_siginfo *user, const struct signal_info *info);
/* What rt_sigqueueinfo gives: sender and value. */
void siginfo_from_user(struct signal_info *info, const struct user_siginfo *user);

#endif
