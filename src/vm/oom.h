/* vm/oom.h: when nothing can be reclaimed */
#ifndef VM_OOM_H
#define VM_OOM_H

#include "vm/internal.h"

#define OOM_REPORT_BYTES 8192u

/* Phys's callback: true: something was killed, or is on its way out. oom.c */
bool out_of_memory(void *arg, quire_gfp_t gfp, unsigned order, uint32_t nodes);

/* Of an address space, under vm->lock: pages that killing it would give back, and what its
 * oom_score_adj makes of them. */
unsigned long oom_pages(struct quire_mm *mm);
#define OOM_NEVER INT64_MIN
int64_t oom_badness(struct quire_mm *mm, unsigned long total_pages);

/* What somebody asked for and couldn't have. */
struct oom_request {
    quire_gfp_t gfp;
    unsigned order;
    uint32_t nodes; /* which only would do; 0: any */
};

/* What the log says, into `buffer`: at most `size` - 1 characters. oom_report.c */
void oom_report(struct quire_vm *vm, struct quire_mm *victim, const struct oom_request *request,
                char *buffer, size_t size);

#endif
