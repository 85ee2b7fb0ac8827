/* malloc/stack.c: who called
 *
 * The unwinder is the compiler's, linked into this library, so that none is loaded in the middle of
 * a call. It takes the loader's lock, which the loader's own calls hold: it is recursive. Who has
 * that lock may be waiting for a fork to be over, so a slow path pauses meanwhile.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unwind.h>

#include "malloc/self.h"
#include "malloc/stack.h"

struct walk {
    struct stack *stack;
    unsigned count;
};

/* Where the linker put this library's code: dladdr(3), which looks at each of its symbols, took
 * most of the time of `leak`. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _etext[] __attribute__((visibility("hidden")));

static bool is_own(uintptr_t address)
{
    return address >= (uintptr_t)__ehdr_start && address < (uintptr_t)_etext;
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    uintptr_t at = _Unwind_GetIP(context);
    if (!at || walk->count == STACK_FRAMES)
        return _URC_END_OF_STACK;
    if (walk->count || !is_own(at))
        walk->stack->frame[walk->count++] = at;
    return _URC_NO_REASON;
}

void stack_take(struct stack *stack)
{
    bool pauses = self.inside && !self_held, has_place = pauses && gate_pause();
    struct walk walk = {.stack = stack};
    *stack = (struct stack){{0}};
    (void)_Unwind_Backtrace(visit, &walk);
    if (pauses)
        gate_resume(has_place);
}

/* Offsets are from where the file's addresses begin, not its first page: programs that can't be
 * anywhere are where these say. */
void stack_print(const struct stack *stack)
{
    for (unsigned i = 0; i < STACK_FRAMES && stack->frame[i]; i++) {
        Dl_info info;
        struct link_map *map = NULL;
        uintptr_t at = stack->frame[i] - 1; /* in the call, not behind it */
        if (!dladdr1((void *)at, &info, (void **)&map, RTLD_DL_LINKMAP) || !info.dli_fname ||
            !map) {
            message("    %p", (void *)at);
            continue;
        }
        const char *slash = strrchr(info.dli_fname, '/');
        message("    %s+0x%lx%s%s%s", slash ? slash + 1 : info.dli_fname,
                (unsigned long)(at - map->l_addr), info.dli_sname ? " (" : "",
                info.dli_sname ? info.dli_sname : "", info.dli_sname ? ")" : "");
    }
}
