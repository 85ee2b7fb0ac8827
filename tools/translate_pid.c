/* tools/translate_pid.c: quire translate --pid: an address of a process that runs
 *
 * Linux shows neither tables nor CR3; it tells which area an address belongs to (smaps), and what
 * the last entry of its walk comes to (/proc/PID/pagemap: a word for each page, see
 * Documentation/admin-guide/mm/pagemap.rst). Frame numbers are zero for who lacks CAP_SYS_ADMIN.
 * What becomes of the access is judged as Linux's fault handler on x86 does: the area's rights
 * first, which hold whatever the entry is, then the page.
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
#include "translate_area.h"

#define PM_PRESENT ((uint64_t)1 << 63)
#define PM_SWAPPED ((uint64_t)1 << 62)
#define PM_FILE ((uint64_t)1 << 61) /* of a file, or shared anonymous memory */
#define PM_EXCLUSIVE ((uint64_t)1 << 56)
#define PM_SOFT_DIRTY ((uint64_t)1 << 55)
#define PM_FRAME (((uint64_t)1 << 55) - 1)
#define SWAP_TYPE_BITS 5

enum outcome {
    PRESENT,
    HIDDEN,
    SWAPPED,
    NOT_THERE,
    MAYBE_BEYOND_END,
    BELOW_STACK,
    COPIED,
    KERNEL_PAGE,
    NO_MAPPING,
    NO_RIGHT,
    NO_KEY,
    BEYOND_END
};

/* What JSON says of each. */
static const struct {
    const char *state, *signal, *code;
} outcomes[] = {
    [PRESENT] = {"present", NULL, NULL},
    [HIDDEN] = {"hidden", NULL, NULL},
    [SWAPPED] = {"swapped", NULL, NULL},
    [NOT_THERE] = {"not present", NULL, NULL},
    [MAYBE_BEYOND_END] = {"not present or beyond the file's end", NULL, NULL},
    [BELOW_STACK] = {"below the stack", NULL, NULL},
    [COPIED] = {"copy on write", NULL, NULL},
    [KERNEL_PAGE] = {"the kernel's", NULL, NULL},
    [NO_MAPPING] = {"no mapping", "SIGSEGV", "SEGV_MAPERR"},
    [NO_RIGHT] = {"no access", "SIGSEGV", "SEGV_ACCERR"},
    [NO_KEY] = {"no access", "SIGSEGV", "SEGV_PKUERR"},
    [BEYOND_END] = {"beyond the file's end", "SIGBUS", "BUS_ADRERR"},
};
static const char *const accesses[] = {"read", "write", "exec"};

