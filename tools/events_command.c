/* tools/events_command.c: quire events: what a machine told, as text, JSON or CSV
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <quire/phys.h>

#include "base/json.h"
#include "events.h"
#include "events_frames.h"
#include "quire.h"

#define FOR_EVER 1e30 /* seconds */

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

struct request {
    const char *file;
    enum output output;
    bool only[QUIRE_NR_EVENTS]; /* none: all */
    unsigned nr_only, one;      /* one: the last that was named */
    bool count, check;
    double from, to; /* seconds */
};

static const char examples[] =
    "Examples:\n"
    "  quire boot --mem=32M --swap=1G --events=run.events -- sort large.txt\n"
    "  quire events --count run.events                how many of each kind\n"
    "  quire events run.events | less                 all of them\n"
    "  quire events --only=fault -o csv run.events    faults, for a spreadsheet\n"
    "  quire events --check run.events                do they make up what the machine counts?\n\n";

enum { OPTION_ONLY = 256, OPTION_COUNT, OPTION_CHECK, OPTION_FROM, OPTION_TO };

static const struct argp_option options[] = {
    {"output", 'o', "FORM", 0, "text (the default), json or csv", 1},
    {"only", OPTION_ONLY, "NAME,...", 0, "Only events of these names, such as fault or swap-out",
     1},
    {"from", OPTION_FROM, "SECONDS", 0, "Only from this time of the machine's clock on", 1},
    {"to", OPTION_TO, "SECONDS", 0, "Only up to this time", 1},
    {"count", OPTION_COUNT, NULL, 0, "How many there are of each name", 1},
    {"check", OPTION_CHECK, NULL, 0,
     "Follow every frame, and compare how many are free with what the machine counted", 1},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

/* ---- options --------------------------------------------------------------------------------- */

static void parse_output(struct request *request, const char *arg, struct argp_state *state)
{
    static const char *const names[] = {"text", "json", "csv"};
    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(arg, names[i])) {
            request->output = (enum output)i;
            return;
        }
    argp_error(state, "--output is text, json or csv, not '%s'", arg);
}

static void parse_only(struct request *request, const char *arg, struct argp_state *state)
{
    while (*arg) {
        size_t length = strcspn(arg, ",");
        unsigned number = event_by_name(arg, length);
        if (!number)
            argp_error(state, "--only: there are no events called '%.*s'", (int)length, arg);
        request->nr_only += !request->only[number];
        request->only[number] = true;
        request->one = number;
        arg += length + (arg[length] == ',');
    }
}

static double parse_seconds(const char *option, const char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    double value = strtod(arg, &end);
    if (errno || *end || end == arg || !(value >= 0))
        argp_error(state, "%s is a number of seconds, not '%s'", option, arg);
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'o':
        parse_output(request, arg, state);
        return 0;
    case OPTION_ONLY:
        parse_only(request, arg, state);
        return 0;
    case OPTION_FROM:
        request->from = parse_seconds("--from", arg, state);
        return 0;
    case OPTION_TO:
        request->to = parse_seconds("--to", arg, state);
        return 0;
    case OPTION_COUNT:
        request->count = true;
        return 0;
    case OPTION_CHECK:
        request->check = true;
        return 0;
    case ARGP_KEY_ARG:
        if (request->file)
            argp_error(state, "one file is enough: '%s'", arg);
        request->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!request->file)
            argp_error(state, "which file? quire boot --events=FILE makes one");
        if (request->check && (request->output || request->count || request->nr_only ||
                               request->from > 0 || request->to < FOR_EVER))
            argp_error(state, "--check looks at all events, and says in text what they come to");
        return 0;
    default:
        return parse_common(key, &argp, "quire events", examples);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Show what a machine told of its memory (quire boot --events).\v"
        "FILE may be - for the input. CSV has a column for each field if --only names one kind of "
        "event; else the fields are in one column. docs/events.md says what they mean.\n\n"
        "Exit status: 0 done; 1 the file is no such file, or cut, or what it says can't be; 2 "
        "usage.",
};

/* ---- one event ------------------------------------------------------------------------------- */

static uint64_t value_of(const struct event_reader *reader, const struct event *event, unsigned i)
{
    bool address = event_form(event->number)->field[i].letter == 'A';
    return address ? event->field[i] << reader->page_shift : event->field[i];
}

/* Names come from programs: what could end a line or a quote doesn't get out. */
static void put_clean(const char *text)
{
    for (; *text; text++)
        putchar(*text < ' ' || *text > '~' || *text == '"' ? '?' : *text);
}

