/* kernel/fs/proc_machine.c: /proc of the machine: memory, processor, time (man 5 proc) */
#include "base/bits.h"
#include "errno.h"
#include "fs/block.h"
#include "fs/procfs.h"
#include "memory.h"
#include "task/system_name.h"
#include "time_units.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static int show_view(struct text *text, enum quire_view view)
{
    text_flush(text);
    return quire_view(machine_mem, view, QUIRE_FORMAT_TEXT, text->write, text->arg);
}

static int show_vm_view(struct text *text, enum quire_vm_view view)
{
    text_flush(text);
    return quire_vm_view(machine_vm, view, QUIRE_FORMAT_TEXT, text->write, text->arg);
}

static int show_buddyinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_view(text, QUIRE_VIEW_BUDDYINFO);
}

static int show_pagetypeinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_view(text, QUIRE_VIEW_PAGETYPEINFO);
}

static int show_zoneinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_view(text, QUIRE_VIEW_ZONEINFO);
}

static int show_meminfo(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_vm_view(text, QUIRE_VM_VIEW_MEMINFO);
}

static int show_vmstat(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_vm_view(text, QUIRE_VM_VIEW_VMSTAT);
}

static int show_swaps(struct text *text, uint64_t subject)
{
    (void)subject;
    return show_vm_view(text, QUIRE_VM_VIEW_SWAPS);
}

static int show_slabinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    text_flush(text);
    return quire_slabinfo(machine_slab, QUIRE_FORMAT_TEXT, text->write, text->arg);
}

static int show_vmallocinfo(struct text *text, uint64_t subject)
{
    (void)subject;
    text_flush(text);
    if (!machine_vmalloc)
        return 0;
    return quire_vmallocinfo(machine_vmalloc, QUIRE_FORMAT_TEXT, text->write, text->arg);
}

/* A number of 8 bytes for each frame. */
static int64_t read_frames(uint64_t at, void *to, size_t size,
                           void (*tell)(struct quire_vm *, quire_pfn_t, unsigned long, uint64_t *))
{
    uint64_t first = at / sizeof(uint64_t), end = quire_kpage_end(machine_vm);
    unsigned long count = (unsigned long)(size / sizeof(uint64_t));
    if (at % sizeof(uint64_t) || size % sizeof(uint64_t))
        return -EINVAL;
    if (first >= end)
        return 0;
    count = count < end - first ? count : (unsigned long)(end - first);
    tell(machine_vm, quire_pfn((unsigned long)first), count, to);
    return (int64_t)(count * sizeof(uint64_t));
}

static int64_t read_kpageflags(uint64_t subject, uint64_t at, void *to, size_t size)
{
    (void)subject;
    return read_frames(at, to, size, quire_kpageflags);
}

static int64_t read_kpagecount(uint64_t subject, uint64_t at, void *to, size_t size)
{
    (void)subject;
    return read_frames(at, to, size, quire_kpagecount);
}

/* ---- processor ------------------------------------------------------------------------------- */

struct cpuid {
    uint32_t a, b, c, d;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r = {.a = leaf, .c = 0};
    __asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
    return r;
}

static void put_flags(struct text *text, uint32_t word, const char *const names[32])
{
    for (unsigned i = 0; i < 32; i++)
        if (word >> i & 1 && names[i])
            text_printf(text, " %s", names[i]);
}

static void put_model_name(struct text *text)
{
    if (cpuid(0x80000000).a < 0x80000004)
        return;
    text_puts(text, "model name\t: ");
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
        struct cpuid part = cpuid(leaf);
        for (unsigned i = 0; i < sizeof part; i++) {
            char c = ((const char *)&part)[i];
            if (c)
                text_printf(text, "%c", c);
        }
    }
    text_puts(text, "\n");
}

