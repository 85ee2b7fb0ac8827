/* ports/sim/tlb.c: what a simulated CPU remembers of translations, and how it forgets
 *
 * A miss walks (quire_mmu_walk) and puts the page in front of its set; the last way falls out. The
 * rights that are kept are those under the registers of the moment: whatever changes them but for
 * CPL and AC empties the TLB. Write rights are left out until D is set, so that the first write
 * walks again.
 *
 * Flushes of other CPUs. The flusher writes its request and QUIRE_SIM_POSTED, fences heavily, and
 * waits while `busy`. The CPU writes `busy`, fences lightly, and reads its key. So either the CPU
 * sees the request and carries it out before it looks anything up, or the flusher sees that it is
 * busy and waits for an access that began before. Walks and fills are within `busy` too: a page
 * table that is freed after a flush isn't read any more.
 *
 *   invariant   a linear page and PCID are in at most one way of their set
 *   bound       a fill moves at most QUIRE_SIM_TLB_WAYS ways; a flush looks at all sets at most,
 *               at one for each page of a short range without large pages in it
 */
#include "ports/sim/tlb.h"

#include "base/atomic.h"
#include "base/compiler.h"

#define PAGE_MASK (~(uint64_t)0xfff)
#define MAX_PAGES_ONE_BY_ONE 64u
#define EMPTY_TAG QUIRE_SIM_POSTED

static struct quire_sim_set *set_of(struct quire_sim_cpu *cpu, quire_linear_t at)
{
    return &cpu->set[at >> 12 & (QUIRE_SIM_TLB_SETS - 1)];
}

static uint64_t pcid_of(const struct quire_sim_cpu *cpu)
{
    return cpu->mmu.registers.cr4 & QUIRE_CR4_PCIDE ? cpu->mmu.registers.cr3 & QUIRE_CR3_PCID : 0;
}

/* Flushers set and the CPU clears a bit in one word with its PCID, which is read in one load. */
static void set_key(struct quire_sim_cpu *cpu, uint64_t key)
{
#if UINTPTR_MAX > UINT32_MAX
    quire_store_release(&cpu->key, key);
#else
    *(volatile uint64_t *)&cpu->key = key;
#endif
}

void sim_refresh(struct quire_sim_cpu *cpu)
{
    for (unsigned access = 0; access < 3; access++)
        cpu->right[access] = quire_mmu_right(quire_mmu_mode(&cpu->mmu, access), access);
    quire_port_spin_lock(&cpu->lock);
    set_key(cpu, (cpu->key & QUIRE_SIM_POSTED) | pcid_of(cpu));
    quire_port_spin_unlock(&cpu->lock);
}

/* ---- filling --------------------------------------------------------------------------------- */

static void remember_large(struct quire_sim_cpu *cpu, quire_linear_t at, unsigned shift)
{
    quire_linear_t first = at >> shift << shift, last = first + ((uint64_t)1 << shift) - 1;
    if (first < cpu->large_first)
        cpu->large_first = first;
    if (last > cpu->large_last)
        cpu->large_last = last;
}

static void make_room(struct quire_sim_set *set, unsigned last)
{
    for (unsigned i = last; i; i--) {
        set->tag[i] = set->tag[i - 1];
        set->way[i] = set->way[i - 1];
    }
}

/* The way that the page is in with fewer rights, or an empty one, or the oldest. */
static unsigned victim(const struct quire_sim_set *set, uint64_t tag)
{
    for (unsigned i = 0; i < QUIRE_SIM_TLB_WAYS; i++)
        if (set->tag[i] == tag)
            return i;
    for (unsigned i = 0; i < QUIRE_SIM_TLB_WAYS; i++)
        if (!(set->way[i] & QUIRE_SIM_RIGHTS))
            return i;
    return QUIRE_SIM_TLB_WAYS - 1;
}

