/* kernel/cmdline.c: words of the command line */
#include "cmdline.h"

const char *cmdline_find(const char *line, const char *name, size_t *length)
{
    while (*line) {
        const char *word = line;
        const char *expected = name;
        for (; *expected && *word == *expected; word++)
            expected++;
        if (!*expected && (!*word || *word == ' ' || *word == '=')) {
            word += *word == '=';
            for (*length = 0; word[*length] && word[*length] != ' ';)
                ++*length;
            return word;
        }
        while (*line && *line != ' ')
            line++;
        while (*line == ' ')
            line++;
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
