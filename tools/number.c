/* tools/number.c: numbers that users type and read */
#include "quire.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "trace.h"

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    char *end;
    bool hexadecimal = !strncasecmp(text, "0x", 2) && isxdigit((unsigned char)text[2]);
    if (!isdigit((unsigned char)*text) || (*text == '0' && text[1] && !hexadecimal))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, hexadecimal ? 16 : 10);
    if (errno || *end || value < min || value > max)
        return false;
    *number = value;
    return true;
}

bool looks_hexadecimal(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return !text[strspn(text, "0123456789abcdefABCDEF")] && (text[digits] || *text == '0');
}

bool parse_size(const char *text, uint64_t *size)
{
    static const char units[] = "KMGT";
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno)
        return false;
    unsigned shift = 0;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
        if (!strcasecmp(end, "ib"))
            end += 2;
    }
    if (!strcasecmp(end, "b"))
        end++;
    if (*end || value > UINT64_MAX >> shift)
        return false;
    *size = (uint64_t)value << shift;
    return true;
}

void format_size(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit < 4 && bytes && !(bytes & 1023)) {
        bytes >>= 10;
        unit++;
    }
    snprintf(text, size, "%llu %s", (unsigned long long)bytes, units[unit]);
}

bool parse_page_size(const char *text, unsigned *shift)
{
    uint64_t size;
    if (!parse_size(text, &size))
        return false;
    for (unsigned s = TRACE_MIN_PAGE_SHIFT; s <= TRACE_MAX_PAGE_SHIFT; s++)
        if (size == (uint64_t)1 << s) {
            *shift = s;
            return true;
        }
    return false;
}
