/* kernel/task/system_name.h: what the machine calls itself: uname(2), /proc/version,
 * /proc/sys/kernel */
#ifndef KERNEL_TASK_SYSTEM_NAME_H
#define KERNEL_TASK_SYSTEM_NAME_H

#define SYSTEM_NAME "Linux"
#define SYSTEM_RELEASE "6.1.0-quire"
#define SYSTEM_VERSION "#1 Quire " QUIRE_VERSION

extern char system_node[65], system_domain[65];

#endif