static int show_cpuinfo(struct text *text, uint64_t subject)
{
    static const char *const edx[32] = {
        "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
        "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
        "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe"};
    static const char *const ecx[32] = {
        [0] = "pni",     [1] = "pclmulqdq", [9] = "ssse3",  [12] = "fma",    [13] = "cx16",
        [19] = "sse4_1", [20] = "sse4_2",   [22] = "movbe", [23] = "popcnt", [25] = "aes",
        [26] = "xsave",  [28] = "avx",      [29] = "f16c",  [30] = "rdrand", [31] = "hypervisor"};
    static const char *const extended[32] = {
        [11] = "syscall", [20] = "nx", [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm"};
    struct cpuid vendor = cpuid(0), model = cpuid(1);
    const uint32_t name[3] = {vendor.b, vendor.d, vendor.c};
    uint32_t family = model.a >> 8 & 15, number = model.a >> 4 & 15;
    (void)subject;
    number |= family == 6 || family == 15 ? (model.a >> 16 & 15) << 4 : 0;
    family += family == 15 ? model.a >> 20 & 0xff : 0;
    text_printf(text, "processor\t: 0\nvendor_id\t: %.12s\n", (const char *)name);
    text_printf(text, "cpu family\t: %u\nmodel\t\t: %u\n", family, number);
    put_model_name(text);
    text_printf(text, "stepping\t: %u\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\n",
                model.a & 15);
    text_puts(text, "cpu cores\t: 1\nfpu\t\t: yes\nwp\t\t: yes\nflags\t\t:");
    put_flags(text, model.d, edx);
    if (cpuid(0x80000000).a >= 0x80000001)
        put_flags(text, cpuid(0x80000001).d, extended);
    put_flags(text, model.c, ecx);
    text_puts(text, "\n\n");
    return 0;
}

/* ---- time and processes ---------------------------------------------------------------------- */

static void put_hundredths(struct text *text, uint64_t ns, const char *behind)
{
    uint64_t ticks = ticks_of(ns), seconds = quire_div64(ticks, USER_HZ);
    text_printf(text, "%llu.%02u%s", (unsigned long long)seconds, (unsigned)(ticks - seconds * 100),
                behind);
}

static int show_uptime(struct text *text, uint64_t subject)
{
    struct proc_statistics s;
    (void)subject;
    procfs_statistics(&s);
    put_hundredths(text, quire_port_clock_ns(), " ");
    put_hundredths(text, s.idle_ns, "\n");
    return 0;
}

static int show_stat(struct text *text, uint64_t subject)
{
    struct proc_statistics s;
    (void)subject;
    procfs_statistics(&s);
    unsigned long long user = ticks_of(s.user_ns);
    unsigned long long system = ticks_of(s.system_ns);
    unsigned long long idle = ticks_of(s.idle_ns);
    uint64_t now = fs_clock_ns ? fs_clock_ns() : 0, up = quire_port_clock_ns();
    uint64_t booted = now > up ? now - up : 0;
    text_printf(text, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", user, system, idle);
    text_printf(text, "cpu0 %llu 0 %llu %llu 0 0 0 0 0 0\n", user, system, idle);
    text_printf(text, "intr 0\nctxt %llu\nbtime %llu\n", (unsigned long long)s.nr_switches,
                (unsigned long long)quire_div64(booted, NS_PER_SECOND));
    text_printf(text, "processes %llu\nprocs_running %u\nprocs_blocked %u\n",
                (unsigned long long)s.nr_forks, s.nr_running, s.nr_blocked);
    return 0;
}

/* No averages are kept: what runs now. */
static int show_loadavg(struct text *text, uint64_t subject)
{
    struct proc_statistics s;
    (void)subject;
    procfs_statistics(&s);
    text_printf(text, "%u.00 %u.00 %u.00 %u/%u %d\n", s.nr_running, s.nr_running, s.nr_running,
                s.nr_running, s.nr_tasks, s.last_pid);
    return 0;
}

static int show_version(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, SYSTEM_NAME " version " SYSTEM_RELEASE " " SYSTEM_VERSION "\n");
    return 0;
}

static int show_filesystems(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\nnodev\tsysfs\nnodev\tpipefs\n");
    return 0;
}

static int show_devices(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text,
              "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n 10 misc\n\n"
              "Block devices:\n");
    if (block_device(0))
        text_printf(text, "%3u virtblk\n", BLOCK_MAJOR);
    return 0;
}

#define TEXT_NODE(title, permissions)                                                              \
    {                                                                                              \
        .name = #title, .mode = S_IFREG | (permissions), .show = show_##title                      \
    }

static const struct proc_node sysvipc_nodes[] = {
    {.name = "shm", .mode = S_IFREG | 0444, .show = procfs_show_shm},
    {0},
};

const struct proc_node proc_machine_nodes[] = {
    TEXT_NODE(buddyinfo, 0444),
    TEXT_NODE(cpuinfo, 0444),
    TEXT_NODE(devices, 0444),
    TEXT_NODE(filesystems, 0444),
    {.name = "kpagecount", .mode = S_IFREG | 0400, .read = read_kpagecount},
    {.name = "kpageflags", .mode = S_IFREG | 0400, .read = read_kpageflags},
    TEXT_NODE(loadavg, 0444),
    TEXT_NODE(meminfo, 0444),
    TEXT_NODE(pagetypeinfo, 0400),
    TEXT_NODE(slabinfo, 0400),
    TEXT_NODE(stat, 0444),
    TEXT_NODE(swaps, 0444),
    {.name = "sysvipc", .mode = S_IFDIR | 0555, .children = sysvipc_nodes},
    TEXT_NODE(uptime, 0444),
    TEXT_NODE(version, 0444),
    TEXT_NODE(vmallocinfo, 0400),
    TEXT_NODE(vmstat, 0444),
    TEXT_NODE(zoneinfo, 0444),
    {.name = "diskstats", .mode = S_IFREG | 0444, .show = block_show_diskstats},
    {.name = "partitions", .mode = S_IFREG | 0444, .show = block_show_partitions},
    {0},
};
