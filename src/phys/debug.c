/* phys/debug.c: catching a caller's mistakes
 *
 * Double frees, frees of another order and frees of what was never allocated are always caught, by
 * the comparison that a free makes anyway; the reason is worked out here. Poison fills what is free
 * and checks it on allocation; while it is on, the per-CPU lists are closed so that every block
 * passes the zone's path, and the hot path stays as it is. Owner tracking keeps the caller of each
 * allocation in an array of its own, and closes the lists too.
 */
#include "phys/internal.h"

#include "base/text.h"

#define POISON_BYTE 0xaa

void bad_page(struct quire_mem *mem, unsigned long pfn, const char *what)
{
    char text[256];
    quire_snprintf(text, sizeof text, "quire: bad page at frame 0x%lx: %s", pfn, what);
    quire_report_mistake(mem, quire_pfn(pfn), text);
}

void report_bad_free(struct quire_mem *mem, struct quire_page *page, unsigned order, uint32_t flags)
{
    char what[160];
    unsigned long pfn = page->pfn;
    if (order > MAX_ORDER)
        quire_snprintf(what, sizeof what, "free with order %u, above the largest", order);
    else if ((flags & ~PAGE_ZONE_MASK) == PAGE_HOLE)
        quire_snprintf(what, sizeof what, "free of a frame that is a hole of the memory map");
    else if (flags & PAGE_RESERVED)
        quire_snprintf(what, sizeof what, "free of a reserved frame");
    else if (flags & PAGE_ALLOCATED && flags_order(flags) != order)
        quire_snprintf(what, sizeof what, "free with order %u of a block of order %u", order,
                       flags_order(flags));
    else if (flags & PAGE_ALLOCATED && flags & QUIRE_PAGE_OWNER_FLAGS)
        quire_snprintf(what, sizeof what, "free of a block whose owner's flags are set: 0x%x",
                       flags & QUIRE_PAGE_OWNER_FLAGS);
    else if (flags & PAGE_ALLOCATED)
        quire_snprintf(what, sizeof what, "free of an allocated block without references");
    else if (buddy_frame_is_free(mem, pfn))
        quire_snprintf(what, sizeof what, "double free: it is free in its zone");
    else {
        const struct quire_page *head = quire_compound_head(mem, page);
        if (head)
            quire_snprintf(what, sizeof what, "free inside a block of order %u allocated at 0x%x",
                           flags_order(page_flags(head)), head->pfn);
        else
            quire_snprintf(what, sizeof what, "double free: it is on a per-CPU list");
    }
    bad_page(mem, pfn, what);
}

/* ---- content --------------------------------------------------------------------------------- */

static void fill_pages(struct quire_mem *mem, unsigned long pfn, unsigned long count, int byte)
{
    for (unsigned long i = 0; i < count; i++) {
        void *page = quire_port_kmap_local(mem->port, quire_pfn_to_phys(quire_pfn(pfn + i)));
        __builtin_memset(page, byte, QUIRE_PAGE_SIZE);
        quire_port_kunmap_local(mem->port, page);
    }
}

void clear_pages(struct quire_mem *mem, unsigned long pfn, unsigned long count)
{
    fill_pages(mem, pfn, count, 0);
}

void poison_pages(struct quire_mem *mem, unsigned long pfn, unsigned long count)
{
    fill_pages(mem, pfn, count, POISON_BYTE);
}

void check_poison(struct quire_mem *mem, unsigned long pfn, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        unsigned char *page =
            quire_port_kmap_local(mem->port, quire_pfn_to_phys(quire_pfn(pfn + i)));
        unsigned long at = 0;
        while (at < QUIRE_PAGE_SIZE && page[at] == POISON_BYTE)
            at++;
        unsigned char found = at < QUIRE_PAGE_SIZE ? page[at] : 0;
        quire_port_kunmap_local(mem->port, page);
        if (at < QUIRE_PAGE_SIZE) {
            char what[96];
            quire_snprintf(what, sizeof what,
                           "written while free: byte %lu is 0x%x, not the poison 0x%x", at, found,
                           POISON_BYTE);
            bad_page(mem, pfn + i, what);
        }
    }
}

