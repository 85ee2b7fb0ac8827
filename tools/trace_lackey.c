/* tools/trace_lackey.c: what `valgrind --tool=lackey --trace-mem=yes` prints
 *
 *     I  04000a30,3          an instruction of 3 bytes was fetched
 *      L 1ffeffe7e8,8        8 bytes were loaded
 *      S 1ffeffe7e8,8        stored
 *      M 0421c7cc,4          loaded and stored by one instruction: one reference here
 *     ==1234== Command: ls   valgrind's talk: skipped, as what begins with --1234-- or **1234**
 *
 * Traces that people write and edit have blanks elsewhere, empty lines, comments that begin with #,
 * and carriage returns: docs/trace-format.md has the form. Everything else is an error: it would
 * mean that references got lost between other output. A reference that covers several pages counts
 * for each of them.
 *
 * Nearly all lines have eight digits or more of address, which are turned into a number at once,
 * and one digit of size: fast_line. All others take slow_line, which also knows what is wrong.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "trace_input.h"

/* No instruction references more; a line that says so is broken, and would make many references. */
#define MAX_REFERENCE_BYTES 65536u
#define MAX_SPAN (MAX_REFERENCE_BYTES / (1u << TRACE_MIN_PAGE_SHIFT) + 1)
#define SHOWN 40u /* characters of a line that is wrong, before "..." */

_Static_assert(MAX_SPAN < TRACE_BATCH, "a reference's runs fit into a batch");

struct reference {
    uint64_t address;
    uint32_t size;
    uint32_t kind;
};

/* ---- a line that is as most are -------------------------------------------------------------- */

/* The first three characters, behind a 1 that no empty entry has. */
#define PREFIX(a, b) ((uint32_t)(a) << 8 | (uint32_t)(b) << 16 | (uint32_t)' ' << 24 | 1)

/* Told apart without a branch: the low four bits of the first two characters' exclusive or differ
 * for all kinds. */
static const struct prefix {
    uint32_t text;
    uint32_t kind;
} prefixes[16] = {
    [('I' ^ ' ') & 15] = {PREFIX('I', ' '), TRACE_FETCH},
    [(' ' ^ 'L') & 15] = {PREFIX(' ', 'L'), TRACE_READ},
    [(' ' ^ 'S') & 15] = {PREFIX(' ', 'S'), TRACE_WRITE},
    [(' ' ^ 'M') & 15] = {PREFIX(' ', 'M'), TRACE_MODIFY},
};

static inline const struct prefix *line_prefix(const uint8_t *line)
{
    const struct prefix *prefix = &prefixes[(line[0] ^ line[1]) & 15];
    return (load32(line) << 8 | 1) == prefix->text ? prefix : NULL;
}

#define BYTES(byte) (0x0101010101010101u * (byte))

/* Eight hexadecimal digits at once. Each byte is looked at in its place: a digit is 0 to 9 once '0'
 * is taken off, a letter 1 to 6 once its case and 0x60 are; the additions set a byte's highest bit
 * when it is beyond that, and no carry leaves it, since none is above 0x7f before. */
static inline bool eight_digits(const uint8_t *at, uint64_t *value)
{
    uint64_t text = load64(at), digit = text ^ BYTES(0x30),
             letter = (text | BYTES(0x20)) ^ BYTES(0x60);
    uint64_t is_digit = ~(digit + BYTES(0x80 - 10)),
             is_letter = (letter + BYTES(0x80 - 1)) & ~(letter + BYTES(0x80 - 7));
    if ((text & BYTES(0x80)) || ((is_digit | is_letter) & BYTES(0x80)) != BYTES(0x80))
        return false;
    uint64_t nibbles = (text & BYTES(0x0f)) + 9 * (text >> 6 & BYTES(0x01));
    uint64_t bytes = (nibbles << 4 | nibbles >> 8) & 0x00ff00ff00ff00ffu;
    uint64_t words = (bytes << 8 | bytes >> 16) & 0x0000ffff0000ffffu;
    *value = (words << 16 | words >> 32) & 0xffffffffu;
    return true;
}

