/* ports/sim/sim.h: a machine in software: processors with a TLB that walk real page tables
 *
 * A simulated CPU has the registers of the paging unit (struct quire_mmu) and a TLB; its accesses
 * are translated by the tables in simulated physical memory, set A and D there, and raise faults
 * into a handler, after which they are tried again. Tests, replays and the layers above run on it
 * where a kernel would run on hardware. It is as freestanding as the library and needs its port's
 * level 1.
 *
 *     struct quire_sim sim = {.memory = {.base = port.base, .size = size}, .cpu = cpus,
 *                             .nr_cpus = 1, .fault = handler};
 *     quire_sim_init(&sim);
 *     quire_pgtable_init(&pt, &(struct quire_pgtable_config){.mem = mem, .format = format,
 *                                                            .flush = quire_sim_tlb_flush,
 *                                                            .flush_arg = &sim});
 *     quire_pgtable_cpu_enter(&pt, 0);
 *     quire_sim_set_registers(&cpus[0], &registers, &fault);
 *     if (quire_sim_read(&cpus[0], 0x08147258, &value, sizeof value))
 *         ...
 *
 * Flushes. Tables have to say that these are the processors they are flushed from: `flush` as
 * above, or in a quire_vm_config. An installed libquire has the posix port, which has no TLBs; when
 * tables without a `flush` change under a CPU it says so in the log. Only a library that was
 * compiled with ports/sim as its port does without. A CPU that didn't enter a table's set isn't
 * flushed at all.
 *
 * An installed Quire has this header and libquire-sim.a: pkg-config's quire-sim, CMake's
 * Quire::quire-sim. examples/sim is a whole program.
 *
 * The TLB. Translations are kept by 4 KiB, in sets of QUIRE_SIM_TLB_WAYS, the latest first. A tag
 * is a page's address with the PCID in its low bits, so that a hit is one comparison; a global page
 * that is found under another PCID is given the present one. What the page's rights come to is kept
 * by mode and access (quire_mmu_rights), so that a hit is one more test. Writes hit only where D is
 * set. Of what larger pages are in it each CPU remembers the bounds, since a flush of one address
 * within such a page has to find all its pieces.
 *
 * Threads. A CPU is played by one thread at a time. Flushes may come from any: they are posted, and
 * the CPU carries them out before its next access; who posted waits until an access that was under
 * way is over. That is an asymmetric fence (quire/port.h): an access costs a store and a load for
 * it, no atomic instruction. When a flush has returned, no access uses what was flushed. Memory is
 * read and written plainly: programs that race, race.
 *
 * Not modelled: caches of entries that lead to tables, speculation, memory types.
 */
#ifndef QUIRE_SIM_H
#define QUIRE_SIM_H

#include <quire/map.h>
#include <quire/port.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUIRE_SIM_TLB_SETS 256u /* a power of two */
#define QUIRE_SIM_TLB_WAYS 4u
#define QUIRE_SIM_MAX_POSTED 8u /* flushes that wait for a CPU; more become one of everything */

/* A way's word: the host address of its page less the linear one, and in the bits below pages: */
#define QUIRE_SIM_RIGHTS 0x1ffu /* quire_mmu_rights; none: the way is empty */
#define QUIRE_SIM_GLOBAL 0x200u
#define QUIRE_SIM_LARGE 0x400u /* a piece of a page of more than 4 KiB */
#define QUIRE_SIM_ADDEND (~(uintptr_t)0xfff)

/* A cache line. */
struct quire_sim_set {
    uint64_t tag[QUIRE_SIM_TLB_WAYS]; /* linear address of the page | PCID */
    uintptr_t way[QUIRE_SIM_TLB_WAYS];
#if UINTPTR_MAX == UINT32_MAX
    uint32_t unused[QUIRE_SIM_TLB_WAYS];
#endif
};
_Static_assert(sizeof(struct quire_sim_set) == 64, "a set is a cache line");

/* In cpu->key, beside the PCID: flushes wait, and nothing hits. A tag is an address with the key's
 * bits turned over in it, so this one makes it differ from every way's: no two addresses in
 * canonical form differ in it alone. As the tag of an empty way it is no page's for the same
 * reason. */
#define QUIRE_SIM_POSTED ((uint64_t)1 << 62)

/* What to flush: pages that hold addresses from `first` to `last`. */
#define QUIRE_SIM_ALL_PCIDS 0xffffu
struct quire_sim_flush {
    quire_linear_t first, last;
    uint16_t pcid;     /* of this one, or QUIRE_SIM_ALL_PCIDS */
    bool keep_globals; /* leave global pages alone */
};

struct quire_sim_counts {
    uint64_t walks, faults, flushes, flushed; /* flushes carried out; pieces that they removed */
};

