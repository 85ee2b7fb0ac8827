/* bench/phys/count.c: the same work for a counter of instructions
 *
 * Runs one case of one subject on one thread for a given number of cycles and prints how many pairs
 * a cycle has. instructions.sh runs it twice under callgrind: what the second run has more cycles
 * of is what is counted, set-up and warm-up cancel out.
 */
#include <stdio.h>

#include "bench.h"

void run_count(void)
{
    for (const struct bench_case *c = bench_cases; c->name; c++)
        for (unsigned i = 0; subjects[i]; i++) {
            if (!case_selected(c) || !subject_selected(subjects[i]) || c->activity == REMOTE)
                continue;
            struct work work;
            case_prepare(&work, subjects[i], c, 1);
            bool whole = c->activity == BULK || c->activity == RANDOM;
            work.cycles = (size_t)options.count;
            work_run(&work);
            printf("%s %s %zu pairs/cycle\n", c->name, subjects[i]->name,
                   whole ? work.blocks : (size_t)CHUNK);
            subjects[i]->destroy(work.machine);
            work_free(&work);
        }
}