static void put_value(const struct event_reader *reader, const struct event *event, unsigned i)
{
    const struct event_field *field = &event_form(event->number)->field[i];
    uint64_t value = value_of(reader, event, i);
    const char *name = event_value_name(event->number, i, value);
    if (field->letter == 'S')
        put_clean(event->text);
    else if (name)
        fputs(name, stdout);
    else if (field->letter == 'A')
        printf("0x%" PRIx64, value);
    else if (field->letter == 'Z')
        printf("%" PRId64, (int64_t)value);
    else
        printf("%" PRIu64, value);
}

static void put_fields(const struct event_reader *reader, const struct event *event)
{
    const struct event_form *form = event_form(event->number);
    for (unsigned i = 0; i < form->nr_fields; i++) {
        const char *quote = form->field[i].letter == 'S' ? "'" : "";
        printf("%s%s=%s", i ? " " : "", form->field[i].name, quote);
        put_value(reader, event, i);
        fputs(quote, stdout);
    }
}

static void put_text_line(const struct event_reader *reader, const struct event *event)
{
    printf("%6" PRIu64 ".%06u  %-9s ", event->time_ns / 1000000000u,
           (unsigned)(event->time_ns % 1000000000u / 1000), event_form(event->number)->name);
    put_fields(reader, event);
    putchar('\n');
}

static void put_csv_head(const struct request *request)
{
    const struct event_form *form = event_form(request->one);
    if (request->nr_only != 1) {
        puts("time_ns,event,fields");
        return;
    }
    fputs("time_ns", stdout);
    for (unsigned i = 0; i < form->nr_fields; i++)
        printf(",%s", form->field[i].name);
    putchar('\n');
}

static void put_csv_line(const struct request *request, const struct event_reader *reader,
                         const struct event *event)
{
    const struct event_form *form = event_form(event->number);
    printf("%" PRIu64, event->time_ns);
    if (request->nr_only != 1) {
        printf(",%s,\"", form->name);
        put_fields(reader, event);
        putchar('"');
    }
    for (unsigned i = 0; request->nr_only == 1 && i < form->nr_fields; i++) {
        const char *quote = form->field[i].letter == 'S' ? "\"" : "";
        printf(",%s", quote);
        put_value(reader, event, i);
        fputs(quote, stdout);
    }
    putchar('\n');
}

/* Numbers of addresses are strings, as in all our JSON. */
static void put_json_value(struct json *json, const struct event_reader *reader,
                           const struct event *event, unsigned i)
{
    const struct event_field *field = &event_form(event->number)->field[i];
    uint64_t value = value_of(reader, event, i);
    const char *name = event_value_name(event->number, i, value);
    char clean[EVENT_MOST_TEXT + 1];
    if (field->letter == 'S') {
        snprintf(clean, sizeof clean, "%s", event->text);
        for (char *c = clean; *c; c++)
            *c = *c < ' ' || *c > '~' ? '?' : *c;
        json_string(json, field->name, clean);
    } else if (name)
        json_string(json, field->name, name);
    else if (field->letter == 'A')
        json_hex(json, field->name, value);
    else if (field->letter == 'Z')
        json_signed(json, field->name, (int64_t)value);
    else
        json_unsigned(json, field->name, value);
}

static void put_json_event(struct json *json, const struct event_reader *reader,
                           const struct event *event)
{
    const struct event_form *form = event_form(event->number);
    json_object(json, NULL);
    json_unsigned(json, "time_ns", event->time_ns);
    json_string(json, "event", form->name);
    for (unsigned i = 0; i < form->nr_fields; i++)
        put_json_value(json, reader, event, i);
    json_end(json);
}