void poison_free_pages(struct quire_mem *mem)
{
    for_each_zone (mem, zone) {
        quire_port_irq_t irq = zone_lock(zone);
        for (unsigned long pfn = zone->start; pfn < zone->end; pfn++)
            if (pfn_valid(mem, pfn) && pageblock_zone(pfn_to_pageblock(mem, pfn)) == zone->id &&
                buddy_frame_is_free(mem, pfn))
                poison_pages(mem, pfn, 1);
        zone_unlock(zone, irq);
    }
}

int quire_set_debug(struct quire_mem *mem, unsigned debug)
{
    if ((debug ^ mem->debug) & ~QUIRE_DEBUG_POISON)
        return -QUIRE_EINVAL;
    if (debug == mem->debug)
        return 0;
    bool on = debug & QUIRE_DEBUG_POISON;
    if (on)
        for_each_zone (mem, zone)
            pcp_close(zone);
    if (on)
        poison_free_pages(mem);
    quire_store_relaxed(&mem->debug, debug);
    if (!on)
        for_each_zone (mem, zone)
            pcp_open(zone);
    return 0;
}

/* ---- owners ---------------------------------------------------------------------------------- */

static struct page_owner *owner_of(const struct quire_mem *mem, unsigned long pfn)
{
    unsigned long number = pfn >> SECTION_PFN_SHIFT;
    return &mem->owners[number][pfn - mem->extents[number].first];
}

/* Stored and read word by word: who dumps owners while they change sees some that are half written,
 * which is no worse than late. */
static void owner_write(struct page_owner *owner, uintptr_t caller, unsigned order)
{
    quire_store_relaxed(&owner->caller, caller);
    quire_store_relaxed(&owner->order, order);
}

static struct page_owner owner_read(const struct page_owner *owner)
{
    return (struct page_owner){quire_load_relaxed(&owner->caller),
                               quire_load_relaxed(&owner->order)};
}

void owner_set(struct quire_mem *mem, struct quire_page *page, unsigned order, uintptr_t caller)
{
    owner_write(owner_of(mem, page->pfn), caller, order + 1);
}

void owner_clear(struct quire_mem *mem, struct quire_page *page)
{
    quire_store_relaxed(&owner_of(mem, page->pfn)->order, 0);
}

void owner_copy(struct quire_mem *mem, struct quire_page *to, struct quire_page *from)
{
    struct page_owner owner = owner_read(owner_of(mem, from->pfn));
    owner_write(owner_of(mem, to->pfn), owner.caller, owner.order);
}

void owner_split(struct quire_mem *mem, struct quire_page *page, unsigned order)
{
    struct page_owner owner = owner_read(owner_of(mem, page->pfn));
    for (unsigned long i = 0; i < 1ul << order; i++)
        owner_write(owner_of(mem, page->pfn + i), owner.caller, 1);
}

struct owner_sum {
    uintptr_t caller, next; /* this one, and the lowest above it */
    unsigned long pages, blocks;
};

/* Adds up what `sum->caller` holds, and finds the caller after it. */
static void sum_owner(const struct quire_mem *mem, struct owner_sum *sum)
{
    for (unsigned long number = 0; number < mem->sections.count; number++) {
        struct section_extent extent = mem->extents[number];
        for (unsigned long i = 0; i < extent.end - extent.first; i++) {
            struct page_owner owner = owner_read(&mem->owners[number][i]);
            if (!owner.order)
                continue;
            if (owner.caller == sum->caller) {
                sum->pages += 1ul << (owner.order - 1);
                sum->blocks++;
            } else if (owner.caller > sum->caller && owner.caller < sum->next) {
                sum->next = owner.caller;
            }
        }
    }
}

void quire_dump_owners(struct quire_mem *mem, quire_write_fn *write, void *arg)
{
    struct text text;
    char caller[CODE_TEXT_BYTES];
    text_init(&text, write, arg);
    if (!(mem->debug & QUIRE_DEBUG_OWNER)) {
        text_puts(&text, "owners aren't tracked: set QUIRE_DEBUG_OWNER at init\n");
        text_flush(&text);
        return;
    }
    text_printf(&text, "%10s %10s %s\n", "pages", "blocks", "caller");
    for (struct owner_sum sum = {.next = UINTPTR_MAX};;
         sum = (struct owner_sum){sum.next, UINTPTR_MAX, 0, 0}) {
        sum_owner(mem, &sum);
        if (sum.blocks)
            text_printf(&text, "%10lu %10lu %s\n", sum.pages, sum.blocks,
                        code_text(sum.caller, caller));
        if (sum.next == UINTPTR_MAX)
            break;
    }
    text_flush(&text);
}
