/* kernel/fs/ksm.c: /sys/kernel/mm/ksm (Linux, Documentation/admin-guide/mm/ksm.rst)
 *
 * Who scans is a task of the kernel's (task/init.c), which looks at the settings.
 */
#include "fs/ksm.h"

#include <quire/ksm.h>

#include "memory.h"
#include "string.h"

struct ksm_settings ksm_settings = {
    .pages = 100, .sleep_ms = 20, .max_sharing = 256, .across_nodes = 1};

static bool read_number(const char *bytes, size_t size, uint64_t *value)
{
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    return string_number(bytes, size, value) && *value <= UINT32_MAX;
}

/* Merging stops before pages are given back, and doesn't begin if that had no memory. */
static int set_run(uint64_t run)
{
    if (run > KSM_UNMERGE)
        return -EINVAL;
    ksm_settings.run = run;
    event_signal(&ksm_settings.changed);
    int error = run == KSM_UNMERGE ? quire_ksm_unmerge(machine_vm) : 0;
    if (error)
        ksm_settings.run = KSM_STOP;
    return error;
}

static int store_run(uint64_t subject, const char *bytes, size_t size)
{
    uint64_t run;
    (void)subject;
    return read_number(bytes, size, &run) ? set_run(run) : -EINVAL;
}

static int store(uint64_t *setting, const char *bytes, size_t size)
{
    uint64_t value;
    if (!read_number(bytes, size, &value))
        return -EINVAL;
    *setting = value;
    event_signal(&ksm_settings.changed);
    return 0;
}

static int store_pages(uint64_t subject, const char *bytes, size_t size)
{
    (void)subject;
    return store(&ksm_settings.pages, bytes, size);
}

static int store_sleep(uint64_t subject, const char *bytes, size_t size)
{
    (void)subject;
    return store(&ksm_settings.sleep_ms, bytes, size);
}

/* What the library keeps: changed where nothing is merged, or as it was. */
static int store_kept(uint64_t *setting, const char *bytes, size_t size, uint64_t most,
                      int (*set)(uint64_t))
{
    uint64_t value;
    if (!read_number(bytes, size, &value) || value > most)
        return -EINVAL;
    int error = value == *setting ? 0 : set(value);
    if (!error)
        *setting = value;
    return error;
}

static int set_max_sharing(uint64_t value)
{
    return quire_ksm_set_max_sharing(machine_vm, (unsigned)value);
}

static int set_across_nodes(uint64_t value)
{
    return quire_ksm_set_across_nodes(machine_vm, value);
}

static int set_zero_pages(uint64_t value)
{
    return quire_ksm_set_zero_pages(machine_vm, value);
}

#define KEPT(title, most)                                                                          \
    static int store_##title(uint64_t subject, const char *bytes, size_t size)                     \
    {                                                                                              \
        (void)subject;                                                                             \
        return store_kept(&ksm_settings.title, bytes, size, most, set_##title);                    \
    }
KEPT(max_sharing, INT32_MAX)
KEPT(across_nodes, 1)
KEPT(zero_pages, 1)

#define SETTING(title, member)                                                                     \
    static int show_##title(struct text *text, uint64_t subject)                                   \
    {                                                                                              \
        (void)subject;                                                                             \
        text_printf(text, "%llu\n", (unsigned long long)ksm_settings.member);                      \
        return 0;                                                                                  \
    }
SETTING(run, run)
SETTING(pages, pages)
SETTING(sleep, sleep_ms)
SETTING(max_sharing, max_sharing)
SETTING(across_nodes, across_nodes)
SETTING(zero_pages, zero_pages)

#define COUNT(title)                                                                               \
    static int show_##title(struct text *text, uint64_t subject)                                   \
    {                                                                                              \
        struct quire_ksm_info info;                                                                \
        (void)subject;                                                                             \
        quire_ksm_info(machine_vm, &info);                                                         \
        text_printf(text, "%lu\n", info.title);                                                    \
        return 0;                                                                                  \
    }
COUNT(shared)
COUNT(sharing)
COUNT(unshared)
COUNT(changing)
COUNT(full_scans)
COUNT(chains)
COUNT(duplicates)

#define SETTING_NODE(title, what)                                                                  \
    {                                                                                              \
        .name = title, .mode = S_IFREG | 0644, .show = show_##what, .store = store_##what          \
    }
#define COUNT_NODE(title, what)                                                                    \
    {                                                                                              \
        .name = title, .mode = S_IFREG | 0444, .show = show_##what                                 \
    }

const struct proc_node ksm_nodes[] = {
    COUNT_NODE("full_scans", full_scans),
    SETTING_NODE("max_page_sharing", max_sharing),
    SETTING_NODE("merge_across_nodes", across_nodes),
    COUNT_NODE("pages_shared", shared),
    COUNT_NODE("pages_sharing", sharing),
    SETTING_NODE("pages_to_scan", pages),
    COUNT_NODE("pages_unshared", unshared),
    COUNT_NODE("pages_volatile", changing),
    SETTING_NODE("run", run),
    SETTING_NODE("sleep_millisecs", sleep),
    COUNT_NODE("stable_node_chains", chains),
    COUNT_NODE("stable_node_dups", duplicates),
    SETTING_NODE("use_zero_pages", zero_pages),
    {0},
};
