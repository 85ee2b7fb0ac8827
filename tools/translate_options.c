/* tools/translate_options.c: the options of quire translate */
#define _DEFAULT_SOURCE
#include <string.h>

#include "quire.h"
#include "translate.h"

#define MAX_MAP_BYTES ((uint64_t)1 << 40)

static const char examples[] =
    "Examples:\n"
    "  quire translate --mode i386 0x08147258        how the address is split\n"
    "  quire translate --mode i386 --user --map 0x08147000=0xabc000,4K,rw 0x08147258\n"
    "                                                through tables that map this page\n"
    "  quire translate --snapshot ram.raw --cr3 0x1aa000 0xffff888000001000\n"
    "                                                through those of a machine (QEMU: pmemsave,\n"
    "                                                info registers)\n"
    "  quire translate --pid 1234 0x7ffd1c2b3a40     in a process that runs\n\n";

enum {
    OPTION_MODE = 256,
    OPTION_GDT,
    OPTION_SELECTOR,
    OPTION_REGISTER,
    OPTION_MAP,
    OPTION_SNAPSHOT,
    OPTION_CR3,
    OPTION_PID,
    OPTION_ACCESS,
    OPTION_USER,
    OPTION_JSON,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The processor", 1},
    {"mode", OPTION_MODE, "MODE", 0, "i386, pae, x86-64 (the default) or la57", 1},
    {"access", OPTION_ACCESS, "KIND", 0, "read (the default), write or exec", 1},
    {"user", OPTION_USER, NULL, 0, "In ring 3, not 0", 1},
    {NULL, 0, NULL, 0, "Segments", 2},
    {"gdt", OPTION_GDT, "FILE", 0,
     "Descriptors as in memory, 8 bytes each, or 'linux' (the default)", 2},
    {"selector", OPTION_SELECTOR, "S", 0, "What is loaded (Linux's for the access and the ring)",
     2},
    {"register", OPTION_REGISTER, "NAME", 0, "ds (the default), ss, es, fs, gs; cs for exec", 2},
    {NULL, 0, NULL, 0, "Page tables (without any: the split of the address alone)", 3},
    {"map", OPTION_MAP, "VIRT=PHYS[,SIZE][,FLAGS]", 0,
     "Tables that map this; may be repeated. SIZE: 4K by default. FLAGS: r read, w write, x "
     "execute, "
     "g global, s supervisor only, h largest pages that fit, n not present; without r, w and x: "
     "rwx",
     3},
    {"snapshot", OPTION_SNAPSHOT, "FILE", 0, "Physical memory from address 0 on, raw", 3},
    {"cr3", OPTION_CR3, "ADDRESS", 0, "The root of its tables", 3},
    {"pid", OPTION_PID, "PID", 0,
     "Those of a process, as far as Linux tells: where a linear address goes, or which signal an "
     "access from ring 3 gets",
     3},
    {NULL, 0, NULL, 0, "Output", 4},
    {"json", OPTION_JSON, NULL, 0,
     "JSON, in one line; addresses and entries are strings in hexadecimal", 4},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

/* The index of `word` in `words`, which end with NULL. */
static unsigned choose(const char *option, const char *word, const char *const *words,
                       struct argp_state *state)
{
    char known[64] = "";
    unsigned i = 0;
    while (words[i] && strcmp(words[i], word))
        i++;
    if (words[i])
        return i;
    for (i = 0; words[i]; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s",
                 !i             ? ""
                 : words[i + 1] ? ", "
                                : " and ",
                 words[i]);
    }
    argp_error(state, "%s knows %s, not '%s'", option, known, word);
    return 0;
}

static enum quire_pt_format_id parse_mode(const char *arg, struct argp_state *state)
{
    static const char *const words[] = {"i386", "pae", "x86-64", "la57", NULL};
    static const enum quire_pt_format_id modes[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_PAE,
                                                    QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_LA57};
    return modes[choose("--mode", arg, words, state)];
}

