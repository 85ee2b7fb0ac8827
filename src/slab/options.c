/* slab/options.c: debugging by an option string, as Linux's slab_debug=
 *
 *     options := [prefix "="] ( "" | part { ";" part } )
 *     part    := flags { "," name } | "," name { "," name }
 *     flags   := letter { letter } | "-"
 *
 * The last part that names a cache is the one that counts; else the last one without names. A name
 * is what a cache could have, and doesn't begin or end with a blank: that would be a slip.
 */
#include "slab/debug.h"

#define DEFAULT_FLAGS QUIRE_SLAB_DEBUG_FLAGS

static const struct {
    char letter;
    quire_slab_flags_t flag;
} letters[] = {
    {'F', QUIRE_SLAB_CONSISTENCY_CHECKS},
    {'Z', QUIRE_SLAB_RED_ZONE},
    {'P', QUIRE_SLAB_POISON},
    {'U', QUIRE_SLAB_STORE_USER},
    {'R', QUIRE_SLAB_FREELIST_RANDOM},
};

/* Ours, and Linux's before and after 6.9. */
static const char *skip_prefix(const char *options)
{
    static const char *const prefixes[] = {"quire_slab_debug=", "slab_debug=", "slub_debug="};
    for (unsigned p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        size_t i = 0;
        while (prefixes[p][i] && options[i] == prefixes[p][i])
            i++;
        if (!prefixes[p][i])
            return options + i;
    }
    return options;
}

static bool ends_part(char c)
{
    return !c || c == ';' || c == ',';
}

/* Reads the letters of a part; NULL: there are others. */
static const char *read_letters(const char *at, quire_slab_flags_t *flags)
{
    *flags = ends_part(*at) ? DEFAULT_FLAGS : 0;
    if (*at == '-')
        return ends_part(at[1]) ? at + 1 : NULL;
    for (; !ends_part(*at); at++) {
        quire_slab_flags_t flag = 0;
        for (unsigned i = 0; i < sizeof letters / sizeof letters[0]; i++)
            if (letters[i].letter == *at)
                flag = letters[i].flag;
        if (!flag)
            return NULL;
        *flags |= flag;
    }
    return at;
}

/* Compares a name with the next of a part, which ends at a comma, a semicolon or the end; `*at`
 * goes there. */
static bool matches(const char **at, const char *name)
{
    const char *pattern = *at;
    while (!ends_part(**at))
        (*at)++;
    for (; pattern < *at; pattern++, name++) {
        if (*pattern == '*' && pattern + 1 == *at)
            return true;
        if (*pattern != *name)
            return false;
    }
    return !*name;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(const char *from, const char *end)
{
    return end > from && end - from < NAME_BYTES && !is_blank(*from) && !is_blank(end[-1]);
}

const char *debug_options_wrong_part(const char *options)
{
    quire_slab_flags_t flags;
    const char *first = skip_prefix(options);
    if (!*first)
        return NULL;
    for (const char *part = first, *at;; part = at + 1) {
        at = read_letters(part, &flags);
        if (!at || (at == part && *at != ','))
            return part;
        while (*at == ',') {
            const char *name = ++at;
            matches(&at, "");
            if (!is_name(name, at))
                return part;
        }
        if (!*at)
            return NULL;
    }
}

quire_slab_flags_t debug_option_flags(const struct quire_slab *slab, const char *name,
                                      quire_slab_flags_t flags)
{
    quire_slab_flags_t all = QUIRE_SLAB_DEBUG_FLAGS | QUIRE_SLAB_FREELIST_RANDOM, chosen = 0;
    bool by_name = false, any = false;
    if (!slab->has_debug || flags & CACHE_NO_SHEAVES)
        return flags;
    for (const char *at = skip_prefix(slab->debug);; at++) {
        quire_slab_flags_t part;
        const char *start = at;
        at = read_letters(at, &part);
        bool named = *at == ',', mine = !named && !by_name;
        while (*at == ',') {
            at++;
            mine |= matches(&at, name);
        }
        if (mine) {
            chosen = *start == '-' ? 0 : part;
            flags = *start == '-' ? flags & ~all : flags;
            by_name |= named;
            any = true;
        }
        if (!*at)
            break;
    }
    return any ? flags | chosen : flags;
}
