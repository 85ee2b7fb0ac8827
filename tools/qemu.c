/* tools/qemu.c: the command line of QEMU */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "quire.h"

struct arguments {
    char **argv; /* NULL-terminated */
    size_t count;
};

_Noreturn static void out_of_memory(void)
{
    complain("no memory for QEMU's arguments");
    exit(EXIT_FAILED);
}

static void add_text(struct arguments *arguments, char *text)
{
    char **larger = realloc(arguments->argv, (arguments->count + 2) * sizeof *larger);
    if (!larger || !text)
        out_of_memory();
    larger[arguments->count++] = text;
    larger[arguments->count] = NULL;
    arguments->argv = larger;
}

__attribute__((format(printf, 2, 3))) static void add(struct arguments *arguments,
                                                      const char *format, ...)
{
    va_list list;
    char *text;
    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        out_of_memory();
    va_end(list);
    add_text(arguments, text);
}

/* Each node has a share of the memory and one CPU; distances grow with the difference of their
 * numbers. */
static void add_nodes(struct arguments *arguments, const struct boot *boot)
{
    unsigned nodes = (unsigned)boot->nodes;
    uint64_t left = boot->memory;
    uint64_t share = boot->memory / nodes / BOOT_MEMORY_UNIT * BOOT_MEMORY_UNIT;
    add(arguments, "-smp");
    add(arguments, "%u", nodes);
    for (unsigned node = 0; node < nodes; node++) {
        uint64_t size = node == nodes - 1 ? left : share;
        left -= size;
        add(arguments, "-object");
        add(arguments, "memory-backend-ram,id=node%u,size=%lluM", node,
            (unsigned long long)(size / BOOT_MEMORY_UNIT));
        add(arguments, "-numa");
        add(arguments, "node,nodeid=%u,memdev=node%u,cpus=%u", node, node, node);
    }
    for (unsigned from = 0; from < nodes; from++)
        for (unsigned to = from + 1; to < nodes; to++) {
            add(arguments, "-numa");
            add(arguments, "dist,src=%u,dst=%u,val=%u", from, to, 10 + 10 * (to - from));
        }
}

/* The kernel's command line. Memory and nodes are for the command that re-runs a failed test. */
static char *command_line(const struct boot *boot, const char *first)
{
    char *words = NULL;
    size_t size;
    FILE *to = open_memstream(&words, &size);
    if (!to)
        out_of_memory();
    fprintf(to, "%s mem=%lluM",
            first            ? first
            : boot->selftest ? "selftest"
            : boot->demo     ? "demo"
                             : "views",
            (unsigned long long)(boot->memory / BOOT_MEMORY_UNIT));
    if (boot->nodes)
        fprintf(to, " numa=%llu", (unsigned long long)boot->nodes);
    if (boot->filter)
        fprintf(to, " filter=%s", boot->filter);
    if (boot->has_seed)
        fprintf(to, " seed=%llu", (unsigned long long)boot->seed);
    if (boot->has_effort)
        fprintf(to, " effort=%llu", (unsigned long long)boot->effort);
    if (boot->append)
        fprintf(to, " %s", boot->append);
    fclose(to);
    return words;
}

static void add_socket(struct arguments *arguments, const char *name, int fd)
{
    add(arguments, "-chardev");
    add(arguments, "socket,id=%s,fd=%d", name, fd);
}

/* The lines are ports of one device, and the log is the serial port; all are sockets that QEMU gets
 * from us. The kernel speaks the legacy interface, and without ioeventfd what it sends is taken
 * before it goes on, rather than by another thread. */
static void add_lines(struct arguments *arguments, const struct boot *boot,
                      const struct qemu_setup *setup)
{
    static const char *const name[NR_LINES] = {
        [LINE_INPUT] = "input",     [LINE_OUTPUT] = "output", [LINE_ERRORS] = "errors",
        [LINE_CONTROL] = "control", [LINE_STATS] = "stats",   [LINE_EVENTS] = "events",
        [LINE_LOG] = "log"};
    if (!setup->first_line) {
        add(arguments, "-serial");
        add(arguments, "stdio");
        return;
    }
    add(arguments, "-device");
    add(arguments, "virtio-serial-pci,max_ports=%d,disable-modern=on,vectors=0,ioeventfd=off",
        LINE_LOG);
    for (int line = LINE_INPUT; line < NR_LINES; line++) {
        if ((line == LINE_STATS && !boot_wants_stats(boot)) ||
            (line == LINE_EVENTS && !boot->events))
            continue;
        add_socket(arguments, name[line], setup->first_line + line - 1);
        if (line == LINE_LOG)
            continue;
        add(arguments, "-device");
        add(arguments, "virtserialport,nr=%d,chardev=%s", line, name[line]);
    }
    add(arguments, "-serial");
    add(arguments, "chardev:%s", name[LINE_LOG]);
}

static void add_monitor(struct arguments *arguments, const struct qemu_setup *setup)
{
    add_socket(arguments, "monitor", setup->monitor);
    add(arguments, "-mon");
    add(arguments, "chardev=monitor,mode=control");
}

/* In options of QEMU a comma ends a value, unless there are two. */
static char *with_commas(const char *value)
{
    char *quoted = NULL;
    size_t size;
    FILE *to = open_memstream(&quoted, &size);
    if (!to)
        out_of_memory();
    for (; *value; value++)
        fprintf(to, *value == ',' ? ",," : "%c", *value);
    fclose(to);
    return quoted;
}

/* What is on them lasts as long as the machine, so nothing need be flushed. Errors are the guest's
 * to see. What says its own format as JSON isn't told one. */
static void add_disks(struct arguments *arguments, const struct qemu_setup *setup)
{
    for (unsigned disk = 0; disk < setup->nr_disks; disk++) {
        char *file = with_commas(setup->disks[disk]);
        add(arguments, "-drive");
        add(arguments,
            "if=none,id=disk%u,%scache=unsafe,discard=unmap,rerror=report,werror=report,"
            "file=%s",
            disk, strncmp(file, "json:", 5) ? "format=raw," : "", file);
        add(arguments, "-device");
        add(arguments, "virtio-blk-pci,drive=disk%u,disable-modern=on,vectors=0,ioeventfd=off",
            disk);
        free(file);
    }
}

char **qemu_arguments(const struct boot *boot, const struct qemu_setup *setup)
{
    /* No default devices: the firmware looks for fewer, and starts us sooner. */
    static const char *const fixed[] = {
        "-M",          "pc",         "-cpu",    "max",
        "-nodefaults", "-display",   "none",    "-monitor",
        "none",        "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    };
    struct arguments arguments = {0};
    add(&arguments, "%s",
        boot->qemu    ? boot->qemu
        : setup->i386 ? "qemu-system-i386"
                      : "qemu-system-x86_64");
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        add(&arguments, "%s", fixed[i]);
    add(&arguments, "-accel");
    add(&arguments, "%s", boot->kvm ? "kvm" : "tcg");
    add_lines(&arguments, boot, setup);
    add_monitor(&arguments, setup);
    add_disks(&arguments, setup);
    add(&arguments, "-m");
    add(&arguments, "%lluM", (unsigned long long)(boot->memory / BOOT_MEMORY_UNIT));
    if (boot->nodes)
        add_nodes(&arguments, boot);
    add(&arguments, "-kernel");
    add(&arguments, "%s", setup->image);
    if (setup->initrd) {
        add(&arguments, "-initrd");
        add(&arguments, "%s", setup->initrd);
    }
    add(&arguments, "-append");
    add_text(&arguments, command_line(boot, setup->words));
    return arguments.argv;
}
