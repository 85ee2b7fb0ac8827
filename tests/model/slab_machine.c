/* tests/model/slab_machine.c: random machines with random caches for slab_model.c */
#include "tests/model/slab_model.h"

uint64_t slab_model_random(struct slab_model *model)
{
    uint64_t z = model->random += 0x9e3779b97f4a7c15u; /* splitmix64, as harness.c's */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    struct slab_model *model = arg;
    (void)pfn;
    if (++model->reports > model->expected_reports)
        test_note("%s", text);
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static bool fail(void *arg)
{
    struct slab_model *model = arg;
    return model->fail_one_in && slab_one_in(model, model->fail_one_in);
}

static void construct(void *object)
{
    *(uint32_t *)object = 0xc0de;
}

/* ---- caches ---------------------------------------------------------------------------------- */

static uint32_t random_size(struct slab_model *model)
{
    switch (slab_below(model, 6)) {
    case 0:
        return 1 + slab_below(model, 16);
    case 1:
        return 1 + slab_below(model, 5000);
    case 2:
        return 1u << slab_below(model, 13);
    default:
        return 1 + slab_below(model, 300);
    }
}

static quire_slab_flags_t random_flags(struct slab_model *model)
{
    static const quire_slab_flags_t some[] = {
        QUIRE_SLAB_HWCACHE_ALIGN,   QUIRE_SLAB_RECLAIM_ACCOUNT, QUIRE_SLAB_NO_MERGE,
        QUIRE_SLAB_FREELIST_RANDOM, QUIRE_SLAB_TYPESAFE_BY_RCU,
    };
    quire_slab_flags_t flags = 0;
    for (unsigned i = 0; i < sizeof some / sizeof some[0]; i++)
        flags |= slab_one_in(model, 6) ? some[i] : 0;
    if (slab_one_in(model, 5))
        flags |= (quire_slab_flags_t)slab_model_random(model) & QUIRE_SLAB_DEBUG_FLAGS;
    return flags;
}

void slab_model_add_cache(struct slab_model *model, unsigned number)
{
    struct model_cache *cache = &model->cache[number];
    char name[] = "model-00";
    name[6] = (char)('0' + number / 10);
    name[7] = (char)('0' + number % 10);
    *cache = (struct model_cache){
        .size = random_size(model),
        .align = slab_one_in(model, 3) ? 1u << slab_below(model, 8) : 0,
        .flags = random_flags(model),
        .constructed = slab_one_in(model, 8),
    };
    if (cache->constructed && cache->size < sizeof(uint32_t))
        cache->size = sizeof(uint32_t);
    cache->cache = quire_kmem_cache_create(model->slab, name, cache->size, cache->align,
                                           cache->flags, cache->constructed ? construct : NULL);
    MODEL_EXPECT(model, cache->cache || model->fail_one_in || model->held[0]);
}

/* ---- machines -------------------------------------------------------------------------------- */

bool slab_model_create(struct slab_model *model, uint64_t seed)
{
    static const struct quire_mem_ops ops = {.bad_page = report};
    static const uint8_t cpu_node[SLAB_MODEL_CPUS] = {0, 1, 1, 0};
    __builtin_memset(model, 0, sizeof *model);
    model->random = seed;
    model->nr_cpus = 1 + slab_below(model, SLAB_MODEL_CPUS);
    model->nr_nodes = 1 + slab_one_in(model, 3);
    model->no_merge = slab_one_in(model, 2);
    quire_phys_t first = model->nr_nodes == 1 ? SLAB_MODEL_BYTES : SLAB_MODEL_BYTES / 2;
    test_environment.set_cpu(0);
    if (test_environment.set_log)
        test_environment.set_log(hear_nothing);
    if (!test_environment.memory(SLAB_MODEL_BYTES, &model->port))
        return false;
    quire_memblock_init(&model->memblock, "model", &model->port);
    MODEL_EXPECT(model, !quire_memblock_add(&model->memblock, 0, first, 0, QUIRE_MEMBLOCK_RAM));
    if (model->nr_nodes > 1)
        MODEL_EXPECT(model, !quire_memblock_add(&model->memblock, first, SLAB_MODEL_BYTES - first,
                                                1, QUIRE_MEMBLOCK_RAM));
    struct quire_mem_config config = {
        .port = &model->port,
        .nr_cpus = model->nr_cpus,
        .cpu_node = model->nr_nodes > 1 ? cpu_node : NULL,
        .zone_end =
            {[QUIRE_ZONE_DMA] = 2 * SLAB_MODEL_BLOCK_BYTES, [QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .ops = &ops,
        .ops_arg = model,
    };
    MODEL_EXPECT(model, !quire_mem_init(&model->mem, &model->memblock, &config));
    if (model->broken)
        return true;
    model->free_before = quire_nr_free_pages(model->mem);
    struct quire_slab_config slab_config = {
        .no_merge = model->no_merge,
        .debug = slab_one_in(model, 8) ? "FZPU,kmalloc*" : NULL,
        .fail = fail,
        .fail_arg = model,
    };
    MODEL_EXPECT(model, !quire_slab_init(&model->slab, model->mem, &slab_config));
    for (unsigned i = 0; i < SLAB_MODEL_CACHES && !model->broken; i++)
        slab_model_add_cache(model, i);
    return true;
}

void slab_model_end(struct slab_model *model)
{
    test_environment.set_cpu(0);
    quire_slab_check(model->slab);
    for (unsigned i = 0; i < SLAB_MODEL_CACHES; i++)
        MODEL_EXPECT_EQ(model, quire_kmem_cache_destroy(model->cache[i].cache), 0);
    MODEL_EXPECT_EQ(model, quire_slab_destroy(model->slab), 0);
    quire_mem_check(model->mem);
    MODEL_EXPECT_EQ(model, quire_nr_free_pages(model->mem), model->free_before);
    MODEL_EXPECT_EQ(model, quire_mem_destroy(model->mem), 0);
    MODEL_EXPECT_EQ(model, model->reports, model->expected_reports);
    if (test_environment.set_log)
        test_environment.set_log(NULL);
}
