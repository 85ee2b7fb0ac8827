/* kernel/fs/proc_sys.c: /proc/sys: what can be set, and what can't but is asked for
 *
 * The library has functions that set, and none that tell: so what was set is remembered here, with
 * Linux's defaults, which are the library's, too.
 */
#include <quire/swap.h>

#include "fs/procfs.h"
#include "fs/random.h"
#include "fs/shm_limits.h"
#include "memory.h"
#include "string.h"
#include "task/core_dump.h"
#include "task/system_name.h"

/* ---- numbers that can be set ----------------------------------------------------------------- */

enum knob {
    OVERCOMMIT_MEMORY,
    OVERCOMMIT_RATIO,
    MIN_FREE_KBYTES,
    WATERMARK_SCALE_FACTOR,
    SWAPPINESS,
    PAGE_CLUSTER,
    DROP_CACHES,
    COMPACT_MEMORY,
    OVERCOMMIT_KBYTES,
    MAX_MAP_COUNT,
    UNPRIVILEGED_USERFAULTFD,
    PID_MAX,
    NR_KNOBS
};

static uint64_t knob_value[NR_KNOBS] = {
    [OVERCOMMIT_RATIO] = 50, [WATERMARK_SCALE_FACTOR] = 10, [SWAPPINESS] = 60,
    [PAGE_CLUSTER] = 3,      [MAX_MAP_COUNT] = 65530,       [PID_MAX] = PID_MAX_MOST,
};

static int set_overcommit(uint64_t mode, uint64_t ratio)
{
    return quire_vm_set_overcommit(machine_vm, (enum quire_overcommit)mode, (unsigned)ratio);
}

/* The one takes the other's place. */
static int set_ratio(uint64_t ratio)
{
    knob_value[OVERCOMMIT_KBYTES] = 0;
    quire_vm_set_overcommit_kbytes(machine_vm, 0);
    return set_overcommit(knob_value[OVERCOMMIT_MEMORY], ratio);
}

static int set_kbytes(uint64_t kbytes)
{
    knob_value[OVERCOMMIT_RATIO] = 0;
    quire_vm_set_overcommit_kbytes(machine_vm, (unsigned long)kbytes);
    return set_overcommit(knob_value[OVERCOMMIT_MEMORY], 0);
}

static int drop_caches(uint64_t which)
{
    if (!which || which > 4)
        return -EINVAL;
    if (which & 1)
        (void)quire_drop_caches(machine_vm);
    if (which & 2)
        (void)quire_slab_shrink(machine_slab, -1);
    return 0;
}

static int compact(uint64_t value)
{
    if (value != 1)
        return -EINVAL;
    (void)quire_compact(machine_mem, -1, -1);
    return 0;
}

