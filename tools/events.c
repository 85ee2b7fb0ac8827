/* tools/events.c: reads files of events
 *
 * Whatever a file says is checked before it is used: numbers have at most 64 bits, texts fit, and
 * events exist. What is wrong is told with the offset of the record.
 */
#include "events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "QuireEv\n"
#define VERSION 1
#define HEADER_BYTES 32
#define NR_WORDS 6

/* ---- what there is --------------------------------------------------------------------------- */

static struct event_form forms[QUIRE_NR_EVENTS];

static void add_form(unsigned number, const char *name, const char *fields)
{
    struct event_form *form = &forms[number];
    form->name = name;
    while (*fields) {
        struct event_field *field = &form->field[form->nr_fields++];
        size_t length = strcspn(fields + 2, " ");
        field->letter = *fields;
        snprintf(field->name, sizeof field->name, "%.*s", (int)length, fields + 2);
        fields += 2 + length;
        fields += *fields == ' ';
    }
}

static void make_forms(void)
{
    if (forms[QUIRE_EVENT_LOST].name)
        return;
#define ADD(number, name, text, fields) add_form(number, text, fields);
    QUIRE_EVENT_LIST(ADD)
#undef ADD
}

const struct event_form *event_form(unsigned number)
{
    static const struct event_form none;
    make_forms();
    return number < QUIRE_NR_EVENTS ? &forms[number] : &none;
}

unsigned event_by_name(const char *name, size_t length)
{
    make_forms();
    for (unsigned i = 1; i < QUIRE_NR_EVENTS; i++)
        if (forms[i].name && strlen(forms[i].name) == length &&
            !strncmp(forms[i].name, name, length))
            return i;
    return 0;
}

static const char *const owners[] = {"kernel", "table", "slab",    "anon",
                                     "file",   "shmem", "vmalloc", "metadata"};
static const char *const migrate_types[] = {"unmovable", "movable", "reclaimable", "special"};
static const char *const block_types[] = {"unmovable",  "movable", "reclaimable",
                                          "highatomic", "cma",     "isolate"};
static const char *const zones[] = {"DMA", "DMA32", "Normal", "HighMem", "Movable"};
static const char *const faults[] = {"anon", "file", "swap", "write", "none"};
static const char *const results[] = {"minor", "major", "no-area", "no-access", "no-data", "oom"};
static const char *const hows[] = {"direct", "background", "request"};
static const char *const rss_kinds[] = {"file", "anon", "swap", "shmem"};
static const char *const area_kinds[] = {"anon", "file"};
static const char *const ends[] = {"regular", "panic"};

const char *event_value_name(enum quire_event number, unsigned field, uint64_t value)
{
#define NAMES(event, index, names)                                                                 \
    {                                                                                              \
        QUIRE_EVENT_##event, index, names, sizeof names / sizeof *names                            \
    }
    static const struct {
        enum quire_event number;
        unsigned field;
        const char *const *names;
        size_t count;
    } known[] = {
        NAMES(ZONE, 2, zones),
        NAMES(ALLOC, 2, migrate_types),
        NAMES(OWNER, 2, owners),
        NAMES(FAULT, 2, faults),
        NAMES(FAULT, 4, results),
        NAMES(RECLAIM, 1, hows),
        NAMES(PAGEBLOCK, 1, block_types),
        NAMES(RSS, 1, rss_kinds),
        NAMES(AREA, 4, area_kinds),
        NAMES(END, 1, ends),
    };
#undef NAMES
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].number == number && known[i].field == field)
            return value < known[i].count ? known[i].names[value] : NULL;
    return NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool fail(struct event_reader *reader,
                                                       const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reader->error, sizeof reader->error, format, list);
    va_end(list);
    return false;
}

static bool is_cut(struct event_reader *reader)
{
    return fail(reader,
                ferror(reader->from) ? "reading it failed at byte %" PRIu64
                                     : "it is cut at byte %" PRIu64 ", within an event",
                reader->offset);
}

static bool get_byte(struct event_reader *reader, unsigned *byte)
{
    int c = getc(reader->from);
    if (c == EOF)
        return is_cut(reader);
    reader->offset++;
    *byte = (unsigned)c;
    return true;
}

static bool get_number(struct event_reader *reader, uint64_t *number)
{
    unsigned byte = 0x80;
    *number = 0;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (!get_byte(reader, &byte))
            return false;
        if (shift == 63 && byte > 1)
            return fail(reader, "the number before byte %" PRIu64 " has more than 64 bits",
                        reader->offset);
        *number |= (uint64_t)(byte & 0x7f) << shift;
    }
    return true;
}

static bool get_signed(struct event_reader *reader, uint64_t *number)
{
    if (!get_number(reader, number))
        return false;
    *number = *number >> 1 ^ (0 - (*number & 1));
    return true;
}

