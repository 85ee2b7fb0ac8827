/* tools/utf8.c: text that is UTF-8, whatever it was before
 */
#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
