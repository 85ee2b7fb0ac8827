/* vm/ksm_tree.c: items by address and by hash, merged pages by hash: ksm.c says what for */
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

struct ksm_merged *ksm_find_merged(const struct ksm *ksm, uint64_t hash)
{
    struct tree_node *node = ksm->merged.root;
    while (node && ksm_merged_of(node)->hash != hash)
        node = node->child[hash > ksm_merged_of(node)->hash];
    return ksm_merged_of(node);
}

void ksm_insert_merged(struct ksm *ksm, struct ksm_merged *merged)
{
    struct tree_node *parent = NULL, **link = &ksm->merged.root;
    while (*link) {
        parent = *link;
        link = &parent->child[merged->hash > ksm_merged_of(parent)->hash];
    }
    tree_link(&ksm->merged, &merged->node, parent, link);
}

void ksm_drop_merged(struct quire_vm *vm, struct ksm *ksm, struct ksm_merged *merged)
{
    tree_unlink(&ksm->merged, &merged->node);
    page_unuse(vm, merged->page);
    quire_kfree(vm->slab, merged);
}

/* ---- all of them ------------------------------------------------------------------------------
 */

#define LOOKED_AT_A_TURN 64u

void ksm_let_others_run(struct quire_vm *vm, unsigned long n)
{
    if (n % LOOKED_AT_A_TURN == 0 && vm->numa_go_on)
        (void)vm->numa_go_on(vm->numa_arg); /* who ends goes on, too */
}

void ksm_count_merged(struct quire_vm *vm, struct ksm *ksm)
{
    unsigned long n = 1, shared = 0, sharing = 0;
    for (struct tree_node *node = tree_first(&ksm->merged); node; node = tree_next(node), n++) {
        unsigned users = page_users(ksm_merged_of(node)->page) - 1;
        shared += users > 1;
        sharing += users > 1 ? users - 1 : 0;
        ksm_let_others_run(vm, n);
    }
    ksm->info.shared = shared;
    ksm->info.sharing = sharing;
}

unsigned long ksm_trim(struct quire_vm *vm, struct ksm *ksm, unsigned long *alone)
{
    unsigned long left = 0, n = 1;
    *alone = 0;
    for (struct tree_node *node = tree_first(&ksm->merged), *next; node; node = next, n++) {
        unsigned users = page_users(ksm_merged_of(node)->page) - 1;
        next = tree_next(node);
        left += users > 0;
        *alone += users == 1;
        if (!users)
            ksm_drop_merged(vm, ksm, ksm_merged_of(node));
        ksm_let_others_run(vm, n);
    }
    return left;
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
