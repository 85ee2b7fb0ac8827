/* tests/unit/movable.c: see movable.h */
#include "tests/unit/movable.h"

struct movables movables;

void machine_check_empty(struct quire_mem *mem)
{
    quire_drain_all_pages(mem);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(quire_mem_destroy(mem), 0);
    CHECK_EQ(machine.bad_pages, 0);
}

/* ---- content --------------------------------------------------------------------------------- */

#define WORDS (QUIRE_PAGE_SIZE / sizeof(uint32_t))

static uint32_t *map(struct quire_page *page, unsigned long frame)
{
    return quire_port_kmap_local(&machine.port, quire_page_to_phys(page) + frame * QUIRE_PAGE_SIZE);
}

static void fill(struct quire_page *page, unsigned order, uint32_t key)
{
    for (unsigned long frame = 0; frame < 1ul << order; frame++) {
        uint32_t *words = map(page, frame);
        words[0] = key + (uint32_t)frame;
        words[WORDS - 1] = ~(key + (uint32_t)frame);
        quire_port_kunmap_local(&machine.port, words);
    }
}

static void check_content(const struct movable *block)
{
    for (unsigned long frame = 0; frame < 1ul << block->order; frame++) {
        uint32_t *words = map(block->page, frame);
        CHECK_EQ(words[0], block->key + (uint32_t)frame);
        CHECK_EQ(words[WORDS - 1], ~(block->key + (uint32_t)frame));
        quire_port_kunmap_local(&machine.port, words);
    }
}

/* ---- the mover ------------------------------------------------------------------------------- */

static bool one_in(unsigned n)
{
    return n && !test_random_below(n);
}

static struct movable *slot_of(const struct quire_page *page)
{
    struct movable *block = &movables.block[page->owner_word];
    return page->owner_word < MAX_MOVABLES && block->page == page ? block : NULL;
}

static int isolate(void *arg, struct quire_page *page)
{
    struct movable *block = slot_of(page);
    CHECK(arg == &movables);
    CHECK(block && !block->isolated);
    if (!block || one_in(movables.refuse))
        return -QUIRE_EBUSY;
    block->isolated = true;
    movables.isolations++;
    return 0;
}

static int migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct movable *block = slot_of(from);
    CHECK(arg == &movables);
    CHECK(block && block->isolated);
    if (!block)
        return -QUIRE_EBUSY;
    if (one_in(movables.fail)) {
        movables.failures++;
        return test_random_below(2) ? -QUIRE_EAGAIN : -QUIRE_EBUSY;
    }
    CHECK_EQ(quire_page_order(to), block->order);
    CHECK_EQ(quire_page_order(from), block->order);
    CHECK_EQ(quire_page_is_compound(to), quire_page_is_compound(from));
    CHECK(quire_page_count(to) >= 1);
    for (unsigned long frame = 0; frame < 1ul << block->order; frame++) {
        uint32_t *source = map(from, frame), *target = map(to, frame);
        __builtin_memcpy(target, source, QUIRE_PAGE_SIZE);
        quire_port_kunmap_local(&machine.port, target);
        source[0] = source[WORDS - 1] = 0; /* who still used it would notice */
        quire_port_kunmap_local(&machine.port, source);
    }
    to->owner_word = from->owner_word;
    block->page = to;
    block->isolated = false;
    check_content(block);
    movables.moves++;
    return 0;
}

static void putback(void *arg, struct quire_page *page)
{
    struct movable *block = slot_of(page);
    CHECK(arg == &movables);
    CHECK(block && block->isolated);
    if (block)
        block->isolated = false;
    movables.putbacks++;
}

/* ---- the table ------------------------------------------------------------------------------- */

void movables_init(struct quire_mem *mem)
{
    __builtin_memset(&movables, 0, sizeof movables);
    movables.mem = mem;
    movables.mover = (struct quire_mover){isolate, migrate, putback, &movables};
    int id = quire_register_mover(mem, &movables.mover);
    CHECK(id > 0);
    movables.id = (unsigned)id;
}

int movable_adopt(struct quire_page *page)
{
    if (movables.count == MAX_MOVABLES)
        return -1;
    unsigned slot = movables.next;
    while (movables.block[slot].page)
        slot = (slot + 1) % MAX_MOVABLES;
    movables.next = (slot + 1) % MAX_MOVABLES;
    struct movable *block = &movables.block[slot];
    *block =
        (struct movable){page, (uint32_t)test_random(), (uint8_t)quire_page_order(page), false};
    fill(page, block->order, block->key);
    page->owner_word = slot;
    movables.count++;
    quire_page_set_mover(page, movables.id);
    return (int)slot;
}

int movable_alloc(quire_gfp_t gfp, unsigned order)
{
    if (movables.count == MAX_MOVABLES)
        return -1;
    struct quire_page *page = quire_alloc_pages(movables.mem, gfp | QUIRE_GFP_NOWARN, order);
    return page ? movable_adopt(page) : -1;
}

void movable_free(unsigned slot)
{
    struct movable *block = &movables.block[slot];
    CHECK(!block->isolated);
    check_content(block);
    CHECK_EQ(quire_page_order(block->page), block->order);
    CHECK_EQ(quire_page_count(block->page), 1);
    struct quire_page *page = block->page;
    block->page = NULL;
    movables.count--;
    quire_free_pages(movables.mem, page, block->order);
}

void movables_check(void)
{
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page) {
            CHECK(!movables.block[slot].isolated);
            check_content(&movables.block[slot]);
        }
}

void movables_free_all(void)
{
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page)
            movable_free(slot);
}
