/* heap/class.c: sizes of blocks
 *
 * Multiples of 16 up to 256, then eight sizes for each doubling up to 8192: at most a ninth of a
 * block is of no use. Above that, whole pages.
 */
#include "heap/cache.h"

#define TWICE(class) (class), (class)
#define FOUR(class) TWICE(class), TWICE(class)
#define EIGHT(class) FOUR(class), FOUR(class)
#define SIXTEEN(class) EIGHT(class), EIGHT(class)
#define THIRTY_TWO(class) SIXTEEN(class), SIXTEEN(class)
#define SIXTY_FOUR(class) THIRTY_TWO(class), THIRTY_TWO(class)

/* Each of eight classes from `class` on, as many times as `steps` says. */
#define DOUBLING(steps, class)                                                                     \
    steps(class), steps((class) + 1), steps((class) + 2), steps((class) + 3), steps((class) + 4),  \
        steps((class) + 5), steps((class) + 6), steps((class) + 7)
#define ONCE(class) (class)

/* clang-format off */
const uint8_t quire_heap_size_class[NR_SIZE_STEPS] = {
    1, DOUBLING(ONCE, 1), DOUBLING(ONCE, 9), /* to 256 */
    DOUBLING(TWICE, 17),      /* to 512 */
    DOUBLING(FOUR, 25),       /* to 1024 */
    DOUBLING(EIGHT, 33),      /* to 2048 */
    DOUBLING(SIXTEEN, 41),    /* to 4096 */
    DOUBLING(THIRTY_TWO, 49), /* to 8192 */
};

const struct quire_heap_hot quire_heap_hot = {
    .tiny_class = {
        1, DOUBLING(SIXTEEN, 1), DOUBLING(SIXTEEN, 9), /* to 256 */
        DOUBLING(THIRTY_TWO, 17), /* to 512 */
        DOUBLING(SIXTY_FOUR, 25), /* to 1024 */
    },
    .no_stack = {STACK_END, STACK_END},
};

#define SIXTEENTHS(class) (class) * 16
#define RUN(pages) ((pages) << QUIRE_PAGE_SHIFT)
#define FROM_256(n) (256 + 32 * ((n) - 16))
#define FROM_512(n) (512 + 64 * ((n) - 24))
#define FROM_1024(n) (1024 + 128 * ((n) - 32))
#define FROM_2048(n) (2048 + 256 * ((n) - 40))
#define FROM_4096(n) (4096 + 512 * ((n) - 48))

const uint32_t quire_heap_class_bytes[NR_CLASSES] = {
    0, DOUBLING(SIXTEENTHS, 1), DOUBLING(SIXTEENTHS, 9),
    DOUBLING(FROM_256, 17), DOUBLING(FROM_512, 25), DOUBLING(FROM_1024, 33),
    DOUBLING(FROM_2048, 41), DOUBLING(FROM_4096, 49),
    DOUBLING(RUN, 1), DOUBLING(RUN, 9), DOUBLING(RUN, 17), DOUBLING(RUN, 25),
};
/* clang-format on */

_Static_assert(49 + 7 == NR_SMALL && NR_RUNS == 32, "every class has its size");

size_t class_for(size_t size, size_t align, unsigned *order)
{
    *order = 0;
    size_t class = size <= QUIRE_HEAP_MAX_SMALL ? small_class_aligned(size, align) : 0;
    if (class)
        return class;
    size_t pages = pages_for(size ? size : 1);
    if (pages > NR_RUNS || align > QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)
        return 0;
    if (align > QUIRE_PAGE_SIZE)
        *order = quire_fls64((uint64_t)align) - QUIRE_PAGE_SHIFT;
    return NR_SMALL + pages;
}