static enum quire_access parse_access(const char *arg, struct argp_state *state)
{
    static const char *const words[] = {"read", "write", "exec", NULL};
    return (enum quire_access)choose("--access", arg, words, state);
}

/* In the order of enum quire_segment_register. */
static enum quire_segment_register parse_register(const char *arg, struct argp_state *state)
{
    static const char *const words[] = {"es", "cs", "ss", "ds", "fs", "gs", NULL};
    return (enum quire_segment_register)choose("--register", arg, words, state);
}

static uint64_t parse_address(const char *what, const char *arg, uint64_t max,
                              struct argp_state *state)
{
    uint64_t number;
    if (parse_number(arg, 0, max, &number))
        return number;
    if (looks_hexadecimal(arg))
        argp_error(state,
                   "%s is a number up to 0x%llx, not '%s': hexadecimal needs 0x, and decimal "
                   "doesn't begin with 0",
                   what, (unsigned long long)max, arg);
    argp_error(state, "%s is a number up to 0x%llx, decimal or with 0x hexadecimal, not '%s'", what,
               (unsigned long long)max, arg);
    return 0;
}

/* ---- --map ----------------------------------------------------------------------------------- */

static void parse_flags(struct map_spec *map, const char *flags, const char *arg,
                        struct argp_state *state)
{
    map->bits = QUIRE_PTE_PRESENT | QUIRE_PTE_USER;
    map->bits |= strpbrk(flags, "rwx") ? QUIRE_PTE_NX : QUIRE_PTE_WRITE; /* none of them: all */
    for (; *flags; flags++)
        switch (*flags) {
        case 'r':
            break;
        case 'w':
            map->bits |= QUIRE_PTE_WRITE;
            break;
        case 'x':
            map->bits &= ~QUIRE_PTE_NX;
            break;
        case 'g':
            map->bits |= QUIRE_PTE_GLOBAL;
            break;
        case 's':
            map->bits &= ~(uint64_t)QUIRE_PTE_USER;
            break;
        case 'h':
            map->large = true;
            break;
        case 'n':
            map->bits &= ~(uint64_t)QUIRE_PTE_PRESENT;
            break;
        default:
            argp_error(state, "--map '%s': flags are of r, w, x, g, s, h, n, not '%c'", arg,
                       *flags);
        }
}

static void parse_map(struct translate *t, const char *arg, struct argp_state *state)
{
    char copy[256];
    if (t->nr_maps == MAX_MAPS)
        argp_error(state, "--map: %u are enough", MAX_MAPS);
    if ((size_t)snprintf(copy, sizeof copy, "%s", arg) >= sizeof copy)
        argp_error(state, "--map '%s' is too long", arg);
    struct map_spec *map = &t->map[t->nr_maps++];
    *map = (struct map_spec){.size = 4096};
    parse_flags(map, "", arg, state);
    char *rest = copy, *virt = strsep(&rest, "="), *phys = strsep(&rest, ",");
    if (!phys)
        argp_error(state,
                   "--map is VIRT=PHYS[,SIZE][,FLAGS], such as 0x8147000=0xabc000,4K,rw, "
                   "not '%s'",
                   arg);
    map->virt = parse_address("--map's VIRT", virt, UINT64_MAX, state);
    map->phys = parse_address("--map's PHYS", phys, UINT64_MAX, state);
    char *word = strsep(&rest, ",");
    if (word && parse_size(word, &map->size))
        word = strsep(&rest, ",");
    if (word)
        parse_flags(map, word, arg, state);
    if (rest)
        argp_error(state, "--map '%s': what is '%s'?", arg, rest);
    if ((map->virt | map->phys | map->size) & 0xfff || !map->size || map->size > MAX_MAP_BYTES)
        argp_error(state, "--map '%s': addresses and size are multiples of 4K, up to 1T", arg);
}

