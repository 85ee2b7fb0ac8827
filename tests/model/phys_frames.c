/* tests/model/phys_frames.c: the reference's frames, worked out from the memory map
 *
 * A frame is memory if one range covers it wholly; it is handed out if no byte of it is reserved,
 * by the caller or by the library. Its zone is that of the first memory of its pageblock, by the
 * table of zone ends.
 */
#include "tests/model/phys_model.h"

static void mark(struct model *model, quire_phys_t base, quire_phys_t size, bool whole,
                 enum frame_state state)
{
    quire_phys_t end = base + size;
    base = whole ? quire_align_up(base, QUIRE_PAGE_SIZE) : base;
    end = whole ? end : quire_align_up(end, QUIRE_PAGE_SIZE);
    for (unsigned long pfn = quire_phys_to_pfn(base).value; pfn < quire_phys_to_pfn(end).value;
         pfn++)
        model->state[pfn] = (uint8_t)state;
}

/* What the library took for itself isn't free in the map any more. */
static int count_free(void *arg, quire_phys_t base, quire_phys_t size, int node,
                      enum quire_memblock_kind kind)
{
    struct model *model = arg;
    unsigned long first = quire_phys_to_pfn(quire_align_up(base, QUIRE_PAGE_SIZE)).value;
    unsigned long end = quire_phys_to_pfn(base + size).value;
    (void)node;
    (void)kind;
    for (unsigned long pfn = first; pfn < end; pfn++)
        if (pfn) {
            EXPECT(model, model->state[pfn] == FRAME_RESERVED);
            model->state[pfn] = FRAME_FREE;
        }
    return 0;
}

static void fill_states(struct model *model)
{
    for (unsigned i = 0; i < model->nr_ranges; i++)
        mark(model, model->range[i].base, model->range[i].size, true,
             model->range[i].kind == QUIRE_MEMBLOCK_NOMAP ? FRAME_NOMAP : FRAME_RESERVED);
    quire_memblock_for_each_free(&model->memblock, count_free, model);
    for (unsigned i = 0; i < model->nr_reserved; i++) {
        const struct model_range *range = &model->reserved[i];
        for (unsigned long pfn = quire_phys_to_pfn(range->base).value;
             range->size && pfn <= quire_phys_to_pfn(range->base + range->size - 1).value; pfn++)
            EXPECT(model, model->state[pfn] != FRAME_FREE);
    }
}

static const struct model_range *range_of(const struct model *model, unsigned long pfn)
{
    quire_phys_t phys = quire_pfn_to_phys(quire_pfn(pfn));
    unsigned i = 0;
    while (model->range[i].base + model->range[i].size <= phys)
        i++;
    return &model->range[i];
}

static unsigned type_by_address(const struct model *model, unsigned long pfn)
{
    static const quire_phys_t port_ends[QUIRE_NR_ZONES] = QUIRE_PORT_ZONE_ENDS;
    const quire_phys_t *end = model->config.zone_end;
    bool given = false;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        given = given || end[type];
    for (unsigned type = 0; type < QUIRE_ZONE_MOVABLE; type++)
        if (quire_pfn_to_phys(quire_pfn(pfn)) < (given ? end : port_ends)[type])
            return type;
    return QUIRE_NR_ZONES;
}

/* The zone of a pageblock is that of its first frame of memory. How far ZONE_MOVABLE reaches down
 * is the library's choice, but only the highest zone by address gives to it. */
static uint8_t zone_of_first(struct model *model, unsigned long pfn, unsigned highest)
{
    const struct model_range *range = range_of(model, pfn);
    unsigned type = type_by_address(model, pfn);
    bool has_movable = model->config.zone_end[QUIRE_ZONE_MOVABLE] || model->config.movable_size;
    if (range->kind == QUIRE_MEMBLOCK_HOTPLUG && has_movable)
        type = QUIRE_ZONE_MOVABLE;
    else if (type == QUIRE_NR_ZONES)
        return ZONE_NOWHERE;
    else if (model->config.movable_size && type >= highest &&
             quire_page_zone(model->mem, quire_pfn_to_page(model->mem, quire_pfn(pfn))) ==
                 QUIRE_ZONE_MOVABLE)
        type = QUIRE_ZONE_MOVABLE;
    return zone_key((unsigned)range->node, type);
}

