/* tools/report_space.c: address spaces, as events say
 *
 * Areas are an array by start: a program has tens of them. Pages that are there are bits, 512 to a
 * chunk; chunks are in a hash table with open addressing, so memory grows with what a space has
 * ever had there, not with its addresses.
 *
 *   invariant   areas don't overlap: what comes at the place of others takes it from them
 *   bound       MOST_CHUNKS of all spaces together: a fork copies what many events told, so a small
 *               file could ask for any amount. What has no room isn't known to be there
 */
#include "report_space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SHIFT 9
#define CHUNK_PAGES ((uint64_t)1 << CHUNK_SHIFT)
#define FIRST_ROOM 16u
#define MOST_CHUNKS ((uint64_t)1 << 21) /* 144 MiB */
#define MOST_PAGES 1024u                /* of a table of i386 */

#define AREA_READ 1u
#define AREA_WRITE 2u
#define AREA_EXEC 4u
#define AREA_SHARED 8u
#define AREA_GROWSDOWN 0x100u
#define KIND_ANON 0
#define ACCESS_WRITE 1u

struct space_pages {
    uint64_t there;    /* pages, in all */
    size_t used, room; /* chunks; room: a power of two */
    uint64_t *taken;   /* by all spaces */
    struct chunk {
        uint64_t key; /* page >> CHUNK_SHIFT, and 1 more: 0 is nobody's */
        uint64_t bits[CHUNK_PAGES / 64];
    } * chunk;
};

struct report_space *space_new(uint64_t number, uint64_t *chunks)
{
    struct report_space *space = must(calloc(1, sizeof *space));
    space->number = number;
    space->pages = must(calloc(1, sizeof *space->pages));
    space->pages->taken = chunks;
    return space;
}

void space_free(struct report_space *space)
{
    *space->pages->taken -= space->pages->room;
    free(space->area);
    free(space->pages->chunk);
    free(space->pages);
    free(space);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static struct chunk *slot_of(const struct space_pages *pages, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32);
    while (pages->chunk[at &= pages->room - 1].key && pages->chunk[at].key != key)
        at++;
    return &pages->chunk[at];
}

static bool is_empty(const struct chunk *chunk)
{
    uint64_t any = 0;
    for (size_t i = 0; i < CHUNK_PAGES / 64; i++)
        any |= chunk->bits[i];
    return !any;
}

/* Empty chunks don't come along. False: there is no room for more. */
static bool grow(struct space_pages *pages)
{
    struct space_pages before = *pages;
    size_t live = 0;
    for (size_t i = 0; i < before.room; i++)
        live += before.chunk[i].key && !is_empty(&before.chunk[i]);
    size_t room = FIRST_ROOM;
    while (room < 4 * live)
        room *= 2;
    if (room > before.room && *pages->taken + room - before.room > MOST_CHUNKS)
        return false;
    *pages->taken += room - before.room;
    pages->room = room;
    pages->used = live;
    pages->chunk = must(calloc(pages->room, sizeof *pages->chunk));
    for (size_t i = 0; i < before.room; i++)
        if (before.chunk[i].key && !is_empty(&before.chunk[i]))
            *slot_of(pages, before.chunk[i].key) = before.chunk[i];
    free(before.chunk);
    return true;
}

static struct chunk *chunk_of(struct space_pages *pages, uint64_t page, bool make)
{
    uint64_t key = (page >> CHUNK_SHIFT) + 1;
    if (!pages->room && !make)
        return NULL;
    if (2 * pages->used >= pages->room && make && !grow(pages))
        return NULL;
    struct chunk *chunk = slot_of(pages, key);
    if (!chunk->key && make) {
        chunk->key = key;
        pages->used++;
    }
    return chunk->key ? chunk : NULL;
}

static bool is_there(struct space_pages *pages, uint64_t page)
{
    const struct chunk *chunk = chunk_of(pages, page, false);
    return chunk && chunk->bits[page % CHUNK_PAGES / 64] >> page % 64 & 1;
}

