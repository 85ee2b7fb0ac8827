/* tools/boot.h: what quire boot was asked for */
#ifndef TOOLS_BOOT_H
#define TOOLS_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MEMORY_UNIT (1ull << 20) /* memory sizes are multiples of this */

struct boot {
    bool selftest, demo, i386, dry_run;
    const char *filter, *qemu, *images, *append; /* NULL: not given */
    uint64_t memory, nodes;                      /* bytes; 0 nodes: none described */
    uint64_t seed, effort, timeout;
    bool has_seed, has_effort;
};

/* Ends the process when they make no sense, or ask for help. */
void parse_boot_options(struct boot *boot, int argc, char **argv);

/* QEMU and its arguments for booting `image`, NULL-terminated; never freed. */
char **qemu_arguments(const struct boot *boot, const char *image);

#endif
