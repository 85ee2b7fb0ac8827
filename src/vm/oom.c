/* vm/oom.c: somebody has to go
 *
 * The one whose end gives back most: pages in memory, in swap, and of page tables, and a thousandth
 * of all memory and swap for each point of its oom_score_adj; -1000 is never chosen (Linux:
 * mm/oom_kill.c, oom_badness). Killing is the callback's.
 *
 * A victim on its way out isn't chosen again, nor is another one at once: memory is about to come
 * back. But it may be waiting for what the allocation holds, so after some time the next is chosen.
 * Who allocates while he ends himself gets nothing, so that he ends: nobody dies for him.
 *
 * If only some nodes' memory will do, as a policy says, nobody knows who has how much of that: the
 * one who allocates goes, since it is his policy that is in the way (Linux chooses among those who
 * may use these nodes); anybody if the owner of
 * the machine doesn't tell who that is.
 *
 * Nobody has to while others reclaim: what they write isn't on any list, so that there may seem to
 * be nothing. A batch of theirs is waited for, unless many in a row brought nothing.
 *
 * One at a time: others who come here meanwhile try their allocation again.
 */
#include "vm/oom.h"

#include "base/bits.h"
#include "vm/area.h"
#include "vm/swap.h"

/* Allocations that may find a victim still there (Linux's reaper tries 10 times). */
#define MAX_WAITS 16
#define OOM_SMALL_REPORT_BYTES 512u
/* Batches in a row that others reclaim nothing of, which are waited for. */
#define MAX_BATCH_WAITS 64u

unsigned long oom_pages(struct quire_mm *mm)
{
    long pages = 0;
    for (unsigned kind = 0; kind < NR_RSS; kind++)
        pages += quire_load_relaxed(&mm->rss[kind]);
    return (pages > 0 ? (unsigned long)pages : 0) + quire_pgtable_nr_tables(&mm->pt);
}

static unsigned long total_pages(struct quire_vm *vm)
{
    return quire_nr_managed_pages(vm->mem) + swap_total_pages(vm);
}

int64_t oom_badness(struct quire_mm *mm, unsigned long total)
{
    int adj = quire_load_relaxed(&mm->oom_score_adj);
    if (adj == -1000)
        return OOM_NEVER;
    return (int64_t)oom_pages(mm) + (int64_t)adj * (int64_t)(total / 1000);
}

unsigned quire_mm_oom_score(struct quire_mm *mm)
{
    unsigned long total = total_pages(mm->vm);
    int64_t points = oom_badness(mm, total);
    if (points == OOM_NEVER)
        return 0;
    uint64_t size = (uint64_t)(points < 0 ? -points : points) * 1000;
    int64_t share = (int64_t)quire_div64(size, (uint32_t)(total ? total : 1));
    int64_t score = (1000 + (points < 0 ? -share : share)) * 2;
    return score > 0 ? (unsigned)(score / 3) : 0;
}

/* With a reference each, NULL: nobody. */
struct choice {
    struct quire_mm *chosen; /* the worst that isn't a victim yet */
    struct quire_mm *waited; /* a victim that is still there: nobody is chosen as long as he is */
};

/* `only`: this one or nobody; NULL: anybody. */
static struct choice choose(struct quire_vm *vm, const struct quire_mm *only)
{
    struct choice choice = {NULL, NULL};
    int64_t worst = OOM_NEVER;
    unsigned long total = total_pages(vm);
    quire_port_irq_t irq = vm_lock(vm);
    list_for_each (link, &vm->mms) {
        struct quire_mm *mm = quire_container_of(link, struct quire_mm, link);
        if (quire_load_relaxed(&mm->oom_victim)) {
            if (oom_pages(mm) > quire_pgtable_nr_tables(&mm->pt))
                choice.waited = mm;
            continue;
        }
        int64_t badness = oom_badness(mm, total);
        if (badness != OOM_NEVER && (!only || mm == only) && quire_load_relaxed(&mm->nr_users) &&
            (!choice.chosen || badness > worst)) {
            choice.chosen = mm;
            worst = badness;
        }
    }
    if (choice.waited && vm->oom_waits < MAX_WAITS) {
        vm->oom_waits++;
        choice.chosen = NULL;
    } else {
        vm->oom_waits = 0;
        choice.waited = NULL;
    }
    if (choice.chosen)
        mm_ref(choice.chosen);
    if (choice.waited)
        mm_ref(choice.waited);
    vm_unlock(vm, irq);
    return choice;
}

