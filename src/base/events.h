/* base/events.h: what happens to memory, told one by one
 *
 * With the knob QUIRE_EVENTS the layers tell the port of each thing that happens to a frame, a page
 * or an area; docs/events.md has what it means, and the form in which the machine of quire boot
 * writes it. Without the knob, as by default, the functions here are empty, their arguments have no
 * effects, and no instruction is left of them.
 *
 * This list is all there is to the form: who writes events, who reads them and who prints them go
 * by it. A letter says how a field is written:
 *
 *   U  a number               Z  a number with a sign         S  text
 *   P  a frame's number, as the difference from the P before
 *   A  the number of an address's page, as the difference from the A before
 *   L  a number below 16, and H the next one, above it in the same byte
 *
 * Numbers of events and the order of fields stay as they are once released: new events get new
 * numbers, and new fields are those of new events.
 */
#ifndef QUIRE_BASE_EVENTS_H
#define QUIRE_BASE_EVENTS_H

#include <quire/config.h>
#include <quire/types.h>

#define QUIRE_MAX_EVENT_FIELDS 6

/* EVENT(number, NAME, "name", "letter:field ...") */
#define QUIRE_EVENT_LIST(EVENT)                                                                    \
    EVENT(1, LOST, "lost", "U:count")                                                              \
    EVENT(2, ZONE, "zone", "U:zone U:node U:type U:start U:spanned U:managed")                     \
    EVENT(3, RANGE, "range", "P:pfn U:count")                                                      \
    EVENT(4, ALLOC, "alloc", "P:pfn L:order H:type")                                               \
    EVENT(5, FREE, "free", "P:pfn U:order")                                                        \
    EVENT(6, OWNER, "owner", "P:pfn L:order H:owner")                                              \
    EVENT(7, CACHE, "cache", "U:cache U:size S:name")                                              \
    EVENT(8, SLAB, "slab", "P:pfn U:order U:cache U:objects")                                      \
    EVENT(9, FAULT, "fault", "U:mm A:page L:kind H:access U:result")                               \
    EVENT(10, SWAP_OUT, "swap-out", "P:pfn U:area U:slot")                                         \
    EVENT(11, SWAP_IN, "swap-in", "P:pfn U:area U:slot")                                           \
    EVENT(12, RECLAIM, "reclaim", "U:node L:how H:priority U:scanned U:reclaimed")                 \
    EVENT(13, COMPACT, "compact", "U:zone Z:order U:moved U:result")                               \
    EVENT(14, MM, "mm", "U:mm Z:pid S:name")                                                       \
    EVENT(15, MM_END, "mm-end", "U:mm")                                                            \
    EVENT(16, MM_FORK, "mm-fork", "U:mm U:parent")                                                 \
    EVENT(17, AREA, "area", "U:mm A:page U:pages U:flags U:kind")                                  \
    EVENT(18, AREA_END, "area-end", "U:mm A:page")                                                 \
    EVENT(19, RSS, "rss", "U:mm U:kind Z:pages")                                                   \
    EVENT(20, UNMAP, "unmap", "U:mm A:page U:pages")                                               \
    EVENT(21, FORK, "fork", "U:pid U:parent U:thread")                                             \
    EVENT(22, EXEC, "exec", "U:pid S:name")                                                        \
    EVENT(23, EXIT, "exit", "U:pid U:status")                                                      \
    EVENT(24, MARK, "mark", "S:text")                                                              \
    EVENT(25, SAMPLE, "sample", "U:zone U:free")                                                   \
    EVENT(26, MAP, "map", "U:mm A:page U:pages")                                                   \
    EVENT(27, MOVE, "move", "U:mm A:page A:to U:pages")                                            \
    EVENT(28, END, "end", "U:events U:how")                                                        \
    EVENT(29, PAGEBLOCK, "pageblock", "P:pfn U:type")                                              \
    EVENT(30, OOM_KILL, "oom-kill", "U:pid U:resident U:score S:name")                             \
    EVENT(31, PEAK, "peak", "U:used")

enum quire_event {
#define QUIRE_EVENT_NUMBER(number, name, text, fields) QUIRE_EVENT_##name = number,
    QUIRE_EVENT_LIST(QUIRE_EVENT_NUMBER)
#undef QUIRE_EVENT_NUMBER
        QUIRE_NR_EVENTS
};

/* What fields mean that are numbers of something. */
enum quire_event_owner {
    EVENT_OWNER_KERNEL, /* what nobody says more of */
    EVENT_OWNER_TABLE,
    EVENT_OWNER_SLAB, /* by SLAB events */
    EVENT_OWNER_ANON,
    EVENT_OWNER_FILE,
    EVENT_OWNER_SHMEM,
    EVENT_OWNER_VMALLOC,
    EVENT_OWNER_METADATA,
};

enum quire_event_fault {
    EVENT_FAULT_ANON,  /* nothing there, private memory */
    EVENT_FAULT_FILE,  /* nothing there, a file's or shared memory */
    EVENT_FAULT_SWAP,  /* in swap, or being moved */
    EVENT_FAULT_WRITE, /* there, and written to for the first time */
    EVENT_FAULT_NONE,  /* somebody else was faster */
};

enum quire_event_how { EVENT_RECLAIM_DIRECT, EVENT_RECLAIM_BACKGROUND, EVENT_RECLAIM_BY_REQUEST };

#if QUIRE_EVENTS
/* The port's. From anywhere, with any spinlock held: neither sleeps, allocates nor tells of events.
 * `fields` are the numbers of the event's fields in their order; `text` is that of its S. */
void quire_port_event(enum quire_event event, const uint64_t *fields, const char *text);

static inline void quire_event(enum quire_event event, const uint64_t *fields, const char *text)
{
    quire_port_event(event, fields, text);
}
#else
static inline void quire_event(enum quire_event event, const uint64_t *fields, const char *text)
{
    (void)event;
    (void)fields;
    (void)text;
}
#endif

#define QUIRE_EVENT_FIELDS(...) ((const uint64_t[QUIRE_MAX_EVENT_FIELDS]){__VA_ARGS__})

/* The numbers of an event, each converted as it is. */
#define quire_tell_event(name, ...)                                                                \
    quire_event(QUIRE_EVENT_##name, QUIRE_EVENT_FIELDS(__VA_ARGS__), NULL)
#define quire_tell_event_of(name, text, ...)                                                       \
    quire_event(QUIRE_EVENT_##name, QUIRE_EVENT_FIELDS(__VA_ARGS__), text)

#endif
