/* tests/model/slab_model.c: long random runs of caches against a list of objects
 *
 * A run is a row of machines. The machine of number n is made from the seed plus n alone, so
 * `--seed=S --effort=1` repeats just the machine that a failure names. On each, thousands of random
 * operations through the public functions, as any of its CPUs or as nobody, with memory that gets
 * short and allocations that fail.
 */
#include "tests/model/slab_model.h"

#define MOST_BULK 90u

/* ---- content --------------------------------------------------------------------------------- */

static uint64_t pattern(const unsigned char *at)
{
    return (uint64_t)(uintptr_t)at * 0x9e3779b97f4a7c15u;
}

static void fill(const struct model_object *object)
{
    uint64_t word = pattern(object->at);
    uint32_t i = 0;
    for (; i + 8 <= object->size; i += 8, word += 0x0101010101010101u)
        __builtin_memcpy(object->at + i, &word, 8);
    for (; i < object->size; i++)
        object->at[i] = (unsigned char)(word >> i % 8 * 8);
}

static bool is_filled(const struct model_object *object)
{
    uint64_t word = pattern(object->at), found;
    uint32_t i = 0;
    for (; i + 8 <= object->size; i += 8, word += 0x0101010101010101u) {
        __builtin_memcpy(&found, object->at + i, 8);
        if (found != word)
            return false;
    }
    for (; i < object->size; i++)
        if (object->at[i] != (unsigned char)(word >> i % 8 * 8))
            return false;
    return true;
}

