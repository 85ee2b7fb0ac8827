/* kernel/fs/sysfs.c: /sys, of tables as /proc: devices/system/cpu and devices/system/node
 *
 * What the C library, libnuma and numastat read there (Linux: Documentation/ABI/stable/
 * sysfs-devices-node). A node's directory has the node for its subject. One processor runs.
 */
#include "fs/sysfs.h"

#include <quire/numa.h>

#include "fs/ksm.h"
#include "fs/procfs.h"
#include "memory.h"
#include "string.h"

#define KIB(pages) ((unsigned long)(pages) << (QUIRE_PAGE_SHIFT - 10))

void put_number_list(struct text *text, uint64_t set)
{
    const char *separator = "";
    for (unsigned first = 0; first < 64; first++) {
        unsigned last = first;
        if (!(set >> first & 1))
            continue;
        while (last < 63 && set >> (last + 1) & 1)
            last++;
        text_printf(text, last > first ? "%s%u-%u" : "%s%u", separator, first, last);
        separator = ",";
        first = last;
    }
}

static int put_line(struct text *text, uint64_t set)
{
    put_number_list(text, set);
    text_puts(text, "\n");
    return 0;
}

/* ---- processors ------------------------------------------------------------------------------ */

static int show_cpus(struct text *text, uint64_t subject)
{
    (void)subject;
    return put_line(text, 1);
}

static int show_no_cpus(struct text *text, uint64_t subject)
{
    (void)subject;
    return put_line(text, 0);
}

/* ---- a node ---------------------------------------------------------------------------------- */

static uint64_t cpus_of(uint64_t node)
{
    return quire_mem_cpu_node(machine_mem, 0) == (int)node;
}

static int show_cpulist(struct text *text, uint64_t node)
{
    return put_line(text, cpus_of(node));
}

static int show_cpumap(struct text *text, uint64_t node)
{
    text_printf(text, "%08x\n", (unsigned)cpus_of(node));
    return 0;
}

static int show_distance(struct text *text, uint64_t node)
{
    for (unsigned to = 0; to < quire_mem_nr_nodes(machine_mem); to++)
        text_printf(text, to ? " %u" : "%u", quire_node_distance(machine_mem, (unsigned)node, to));
    text_puts(text, "\n");
    return 0;
}

static void put_kib(struct text *text, uint64_t node, const char *label, unsigned long pages)
{
    text_printf(text, "Node %u %-15s %8lu kB\n", (unsigned)node, label, KIB(pages));
}

static int show_meminfo(struct text *text, uint64_t node)
{
    struct quire_node_info info;
    struct quire_vm_node_info lists;
    if (quire_node_info(machine_mem, (unsigned)node, &info) ||
        quire_vm_node_info(machine_vm, (unsigned)node, &lists))
        return -ENOENT;
    put_kib(text, node, "MemTotal:", info.managed);
    put_kib(text, node, "MemFree:", info.nr_free);
    put_kib(text, node, "MemUsed:", info.managed - info.nr_free);
    put_kib(text, node, "Active:", lists.active_anon + lists.active_file);
    put_kib(text, node, "Inactive:", lists.inactive_anon + lists.inactive_file);
    put_kib(text, node, "Active(anon):", lists.active_anon);
    put_kib(text, node, "Inactive(anon):", lists.inactive_anon);
    put_kib(text, node, "Active(file):", lists.active_file);
    put_kib(text, node, "Inactive(file):", lists.inactive_file);
    put_kib(text, node, "Unevictable:", lists.unevictable);
    return 0;
}

