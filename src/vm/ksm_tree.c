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
    struct ksm_item *item = quire_kzalloc(mm->vm->slab, sizeof *item, QUIRE_GFP_KERNEL);
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
