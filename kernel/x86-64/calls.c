/* kernel/x86-64/calls.c: arch_prctl(2): base addresses of segments
 */
#include <quire/vm.h>

#include "errno.h"
#include "sys/calls_resource.h"
#include "task/arch_task.h"
#include "user.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define ARCH_GET_CPUID 0x1011

/* The selector becomes 0, whose base it is. */
static long set_base(uint64_t *base, uint16_t *selector, uintptr_t address)
{
    if (address >= quire_mm_layout_x86_64.end)
        return -EPERM;
    /* What arch_load restores beside the base has to be the CPU's, not an older state. */
    arch_save(current);
    *base = address;
    *selector = 0;
    arch_load(current);
    return 0;
}

long sys_arch_prctl(const unsigned long *arg)
{
    struct arch_task *arch = &current->arch;
    arch_save(current); /* a selector that was loaded has changed a base */
    switch ((int)arg[0]) {
    case ARCH_SET_FS:
        return set_base(&arch->fs_base, &arch->fs, arg[1]);
    case ARCH_SET_GS:
        return set_base(&arch->gs_base, &arch->gs, arg[1]);
    case ARCH_GET_FS:
        return copy_to_user(arg[1], &arch->fs_base, sizeof arch->fs_base);
    case ARCH_GET_GS:
        return copy_to_user(arg[1], &arch->gs_base, sizeof arch->gs_base);
    case ARCH_GET_CPUID:
        return 1; /* CPUID isn't kept from programs */
    default:
        return -EINVAL;
    }
}
