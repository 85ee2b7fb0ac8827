/* tools/translate_pid.c: quire translate --pid: an address of a process that runs
 *
 * Linux shows neither tables nor CR3; it tells which mapping an address belongs to (/proc/PID/maps)
 * and what the last entry of its walk comes to (/proc/PID/pagemap: a word for each page, see
 * Documentation/admin-guide/mm/pagemap.rst). Frame numbers are zero for who lacks CAP_SYS_ADMIN.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "quire.h"
#include "translate.h"

#define PM_PRESENT ((uint64_t)1 << 63)
#define PM_SWAPPED ((uint64_t)1 << 62)
#define PM_FILE ((uint64_t)1 << 61) /* of a file, or shared anonymous memory */
#define PM_EXCLUSIVE ((uint64_t)1 << 56)
#define PM_SOFT_DIRTY ((uint64_t)1 << 55)
#define PM_FRAME (((uint64_t)1 << 55) - 1)
#define SWAP_TYPE_BITS 5

enum outcome { PRESENT, HIDDEN, SWAPPED, NOT_THERE, NO_MAPPING };

struct process {
    const struct translate *options;
    char mapping[4352]; /* the line of maps */
    uint64_t entry, page_bytes;
    enum outcome outcome;
};

static void complain_of_process(const struct process *p, const char *file)
{
    unsigned long long pid = p->options->pid;
    if (errno == ENOENT || errno == ESRCH)
        complain("there is no process %llu", pid);
    else if (errno == EACCES || errno == EPERM)
        complain("/proc/%llu/%s: process %llu isn't ours to look into; try as root", pid, file,
                 pid);
    else
        complain("/proc/%llu/%s: %s", pid, file, strerror(errno));
}

/* The mapping that holds the address, if any. False: it complained. */
static bool find_mapping(struct process *p)
{
    char name[64], *line = NULL;
    size_t capacity = 0;
    snprintf(name, sizeof name, "/proc/%" PRIu64 "/maps", p->options->pid);
    FILE *maps = fopen(name, "r");
    errno = maps ? 0 : errno;
    while (maps && getline(&line, &capacity, maps) > 0) {
        uint64_t start, end;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
            p->options->address >= start && p->options->address < end) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(p->mapping, sizeof p->mapping, "%s", line);
        }
    }
    int error = errno;
    free(line);
    if (maps)
        fclose(maps);
    errno = error;
    if (error)
        complain_of_process(p, "maps");
    return !error;
}

static bool read_entry(struct process *p)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%" PRIu64 "/pagemap", p->options->pid);
    int file = open(name, O_RDONLY | O_CLOEXEC);
    off_t at = (off_t)(p->options->address / p->page_bytes * sizeof p->entry);
    ssize_t got = -1;
    if (file >= 0) {
        got = pread(file, &p->entry, sizeof p->entry, at);
        int error = errno;
        close(file);
        errno = error;
    }
    if (got == 0) /* the process is gone, or its addresses end before: there is nothing */
        p->entry = 0;
    else if (got != (ssize_t)sizeof p->entry) {
        complain_of_process(p, "pagemap");
        return false;
    }
    return true;
}

static enum outcome judge(const struct process *p)
{
    if (!*p->mapping)
        return NO_MAPPING;
    if (p->entry & PM_PRESENT)
        return p->entry & PM_FRAME ? PRESENT : HIDDEN;
    return p->entry & PM_SWAPPED ? SWAPPED : NOT_THERE;
}

static uint64_t physical(const struct process *p)
{
    return (p->entry & PM_FRAME) * p->page_bytes + p->options->address % p->page_bytes;
}

static void print_outcome(const struct process *p)
{
    uint64_t swap = p->entry & PM_FRAME;
    switch (p->outcome) {
    case PRESENT:
        printf("\nPhysical address 0x%" PRIx64 " + 0x%" PRIx64 " = 0x%013" PRIx64 "\n",
               (p->entry & PM_FRAME) * p->page_bytes, p->options->address % p->page_bytes,
               physical(p));
        return;
    case SWAPPED:
        printf("\nSwapped out: swap area %" PRIu64 ", page %" PRIu64 "\n",
               swap & ((1u << SWAP_TYPE_BITS) - 1), swap >> SWAP_TYPE_BITS);
        return;
    case NOT_THERE:
        puts("\nNot mapped yet: the first access will fault, and get a page");
        return;
    case NO_MAPPING:
        puts("\nNot mapped: an access is a segmentation fault");
        return;
    case HIDDEN:
        puts("\nPresent, but its frame number is hidden");
    }
}

static void print_process(const struct process *p)
{
    struct translation t = {.options = p->options,
                            .format = &quire_pt_formats[p->options->mode],
                            .linear = p->options->address};
    printf("Linear address 0x%016" PRIx64 " of process %" PRIu64 "\n", p->options->address,
           p->options->pid);
    print_levels(&t);
    printf("\n  mapping     %s\n", *p->mapping ? p->mapping : "none");
    printf("  pagemap     0x%016" PRIx64 ":%s%s%s%s\n", p->entry,
           p->entry & PM_PRESENT   ? " present"
           : p->entry & PM_SWAPPED ? " swapped"
                                   : " not present",
           !(p->entry & (PM_PRESENT | PM_SWAPPED)) ? ""
           : p->entry & PM_FILE                    ? ", file or shared anonymous"
                                                   : ", private anonymous",
           p->entry & PM_EXCLUSIVE ? ", mapped once" : "",
           p->entry & PM_SOFT_DIRTY ? ", soft-dirty" : "");
    print_outcome(p);
}

static void write_stdout(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

static void print_process_json(const struct process *p)
{
    static const char *const outcomes[] = {"present", "hidden", "swapped", "not present",
                                           "no mapping"};
    struct json json;
    json_init(&json, write_stdout, NULL);
    json_object(&json, NULL);
    json_unsigned(&json, "schema", TRANSLATE_SCHEMA);
    json_unsigned(&json, "pid", p->options->pid);
    json_hex(&json, "linear", p->options->address);
    json_string(&json, "state", outcomes[p->outcome]);
    json_string(&json, "mapping", p->mapping);
    json_hex(&json, "pagemap", p->entry);
    if (p->outcome == PRESENT)
        json_hex(&json, "physical", physical(p));
    json_end(&json);
    json_finish(&json);
}

int translate_pid(const struct translate *options)
{
    struct process p = {.options = options, .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
    if (!find_mapping(&p) || !read_entry(&p))
        return EXIT_FAILED;
    p.outcome = judge(&p);
    if (options->json)
        print_process_json(&p);
    else
        print_process(&p);
    if (p.outcome == HIDDEN) {
        fflush(stdout);
        complain("Linux hides frame numbers from who lacks CAP_SYS_ADMIN: try as root");
    }
    return p.outcome == PRESENT ? EXIT_DONE : EXIT_FAILED;
}