static inline int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The line behind this one, or NULL: not such a line. */
static inline const uint8_t *fast_line(const uint8_t *line, struct reference *reference)
{
    const struct prefix *prefix = line_prefix(line);
    uint64_t address;
    if (!prefix || !eight_digits(line + 3, &address))
        return NULL;
    const uint8_t *at = line + 11;
    for (int digit; *at != ','; at++) {
        if ((digit = hex_digit(*at)) < 0 || address >> 60)
            return NULL;
        address = address << 4 | (unsigned)digit;
    }
    unsigned size = at[1] - (unsigned)'0';
    if (size - 1 > 8 || at[2] != '\n' || address > UINT64_MAX - 9)
        return NULL;
    *reference = (struct reference){address, size, prefix->kind};
    return at + 3;
}

/* ---- any other line -------------------------------------------------------------------------- */

/* "==1234==" and the like. */
static bool is_talk(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *at = line + 2;
    if (end - line < 5 || line[0] != line[1] || !memchr("=-*", line[0], 3))
        return false;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > line + 2 && end - at >= 2 && at[0] == line[0] && at[1] == line[0];
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* Without the blanks at its end, and the carriage return of a text that was on other systems. */
static const uint8_t *trimmed_end(const uint8_t *line, const uint8_t *end)
{
    end -= end > line && end[-1] == '\r';
    while (end > line && is_blank(end[-1]))
        end--;
    return end;
}

/* TRACE_NR_KINDS: it is none. */
static uint32_t letter_kind(uint8_t letter)
{
    static const char letters[] = {
        [TRACE_FETCH] = 'I', [TRACE_READ] = 'L', [TRACE_WRITE] = 'S', [TRACE_MODIFY] = 'M'};
    uint32_t kind = 0;
    while (kind < TRACE_NR_KINDS && letters[kind] != letter)
        kind++;
    return kind;
}

/* What is wrong with the line, or NULL when it is a reference. */
static const char *slow_line(const uint8_t *line, const uint8_t *end, struct reference *reference)
{
    const uint8_t *at = skip_blanks(line, end);
    uint32_t kind = at < end ? letter_kind(*at) : TRACE_NR_KINDS;
    if (kind == TRACE_NR_KINDS || ++at == end || !is_blank(*at))
        return "isn't a reference such as ' L 1ffeffe7e8,8', nor valgrind's ==1234==";
    const uint8_t *digits = at = skip_blanks(at, end);
    uint64_t address = 0, size = 0;
    for (int digit; at < end && (digit = hex_digit(*at)) >= 0; at++) {
        if (address >> 60)
            return "has an address of more than 64 bits";
        address = address << 4 | (unsigned)digit;
    }
    if (end - at >= 1 && at == digits + 1 && *digits == '0' && (*at | 0x20) == 'x')
        return "has an address with 0x, which is hexadecimal without it here";
    if (at == digits || at == end || *at++ != ',')
        return "has no address and comma, such as in ' L 1ffeffe7e8,8'";
    digits = at;
    for (; at < end && *at >= '0' && *at <= '9' && size <= MAX_REFERENCE_BYTES; at++)
        size = size * 10 + (unsigned)(*at - '0');
    if (at == digits || at != end)
        return "doesn't end with a size, such as in ' L 1ffeffe7e8,8'";
    if (!size || size > MAX_REFERENCE_BYTES)
        return "has a size that no instruction has";
    if (size - 1 > UINT64_MAX - address)
        return "goes beyond the last address";
    *reference = (struct reference){address, (uint32_t)size, kind};
    return NULL;
}

/* Nothing, or a comment, of who writes traces by hand. */
static bool is_no_reference(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *at = skip_blanks(line, end);
    return at == end || *at == '#' || is_talk(line, end);
}

/* The line's beginning, with what doesn't print as escapes. */
static void show_line(char *shown, size_t size, const uint8_t *line, const uint8_t *end)
{
    size_t used = 0;
    *shown = '\0';
    for (const uint8_t *at = line; at < end; at++) {
        char text[8];
        if (*at >= ' ' && *at <= '~')
            snprintf(text, sizeof text, "%c", *at);
        else if (*at == '\r' || *at == '\t')
            snprintf(text, sizeof text, "\\%c", *at == '\r' ? 'r' : 't');
        else
            snprintf(text, sizeof text, "\\x%02x", *at);
        size_t length = strlen(text);
        if (used + length + sizeof "..." > size) {
            strcpy(shown + used, "...");
            return;
        }
        strcpy(shown + used, text);
        used += length;
    }
}

static void complain_of_line(const struct lackey *lackey, const struct trace_input *input,
                             const uint8_t *line, const uint8_t *end, const char *what,
                             struct trace_error *error)
{
    char shown[SHOWN + sizeof "..."];
    show_line(shown, sizeof shown, line, end);
    trace_fail(error,
               "%s:%llu: '%s' %s%s. Record with `valgrind --tool=lackey --trace-mem=yes "
               "--log-file=TRACE PROGRAM`, so that nothing else gets into the trace",
               input->source.name, (unsigned long long)lackey->line + 1, shown, what,
               memchr(line, '\r', (size_t)(end - line)) ? " (there is a carriage return in it)"
                                                        : "");
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The run that goes on stays here until another begins. */
struct collector {
    struct trace_run *next;
    struct trace_run open; /* count 0: none */
};

static inline void add_page(struct collector *to, uint64_t page, uint32_t kind)
{
    if (to->open.page == page && to->open.kind == kind && to->open.count < UINT32_MAX) {
        to->open.count++;
        return;
    }
    *to->next = to->open;
    to->next += !!to->open.count;
    to->open = (struct trace_run){page, 1, kind};
}

static inline void add(struct collector *to, const struct reference *reference, unsigned shift)
{
    uint64_t page = reference->address >> shift,
             last = (reference->address + reference->size - 1) >> shift;
    add_page(to, page, reference->kind);
    while (page != last)
        add_page(to, ++page, reference->kind);
}

/* The lines that are whole, or all at the end: their end; NULL: see *error. */
static const uint8_t *whole_lines(const struct lackey *lackey, struct trace_input *input,
                                  struct trace_error *error)
{
    for (;;) {
        uint8_t *begin = input->buffer + input->begin, *end = input->buffer + input->end;
        const uint8_t *last = memrchr(begin, '\n', input_available(input));
        if (last)
            return last + 1;
        if (input->ended) {
            *end = '\n'; /* into the slack */
            input->end += begin != end;
            return begin != end ? end + 1 : end;
        }
        if (input_available(input) == INPUT_BYTES) {
            complain_of_line(lackey, input, begin, end, "is a line that doesn't end", error);
            return NULL;
        }
        if (!input_fill(input, input_available(input) + 1, error))
            return NULL;
    }
}

/* A line that isn't like most: 1: it is a reference, 0: it is none, -1: see *error. */
static QUIRE_NOINLINE int other_line(const struct lackey *lackey, const struct trace_input *input,
                                     const uint8_t *line, const uint8_t *end,
                                     struct reference *reference, struct trace_error *error)
{
    const uint8_t *trimmed = trimmed_end(line, end);
    const char *wrong = slow_line(line, trimmed, reference);
    if (!wrong)
        return 1;
    if (is_no_reference(line, trimmed))
        return 0;
    complain_of_line(lackey, input, line, trimmed, wrong, error);
    return -1;
}

/* Reads lines up to `end` until there is no room for one more. False: see *error. */
static bool read_lines(struct lackey *lackey, struct trace_input *input, const uint8_t *end,
                       struct collector *to, const struct trace_run *full,
                       struct trace_error *error)
{
    const uint8_t *line = input->buffer + input->begin;
    unsigned shift = lackey->page_shift;
    while (line < end && to->next < full) {
        struct reference reference;
        const uint8_t *next = fast_line(line, &reference);
        if (quire_unlikely(!next)) {
            const uint8_t *line_end = memchr(line, '\n', (size_t)(end - line));
            int is = other_line(lackey, input, line, line_end, &reference, error);
            if (is < 0)
                return false;
            next = line_end + 1;
            if (!is)
                reference.size = 0;
        }
        if (quire_likely(reference.size))
            add(to, &reference, shift);
        lackey->line++;
        line = next;
    }
    input->begin = (size_t)(line - input->buffer);
    return true;
}

ssize_t lackey_read(struct lackey *lackey, struct trace_input *input, struct trace_run *runs,
                    struct trace_error *error)
{
    struct collector to = {.next = runs, .open = {.page = UINT64_MAX}};
    while (!to.open.count) {
        const uint8_t *end = whole_lines(lackey, input, error);
        if (!end)
            return -1;
        if (end == input->buffer + input->begin)
            break;
        if (!read_lines(lackey, input, end, &to, runs + TRACE_BATCH - MAX_SPAN, error))
            return -1;
    }
    if (to.open.count) {
        *to.next++ = to.open;
        lackey->any = true;
    } else if (!lackey->any) {
        trace_fail(error,
                   "%s has no references. Record with `valgrind --tool=lackey --trace-mem=yes "
                   "--log-file=TRACE PROGRAM`",
                   input->source.name);
        return -1;
    }
    return to.next - runs;
}
