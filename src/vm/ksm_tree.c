/* vm/ksm_tree.c: items by address and by hash, merged pages by hash: ksm.c says what for
 *
 * Of each content one merged page at most has room, and is in `merged`; those that are full are in
 * `full`, so that nobody who looks for a content goes through them. The end of a scan puts one back
 * that has room again, if there is no other.
 */
#include "vm/ksm_tree.h"

/* ---- trees ----------------------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_item(const struct ksm_item *item, const struct quire_mm *mm,
                        quire_linear_t address)
{
    int order = compare((uintptr_t)mm, (uintptr_t)item->mm);
    return order ? order : compare(address, item->address);
}

/* What is known of pages can't be reclaimed: it is taken from what is free beyond watermarks. */
static bool has_room(struct quire_vm *vm)
{
    bool has = false;
    for (unsigned node = 0; node < vm->nr_nodes && !has; node++)
        has = quire_node_balanced(vm->mem, (int)node, 0, QUIRE_ZONE_MOVABLE);
    return has;
}

struct ksm_item *ksm_item_at(struct ksm *ksm, struct quire_mm *mm, quire_linear_t address)
{
    struct tree_node *parent = NULL, **link = &ksm->items.root;
    while (*link) {
        int order = compare_item(ksm_item_of(*link), mm, address);
        if (!order)
            return ksm_item_of(*link);
        parent = *link;
        link = &parent->child[order > 0];
    }
    struct ksm_item *item =
        has_room(mm->vm) ? quire_kzalloc(mm->vm->slab, sizeof *item, KSM_GFP) : NULL;
    if (!item)
        return NULL;
    item->mm = mm;
    item->address = address;
    tree_link(&ksm->items, &item->node, parent, link);
    return item;
}

void ksm_leave_same(struct ksm *ksm, struct ksm_item *item)
{
    if (item->is_same)
        tree_unlink(&ksm->same, &item->same);
    item->is_same = false;
}

void ksm_drop_item(struct quire_vm *vm, struct ksm *ksm, struct ksm_item *item)
{
    ksm_leave_same(ksm, item);
    tree_unlink(&ksm->items, &item->node);
    quire_kfree(vm->slab, item);
}

struct ksm_item *ksm_find_or_join_same(struct ksm *ksm, struct ksm_item *item)
{
    struct tree_node *parent = NULL, **link = &ksm->same.root;
    while (*link) {
        struct ksm_item *other = quire_container_of(*link, struct ksm_item, same);
        int order = compare(item->hash, other->hash);
        if (!order)
            return other;
        parent = *link;
        link = &parent->child[order > 0];
    }
    item->is_same = true;
    tree_link(&ksm->same, &item->same, parent, link);
    return NULL;
}

static struct ksm_merged *find_in(const struct tree *tree, uint64_t hash)
{
    struct tree_node *node = tree->root;
    while (node && ksm_merged_of(node)->hash != hash)
        node = node->child[hash > ksm_merged_of(node)->hash];
    return ksm_merged_of(node);
}

static void insert_into(struct tree *tree, struct ksm_merged *merged)
{
    struct tree_node *parent = NULL, **link = &tree->root;
    while (*link) {
        parent = *link;
        link = &parent->child[merged->hash > ksm_merged_of(parent)->hash];
    }
    tree_link(tree, &merged->node, parent, link);
}

static struct tree *tree_of(struct ksm *ksm, const struct ksm_merged *merged)
{
    return merged->is_full ? &ksm->full : &ksm->merged;
}

static unsigned sharers(const struct ksm_merged *merged)
{
    return page_users(merged->page) - 1;
}

static void set_full(struct ksm *ksm, struct ksm_merged *merged, bool is_full)
{
    tree_unlink(tree_of(ksm, merged), &merged->node);
    merged->is_full = is_full;
    insert_into(tree_of(ksm, merged), merged);
}