/* ---- all together ---------------------------------------------------------------------------- */

static void check(struct translate *t, struct argp_state *state)
{
    bool narrow = t->mode == QUIRE_PT_FORMAT_I386 || t->mode == QUIRE_PT_FORMAT_PAE;
    if (!t->has_address)
        argp_error(state, "which address?");
    if (narrow && t->address > UINT32_MAX)
        argp_error(state, "an address of this mode has 32 bits: not 0x%llx",
                   (unsigned long long)t->address);
    if (!!t->nr_maps + !!t->snapshot + !!t->pid > 1)
        argp_error(state, "--map, --snapshot and --pid exclude each other");
    if (t->pid && t->of_segment)
        argp_error(
            state,
            "%s means nothing with --pid: Linux tells where a process's linear address goes, "
            "not through which segment",
            t->of_segment);
    if (!t->snapshot != !t->has_cr3)
        argp_error(state, "--snapshot and --cr3 need each other");
    if (t->access == QUIRE_EXECUTE && t->has_register && t->which != QUIRE_CS)
        argp_error(state, "code is executed through cs, not through another --register");
    if (t->access == QUIRE_EXECUTE)
        t->which = QUIRE_CS;
    if (t->gdt && !t->has_selector)
        argp_error(state, "--gdt FILE needs --selector: which of its descriptors?");
}

static error_t parse_processor(int key, char *arg, struct argp_state *state)
{
    struct translate *t = state->input;
    switch (key) {
    case OPTION_MODE:
        t->mode = parse_mode(arg, state);
        return 0;
    case OPTION_ACCESS:
        t->access = parse_access(arg, state);
        return 0;
    case OPTION_USER:
        t->user = true;
        return 0;
    case OPTION_GDT:
        t->of_segment = "--gdt";
        t->gdt = strcmp(arg, "linux") ? arg : NULL;
        return 0;
    case OPTION_SELECTOR:
        t->of_segment = "--selector";
        t->selector = (uint16_t)parse_address("--selector", arg, 0xffff, state);
        t->has_selector = true;
        return 0;
    case OPTION_REGISTER:
        t->of_segment = "--register";
        t->which = parse_register(arg, state);
        t->has_register = true;
        return 0;
    default:
        return parse_common(key, &argp, "quire translate", examples);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct translate *t = state->input;
    switch (key) {
    case OPTION_MAP:
        parse_map(t, arg, state);
        return 0;
    case OPTION_SNAPSHOT:
        t->snapshot = arg;
        return 0;
    case OPTION_CR3:
        t->cr3 = parse_address("--cr3", arg, UINT64_MAX, state);
        t->has_cr3 = true;
        return 0;
    case OPTION_PID:
        if (!parse_number(arg, 1, INT32_MAX, &t->pid))
            argp_error(state, "--pid is a process's number, not '%s'", arg);
        return 0;
    case OPTION_JSON:
        t->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (t->has_address)
            argp_error(state, "one address, please: '%s'", arg);
        t->address = parse_address("an address", arg, UINT64_MAX, state);
        t->has_address = true;
        return 0;
    case ARGP_KEY_END:
        check(t, state);
        return 0;
    default:
        return parse_processor(key, arg, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "ADDRESS",
    .doc =
        "Where an address goes: from selector and offset through page tables to physical memory, "
        "with every step and every check, as one does it on paper.\v"
        "Numbers are hexadecimal with 0x and decimal without, never octal.\n"
        "\n"
        "Exit status: 0 it is mapped, or was split; 1 it faults or isn't mapped, or something "
        "couldn't be read; 2 usage.",
};

void parse_translate_options(struct translate *t, int argc, char **argv)
{
    static char name[] = "quire translate";
    *t = (struct translate){.mode = QUIRE_PT_FORMAT_X86_64, .which = QUIRE_DS};
    argv[0] = name; /* what argp calls us */
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, t);
}
