/* tests/unit/slab_machine.c: small objects of a simulated machine, for a test case */
#include "tests/unit/slab_machine.h"

struct quire_slab *slab;
unsigned long fail_at;
static unsigned long free_before;

bool fail_once(void *arg)
{
    (void)arg;
    return fail_at && !--fail_at;
}

struct quire_slab *slab_start(const struct quire_slab_config *config)
{
    slab = NULL;
    fail_at = 0;
    free_before = quire_nr_free_pages(machine.mem);
    CHECK_EQ(quire_slab_init(&slab, machine.mem, config), 0);
    return slab;
}

struct quire_slab *slab_boot(const struct quire_slab_config *config)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return NULL;
    return slab_start(config);
}

struct quire_slab *slab_boot_with_maps(struct quire_slab_config config)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return NULL;
    size_t bytes = PAGES(16 * MIB) * QUIRE_SLAB_MAP_BYTES;
    struct quire_page *maps =
        quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
                          bytes <= QUIRE_PAGE_SIZE << QUIRE_PAGEBLOCK_ORDER ? QUIRE_PAGEBLOCK_ORDER
                                                                            : QUIRE_MAX_ORDER);
    if (!maps || bytes > QUIRE_PAGE_SIZE << quire_page_order(maps)) {
        test_skip("no room for the maps");
        return NULL;
    }
    config.maps = quire_page_address(machine.mem, maps);
    return slab_start(&config);
}

void slab_end(void)
{
    test_environment.set_cpu(0);
    CHECK_EQ(machine.bad_pages, 0);
    quire_slab_check(slab);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    quire_mem_check(machine.mem);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
}

struct quire_kmem_cache *cache_of(const char *name, size_t size, quire_slab_flags_t flags)
{
    struct quire_kmem_cache *cache = quire_kmem_cache_create(slab, name, size, 0, flags, NULL);
    CHECK(cache);
    return cache;
}

void destroy(struct quire_kmem_cache *cache)
{
    CHECK_EQ(quire_kmem_cache_destroy(cache), 0);
}

struct quire_kmem_cache_info info_of(struct quire_kmem_cache *cache)
{
    struct quire_kmem_cache_info info;
    quire_kmem_cache_info(cache, &info);
    return info;
}

static unsigned char byte_of(const void *object, size_t at)
{
    return (unsigned char)((uintptr_t)object * 0x9e3779b1u >> 16 ^ at * 7);
}

void fill(void *object, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)object)[i] = byte_of(object, i);
}

bool is_filled(const void *object, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)object)[i] != byte_of(object, i))
            return false;
    return true;
}

bool is_zero(const void *object, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)object)[i])
            return false;
    return true;
}

void forget_log(void)
{
    machine.log[0] = '\0';
}