static char *fill(struct quire_sim_cpu *cpu, quire_linear_t at, const struct quire_walk *walk)
{
    struct quire_sim_set *set = set_of(cpu, at);
    uint64_t tag = (at & PAGE_MASK) | pcid_of(cpu);
    char *host = cpu->sim->memory.base + walk->phys;
    uint32_t word = quire_mmu_rights(&cpu->mmu, walk);
    if (cpu->mmu.format && !walk->dirty)
        word &= ~(quire_mmu_right(QUIRE_MODE_USER, QUIRE_WRITE) |
                  quire_mmu_right(QUIRE_MODE_SUPERVISOR, QUIRE_WRITE) |
                  quire_mmu_right(QUIRE_MODE_SUPERVISOR_AC, QUIRE_WRITE));
    if (walk->global)
        word |= QUIRE_SIM_GLOBAL;
    if (walk->shift > 12) {
        word |= QUIRE_SIM_LARGE;
        remember_large(cpu, at, walk->shift);
    }
    make_room(set, victim(set, tag));
    set->tag[0] = tag;
    set->way[0] = ((uintptr_t)host - (uintptr_t)at) | word;
    return host;
}

/* A global page serves every PCID: under the present one's tag it is found at once the next time.
 */
static uintptr_t find_global(struct quire_sim_cpu *cpu, quire_linear_t at)
{
    struct quire_sim_set *set = set_of(cpu, at);
    for (unsigned i = 0; i < QUIRE_SIM_TLB_WAYS; i++)
        if (set->way[i] & QUIRE_SIM_GLOBAL && !((set->tag[i] ^ at) & PAGE_MASK)) {
            set->tag[i] = (at & PAGE_MASK) | pcid_of(cpu);
            return set->way[i];
        }
    return 0;
}

char *sim_translate(struct quire_sim_cpu *cpu, quire_linear_t at, unsigned access)
{
    const struct quire_phys_memory *memory = &cpu->sim->memory;
    uint32_t right = quire_mmu_right(quire_mmu_mode(&cpu->mmu, access), access);
    uintptr_t way = quire_sim_find(set_of(cpu, at), (at & PAGE_MASK) | pcid_of(cpu));
    if (!way)
        way = find_global(cpu, at);
    if (way & right)
        return quire_sim_host(way, at);
    struct quire_walk walk;
    cpu->counts.walks++;
    if (!quire_mmu_walk(&cpu->mmu, memory, at, access, &walk, NULL)) {
        cpu->fault = walk.fault;
        return NULL;
    }
    if (memory->size < 0x1000 || (walk.phys & PAGE_MASK) > memory->size - 0x1000) {
        cpu->fault = (struct quire_fault){QUIRE_VECTOR_MC, QUIRE_FAULT_NO_MEMORY, 0, at};
        return NULL;
    }
    return fill(cpu, at, &walk);
}

/* ---- flushing -------------------------------------------------------------------------------- */

static void empty_way(struct quire_sim_cpu *cpu, struct quire_sim_set *set, unsigned way)
{
    cpu->counts.flushed += set->way[way] != 0;
    set->tag[way] = EMPTY_TAG;
    set->way[way] = 0;
}

static bool is_of(const struct quire_sim_set *set, unsigned way,
                  const struct quire_sim_flush *flush)
{
    if (set->way[way] & QUIRE_SIM_GLOBAL)
        return !flush->keep_globals;
    return flush->pcid == QUIRE_SIM_ALL_PCIDS || (set->tag[way] & ~PAGE_MASK) == flush->pcid;
}

static void flush_set(struct quire_sim_cpu *cpu, struct quire_sim_set *set,
                      const struct quire_sim_flush *flush)
{
    for (unsigned i = 0; i < QUIRE_SIM_TLB_WAYS; i++) {
        quire_linear_t page = set->tag[i] & PAGE_MASK;
        if (page >= (flush->first & PAGE_MASK) && page <= flush->last && is_of(set, i, flush))
            empty_way(cpu, set, i);
    }
}

/* A large page that the range touches goes as a whole. Which one a piece belongs to isn't known:
 * all pieces of the PCID go, which is allowed (SDM 3A, 4.10.4.1: processors may flush more). */