/* False: whoever allocates gives up. */
static bool wait(struct quire_vm *vm, struct quire_mm *victim)
{
    quire_oom_wait_fn *ask = quire_load_relaxed(&vm->oom_wait);
    return !ask || ask(vm->oom_arg, victim);
}

static bool kill(struct quire_vm *vm, struct quire_mm *victim, const struct oom_request *request)
{
    char small[OOM_SMALL_REPORT_BYTES], *report = vm->oom_report ? vm->oom_report : small;
    oom_report(vm, victim, request, report, vm->oom_report ? OOM_REPORT_BYTES : sizeof small);
    quire_store_relaxed(&victim->oom_victim, 1u);
    enum quire_oom_result result = vm->oom(vm->oom_arg, victim, report);
    if (result == QUIRE_OOM_KILLED)
        quire_count_oom_kill(vm->mem);
    else if (result == QUIRE_OOM_REFUSED)
        quire_store_relaxed(&victim->oom_victim, 0u);
    return result != QUIRE_OOM_REFUSED;
}

/* False: nobody reclaims, or nothing comes of it. Not for who mustn't wait for a store or a file's
 * owner, since he may be one. */
static bool wait_for_reclaim(struct quire_vm *vm, quire_gfp_t gfp)
{
    const quire_gfp_t anything = QUIRE_GFP_IO | QUIRE_GFP_FS;
    if ((gfp & anything) != anything)
        return false;
    (void)quire_fetch_add(&vm->batch_waiters, 1u);
    uint32_t seen = quire_load_acquire(&vm->batches_ended);
    bool is_under_way = quire_load_acquire(&vm->batches);
    if (is_under_way && quire_fetch_add(&vm->batch_waits, 1u) < MAX_BATCH_WAITS)
        quire_port_wait(&vm->batches_ended, seen);
    else
        is_under_way = false;
    (void)quire_sub_fetch(&vm->batch_waiters, 1u);
    return is_under_way;
}

/* NULL: anybody may go. */
static const struct quire_mm *culprit(struct quire_vm *vm, uint32_t nodes)
{
    quire_oom_who_fn *who = quire_load_relaxed(&vm->oom_who);
    return nodes && who ? who(vm->oom_arg) : NULL;
}

bool out_of_memory(void *arg, quire_gfp_t gfp, unsigned order, uint32_t nodes)
{
    struct quire_vm *vm = arg;
    bool any = !(quire_mem_nodes(vm->mem) & ~(uint64_t)nodes);
    const struct oom_request request = {gfp, order, any ? 0 : nodes};
    uint32_t nobody = 0;
    if (!quire_load_acquire(&vm->oom) || !wait(vm, NULL))
        return false;
    if (wait_for_reclaim(vm, gfp))
        return true;
    if (!quire_compare_exchange(&vm->oom_busy, &nobody, 1u))
        return true;
    struct choice choice = choose(vm, culprit(vm, request.nodes));
    bool again = false;
    if (choice.waited) {
        again = wait(vm, choice.waited);
        mm_unref(choice.waited);
    } else if (choice.chosen) {
        again = kill(vm, choice.chosen, &request);
        mm_unref(choice.chosen);
    }
    quire_store_release(&vm->oom_busy, 0u);
    return again;
}

void quire_vm_set_oom(struct quire_vm *vm, quire_oom_fn *oom, void *arg)
{
    quire_store_release(&vm->oom, NULL);
    vm->oom_arg = arg;
    quire_store_release(&vm->oom, oom);
}

void quire_vm_set_oom_wait(struct quire_vm *vm, quire_oom_wait_fn *wait_for)
{
    quire_store_relaxed(&vm->oom_wait, wait_for);
}

void quire_vm_set_oom_who(struct quire_vm *vm, quire_oom_who_fn *who)
{
    quire_store_relaxed(&vm->oom_who, who);
}
