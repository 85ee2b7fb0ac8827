/* tests/unit/memblock_map.h: a memory map for one case, and its tables as short text */
#ifndef QUIRE_TESTS_UNIT_MEMBLOCK_MAP_H
#define QUIRE_TESTS_UNIT_MEMBLOCK_MAP_H

#include <quire/phys.h>
#include <quire/port.h>

#include "base/text.h"
#include "phys/memblock.h"
#include "tests/harness/harness.h"

#define RAM QUIRE_MEMBLOCK_RAM
#define HOTPLUG QUIRE_MEMBLOCK_HOTPLUG
#define NOMAP QUIRE_MEMBLOCK_NOMAP
#define ANYWHERE 0, UINT64_MAX, -1 /* min, max and node of an early allocation */

#define MAP_MEMORY_BYTES 0x1000000u /* simulated, whatever the map says is there */

extern struct quire_memblock map;
extern struct quire_port_mem map_port;
/* The last line of the log since the map was made; always empty where that can't be heard. */
extern char map_log[256];
bool map_log_is_heard(void);

/* An empty map named "test". */
bool map_start(void);

/* Whether the text of a table is `expected`: "base-end" in hexadecimal, a blank between ranges; for
 * memory with ":node" and a letter of the kind (r, h, n), as in "1000-3000:0r 8000-9000:1h". Notes
 * what it is if not. */
bool map_memory_is(const char *expected);
bool map_reserved_is(const char *expected);

bool text_is(const char *text, const char *expected);
bool text_has(const char *text, const char *part);

/* Everything that may not change when an operation fails. */
struct map_snapshot {
    unsigned long count[2], capacity[2];
    uint64_t hash;
};
struct map_snapshot map_snapshot(void);
bool map_is_as(const struct map_snapshot *snapshot);

#endif
