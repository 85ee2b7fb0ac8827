/* quire/config.h: every knob of Quire, its default and the reason for it
 *
 * Override a knob with -D on the compiler's command line, as a plain decimal number, the same for
 * the library and for what links with it: a program that sees other values than the library does
 * isn't linked (QUIRE_WITH_KNOBS). Ranges are checked at the end.
 */
#ifndef QUIRE_CONFIG_H
#define QUIRE_CONFIG_H

/* log2 of a page frame's bytes. 4 KiB is what x86 and most other machines translate. */
#ifndef QUIRE_PAGE_SHIFT
#define QUIRE_PAGE_SHIFT 12
#endif

/* log2 of a pageblock's frames: the unit of mobility grouping, and the huge page of x86-64
 * (2 MiB). Its free map is one cache line at 9. */
#ifndef QUIRE_PAGEBLOCK_ORDER
#define QUIRE_PAGEBLOCK_ORDER 9
#endif

/* The largest order that the buddy allocator hands out, as Linux's MAX_ORDER since 6.4. */
#ifndef QUIRE_MAX_ORDER
#define QUIRE_MAX_ORDER 10
#endif

/* log2 of a section's bytes: descriptors exist by sections, so a smaller section wastes less at
 * the edge of a hole and costs a larger section table. 128 MiB is Linux's choice on x86-64. */
#ifndef QUIRE_SECTION_SHIFT
#define QUIRE_SECTION_SHIFT 27
#endif

/* Bits of a linear address: 64, for tables of every format; or 32, for those of 32-bit modes alone:
 * page tables of others and registers of long mode are refused with -EINVAL or a fault. A 32-bit
 * processor computes with 32 in one instruction where 64 take two or three; a kernel for one is to
 * say so, and not by default, since a process there may simulate machines of 64 bits. */
#ifndef QUIRE_LINEAR_BITS
#define QUIRE_LINEAR_BITS 64
#endif

/* Upper bound of `nr_nodes`. */
#ifndef QUIRE_MAX_NODES
#define QUIRE_MAX_NODES 16
#endif

/* Upper bound of `nr_cpus`. Each costs a pointer; all else is spent for the CPUs that a machine
 * has. */
#ifndef QUIRE_MAX_CPUS
#define QUIRE_MAX_CPUS 512
#endif

/* log2 of the most order-0 pages that one per-CPU list holds in a large zone. */
#ifndef QUIRE_PCP_SHIFT
#define QUIRE_PCP_SHIFT 9
#endif

/* Largest blocks (2^QUIRE_MAX_ORDER frames) of a zone for each of its shards: a zone has as many as
 * fit, up to one a CPU. More shards, less waiting; but the fewer blocks one has, the more often it
 * needs another's. */
#ifndef QUIRE_SHARD_BLOCKS
#define QUIRE_SHARD_BLOCKS 8
#endif

/* Ranges that a memblock holds without growing its table. */
#ifndef QUIRE_MEMBLOCK_STATIC_REGIONS
#define QUIRE_MEMBLOCK_STATIC_REGIONS 128
#endif

/* Object caches of a quire_slab, the general ones included: each costs some four words a CPU.
 * Linux has some 200 on a large machine. */
#ifndef QUIRE_SLAB_MAX_CACHES
#define QUIRE_SLAB_MAX_CACHES 256
#endif

/* Pages that are flushed from a TLB one by one; beyond them all of it is flushed at once. Linux
 * came to 33 on x86 (tlb_single_page_flush_ceiling). */
#ifndef QUIRE_TLB_FLUSH_PAGES
#define QUIRE_TLB_FLUSH_PAGES 32
#endif

/* Bytes of a memory pool's blocks where its configuration doesn't say: what an idle connection
 * costs at least, and what malloc hands out well. */
#ifndef QUIRE_POOL_BLOCK_BYTES
#define QUIRE_POOL_BLOCK_BYTES 4096
#endif

/* Bytes of free blocks that a thread keeps for its next memory pools where its configuration
 * doesn't say: some requests' worth. */
#ifndef QUIRE_POOL_KEEP_BYTES
#define QUIRE_POOL_KEEP_BYTES 262144
#endif

/* 0: QUIRE_BUG_ON only; 1: QUIRE_ASSERT too; 2: QUIRE_EXPENSIVE too (walks structures). */
#ifndef QUIRE_DEBUG_LEVEL
#define QUIRE_DEBUG_LEVEL 0
#endif

#define QUIRE_PAGE_SIZE (1ul << QUIRE_PAGE_SHIFT)
/* 1: the layers tell the port of each thing that happens to a frame, a page or an area
 * (base/events.h). It costs time wherever that is, so 0: nothing is left of it. */
#ifndef QUIRE_EVENTS
#define QUIRE_EVENTS 0
#endif

