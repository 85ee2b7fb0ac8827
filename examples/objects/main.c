/* examples/objects/main.c: caches of objects, and kmalloc
 *
 * A server's connections come from a cache of their own, whose constructor runs once for each
 * place; their requests are blocks of any size. A second slab layer on the same memory is debugged
 * by an option string, and catches an object that is freed twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/port.h>
#include <quire/slab.h>

#define MEMORY_BYTES (64ul << 20)
#define NR_CONNECTIONS 1000u

struct connection {
    unsigned generation; /* made by the constructor, kept by whoever frees */
    char *request;
};

static struct quire_mem *mem;
static unsigned mistakes;

/* A mistake that was caught: here it isn't the end of the program. It is in the log already. */
static void caught(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    (void)pfn;
    mistakes++;
    printf("caught: %s\n", text);
}

static struct quire_slab *start(struct quire_port_mem *memory)
{
    static struct quire_memblock map;
    static const struct quire_mem_ops ops = {.bad_page = caught};
    struct quire_slab *slab;
    if (quire_posix_mem_create(memory, MEMORY_BYTES))
        return NULL;
    quire_memblock_init(&map, "process", memory);
    if (quire_memblock_add(&map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &map, &(struct quire_mem_config){.port = memory, .ops = &ops}) ||
        quire_slab_init(&slab, mem, NULL))
        return NULL;
    return slab;
}

static void construct(void *object)
{
    struct connection *connection = object;
    connection->generation = 1;
    connection->request = NULL;
}

static bool receive(struct quire_slab *slab, struct connection *connection, unsigned number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "request of connection %u", number);
    connection->request = quire_kmalloc(slab, (size_t)length + 1, QUIRE_GFP_KERNEL);
    if (connection->request)
        strcpy(connection->request, text);
    return connection->request;
}

static void hang_up(struct quire_slab *slab, struct quire_kmem_cache *cache,
                    struct connection *connection)
{
    quire_kfree(slab, connection->request);
    connection->request = NULL; /* as the constructor left it, for who gets this place next */
    connection->generation++;
    quire_kmem_cache_free(cache, connection);
}

/* The lines of slabinfo that are of interest. */
static void print_lines(void *arg, const char *text, size_t length)
{
    (void)arg;
    static char line[256];
    static size_t used;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\n' && used + 1 < sizeof line) {
            line[used++] = text[i];
            continue;
        }
        line[used] = '\0';
        used = 0;
        if (!strncmp(line, "connection", 10) || !strncmp(line, "kmalloc-32", 10))
            puts(line);
    }
}

static bool serve(struct quire_slab *slab)
{
    static struct connection *connection[NR_CONNECTIONS];
    struct quire_kmem_cache *cache = quire_kmem_cache_create(
        slab, "connection", sizeof(struct connection), 0, QUIRE_SLAB_HWCACHE_ALIGN, construct);
    for (unsigned i = 0; cache && i < NR_CONNECTIONS; i++) {
        connection[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
        if (!connection[i] || !receive(slab, connection[i], i))
            return false;
    }
    if (!cache || quire_slabinfo(slab, QUIRE_FORMAT_TEXT, print_lines, NULL))
        return false;
    printf("the last one says: %s\n", connection[NR_CONNECTIONS - 1]->request);
    for (unsigned i = 0; i < NR_CONNECTIONS; i++)
        hang_up(slab, cache, connection[i]);
    return !quire_kmem_cache_destroy(cache);
}

/* All caches whose name begins with "conn" are watched: red zones, poison, who did it. */
static bool free_twice(void)
{
    struct quire_slab *watched;
    if (quire_slab_init(&watched, mem, &(struct quire_slab_config){.debug = "FZPU,conn*"}))
        return false;
    struct quire_kmem_cache *cache =
        quire_kmem_cache_create(watched, "connection", sizeof(struct connection), 0, 0, NULL);
    void *object = cache ? quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL) : NULL;
    quire_kmem_cache_free(cache, object);
    quire_kmem_cache_free(cache, object); /* told and ignored */
    return object && mistakes == 1 && !quire_kmem_cache_destroy(cache) &&
           !quire_slab_destroy(watched);
}

int main(void)
{
    static struct quire_port_mem memory;
    struct quire_slab *slab = start(&memory);
    if (!slab || !serve(slab) || !free_twice())
        return EXIT_FAILURE;
    if (quire_slab_destroy(slab) || quire_mem_destroy(mem))
        return EXIT_FAILURE;
    puts("nothing is left allocated");
    return EXIT_SUCCESS;
}
