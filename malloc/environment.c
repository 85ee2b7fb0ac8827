/* malloc/environment.c: what the environment asks for
 *
 *     QUIRE_MALLOC=WORD[,WORD...]
 *
 *     junk             new blocks are filled with 0xa5, freed ones with 0x5a
 *     leak             at exit, a report of blocks that weren't freed, by callers: leak.c
 *     guard[=N]        one of N blocks (1000) ends at a page that can't be touched: guard.c
 *     calls            at exit, a histogram of calls by size: calls.c
 *     share            counts in a file that other processes may read: share.c
 *     share=FILE       in that one, as others want it
 *     stats            at exit, the heap's counts on stderr; stats=json: as JSON
 *     decay=MS         what nobody needed for so long is given back (1000)
 *     trim=BYTES       as M_TRIM_THRESHOLD
 *     map=BYTES        as M_MMAP_THRESHOLD
 *     perturb=BYTE     as M_PERTURB
 *
 * Numbers may end with k, m or g. What isn't understood is told once on stderr, and ignored. Of
 * glibc's variables MALLOC_MMAP_THRESHOLD_, MALLOC_MMAP_MAX_, MALLOC_TRIM_THRESHOLD_ and
 * MALLOC_PERTURB_ are obeyed, before those words. Programs with more rights than their caller
 * (AT_SECURE) don't look.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/guard.h"
#include "malloc/options.h"

#define MOST_NAME 256

/* False: it isn't one. */
static bool parse_number(const char *text, size_t length, unsigned long *value)
{
    unsigned shift = 0;
    if (length && strchr("kmgKMG", text[length - 1])) {
        char unit = (char)(text[--length] | 0x20);
        shift = unit == 'k' ? 10 : unit == 'm' ? 20 : 30;
    }
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || *value > ULONG_MAX / 16)
            return false;
        *value = 10 * *value + (unsigned long)(text[i] - '0');
    }
    if (!length || *value > ULONG_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static int as_int(unsigned long value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

enum takes { NOTHING, A_NUMBER, A_NUMBER_OR_NOTHING, A_NAME_OR_NOTHING };

struct word {
    const char *name;
    enum takes takes;
    bool (*apply)(unsigned long value, const char *name); /* false: the value makes no sense */
};

static bool junk(unsigned long value, const char *name)
{
    (void)value;
    (void)name;
    mode_set(options.mode | MODE_JUNK);
    return true;
}

static bool leak(unsigned long value, const char *name)
{
    (void)value;
    (void)name;
    mode_set(options.mode | MODE_LEAK);
    return true;
}

static bool calls(unsigned long value, const char *name)
{
    (void)value;
    (void)name;
    mode_set(options.mode | MODE_CALLS);
    return true;
}

static bool share(unsigned long value, const char *name)
{
    (void)value;
    options.shares = !name || share_into(name);
    return options.shares;
}

static bool guard(unsigned long value, const char *name)
{
    (void)name;
    if (!guard_start(value))
        return false;
    mode_set(options.mode | MODE_GUARD);
    return true;
}

static bool stats(unsigned long value, const char *name)
{
    (void)value;
    options.stats = !name ? STATS_TEXT : !strcmp(name, "json") ? STATS_JSON : STATS_NONE;
    return options.stats != STATS_NONE;
}

static bool decay(unsigned long value, const char *name)
{
    (void)name;
    if (!value || value > 1000000)
        return false;
    quire_heap_set_decay(heap, value * 1000000u);
    return true;
}

static bool huge(unsigned long value, const char *name)
{
    (void)value;
    (void)name;
    return system_huge_pages();
}

static bool trim(unsigned long value, const char *name)
{
    (void)name;
    set_trim_threshold(value);
    return true;
}

static bool map(unsigned long value, const char *name)
{
    (void)name;
    return option_set(M_MMAP_THRESHOLD, as_int(value));
}

static bool perturb(unsigned long value, const char *name)
{
    (void)name;
    return value < 256 && option_set(M_PERTURB, (int)value);
}

static const struct word words[] = {
    {"junk", NOTHING, junk},
    {"leak", NOTHING, leak},
    {"calls", NOTHING, calls},
    {"share", A_NAME_OR_NOTHING, share},
    {"guard", A_NUMBER_OR_NOTHING, guard},
    {"stats", A_NAME_OR_NOTHING, stats},
    {"decay", A_NUMBER, decay},
    {"huge", NOTHING, huge},
    {"trim", A_NUMBER, trim},
    {"map", A_NUMBER, map},
    {"perturb", A_NUMBER, perturb},
};

static bool apply(const struct word *word, const char *value, size_t length)
{
    char name[MOST_NAME] = "";
    unsigned long number = 0;
    if (!value)
        return word->takes != A_NUMBER && word->apply(0, NULL);
    if (word->takes == NOTHING || length >= sizeof name)
        return false;
    memcpy(name, value, length);
    if (word->takes == A_NAME_OR_NOTHING)
        return word->apply(0, name);
    return parse_number(value, length, &number) && word->apply(number, NULL);
}

static bool obey(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t name = equals ? (size_t)(equals - text) : length;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].name) == name && !memcmp(words[i].name, text, name))
            return apply(&words[i], equals ? equals + 1 : NULL, equals ? length - name - 1 : 0);
    return false;
}

static void obey_all(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length && !obey(text, length))
            message("quire-malloc: QUIRE_MALLOC: \"%.*s\" isn't understood, and ignored",
                    (int)(length < 80 ? length : 80), text);
        text += length + (text[length] == ',');
    }
}

static void obey_glibc(void)
{
    static const struct {
        const char *name;
        int parameter;
    } variables[] = {
        {"MALLOC_MMAP_THRESHOLD_", M_MMAP_THRESHOLD},
        {"MALLOC_MMAP_MAX_", M_MMAP_MAX},
        {"MALLOC_TRIM_THRESHOLD_", M_TRIM_THRESHOLD},
        {"MALLOC_PERTURB_", M_PERTURB},
    };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        unsigned long value;
        const char *text = secure_getenv(variables[i].name);
        if (text && parse_number(text, strlen(text), &value))
            (void)option_set(variables[i].parameter, as_int(value));
        else if (text && !strcmp(text, "-1"))
            (void)option_set(variables[i].parameter, -1);
    }
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = secure_getenv("QUIRE_MALLOC");
    if (!heap_enter())
        return;
    obey_glibc();
    if (text)
        obey_all(text);
    if (options.shares)
        share_if_due();
    heap_leave();
}

/* Blocks that were freed twice show when they get from the stacks to their slabs. */
__attribute__((destructor)) static void at_exit(void)
{
    if (self.inside || !heap_enter()) /* a handler exits */
        return;
    if (self.cache.slots)
        quire_heap_cache_flush(&self.cache);
    quire_heap_settle(heap);
    if (options.shares)
        share_last();
    heap_leave();
    debug_report();
}
