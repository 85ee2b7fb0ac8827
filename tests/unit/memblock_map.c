/* tests/unit/memblock_map.c: a memory map for one case */
#include "tests/unit/memblock_map.h"

struct quire_memblock map;
struct quire_port_mem map_port;
char map_log[256];

/* Stays when the case has ended, so what isn't of our map is passed on. */
static void hear(int level, const char *text)
{
    (void)level;
    if (text_has(text, "memblock test: "))
        quire_snprintf(map_log, sizeof map_log, "%s", text);
    else
        test_note("%s", text);
}

bool map_log_is_heard(void)
{
    return test_environment.set_log;
}

static void listen(void)
{
    if (map_log_is_heard())
        test_environment.set_log(hear);
}

bool map_start(void)
{
    map_log[0] = '\0';
    listen();
    if (!test_environment.memory(MAP_MEMORY_BYTES, &map_port)) {
        test_skip("there isn't enough memory for the map");
        return false;
    }
    quire_memblock_init(&map, "test", &map_port);
    return true;
}

bool text_is(const char *text, const char *expected)
{
    while (*text && *text == *expected) {
        text++;
        expected++;
    }
    return *text == *expected;
}

bool text_has(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && text[i] == part[i])
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

static bool table_is(const struct quire_memblock_table *table, const char *expected)
{
    char text[512] = "";
    size_t length = 0;
    for (unsigned long i = 0; i < table->count && length < sizeof text; i++) {
        const struct quire_memblock_region *region = &table->region[i];
        length += quire_snprintf(text + length, sizeof text - length, "%s%llx-%llx", i ? " " : "",
                                 (unsigned long long)region->base,
                                 (unsigned long long)(region->base + region->size));
        if (table == &map.memory && length < sizeof text)
            length += quire_snprintf(text + length, sizeof text - length, ":%d%c", region->node,
                                     "rhn"[region->kind]);
    }
    bool same = text_is(text, expected);
    if (!same)
        test_note("the table is \"%s\", expected \"%s\"", text, expected);
    return same && memblock_is_valid(&map);
}

bool map_memory_is(const char *expected)
{
    return table_is(&map.memory, expected);
}

bool map_reserved_is(const char *expected)
{
    return table_is(&map.reserved, expected);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

struct map_snapshot map_snapshot(void)
{
    const struct quire_memblock_table *tables[2] = {&map.memory, &map.reserved};
    struct map_snapshot snapshot = {.hash = 1};
    for (unsigned t = 0; t < 2; t++) {
        snapshot.count[t] = tables[t]->count;
        snapshot.capacity[t] = tables[t]->capacity;
        snapshot.hash = mix(snapshot.hash, (uintptr_t)tables[t]->region);
        for (unsigned long i = 0; i < tables[t]->count; i++) {
            const struct quire_memblock_region *region = &tables[t]->region[i];
            snapshot.hash = mix(snapshot.hash, region->base);
            snapshot.hash = mix(snapshot.hash, region->size);
            snapshot.hash = mix(snapshot.hash, (uint64_t)region->node << 8 ^ region->kind);
        }
    }
    return snapshot;
}

bool map_is_as(const struct map_snapshot *snapshot)
{
    struct map_snapshot now = map_snapshot();
    return now.hash == snapshot->hash && now.count[0] == snapshot->count[0] &&
           now.count[1] == snapshot->count[1] && now.capacity[0] == snapshot->capacity[0] &&
           now.capacity[1] == snapshot->capacity[1] && memblock_is_valid(&map);
}
