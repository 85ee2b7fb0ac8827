/* kernel/cmdline.c: words of the command line */
#include "cmdline.h"

/* Behind the name, if the word has it: at its '=', a space or the end. Otherwise NULL. */
static const char *name_end(const char *word, const char *name)
{
    for (; *name && *word == *name; word++)
        name++;
    return !*name && (!*word || *word == ' ' || *word == '=') ? word : NULL;
}

static size_t word_length(const char *word)
{
    size_t length = 0;
    while (word[length] && word[length] != ' ')
        length++;
    return length;
}

static const char *next_word(const char *word)
{
    word += word_length(word);
    while (*word == ' ')
        word++;
    return word;
}

const char *cmdline_find(const char *line, const char *name, size_t *length)
{
    for (; *line; line = next_word(line)) {
        const char *value = name_end(line, name);
        if (!value)
            continue;
        value += *value == '=';
        *length = word_length(value);
        return value;
    }
    return NULL;
}

const char *cmdline_find_unknown(const char *line, const char *const *known, size_t *length)
{
    for (; *line; line = next_word(line)) {
        bool is_known = !(*length = word_length(line));
        for (const char *const *name = known; *name && !is_known; name++)
            is_known = name_end(line, *name) != NULL;
        if (!is_known)
            return line;
    }
    return NULL;
}

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 255;
}

uint64_t cmdline_number(const char *line, const char *name, uint64_t otherwise)
{
    size_t length;
    const char *text = cmdline_find(line, name, &length);
    if (!text || !length)
        return otherwise;
    unsigned base = 10;
    if (length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
        base = 16;
        text += 2;
        length -= 2;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (digit_of(text[i]) >= base)
            return otherwise;
        value = value * base + digit_of(text[i]);
    }
    return value;
}

bool cmdline_string(const char *line, const char *name, char *to, size_t size)
{
    size_t length;
    const char *text = cmdline_find(line, name, &length);
    if (!text || !length)
        return false;
    if (length > size - 1)
        length = size - 1;
    for (size_t i = 0; i < length; i++)
        to[i] = text[i];
    to[length] = '\0';
    return true;
}
