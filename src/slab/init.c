/* slab/init.c: the beginning and the end of a machine's small objects
 *
 * The quire_slab, its table of caches and the two caches that all others' structures come from lie
 * in pages of their own, and so does each CPU's part. Then the caches of sheaves are made, which
 * have none themselves, and then the general ones.
 */
#include "base/text.h"
#include "slab/debug.h"
#include "slab/page.h"

/* ---- what is asked for ----------------------------------------------------------------------- */

static int refuse(const char *why)
{
    quire_log(QUIRE_LOG_ERROR, "quire: slab: %s", why);
    return -QUIRE_EINVAL;
}

static int check_config(const struct quire_slab_config *config)
{
    size_t length = 0;
    if (config->max_caches && (config->max_caches < 64 || config->max_caches > MAX_CACHES))
        return refuse("config.max_caches must be 64 to 2000");
    if (!config->debug)
        return 0;
    while (length < DEBUG_BYTES && config->debug[length])
        length++;
    if (length == DEBUG_BYTES)
        return refuse("config.debug is too long");
    const char *wrong = debug_options_wrong_part(config->debug);
    if (!wrong)
        return 0;
    quire_log(QUIRE_LOG_ERROR,
              "quire: slab: config.debug isn't understood from \"%.40s\" on: it is "
              "FLAGS[,CACHE...][;...] without blanks, of F, Z, P, U, R or -",
              wrong);
    return -QUIRE_EINVAL;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t cpu_bytes(const struct quire_slab *slab)
{
    size_t each = sizeof(struct shelf) + sizeof(uint16_t);
    return sizeof(struct cpu) + slab->max_caches * each;
}

static void *zeroed_pages(struct quire_mem *mem, const struct quire_slab_config *config,
                          size_t size)
{
    if (config->fail && config->fail(config->fail_arg))
        return NULL;
    void *memory = quire_alloc_pages_exact(mem, size, QUIRE_GFP_KERNEL);
    return memory ? __builtin_memset(memory, 0, size) : NULL;
}

static struct cpu *cpu_create(struct quire_slab *slab, const struct quire_slab_config *config,
                              int node)
{
    struct cpu *cpu = zeroed_pages(slab->mem, config, cpu_bytes(slab));
    if (!cpu)
        return NULL;
    cpu->node = node;
    cpu->rack = cpu->own = (struct shelf *)(void *)(cpu + 1);
    cpu->refill = (uint16_t *)(void *)(cpu->own + slab->max_caches);
    return cpu;
}

static int create_cpus(struct quire_slab *slab, const struct quire_slab_config *config)
{
    slab->no_cpu = cpu_create(slab, config, 0);
    for (unsigned cpu = 0; cpu < QUIRE_MAX_CPUS + 1; cpu++)
        slab->cpu[cpu] = cpu < slab->nr_cpus
                             ? cpu_create(slab, config, quire_mem_cpu_node(slab->mem, cpu))
                             : slab->no_cpu;
    for (unsigned cpu = 0; cpu <= slab->nr_cpus; cpu++)
        if (!slab->cpu[cpu])
            return -QUIRE_ENOMEM;
    slab->no_rack = slab->no_cpu->own;
    return 0;
}

static size_t whole_lines(size_t size)
{
    return (size_t)quire_align_up(size, QUIRE_CACHELINE_BYTES);
}

/* The quire_slab, the table of caches, the first two caches and their names. */
static size_t core_bytes(unsigned nr_nodes, unsigned max_caches)
{
    return whole_lines(sizeof(struct quire_slab)) +
           whole_lines(max_caches * sizeof(struct cache *)) +
           2 * (cache_bytes(nr_nodes) + whole_lines(sizeof(struct quire_kmem_cache)));
}

static void boot_caches(struct quire_slab *slab)
{
    size_t bytes = cache_bytes(slab->nr_nodes);
    char *at = (char *)slab + whole_lines(sizeof *slab);
    slab->cache = (struct cache **)(void *)at;
    at += whole_lines(slab->max_caches * sizeof(struct cache *));
    slab->cores = (struct cache *)(void *)at;
    slab->handles = (struct cache *)(void *)(at + bytes);
    at += 2 * bytes;
    cache_boot(slab, slab->cores, (struct quire_kmem_cache *)(void *)at, "kmem_cache", bytes);
    at += whole_lines(sizeof(struct quire_kmem_cache));
    cache_boot(slab, slab->handles, (struct quire_kmem_cache *)(void *)at, "kmem_cache_name",
               sizeof(struct quire_kmem_cache));
}

/* ---- starting -------------------------------------------------------------------------------- */

static struct quire_slab *core_create(struct quire_mem *mem, const struct quire_slab_config *config)
{
    const struct quire_mem_sections *sections =
        (const struct quire_mem_sections *)(const void *)mem;
    unsigned nr_nodes = quire_mem_nr_nodes(mem);
    unsigned max_caches = config->max_caches ? config->max_caches : QUIRE_SLAB_MAX_CACHES;
    size_t size = core_bytes(nr_nodes, max_caches);
    struct quire_slab *slab = zeroed_pages(mem, config, size);
    if (!slab)
        return NULL;
    slab->mem = mem;
    slab->port = quire_mem_port(mem);
    slab->sections = sections->section;
    slab->nr_sections = sections->count;
    slab->kfree_sections = config->debug ? 0 : slab->nr_sections;
    slab->nr_cpus = quire_mem_nr_cpus(mem);
    slab->nr_nodes = nr_nodes;
    slab->max_caches = max_caches;
    slab->order_limit = config->order_limit;
    slab->size = size;
    slab->no_merge = config->no_merge;
    slab->no_general = config->no_general;
    slab->maps = config->maps;
    slab->empty_pages = (unsigned long)(config->empty_bytes >> QUIRE_PAGE_SHIFT);
    slab->pages_changed = config->pages_changed;
    slab->pages_arg = config->pages_arg;
    slab->fail = config->fail;
    slab->fail_arg = config->fail_arg;
    slab->fail_objects = config->fail && config->fail_objects;
    slab->has_debug = config->debug != NULL;
    list_init(&slab->names);
    for (size_t i = 0; config->debug && config->debug[i]; i++)
        slab->debug[i] = config->debug[i];
    return slab;
}

static int create_sheaf_caches(struct quire_slab *slab)
{
    static const char *const names[NR_SHEAF_SIZES] = {"sheaf-8", "sheaf-16", "sheaf-32", "sheaf-64",
                                                      "sheaf-128"};
    for (unsigned i = 0; i < NR_SHEAF_SIZES; i++) {
        struct quire_kmem_cache *handle =
            cache_create(slab, names[i], (SHEAF_MIN_WORDS << i) * sizeof(void *),
                         QUIRE_CACHELINE_BYTES, CACHE_NO_SHEAVES, NULL);
        if (!handle)
            return -QUIRE_ENOMEM;
        slab->sheaves[i] = handle->cache;
    }
    return 0;
}

int quire_slab_init(struct quire_slab **slab, struct quire_mem *mem,
                    const struct quire_slab_config *config)
{
    static const struct quire_slab_config defaults = {0};
    config = config ? config : &defaults;
    int error = check_config(config);
    if (error)
        return error;
    struct quire_slab *made = core_create(mem, config);
    if (!made)
        return -QUIRE_ENOMEM;
    error = create_cpus(made, config);
    if (!error) {
        boot_caches(made);
        error = create_sheaf_caches(made);
    }
    if (!error && !made->no_general)
        error = kmalloc_init(made);
    if (error) {
        quire_slab_destroy(made);
        return error;
    }
    shrinker_init(made);
    *slab = made;
    return 0;
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* Gives a cache's empty slabs to phys, without a grace period; its objects still allocated. */
static unsigned long cache_strip(struct cache *cache)
{
    unsigned long active = 0;
    cache_drain(cache);
    for (unsigned i = 0; i < cache->slab->nr_nodes; i++) {
        struct slab_list empty = {0, 0};
        struct cache_node *node = &cache->node[i];
        node_trim(cache, node, 0, &empty);
        active += node->nr_objects - node->nr_free;
        while (empty.first) {
            struct quire_page *head = slab_list_first(cache, &empty);
            slab_list_del(cache, &empty, head);
            slab_give_back(cache, head);
        }
    }
    return active;
}

/* What caches are made of goes after them: names, caches, the sheaves of all. */
static unsigned long strip_caches(struct quire_slab *slab)
{
    unsigned long active = 0;
    for (unsigned id = 1; id < slab->max_caches; id++)
        if (slab->cache[id] && !(slab->cache[id]->flags & CACHE_NO_SHEAVES))
            active += cache_strip(slab->cache[id]);
    for (struct list *at = slab->names.next, *next; at != &slab->names; at = next) {
        struct quire_kmem_cache *handle = quire_container_of(at, struct quire_kmem_cache, link);
        next = at->next;
        if (handle->cache != slab->cores && handle->cache != slab->handles)
            object_free(slab->handles, handle, 0);
    }
    for (unsigned id = 1; id < slab->max_caches; id++) {
        struct cache *cache = slab->cache[id];
        if (!cache || cache == slab->cores || cache == slab->handles)
            continue;
        if (cache->flags & CACHE_NO_SHEAVES)
            cache_strip(cache);
        object_free(slab->cores, cache, 0);
    }
    cache_strip(slab->handles);
    cache_strip(slab->cores);
    return active;
}

unsigned long quire_slab_destroy(struct quire_slab *slab)
{
    struct quire_mem *mem = slab->mem;
    unsigned long active = 0;
    slab->ending = true;
    quire_unregister_shrinker(mem, &slab->shrinker);
    if (slab->cores)
        active = strip_caches(slab);
    for (unsigned cpu = 0; cpu < slab->nr_cpus; cpu++)
        quire_free_pages_exact(mem, slab->cpu[cpu], cpu_bytes(slab));
    quire_free_pages_exact(mem, slab->no_cpu, cpu_bytes(slab));
    quire_free_pages_exact(mem, slab, slab->size);
    return active;
}