#define QUIRE_PAGEBLOCK_PAGES (1ul << QUIRE_PAGEBLOCK_ORDER)
#define QUIRE_SECTION_PAGES (1ul << (QUIRE_SECTION_SHIFT - QUIRE_PAGE_SHIFT))

#if QUIRE_PAGE_SHIFT < 12 || QUIRE_PAGE_SHIFT > 16
#error "QUIRE_PAGE_SHIFT must be 12 to 16"
#endif
#if QUIRE_PAGEBLOCK_ORDER < 6 || QUIRE_PAGEBLOCK_ORDER > 11
#error "QUIRE_PAGEBLOCK_ORDER must be 6 to 11"
#endif
#if QUIRE_LINEAR_BITS != 32 && QUIRE_LINEAR_BITS != 64
#error "QUIRE_LINEAR_BITS must be 32 or 64"
#endif
#if QUIRE_MAX_ORDER < QUIRE_PAGEBLOCK_ORDER || QUIRE_MAX_ORDER > 15
#error "QUIRE_MAX_ORDER must be QUIRE_PAGEBLOCK_ORDER to 15"
#endif
#if QUIRE_SECTION_SHIFT - QUIRE_PAGE_SHIFT < QUIRE_MAX_ORDER || QUIRE_SECTION_SHIFT > 30
#error "QUIRE_SECTION_SHIFT must be 30 at most, and a section must hold a block of QUIRE_MAX_ORDER"
#endif
#if QUIRE_MAX_NODES < 1 || QUIRE_MAX_NODES > 32
#error "QUIRE_MAX_NODES must be 1 to 32"
#endif
#if QUIRE_MAX_CPUS < 1 || QUIRE_MAX_CPUS > 4096
#error "QUIRE_MAX_CPUS must be 1 to 4096"
#endif
#if QUIRE_PCP_SHIFT < 5 || QUIRE_PCP_SHIFT > 12
#error "QUIRE_PCP_SHIFT must be 5 to 12"
#endif
#if QUIRE_SHARD_BLOCKS < 1 || QUIRE_SHARD_BLOCKS > 65536
#error "QUIRE_SHARD_BLOCKS must be 1 to 65536"
#endif
#if QUIRE_MEMBLOCK_STATIC_REGIONS < 16
#error "QUIRE_MEMBLOCK_STATIC_REGIONS must be 16 at least"
#endif
#if QUIRE_SLAB_MAX_CACHES < 64 || QUIRE_SLAB_MAX_CACHES > 2000
#error "QUIRE_SLAB_MAX_CACHES must be 64 to 2000"
#endif
#if QUIRE_TLB_FLUSH_PAGES < 1
#error "QUIRE_TLB_FLUSH_PAGES must be 1 at least"
#endif
#if QUIRE_POOL_BLOCK_BYTES < 512 || QUIRE_POOL_BLOCK_BYTES > 16777216
#error "QUIRE_POOL_BLOCK_BYTES must be 512 to 16 MiB"
#endif
#if QUIRE_POOL_KEEP_BYTES < 1
#error "QUIRE_POOL_KEEP_BYTES must be 1 at least"
#endif
#if QUIRE_EVENTS < 0 || QUIRE_EVENTS > 1
#error "QUIRE_EVENTS must be 0 or 1"
#endif
#if QUIRE_DEBUG_LEVEL < 0 || QUIRE_DEBUG_LEVEL > 2
#error "QUIRE_DEBUG_LEVEL must be 0, 1 or 2"
#endif

/* A name with all knobs in it that the headers make use of; the others (QUIRE_PCP_SHIFT,
 * QUIRE_SHARD_BLOCKS, QUIRE_SLAB_MAX_CACHES, QUIRE_TLB_FLUSH_PAGES, QUIRE_POOL_BLOCK_BYTES,
 * QUIRE_POOL_KEEP_BYTES, QUIRE_EVENTS and QUIRE_DEBUG_LEVEL: no header needs their values) are the
 * library's own affair. A function that every program calls has such a name, so that a program with
 * other knobs lacks a symbol, whose name says what differs. */
#define QUIRE_WITH_KNOBS(name)                                                                     \
    QUIRE_EXPAND_KNOBS(name, QUIRE_PAGE_SHIFT, QUIRE_PAGEBLOCK_ORDER, QUIRE_MAX_ORDER,             \
                       QUIRE_SECTION_SHIFT, QUIRE_MAX_NODES, QUIRE_MAX_CPUS,                       \
                       QUIRE_MEMBLOCK_STATIC_REGIONS, QUIRE_LINEAR_BITS)
#define QUIRE_EXPAND_KNOBS(name, ...) QUIRE_PASTE_KNOBS(name, __VA_ARGS__)
#define QUIRE_PASTE_KNOBS(name, p, b, o, s, n, c, r, l)                                            \
    name##_page##p##_block##b##_order##o##_section##s##_nodes##n##_cpus##c##_regions##r##_linear##l

#endif
