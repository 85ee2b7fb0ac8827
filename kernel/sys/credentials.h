/* kernel/sys/credentials.h: changes of user and group, for numbers of 32 and of 16 bits
 *
 * UINT32_MAX: as it is; or, where only one number is given, -EINVAL.
 */
#ifndef KERNEL_SYS_CREDENTIALS_H
#define KERNEL_SYS_CREDENTIALS_H

#include <stdint.h>

struct group_list;

int credentials_set_uid(uint32_t uid);
int credentials_set_gid(uint32_t gid);
int credentials_set_reuid(uint32_t uid, uint32_t euid);
int credentials_set_regid(uint32_t gid, uint32_t egid);
int credentials_set_resuid(uint32_t uid, uint32_t euid, uint32_t suid);
int credentials_set_resgid(uint32_t gid, uint32_t egid, uint32_t sgid);
/* The effective number before, whatever becomes of it. There is no other one for files. */
uint32_t credentials_set_fsuid(uint32_t uid);
uint32_t credentials_set_fsgid(uint32_t gid);
/* What may be asked of setgroups: 0, -EPERM, -EINVAL. */
int credentials_may_set_groups(unsigned count);
/* Takes over the reference, whatever comes of it. -EINVAL: UINT32_MAX is among them. */
int credentials_set_groups(struct group_list *groups);

#endif
