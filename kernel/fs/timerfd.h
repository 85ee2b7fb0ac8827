/* kernel/fs/timerfd.h: timers that are read (man 2 timerfd_create) */
#ifndef KERNEL_FS_TIMERFD_H
#define KERNEL_FS_TIMERFD_H

#include "fs/file.h"

int timerfd_create(struct file **file, const struct credentials *who, int clock, int flags);
bool file_is_timerfd(const struct file *file);
/* CLOCK_* as it was made. */
int timerfd_clock(const struct file *file);

/* ns of quire_port_clock_ns; `next` 0: off. `interval` 0: once. */
void timerfd_set(struct file *file, uint64_t next, uint64_t interval);
/* What is left until it goes off next; 0: it is off. */
uint64_t timerfd_left(const struct file *file, uint64_t *interval);

#endif
