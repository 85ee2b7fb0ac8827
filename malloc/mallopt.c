/* malloc/mallopt.c: mallopt, and where its values may come from
 *
 * What glibc's parameters mean here:
 *
 *     M_MMAP_THRESHOLD  from this size on a block counts as mapped (mallinfo's hblks). Blocks from
 *                       128 KiB on always have a mapping; with a lower threshold those from there
 *                       on, too. As in glibc a mapped block that is freed raises it to its size,
 *                       unless one of the parameters was set
 *     M_MMAP_MAX        how many blocks count as mapped at a time
 *     M_TRIM_THRESHOLD  free bytes from which on the heap looks whether to give some back;
 *                       -1: never
 *     M_TOP_PAD         accepted, but the heap grows by sections
 *     M_PERTURB         bytes that malloc and free fill blocks with
 *
 * M_MXFAST, M_CHECK_ACTION, M_ARENA_TEST and M_ARENA_MAX are accepted; threads have no arenas here.
 */
#include <limits.h>
#include <malloc.h>

#include "malloc/options.h"

struct options options = {.map_threshold = 128ul << 10, .map_max = 65536};

#define MOST_MAP_THRESHOLD (32l << 20) /* glibc's HEAP_MAX_SIZE / 2 */
#define MOST_FAST_BYTES 160

static int set_map_threshold(int value)
{
    if (value < 0 || value > MOST_MAP_THRESHOLD)
        return 0;
    options.map_threshold = (size_t)value;
    return 1;
}

static void fix_thresholds(void)
{
    options.is_fixed = true;
    quire_heap_set_map_threshold(heap, options.map_threshold, options.map_max, true);
}

void set_trim_threshold(size_t bytes)
{
    quire_heap_set_trim_threshold(heap, bytes);
    fix_thresholds();
}

int option_set(int parameter, int value)
{
    switch (parameter) {
    case M_MMAP_THRESHOLD:
        if (!set_map_threshold(value))
            return 0;
        break;
    case M_MMAP_MAX:
        options.map_max = value < 0 ? 0 : (unsigned)value;
        break;
    case M_TRIM_THRESHOLD:
        set_trim_threshold((size_t)(long)value);
        return 1;
    case M_TOP_PAD:
        break;
    case M_PERTURB:
        options.perturb = (uint8_t)value;
        mode_set(options.perturb ? options.mode | MODE_PERTURB : options.mode & ~MODE_PERTURB);
        return 1;
    case M_MXFAST:
        return value >= 0 && value <= MOST_FAST_BYTES;
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return value > 0;
    case M_CHECK_ACTION:
        return 1;
    default:
        return 1; /* as glibc */
    }
    fix_thresholds();
    return 1;
}

EXPORT int mallopt(int parameter, int value)
{
    if (self.inside || !heap_enter())
        return 0;
    int done = option_set(parameter, value);
    heap_leave();
    return done;
}

EXPORT int __libc_mallopt(int parameter, int value);
int __libc_mallopt(int parameter, int value)
{
    return mallopt(parameter, value);
}
