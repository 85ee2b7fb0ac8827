/* map/descriptor.c: segment descriptors in memory and in pieces
 *
 *      63    56 55       52 51   48 47 46 45 44 43   40 39      32
 *     base 31:24  G D/B L AVL limit  P  DPL   S   type  base 23:16
 *      31                        16 15                           0
 *              base 15:0                    limit 15:0
 *
 * Source: SDM 3A, figure 3-8; 7.2.3 for the eight bytes more of system descriptors in long mode.
 */
#include <quire/segment.h>

struct quire_descriptor quire_descriptor_decode(uint64_t low, uint64_t high)
{
    return (struct quire_descriptor){
        .base = (low >> 16 & 0xffffff) | (low >> 56) << 24 | (high & 0xffffffff) << 32,
        .limit = (uint32_t)((low & 0xffff) | (low >> 48 & 0xf) << 16),
        .type = low >> 40 & 0xf,
        .code_or_data = low >> 44 & 1,
        .dpl = low >> 45 & 3,
        .present = low >> 47 & 1,
        .available = low >> 52 & 1,
        .long_mode = low >> 53 & 1,
        .big = low >> 54 & 1,
        .granular = low >> 55 & 1,
    };
}

uint64_t quire_descriptor_encode(const struct quire_descriptor *descriptor)
{
    return (descriptor->limit & 0xffff) | (descriptor->base & 0xffffff) << 16 |
           (uint64_t)(descriptor->type & 0xf) << 40 | (uint64_t)descriptor->code_or_data << 44 |
           (uint64_t)(descriptor->dpl & 3) << 45 | (uint64_t)descriptor->present << 47 |
           (uint64_t)(descriptor->limit >> 16 & 0xf) << 48 | (uint64_t)descriptor->available << 52 |
           (uint64_t)descriptor->long_mode << 53 | (uint64_t)descriptor->big << 54 |
           (uint64_t)descriptor->granular << 55 | (descriptor->base >> 24 & 0xff) << 56;
}

uint64_t quire_descriptor_encode_high(const struct quire_descriptor *descriptor)
{
    return descriptor->base >> 32;
}

uint32_t quire_descriptor_limit(const struct quire_descriptor *descriptor)
{
    return descriptor->granular ? descriptor->limit << 12 | 0xfff : descriptor->limit;
}

/* arch/x86/include/asm/segment.h and kernel/cpu/common.c of Linux have the numbers; __KERNEL_CS is
 * entry 12 on i386 and entry 2 on x86-64. */
const uint64_t quire_linux_gdt_i386[QUIRE_LINUX_I386_GDT_ENTRIES] = {
    [12] = 0x00cf9a000000ffff, /* __KERNEL_CS */
    [13] = 0x00cf92000000ffff, /* __KERNEL_DS */
    [14] = 0x00cffa000000ffff, /* __USER_CS */
    [15] = 0x00cff2000000ffff, /* __USER_DS */
};

const uint64_t quire_linux_gdt_x86_64[QUIRE_LINUX_X86_64_GDT_ENTRIES] = {
    [1] = 0x00cf9b000000ffff, /* __KERNEL32_CS */
    [2] = 0x00af9b000000ffff, /* __KERNEL_CS */
    [3] = 0x00cf93000000ffff, /* __KERNEL_DS */
    [4] = 0x00cffb000000ffff, /* __USER32_CS */
    [5] = 0x00cff3000000ffff, /* __USER_DS */
    [6] = 0x00affb000000ffff, /* __USER_CS */
};

_Static_assert(QUIRE_LINUX_I386_KERNEL_CS == 12 * 8, "__KERNEL_CS of i386 is entry 12");
_Static_assert(QUIRE_LINUX_I386_USER_DS == 15 * 8 + 3, "__USER_DS of i386 is entry 15");
_Static_assert(QUIRE_LINUX_X86_64_USER_CS == 6 * 8 + 3, "__USER_CS of x86-64 is entry 6");
