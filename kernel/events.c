/* kernel/events.c: events become bytes, and bytes pages that the device takes as they are
 *
 * A record is written into the page that is being filled; a page without room for the largest
 * record is lent to the device, and the next one that it has given back is filled. So an event
 * costs its encoding, and a page one kick of the device.
 *
 *   before the line is there   pages are filled in their order until there are no more; what comes
 *                              then is lost, and counted
 *   afterwards                 who finds all pages with the device looks at it until it gives one
 *                              back: nothing is lost, however slow the reader. An event may come
 *                              from where nobody can sleep, and who could would let others run, who
 *                              tell of events, too
 *   a device that is broken    takes everything, to nowhere
 *
 * In use are the kernel's own pages, since telling of an allocation mustn't allocate. Nothing here
 * is reentered: interrupts are off, and what is called tells of no events.
 */
#include "events.h"

#include <quire/port.h>

#include "base/events.h"
#include "dev/lines.h"
#include "event.h"
#include "kernel.h"
#include "memory.h"

#define NR_PAGES 32u
#define CLOCK_SHIFT 10u /* a unit of the records' clock is 1024 ns */
#define MOST_TEXT 64u
/* Number, time, fields of at most 10 bytes, text. */
#define MOST_RECORD (1 + 10 + QUIRE_MAX_EVENT_FIELDS * 10 + MOST_TEXT)
#define TICKS_PER_SAMPLE 10u

_Static_assert(QUIRE_NR_EVENTS <= 64, "a number has a byte, and room for marks");

struct encoder {
    uint64_t pfn, page, time, count;
};

static char pages[NR_PAGES][QUIRE_PAGE_SIZE] __attribute__((aligned(QUIRE_PAGE_SIZE)));
static uint32_t ours = UINT32_MAX; /* pages that the device doesn't have, a bit each */
static unsigned filling;           /* the page that is being filled */
static size_t used;                /* of it */
static uint64_t lost;
static bool begun, ended;
static unsigned long most_used;                      /* frames */
static unsigned long bound = ~(unsigned long)0 >> 1; /* no fewer than are in use */
static uint64_t deadline = NO_DEADLINE;              /* of a panic, which may be the line's own */
static struct encoder encoder;

/* ---- pages ----------------------------------------------------------------------------------- */

static quire_phys_t phys_of(const char *page)
{
    return (uintptr_t)page - KERNEL_OFFSET;
}

/* Until the device has given back so many of all pages, or is broken. False: it is late. */
static bool wait_for(unsigned count)
{
    for (;;) {
        for (int token; (token = line_returned(LINE_EVENTS)) >= 0;)
            ours |= 1u << token;
        if (lines_are_broken())
            ours = UINT32_MAX;
        if ((unsigned)__builtin_popcount(ours) >= count)
            return true;
        if (deadline != NO_DEADLINE && quire_port_clock_ns() > deadline)
            return false;
        quire_port_relax();
    }
}

/* The device gets what is filled; a broken one leaves the page with us. */
static void lend(unsigned page, size_t size)
{
    if (size && line_lend(LINE_EVENTS, phys_of(pages[page]), size, page))
        ours &= ~(1u << page);
}

/* Room for a record. False: there is none. */
static bool make_room(void)
{
    if (sizeof pages[0] - used >= MOST_RECORD)
        return true;
    if (!begun) {
        if (filling == NR_PAGES - 1)
            return false;
        memset(pages[filling] + used, 0, sizeof pages[0] - used);
        filling++;
        used = 0;
        return true;
    }
    lend(filling, used);
    used = 0;
    if (!wait_for(1)) {
        ended = true;
        return false;
    }
    filling = (unsigned)__builtin_ctz(ours);
    return true;
}

/* ---- records --------------------------------------------------------------------------------- */

static void put_byte(unsigned byte)
{
    pages[filling][used++] = (char)byte;
}

/* Seven bits a byte, the lowest first; all but the last have the highest bit set. */
static void put_number(uint64_t number)
{
    for (; number >> 7; number >>= 7)
        put_byte(((unsigned)number & 0x7f) | 0x80);
    put_byte((unsigned)number);
}

/* Small numbers of either sign become small ones. */
static void put_signed(uint64_t number)
{
    put_number(number << 1 ^ (0 - (number >> 63)));
}

static void put_text(const char *text)
{
    unsigned length = 0;
    while (text[length] && length < MOST_TEXT)
        length++;
    put_number(length);
    for (unsigned i = 0; i < length; i++)
        put_byte((unsigned char)text[i]);
}

static void put_difference(uint64_t number, uint64_t *before)
{
    put_signed(number - *before);
    *before = number;
}

static const char *const fields_of[QUIRE_NR_EVENTS] = {
#define FIELDS(number, name, text, fields) [number] = fields,
    QUIRE_EVENT_LIST(FIELDS)
#undef FIELDS
};

static void put_fields(const char *form, const uint64_t *fields, const char *text)
{
    unsigned low = 0;
    for (bool begins = true; *form; begins = *form++ == ' ') {
        if (!begins)
            continue;
        switch (*form) {
        case 'U':
            put_number(*fields++);
            break;
        case 'Z':
            put_signed(*fields++);
            break;
        case 'P':
            put_difference(*fields++, &encoder.pfn);
            break;
        case 'A':
            put_difference(*fields++, &encoder.page);
            break;
        case 'L':
            low = (unsigned)*fields++ & 15;
            break;
        case 'H':
            put_byte(low | ((unsigned)*fields++ & 15) << 4);
            break;
        default:
            put_text(text);
        }
    }
}

