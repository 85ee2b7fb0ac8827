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
 *     trim=BYTES       as M_TRIM_THRESHOLD; -1: never
 *     map=BYTES        as M_MMAP_THRESHOLD
 *     perturb=BYTE     as M_PERTURB
 *
 * Numbers are C's, and may end with k, m or g. What isn't understood is told once on stderr, and
 * ignored. Of glibc's variables MALLOC_MMAP_THRESHOLD_, MALLOC_MMAP_MAX_, MALLOC_TRIM_THRESHOLD_
 * and MALLOC_PERTURB_ are obeyed, before those words; what isn't understood of them is ignored, as
 * glibc does. Programs with more rights than their caller (AT_SECURE) don't look.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/guard.h"
#include "malloc/options.h"
#include "malloc/process.h"

#define MOST_NAME 256
#define MOST_DECAY_MS 1000000u

/* As glibc takes them, by strtoul: 0x and 0 in front have their meaning in C, and blanks and a plus
 * have none; and with a unit behind. False: it isn't one. */
static bool parse_number(const char *text, unsigned long *value)
{
    static const char units[] = "kmgKMG";
    int had = errno; /* the program's begins with 0 */
    char *end;
    errno = 0;
    *value = strtoul(text, &end, 0);
    bool is_one = end != text && !errno && !strchr(text, '-');
    errno = had;
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)((unit - units) % 3 + 1) : 0;
    if (!is_one || end[unit != NULL] || *value > ULONG_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

/* A threshold of -1 is never reached. */
static bool parse_threshold(const char *text, unsigned long *value)
{
    *value = ULONG_MAX;
    return !strcmp(text + strspn(text, " \t"), "-1") || parse_number(text, value);
}

static int as_int(unsigned long value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

enum takes { NOTHING, A_NUMBER, A_THRESHOLD, A_NUMBER_OR_NOTHING, A_NAME_OR_NOTHING };

struct word {
    const char *name;
    enum takes takes;
    bool (*apply)(unsigned long value, const char *name); /* false: the value makes no sense */
    const char *values;                                   /* that do, if it has bounds */
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
    if (!value || value > MOST_DECAY_MS)
        return false;
    quire_heap_set_decay(heap, (uint64_t)value * 1000000u);
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
    {"junk", NOTHING, junk, NULL},
    {"leak", NOTHING, leak, NULL},
    {"calls", NOTHING, calls, NULL},
    {"share", A_NAME_OR_NOTHING, share, NULL},
    {"guard", A_NUMBER_OR_NOTHING, guard, NULL},
    {"stats", A_NAME_OR_NOTHING, stats, "json, or nothing"},
    {"decay", A_NUMBER, decay, "1 to 1000000 milliseconds"},
    {"huge", NOTHING, huge, NULL},
    {"trim", A_THRESHOLD, trim, "bytes, or -1"},
    {"map", A_NUMBER, map, "up to 32m"},
    {"perturb", A_NUMBER, perturb, "0 to 255"},
};

static bool apply(const struct word *word, const char *value, size_t length)
{
    char name[MOST_NAME] = "";
    unsigned long number = 0;
    if (!value)
        return word->takes != A_NUMBER && word->takes != A_THRESHOLD && word->apply(0, NULL);
    if (word->takes == NOTHING || length >= sizeof name)
        return false;
    memcpy(name, value, length);
    if (word->takes == A_NAME_OR_NOTHING)
        return word->apply(0, name);
    bool is_number =
        word->takes == A_THRESHOLD ? parse_threshold(name, &number) : parse_number(name, &number);
    return is_number && word->apply(number, NULL);
}

static const struct word *find(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].name) == length && !memcmp(words[i].name, text, length))
            return &words[i];
    return NULL;
}

static void obey(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t name = equals ? (size_t)(equals - text) : length;
    const struct word *word = find(text, name);
    if (word && apply(word, equals ? equals + 1 : NULL, equals ? length - name - 1 : 0))
        return;
    const char *values = word ? word->values : NULL;
    message("quire-malloc: QUIRE_MALLOC: \"%.*s\" isn't understood, and ignored%s%s%s",
            (int)(length < 80 ? length : 80), text, values ? " (it takes " : "",
            values ? values : "", values ? ")" : "");
}

static void obey_all(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length)
            obey(text, length);
        text += length + (text[length] == ',');
    }
}

static void obey_glibc(void)
{
    static const struct {
        const char *name;
        int parameter;
        unsigned long most; /* more is ignored */
    } variables[] = {
        {"MALLOC_MMAP_THRESHOLD_", M_MMAP_THRESHOLD, INT_MAX},
        {"MALLOC_MMAP_MAX_", M_MMAP_MAX, INT_MAX},
        {"MALLOC_PERTURB_", M_PERTURB, 255},
    };
    unsigned long value;
    const char *text = secure_getenv("MALLOC_TRIM_THRESHOLD_");
    if (text && parse_threshold(text, &value))
        set_trim_threshold(value);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        text = secure_getenv(variables[i].name);
        if (text && parse_number(text, &value) && value <= variables[i].most)
            (void)option_set(variables[i].parameter, (int)value);
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
    if (options.stats || options.mode & (MODE_LEAK | MODE_CALLS))
        process_learn();
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
