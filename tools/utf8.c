/* tools/utf8.c: text that is UTF-8, whatever it was before
 */
#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at the beginning; 0: there is none. As Unicode has it (table 3-7): no
 * number in more bytes than it needs, no surrogates, nothing beyond U+10FFFF. */
static size_t sequence_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80       ? 1
                    : text[0] >> 5 == 6  ? 2
                    : text[0] >> 4 == 14 ? 3
                    : text[0] >> 3 == 30 ? 4
                                         : 0;
    if (length < 2)
        return length;
    uint32_t point = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool right = point >= least[length] && point <= 0x10ffff && point >> 11 != 0xd800 >> 11;
    return right ? length : 0;
}

void utf8_clean(char *text)
{
    for (size_t i = 0, length; text[i]; i += length ? length : 1) {
        length = sequence_length((const unsigned char *)text + i);
        if (!length)
            text[i] = '?';
    }
}

/* C0 and C1, DEL, separators of lines, marks of direction (Unicode 15, section 23.2 and UAX 9). */
static bool is_obeyed(uint32_t point)
{
    return point < ' ' || (point >= 0x7f && point < 0xa0) || point == 0x61c || point == 0x200e ||
           point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

static uint32_t point_of(const unsigned char *text, size_t length)
{
    uint32_t point = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (text[i] & 0x3f);
    return point;
}

void utf8_print(char *text)
{
    utf8_clean(text);
    for (size_t length; *text; text += length) {
        length = sequence_length((const unsigned char *)text);
        if (is_obeyed(point_of((const unsigned char *)text, length)))
            memset(text, '?', length);
    }
}