static void flush_all_sets(struct quire_sim_cpu *cpu, const struct quire_sim_flush *flush,
                           bool large_too)
{
    bool everything = !flush->first && flush->last == (quire_linear_t)-1;
    for (unsigned s = 0; s < QUIRE_SIM_TLB_SETS; s++) {
        struct quire_sim_set *set = &cpu->set[s];
        flush_set(cpu, set, flush);
        for (unsigned i = 0; large_too && i < QUIRE_SIM_TLB_WAYS; i++)
            if (set->way[i] & QUIRE_SIM_LARGE && is_of(set, i, flush))
                empty_way(cpu, set, i);
    }
    if (everything && flush->pcid == QUIRE_SIM_ALL_PCIDS && !flush->keep_globals) {
        cpu->large_first = (quire_linear_t)-1;
        cpu->large_last = 0;
    }
}

void sim_flush_now(struct quire_sim_cpu *cpu, const struct quire_sim_flush *flush)
{
    cpu->counts.flushes++;
    bool large = flush->first <= cpu->large_last && flush->last >= cpu->large_first;
    uint64_t pages = (flush->last >> 12) - (flush->first >> 12);
    if (large || pages >= MAX_PAGES_ONE_BY_ONE) {
        flush_all_sets(cpu, flush, large);
        return;
    }
    for (uint64_t page = 0; page <= pages; page++)
        flush_set(cpu, set_of(cpu, flush->first + (page << 12)), flush);
}

void quire_sim_invlpg(struct quire_sim_cpu *cpu, quire_linear_t linear)
{
    sim_flush_now(cpu, &(struct quire_sim_flush){linear, linear, (uint16_t)pcid_of(cpu), false});
}

/* ---- flushes of other CPUs ------------------------------------------------------------------- */

static const struct quire_sim_flush flush_everything = {0, (quire_linear_t)-1, QUIRE_SIM_ALL_PCIDS,
                                                        false};

/* QUIRE_SIM_POSTED is cleared with the lock held: a request that comes after sets it again. */
void sim_flush_posted(struct quire_sim_cpu *cpu)
{
    struct quire_sim_flush post[QUIRE_SIM_MAX_POSTED];
    quire_port_spin_lock(&cpu->lock);
    unsigned count = cpu->nr_posted;
    for (unsigned i = 0; i < count && i < QUIRE_SIM_MAX_POSTED; i++)
        post[i] = cpu->post[i];
    cpu->nr_posted = 0;
    set_key(cpu, pcid_of(cpu));
    quire_port_spin_unlock(&cpu->lock);
    if (count > QUIRE_SIM_MAX_POSTED) {
        sim_flush_now(cpu, &flush_everything);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        sim_flush_now(cpu, &post[i]);
}

static void post(struct quire_sim_cpu *cpu, const struct quire_sim_flush *flush)
{
    quire_port_spin_lock(&cpu->lock);
    if (cpu->nr_posted < QUIRE_SIM_MAX_POSTED)
        cpu->post[cpu->nr_posted] = *flush;
    if (cpu->nr_posted <= QUIRE_SIM_MAX_POSTED)
        cpu->nr_posted++;
    set_key(cpu, cpu->key | QUIRE_SIM_POSTED);
    quire_port_spin_unlock(&cpu->lock);
}

/* CPUs come and go meanwhile; what one that has left did before comes before the flush. */
static bool is_among(const uint32_t *cpus, unsigned cpu)
{
    return !cpus || __atomic_load_n(&cpus[cpu / 32], __ATOMIC_ACQUIRE) >> (cpu % 32) & 1;
}

void quire_sim_flush(struct quire_sim *sim, const uint32_t *cpus,
                     const struct quire_sim_flush *flush)
{
    for (unsigned cpu = 0; cpu < sim->nr_cpus; cpu++)
        if (is_among(cpus, cpu))
            post(&sim->cpu[cpu], flush);
    quire_port_fence_heavy();
    for (unsigned cpu = 0; cpu < sim->nr_cpus; cpu++)
        while (is_among(cpus, cpu) && quire_load_acquire(&sim->cpu[cpu].busy))
            quire_port_relax();
}

void quire_sim_tlb_flush(void *sim, const struct quire_tlb_flush *flush)
{
    struct quire_sim_flush what = flush_everything;
    if (!flush->all) {
        what.first = flush->virt;
        what.last = flush->virt + flush->size - 1;
    }
    quire_sim_flush(sim, flush->cpus->word, &what);
}
