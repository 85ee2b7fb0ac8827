/* phys/compaction.c: moving pages together so that large blocks come free */
#include "phys/internal.h"

struct quire_page *direct_compact(const struct alloc_context *ac, unsigned alloc_flags, bool gently,
                                  enum compact_result *result)
{
    (void)ac;
    (void)alloc_flags;
    (void)gently;
    *result = COMPACT_SKIPPED;
    return NULL;
}