static void fill_zone(struct model *model, unsigned long block, unsigned highest)
{
    uint8_t key = ZONE_NOWHERE;
    unsigned long end = block + QUIRE_PAGEBLOCK_PAGES;
    for (unsigned long pfn = block; pfn < end && pfn < model->nr_frames; pfn++) {
        model->zone[pfn] = ZONE_NOWHERE;
        if (model->state[pfn] == FRAME_HOLE)
            continue;
        if (key == ZONE_NOWHERE)
            key = zone_of_first(model, pfn, highest);
        if (key == ZONE_NOWHERE) {
            model->state[pfn] = FRAME_HOLE; /* above the last zone */
            continue;
        }
        const struct quire_page *page = quire_pfn_to_page(model->mem, quire_pfn(pfn));
        model->zone[pfn] = key;
        EXPECT_EQ(model, quire_page_zone(model->mem, page), key % QUIRE_NR_ZONES);
        EXPECT_EQ(model, quire_page_node(model->mem, page), key / QUIRE_NR_ZONES);
        if (model->state[pfn] == FRAME_FREE) {
            model->managed++;
            model->zone_managed[key]++;
        }
    }
}

/* movable_size is a bound, but for what shares a pageblock with hotplug memory. */
static void check_movable_size(struct model *model)
{
    unsigned long frames = 0;
    for (unsigned long pfn = 0; pfn < model->nr_frames; pfn++)
        if (model->zone[pfn] != ZONE_NOWHERE &&
            model->zone[pfn] % QUIRE_NR_ZONES == QUIRE_ZONE_MOVABLE &&
            range_of(model, pfn)->kind == QUIRE_MEMBLOCK_RAM)
            frames++;
    EXPECT(model, frames <= (model->config.movable_size >> QUIRE_PAGE_SHIFT) +
                                model->nr_ranges * QUIRE_PAGEBLOCK_PAGES);
}

static void fill_zones(struct model *model)
{
    unsigned highest = 0;
    for (unsigned long pfn = 0; pfn < model->nr_frames; pfn++) {
        unsigned type = type_by_address(model, pfn);
        if (model->state[pfn] != FRAME_HOLE && type < QUIRE_NR_ZONES && type > highest &&
            range_of(model, pfn)->kind == QUIRE_MEMBLOCK_RAM)
            highest = type;
    }
    for (unsigned long block = 0; block < model->nr_frames; block += QUIRE_PAGEBLOCK_PAGES)
        fill_zone(model, block, highest);
    check_movable_size(model);
}

/* What isn't the allocator's is never written: NOMAP frames, and whole frames of reservations. */
static void for_each_kept_word(struct model *model, void (*visit)(struct model *, uint64_t *))
{
    for (unsigned long pfn = 0; pfn < model->nr_frames; pfn++)
        if (model->state[pfn] == FRAME_NOMAP) {
            uint64_t *word = quire_port_kmap_local(&model->port, quire_pfn_to_phys(quire_pfn(pfn)));
            visit(model, word);
            quire_port_kunmap_local(&model->port, word);
        }
    for (unsigned i = 0; i < model->nr_reserved; i++) {
        struct model_range *range = &model->reserved[i];
        quire_phys_t phys = quire_align_up(range->base, QUIRE_PAGE_SIZE);
        for (; phys + QUIRE_PAGE_SIZE <= range->base + range->size; phys += QUIRE_PAGE_SIZE) {
            uint64_t *word = quire_port_kmap_local(&model->port, phys);
            if (model->state[quire_phys_to_pfn(phys).value] == FRAME_RESERVED)
                visit(model, word);
            quire_port_kunmap_local(&model->port, word);
        }
    }
}

#define KEPT_WORD 0x6b65707420776f72u

static void write_kept_word(struct model *model, uint64_t *word)
{
    (void)model;
    *word = KEPT_WORD;
}

static void check_kept_word(struct model *model, uint64_t *word)
{
    EXPECT_EQ(model, *word, KEPT_WORD);
}

void frames_fill(struct model *model)
{
    fill_states(model);
    fill_zones(model);
    for_each_kept_word(model, write_kept_word);
}

void frames_check_kept(struct model *model)
{
    for_each_kept_word(model, check_kept_word);
}