struct process {
    const struct translate *options;
    struct process_area area; /* that holds the address, or the next one */
    bool has_area;            /* it holds it */
    uint64_t entry, page_bytes, file_bytes;
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

static bool find_area(struct process *p)
{
    if (!find_process_area(&p->area, p->options->pid, p->options->address)) {
        complain_of_process(p, "smaps");
        return false;
    }
    p->has_area = *p->area.line && p->options->address >= p->area.start;
    return true;
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

/* ---- judging --------------------------------------------------------------------------------- */

static bool is_vsyscall(const struct process *p)
{
    return !strcmp(process_area_path(&p->area), "[vsyscall]");
}

/* NOT_THERE: they allow it. What can be written or executed can be read, but for what was mapped to
 * be executed alone: where processors have protection keys, it gets one that forbids the rest. */
static enum outcome judge_rights(const struct process *p)
{
    const struct process_area *area = &p->area;
    bool read = area->rights[0] == 'r', write = area->rights[1] == 'w',
         exec = area->rights[2] == 'x';
    switch (p->options->access) {
    case QUIRE_WRITE:
        return write ? NOT_THERE : NO_RIGHT;
    case QUIRE_EXECUTE:
        return exec ? NOT_THERE : NO_RIGHT;
    default:
        if (exec && !read && !write && area->key)
            return NO_KEY;
        return read || write || (exec && !is_vsyscall(p)) ? NOT_THERE : NO_RIGHT;
    }
}

/* A private page that was only read so far, or that a fork shares, belongs to others too. */
static bool is_copied_on_write(const struct process *p)
{
    return p->options->access == QUIRE_WRITE && p->area.rights[3] == 'p' &&
           (p->entry & PM_FILE || !(p->entry & PM_EXCLUSIVE));
}

static enum outcome judge_end(struct process *p)
{
    uint64_t at = p->area.offset + (p->options->address - p->area.start);
    switch (process_area_file(&p->area, p->options->pid, &p->file_bytes)) {
    case AREA_FILE:
        return at - at % p->page_bytes >= p->file_bytes ? BEYOND_END : NOT_THERE;
    case AREA_HIDDEN_FILE:
        return MAYBE_BEYOND_END;
    default:
        return NOT_THERE;
    }
}

static enum outcome judge(struct process *p)
{
    if (!p->has_area && !process_area_grows_to(&p->area, p->options->pid, p->options->address))
        return NO_MAPPING;
    enum outcome rights = judge_rights(p);
    if (rights != NOT_THERE)
        return rights;
    if (!p->has_area)
        return BELOW_STACK;
    if (is_vsyscall(p))
        return KERNEL_PAGE;
    if (p->entry & PM_PRESENT) {
        if (is_copied_on_write(p))
            return COPIED;
        return p->entry & PM_FRAME ? PRESENT : HIDDEN;
    }
    if (p->entry & PM_SWAPPED)
        return SWAPPED;
    return judge_end(p);
}

static uint64_t physical(const struct process *p)
{
    return (p->entry & PM_FRAME) * p->page_bytes + p->options->address % p->page_bytes;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_signal(const struct process *p)
{
    printf("\n%s (%s) for a %s: ", outcomes[p->outcome].signal, outcomes[p->outcome].code,
           accesses[p->options->access]);
    switch (p->outcome) {
    case NO_MAPPING:
        puts("nothing is mapped there");
        return;
    case NO_RIGHT:
        printf("the mapping's rights are %.3s%s\n", p->area.rights,
               p->entry & PM_PRESENT ? ", though there is a page" : "");
        return;
    case NO_KEY:
        printf("the mapping can be executed only, by its protection key %u\n", p->area.key);
        return;
    default:
        printf("the page lies beyond the end of the file, which has %" PRIu64 " bytes\n",
               p->file_bytes);
    }
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
    case MAYBE_BEYOND_END:
        puts("\nNot mapped yet: the first access will fault, and get a page if the file goes so "
             "far, "
             "or SIGBUS;\nits length is told to root only");
        return;
    case BELOW_STACK:
        puts("\nNot mapped yet: the first access will fault, and the stack grows down to it");
        return;
    case COPIED:
        puts("\nPresent, but shared: the write will fault, and get a copy of the page");
        return;
    case KERNEL_PAGE:
        puts("\nThe kernel's own, of which pagemap tells nothing");
        return;
    case HIDDEN:
        puts("\nPresent, but its frame number is hidden");
        return;
    default:
        print_signal(p);
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
    printf("\n  mapping     %s\n", p->has_area ? p->area.line : "none");
    if (p->has_area && p->area.key)
        printf("  key         %u: a thread's PKRU may forbid reading and writing\n", p->area.key);
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
    struct json json;
    json_init(&json, write_stdout, NULL);
    json_object(&json, NULL);
    json_unsigned(&json, "schema", TRANSLATE_SCHEMA);
    json_unsigned(&json, "pid", p->options->pid);
    json_hex(&json, "linear", p->options->address);
    json_string(&json, "access", accesses[p->options->access]);
    json_string(&json, "state", outcomes[p->outcome].state);
    if (outcomes[p->outcome].signal) {
        json_string(&json, "signal", outcomes[p->outcome].signal);
        json_string(&json, "code", outcomes[p->outcome].code);
    }
    json_string(&json, "mapping", p->has_area ? p->area.line : "");
    json_hex(&json, "pagemap", p->entry);
    if (p->outcome == PRESENT)
        json_hex(&json, "physical", physical(p));
    json_end(&json);
    json_finish(&json);
}

int translate_pid(const struct translate *options)
{
    static struct process p;
    p = (struct process){.options = options, .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
    if (!find_area(&p) || !read_entry(&p))
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
