/* map/segment.c: segment registers are loaded, and logical addresses become linear ones
 *
 * A load reads the descriptor and checks kind, privilege and presence, in this order, as the
 * operation sections of MOV, JMP (far) and LLDT in the SDM's volume 2 do; an access then only looks
 * at the hidden part. An error code that names a selector has its RPL cleared; where hardware has
 * nothing to name it is 0 (SDM 3A, 6.13).
 *
 * In 64-bit mode (5.2.1, 3.2.4) bases other than FS's and GS's, limits and types don't count for
 * accesses; what is left is the canonical form of the first and the last byte.
 */
#include <quire/segment.h>

#include "base/bits.h"
#include "map/fault.h"

#define SELECTOR_ERROR(selector) ((uint32_t)(selector) & ~QUIRE_SELECTOR_RPL & 0xffff)
#define DESCRIPTOR_BYTES 8u
#define SYSTEM_DESCRIPTOR_BYTES 16u    /* in long mode */
#define HIGH_TYPE_MASK 0x1f0000000000u /* must be 0 in the upper half of one (figure 7-4) */

static bool selector_fault(struct quire_fault *fault, uint8_t vector, uint16_t selector,
                           enum quire_fault_reason reason)
{
    return map_fault(fault, vector, SELECTOR_ERROR(selector), reason);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Where `bytes` of the descriptor lie, all of them within the table. */
static bool descriptor_at(const struct quire_segments *segments, uint16_t selector, unsigned bytes,
                          quire_linear_t *at, struct quire_fault *fault)
{
    unsigned offset = quire_selector_index(selector) * DESCRIPTOR_BYTES;
    quire_linear_t base = segments->gdtr.base;
    uint32_t limit = segments->gdtr.limit;
    if (selector & QUIRE_SELECTOR_TI) {
        if (!segments->ldtr.usable)
            return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_NO_LDT);
        base = segments->ldtr.descriptor.base;
        limit = quire_descriptor_limit(&segments->ldtr.descriptor);
    }
    if (offset + bytes - 1 > limit)
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_TABLE_LIMIT);
    *at = base + offset;
    if (!segments->long_mode)
        *at &= 0xffffffff;
    return true;
}

static bool read_descriptor(const struct quire_segments *segments, uint16_t selector, uint64_t *raw,
                            quire_linear_t *at, struct quire_fault *fault)
{
    return descriptor_at(segments, selector, DESCRIPTOR_BYTES, at, fault) &&
           segments->memory->read(segments->memory->arg, *at, raw, fault);
}

bool quire_descriptor_fetch(const struct quire_segments *segments, uint16_t selector,
                            struct quire_descriptor *descriptor, quire_linear_t *at,
                            struct quire_fault *fault)
{
    uint64_t raw;
    quire_linear_t where;
    if (!read_descriptor(segments, selector, &raw, &where, fault))
        return false;
    *descriptor = quire_descriptor_decode(raw, 0);
    if (at)
        *at = where;
    return true;
}

/* ---- loads ----------------------------------------------------------------------------------- */

static bool is_code(const struct quire_descriptor *d)
{
    return d->code_or_data && d->type & QUIRE_SEGMENT_CODE;
}

static bool is_writable_data(const struct quire_descriptor *d)
{
    return d->code_or_data && !(d->type & QUIRE_SEGMENT_CODE) && d->type & QUIRE_SEGMENT_WRITABLE;
}

static bool is_readable(const struct quire_descriptor *d)
{
    return d->code_or_data && (!(d->type & QUIRE_SEGMENT_CODE) || d->type & QUIRE_SEGMENT_READABLE);
}

/* Conforming code is as privileged as whoever uses it. */
static bool is_conforming(const struct quire_descriptor *d)
{
    return is_code(d) && d->type & QUIRE_SEGMENT_CONFORMING;
}

static enum quire_fault_reason check_stack(const struct quire_descriptor *d, unsigned rpl,
                                           unsigned cpl)
{
    if (!is_writable_data(d))
        return QUIRE_FAULT_TYPE;
    return rpl != cpl || d->dpl != cpl ? QUIRE_FAULT_PRIVILEGE : QUIRE_FAULT_NONE;
}

