/* vm/view_meminfo.c: /proc/meminfo: the lines that this layer, slab and phys can fill
 *
 * A line of 0 is of something that there can't be here: a cache of block devices beside files',
 * bounce buffers, huge pages. What a kernel has and this layer doesn't know of (KernelStack,
 * Vmalloc*, Percpu, DirectMap*) has no line, rather than a 0 that would be
 * wrong, nor have reserved huge pages (HugePages_*), as without CONFIG_HUGETLBFS.
 *
 * Linux: fs/proc/meminfo.c; MemAvailable: si_mem_available.
 */
#include "vm/area.h"
#include "vm/lru.h"
#include "vm/madvise.h"
#include "vm/swap.h"
#include "vm/view.h"

#define KIB(pages) ((unsigned long)(pages) << (QUIRE_PAGE_SHIFT - 10))

unsigned long vm_table_pages(struct quire_vm *vm)
{
    unsigned long pages = 0;
    quire_port_irq_t irq = vm_lock(vm);
    list_for_each (link, &vm->mms)
        pages += quire_pgtable_nr_tables(&quire_container_of(link, struct quire_mm, link)->pt);
    vm_unlock(vm, irq);
    return pages;
}

struct zones {
    unsigned long low;     /* sum of low watermarks */
    unsigned long reserve; /* what zones keep free anyway */
    unsigned long high_total, high_free;
    unsigned long cma_total, cma_free;
    bool has_high;
};

static void sum_zones(struct quire_vm *vm, struct zones *sum)
{
    struct quire_zone_info zone;
    *sum = (struct zones){0};
    for (unsigned i = 0; !quire_zone_info(vm->mem, i, &zone); i++) {
        unsigned long most = 0;
        for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
            most = zone.lowmem_reserve[type] > most ? zone.lowmem_reserve[type] : most;
        most += zone.watermark_high;
        sum->low += zone.watermark_low;
        sum->reserve += most < zone.managed ? most : zone.managed;
        sum->cma_total += zone.cma;
        sum->cma_free += zone.nr_free_cma;
        if (zone.type == QUIRE_ZONE_HIGHMEM) {
            sum->has_high = true;
            sum->high_total += zone.managed;
            sum->high_free += zone.nr_free + zone.nr_pcp;
        }
    }
}

/* Of what could be had, without that of which a part would be needed again at once. */
static unsigned long half_or_low(unsigned long pages, const struct zones *zones)
{
    return pages - (pages / 2 < zones->low ? pages / 2 : zones->low);
}

/* What could be had without swapping: free memory, and some of files' pages and of objects that
 * shrinkers know. */
static unsigned long available(unsigned long free, const struct lru_counts *lru,
                               const struct quire_slab_pages *slab, const struct zones *zones)
{
    unsigned long pages = free;
    pages += half_or_low(lru->active_file + lru->inactive_file, zones);
    pages += half_or_low(slab->reclaimable, zones);
    return pages > zones->reserve ? pages - zones->reserve : 0;
}

static void put_memory(struct quire_vm *vm, const struct quire_slab_pages *slab,
                       const struct zones *zones, put_number_fn *put, void *arg)
{
    struct lru_counts lru;
    unsigned long free = quire_nr_free_pages(vm->mem), total = quire_nr_managed_pages(vm->mem);
    lru_counts(vm, &lru);
    put(arg, "MemTotal", KIB(total));
    put(arg, "MemFree", KIB(free));
    put(arg, "MemAvailable", KIB(available(free, &lru, slab, zones)));
    put(arg, "Buffers", 0);
    put(arg, "Cached", KIB(vm_stat_read(vm, NR_FILE_PAGES)));
    put(arg, "SwapCached", KIB(vm_stat_read(vm, NR_SWAPCACHE)));
    put(arg, "Active", KIB(lru.active_anon + lru.active_file));
    put(arg, "Inactive", KIB(lru.inactive_anon + lru.inactive_file));
    put(arg, "Active(anon)", KIB(lru.active_anon));
    put(arg, "Inactive(anon)", KIB(lru.inactive_anon));
    put(arg, "Active(file)", KIB(lru.active_file));
    put(arg, "Inactive(file)", KIB(lru.inactive_file));
    put(arg, "Unevictable", KIB(lru.unevictable));
    put(arg, "Mlocked", KIB(lru.unevictable)); /* nothing else makes a page so */
    if (!zones->has_high)
        return;
    put(arg, "HighTotal", KIB(zones->high_total));
    put(arg, "HighFree", KIB(zones->high_free));
    put(arg, "LowTotal", KIB(total - zones->high_total));
    put(arg, "LowFree", KIB(free > zones->high_free ? free - zones->high_free : 0));
}

void for_each_meminfo(struct quire_vm *vm, put_number_fn *put, void *arg)
{
    long committed = quire_load_relaxed(&vm->committed);
    struct quire_slab_pages slab;
    struct zones zones;
    quire_slab_pages(vm->slab, &slab);
    sum_zones(vm, &zones);
    put_memory(vm, &slab, &zones, put, arg);
    put(arg, "SwapTotal", KIB(swap_total_pages(vm)));
    put(arg, "SwapFree", KIB(swap_free_pages(vm)));
    put(arg, "Dirty", KIB(vm_stat_read(vm, NR_FILE_DIRTY)));
    put(arg, "Writeback", KIB(vm_stat_read(vm, NR_WRITEBACK)));
    put(arg, "AnonPages", KIB(vm_stat_read(vm, NR_ANON_MAPPED)));
    put(arg, "Mapped", KIB(vm_stat_read(vm, NR_FILE_MAPPED)));
    put(arg, "Shmem", KIB(vm_stat_read(vm, NR_SHMEM)));
    put(arg, "KReclaimable", KIB(slab.reclaimable)); /* nothing else tells what it could give */
    put(arg, "Slab", KIB(slab.reclaimable + slab.unreclaimable));
    put(arg, "SReclaimable", KIB(slab.reclaimable));
    put(arg, "SUnreclaim", KIB(slab.unreclaimable));
    put(arg, "PageTables", KIB(vm_table_pages(vm)));
    put(arg, "SecPageTables", 0);
    put(arg, "NFS_Unstable", 0);
    put(arg, "Bounce", 0);
    put(arg, "WritebackTmp", 0);
    put(arg, "CommitLimit", KIB(vm_commit_limit(vm)));
    put(arg, "Committed_AS", KIB(committed > 0 ? committed : 0));
    put(arg, "HardwareCorrupted", KIB(nr_bad_frames(vm)));
    put(arg, "AnonHugePages", 0);
    put(arg, "ShmemHugePages", 0);
    put(arg, "ShmemPmdMapped", 0);
    put(arg, "FileHugePages", 0);
    put(arg, "FilePmdMapped", 0);
    put(arg, "CmaTotal", KIB(zones.cma_total));
    put(arg, "CmaFree", KIB(zones.cma_free));
}