static void put_record(enum quire_event event, const uint64_t *fields, const char *text)
{
    uint64_t now = quire_port_clock_ns() >> CLOCK_SHIFT;
    if (!make_room()) {
        lost++;
        return;
    }
    put_byte(event);
    put_number(now > encoder.time ? now - encoder.time : 0);
    if (now > encoder.time)
        encoder.time = now;
    encoder.count++;
    put_fields(fields_of[event], fields, text);
}

/* Counting zones and per-CPU lists takes some 900 instructions, so it is done where events leave it
 * open whether there are more than ever: a block in use that is cut into smaller ones is told of as
 * if it were allocated anew. The first blocks come before there is anybody to ask. */
static void note_used(enum quire_event event, unsigned order)
{
    if (event == QUIRE_EVENT_FREE)
        bound -= 1ul << order;
    else
        bound += 1ul << order;
    if (bound <= most_used || !machine_mem)
        return;
    bound = quire_nr_managed_pages(machine_mem) - quire_nr_free_pages(machine_mem);
    if (bound > most_used)
        most_used = bound;
}

unsigned long events_most_used(void)
{
    return most_used;
}

void quire_port_event(enum quire_event event, const uint64_t *fields, const char *text)
{
    quire_port_irq_t irq = quire_port_irq_save();
    if (!ended)
        put_record(event, fields, text);
    if (event == QUIRE_EVENT_ALLOC || event == QUIRE_EVENT_FREE)
        note_used(event, (unsigned)fields[1]);
    quire_port_irq_restore(irq);
}

/* ---- the beginning and the end --------------------------------------------------------------- */

bool events_are_compiled_in(void)
{
    return true;
}

static void tell_zones(void)
{
    struct quire_zone_info zone;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        quire_tell_event(ZONE, i, (uint64_t)zone.node, zone.type, zone.start.value, zone.spanned,
                         zone.managed);
}

/* A type that isn't told of is movable. */
static void tell_pageblocks(void)
{
    struct quire_zone_info zone;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++) {
        unsigned long pfn = zone.start.value & ~(QUIRE_PAGEBLOCK_PAGES - 1);
        for (; pfn < zone.start.value + zone.spanned; pfn += QUIRE_PAGEBLOCK_PAGES) {
            if (!quire_pfn_valid(machine_mem, quire_pfn(pfn)))
                continue; /* a hole of the zone has no descriptors */
            const struct quire_page *page = quire_pfn_to_page(machine_mem, quire_pfn(pfn));
            enum quire_migratetype type = quire_pageblock_migratetype(machine_mem, page);
            if (type != QUIRE_MIGRATE_MOVABLE)
                quire_tell_event(PAGEBLOCK, pfn, type);
        }
    }
}

static void tell_free(void)
{
    struct quire_zone_info zone;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        quire_tell_event(SAMPLE, i, zone.nr_free + zone.nr_pcp);
}

/* One more than the highest frame's number; descriptors have 32 bits for it. */
static uint32_t nr_frames(void)
{
    struct quire_zone_info zone;
    unsigned long most = 0;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        if (zone.start.value + zone.spanned > most)
            most = zone.start.value + zone.spanned;
    return (uint32_t)most;
}

/* The form's beginning, as docs/events.md has it: a page of its own, since others are full already.
 */
static void lend_header(void)
{
    static char header[32] __attribute__((aligned(32)));
    static const char magic[8] = "QuireEv\n";
    const uint32_t words[] = {
        1, QUIRE_PAGE_SHIFT, 1u << CLOCK_SHIFT, sizeof(void *) * 8, QUIRE_MAX_ORDER, nr_frames()};
    memcpy(header, magic, sizeof magic);
    memcpy(header + sizeof magic, words, sizeof words);
    (void)line_lend(LINE_EVENTS, phys_of(header), sizeof header, NR_PAGES);
    while (line_returned(LINE_EVENTS) < 0 && !lines_are_broken())
        quire_port_relax();
}

void events_begin(void)
{
    quire_port_irq_t irq = quire_port_irq_save();
    if (!line_is_there(LINE_EVENTS)) {
        ended = true;
    } else {
        lend_header();
        begun = true;
        for (unsigned page = 0; page < filling; page++)
            lend(page, sizeof pages[0]);
        if (lost)
            quire_tell_event(LOST, lost);
        tell_zones();
        tell_pageblocks();
        tell_free();
    }
    quire_port_irq_restore(irq);
}

void events_tick(void)
{
    static unsigned ticks;
    if (begun && !ended && ++ticks % TICKS_PER_SAMPLE == 0)
        tell_free();
}

void events_end(bool panicked, uint64_t patience_ns)
{
    if (!begun || ended)
        return;
    if (patience_ns != NO_DEADLINE)
        deadline = quire_port_clock_ns() + patience_ns;
    if (!panicked)
        tell_free();
    quire_tell_event(PEAK, most_used);
    quire_tell_event(END, encoder.count, panicked);
    quire_port_irq_t irq = quire_port_irq_save();
    if (!ended)
        lend(filling, used);
    ended = true;
    (void)wait_for(NR_PAGES);
    quire_port_irq_restore(irq);
}
