/* tests/unit/machine.h: a simulated machine for a test case
 *
 *     static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
 *     struct quire_mem *mem = machine_boot(map, (struct quire_mem_config){.nr_cpus = 2});
 *     if (!mem)
 *         return;
 *
 * There is one at a time. What it logs, and the mistakes that it reports to ops->bad_page, are
 * caught for the case to look at. A case that doesn't get the memory, or for which there can't be
 * enough CPUs or nodes, is skipped.
 */
#ifndef QUIRE_TESTS_MACHINE_H
#define QUIRE_TESTS_MACHINE_H

#include <quire/phys.h>
#include <quire/port.h>

#include "tests/harness/harness.h"

/* Machines are measured in frames, so that a case means the same whatever a frame's size is: a MIB
 * is 256 frames, which is a MiB only where they have 4 KiB. */
#define KIB ((quire_phys_t)QUIRE_PAGE_SIZE / 4)
#define MIB (1024 * KIB)
#define PAGES(bytes) ((unsigned long)((bytes) >> QUIRE_PAGE_SHIFT))
/* What config.min_free_kbytes calls so many frames. */
#define KBYTES(frames) ((unsigned long)(frames) << (QUIRE_PAGE_SHIFT - 10))

struct machine {
    struct quire_port_mem port;
    struct quire_memblock memblock;
    struct quire_mem *mem;
    unsigned bad_pages;  /* mistakes reported so far */
    quire_pfn_t bad_pfn; /* the last one */
    char bad_text[256];
    char log[4096]; /* lines since machine_map */
};
extern struct machine machine;

/* Simulated memory up to the map's end, and a memblock with the map, which ends with an empty
 * range. False: the case is skipped, or failed because the map was refused. */
bool machine_map(const struct quire_memblock_region *map);
/* False: the case is skipped. machine_boot asks by itself. */
bool machine_can_have_cpus(unsigned count);
/* quire_mem_init on what machine_map made. Without config.ops, mistakes are caught; the case's own
 * ops get bad_page from machine_bad_page. The calling CPU is number 0. */
int machine_start(struct quire_mem_config config);
/* Both; NULL: skipped or failed. */
struct quire_mem *machine_boot(const struct quire_memblock_region *map,
                               struct quire_mem_config config);
/* One node with memory from 0 to `size`, one zone. */
struct quire_mem *machine_boot_plain(uint64_t size, struct quire_mem_config config);

void machine_bad_page(void *arg, quire_pfn_t pfn, const char *text);

/* Whether exactly one mistake was reported since the last question, and says `what`. */
bool machine_caught(const char *what);
/* Whether the log holds `what`; true where logs can't be had. */
bool machine_said(const char *what);
/* The same, and forgets what was said. */
bool machine_heard(const char *what);
bool contains(const char *text, const char *what);

/* A zone's numbers, by number or by type on node 0. */
struct quire_zone_info zone_info(unsigned zone);
struct quire_zone_info zone_info_of(enum quire_zone_type type);

/* Takes order-0 pages under `gfp` until there are none, at most `most`; chains them and returns
 * their number. free_chain gives the chain back. */
unsigned long take_pages(quire_gfp_t gfp, unsigned long most, struct quire_page **chain);
void free_chain(struct quire_page *chain);

#endif