static bool is_zero(const unsigned char *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void add(struct slab_model *model, void *at, uint32_t size, unsigned from)
{
    struct model_object *object = &model->object[model->nr_objects++];
    *object = (struct model_object){at, size, (uint8_t)from};
    fill(object);
    if (from == FROM_KMALLOC)
        model->nr_blocks++;
    else
        model->cache[from].active++;
}

/* The content is right, and what a constructor made is put back. */
static void remove(struct slab_model *model, unsigned long index)
{
    struct model_object object = model->object[index];
    MODEL_EXPECT(model, is_filled(&object));
    model->object[index] = model->object[--model->nr_objects];
    if (object.from == FROM_KMALLOC) {
        model->nr_blocks--;
        return;
    }
    model->cache[object.from].active--;
    if (model->cache[object.from].constructed)
        *(uint32_t *)(void *)object.at = 0xc0de;
}

static unsigned long random_object(struct slab_model *model)
{
    return slab_below(model, (uint32_t)model->nr_objects);
}

static void check_new(struct slab_model *model, const void *at, const struct model_cache *cache,
                      quire_gfp_t gfp)
{
    MODEL_EXPECT_EQ(model, (uintptr_t)at % (cache->align > 8 ? cache->align : 8), 0);
    if (cache->constructed)
        MODEL_EXPECT_EQ(model, *(const uint32_t *)at, 0xc0de);
    else if (gfp & QUIRE_GFP_ZERO)
        MODEL_EXPECT(model, is_zero(at, cache->size));
}

static quire_gfp_t random_gfp(struct slab_model *model, bool may_zero)
{
    quire_gfp_t gfp = slab_one_in(model, 4) ? QUIRE_GFP_ATOMIC : QUIRE_GFP_KERNEL;
    if (may_zero && slab_one_in(model, 8))
        gfp |= QUIRE_GFP_ZERO;
    return gfp | QUIRE_GFP_NOWARN;
}

/* Nothing is refused unless allocations fail, or memory is short; for contiguous pages, when there
 * is less than half of it. */
static void refused(struct slab_model *model, uint32_t size)
{
    unsigned long enough = model->free_before / (size > QUIRE_PAGE_SIZE / 2 ? 2 : 8);
    model->failures++;
    MODEL_EXPECT(model,
                 model->fail_one_in || model->held[0] || quire_nr_free_pages(model->mem) < enough);
}

/* ---- objects of caches ----------------------------------------------------------------------- */

static int random_node(struct slab_model *model)
{
    return slab_one_in(model, 16) ? (int)slab_below(model, model->nr_nodes) : -1;
}

static void op_allocate(struct slab_model *model)
{
    unsigned number = slab_below(model, SLAB_MODEL_CACHES);
    const struct model_cache *cache = &model->cache[number];
    if (!cache->cache || model->nr_objects == SLAB_MODEL_OBJECTS)
        return;
    quire_gfp_t gfp = random_gfp(model, !cache->constructed);
    int node = random_node(model);
    void *at = node < 0 ? quire_kmem_cache_alloc(cache->cache, gfp)
                        : quire_kmem_cache_alloc_node(cache->cache, gfp, node);
    if (!at) {
        refused(model, cache->size);
        return;
    }
    check_new(model, at, cache, gfp);
    add(model, at, cache->size, number);
}

static void op_allocate_bulk(struct slab_model *model)
{
    void *objects[MOST_BULK];
    unsigned number = slab_below(model, SLAB_MODEL_CACHES);
    const struct model_cache *cache = &model->cache[number];
    size_t count = slab_below(model, MOST_BULK + 1);
    if (!cache->cache || model->nr_objects + count > SLAB_MODEL_OBJECTS)
        return;
    quire_gfp_t gfp = random_gfp(model, !cache->constructed);
    if (!quire_kmem_cache_alloc_bulk(cache->cache, gfp, count, objects)) {
        refused(model, cache->size);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_new(model, objects[i], cache, gfp);
        add(model, objects[i], cache->size, number);
    }
}

static void free_at(struct slab_model *model, unsigned long index)
{
    struct model_object object = model->object[index];
    remove(model, index);
    if (object.from == FROM_KMALLOC || slab_one_in(model, 2))
        quire_kfree(model->slab, object.at);
    else
        quire_kmem_cache_free(model->cache[object.from].cache, object.at);
}

static void op_free(struct slab_model *model)
{
    if (model->nr_objects)
        free_at(model, random_object(model));
}

/* Neighbours of the list that are of one cache. */
static void op_free_bulk(struct slab_model *model)
{
    void *objects[MOST_BULK];
    size_t count = 0, most = slab_below(model, MOST_BULK + 1);
    if (!model->nr_objects)
        return;
    unsigned long index = random_object(model);
    unsigned from = model->object[index].from;
    if (from == FROM_KMALLOC)
        return;
    for (; count < most && index < model->nr_objects; index++) {
        if (model->object[index].from != from)
            continue;
        objects[count++] = slab_one_in(model, 20) ? NULL : model->object[index].at;
        if (objects[count - 1])
            remove(model, index);
    }
    quire_kmem_cache_free_bulk(model->cache[from].cache, count, objects);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static uint32_t random_block_size(struct slab_model *model)
{
    if (slab_one_in(model, 100))
        return slab_below(model, 70000);
    return slab_below(model, slab_one_in(model, 8) ? 8193 : 600);
}

static void op_kmalloc(struct slab_model *model)
{
    static const quire_gfp_t kinds[] = {0, 0, 0, QUIRE_GFP_RECLAIMABLE, QUIRE_GFP_DMA};
    uint32_t size = random_block_size(model);
    quire_gfp_t gfp = random_gfp(model, true) | kinds[slab_below(model, 5)];
    int node = random_node(model);
    if (model->nr_objects == SLAB_MODEL_OBJECTS)
        return;
    void *at = node < 0 ? quire_kmalloc(model->slab, size, gfp)
                        : quire_kmalloc_node(model->slab, size, gfp, node);
    if (!size) {
        MODEL_EXPECT(model, at == QUIRE_ZERO_SIZE_PTR);
        quire_kfree(model->slab, at);
    } else if (!at) {
        if (!(gfp & QUIRE_GFP_DMA)) /* of which there is little */
            refused(model, size);
    } else {
        MODEL_EXPECT(model, quire_ksize(model->slab, at) >= size);
        if (gfp & QUIRE_GFP_ZERO)
            MODEL_EXPECT(model, is_zero(at, size));
        add(model, at, size, FROM_KMALLOC);
    }
}

static void op_krealloc(struct slab_model *model)
{
    if (!model->nr_blocks)
        return;
    unsigned long index = random_object(model);
    struct model_object old = model->object[index];
    uint32_t size = 1 + random_block_size(model);
    if (old.from != FROM_KMALLOC)
        return;
    MODEL_EXPECT(model, is_filled(&old));
    uint32_t kept = size < old.size ? size : old.size;
    unsigned char *at = quire_krealloc(model->slab, old.at, size, random_gfp(model, false));
    if (!at) {
        MODEL_EXPECT(model, is_filled(&old));
        refused(model, size);
        return;
    }
    /* What moved still has the old place's pattern. */
    uint64_t word = pattern(old.at), found;
    for (uint32_t i = 0; i + 8 <= kept; i += 8, word += 0x0101010101010101u) {
        __builtin_memcpy(&found, at + i, 8);
        MODEL_EXPECT_EQ(model, found, word);
    }
    model->object[index].at = at;
    model->object[index].size = size;
    fill(&model->object[index]);
}

/* ---- everything else ------------------------------------------------------------------------- */

static void op_cache_goes_and_comes(struct slab_model *model)
{
    unsigned number = slab_below(model, SLAB_MODEL_CACHES);
    struct model_cache *cache = &model->cache[number];
    if (cache->cache) {
        bool shares = false;
        struct quire_kmem_cache_info info;
        quire_kmem_cache_info(cache->cache, &info);
        shares = info.nr_aliases;
        if (shares && cache->active)
            return; /* nobody would know whose its objects are */
        model->expected_reports += cache->active != 0;
        MODEL_EXPECT_EQ(model, quire_kmem_cache_destroy(cache->cache),
                        cache->active ? -QUIRE_EBUSY : 0);
        if (cache->active)
            return;
        cache->cache = NULL;
    }
    slab_model_add_cache(model, number);
}

/* Caches that share slabs count each other's objects too. */
static void op_look(struct slab_model *model)
{
    struct quire_kmem_cache_info info;
    const struct model_cache *cache = &model->cache[slab_below(model, SLAB_MODEL_CACHES)];
    if (!cache->cache)
        return;
    quire_kmem_cache_info(cache->cache, &info);
    MODEL_EXPECT(model, info.nr_active >= cache->active);
    if (!info.nr_aliases)
        MODEL_EXPECT_EQ(model, info.nr_active, cache->active);
    MODEL_EXPECT_EQ(model, quire_kmem_cache_size(cache->cache), cache->size);
    MODEL_EXPECT_EQ(model, quire_kmem_cache_validate(cache->cache), 0);
}

static void op_give_back(struct slab_model *model)
{
    const struct model_cache *cache = &model->cache[slab_below(model, SLAB_MODEL_CACHES)];
    if (slab_one_in(model, 3))
        quire_slab_shrink(model->slab, (int)slab_below(model, model->nr_nodes + 1) - 1);
    else if (slab_one_in(model, 2))
        quire_slab_drain_cpu(model->slab, slab_below(model, model->nr_cpus + 1));
    else if (cache->cache)
        quire_kmem_cache_shrink(cache->cache);
}

static void op_set_order(struct slab_model *model)
{
    const struct model_cache *cache = &model->cache[slab_below(model, SLAB_MODEL_CACHES)];
    unsigned order = slab_below(model, 4);
    if (cache->cache && cache->size <= QUIRE_PAGE_SIZE / 2)
        MODEL_EXPECT(model, !quire_kmem_cache_set_order(cache->cache, order) ||
                                cache->flags & QUIRE_SLAB_DEBUG_FLAGS);
}

static void free_held(struct slab_model *model)
{
    for (unsigned i = 0; i < SLAB_MODEL_HELD && model->held[i]; i++) {
        quire_free_pages(model->mem, model->held[i], quire_page_order(model->held[i]));
        model->held[i] = NULL;
    }
}

/* Takes much of memory away for a while. */
static void op_make_short(struct slab_model *model)
{
    free_held(model);
    if (slab_one_in(model, 2))
        return;
    for (unsigned i = 0; i < SLAB_MODEL_HELD; i++) {
        unsigned order = 9 - i / 8;
        model->held[i] = quire_alloc_pages(model->mem, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN, order);
        if (!model->held[i])
            break;
    }
}

static void op_rare(struct slab_model *model)
{
    switch (slab_below(model, 12)) {
    case 0:
        quire_slab_check(model->slab);
        break;
    case 1:
        model->fail_one_in = slab_one_in(model, 2) ? 1 + slab_below(model, 8) : 0;
        break;
    case 2:
        op_make_short(model);
        break;
    case 3:
        op_set_order(model);
        break;
    case 4:
    case 5:
        op_cache_goes_and_comes(model);
        break;
    case 6:
    case 7:
        op_give_back(model);
        break;
    default:
        op_look(model);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void step(struct slab_model *model, bool filling)
{
    unsigned what = slab_below(model, 1024);
    if (slab_one_in(model, 8)) {
        unsigned cpu = slab_below(model, model->nr_cpus + 1);
        test_environment.set_cpu(cpu < model->nr_cpus ? cpu : QUIRE_MAX_CPUS);
    }
    if (what < 4)
        op_rare(model);
    else if (what < 12)
        filling ? op_allocate_bulk(model) : op_free_bulk(model);
    else if (what < 40)
        op_krealloc(model);
    else if (slab_one_in(model, 3) == filling)
        op_free(model);
    else if (what & 1)
        op_allocate(model);
    else
        op_kmalloc(model);
}

static void run_machine(struct slab_model *model, unsigned long operations)
{
    bool filling = true;
    for (; model->operations < operations && !model->broken; model->operations++) {
        if (slab_one_in(model, 2048))
            filling = slab_one_in(model, 2);
        step(model, filling);
        MODEL_EXPECT_EQ(model, model->reports, model->expected_reports);
    }
}

static void random_operations_agree_with_a_list_of_objects(void)
{
    static struct slab_model model;
    uint64_t seed = test_environment.seed, operations = 0;
    unsigned long machines = 0, failures = 0;
    while (operations < test_environment.effort || !operations) {
        if (!slab_model_create(&model, seed)) {
            test_skip("not enough memory for a machine");
            return;
        }
        run_machine(&model, 4000ul << slab_below(&model, 6));
        model.fail_one_in = 0;
        while (model.nr_objects && !model.broken)
            free_at(&model, model.nr_objects - 1);
        free_held(&model);
        if (!model.broken)
            slab_model_end(&model);
        if (model.broken) {
            test_note("this machine alone: --seed=%llu --effort=1 (operation %lu)",
                      (unsigned long long)seed, model.operations);
            return;
        }
        operations += model.operations;
        failures += model.failures;
        seed++;
        machines++;
    }
    test_note("%llu operations on %lu machines, %lu allocations failed as they had to",
              (unsigned long long)operations, machines, failures);
}

static const struct test_case cases[] = {
    TEST_CASE(random_operations_agree_with_a_list_of_objects),
    {0},
};
const struct test_suite suite_slab_model = {"slab_model", cases};
