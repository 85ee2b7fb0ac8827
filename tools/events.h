/* tools/events.h: what a machine told of its memory, event by event (docs/events.md)
 *
 * A reader takes a file as it comes, once, and keeps nothing of it; what the events make of frames
 * is events_frames.h.
 */
#ifndef TOOLS_EVENTS_H
#define TOOLS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/events.h"

#define EVENT_MOST_TEXT 64

struct event {
    enum quire_event number;
    uint64_t time_ns;                       /* since the machine's clock began */
    uint64_t offset;                        /* of the record in the file */
    uint64_t field[QUIRE_MAX_EVENT_FIELDS]; /* signed ones as their bits */
    char text[EVENT_MOST_TEXT + 1];         /* of the field that is text */
};

struct event_field {
    char letter; /* base/events.h */
    char name[15];
};

struct event_form {
    const char *name; /* NULL: no such event */
    unsigned nr_fields;
    struct event_field field[QUIRE_MAX_EVENT_FIELDS];
};

struct event_reader {
    FILE *from;
    uint64_t offset;
    uint32_t page_shift, clock_ns, word_bits, max_order, nr_frames; /* of the header */
    uint64_t time, pfn, page; /* of the record before: the clock in its units */
    uint64_t count;
    bool ended; /* by its own END */
    char error[160];
};

/* Reads the header. False: this is no file of events, or not one for us; `error` says why. */
bool event_reader_begin(struct event_reader *reader, FILE *from);

/* The next one. False: there is none, because of an `error` if that isn't empty. A file that ends
 * without END is one. */
bool event_read(struct event_reader *reader, struct event *event);

/* Of any number. */
const struct event_form *event_form(unsigned number);
/* 0: there is none of that name. */
unsigned event_by_name(const char *name, size_t length);

/* What the number in this field stands for: "anon"; NULL: just a number. */
const char *event_value_name(enum quire_event number, unsigned field, uint64_t value);

#endif
