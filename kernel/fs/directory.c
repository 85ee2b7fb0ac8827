/* kernel/fs/directory.c: the names in a directory that is kept in memory */
#include "fs/directory.h"

#include "memory.h"
#include "string.h"

#define FIRST_BUCKETS 4u
#define MAX_BUCKETS 65536u
#define FIRST_POSITION 2u /* behind "." and ".." */

static struct entry **new_buckets(unsigned count)
{
    return quire_kmalloc_array(machine_slab, count, sizeof(struct entry *),
                               QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
}

struct directory *directory_new(void)
{
    struct directory *directory = quire_kzalloc(machine_slab, sizeof *directory, QUIRE_GFP_KERNEL);
    if (!directory)
        return NULL;
    directory->nr_buckets = FIRST_BUCKETS;
    directory->bucket = new_buckets(FIRST_BUCKETS);
    directory->last_position = FIRST_POSITION - 1;
    list_init(&directory->order);
    if (directory->bucket)
        return directory;
    quire_kfree(machine_slab, directory);
    return NULL;
}

void directory_free(struct directory *directory)
{
    quire_kfree(machine_slab, directory->bucket);
    quire_kfree(machine_slab, directory);
}

/* FNV-1a. */
static uint32_t hash_of(struct name name)
{
    uint32_t hash = 2166136261u;
    for (unsigned i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.text[i]) * 16777619u;
    return hash;
}

static struct entry **bucket_of(const struct directory *directory, uint32_t hash)
{
    return &directory->bucket[hash & (directory->nr_buckets - 1)];
}

struct entry *directory_entry(const struct directory *directory, struct name name)
{
    uint32_t hash = hash_of(name);
    struct entry *entry = *bucket_of(directory, hash);
    while (entry && (entry->hash != hash || entry->length != name.length ||
                     __builtin_memcmp(entry->name, name.text, name.length)))
        entry = entry->next;
    return entry;
}

static void put_into_bucket(struct directory *directory, struct entry *entry)
{
    struct entry **bucket = bucket_of(directory, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
}

int directory_reserve(struct directory *directory)
{
    unsigned count = directory->nr_buckets * 2;
    if (directory->count < count || count > MAX_BUCKETS)
        return 0;
    struct entry **bucket = new_buckets(count);
    if (!bucket)
        return -ENOMEM;
    if (directory->nr_buckets >= count) { /* somebody else has grown it meanwhile */
        quire_kfree(machine_slab, bucket);
        return 0;
    }
    quire_kfree(machine_slab, directory->bucket);
    directory->bucket = bucket;
    directory->nr_buckets = count;
    list_for_each (link, &directory->order)
        put_into_bucket(directory, quire_container_of(link, struct entry, order));
    return 0;
}

void directory_insert(struct directory *directory, struct entry *entry)
{
    entry->hash = hash_of((struct name){entry->name, entry->length});
    entry->position = ++directory->last_position;
    entry->linked = true;
    put_into_bucket(directory, entry);
    list_add_tail(&directory->order, &entry->order);
    directory->count++;
}

void directory_take_out(struct directory *directory, struct entry *entry)
{
    struct entry **link = bucket_of(directory, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    list_del(&entry->order);
    entry->linked = false;
    directory->count--;
}
