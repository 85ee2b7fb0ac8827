/* quire/types.h: units as types, error numbers, and how text leaves the library */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quire/config.h>

/* A page frame number. A structure, so that a frame number and a byte address can't be mixed up. */
typedef struct {
    unsigned long value;
} quire_pfn_t;

/* A physical byte address: 64 bits everywhere, since PAE and HighMem exist. */
typedef uint64_t quire_phys_t;

/* A virtual byte address as a number. */
typedef uintptr_t quire_virt_t;

/* A linear address of any format: 64 bits also where this machine's own pointers have 32, unless
 * QUIRE_LINEAR_BITS says that no tables will translate more. Sizes have 64 bits everywhere. */
#if QUIRE_LINEAR_BITS == 32
typedef uint32_t quire_linear_t;
#else
typedef uint64_t quire_linear_t;
#endif

/* Whether the bits above the low `bits` are the sign of those: what 64-bit modes demand. */
static inline bool quire_is_canonical(quire_linear_t linear, unsigned bits)
{
    uint64_t high = linear >> (bits - 1);
    return !high || high == ~(uint64_t)0 >> (bits - 1);
}

static inline quire_pfn_t quire_pfn(unsigned long value)
{
    quire_pfn_t pfn = {value};
    return pfn;
}

static inline quire_phys_t quire_pfn_to_phys(quire_pfn_t pfn)
{
    return (quire_phys_t)pfn.value << QUIRE_PAGE_SHIFT;
}

/* The frame that holds the byte at `phys`. */
static inline quire_pfn_t quire_phys_to_pfn(quire_phys_t phys)
{
    return quire_pfn((unsigned long)(phys >> QUIRE_PAGE_SHIFT));
}

/* A set of CPUs. */
struct quire_cpumask {
    uint32_t word[(QUIRE_MAX_CPUS + 31) / 32];
};

/* Where frame numbers end (exclusive): they have 32 bits in their descriptors, and the last section
 * is left out so that the end of every range has 32 bits too. 16 TiB of 4 KiB frames. */
#define QUIRE_MAX_PFN (0xfffffffful - QUIRE_SECTION_PAGES + 1)

/* Error numbers are Linux's, negated in return values. */
#define QUIRE_EPERM 1
#define QUIRE_ENOENT 2
#define QUIRE_ESRCH 3
#define QUIRE_EINTR 4
#define QUIRE_EIO 5
#define QUIRE_E2BIG 7
#define QUIRE_EAGAIN 11
#define QUIRE_ENOMEM 12
#define QUIRE_EACCES 13
#define QUIRE_EFAULT 14
#define QUIRE_EBUSY 16
#define QUIRE_EEXIST 17
#define QUIRE_ENODEV 19
#define QUIRE_EINVAL 22
#define QUIRE_ENOSPC 28
#define QUIRE_ERANGE 34
#define QUIRE_EOVERFLOW 75
#define QUIRE_EOPNOTSUPP 95
#define QUIRE_EHWPOISON 133

/* Receives text in pieces; a piece is not NUL-terminated. */
typedef void quire_write_fn(void *arg, const char *text, size_t length);

#if defined(__GNUC__)
#define QUIRE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define QUIRE_MUST_CHECK
#endif

#endif
