/* vm/ksm_tree.h: what is known of mergeable pages, and the merged ones: by whoever has ksm->lock */
#ifndef VM_KSM_TREE_H
#define VM_KSM_TREE_H

#include "vm/ksm.h"

struct ksm_item {
    struct tree_node node; /* of items */
    struct tree_node same; /* of ksm->same, if is_same */
    struct quire_mm *mm;   /* to be compared only: it may be gone */
    quire_linear_t address;
    uint64_t hash;
    uint32_t scan; /* that met it last */
    bool is_same;
};

struct ksm_merged {
    struct tree_node node;
    uint64_t hash;
    struct quire_page *page;
};

struct ksm {
    struct rwlock lock; /* writer: who scans, or unmerges */
    struct tree items, same, merged;
    struct quire_mm *mm; /* being scanned, with a reference; NULL: the scan begins */
    quire_linear_t at;   /* in it */
    uint32_t scan;
    unsigned long unshared, changing; /* of this scan until now */
    struct quire_ksm_info info;
};

static inline struct ksm_item *ksm_item_of(struct tree_node *node)
{
    return node ? quire_container_of(node, struct ksm_item, node) : NULL;
}

static inline struct ksm_merged *ksm_merged_of(struct tree_node *node)
{
    return node ? quire_container_of(node, struct ksm_merged, node) : NULL;
}

/* The item of an address, made if there is none; NULL: no memory. */
struct ksm_item *ksm_item_at(struct ksm *ksm, struct quire_mm *mm, quire_linear_t address);
void ksm_drop_item(struct quire_vm *vm, struct ksm *ksm, struct ksm_item *item);

/* Another item of this scan with its hash, or NULL: then it is in the tree itself. */
struct ksm_item *ksm_find_or_join_same(struct ksm *ksm, struct ksm_item *item);
void ksm_leave_same(struct ksm *ksm, struct ksm_item *item);

/* By a content's hash; NULL: there is none. */
struct ksm_merged *ksm_find_merged(const struct ksm *ksm, uint64_t hash);
void ksm_insert_merged(struct ksm *ksm, struct ksm_merged *merged);
/* With the tree's user of the page. */
void ksm_drop_merged(struct quire_vm *vm, struct ksm *ksm, struct ksm_merged *merged);

#endif
