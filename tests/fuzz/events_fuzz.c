/* tests/fuzz/events_fuzz.c: any bytes as a file of events
 *
 * An odd first byte: what follows is the file. An even one: what follows are records, behind a
 * header of a machine with few frames. Whatever comes, the reader ends, says why if it isn't the
 * machine's end, and what it hands over is in range; frames are followed as long as that makes
 * sense.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "events_frames.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define MOST_BYTES 65536u
#define NR_FRAMES 512u
#define MOST_FRAMES (1u << 20) /* that a header may name here: more is a matter of memory alone */

static const uint8_t header[32] = {'Q', 'u', 'i', 'r', 'e', 'E', 'v', '\n', 1, 0,
                                   0,   0,   12,  0,   0,   0,   0,   4,    0, 0,
                                   64,  0,   0,   0,   10,  0,   0,   0,    0, NR_FRAMES >> 8};

static void look_at(const struct event_reader *reader, const struct event *event)
{
    const struct event_form *form = event_form(event->number);
    EXPECT(form->name && event->offset < reader->offset);
    EXPECT(event_by_name(form->name, strlen(form->name)) == event->number);
    EXPECT(strnlen(event->text, sizeof event->text) < sizeof event->text);
    for (unsigned i = 0; i < form->nr_fields; i++) {
        char letter = form->field[i].letter;
        const char *name = event_value_name(event->number, i, event->field[i]);
        EXPECT(!name || *name);
        EXPECT(letter == 'L' || letter == 'H' ? event->field[i] < 16 : 1);
    }
}

static void follow(struct event_reader *reader)
{
    struct frames frames = {0};
    struct event event;
    bool sound = reader->nr_frames <= MOST_FRAMES;
    uint64_t time = 0, offset = 0;
    EXPECT(!sound || frames_init(&frames, reader));
    while (event_read(reader, &event)) {
        look_at(reader, &event);
        EXPECT(event.time_ns >= time && event.offset > offset);
        time = event.time_ns;
        offset = event.offset;
        if (sound && !frames_take(&frames, &event)) {
            EXPECT(*frames.error);
            sound = false;
        }
    }
    for (unsigned i = 0; i < FRAMES_MOST_ZONES && frames.zone[i].known; i++) {
        EXPECT(frames.zone[i].end <= frames.count);
        EXPECT(frames.zone[i].free <= frames.zone[i].end - frames.zone[i].start);
    }
    EXPECT(reader->ended || *reader->error);
    EXPECT(!event_read(reader, &event));
    frames_free(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[sizeof header + MOST_BYTES];
    struct event_reader reader;
    if (size < 2 || size > MOST_BYTES)
        return 0;
    bool whole = data[0] & 1;
    size_t begin = whole ? 0 : sizeof header;
    memcpy(file, header, begin);
    memcpy(file + begin, data + 1, size - 1);
    FILE *from = fmemopen(file, begin + size - 1, "r");
    EXPECT(from);
    if (event_reader_begin(&reader, from))
        follow(&reader);
    else
        EXPECT(*reader.error && whole);
    fclose(from);
    return 0;
}