static void set_page(struct space_pages *pages, uint64_t page, bool there)
{
    struct chunk *chunk = chunk_of(pages, page, there);
    uint64_t bit = (uint64_t)1 << page % 64;
    if (!chunk)
        return;
    uint64_t *word = &chunk->bits[page % CHUNK_PAGES / 64];
    if (!(*word & bit) == there) {
        *word ^= bit;
        pages->there += there ? 1 : UINT64_MAX;
    }
}

/* An event tells of what one table has at most: more is no machine's, and would take memory that
 * the file doesn't account for. */
static uint64_t sane(uint64_t pages)
{
    return pages < MOST_PAGES ? pages : MOST_PAGES;
}

void space_map(struct report_space *space, uint64_t page, uint64_t pages)
{
    pages = sane(pages);
    for (uint64_t i = 0; i < pages; i++)
        set_page(space->pages, page + i, true);
}

void space_unmap(struct report_space *space, uint64_t page, uint64_t pages)
{
    pages = sane(pages);
    for (uint64_t i = 0; i < pages; i++)
        set_page(space->pages, page + i, false);
}

void space_move(struct report_space *space, uint64_t from, uint64_t to, uint64_t pages)
{
    pages = sane(pages);
    for (uint64_t i = 0; i < pages; i++) {
        bool there = is_there(space->pages, from + i);
        set_page(space->pages, from + i, false);
        set_page(space->pages, to + i, there);
    }
}

uint64_t space_resident(const struct report_space *space)
{
    return space->resident[RESIDENT_FILE] + space->resident[RESIDENT_ANON] +
           space->resident[RESIDENT_SHMEM];
}

bool space_is_settled(const struct report_space *space)
{
    return space->pages->there == space_resident(space);
}

/* ---- areas ----------------------------------------------------------------------------------- */

