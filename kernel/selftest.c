/* kernel/selftest.c: the tests, inside the machine
 *
 * The same suites as on the host.
 */
#include "base/text.h"
#include "cmdline.h"
#include "memory.h"
#include "modes.h"
#include "objects.h"
#include "selftest_memory.h"
#include "tests/harness/harness.h"

/* Software emulation is some twenty times slower than the host. */
#define DEFAULT_EFFORT 10000
#define DEFAULT_SEED 1

static void write_console(const char *text, size_t length)
{
    console_write(NULL, text, length);
}

static void set_cpu(unsigned cpu)
{
    quire_x86_cpu = cpu < QUIRE_MAX_CPUS ? cpu : QUIRE_MAX_CPUS;
}

/* What the library says stands in the output as a comment. */
static void log_comment(int level, const char *text)
{
    (void)level;
    test_note("%s", text);
}

static void set_log(void (*log)(int level, const char *text))
{
    log_hook = log ? log : log_comment;
}

static void set_grace(void (*call_after_grace)(struct quire_port_grace *grace,
                                               void (*call)(struct quire_port_grace *grace)))
{
    quire_x86_call_after_grace = call_after_grace;
}

static void bail_out(void)
{
    test_bail_out("the machine panicked");
}

struct test_environment test_environment = {
    .write = write_console,
    .memory = selftest_memory,
    .set_cpu = set_cpu,
    .set_log = set_log,
    .set_grace = set_grace,
};

/* "quire boot --selftest --arch=... --mem=... --numa=...", which the harness completes. */
static const char *rerun_command(const char *command_line)
{
    static char command[128];
    char memory_size[24] = "", nodes[8] = "";
    bool has_memory = cmdline_string(command_line, "mem", memory_size, sizeof memory_size);
    bool has_nodes = cmdline_string(command_line, "numa", nodes, sizeof nodes);
    quire_snprintf(command, sizeof command, "quire boot --selftest --arch=" ARCH_NAME "%s%s%s%s",
                   has_memory ? " --mem=" : "", memory_size, has_nodes ? " --numa=" : "", nodes);
    return command;
}

static bool contains(const char *string, const char *part)
{
    for (; *string; string++) {
        size_t i = 0;
        while (part[i] && string[i] == part[i])
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

/* The host's suites, and those that need a processor of their own. */
#define MAX_SUITES 256
extern const struct test_suite suite_given_memory, suite_real_mmu;
static const struct test_suite *suites[MAX_SUITES];

static void gather_suites(void)
{
    unsigned count = 0;
    suites[count++] = &suite_real_mmu;
    suites[count++] = &suite_given_memory;
    for (const struct test_suite *const *suite = test_suites; *suite; suite++) {
        if (count == MAX_SUITES - 1)
            panic("there are more than %d suites of tests", MAX_SUITES);
        suites[count++] = *suite;
    }
}

static bool some_case_matches(const char *filter)
{
    char name[200];
    for (const struct test_suite *const *suite = suites; *suite; suite++)
        for (const struct test_case *test = (*suite)->cases; test->name; test++) {
            quire_snprintf(name, sizeof name, "%s.%s", (*suite)->name, test->name);
            if (contains(name, filter))
                return true;
        }
    return false;
}

enum machine_status selftest(const char *command_line)
{
    char filter[128];
    bool some = cmdline_string(command_line, "filter", filter, sizeof filter);
    gather_suites();
    if (some && !some_case_matches(filter)) {
        print("No test's name holds '%s'.\n", filter);
        return MACHINE_FAILED;
    }
    test_environment.rerun = rerun_command(command_line);
    test_environment.seed = cmdline_number(command_line, "seed", DEFAULT_SEED);
    test_environment.effort = cmdline_number(command_line, "effort", DEFAULT_EFFORT);
    set_log(NULL);
    panic_hook = bail_out;
    struct test_counts counts = test_run(suites, some ? filter : NULL);
    panic_hook = NULL;
    log_hook = NULL;
    set_cpu(0);
    selftest_memory_give_back();
    bool objects = objects_check();
    quire_mem_check(machine_mem);
    print("# %u failed, %u skipped\n", counts.failed, counts.skipped);
    if (counts.skipped == counts.run) {
        print("No test ran: all were skipped.\n");
        return MACHINE_FAILED;
    }
    return counts.failed || !objects ? MACHINE_FAILED : MACHINE_DONE;
}
