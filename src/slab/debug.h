/* slab/debug.h: what is checked in caches with debugging flags
 *
 * An object's place in its slab:
 *
 *     | red zone | object | red zone, padding | track[2] | size asked for | padding |
 *     0          offset   + object_size        tracks     asked                      size
 *
 * Only what its flags ask for is there. Red zones are RED_FREE while the object is free, RED_USED
 * while it is allocated; a free object holds POISON_FREE and ends with POISON_END. The red zone of
 * kmalloc's objects begins where what was asked for ends, as in SLUB since Linux 6.2.
 */
#ifndef QUIRE_SLAB_DEBUG_H
#define QUIRE_SLAB_DEBUG_H

#include "slab/internal.h"

#define RED_FREE 0xbb
#define RED_USED 0xcc
#define POISON_NEW 0x5a
#define POISON_FREE 0x6b
#define POISON_END 0xa5

/* A new slab's objects become free ones. Nobody else has it. */
void debug_slab_created(struct cache *cache, struct quire_page *head);
/* A slab is on its way to phys: the last look at its objects, which are all free. Nobody else has
 * it. Without locks. */
void debug_slab_ends(struct cache *cache, struct quire_page *head);
/* With node->lock held: an object is being allocated, and begins at `object`. If it was written to
 * while it was free that is noted. `size`: what its user asked for. */
void debug_take(struct cache *cache, void *object, size_t size, uintptr_t caller,
                struct mistake *mistake);
/* Bytes of an object that may be used. */
size_t debug_room(const struct cache *cache, const struct quire_page *head, const void *object);
/* The user of an object of kmalloc wants less of it from now on. Without locks. */
void debug_shrink(struct cache *cache, void *object, size_t size, uintptr_t caller);
/* Frees an object if that makes sense, under its node's lock. */
void debug_free(struct cache *cache, void *object, uintptr_t caller, struct aftermath *after);
/* Without locks. */
void mistake_report(struct cache *cache, const struct mistake *mistake);
/* Those that are remembered, one by one, and how many there were beside them. Without locks. */
void report_misfits(struct cache *cache, const struct aftermath *after);
/* A cache can't be destroyed. Without locks. */
void report_leak(struct quire_kmem_cache *handle, unsigned long active);
/* kfree of what is neither in a slab nor a large block; `page` NULL: nor memory. */
void report_bad_kfree(struct quire_slab *slab, struct quire_page *page, void *ptr,
                      uintptr_t caller);
/* kfree of an object whose cache this quire_slab hasn't. */
void report_foreign_kfree(struct quire_slab *slab, void *ptr, uintptr_t caller);

/* The flags that the option string gives a cache of this name, and whether those of its creator
 * stand besides. */
quire_slab_flags_t debug_option_flags(const struct quire_slab *slab, const char *name,
                                      quire_slab_flags_t flags);
/* The first part that isn't understood; NULL: all are. */
const char *debug_options_wrong_part(const char *options);

#endif
