/* ports/sim/access.c: accesses that the TLB doesn't answer at once, faults, and copies
 *
 * An access has one page or two. Both are translated before a byte moves, without the fault handler
 * between them: what it may have changed would make the first translation a guess. A fault is
 * raised outside of the access, so that the handler may flush and be flushed, and then everything
 * is tried again.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "ports/sim/tlb.h"

#define PAGE_BYTES 0x1000u

void sim_begin(struct quire_sim_cpu *cpu)
{
    quire_store_relaxed(&cpu->busy, 1);
    quire_port_fence_light();
    if (quire_sim_key(cpu) & QUIRE_SIM_POSTED)
        sim_flush_posted(cpu);
}

/* Whether the access is to be tried again. */
static bool raise_fault(struct quire_sim_cpu *cpu)
{
    struct quire_sim *sim = cpu->sim;
    struct quire_fault fault = cpu->fault;
    quire_sim_leave(cpu);
    cpu->counts.faults++;
    if (sim->fault && sim->fault(sim->arg, cpu, &fault))
        return true;
    cpu->fault = fault; /* the handler's own accesses may have left another */
    return false;
}

static void move(char *host, char *data, size_t size, unsigned access)
{
    if ((access & ~QUIRE_ACCESS_IMPLICIT) == QUIRE_WRITE)
        __builtin_memcpy(host, data, size);
    else
        __builtin_memcpy(data, host, size);
}

/* 32-bit modes wrap at 4 GiB, within an access too. */
static quire_linear_t wrap(const struct quire_sim_cpu *cpu, quire_linear_t at)
{
    return !cpu->mmu.format || cpu->mmu.format->virt_bits == 32 ? (uint32_t)at : at;
}

/* One try. False: cpu->fault. */
static bool try_access(struct quire_sim_cpu *cpu, quire_linear_t at, char *data, size_t size,
                       unsigned access)
{
    size_t first = PAGE_BYTES - (at & (PAGE_BYTES - 1));
    char *host = sim_translate(cpu, at, access), *next = NULL;
    if (first > size)
        first = size;
    if (!host)
        return false;
    if (first < size && !(next = sim_translate(cpu, wrap(cpu, at + first), access)))
        return false;
    move(host, data, first, access);
    if (next)
        move(next, data + first, size - first, access);
    return true;
}

bool quire_sim_access_slow(struct quire_sim_cpu *cpu, quire_linear_t at, void *data, size_t size,
                           unsigned access)
{
    at = wrap(cpu, at);
    do {
        sim_begin(cpu);
        if (try_access(cpu, at, data, size, access)) {
            quire_sim_leave(cpu);
            return true;
        }
    } while (raise_fault(cpu));
    return false;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static size_t copy(struct quire_sim_cpu *cpu, quire_linear_t at, char *data, size_t size,
                   unsigned access)
{
    size_t done = 0;
    while (done < size) {
        size_t piece = PAGE_BYTES - ((at + done) & (PAGE_BYTES - 1));
        if (piece > size - done)
            piece = size - done;
        if (!quire_sim_access_slow(cpu, at + done, data + done, piece, access))
            break;
        done += piece;
    }
    return done;
}

size_t quire_sim_copy_from(struct quire_sim_cpu *cpu, void *to, quire_linear_t from, size_t size)
{
    return copy(cpu, from, to, size, QUIRE_READ);
}

size_t quire_sim_copy_to(struct quire_sim_cpu *cpu, quire_linear_t to, const void *from,
                         size_t size)
{
    return copy(cpu, to, (char *)(uintptr_t)from, size, QUIRE_WRITE);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static bool access_descriptor(struct quire_sim_cpu *cpu, quire_linear_t at, uint64_t *value,
                              unsigned access, struct quire_fault *fault)
{
    sim_begin(cpu);
    bool done = try_access(cpu, wrap(cpu, at), (char *)value, sizeof *value,
                           access | QUIRE_ACCESS_IMPLICIT);
    quire_sim_leave(cpu);
    if (!done)
        *fault = cpu->fault;
    return done;
}

static bool read_descriptor(void *arg, quire_linear_t at, uint64_t *value,
                            struct quire_fault *fault)
{
    return access_descriptor(arg, at, value, QUIRE_READ, fault);
}

static bool write_descriptor(void *arg, quire_linear_t at, uint64_t value,
                             struct quire_fault *fault)
{
    return access_descriptor(arg, at, &value, QUIRE_WRITE, fault);
}

const struct quire_descriptor_memory quire_sim_descriptors = {.read = read_descriptor,
                                                              .write = write_descriptor};
