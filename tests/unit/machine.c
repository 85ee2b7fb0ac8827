/* tests/unit/machine.c: a simulated machine for a test case */
#include "tests/unit/machine.h"

struct machine machine;

bool contains(const char *text, const char *what)
{
    for (; *text; text++) {
        size_t i = 0;
        while (what[i] && text[i] == what[i])
            i++;
        if (!what[i])
            return true;
    }
    return !*what;
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t i = 0;
    for (; from[i] && i + 1 < size; i++)
        to[i] = from[i];
    to[i] = '\0';
}

static void catch_log(int level, const char *text)
{
    size_t used = 0;
    (void)level;
    while (machine.log[used])
        used++;
    copy_text(machine.log + used, sizeof machine.log - used, text);
    while (machine.log[used])
        used++;
    copy_text(machine.log + used, sizeof machine.log - used, "\n");
}

void machine_bad_page(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    machine.bad_pages++;
    machine.bad_pfn = pfn;
    copy_text(machine.bad_text, sizeof machine.bad_text, text);
}

static const struct quire_mem_ops catching_ops = {.bad_page = machine_bad_page};

bool machine_can_have_cpus(unsigned count)
{
    if (count > QUIRE_MAX_CPUS)
        test_skip("QUIRE_MAX_CPUS is too small");
    return count <= QUIRE_MAX_CPUS;
}

bool machine_map(const struct quire_memblock_region *map)
{
    quire_phys_t end = 0;
    for (const struct quire_memblock_region *range = map; range->size; range++) {
        if (range->base + range->size > end)
            end = range->base + range->size;
        if (range->node >= QUIRE_MAX_NODES) {
            test_skip("QUIRE_MAX_NODES is too small");
            return false;
        }
    }
    machine.mem = NULL;
    machine.bad_pages = 0;
    machine.bad_text[0] = machine.log[0] = '\0';
    test_environment.set_cpu(0);
    if (test_environment.set_log)
        test_environment.set_log(catch_log);
    if (!test_environment.memory(end, &machine.port)) {
        test_skip("there isn't enough memory for the simulated machine");
        return false;
    }
    quire_memblock_init(&machine.memblock, "test", &machine.port);
    for (; map->size; map++)
        if (quire_memblock_add(&machine.memblock, map->base, map->size, map->node, map->kind)) {
            test_fail(__FILE__, __LINE__, "the memory map was refused");
            return false;
        }
    return true;
}

int machine_start(struct quire_mem_config config)
{
    config.port = &machine.port;
    if (!config.ops)
        config.ops = &catching_ops;
    return quire_mem_init(&machine.mem, &machine.memblock, &config);
}

struct quire_mem *machine_boot(const struct quire_memblock_region *map,
                               struct quire_mem_config config)
{
    if (!machine_can_have_cpus(config.nr_cpus) || !machine_map(map))
        return NULL;
    int error = machine_start(config);
    if (error)
        test_note("%s", machine.log);
    CHECK_EQ(error, 0);
    return machine.mem;
}

struct quire_mem *machine_boot_plain(uint64_t size, struct quire_mem_config config)
{
    const struct quire_memblock_region map[] = {{.size = size}, {0}};
    config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    return machine_boot(map, config);
}

bool machine_caught(const char *what)
{
    bool caught = machine.bad_pages == 1 && contains(machine.bad_text, what);
    if (!caught)
        test_note("%u mistakes reported, the last one: %s", machine.bad_pages, machine.bad_text);
    machine.bad_pages = 0;
    machine.bad_text[0] = '\0';
    return caught;
}

bool machine_said(const char *what)
{
    return !test_environment.set_log || contains(machine.log, what);
}

bool machine_heard(const char *what)
{
    bool said = machine_said(what);
    if (!said)
        test_note("the log says: %s", machine.log);
    machine.log[0] = '\0';
    return said;
}

struct quire_zone_info zone_info(unsigned zone)
{
    struct quire_zone_info info = {0};
    CHECK_EQ(quire_zone_info(machine.mem, zone, &info), 0);
    return info;
}

struct quire_zone_info zone_info_of(enum quire_zone_type type)
{
    struct quire_zone_info info;
    for (unsigned zone = 0; !quire_zone_info(machine.mem, zone, &info); zone++)
        if (info.type == type && info.node == 0)
            return info;
    test_fail(__FILE__, __LINE__, "there is no such zone");
    return (struct quire_zone_info){0};
}

unsigned long take_pages(quire_gfp_t gfp, unsigned long most, struct quire_page **chain)
{
    unsigned long count = 0;
    struct quire_page *page;
    *chain = NULL;
    while (count < most && (page = quire_alloc_pages(machine.mem, gfp | QUIRE_GFP_NOWARN, 0))) {
        page->owner.pointer[0] = *chain;
        *chain = page;
        count++;
    }
    return count;
}

void free_chain(struct quire_page *chain)
{
    while (chain) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        chain = next;
    }
}
