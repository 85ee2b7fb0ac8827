/* tools/boot.h: what quire boot was asked for */
#ifndef TOOLS_BOOT_H
#define TOOLS_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "allocate.h"

#define BOOT_MEMORY_UNIT (1ull << 20) /* memory sizes are multiples of this */

/* How it ends when a program was asked for; any other status is the program's. */
enum program_status {
    PROGRAM_TIMEOUT = 124,        /* it took longer than --timeout */
    PROGRAM_NOT_RUN = 125,        /* wrong usage, the machine could not be started, or it failed */
    PROGRAM_NOT_EXECUTABLE = 126, /* it isn't one for this machine */
    PROGRAM_NOT_FOUND = 127,      /* it, its interpreter, or a library isn't there */
};

enum boot_arch { BOOT_AUTO, BOOT_I386, BOOT_X86_64 };

struct boot {
    bool selftest, demo, shell, dry_run, kvm, verbose;
    enum boot_arch arch;
    const char *filter, *qemu, *images, *append; /* NULL: not given */
    uint64_t memory, nodes;                      /* bytes; 0 nodes: none described */
    uint64_t seed, effort;
    unsigned timeout_ms; /* 0: never */
    bool has_seed, has_effort, has_timeout;

    /* The program and its arguments, NULL-terminated; of a shell: its arguments alone. NULL:
     * neither was asked for. */
    char **program;
    struct texts adds, places; /* what of the host; where each is to be, "": at the same place */
    struct texts environment;  /* NAME=VALUE */
    struct texts swaps;        /* SIZE, FILE, FILE:SIZE or URL */
    const char *cwd, *save_initrd; /* NULL: not given */
    const char *policy;            /* NULL: not given */
    const char *stats, *events;    /* files; NULL: not given */
    bool summary;
};

static inline bool boot_wants_stats(const struct boot *boot)
{
    return boot->stats || boot->summary;
}

static inline bool boot_has_program(const struct boot *boot)
{
    return boot->program || boot->shell;
}

/* Ends the process when they make no sense, or ask for help. */
void parse_boot_options(struct boot *boot, int argc, char **argv);

/* What differs from machine to machine beside the options. */
struct qemu_setup {
    const char *image, *initrd; /* files; initrd NULL: none */
    bool i386;
    const char *words;  /* of the kernel's command line, to begin with; NULL: as the options say */
    int first_line;     /* descriptors, each a socket: its lines, then the log; 0: QEMU's stdin and
                           stdout, for the log alone */
    int monitor;        /* a descriptor, a socket: QEMU's own words */
    char *const *disks; /* what QEMU is to open, nr_disks of them */
    unsigned nr_disks;
};

/* What connects the machine and us: kernel/dev/lines.h has the same numbers. */
enum boot_line {
    LINE_INPUT = 1,
    LINE_OUTPUT,
    LINE_ERRORS,
    LINE_CONTROL,
    LINE_STATS,  /* if boot_wants_stats */
    LINE_EVENTS, /* if they are asked for */
    LINE_LOG,
    NR_LINES
};

/* QEMU and its arguments, NULL-terminated; never freed. */
char **qemu_arguments(const struct boot *boot, const struct qemu_setup *setup);

/* The exit status of a mode without a program, after a complaint where one is due, from what
 * machine_run returned. */
int explain_end(int result, const struct boot *boot, const char *qemu);

/* machine_run returned that the machine panicked. */
bool is_panic(int result);

/* Prints a command in a form that a shell takes. */
void print_command(char **argv);

/* Packs a program, runs it, and returns the exit status of quire boot. */
int boot_program(const struct boot *boot);

#endif
