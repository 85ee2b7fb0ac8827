/* kernel/pile.c: blocks that the demonstration holds, and that can be moved */
#include "pile.h"

#include "kernel.h"
#include "memory.h"

#define NEXT 0
#define PREVIOUS 1

struct quire_page *pile_next(const struct quire_page *page)
{
    return page->owner.pointer[NEXT];
}

void pile_push(struct pile *pile, struct quire_page *page)
{
    page->owner.pointer[NEXT] = pile->first;
    page->owner.pointer[PREVIOUS] = NULL;
    if (pile->first)
        pile->first->owner.pointer[PREVIOUS] = page;
    pile->first = page;
    pile->count++;
    if (pile->mover)
        quire_page_set_mover(page, pile->mover);
}

void pile_remove(struct pile *pile, struct quire_page *page)
{
    struct quire_page *next = page->owner.pointer[NEXT];
    struct quire_page *previous = page->owner.pointer[PREVIOUS];
    if (previous)
        previous->owner.pointer[NEXT] = next;
    else
        pile->first = next;
    if (next)
        next->owner.pointer[PREVIOUS] = previous;
    pile->count--;
}

unsigned long pile_fill(struct pile *pile, quire_gfp_t gfp, unsigned order, unsigned long count)
{
    unsigned long got = 0;
    for (; got < count; got++) {
        struct quire_page *page = quire_alloc_pages(machine_mem, gfp | QUIRE_GFP_NOWARN, order);
        if (!page)
            break;
        pile_push(pile, page);
    }
    return got;
}

void pile_free(struct pile *pile)
{
    while (pile->first) {
        struct quire_page *page = pile->first;
        pile_remove(pile, page);
        quire_put_page(machine_mem, page);
    }
}

static uint32_t *map_page(const struct quire_page *page)
{
    return quire_port_kmap_local(&machine_port, quire_page_to_phys(page));
}

static void unmap_page(void *virt)
{
    quire_port_kunmap_local(&machine_port, virt);
}

void pile_mark(struct pile *pile)
{
    uint32_t number = 0;
    for (struct quire_page *page = pile->first; page; page = pile_next(page)) {
        uint32_t *content = map_page(page);
        page->owner_word = number;
        content[0] = number++;
        unmap_page(content);
    }
}

unsigned long pile_count_damaged(const struct pile *pile)
{
    unsigned long damaged = 0;
    for (struct quire_page *page = pile->first; page; page = pile_next(page)) {
        uint32_t *content = map_page(page);
        damaged += content[0] != page->owner_word;
        unmap_page(content);
    }
    return damaged;
}

/* Off the list while it moves; on it again as another page, or as itself. */
static int isolate(void *arg, struct quire_page *page)
{
    pile_remove(arg, page);
    return 0;
}

static int migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct pile *pile = arg;
    void *source = map_page(from), *target = map_page(to);
    memcpy(target, source, QUIRE_PAGE_SIZE);
    unmap_page(target);
    unmap_page(source);
    to->owner_word = from->owner_word;
    pile_push(pile, to);
    return 0;
}

static void putback(void *arg, struct quire_page *page)
{
    pile_push(arg, page);
}

bool pile_make_movable(struct pile *pile, struct quire_mover *mover)
{
    *mover = (struct quire_mover){isolate, migrate, putback, pile};
    int id = quire_register_mover(machine_mem, mover);
    if (id > 0)
        pile->mover = (unsigned)id;
    return id > 0;
}