static int set(enum knob knob, uint64_t value)
{
    if (value > UINT32_MAX / 2)
        return -EINVAL;
    switch (knob) {
    case OVERCOMMIT_MEMORY:
        return set_overcommit(value, knob_value[OVERCOMMIT_RATIO]);
    case OVERCOMMIT_RATIO:
        return set_ratio(value);
    case OVERCOMMIT_KBYTES:
        return set_kbytes(value);
    case MAX_MAP_COUNT:
        quire_vm_set_max_map_count(machine_vm, (unsigned)value);
        return 0;
    case MIN_FREE_KBYTES:
        return quire_set_min_free_kbytes(machine_mem, (unsigned long)value);
    case WATERMARK_SCALE_FACTOR:
        return quire_set_watermark_scale_factor(machine_mem, (unsigned)value);
    case SWAPPINESS:
        return quire_vm_set_swappiness(machine_vm, (unsigned)value);
    case PAGE_CLUSTER:
        return quire_vm_set_page_cluster(machine_vm, (unsigned)value);
    case DROP_CACHES:
        return drop_caches(value);
    case UNPRIVILEGED_USERFAULTFD:
        return value > 1 ? -EINVAL : 0;
    case PID_MAX:
        return value < PID_MAX_LEAST || value > PID_MAX_MOST ? -EINVAL : 0;
    default:
        return compact(value);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static int store(enum knob knob, const char *bytes, size_t size)
{
    uint64_t value;
    while (size && is_blank(*bytes)) {
        bytes++;
        size--;
    }
    while (size && (is_blank(bytes[size - 1]) || !bytes[size - 1]))
        size--;
    if (!string_number(bytes, size, &value))
        return -EINVAL;
    int error = set(knob, value);
    if (!error)
        knob_value[knob] = value;
    return error;
}

/* Until it is set: what the library chose, as far as its watermarks say. */
static uint64_t min_free_kbytes(void)
{
    struct quire_zone_info zone;
    uint64_t pages = 0;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        if (zone.type != QUIRE_ZONE_HIGHMEM && zone.type != QUIRE_ZONE_MOVABLE)
            pages += zone.watermark_min;
    return pages << (QUIRE_PAGE_SHIFT - 10);
}

static int show(struct text *text, enum knob knob)
{
    uint64_t value = knob_value[knob];
    if (knob == MIN_FREE_KBYTES && !value)
        value = min_free_kbytes();
    text_printf(text, "%llu\n", (unsigned long long)value);
    return 0;
}

#define KNOB(title, number)                                                                        \
    static int show_##title(struct text *text, uint64_t subject)                                   \
    {                                                                                              \
        (void)subject;                                                                             \
        return show(text, number);                                                                 \
    }                                                                                              \
    static int store_##title(uint64_t subject, const char *bytes, size_t size)                     \
    {                                                                                              \
        (void)subject;                                                                             \
        return store(number, bytes, size);                                                         \
    }
KNOB(overcommit_memory, OVERCOMMIT_MEMORY)
KNOB(overcommit_ratio, OVERCOMMIT_RATIO)
KNOB(min_free_kbytes, MIN_FREE_KBYTES)
KNOB(watermark_scale_factor, WATERMARK_SCALE_FACTOR)
KNOB(swappiness, SWAPPINESS)
KNOB(page_cluster, PAGE_CLUSTER)
KNOB(drop_caches, DROP_CACHES)
KNOB(overcommit_kbytes, OVERCOMMIT_KBYTES)
KNOB(max_map_count, MAX_MAP_COUNT)
KNOB(unprivileged_userfaultfd, UNPRIVILEGED_USERFAULTFD)

KNOB(pid_max, PID_MAX)

int pid_max(void)
{
    return (int)knob_value[PID_MAX];
}

bool unprivileged_userfaultfd(void)
{
    return knob_value[UNPRIVILEGED_USERFAULTFD];
}

static int store_compact_memory(uint64_t subject, const char *bytes, size_t size)
{
    (void)subject;
    return store(COMPACT_MEMORY, bytes, size);
}

/* ---- cores ----------------------------------------------------------------------------------- */

char core_pattern[CORE_PATTERN_BYTES] = "core";
bool core_uses_pid;

static int show_core_pattern(struct text *text, uint64_t subject)
{
    (void)subject;
    text_printf(text, "%s\n", core_pattern);
    return 0;
}

/* What is longer is cut off, as Linux does. */
static int store_core_pattern(uint64_t subject, const char *bytes, size_t size)
{
    (void)subject;
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    size = size < sizeof core_pattern - 1 ? size : sizeof core_pattern - 1;
    __builtin_memcpy(core_pattern, bytes, size);
    core_pattern[size] = '\0';
    return 0;
}

static int show_core_uses_pid(struct text *text, uint64_t subject)
{
    (void)subject;
    text_printf(text, "%d\n", core_uses_pid);
    return 0;
}

static int store_core_uses_pid(uint64_t subject, const char *bytes, size_t size)
{
    uint64_t value;
    (void)subject;
    while (size && (is_blank(bytes[size - 1]) || !bytes[size - 1]))
        size--;
    if (!string_number(bytes, size, &value))
        return -EINVAL;
    core_uses_pid = value;
    return 0;
}

/* ---- System V shared memory ------------------------------------------------------------------ */

struct shm_limits shm_limits = {.bytes = SHM_MAX_BYTES,
                                .pages = SHM_MAX_BYTES,
                                .segments = SHM_MAX_SEGMENTS,
                                .next_id = SHM_ANY_ID};

static int store_limit(uint64_t *limit, uint64_t most, const char *bytes, size_t size)
{
    uint64_t value;
    while (size && (is_blank(bytes[size - 1]) || !bytes[size - 1]))
        size--;
    if (!string_number(bytes, size, &value) || value > most)
        return -EINVAL;
    *limit = value;
    return 0;
}

#define SHM_LIMIT(title, member, most)                                                             \
    static int show_##title(struct text *text, uint64_t subject)                                   \
    {                                                                                              \
        (void)subject;                                                                             \
        text_printf(text, "%llu\n", (unsigned long long)shm_limits.member);                        \
        return 0;                                                                                  \
    }                                                                                              \
    static int store_##title(uint64_t subject, const char *bytes, size_t size)                     \
    {                                                                                              \
        (void)subject;                                                                             \
        return store_limit(&shm_limits.member, most, bytes, size);                                 \
    }
SHM_LIMIT(shmmax, bytes, SHM_MAX_BYTES)
SHM_LIMIT(shmall, pages, SHM_MAX_BYTES)
SHM_LIMIT(shmmni, segments, SHM_INDICES)

static int show_shm_next_id(struct text *text, uint64_t subject)
{
    (void)subject;
    text_printf(text, "%lld\n", (long long)shm_limits.next_id);
    return 0;
}

static int store_shm_next_id(uint64_t subject, const char *bytes, size_t size)
{
    uint64_t id = 0;
    (void)subject;
    int error = store_limit(&id, INT32_MAX, bytes, size);
    if (!error)
        shm_limits.next_id = (int64_t)id;
    return error;
}

/* ---- what can only be read ------------------------------------------------------------------- */

#define CONSTANT(title, text_of_it)                                                                \
    static int show_##title(struct text *text, uint64_t subject)                                   \
    {                                                                                              \
        (void)subject;                                                                             \
        text_puts(text, text_of_it "\n");                                                          \
        return 0;                                                                                  \
    }
CONSTANT(zero, "0")
CONSTANT(mmap_min_addr, "65536")
CONSTANT(ostype, SYSTEM_NAME)
CONSTANT(osrelease, SYSTEM_RELEASE)
CONSTANT(version, SYSTEM_VERSION)
CONSTANT(threads_max, "32768")
CONSTANT(ngroups_max, "65536")
CONSTANT(cap_last_cap, "40")
CONSTANT(randomize_va_space, "0")
CONSTANT(poolsize, "256")
CONSTANT(file_max, "65536")
CONSTANT(nr_open, "65536")
CONSTANT(pipe_max_size, "65536")

static int show_hostname(struct text *text, uint64_t subject)
{
    (void)subject;
    text_printf(text, "%s\n", system_node);
    return 0;
}

static int show_domainname(struct text *text, uint64_t subject)
{
    (void)subject;
    text_printf(text, "%s\n", system_domain);
    return 0;
}

static int show_uuid(struct text *text, uint64_t subject)
{
    unsigned char b[16];
    (void)subject;
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < sizeof b; i++)
        text_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    text_puts(text, "\n");
    return 0;
}

#define KNOB_NODE(title, number)                                                                   \
    {                                                                                              \
        .name = title, .mode = S_IFREG | 0644, .show = show_##number, .store = store_##number      \
    }
#define CONSTANT_NODE(title, number)                                                               \
    {                                                                                              \
        .name = title, .mode = S_IFREG | 0444, .show = show_##number                               \
    }
#define DIRECTORY(title, nodes)                                                                    \
    {                                                                                              \
        .name = title, .mode = S_IFDIR | 0555, .children = nodes                                   \
    }

static const struct proc_node vm_nodes[] = {
    {.name = "compact_memory", .mode = S_IFREG | 0200, .store = store_compact_memory},
    KNOB_NODE("drop_caches", drop_caches),
    CONSTANT_NODE("legacy_va_layout", zero),
    KNOB_NODE("max_map_count", max_map_count),
    KNOB_NODE("min_free_kbytes", min_free_kbytes),
    CONSTANT_NODE("mmap_min_addr", mmap_min_addr),
    CONSTANT_NODE("oom_kill_allocating_task", zero),
    KNOB_NODE("overcommit_kbytes", overcommit_kbytes),
    KNOB_NODE("overcommit_memory", overcommit_memory),
    KNOB_NODE("overcommit_ratio", overcommit_ratio),
    KNOB_NODE("page-cluster", page_cluster),
    CONSTANT_NODE("panic_on_oom", zero),
    KNOB_NODE("swappiness", swappiness),
    KNOB_NODE("unprivileged_userfaultfd", unprivileged_userfaultfd),
    KNOB_NODE("watermark_scale_factor", watermark_scale_factor),
    {0},
};

static const struct proc_node random_nodes[] = {
    CONSTANT_NODE("entropy_avail", poolsize),
    CONSTANT_NODE("poolsize", poolsize),
    CONSTANT_NODE("uuid", uuid),
    {0},
};

static const struct proc_node kernel_nodes[] = {
    CONSTANT_NODE("cap_last_cap", cap_last_cap),
    KNOB_NODE("core_pattern", core_pattern),
    KNOB_NODE("core_uses_pid", core_uses_pid),
    CONSTANT_NODE("domainname", domainname),
    CONSTANT_NODE("hostname", hostname),
    CONSTANT_NODE("ngroups_max", ngroups_max),
    CONSTANT_NODE("osrelease", osrelease),
    CONSTANT_NODE("ostype", ostype),
    KNOB_NODE("pid_max", pid_max),
    DIRECTORY("random", random_nodes),
    CONSTANT_NODE("randomize_va_space", randomize_va_space),
    KNOB_NODE("shm_next_id", shm_next_id),
    CONSTANT_NODE("shm_rmid_forced", zero),
    KNOB_NODE("shmall", shmall),
    KNOB_NODE("shmmax", shmmax),
    KNOB_NODE("shmmni", shmmni),
    CONSTANT_NODE("tainted", zero),
    CONSTANT_NODE("threads-max", threads_max),
    CONSTANT_NODE("version", version),
    {0},
};

static const struct proc_node fs_nodes[] = {
    CONSTANT_NODE("file-max", file_max),
    CONSTANT_NODE("nr_open", nr_open),
    CONSTANT_NODE("pipe-max-size", pipe_max_size),
    {0},
};

const struct proc_node proc_sys_nodes[] = {
    DIRECTORY("fs", fs_nodes),
    DIRECTORY("kernel", kernel_nodes),
    DIRECTORY("vm", vm_nodes),
    {0},
};
