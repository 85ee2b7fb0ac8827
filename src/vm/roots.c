/* vm/roots.c: roots of reverse maps by id
 *
 * A directory of chunks of words. A word is a pointer to the root, or, of a free id, the next free
 * one; id 0 is nobody's. So both directions are O(1), and ids stay as low as there were roots at a
 * time. Chunks stay until the end.
 *
 *   invariant   a word that points to a root is one whose references aren't 0, or are about to take
 *               it out (root_put): so who finds one under the lock takes a reference unless it is 0
 *   bound       8 bytes for each id; the directory doubles
 */
#include "vm/rmap.h"

#define CHUNK_SHIFT 9
#define CHUNK_IDS (1u << CHUNK_SHIFT)
#define FIRST_CAPACITY 4u

struct root_table {
    quire_port_spinlock_t lock;
    uintptr_t **chunk;
    uint32_t nr_chunks, capacity;
    uint32_t free;    /* the id that was freed last; 0: none */
    uint32_t nr_used; /* ids */
};

static void table_lock(struct root_table *table)
{
    quire_port_preempt_disable();
    quire_port_spin_lock(&table->lock);
}

static void table_unlock(struct root_table *table)
{
    quire_port_spin_unlock(&table->lock);
    quire_port_preempt_enable();
}

static uintptr_t *word_of(struct root_table *table, uint32_t id)
{
    return &table->chunk[id >> CHUNK_SHIFT][id & (CHUNK_IDS - 1)];
}

/* Free ids have the lowest bit set. */
static uintptr_t free_word(uint32_t next)
{
    return (uintptr_t)next << 1 | 1;
}

static struct root *root_of_word(uintptr_t word)
{
    return word & 1 ? NULL : (struct root *)word;
}

int roots_create(struct quire_vm *vm)
{
    vm->roots = quire_kzalloc(vm->slab, sizeof *vm->roots, QUIRE_GFP_KERNEL);
    return vm->roots ? 0 : -QUIRE_ENOMEM;
}

void roots_destroy(struct quire_vm *vm)
{
    struct root_table *table = vm->roots;
    QUIRE_BUG_ON(table->nr_used);
    for (uint32_t i = 0; i < table->nr_chunks; i++)
        quire_kfree(vm->slab, table->chunk[i]);
    quire_kfree(vm->slab, table->chunk);
    quire_kfree(vm->slab, table);
    vm->roots = NULL;
}

/* ---- growing --------------------------------------------------------------------------------- */

/* What a table grows by, allocated without its lock. */
struct growth {
    uintptr_t *chunk, **directory;
    uint32_t capacity; /* of the directory; 0: there is one */
};

/* The lowest ids come out first. */
static void add_chunk(struct root_table *table, uintptr_t *chunk)
{
    uint32_t first = table->nr_chunks << CHUNK_SHIFT, end = first + CHUNK_IDS;
    table->chunk[table->nr_chunks++] = chunk;
    for (uint32_t id = end - 1; id > first; id--) {
        *word_of(table, id) = free_word(table->free);
        table->free = id;
    }
    *word_of(table, first) = free_word(table->free);
    if (first)
        table->free = first;
}

/* Puts in what is still needed; what isn't, or was replaced, stays in `growth`. */
static void grow_locked(struct root_table *table, struct growth *growth)
{
    if (table->free)
        return;
    if (growth->capacity > table->capacity) {
        uintptr_t **old = table->chunk;
        for (uint32_t i = 0; i < table->nr_chunks; i++)
            growth->directory[i] = old[i];
        table->chunk = growth->directory;
        table->capacity = growth->capacity;
        growth->directory = old;
    }
    if (table->nr_chunks < table->capacity) {
        add_chunk(table, growth->chunk);
        growth->chunk = NULL;
    }
}

static int grow(struct quire_vm *vm)
{
    struct root_table *table = vm->roots;
    struct growth growth = {NULL, NULL, 0};
    table_lock(table);
    bool at_end = table->nr_chunks > MAX_ROOT_ID >> CHUNK_SHIFT;
    if (table->nr_chunks == table->capacity)
        growth.capacity = table->capacity ? 2 * table->capacity : FIRST_CAPACITY;
    table_unlock(table);
    if (at_end)
        return -QUIRE_ENOSPC;
    growth.chunk = quire_kmalloc(vm->slab, CHUNK_IDS * sizeof *growth.chunk, QUIRE_GFP_KERNEL);
    if (growth.capacity)
        growth.directory = quire_kmalloc_array(vm->slab, growth.capacity, sizeof *growth.directory,
                                               QUIRE_GFP_KERNEL);
    bool enough = growth.chunk && (growth.directory || !growth.capacity);
    if (enough) {
        table_lock(table);
        grow_locked(table, &growth);
        table_unlock(table);
    }
    quire_kfree(vm->slab, growth.chunk);
    quire_kfree(vm->slab, growth.directory);
    return enough ? 0 : -QUIRE_ENOMEM;
}

/* ---- ids ------------------------------------------------------------------------------------- */

/* False: none is free. */
static bool take_id(struct root_table *table, struct root *root)
{
    table_lock(table);
    uint32_t id = table->free;
    if (id) {
        uintptr_t *word = word_of(table, id);
        table->free = (uint32_t)(*word >> 1);
        table->nr_used++;
        root->id = id;
        *word = (uintptr_t)root;
    }
    table_unlock(table);
    return id;
}

void root_get(struct root *root)
{
    (void)quire_fetch_add(&root->refs, 1);
}

/* With its id a root can be found, by a page that names the id's last owner: so all else is there
 * before. */
int root_init(struct quire_vm *vm, struct root *root, enum page_kind kind, struct root *family,
              root_release_fn *release)
{
    *root = (struct root){
        .refs = 1, .kind = kind, .locked = family ? family : root, .release = release};
    interval_tree_init(&root->areas);
    if (family)
        root_get(family);
    while (!take_id(vm->roots, root)) {
        int error = grow(vm);
        if (error && family)
            root_put(vm, family);
        if (error)
            return error;
    }
    return 0;
}

void root_put(struct quire_vm *vm, struct root *root)
{
    struct root_table *table = vm->roots;
    if (quire_sub_fetch(&root->refs, 1))
        return;
    table_lock(table);
    *word_of(table, root->id) = free_word(table->free);
    table->free = root->id;
    table->nr_used--;
    table_unlock(table);
    root->release(vm, root);
}

static bool get_unless_zero(struct root *root)
{
    uint32_t refs = quire_load_relaxed(&root->refs);
    do {
        if (!refs)
            return false;
    } while (!quire_compare_exchange(&root->refs, &refs, refs + 1));
    return true;
}

struct root *root_of_page(struct quire_vm *vm, const struct quire_page *page)
{
    struct root_table *table = vm->roots;
    uint32_t id = page_root_id(page);
    if (!id)
        return NULL;
    table_lock(table);
    QUIRE_ASSERT(id >> CHUNK_SHIFT < table->nr_chunks);
    struct root *root = root_of_word(*word_of(table, id));
    if (root && (root->kind != page_kind(page) || !get_unless_zero(root)))
        root = NULL;
    table_unlock(table);
    return root;
}
