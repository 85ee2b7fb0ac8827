/* vm/ksm_tree.h: what is known of mergeable pages, and the merged ones: by whoever has ksm->lock */
#ifndef VM_KSM_TREE_H
#define VM_KSM_TREE_H

#include "vm/ksm.h"

/* To merge less is better than to take from who needs memory. */
#define KSM_GENTLY (QUIRE_GFP_NORETRY | QUIRE_GFP_NOWARN | QUIRE_GFP_NOMEMALLOC)
#define KSM_GFP (QUIRE_GFP_KERNEL | KSM_GENTLY)

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
    bool is_full; /* in ksm->full */
};

struct ksm {
    struct rwlock lock; /* writer: who scans, or unmerges */
    struct tree items, same, merged;
    struct tree full;     /* merged pages that as many have as may, at the last look */
    unsigned max_sharing; /* 2 or more */
    bool within_nodes, zero_pages;
    uint64_t zero_hash;
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

/* By a content's hash, one that another address may have; NULL: there is none. */
struct ksm_merged *ksm_find_merged(struct ksm *ksm, uint64_t hash);
void ksm_insert_merged(struct ksm *ksm, struct ksm_merged *merged);
/* With the tree's user of the page. */
void ksm_drop_merged(struct quire_vm *vm, struct ksm *ksm, struct ksm_merged *merged);

/* Called after the n-th of many, by whoever holds the locks that keep what he walks through. */
void ksm_let_others_run(struct quire_vm *vm, unsigned long n);
/* Into ksm->info. */
void ksm_count_merged(struct quire_vm *vm, struct ksm *ksm);
/* Drops merged pages that nobody has. How many are left, in *alone those of one address. */
unsigned long ksm_trim(struct quire_vm *vm, struct ksm *ksm, unsigned long *alone);
/* But for those that a scan has met; 0: all. */
void ksm_drop_items(struct quire_vm *vm, struct ksm *ksm, uint32_t scan);

#endif
