/* kernel/backtrace.c: who called whom, with names
 *
 * Each frame begins with the caller's frame pointer and the return address. The chain ends at 0,
 * where boot.S began it, or where it leaves the stack or doesn't go up it.
 */
#include <quire/port.h>

#include "base/text.h"
#include "kernel.h"

#define MAX_DEPTH 64

struct symbol {
    uint32_t address, name;
};

/* Made by symbols.sh. */
extern const struct {
    uint32_t count;
    struct symbol symbol[];
} kernel_symbols;

/* The last function that begins at or below `pc`; NULL when `pc` isn't in the image's code. */
static const char *symbol_of(uintptr_t pc, uint32_t *offset)
{
    if (pc < (uintptr_t)text_start || pc >= (uintptr_t)text_end || !kernel_symbols.count)
        return NULL;
    uint32_t low = 0, high = kernel_symbols.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (kernel_symbols.symbol[middle].address <= (uint32_t)pc)
            low = middle;
        else
            high = middle;
    }
    *offset = (uint32_t)pc - kernel_symbols.symbol[low].address;
    const char *names = (const char *)&kernel_symbols.symbol[kernel_symbols.count];
    return names + kernel_symbols.symbol[low].name;
}

void quire_x86_code_name(uintptr_t address, char *text, size_t size)
{
    uint32_t offset;
    const char *name = symbol_of(address - 1, &offset); /* of a return address: see below */
    text[0] = '\0';
    if (name)
        quire_snprintf(text, size, "%s+0x%x", name, offset + 1);
}

static void print_place(uintptr_t pc, uintptr_t lookup)
{
    uint32_t offset;
    const char *name = symbol_of(lookup, &offset);
    if (name)
        print("  %p %s+0x%x\n", (void *)pc, name, offset + (uint32_t)(pc - lookup));
    else
        print("  %p\n", (void *)pc);
}

void backtrace(uintptr_t pc, uintptr_t frame_pointer)
{
    if (pc)
        print_place(pc, pc);
    for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
        if (frame_pointer < (uintptr_t)boot_stack || frame_pointer % sizeof(uintptr_t) ||
            frame_pointer > (uintptr_t)boot_stack_top - 2 * sizeof(uintptr_t))
            break;
        const uintptr_t *frame = (const uintptr_t *)frame_pointer;
        /* A call that doesn't return may be its function's last instruction. */
        print_place(frame[1], frame[1] - 1);
        if (frame[0] <= frame_pointer)
            break;
        frame_pointer = frame[0];
    }
}