/* The first one that ends behind the page. */
static size_t area_above(const struct report_space *space, uint64_t page)
{
    size_t low = 0, high = space->nr_areas;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (space->area[middle].start + space->area[middle].pages > page)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct space_area *area_at(const struct report_space *space, uint64_t page)
{
    size_t at = area_above(space, page);
    return at < space->nr_areas && space->area[at].start <= page ? &space->area[at] : NULL;
}

static void remove_areas(struct report_space *space, size_t at, size_t count)
{
    space->nr_areas -= count;
    memmove(space->area + at, space->area + at + count,
            (space->nr_areas - at) * sizeof *space->area);
}

static void insert_area(struct report_space *space, size_t at, struct space_area area)
{
    if (space->nr_areas == space->room) {
        space->room = space->room ? 2 * space->room : FIRST_ROOM;
        space->area = must(realloc(space->area, space->room * sizeof *space->area));
    }
    memmove(space->area + at + 1, space->area + at, (space->nr_areas++ - at) * sizeof *space->area);
    space->area[at] = area;
}

void space_area_end(struct report_space *space, uint64_t start)
{
    size_t at = area_above(space, start);
    if (at < space->nr_areas && space->area[at].start == start)
        remove_areas(space, at, 1);
}

/* An area that is cut by another is told of again, so what is left of it here doesn't last. */
void space_area(struct report_space *space, const struct event *event)
{
    struct space_area area = {.start = event->field[1],
                              .pages = event->field[2],
                              .flags = event->field[3],
                              .kind = event->field[4]};
    uint64_t end = area.start + area.pages;
    if (!area.pages || end < area.start)
        return;
    size_t at = area_above(space, area.start), last = at;
    while (last < space->nr_areas && space->area[last].start < end) {
        area.written |= space->area[last].written;
        last++;
    }
    if (at < last && space->area[at].start < area.start) {
        space->area[at].pages = area.start - space->area[at].start;
        at++;
    }
    if (at < last) {
        struct space_area *tail = &space->area[last - 1];
        uint64_t tail_end = tail->start + tail->pages;
        if (tail_end > end) {
            tail->start = end;
            tail->pages = tail_end - end;
            last--;
        }
        remove_areas(space, at, last - at);
    }
    insert_area(space, at, area);
}

void space_fault(struct report_space *space, const struct event *event)
{
    uint64_t page = event->field[1];
    bool writes = event->field[3] & ACCESS_WRITE;
    struct space_area *area = area_at(space, page);
    if (area && writes && area->kind != KIND_ANON && !(area->flags & AREA_SHARED))
        area->written = true;
    if (event->field[2] != EVENT_FAULT_ANON || writes)
        set_page(space->pages, page, true);
}

/* What a file has isn't copied: the child finds it there when it looks. */
static bool is_inherited(const struct space_area *area)
{
    return area && (area->kind == KIND_ANON || area->written);
}

void space_inherit(struct report_space *child, const struct report_space *parent)
{
    child->nr_areas = child->room = parent->nr_areas;
    child->area = must(realloc(child->area, child->room * sizeof *child->area + 1));
    if (child->nr_areas)
        memcpy(child->area, parent->area, child->nr_areas * sizeof *child->area);
    for (size_t i = 0; i < parent->pages->room; i++) {
        const struct chunk *chunk = &parent->pages->chunk[i];
        if (!chunk->key || is_empty(chunk))
            continue;
        for (uint64_t j = 0; j < CHUNK_PAGES; j++) {
            uint64_t page = ((chunk->key - 1) << CHUNK_SHIFT) + j;
            if (chunk->bits[j / 64] >> j % 64 & 1 && is_inherited(area_at(parent, page)))
                set_page(child->pages, page, true);
        }
    }
}

/* ---- a look at all --------------------------------------------------------------------------- */

static void describe(struct report_area *to, const struct space_area *from)
{
    const char *name = from->flags & AREA_GROWSDOWN ? "stack"
                       : from->kind == KIND_ANON    ? "anonymous"
                       : from->flags & AREA_SHARED  ? "shared file or memory"
                       : from->flags & AREA_WRITE   ? "file, private, written to"
                       : from->flags & AREA_EXEC    ? "file, code"
                                                    : "file, private";
    *to = (struct report_area){.start = from->start, .end = from->start + from->pages};
    to->nr_parts = from->pages < REPORT_AREA_PARTS ? (unsigned)from->pages : REPORT_AREA_PARTS;
    snprintf(to->name, sizeof to->name, "%s", name);
    snprintf(to->rights, sizeof to->rights, "%c%c%c%c", from->flags & AREA_READ ? 'r' : '-',
             from->flags & AREA_WRITE ? 'w' : '-', from->flags & AREA_EXEC ? 'x' : '-',
             from->flags & AREA_SHARED ? 's' : 'p');
}

static void count_page(struct report_areas *areas, const struct report_space *space, uint64_t page)
{
    size_t at = area_above(space, page);
    if (at >= areas->count || space->area[at].start > page)
        return;
    struct report_area *area = &areas->area[at];
    uint64_t pages = area->end - area->start;
    uint64_t length = (pages + area->nr_parts - 1) / area->nr_parts;
    area->resident++;
    area->part[(page - area->start) / length]++;
}

void space_look(const struct report_space *space, uint64_t time_ns, struct report_areas *areas)
{
    size_t count = space->nr_areas < REPORT_MOST_AREAS ? space->nr_areas : REPORT_MOST_AREAS;
    report_clear_areas(areas);
    *areas = (struct report_areas){.time_ns = time_ns,
                                   .resident = space_resident(space),
                                   .area = must(calloc(count + 1, sizeof *areas->area)),
                                   .count = (unsigned)count,
                                   .left_out = (unsigned)(space->nr_areas - count)};
    for (size_t i = 0; i < count; i++)
        describe(&areas->area[i], &space->area[i]);
    for (size_t i = 0; i < space->pages->room; i++) {
        const struct chunk *chunk = &space->pages->chunk[i];
        for (uint64_t j = 0; chunk->key && j < CHUNK_PAGES; j++)
            if (chunk->bits[j / 64] >> j % 64 & 1)
                count_page(areas, space, ((chunk->key - 1) << CHUNK_SHIFT) + j);
    }
}
