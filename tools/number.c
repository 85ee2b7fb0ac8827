/* tools/number.c: numbers that users type */
#include "quire.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || *end || value < min || value > max)
        return false;
    *number = value;
    return true;
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
