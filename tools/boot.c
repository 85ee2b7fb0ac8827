/* tools/boot.c: quire boot: a machine whose memory Quire manages
 *
 * Starts QEMU with our kernel. What the machine writes to its serial line is our stdout. It ends
 * through QEMU's isa-debug-exit device, which makes QEMU exit with 2 * value + 1; the values are
 * kernel/kernel.h's.
 */
#define _GNU_SOURCE
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "image.h"
#include "machine.h"
#include "monitor.h"
#include "quire.h"

#define STATUS_QEMU_FAILED 1 /* no value makes it: ours are odd and larger */
#define STATUS_DONE (2 * 0x10 + 1)
#define STATUS_FAILED (2 * 0x11 + 1)
#define STATUS_PANIC (2 * 0x12 + 1)

void print_command(char **argv)
{
    for (; *argv; argv++)
        printf(strchr(*argv, ' ') ? "'%s'%s" : "%s%s", *argv, argv[1] ? " " : "\n");
}

static int not_started(const char *qemu, int error)
{
    if (error == ENOENT)
        complain("there is no %s; install it (on Debian: the package qemu-system-x86), or name "
                 "another one with --qemu=PATH",
                 qemu);
    else
        complain("%s can't be started: %s", qemu, strerror(error));
    return EXIT_FAILED;
}

bool is_panic(int result)
{
    return result == STATUS_PANIC;
}

int explain_end(int result, const struct boot *boot, const char *qemu)
{
    if (result < 0)
        return not_started(qemu, -result);
    if (result == STATUS_DONE)
        return EXIT_DONE;
    if (result == STATUS_FAILED)
        return EXIT_FAILED;
    if (result == STATUS_PANIC)
        return EXIT_PANIC;
    if (result == STATUS_QEMU_FAILED) {
        complain("%s could not start the machine, as it says above", qemu);
        return EXIT_FAILED;
    }
    if (result == MACHINE_TIMEOUT) {
        complain("the machine was stopped after %g s (--timeout)", boot->timeout_ms / 1000.0);
        return EXIT_TIMEOUT;
    }
    if (result == MACHINE_PAUSED) {
        complain("%s has paused the machine, which can't go on%s", qemu,
                 boot->kvm ? " with KVM; --accel=tcg does without" : "");
        return EXIT_NO_STATUS;
    }
    if (result >= MACHINE_UNHEARD) {
        complain("the machine was stopped, since its output can't be written: %s",
                 strerror(result - MACHINE_UNHEARD));
        return EXIT_FAILED;
    }
    if (result == MACHINE_STOPPED)
        return 128 + SIGINT;
    if (result >= MACHINE_INTERRUPTED)
        return 128 + result - MACHINE_INTERRUPTED;
    if (result >= MACHINE_KILLED)
        complain("%s died of signal %d", qemu, result - MACHINE_KILLED);
    else if (result == 0)
        complain("the machine stopped or reset itself without saying how it went");
    else
        complain("%s ended with status %d", qemu, result);
    return EXIT_NO_STATUS;
}

/* KVM is looked for here, because QEMU's own words for it don't say what to do. */
static bool kvm_is_there(void)
{
    if (!access("/dev/kvm", R_OK | W_OK))
        return true;
    complain("/dev/kvm: %s; --accel=kvm needs it, --accel=tcg doesn't", strerror(errno));
    return false;
}

/* A machine whose stdout is ours. As machine_run. */
static int run_machine(char **argv, unsigned timeout_ms)
{
    struct monitor monitor = {.paused = false};
    int console[2], commands, given;
    int error = monitor_open(&commands, &given);
    if (error)
        return error;
    if (pipe2(console, O_CLOEXEC)) {
        error = -errno;
        close(commands);
        close(given);
        return error;
    }
    struct flow flows[] = {
        {.from = console[0], .to = STDOUT_FILENO, .to_world = true, .from_machine = true},
        {.from = commands, .to = -1, .from_machine = true, .filter = monitor_take, .arg = &monitor},
    };
    int result = machine_run(&(struct machine_run){.argv = argv,
                                                   .timeout_ms = timeout_ms,
                                                   .out = console[1],
                                                   .given = &given,
                                                   .nr_given = 1,
                                                   .flows = flows,
                                                   .nr_flows = 2,
                                                   .paused = &monitor.paused});
    close(console[0]);
    close(commands);
    return result;
}

static int boot_machine(const struct boot *boot)
{
    struct qemu_setup setup = {.i386 = boot->arch == BOOT_I386, .monitor = MACHINE_FIRST_GIVEN};
    char name[64];
    snprintf(name, sizeof name, "quire-%s%s.elf", setup.i386 ? "i386" : "x86-64",
             boot->selftest ? "-tests" : "");
    char *image = find_image(name, boot->images);
    if (!image)
        return EXIT_FAILED;
    setup.image = image;
    char **qemu = qemu_arguments(boot, &setup);
    if (boot->dry_run) {
        print_command(qemu);
        return all_written();
    }
    return explain_end(run_machine(qemu, boot->timeout_ms), boot, qemu[0]);
}

int command_boot(int argc, char **argv)
{
    struct boot boot;
    parse_boot_options(&boot, argc, argv);
    if (boot.kvm && !boot.dry_run && !kvm_is_there())
        return boot_has_program(&boot) ? PROGRAM_NOT_RUN : EXIT_FAILED;
    return boot_has_program(&boot) ? boot_program(&boot) : boot_machine(&boot);
}