static enum quire_fault_reason check_data(const struct quire_descriptor *d, unsigned rpl,
                                          unsigned cpl)
{
    if (!is_readable(d))
        return QUIRE_FAULT_TYPE;
    if (!is_conforming(d) && (rpl > d->dpl || cpl > d->dpl))
        return QUIRE_FAULT_PRIVILEGE;
    return QUIRE_FAULT_NONE;
}

/* A far jump: never to another ring. */
static enum quire_fault_reason check_code(const struct quire_descriptor *d, unsigned rpl,
                                          unsigned cpl, bool long_mode)
{
    if (!is_code(d) || (long_mode && d->long_mode && d->big))
        return QUIRE_FAULT_TYPE;
    if (is_conforming(d) ? d->dpl > cpl : rpl > cpl || d->dpl != cpl)
        return QUIRE_FAULT_PRIVILEGE;
    return QUIRE_FAULT_NONE;
}

/* DS, ES, FS and GS may be null, and then fault when used. So may SS, in 64-bit mode, outside ring
 * 3, with an RPL that is the CPL. */
static bool load_null(struct quire_segments *segments, enum quire_segment_register which,
                      uint16_t selector, struct quire_fault *fault)
{
    unsigned cpl = quire_segments_cpl(segments);
    bool null_stack = which == QUIRE_SS && quire_segments_64bit(segments) && cpl != 3 &&
                      (selector & QUIRE_SELECTOR_RPL) == cpl;
    if (which == QUIRE_CS || (which == QUIRE_SS && !null_stack))
        return map_fault(fault, QUIRE_VECTOR_GP, 0, QUIRE_FAULT_NULL_SELECTOR);
    segments->segment[which] = (struct quire_segment){.selector = selector};
    return true;
}

static enum quire_fault_reason check_load(const struct quire_segments *segments,
                                          enum quire_segment_register which,
                                          const struct quire_descriptor *d, unsigned rpl)
{
    unsigned cpl = quire_segments_cpl(segments);
    switch (which) {
    case QUIRE_CS:
        return check_code(d, rpl, cpl, segments->long_mode);
    case QUIRE_SS:
        return check_stack(d, rpl, cpl);
    default:
        return check_data(d, rpl, cpl);
    }
}

bool quire_segment_load(struct quire_segments *segments, enum quire_segment_register which,
                        uint16_t selector, struct quire_fault *fault)
{
    if (quire_selector_is_null(selector))
        return load_null(segments, which, selector, fault);

    uint64_t raw;
    quire_linear_t at;
    if (!read_descriptor(segments, selector, &raw, &at, fault))
        return false;
    struct quire_descriptor d = quire_descriptor_decode(raw, 0);
    enum quire_fault_reason reason = check_load(segments, which, &d, selector & QUIRE_SELECTOR_RPL);
    if (reason)
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, reason);
    if (!d.present)
        return selector_fault(fault, which == QUIRE_SS ? QUIRE_VECTOR_SS : QUIRE_VECTOR_NP,
                              selector, QUIRE_FAULT_NOT_PRESENT);

    const struct quire_descriptor_memory *memory = segments->memory;
    uint64_t accessed = raw | (uint64_t)QUIRE_SEGMENT_ACCESSED << 40;
    if (accessed != raw && memory->write && !memory->write(memory->arg, at, accessed, fault))
        return false;
    d.type |= QUIRE_SEGMENT_ACCESSED;
    if (which == QUIRE_CS) /* the ring stays what it was, whatever was asked for */
        selector = (uint16_t)((selector & ~QUIRE_SELECTOR_RPL) | quire_segments_cpl(segments));
    segments->segment[which] = (struct quire_segment){selector, true, d};
    return true;
}

/* In long mode the descriptor has 16 bytes. */
static bool read_system_descriptor(const struct quire_segments *segments, uint16_t selector,
                                   struct quire_descriptor *descriptor, struct quire_fault *fault)
{
    uint64_t low, high = 0;
    quire_linear_t at;
    unsigned bytes = segments->long_mode ? SYSTEM_DESCRIPTOR_BYTES : DESCRIPTOR_BYTES;
    const struct quire_descriptor_memory *memory = segments->memory;
    if (!descriptor_at(segments, selector, bytes, &at, fault) ||
        !memory->read(memory->arg, at, &low, fault))
        return false;
    if (segments->long_mode && !memory->read(memory->arg, at + DESCRIPTOR_BYTES, &high, fault))
        return false;
    *descriptor = quire_descriptor_decode(low, high);
    if (high & HIGH_TYPE_MASK)
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_TYPE);
    return true;
}