static void write_stdout(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void put_json_head(struct json *json, const struct event_reader *reader)
{
    json_init(json, write_stdout, NULL);
    json_object(json, NULL);
    json_string(json, "schema", "quire.events/1");
    json_unsigned(json, "page_bytes", (uint64_t)1 << reader->page_shift);
    json_unsigned(json, "word_bits", reader->word_bits);
    json_unsigned(json, "clock_ns", reader->clock_ns);
    json_unsigned(json, "frames", reader->nr_frames);
}

static bool is_wanted(const struct request *request, const struct event *event)
{
    double seconds = (double)event->time_ns / 1e9;
    return (!request->nr_only || request->only[event->number]) && seconds >= request->from &&
           seconds <= request->to;
}

static void print_all(const struct request *request, struct event_reader *reader)
{
    struct event event;
    struct json json;
    if (request->output == OUTPUT_JSON) {
        put_json_head(&json, reader);
        json_array(&json, "events");
    } else if (request->output == OUTPUT_CSV) {
        put_csv_head(request);
    }
    while (!ferror(stdout) && event_read(reader, &event)) {
        if (!is_wanted(request, &event))
            continue;
        if (request->output == OUTPUT_JSON)
            put_json_event(&json, reader, &event);
        else if (request->output == OUTPUT_CSV)
            put_csv_line(request, reader, &event);
        else
            put_text_line(reader, &event);
    }
    if (request->output != OUTPUT_JSON)
        return;
    json_end(&json);
    json_bool(&json, "complete", reader->ended);
    json_end(&json);
    json_finish(&json);
}

static void print_counts(const struct request *request, struct event_reader *reader)
{
    uint64_t count[QUIRE_NR_EVENTS] = {0};
    struct event event;
    struct json json;
    while (event_read(reader, &event))
        count[event.number] += is_wanted(request, &event);
    if (request->output == OUTPUT_JSON) {
        put_json_head(&json, reader);
        json_object(&json, "counts");
    } else if (request->output == OUTPUT_CSV) {
        puts("event,count");
    }
    for (unsigned i = 1; i < QUIRE_NR_EVENTS; i++) {
        const char *name = event_form(i)->name;
        if (!name || (request->nr_only && !request->only[i]))
            continue;
        if (request->output == OUTPUT_JSON)
            json_unsigned(&json, name, count[i]);
        else
            printf(request->output == OUTPUT_CSV ? "%s,%" PRIu64 "\n" : "%-10s%12" PRIu64 "\n",
                   name, count[i]);
    }
    if (request->output != OUTPUT_JSON)
        return;
    json_end(&json);
    json_bool(&json, "complete", reader->ended);
    json_end(&json);
    json_finish(&json);
}

static void print_owners(const struct frames *frames)
{
    uint64_t count[16] = {0};
    for (uint32_t i = 0; i < frames->count; i++)
        if (frames->frame[i].state == FRAME_USED)
            count[frames->frame[i].owner & 15]++;
    fputs("frames in use at the end:", stdout);
    for (unsigned owner = 0; owner < 16; owner++) {
        const char *name = event_value_name(QUIRE_EVENT_OWNER, 2, owner);
        if (name)
            printf(" %s %" PRIu64, name, count[owner]);
    }
    putchar('\n');
}

static void print_zones(const struct frames *frames)
{
    for (unsigned i = 0; i < FRAMES_MOST_ZONES && frames->zone[i].known; i++) {
        const struct frames_zone *zone = &frames->zone[i];
        const char *name = event_value_name(QUIRE_EVENT_ZONE, 2, zone->type);
        printf("node %" PRIu64 ", zone %s: %" PRIu64 " frames free at the end\n", zone->node,
               name ? name : "?", zone->free);
    }
    print_owners(frames);
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
        unsigned count = 0;
        for (uint32_t i = 0; (uint64_t)i * FRAMES_OF_PAGEBLOCK < frames->count; i++)
            count += frames->pageblock[i] == type;
        if (type != QUIRE_MIGRATE_MOVABLE && count)
            printf("pageblocks that are %s: %u\n", event_value_name(QUIRE_EVENT_PAGEBLOCK, 1, type),
                   count);
    }
}

/* False after a complaint. */
static bool check_frames(const struct request *request, struct event_reader *reader)
{
    struct frames frames;
    struct event event;
    bool right = frames_init(&frames, reader);
    if (!right)
        complain("there is no memory for %" PRIu32 " frames", reader->nr_frames);
    while (right && event_read(reader, &event))
        right = frames_take(&frames, &event);
    if (frames.frame && !right)
        complain("%s: %s", request->file, frames.error);
    if (right)
        printf("%" PRIu64 " events, %" PRIu64 " counts of free frames agree%s\n", reader->count,
               frames.nr_samples, *reader->error ? "; the rest can't be read" : "");
    if (right && !*reader->error)
        print_zones(&frames);
    frames_free(&frames);
    return right;
}

static int show(const struct request *request, FILE *from)
{
    struct event_reader reader;
    bool right = true;
    if (event_reader_begin(&reader, from)) {
        if (request->check)
            right = check_frames(request, &reader);
        else if (request->count)
            print_counts(request, &reader);
        else
            print_all(request, &reader);
    }
    int status = all_written();
    if (*reader.error) {
        complain("%s: %s", request->file, reader.error);
        return EXIT_FAILED;
    }
    return right ? status : EXIT_FAILED;
}

int command_events(int argc, char **argv)
{
    static char name[] = "quire events";
    struct request request = {.to = FOR_EVER};
    argv[0] = name;
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &request);
    bool is_input = !strcmp(request.file, "-");
    FILE *from = is_input ? stdin : fopen(request.file, "rbe");
    if (!from) {
        complain("%s: %s", request.file, strerror(errno));
        return EXIT_FAILED;
    }
    int status = show(&request, from);
    if (!is_input)
        fclose(from);
    return status;
}