struct quire_sim_cpu {
    /* The hit path. */
    uint32_t busy;     /* an access is under way: its thread writes, flushers read */
    uint32_t right[3]; /* of quire_mmu_rights, the bit for each access in the present mode */
    uint64_t key;      /* PCID, and QUIRE_SIM_POSTED: changed with the lock held */
    _Alignas(64) struct quire_sim_set set[QUIRE_SIM_TLB_SETS];

    struct quire_sim *sim;
    struct quire_mmu mmu;     /* cpl, eflags and registers: set by the functions below */
    struct quire_fault fault; /* of the last access that failed */
    quire_linear_t large_first,
        large_last; /* bounds of large pages in the TLB; first > last: none */
    struct quire_sim_counts counts;

    quire_port_spinlock_t lock; /* of `key` and what follows */
    unsigned nr_posted;         /* above QUIRE_SIM_MAX_POSTED: everything */
    struct quire_sim_flush post[QUIRE_SIM_MAX_POSTED];
};

struct quire_sim {
    struct quire_port_mem port;      /* with ports/sim as the port: the same memory for phys */
    struct quire_phys_memory memory; /* a range, whose base is page-aligned */
    struct quire_sim_cpu *cpu;       /* `nr_cpus`, whose memory is the caller's */
    unsigned nr_cpus;
    struct quire_pt_features features;
    /* True: try again. False: the access fails. Runs on the CPU's thread, outside of any access:
     * it may access, flush and set registers. NULL: every fault makes its access fail. */
    bool (*fault)(void *arg, struct quire_sim_cpu *cpu, const struct quire_fault *fault);
    void *arg;
};

/* Resets all CPUs: paging off, ring 0, TLBs empty. */
void quire_sim_init(struct quire_sim *sim);

/* ---- registers: by the thread that plays the CPU --------------------------------------------- */

/* MOV to CR0, CR3, CR4 and EFER at once; the TLB is emptied, global pages too. False: refused, as
 * quire_mmu_load does. */
QUIRE_MUST_CHECK bool quire_sim_set_registers(struct quire_sim_cpu *cpu,
                                              const struct quire_mmu_registers *registers,
                                              struct quire_fault *fault);
/* MOV to CR3 (SDM 3A, 4.10.4.1): flushes what isn't global of the PCID in it; with CR4.PCIDE, bit
 * 63 says not to. */
#define QUIRE_SIM_CR3_NO_FLUSH (1ull << 63)
QUIRE_MUST_CHECK bool quire_sim_set_cr3(struct quire_sim_cpu *cpu, uint64_t cr3,
                                        struct quire_fault *fault);
void quire_sim_set_cpl(struct quire_sim_cpu *cpu, unsigned cpl);
void quire_sim_set_ac(struct quire_sim_cpu *cpu, bool ac); /* STAC, CLAC */

/* ---- flushes --------------------------------------------------------------------------------- */

/* INVLPG: the page that holds `linear`, of this PCID or global. By the CPU's thread. */
void quire_sim_invlpg(struct quire_sim_cpu *cpu, quire_linear_t linear);
/* On the CPUs whose bits are set in `cpus` (32 a word; NULL: all), by any thread, also one that
 * plays one of them. When it returns no access uses what was flushed. Not with a lock that an
 * access or fault handler of those CPUs waits for. */
void quire_sim_flush(struct quire_sim *sim, const uint32_t *cpus,
                     const struct quire_sim_flush *flush);

/* The same as page tables ask for it: `flush` of their configuration, with the sim as its argument.
 */
void quire_sim_tlb_flush(void *sim, const struct quire_tlb_flush *flush);

/* ---- accesses: by the thread that plays the CPU ---------------------------------------------- */

/* Out of line: misses, accesses that cross pages, flushes that wait. */
bool quire_sim_access_slow(struct quire_sim_cpu *cpu, quire_linear_t at, void *data, size_t size,
                           unsigned access);

/* The word of the way that has the tag; 0: there is none. */
static inline uintptr_t quire_sim_find(const struct quire_sim_set *set, uint64_t tag)
{
    if (__builtin_expect(set->tag[0] == tag, 1))
        return set->way[0];
    if (set->tag[1] == tag)
        return set->way[1];
    if (set->tag[2] == tag)
        return set->way[2];
    if (set->tag[3] == tag)
        return set->way[3];
    return 0;
}
_Static_assert(QUIRE_SIM_TLB_WAYS == 4, "quire_sim_find looks at each way");

/* PCID and QUIRE_SIM_POSTED. Where it takes two loads, only the second half changes under us. */
static inline uint64_t quire_sim_key(const struct quire_sim_cpu *cpu)
{
#if UINTPTR_MAX > UINT32_MAX
    return __atomic_load_n(&cpu->key, __ATOMIC_ACQUIRE);
#else
    return *(const volatile uint64_t *)&cpu->key;
#endif
}