bool quire_ldtr_load(struct quire_segments *segments, uint16_t selector, struct quire_fault *fault)
{
    if (quire_segments_cpl(segments))
        return map_fault(fault, QUIRE_VECTOR_GP, 0, QUIRE_FAULT_PRIVILEGE);
    if (quire_selector_is_null(selector)) {
        segments->ldtr = (struct quire_segment){.selector = selector};
        return true;
    }
    if (selector & QUIRE_SELECTOR_TI) /* LDTs are described in the GDT */
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_TYPE);
    struct quire_descriptor d;
    if (!read_system_descriptor(segments, selector, &d, fault))
        return false;
    if (d.code_or_data || d.type != QUIRE_SEGMENT_LDT)
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_TYPE);
    if (!d.present)
        return selector_fault(fault, QUIRE_VECTOR_NP, selector, QUIRE_FAULT_NOT_PRESENT);
    if (segments->long_mode && !quire_is_canonical(d.base, segments->linear_bits))
        return selector_fault(fault, QUIRE_VECTOR_GP, selector, QUIRE_FAULT_NON_CANONICAL);
    segments->ldtr = (struct quire_segment){selector, true, d};
    return true;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static enum quire_fault_reason check_type(const struct quire_descriptor *d,
                                          enum quire_access access)
{
    switch (access) {
    case QUIRE_WRITE:
        return is_writable_data(d) ? QUIRE_FAULT_NONE : QUIRE_FAULT_READ_ONLY;
    case QUIRE_EXECUTE:
        return is_code(d) ? QUIRE_FAULT_NONE : QUIRE_FAULT_TYPE;
    default:
        return is_readable(d) ? QUIRE_FAULT_NONE : QUIRE_FAULT_EXECUTE_ONLY;
    }
}

static bool is_within_limit(const struct quire_descriptor *d, uint32_t offset, unsigned size)
{
    uint64_t last = (uint64_t)offset + size - 1, limit = quire_descriptor_limit(d);
    bool down = !is_code(d) && d->type & QUIRE_SEGMENT_EXPAND_DOWN;
    if (down)
        return offset > limit && last <= (d->big ? 0xffffffffu : 0xffffu);
    return last <= limit;
}

static bool flat_to_linear(const struct quire_segments *segments, enum quire_segment_register which,
                           uint64_t offset, unsigned size, quire_linear_t *linear,
                           struct quire_fault *fault)
{
    bool has_base = which == QUIRE_FS || which == QUIRE_GS;
    quire_linear_t first = offset + (has_base ? segments->segment[which].descriptor.base : 0);
    if (!quire_is_canonical(first, segments->linear_bits) ||
        !quire_is_canonical(first + size - 1, segments->linear_bits))
        return map_fault(fault, which == QUIRE_SS ? QUIRE_VECTOR_SS : QUIRE_VECTOR_GP, 0,
                         QUIRE_FAULT_NON_CANONICAL);
    *linear = first;
    return true;
}

bool quire_logical_to_linear(const struct quire_segments *segments,
                             enum quire_segment_register which, uint64_t offset, unsigned size,
                             enum quire_access access, quire_linear_t *linear,
                             struct quire_fault *fault)
{
    if (quire_segments_64bit(segments))
        return flat_to_linear(segments, which, offset, size, linear, fault);
    const struct quire_segment *segment = &segments->segment[which];
    uint8_t vector = which == QUIRE_SS ? QUIRE_VECTOR_SS : QUIRE_VECTOR_GP;
    if (!segment->usable)
        return map_fault(fault, vector, 0, QUIRE_FAULT_NULL_SELECTOR);
    enum quire_fault_reason reason = check_type(&segment->descriptor, access);
    if (reason)
        return map_fault(fault, QUIRE_VECTOR_GP, 0, reason);
    if (!is_within_limit(&segment->descriptor, (uint32_t)offset, size))
        return map_fault(fault, vector, 0, QUIRE_FAULT_LIMIT);
    *linear = (uint32_t)(segment->descriptor.base + offset);
    return true;
}
