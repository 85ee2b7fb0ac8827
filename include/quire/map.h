/* quire/map.h: from logical addresses to physical ones (layer 3)
 *
 *     logical  ── segment (GDT, LDT) ──►  linear  ── page tables (PGD P4D PUD PMD PT) ──►  physical
 *
 * Segments are x86's; page tables are described by data, and levels that a format lacks are folded,
 * so that callers always speak of five. Tables are memory of a quire_mem and are what hardware
 * walks; the same walk is here in software, with every check and error code of the processor's
 * manual, for simulation, tests and explanations.
 *
 *     quire/segment.h   what the processor does: segments
 *     quire/mmu.h                                the walk
 *     quire/fault.h                              what it raises
 *     quire/paging.h    formats of page tables, for both sides
 *     quire/pgtable.h   what a kernel does: page tables
 *     quire/windows.h                       direct map, kmap, fixmap
 *     quire/vmalloc.h                       vmalloc
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3A, chapters 3
 * (segmentation), 4 (paging), 6.15 (exceptions).
 */
#ifndef QUIRE_MAP_H
#define QUIRE_MAP_H

#include <quire/fault.h>
#include <quire/mmu.h>
#include <quire/paging.h>
#include <quire/pgtable.h>
#include <quire/segment.h>
#include <quire/vmalloc.h>
#include <quire/windows.h>

#endif
