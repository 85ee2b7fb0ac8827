/* tools/translate_tables.c: page tables for quire translate: built for --map, or of a snapshot
 *
 * Tables lie in simulated physical memory from 0x1000 on, the root first, in the order in which
 * they are needed, so that the addresses in an explanation are short. What they map isn't there:
 * only entries are ever read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quire.h"
#include "translate.h"

#define TABLE_BYTES 4096u
#define MAX_TABLES 65536u
/* Rights of a table's entry: the pages decide. PDPTEs of PAE have none. */
#define TABLE_BITS (QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE | QUIRE_PTE_USER)

static uint64_t read_entry(const struct tables *tables, unsigned bytes, uint64_t at)
{
    uint64_t entry = 0;
    memcpy(&entry, tables->memory.base + at, bytes);
    return entry;
}

/* Little-endian, as the host. */
static void write_entry(const struct tables *tables, unsigned bytes, uint64_t at, uint64_t entry)
{
    memcpy(tables->memory.base + at, &entry, bytes);
}

/* A zeroed table; 0: there are too many. */
static uint64_t new_table(struct tables *tables)
{
    uint64_t at = tables->memory.size;
    if (at / TABLE_BYTES > MAX_TABLES)
        return 0;
    if (at + TABLE_BYTES > tables->capacity) {
        size_t capacity = tables->capacity ? 2 * tables->capacity : 64 * TABLE_BYTES;
        char *base = aligned_alloc(TABLE_BYTES, capacity);
        if (!base)
            return 0;
        memset(base, 0, capacity);
        if (tables->memory.base)
            memcpy(base, tables->memory.base, (size_t)at);
        free(tables->memory.base);
        tables->memory.base = base;
        tables->capacity = capacity;
    }
    tables->memory.size = at + TABLE_BYTES;
    return at;
}

/* Maps one page by an entry of `level`. False: too many tables, or something is there. */
static bool map_page(struct tables *tables, const struct quire_pt_format *format, uint64_t virt,
                     uint64_t phys, unsigned level, uint64_t bits)
{
    uint64_t table = tables->cr3;
    for (unsigned l = QUIRE_PGD;; l--) {
        unsigned lowest = quire_pt_lowest_shared(format, (enum quire_pt_level)l);
        uint64_t at = table + (uint64_t)split_index(format, l, virt) * format->entry_bytes;
        uint64_t entry = read_entry(tables, format->entry_bytes, at);
        if (lowest == level) {
            if (entry)
                return false;
            entry = quire_pt_leaf_address(format, (enum quire_pt_level)level, phys) | bits;
            write_entry(tables, format->entry_bytes, at,
                        level == QUIRE_PT ? entry : entry | QUIRE_PTE_HUGE);
            return true;
        }
        if (entry & QUIRE_PTE_HUGE)
            return false;
        if (!entry) {
            uint64_t below = new_table(tables);
            if (!below)
                return false;
            bool pdpte = l == QUIRE_PGD && format == &quire_pt_formats[QUIRE_PT_FORMAT_PAE];
            entry = below | (pdpte ? QUIRE_PTE_PRESENT : TABLE_BITS);
            write_entry(tables, format->entry_bytes, at, entry);
        }
        table = entry & format->address_mask;
        l = lowest;
    }
}

/* The highest level whose pages fit. */
static unsigned largest_level(const struct quire_pt_format *format, const struct map_spec *map,
                              uint64_t done)
{
    unsigned best = QUIRE_PT;
    uint64_t alignment = (map->virt + done) | (map->phys + done);
    for (unsigned level = QUIRE_PMD; map->large && level < QUIRE_NR_PT_LEVELS; level++) {
        uint64_t page = (uint64_t)1 << format->level[level].shift;
        if (format->level[level].may_be_leaf && !(alignment & (page - 1)) &&
            map->size - done >= page)
            best = level;
    }
    return best;
}

static bool complain_of(const struct map_spec *map, const char *why)
{
    complain("--map 0x%llx=0x%llx: %s", (unsigned long long)map->virt,
             (unsigned long long)map->phys, why);
    return false;
}

static bool map_range(struct tables *tables, const struct quire_pt_format *format,
                      const struct map_spec *map)
{
    uint64_t last = map->virt + map->size - 1, phys_last = map->phys + map->size - 1;
    uint64_t phys_end = format->entry_bytes == 4 ? UINT32_MAX : format->address_mask | 0xfff;
    bool wide = format->virt_bits > 32;
    if (wide ? !quire_is_canonical(map->virt, format->virt_bits) ||
                   !quire_is_canonical(last, format->virt_bits) || last < map->virt ||
                   (map->virt ^ last) >> 63
             : last > UINT32_MAX || last < map->virt)
        return complain_of(map, "this mode has no such virtual addresses");
    if (phys_last > phys_end || phys_last < map->phys)
        return complain_of(map, "this mode has no such physical addresses");
    uint64_t bits = format->nx ? map->bits : map->bits & ~QUIRE_PTE_NX;
    for (uint64_t done = 0; done < map->size;) {
        unsigned level = largest_level(format, map, done);
        if (!map_page(tables, format, map->virt + done, map->phys + done, level, bits))
            return complain_of(map, "something is mapped there, or it takes too many tables");
        done += (uint64_t)1 << format->level[level].shift;
    }
    return true;
}

bool build_tables(struct tables *tables, const struct translate *options)
{
    *tables = (struct tables){.memory = {.size = TABLE_BYTES, .read_only = true}};
    tables->cr3 = new_table(tables);
    if (!tables->cr3) {
        complain("there is no memory for tables");
        return false;
    }
    for (unsigned i = 0; i < options->nr_maps; i++)
        if (!map_range(tables, &quire_pt_formats[options->mode], &options->map[i]))
            return false;
    return true;
}

bool open_snapshot(struct tables *tables, const struct translate *options)
{
    struct stat status;
    int file = open(options->snapshot, O_RDONLY | O_CLOEXEC);
    void *base = MAP_FAILED;
    if (file >= 0 && !fstat(file, &status)) {
        errno = EINVAL; /* what an empty file is */
        if (status.st_size > 0)
            base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (base == MAP_FAILED) {
        complain("%s: %s", options->snapshot, strerror(errno));
        if (file >= 0)
            close(file);
        return false;
    }
    close(file);
    *tables = (struct tables){
        .memory = {.base = base, .size = (uint64_t)status.st_size, .read_only = true},
        .cr3 = options->cr3,
    };
    return true;
}
