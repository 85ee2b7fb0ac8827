/* tools/figures.c: numbers as people read them */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MS 1000000u

/* The nearest: who sees the same size in two places sees the same digits. */
const char *size_text(char text[FIGURE_BYTES], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    uint64_t tenths = bytes * 10;
    if (bytes >> 50)
        return "more than 1024 TiB";
    while (tenths >= 10240 && unit < 4) {
        unit++;
        uint64_t one = (uint64_t)1 << 10 * unit;
        tenths = (bytes * 10 + one / 2) / one;
    }
    if (unit)
        snprintf(text, FIGURE_BYTES, "%" PRIu64 ".%u %s", tenths / 10, (unsigned)(tenths % 10),
                 units[unit]);
    else
        snprintf(text, FIGURE_BYTES, "%" PRIu64 " B", bytes);
    return text;
}

const char *count_text(char text[FIGURE_BYTES], uint64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *share_text(char text[FIGURE_BYTES], uint64_t part, uint64_t whole)
{
    double share = whole ? (double)part * 100 / (double)whole : 0;
    if (part && share < 0.05)
        snprintf(text, FIGURE_BYTES, "<0.1 %%");
    else if (part < whole && share >= 99.95)
        snprintf(text, FIGURE_BYTES, ">99.9 %%");
    else
        snprintf(text, FIGURE_BYTES, "%.1f %%", share);
    return text;
}

const char *time_text(char text[FIGURE_BYTES], uint64_t ns)
{
    if (ns < 10 * NS_PER_MS)
        snprintf(text, FIGURE_BYTES, "%.3f ms", (double)ns / NS_PER_MS);
    else
        snprintf(text, FIGURE_BYTES, "%.3f s", (double)ns / NS_PER_MS / 1000);
    return text;
}

double seconds_of(uint64_t ns)
{
    return (double)(ns / NS_PER_MS) / 1000;
}
