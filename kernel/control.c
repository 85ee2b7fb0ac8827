/* kernel/control.c: what who started the machine says to it while it runs (docs/machine.md)
 *
 *     size ROWS COLUMNS    the terminal has so many
 *     continue             the program goes on, if a signal stopped it
 *     end                  the machine ends, once it has told of its memory
 *
 * Lines come in an interrupt handler, in pieces. What isn't one of these is passed over.
 */
#include "control.h"

#include "dev/lines.h"
#include "standard.h"
#include "string.h"
#include "task/init.h"

#define LINE_BYTES 64u

static struct {
    char text[LINE_BYTES];
    size_t length; /* LINE_BYTES: it is too long */
} line;

/* Behind `word`, if the text begins with it; else NULL. */
static const char *behind(const char *text, const char *word)
{
    for (; *word; word++)
        if (*text++ != *word)
            return NULL;
    return text;
}

/* Digits, which *text is put behind; 0: none, or too many. */
static unsigned number(const char **text)
{
    unsigned value = 0;
    for (; **text >= '0' && **text <= '9' && value < UINT16_MAX; ++*text)
        value = value * 10 + (unsigned)(**text - '0');
    return value <= UINT16_MAX ? value : 0;
}

static void obey(const char *text)
{
    const char *size = behind(text, "size ");
    if (string_equal(text, "continue"))
        init_continue_program();
    if (string_equal(text, "end"))
        init_end_machine();
    if (!size)
        return;
    unsigned rows = number(&size);
    if (*size++ == ' ')
        console_set_size(rows, number(&size));
}

static size_t receive(void *arg, const char *bytes, size_t size)
{
    (void)arg;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n') {
            if (line.length < LINE_BYTES)
                line.text[line.length++] = bytes[i];
            continue;
        }
        if (line.length < LINE_BYTES) {
            line.text[line.length] = '\0';
            obey(line.text);
        }
        line.length = 0;
    }
    return size;
}

static void gone(void *arg)
{
    (void)arg;
}

int control_init(void)
{
    static const struct line_listener listener = {receive, gone, NULL};
    return line_listen(LINE_CONTROL, &listener);
}