struct ksm_merged *ksm_find_merged(struct ksm *ksm, uint64_t hash)
{
    struct ksm_merged *merged = find_in(&ksm->merged, hash);
    if (!merged || sharers(merged) < ksm->max_sharing)
        return merged;
    set_full(ksm, merged, true);
    return NULL;
}

void ksm_insert_merged(struct ksm *ksm, struct ksm_merged *merged)
{
    insert_into(&ksm->merged, merged);
}

void ksm_drop_merged(struct quire_vm *vm, struct ksm *ksm, struct ksm_merged *merged)
{
    tree_unlink(tree_of(ksm, merged), &merged->node);
    page_unuse(vm, merged->page);
    quire_kfree(vm->slab, merged);
}

/* ---- all of them ----------------------------------------------------------------------------- */

#define LOOKED_AT_A_TURN 64u

void ksm_let_others_run(struct quire_vm *vm, unsigned long n)
{
    if (n % LOOKED_AT_A_TURN == 0 && vm->numa_go_on)
        (void)vm->numa_go_on(vm->numa_arg); /* who ends goes on, too */
}

static void count_tree(struct quire_vm *vm, const struct tree *tree, struct quire_ksm_info *info)
{
    unsigned long n = 1;
    for (struct tree_node *node = tree_first(tree); node; node = tree_next(node), n++) {
        unsigned users = sharers(ksm_merged_of(node));
        info->shared += users > 1;
        info->sharing += users > 1 ? users - 1 : 0;
        ksm_let_others_run(vm, n);
    }
}

/* In the order of hashes those of one content are neighbours. */
static void count_duplicates(const struct ksm *ksm, struct quire_ksm_info *info)
{
    for (struct tree_node *node = tree_first(&ksm->full); node;) {
        const uint64_t hash = ksm_merged_of(node)->hash;
        unsigned long count = find_in(&ksm->merged, hash) != NULL;
        for (; node && ksm_merged_of(node)->hash == hash; node = tree_next(node))
            count++;
        info->chains += count > 1;
        info->duplicates += count > 1 ? count : 0;
    }
}

void ksm_count_merged(struct quire_vm *vm, struct ksm *ksm)
{
    struct quire_ksm_info *info = &ksm->info;
    info->shared = info->sharing = info->chains = info->duplicates = 0;
    count_tree(vm, &ksm->merged, info);
    count_tree(vm, &ksm->full, info);
    count_duplicates(ksm, info);
}

static unsigned long trim_tree(struct quire_vm *vm, struct ksm *ksm, const struct tree *tree,
                               unsigned long *alone)
{
    unsigned long left = 0, n = 1;
    for (struct tree_node *node = tree_first(tree), *next; node; node = next, n++) {
        struct ksm_merged *merged = ksm_merged_of(node);
        unsigned users = sharers(merged);
        next = tree_next(node);
        left += users > 0;
        *alone += users == 1;
        if (!users)
            ksm_drop_merged(vm, ksm, merged);
        else if (merged->is_full && users < ksm->max_sharing &&
                 !find_in(&ksm->merged, merged->hash))
            set_full(ksm, merged, false);
        ksm_let_others_run(vm, n);
    }
    return left;
}

unsigned long ksm_trim(struct quire_vm *vm, struct ksm *ksm, unsigned long *alone)
{
    *alone = 0;
    unsigned long left = trim_tree(vm, ksm, &ksm->merged, alone);
    return left + trim_tree(vm, ksm, &ksm->full, alone);
}

void ksm_drop_items(struct quire_vm *vm, struct ksm *ksm, uint32_t scan)
{
    unsigned long n = 1;
    for (struct tree_node *node = tree_first(&ksm->items), *next; node; node = next, n++) {
        struct ksm_item *item = ksm_item_of(node);
        next = tree_next(node);
        ksm_leave_same(ksm, item);
        if (item->scan != scan || !scan)
            ksm_drop_item(vm, ksm, item);
        ksm_let_others_run(vm, n);
    }
}
