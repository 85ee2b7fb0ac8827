/* tools/translate_tables.c: page tables for quire translate: built for --map, or of a snapshot
 *
 * --map is what a kernel does: tables of a simulated machine's memory, by the library. What they
 * map needn't be there: only entries are ever read.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/port.h>

#include "quire.h"
#include "translate.h"

#define PAGE_BYTES 4096u
/* Of which tables take 256 MiB, all for 128 GiB in 4 KiB pages, and their descriptors the rest.
 * What isn't used costs the host nothing. */
#define MEMORY_BYTES ((size_t)288 << 20)
/* What is used up most is used first: of the first pageblock only the frames below this are free,
 * so that the addresses in an explanation are short. */
#define LOW_BYTES (16 * PAGE_BYTES)

static bool make_map(struct quire_memblock *map)
{
    const uint64_t pageblock = QUIRE_PAGEBLOCK_PAGES * QUIRE_PAGE_SIZE;
    return !quire_memblock_add(map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) &&
           !quire_memblock_reserve(map, 0, PAGE_BYTES) &&
           !quire_memblock_reserve(map, LOW_BYTES, pageblock - LOW_BYTES);
}

static bool start(struct quire_port_mem *port, struct quire_pgtable *pt,
                  enum quire_pt_format_id mode)
{
    static struct quire_memblock map;
    const struct quire_mem_config machine = {
        .port = port,
        .nr_cpus = 1,
        .zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX,
        .no_mobility_grouping = true,
        .no_pcp = true,
    };
    struct quire_pgtable_config config = {.format = mode,
                                          .gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN};
    if (quire_posix_mem_create(port, MEMORY_BYTES))
        return false;
    quire_memblock_init(&map, "tables", port);
    return make_map(&map) && !quire_mem_init(&config.mem, &map, &machine) &&
           !quire_pgtable_init(pt, &config);
}

/* Entries that aren't present are the caller's, one by one. */
static int put_absent(struct quire_pgtable *pt, const struct map_spec *map, uint64_t bits)
{
    int error = 0;
    for (uint64_t done = 0; !error && done < map->size; done += PAGE_BYTES) {
        uint64_t hole = 0;
        error = quire_cmpxchg_entry(pt, map->virt + done, &hole, (map->phys + done) | bits);
    }
    return error;
}

static bool has_addresses(const struct quire_pgtable *pt, const struct map_spec *map)
{
    struct quire_pt_query query;
    uint64_t last = map->virt + map->size - 1;
    return last >= map->virt && quire_query(pt, map->virt, &query) != -QUIRE_EINVAL &&
           quire_query(pt, last, &query) != -QUIRE_EINVAL;
}

static const char *why_not(const struct quire_pgtable *pt, const struct map_spec *map, int error)
{
    if (error == -QUIRE_ENOMEM)
        return "it takes too many tables";
    if (error != -QUIRE_EINVAL)
        return "something is mapped there";
    return has_addresses(pt, map) ? "this mode has no such physical addresses"
                                  : "this mode has no such virtual addresses";
}

static bool add(struct quire_pgtable *pt, const struct map_spec *map)
{
    uint64_t bits = map->bits & pt->prot_mask;
    int error = map->bits & QUIRE_PTE_PRESENT
                    ? quire_map_range(pt, map->virt, map->phys, map->size, bits,
                                      map->large ? 0 : QUIRE_MAP_NO_HUGE)
                    : put_absent(pt, map, bits);
    if (error)
        complain("--map 0x%llx=0x%llx: %s", (unsigned long long)map->virt,
                 (unsigned long long)map->phys, why_not(pt, map, error));
    return !error;
}

bool build_tables(struct tables *tables, const struct translate *options)
{
    static struct quire_port_mem port;
    struct quire_pgtable pt;
    if (!start(&port, &pt, options->mode)) {
        complain("there is no memory for tables");
        return false;
    }
    for (unsigned i = 0; i < options->nr_maps; i++)
        if (!add(&pt, &options->map[i]))
            return false;
    *tables = (struct tables){
        .memory = {.base = port.base, .size = MEMORY_BYTES, .read_only = true},
        .cr3 = pt.root,
    };
    return true;
}

/* An entry at a time, so that a file which is cut short meanwhile only ends earlier. Little-endian,
 * as the host. */
static bool read_snapshot(void *arg, quire_phys_t at, unsigned bytes, uint64_t *value)
{
    const int *file = arg;
    *value = 0;
    return at <= INT64_MAX && pread(*file, value, bytes, (off_t)at) == (ssize_t)bytes;
}

bool open_snapshot(struct tables *tables, const struct translate *options)
{
    static int file;
    struct stat status;
    file = open(options->snapshot, O_RDONLY | O_CLOEXEC);
    errno = file >= 0 ? EISDIR : errno;
    if (file < 0 || fstat(file, &status) || S_ISDIR(status.st_mode)) {
        complain("%s: %s", options->snapshot, strerror(errno));
        return false;
    }
    *tables = (struct tables){
        .memory = {.arg = &file, .read = read_snapshot, .read_only = true},
        .cr3 = options->cr3,
        .has_size = S_ISREG(status.st_mode),
        .size = (uint64_t)status.st_size,
    };
    return true;
}
