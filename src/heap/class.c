/* heap/class.c: sizes of blocks
 *
 * Multiples of 16 up to 128, then four sizes for each doubling up to 8192: at most a fifth of a
 * block is of no use. Above that, whole pages.
 */
#include "heap/internal.h"

#define TWICE(class) (class), (class)
#define FOUR(class) TWICE(class), TWICE(class)
#define EIGHT(class) FOUR(class), FOUR(class)
#define SIXTEEN(class) EIGHT(class), EIGHT(class)
#define THIRTY_TWO(class) SIXTEEN(class), SIXTEEN(class)
#define SIXTY_FOUR(class) THIRTY_TWO(class), THIRTY_TWO(class)
#define HUNDRED_28(class) SIXTY_FOUR(class), SIXTY_FOUR(class)
#define DOUBLING(steps, class) steps(class), steps(class + 1), steps(class + 2), steps(class + 3)

/* clang-format off */
const uint8_t quire_heap_size_class[NR_SIZE_STEPS] = {
    1, 1, 2, 3, 4, 5, 6, 7, 8,
    DOUBLING(TWICE, 9),       /* to 256 */
    DOUBLING(FOUR, 13),       /* to 512 */
    DOUBLING(EIGHT, 17),      /* to 1024 */
    DOUBLING(SIXTEEN, 21),    /* to 2048 */
    DOUBLING(THIRTY_TWO, 25), /* to 4096 */
    DOUBLING(SIXTY_FOUR, 29), /* to 8192 */
};
/* clang-format on */

/* clang-format off */
const uint8_t quire_heap_tiny_class[MAX_TINY + 1] = {
    1, SIXTEEN(1), SIXTEEN(2), SIXTEEN(3), SIXTEEN(4), SIXTEEN(5), SIXTEEN(6), SIXTEEN(7),
    SIXTEEN(8),
    DOUBLING(THIRTY_TWO, 9),   /* to 256 */
    DOUBLING(SIXTY_FOUR, 13),  /* to 512 */
    DOUBLING(HUNDRED_28, 17),  /* to 1024 */
};
/* clang-format on */

_Static_assert(29 + 3 == NR_SMALL, "the last class is the largest small one");

#define RUN(pages) ((pages) << QUIRE_PAGE_SHIFT)
#define FOUR_RUNS(pages) RUN(pages), RUN((pages) + 1), RUN((pages) + 2), RUN((pages) + 3)
#define SIXTEEN_RUNS(pages)                                                                        \
    FOUR_RUNS(pages), FOUR_RUNS((pages) + 4), FOUR_RUNS((pages) + 8), FOUR_RUNS((pages) + 12)
#define FOUR_SIZES(from) (from) / 4 * 5, (from) / 4 * 6, (from) / 4 * 7, (from)*2

const uint32_t quire_heap_class_bytes[NR_CLASSES] = {
    0,
    16,
    32,
    48,
    64,
    80,
    96,
    112,
    128,
    FOUR_SIZES(128),
    FOUR_SIZES(256),
    FOUR_SIZES(512),
    FOUR_SIZES(1024),
    FOUR_SIZES(2048),
    FOUR_SIZES(4096),
    SIXTEEN_RUNS(1),
    SIXTEEN_RUNS(17),
};

size_t class_for(size_t size, size_t align, unsigned *order)
{
    *order = 0;
    if (align <= QUIRE_PAGE_SIZE && size <= QUIRE_HEAP_MAX_SMALL)
        for (size_t class = quire_heap_size_class[(size + MIN_ALIGN - 1) / MIN_ALIGN];
             class <= NR_SMALL; class ++)
            if (!(class_size(class) & (align - 1)))
                return class;
    size_t pages = pages_for(size ? size : 1);
    if (pages > NR_RUNS || align > QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)
        return 0;
    if (align > QUIRE_PAGE_SIZE)
        *order = quire_fls64((uint64_t)align) - QUIRE_PAGE_SHIFT;
    return NR_SMALL + pages;
}
