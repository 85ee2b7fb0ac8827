/* vm/view.h: views of a machine's virtual memory */
#ifndef VM_VIEW_H
#define VM_VIEW_H

#include "vm/internal.h"

#include "base/json.h"
#include "base/text.h"

/* One line of meminfo, or counter of vmstat. */
typedef void put_number_fn(void *arg, const char *name, unsigned long value);

/* In kB, in Linux's order. view_meminfo.c */
void for_each_meminfo(struct quire_vm *vm, put_number_fn *put, void *arg);
/* phys's counters, then this layer's. view_vmstat.c */
void for_each_vmstat(struct quire_vm *vm, put_number_fn *put, void *arg);
/* view_swaps.c */
void swaps_text(struct quire_vm *vm, struct text *text);
void swaps_json(struct quire_vm *vm, struct json *json);

/* A state's pages; a sum that is below 0 for a moment is none. */
static inline unsigned long vm_stat_read(const struct quire_vm *vm, enum vm_stat stat)
{
    long pages = quire_load_relaxed(&vm->stat[stat]);
    return pages > 0 ? (unsigned long)pages : 0;
}

/* Pages of page tables of all address spaces. */
unsigned long vm_table_pages(struct quire_vm *vm);

#endif