static bool get_difference(struct event_reader *reader, uint64_t *number, uint64_t *before)
{
    if (!get_signed(reader, number))
        return false;
    *number += *before;
    *before = *number;
    return true;
}

static bool get_text(struct event_reader *reader, char *text)
{
    uint64_t length;
    if (!get_number(reader, &length))
        return false;
    if (length > EVENT_MOST_TEXT)
        return fail(reader, "the text at byte %" PRIu64 " is longer than texts are",
                    reader->offset);
    for (uint64_t i = 0; i < length; i++) {
        unsigned byte = 0;
        if (!get_byte(reader, &byte))
            return false;
        text[i] = (char)byte;
    }
    text[length] = '\0';
    return true;
}

/* ---- records --------------------------------------------------------------------------------- */

bool event_reader_begin(struct event_reader *reader, FILE *from)
{
    unsigned char header[HEADER_BYTES];
    uint32_t word[NR_WORDS];
    *reader = (struct event_reader){.from = from};
    if (fread(header, 1, sizeof header, from) != sizeof header ||
        memcmp(header, MAGIC, sizeof MAGIC - 1) != 0)
        return fail(reader, "this is no file of events: it doesn't begin as one");
    for (unsigned i = 0; i < NR_WORDS; i++) {
        const unsigned char *at = header + sizeof MAGIC - 1 + 4 * i;
        word[i] =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
    if (word[0] != VERSION)
        return fail(reader, "its form is of version %" PRIu32 "; this program reads version %d",
                    word[0], VERSION);
    if (word[1] < 12 || word[1] > 16 || !word[2] || word[2] > 1000000 ||
        (word[3] != 32 && word[3] != 64) || word[4] > 15 || !word[5])
        return fail(reader, "its header makes no sense");
    reader->offset = HEADER_BYTES;
    reader->page_shift = word[1];
    reader->clock_ns = word[2];
    reader->word_bits = word[3];
    reader->max_order = word[4];
    reader->nr_frames = word[5];
    return true;
}

static bool get_field(struct event_reader *reader, struct event *event, char letter, uint64_t *to,
                      unsigned *pair)
{
    switch (letter) {
    case 'U':
        return get_number(reader, to);
    case 'Z':
        return get_signed(reader, to);
    case 'P':
        return get_difference(reader, to, &reader->pfn);
    case 'A':
        return get_difference(reader, to, &reader->page);
    case 'L':
        if (!get_byte(reader, pair))
            return false;
        *to = *pair & 15;
        return true;
    case 'H':
        *to = *pair >> 4;
        return true;
    default:
        *to = 0;
        return get_text(reader, event->text);
    }
}

static bool get_time(struct event_reader *reader, struct event *event)
{
    uint64_t passed;
    if (!get_number(reader, &passed))
        return false;
    if (passed > UINT64_MAX / reader->clock_ns - reader->time)
        return fail(reader, "the time before byte %" PRIu64 " is beyond all clocks",
                    reader->offset);
    reader->time += passed;
    event->time_ns = reader->time * reader->clock_ns;
    return true;
}

/* The next byte that isn't filling; false: there is none. */
static bool get_number_of_event(struct event_reader *reader, unsigned *number)
{
    int c = 0;
    while (!c) {
        c = getc(reader->from);
        reader->offset += c != EOF;
    }
    *number = (unsigned)c;
    return c != EOF;
}

bool event_read(struct event_reader *reader, struct event *event)
{
    unsigned number, pair = 0;
    if (*reader->error)
        return false;
    if (!get_number_of_event(reader, &number)) {
        if (ferror(reader->from))
            return is_cut(reader);
        return !reader->ended && fail(reader,
                                      "it ends at byte %" PRIu64 " without the machine's end: the "
                                      "machine was stopped, or the file is cut",
                                      reader->offset);
    }
    const struct event_form *form = event_form(number);
    event->offset = reader->offset - 1;
    if (reader->ended || !form->name)
        return fail(reader, "at byte %" PRIu64 " there is no event that this program knows (%u)",
                    event->offset, number);
    *event = (struct event){.number = (enum quire_event)number, .offset = reader->offset - 1};
    if (!get_time(reader, event))
        return false;
    for (unsigned i = 0; i < form->nr_fields; i++)
        if (!get_field(reader, event, form->field[i].letter, &event->field[i], &pair))
            return false;
    reader->ended = number == QUIRE_EVENT_END;
    if (reader->ended && event->field[0] != reader->count)
        return fail(reader, "it ends with %" PRIu64 " events, and has %" PRIu64, event->field[0],
                    reader->count);
    reader->count++;
    return true;
}