/* By its offset, since compilers shift there and back to come from an address to an index. */
static inline const struct quire_sim_set *quire_sim_set_of(const struct quire_sim_cpu *cpu,
                                                           quire_linear_t at)
{
    size_t offset = (size_t)(at >> 6) & (QUIRE_SIM_TLB_SETS - 1) * sizeof(struct quire_sim_set);
    return (const struct quire_sim_set *)(const void *)((const char *)cpu->set + offset);
}
_Static_assert(sizeof(struct quire_sim_set) == 1u << (12 - 6), "an index shifted by a set's size");

/* Begins an access, which is under way until quire_sim_leave. The page's word if the TLB has it
 * and allows the access, else 0. The set is the first byte's and the tag the last one's: an access
 * that crosses pages finds nothing. */
static inline uintptr_t quire_sim_enter(struct quire_sim_cpu *cpu, quire_linear_t at, size_t size,
                                        enum quire_access access)
{
    __atomic_store_n(&cpu->busy, 1, __ATOMIC_RELAXED);
    quire_port_fence_light();
    uint64_t tag = ((at + size - 1) & ~0xfffull) ^ quire_sim_key(cpu);
    uintptr_t way = quire_sim_find(quire_sim_set_of(cpu, at), tag);
    return __builtin_expect((way & cpu->right[access]) != 0, 1) ? way : 0;
}

static inline char *quire_sim_host(uintptr_t way, quire_linear_t at)
{
    return (char *)((way & QUIRE_SIM_ADDEND) + (uintptr_t)at);
}

static inline void quire_sim_leave(struct quire_sim_cpu *cpu)
{
    __atomic_store_n(&cpu->busy, 0, __ATOMIC_RELEASE);
}

/* Reads, writes or fetches 1 to 8 bytes, which may cross a page: then nothing is written before
 * both pages are known to be writable. False: it faulted and the handler gave up; cpu->fault says
 * why, and memory (or *to) is unchanged. With a constant size a hit is 16 to 24 instructions: the
 * slow path has a copy of the data, so that the caller's can be in a register. */
static inline bool quire_sim_get(struct quire_sim_cpu *cpu, quire_linear_t at, void *to,
                                 size_t size, enum quire_access access)
{
    uintptr_t way = quire_sim_enter(cpu, at, size, access);
    if (__builtin_expect(!way, 0)) {
        char copy[8];
        if (!quire_sim_access_slow(cpu, at, copy, size, access))
            return false;
        __builtin_memcpy(to, copy, size);
        return true;
    }
    __builtin_memcpy(to, quire_sim_host(way, at), size);
    quire_sim_leave(cpu);
    return true;
}

static inline bool quire_sim_read(struct quire_sim_cpu *cpu, quire_linear_t at, void *to,
                                  size_t size)
{
    return quire_sim_get(cpu, at, to, size, QUIRE_READ);
}

static inline bool quire_sim_fetch(struct quire_sim_cpu *cpu, quire_linear_t at, void *to,
                                   size_t size)
{
    return quire_sim_get(cpu, at, to, size, QUIRE_EXECUTE);
}

static inline bool quire_sim_write(struct quire_sim_cpu *cpu, quire_linear_t at, const void *from,
                                   size_t size)
{
    uintptr_t way = quire_sim_enter(cpu, at, size, QUIRE_WRITE);
    if (__builtin_expect(!way, 0)) {
        char copy[8];
        __builtin_memcpy(copy, from, size);
        return quire_sim_access_slow(cpu, at, copy, size, QUIRE_WRITE);
    }
    __builtin_memcpy(quire_sim_host(way, at), from, size);
    quire_sim_leave(cpu);
    return true;
}

/* Copies a range of any length, page by page. The number of bytes done: less than `size` if an
 * access faulted and the handler gave up. */
size_t quire_sim_copy_from(struct quire_sim_cpu *cpu, void *to, quire_linear_t from, size_t size);
size_t quire_sim_copy_to(struct quire_sim_cpu *cpu, quire_linear_t to, const void *from,
                         size_t size);

/* How the segmentation unit reaches descriptors through this CPU's paging: `memory.arg` is the CPU.
 * Faults go to the caller, not to the handler. */
extern const struct quire_descriptor_memory quire_sim_descriptors;
static inline struct quire_descriptor_memory quire_sim_descriptor_memory(struct quire_sim_cpu *cpu)
{
    struct quire_descriptor_memory memory = quire_sim_descriptors;
    memory.arg = cpu;
    return memory;
}

#ifdef __cplusplus
}
#endif

#endif
