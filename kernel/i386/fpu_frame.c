/* kernel/i386/fpu_frame.c: the FPU's state in a signal frame of i386
 *
 * Linux writes it twice: as FSAVE did (SDM volume 1, 8.1.10), which programs older than SSE look
 * at, and behind that as FXSAVE does (SDM volume 1, table 10-2). They differ in the tags: FSAVE
 * has two bits a register (valid, zero, special, empty), numbered as the CPU numbers them, FXSAVE
 * one (empty or not), and the registers of both are in the order of the stack.
 */
#include "i386/fpu_frame.h"

#include "errno.h"
#include "task/arch_task.h"
#include "user.h"

#define HIGH_HALF 0xffff0000u /* FSAVE's words of 16 bits have ones above */

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

struct fxsave {
    uint16_t control, status;
    uint8_t tags, reserved;
    uint16_t opcode;
    uint32_t pc, code, operand, operand_segment;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint32_t low, high; /* of the significand */
        uint16_t exponent;
        uint8_t reserved[6];
    } st[8];
    uint8_t xmm[128], unused[176], software[48];
};
_Static_assert(sizeof(struct fxsave) == FXSAVE_BYTES, "as SDM volume 1, table 10-2");

static enum tag tag_of(const struct fxsave *fx, unsigned stack_index)
{
    uint32_t low = fx->st[stack_index].low, high = fx->st[stack_index].high;
    unsigned exponent = fx->st[stack_index].exponent & 0x7fff;
    if (exponent == 0x7fff)
        return TAG_SPECIAL;
    if (!exponent)
        return low || high ? TAG_SPECIAL : TAG_ZERO;
    return high & 0x80000000u ? TAG_VALID : TAG_SPECIAL;
}

static uint32_t tags_to_fsave(const struct fxsave *fx)
{
    uint32_t tags = HIGH_HALF;
    unsigned top = fx->status >> 11 & 7;
    for (unsigned i = 0; i < 8; i++) {
        enum tag tag = fx->tags >> i & 1 ? tag_of(fx, (i - top) & 7) : TAG_EMPTY;
        tags |= (uint32_t)tag << 2 * i;
    }
    return tags;
}

static uint8_t tags_to_fxsave(uint32_t tags)
{
    unsigned used = 0;
    for (unsigned i = 0; i < 8; i++)
        used |= (unsigned)((tags >> 2 * i & 3) != TAG_EMPTY) << i;
    return (uint8_t)used;
}

static void to_fsave(struct fsave_frame *old, const struct fxsave *fx)
{
    *old = (struct fsave_frame){
        .control = fx->control | HIGH_HALF,
        .status = fx->status | HIGH_HALF,
        .tags = tags_to_fsave(fx),
        .pc = fx->pc,
        .code_and_opcode = (fx->code & 0xffff) | (uint32_t)fx->opcode << 16,
        .operand = fx->operand,
        .operand_segment = fx->operand_segment,
        .status_again = fx->status,
    };
    for (unsigned i = 0; i < 8; i++)
        memcpy(old->registers[i], &fx->st[i], sizeof old->registers[i]);
}

void fpu_frame_of(struct fsave_frame *old, const uint8_t fxsave[FXSAVE_BYTES])
{
    to_fsave(old, (const struct fxsave *)(const void *)fxsave);
}

static void from_fsave(struct fxsave *fx, const struct fsave_frame *old)
{
    fx->control = (uint16_t)old->control;
    fx->status = (uint16_t)old->status;
    fx->tags = tags_to_fxsave(old->tags);
    fx->pc = old->pc;
    fx->code = old->code_and_opcode & 0xffff;
    fx->opcode = (uint16_t)(old->code_and_opcode >> 16);
    fx->operand = old->operand;
    fx->operand_segment = old->operand_segment;
    for (unsigned i = 0; i < 8; i++)
        memcpy(&fx->st[i], old->registers[i], sizeof old->registers[i]);
}

static struct fxsave *current_fxsave(void)
{
    return (struct fxsave *)(void *)current->arch.fpu;
}

/* The switch to another task, while a copy sleeps, writes the same there. */
int fpu_frame_save(uintptr_t at)
{
    struct fsave_frame old;
    arch_save(current);
    struct fxsave *fx = current_fxsave();
    memset(fx->software, 0, sizeof fx->software);
    to_fsave(&old, fx);
    if (copy_to_user(at, &old, sizeof old))
        return -EFAULT;
    return copy_to_user(at + sizeof old, fx, sizeof *fx);
}

static int read_frame(struct fxsave *fx, uintptr_t at)
{
    struct fsave_frame old;
    if (copy_from_user(&old, at, sizeof old) || copy_from_user(fx, at + sizeof old, sizeof *fx))
        return -EFAULT;
    from_fsave(fx, &old);
    return 0;
}

int fpu_frame_restore(uintptr_t at, uint16_t fs, uint16_t gs)
{
    struct fxsave fx = {.control = FPU_CONTROL, .mxcsr = MXCSR_START};
    if (at && read_frame(&fx, at))
        return -EFAULT;
    arch_save(current);
    uint32_t mask = current_fxsave()->mxcsr_mask;
    fx.mxcsr &= mask ? mask : MXCSR_MASK_DEFAULT;
    memcpy(current->arch.fpu, &fx, sizeof fx);
    current->arch.fs = fs;
    current->arch.gs = gs;
    arch_load(current);
    return 0;
}
