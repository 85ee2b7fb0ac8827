#include "tests/unit/shards.h"

struct zone *shards_boot(void)
{
    struct quire_mem *mem = machine_boot_plain(TWO_SHARDS, (struct quire_mem_config){.nr_cpus = 2});
    return mem ? &mem->zones[0] : NULL;
}

struct zone *shards_boot_in_the_first(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return NULL;
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned type = 0; type < PCP_TYPES; type++)
        while (shard_hand_over(&zone->shard[1], &zone->shard[0], type))
            ;
    zone_unlock(zone, irq);
    CHECK_EQ(zone->shard[1].nr_free, 0);
    return zone;
}

struct quire_page *shards_take_all(unsigned cpu)
{
    struct quire_page *chain;
    test_environment.set_cpu(cpu);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    test_environment.set_cpu(0);
    return chain;
}

void shards_free_on(unsigned cpu, struct quire_page *chain)
{
    test_environment.set_cpu(cpu);
    free_chain(chain);
    test_environment.set_cpu(0);
}

struct quire_page *shards_free_into(const struct inbox *inbox, unsigned count, unsigned cpu,
                                    struct quire_page *chain)
{
    test_environment.set_cpu(cpu);
    while (chain && inbox->count < count) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        chain = next;
    }
    test_environment.set_cpu(0);
    CHECK(inbox->count >= count);
    return chain;
}

unsigned long chain_length(const struct quire_page *chain)
{
    unsigned long length = 0;
    for (; chain; chain = chain->owner.pointer[0])
        length++;
    return length;
}

void shards_end(struct zone *zone)
{
    quire_drain_all_pages(zone->mem);
    quire_mem_check(zone->mem);
    CHECK_EQ(zone_nr_free(zone), zone->managed);
}

struct zone *shards_boot_with_area(uint64_t *base)
{
    static const struct quire_memblock_region map[] = {{.size = TWO_SHARDS}, {0}};
    static struct quire_cma cma;
    uint64_t size = (uint64_t)AREA_PAGES << QUIRE_PAGE_SHIFT;
    *base = quire_align_down(TWO_SHARDS / 2, size);
    if (!machine_can_have_cpus(2) || !machine_map(map))
        return NULL;
    bool made = !quire_memblock_reserve(&machine.memblock, *base, size) &&
                !machine_start((struct quire_mem_config){
                    .nr_cpus = 2, .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}) &&
                !quire_cma_init(machine.mem, &cma, "area", *base, size, 0);
    CHECK(made);
    return made ? &machine.mem->zones[0] : NULL;
}
