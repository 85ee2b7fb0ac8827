/* kernel/backtrace.c: who called whom, with names
 *
 * Functions keep no frame pointers, so what lies on the stack says it: each word that is an
 * address behind a call instruction may be where a function returns to. A word that is left over
 * looks the same, but for this: a direct call names the function that it calls, and that is the
 * one in which the callee below was found. What doesn't fit is printed with a question mark, and
 * doesn't count as a callee.
 */
#include <quire/port.h>

#include "base/text.h"
#include "kernel.h"
#include "string.h"
#include "task/lifecycle.h"
#include "task/task.h"

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

/* Without what the compiler adds for a part that it moves away from the rest. */
static bool same_function(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return (!*a || string_equal(a, ".cold")) && (!*b || string_equal(b, ".cold"));
}

/* The shortest and the longest call by way of a register or memory; of one with an offset. */
#define INDIRECT_CALL_LEAST 2
#define INDIRECT_CALL_MOST 7
#define DIRECT_CALL_BYTES 5
#define OPCODE_DIRECT_CALL 0xe8
#define OPCODE_INDIRECT 0xff /* with 2 in the middle of the next byte a call */

static bool is_behind_indirect_call(const uint8_t *code)
{
    for (unsigned size = INDIRECT_CALL_LEAST; size <= INDIRECT_CALL_MOST; size++)
        if (code[-(int)size] == OPCODE_INDIRECT && (code[1 - (int)size] >> 3 & 7) == 2)
            return true;
    return false;
}

enum belief { NO_CALL, STALE, CALL };

/* Is `pc` where `callee` (NULL: not known) returns to? */
static enum belief returns_to(uintptr_t pc, const char *callee)
{
    if (pc < (uintptr_t)text_start + INDIRECT_CALL_MOST || pc > (uintptr_t)text_end)
        return NO_CALL;
    const uint8_t *code = (const uint8_t *)pc;
    if (code[-DIRECT_CALL_BYTES] == OPCODE_DIRECT_CALL) {
        int32_t distance;
        uint32_t offset;
        memcpy(&distance, code - sizeof distance, sizeof distance);
        const char *called = symbol_of(pc + (uintptr_t)(intptr_t)distance, &offset);
        if (called && !offset)
            return !callee || same_function(called, callee) ? CALL : STALE;
    }
    return is_behind_indirect_call(code) ? CALL : NO_CALL;
}

static const char *print_place(uintptr_t pc, uintptr_t lookup, bool is_certain)
{
    uint32_t offset;
    const char *name = symbol_of(lookup, &offset);
    const char *mark = is_certain ? "" : "? ";
    if (name)
        print("  %p %s%s+0x%x\n", (void *)pc, mark, name, offset + (uint32_t)(pc - lookup));
    else
        print("  %p\n", (void *)pc);
    return name;
}

struct words {
    const uintptr_t *at, *end;
};

/* What lies on the stack from `pointer` on; a task's that overflowed points into the guard page. */
static struct words stack_from(uintptr_t pointer)
{
    uintptr_t start = (uintptr_t)boot_stack_bottom, end = (uintptr_t)boot_stack_top;
    if (current && current->stack && (pointer < start || pointer >= end)) {
        start = (uintptr_t)current->stack;
        end = start + KERNEL_STACK_BYTES;
        if (start - pointer <= QUIRE_PAGE_SIZE)
            pointer = start;
    }
    if (pointer < start || pointer >= end)
        return (struct words){NULL, NULL};
    return (struct words){(const uintptr_t *)(pointer & -sizeof(uintptr_t)),
                          (const uintptr_t *)end};
}

void backtrace(uintptr_t pc, uintptr_t stack_pointer)
{
    struct words stack = stack_from(stack_pointer);
    const char *callee = NULL;
    unsigned depth = 0;
    if (pc)
        callee = print_place(pc, pc, true);
    for (const uintptr_t *at = stack.at; at < stack.end && depth < MAX_DEPTH; at++) {
        enum belief belief = returns_to(*at, callee);
        if (belief == NO_CALL)
            continue;
        /* A call that doesn't return may be its function's last instruction. */
        const char *caller = print_place(*at, *at - 1, belief == CALL);
        if (belief == CALL)
            callee = caller;
        depth++;
    }
}
