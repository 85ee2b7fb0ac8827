/* kernel/main.c: what the machine does, in order
 *
 * Words of the command line:
 *   selftest              run the tests (the images whose name ends with -tests)
 *   filter= seed= effort= for the tests
 *   demo                  show the allocators at work
 *   run stdin= stdout= stderr=  start the program that the RAM disk names
 *   swap=                 so many disks are swap areas, before the program starts
 *   policy=               which pages reclaim takes first: lru, mglru, clock or fifo
 *   stats                 tell of processes at their end, and of the memory at the machine's
 *   events                tell of everything that happens to memory (images that end with -events)
 *   views                 nothing of these: show the memory's views, which is the default
 *   mem= numa=            what the machine is, for the command that re-runs a failed test
 *   check                 after a program's end, check every invariant of the memory
 *   fail-alloc            allocations of programs can be made to fail: /proc/PID/fail-nth
 *   crash=                end in a way that crash.c knows, to prove that it is seen;
 *                         late: panic when the program has ended
 *
 * Others are named in a warning.
 */
#include "cmdline.h"
#include "cpu.h"
#include "crash.h"
#include "kernel.h"
#include "memory.h"
#include "modes.h"
#include "numa.h"
#include "objects.h"
#include "paging.h"
#include "pvh.h"
#include "string.h"
#include "task/fail_nth.h"
#include "task/init.h"
#include "trap.h"

#ifndef QUIRE_VERSION
#define QUIRE_VERSION "0.1.0"
#endif

/* The only CPU's number, which tests change. */
unsigned quire_x86_cpu;
void (*quire_x86_call_after_grace)(struct quire_port_grace *grace,
                                   void (*call)(struct quire_port_grace *grace));

static struct pvh_info info;
static struct numa numa;

static const char *const known_words[] = {
    "selftest", "filter",  "seed",       "effort", "demo",   "views",  "mem",   "numa",
    "crash",    "check",   "fail-alloc", "run",    "swap",   "policy", "stats", "events",
    "rows",     "columns", "ignore",     "stdin",  "stdout", "stderr", NULL,
};

static void warn_of_unknown_words(void)
{
    const char *word = info.command_line;
    size_t length;
    while ((word = cmdline_find_unknown(word, known_words, &length))) {
        print("warning: the command line's \"");
        console_write(NULL, word, length);
        print("\" is unknown and ignored; known are:");
        for (const char *const *known = known_words; *known; known++)
            print(" %s", *known);
        print("\n");
        word += length;
    }
}

static void print_map(void)
{
    if (info.command_line[0])
        print("command line: %s\n", info.command_line);
    warn_of_unknown_words();
    for (unsigned i = 0; i < info.nr_ranges; i++)
        print("map: 0x%012llx to 0x%012llx %10llu KiB %s\n", (unsigned long long)info.range[i].base,
              (unsigned long long)(info.range[i].base + info.range[i].size),
              (unsigned long long)(info.range[i].size >> 10), pvh_range_name(info.range[i].type));
    if (info.nr_ranges_given > info.nr_ranges)
        print("map: %u more ranges are ignored\n", info.nr_ranges_given - info.nr_ranges);
    if (info.initrd_size)
        print("initial RAM disk: %llu bytes at 0x%llx\n", (unsigned long long)info.initrd_size,
              (unsigned long long)info.initrd);
}

static enum machine_status run(void)
{
    char way[16];
    if (cmdline_string(info.command_line, "crash", way, sizeof way) && !string_equal(way, "late"))
        crash(way);
    if (cmdline_has(info.command_line, "selftest"))
        return selftest(info.command_line);
    if (cmdline_has(info.command_line, "demo"))
        return demo();
    if (cmdline_has(info.command_line, "run"))
        run_program(&info);
    memory_print_views();
    objects_print_view();
    return MACHINE_DONE;
}

char *boot_stack_bottom = boot_stack;

_Noreturn void kernel_main(uint32_t start_info);
_Noreturn void kernel_main(uint32_t start_info)
{
    boot_stack_mark();
    console_init();
    traps_init();
    paging_init();
    pvh_parse(&info, start_info);
    print("Quire " QUIRE_VERSION " on " ARCH_NAME "\n");
    print_map();
    fail_nth_init(info.command_line);
    numa_init(&numa, info.rsdp);
    memory_init(&info, &numa);
    memory_print_zones(&numa);
    enum machine_status status = run();
    if (boot_stack_has_overflowed())
        panic("the stack has overflowed");
    machine_exit(status);
}
