/* vm/view_vmstat.c: /proc/vmstat: phys's counters, then this layer's, under Linux's names
 *
 * phys writes a view of its own; it is read back line by line, so that both forms come from one
 * list.
 */
#include "vm/lru.h"
#include "vm/view.h"

static const struct {
    const char *name;
    enum vm_event event;
} events[] = {
    {"workingset_refault_anon", VM_WORKINGSET_REFAULT_ANON},
    {"workingset_refault_file", VM_WORKINGSET_REFAULT_FILE},
    {"workingset_activate_anon", VM_WORKINGSET_ACTIVATE_ANON},
    {"workingset_activate_file", VM_WORKINGSET_ACTIVATE_FILE},
    {"workingset_restore_anon", VM_WORKINGSET_RESTORE_ANON},
    {"workingset_restore_file", VM_WORKINGSET_RESTORE_FILE},
    {"pgpgin", VM_PGPGIN},
    {"pgpgout", VM_PGPGOUT},
    {"pswpin", VM_PSWPIN},
    {"pswpout", VM_PSWPOUT},
    {"pgactivate", VM_PGACTIVATE},
    {"pgdeactivate", VM_PGDEACTIVATE},
    {"pglazyfree", VM_PGLAZYFREE},
    {"pgfault", VM_PGFAULT},
    {"pgmajfault", VM_PGMAJFAULT},
    {"pgfault_failed", VM_PGFAULT_FAILED}, /* Linux has no such line */
    {"pglazyfreed", VM_PGLAZYFREED},
    {"pgreuse", VM_PGREUSE},
    {"pgsteal_kswapd", VM_PGSTEAL_KSWAPD},
    {"pgsteal_direct", VM_PGSTEAL_DIRECT},
    {"pgscan_kswapd", VM_PGSCAN_KSWAPD},
    {"pgscan_direct", VM_PGSCAN_DIRECT},
    {"pgscan_anon", VM_PGSCAN_ANON},
    {"pgscan_file", VM_PGSCAN_FILE},
    {"pgsteal_anon", VM_PGSTEAL_ANON},
    {"pgsteal_file", VM_PGSTEAL_FILE},
    {"pgrotated", VM_PGROTATED},
    {"drop_pagecache", VM_DROP_PAGECACHE},
    {"unevictable_pgs_culled", VM_UNEVICTABLE_CULLED},
    {"unevictable_pgs_rescued", VM_UNEVICTABLE_RESCUED},
    {"swap_ra", VM_SWAP_RA},
    {"swap_ra_hit", VM_SWAP_RA_HIT},
};

/* A line of phys's view as it comes, in pieces. */
struct lines {
    put_number_fn *put;
    void *arg;
    char name[64];
    size_t length;
    unsigned long value;
    bool in_value;
};

static void take_character(struct lines *lines, char c)
{
    if (c == '\n') {
        lines->name[lines->length] = 0;
        lines->put(lines->arg, lines->name, lines->value);
        lines->length = lines->value = 0;
        lines->in_value = false;
    } else if (c == ' ') {
        lines->in_value = true;
    } else if (lines->in_value) {
        lines->value = lines->value * 10 + (unsigned long)(c - '0');
    } else if (lines->length < sizeof lines->name - 1) {
        lines->name[lines->length++] = c;
    }
}

static void take_piece(void *arg, const char *piece, size_t length)
{
    for (size_t i = 0; i < length; i++)
        take_character(arg, piece[i]);
}

void for_each_vmstat(struct quire_vm *vm, put_number_fn *put, void *arg)
{
    struct lines lines = {.put = put, .arg = arg};
    struct lru_counts lru;
    (void)quire_view(vm->mem, QUIRE_VIEW_VMSTAT, QUIRE_FORMAT_TEXT, take_piece, &lines);
    lru_counts(vm, &lru);
    put(arg, "nr_inactive_anon", lru.inactive_anon);
    put(arg, "nr_active_anon", lru.active_anon);
    put(arg, "nr_inactive_file", lru.inactive_file);
    put(arg, "nr_active_file", lru.active_file);
    put(arg, "nr_unevictable", lru.unevictable);
    put(arg, "nr_mlock", lru.unevictable);
    put(arg, "nr_anon_pages", vm_stat_read(vm, NR_ANON_MAPPED));
    put(arg, "nr_mapped", vm_stat_read(vm, NR_FILE_MAPPED));
    put(arg, "nr_file_pages", vm_stat_read(vm, NR_FILE_PAGES));
    put(arg, "nr_dirty", vm_stat_read(vm, NR_FILE_DIRTY));
    put(arg, "nr_writeback", vm_stat_read(vm, NR_WRITEBACK));
    put(arg, "nr_shmem", vm_stat_read(vm, NR_SHMEM));
    put(arg, "nr_page_table_pages", vm_table_pages(vm));
    put(arg, "nr_swapcached", vm_stat_read(vm, NR_SWAPCACHE));
    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++)
        put(arg, events[i].name, quire_load_relaxed(&vm->event[events[i].event]));
}