static int show_numastat(struct text *text, uint64_t node)
{
    struct quire_node_info info;
    if (quire_node_info(machine_mem, (unsigned)node, &info))
        return -ENOENT;
    text_printf(text,
                "numa_hit %lu\nnuma_miss %lu\nnuma_foreign %lu\ninterleave_hit 0\n"
                "local_node %lu\nother_node %lu\n",
                info.numa_hit, info.numa_miss, info.numa_foreign, info.numa_local, info.numa_other);
    return 0;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint64_t all_nodes(void)
{
    return ((uint64_t)1 << quire_mem_nr_nodes(machine_mem)) - 1;
}

static int show_online(struct text *text, uint64_t subject)
{
    (void)subject;
    return put_line(text, all_nodes());
}

static int show_has_cpu(struct text *text, uint64_t subject)
{
    (void)subject;
    return put_line(text, (uint64_t)1 << quire_mem_cpu_node(machine_mem, 0));
}

static int show_has_memory(struct text *text, uint64_t subject)
{
    (void)subject;
    return put_line(text, quire_vm_nodes(machine_vm));
}

#define FILE_NODE(title, what)                                                                     \
    {                                                                                              \
        .name = title, .mode = S_IFREG | 0444, .show = show_##what                                 \
    }
#define DIRECTORY(title, nodes)                                                                    \
    {                                                                                              \
        .name = title, .mode = S_IFDIR | 0555, .children = nodes                                   \
    }

static const struct proc_node nothing[] = {{0}};
/* The processor's node has it by name, too. */
#define NODE_FILES                                                                                 \
    FILE_NODE("cpulist", cpulist), FILE_NODE("cpumap", cpumap), FILE_NODE("distance", distance),   \
        FILE_NODE("meminfo", meminfo), FILE_NODE("numastat", numastat)
static const struct proc_node node_files[] = {NODE_FILES, {0}};
static const struct proc_node node_files_with_cpu[] = {DIRECTORY("cpu0", nothing), NODE_FILES, {0}};
static const struct proc_node node_directory = DIRECTORY(NULL, node_files);
static const struct proc_node node_directory_with_cpu = DIRECTORY(NULL, node_files_with_cpu);

static const struct proc_node *directory_of(unsigned node)
{
    return cpus_of(node) ? &node_directory_with_cpu : &node_directory;
}

static struct name node_name(unsigned node, char *text, size_t size)
{
    return (struct name){text, (unsigned)quire_snprintf(text, size, "node%u", node)};
}

static int find_node(struct inode *directory, struct name name, struct entry **entry)
{
    char text[16];
    for (unsigned node = 0; node < quire_mem_nr_nodes(machine_mem); node++) {
        struct name known = node_name(node, text, sizeof text);
        if (known.length == name.length && !__builtin_memcmp(known.text, name.text, name.length))
            return proc_entry(directory, name, directory_of(node), node, entry);
    }
    return -ENOENT;
}

static int list_nodes(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    char text[16];
    (void)directory;
    for (; *position < PROC_DYNAMIC + quire_mem_nr_nodes(machine_mem); ++*position) {
        unsigned node = (unsigned)(*position - PROC_DYNAMIC);
        if (!tell(arg, node_name(node, text, sizeof text), proc_number(directory_of(node), node),
                  DT_OF_MODE(node_directory.mode), *position + 1))
            return 0;
    }
    return 0;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static const struct proc_node cpu_files[] = {
    FILE_NODE("offline", no_cpus), FILE_NODE("online", cpus),  FILE_NODE("possible", cpus),
    FILE_NODE("present", cpus),    DIRECTORY("cpu0", nothing), {0},
};
static const struct proc_node nodes_files[] = {
    FILE_NODE("has_cpu", has_cpu),
    FILE_NODE("has_memory", has_memory),
    FILE_NODE("has_normal_memory", has_memory),
    FILE_NODE("online", online),
    FILE_NODE("possible", online),
    {0},
};
static const struct proc_node system_nodes[] = {
    DIRECTORY("cpu", cpu_files),
    {.name = "node",
     .mode = S_IFDIR | 0555,
     .children = nodes_files,
     .lookup = find_node,
     .list = list_nodes},
    {0},
};
static const struct proc_node devices_nodes[] = {DIRECTORY("system", system_nodes), {0}};
static const struct proc_node mm_nodes[] = {DIRECTORY("ksm", ksm_nodes), {0}};
static const struct proc_node kernel_nodes[] = {DIRECTORY("mm", mm_nodes), {0}};
static const struct proc_node sys_nodes[] = {
    DIRECTORY("devices", devices_nodes), DIRECTORY("kernel", kernel_nodes), {0}};
static const struct proc_node root_node = DIRECTORY("sys", sys_nodes);

int sysfs_mount(struct inode *root)
{
    static struct volume volume = {
        .type = "sysfs", .at = "/sys", .minor = 23, .magic = 0x62656572, .block_size = 4096};
    return generated_mount(root, &root_node, &volume);
}
