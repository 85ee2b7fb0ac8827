/* tools/heap.c: quire heap: what the heap of a running program holds */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "heap_page.h"
#include "quire.h"

#define NAME "quire heap"
#define KEY_JSON 'j'

static const char examples[] = "Example:\n"
                               "  QUIRE_MALLOC=share LD_PRELOAD=libquire-malloc.so ./server &\n"
                               "  quire heap $!\n\n";

static struct {
    uint64_t pid;
    bool json;
} wanted;

static const struct argp_option argp_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print JSON", 1}, COMMON_OPTIONS, {0}};
static const struct argp argp;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case KEY_JSON:
        wanted.json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num)
            argp_error(state, "one process at a time");
        if (!parse_number(arg, 1, INT32_MAX, &wanted.pid))
            argp_error(state, "'%s' is no process", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "of which process?");
        return EINVAL;
    default:
        return parse_common(key, &argp, NAME, examples);
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .args_doc = "PID",
    .doc = "Prints what the heap of a running program holds, by sizes of blocks. The program runs "
           "with libquire-malloc.so and QUIRE_MALLOC=share; with QUIRE_MALLOC=share,calls its "
           "calls are counted, too. It writes the counts while it uses the heap, four times a "
           "second at most, and beside them what is taken of each size at any moment: of one that "
           "has gone to sleep or was killed the rest is of then.\v"
           "Exit status: 0 done, 1 failed, 2 usage.",
};

static void print_total(const char *name, uint64_t bytes)
{
    printf("%-14s %14llu bytes\n", name, (unsigned long long)bytes);
}

/* Its counts are taken while they change. */
static uint64_t free_slots(const struct quire_heap_page_class *c)
{
    uint64_t taken = c->used + c->cached;
    return taken < c->slots ? c->slots - taken : 0;
}

static void print_class(const struct quire_heap_page *page, const struct quire_heap_page_class *c)
{
    char size[24];
    snprintf(size, sizeof size, "%llu", (unsigned long long)c->size);
    printf("%9s %10llu %10llu %10llu %10llu", c->size ? size : "larger",
           (unsigned long long)c->used, (unsigned long long)c->cached,
           (unsigned long long)free_slots(c), (unsigned long long)c->pages);
    if (page->counts_calls)
        printf(" %12llu %12llu %12llu", (unsigned long long)c->allocations,
               (unsigned long long)c->frees, (unsigned long long)c->resizes);
    putchar('\n');
}

static bool is_of_interest(const struct quire_heap_page_class *c)
{
    return c->pages || c->allocations || c->frees || c->resizes;
}

static void print_text(const struct quire_heap_page *page)
{
    print_total("used", page->used);
    print_total("large", page->large);
    print_total("on stacks", page->cached);
    print_total("free in slabs", page->slots);
    print_total("free pages", page->dirty);
    print_total("large, kept", page->kept);
    print_total("metadata", page->metadata);
    print_total("largest free", page->largest_free);
    printf("%-14s %14llu bytes of %llu\n", "free, resident",
           (unsigned long long)page->free_resident, (unsigned long long)page->free);
    printf("threads %llu, sections added %llu, pages given back %llu, mapped %llu, unmapped %llu, "
           "kept and reused %llu\n",
           (unsigned long long)page->nr_caches, (unsigned long long)page->nr_grown,
           (unsigned long long)page->nr_given_back, (unsigned long long)page->nr_maps,
           (unsigned long long)page->nr_unmaps, (unsigned long long)page->nr_reused);
    printf("     size       used  on stacks       free      pages%s\n",
           page->counts_calls ? "  allocations        frees      resizes" : "");
    for (unsigned i = 1; i <= page->nr_classes; i++) {
        const struct quire_heap_page_class *c = &page->class_of[i % page->nr_classes];
        if (is_of_interest(c))
            print_class(page, c);
    }
}

static void write_out(void *arg, const char *text, size_t length)
{
    fwrite(text, 1, length, arg);
}

static void print_classes(struct json *out, const struct quire_heap_page *page)
{
    json_array(out, "classes");
    for (unsigned i = 0; i < page->nr_classes; i++) {
        const struct quire_heap_page_class *c = &page->class_of[i];
        if (!is_of_interest(c))
            continue;
        json_object(out, NULL);
        json_unsigned(out, "size", c->size);
        json_unsigned(out, "used", c->used);
        json_unsigned(out, "on_stacks", c->cached);
        json_unsigned(out, "free", free_slots(c));
        json_unsigned(out, "pages", c->pages);
        if (page->counts_calls) {
            json_unsigned(out, "allocations", c->allocations);
            json_unsigned(out, "frees", c->frees);
            json_unsigned(out, "resizes", c->resizes);
        }
        json_end(out);
    }
    json_end(out);
}

static void print_json(const struct quire_heap_page *page)
{
    struct json out;
    json_init(&out, write_out, stdout);
    json_object(&out, NULL);
    json_unsigned(&out, "schema", 1);
    json_unsigned(&out, "pid", page->pid);
    json_unsigned(&out, "used", page->used);
    json_unsigned(&out, "used_blocks", page->nr_blocks);
    json_unsigned(&out, "large", page->large);
    json_unsigned(&out, "large_blocks", page->nr_large);
    json_unsigned(&out, "on_stacks", page->cached);
    json_unsigned(&out, "free_in_slabs", page->slots);
    json_unsigned(&out, "free_pages", page->dirty);
    json_unsigned(&out, "large_kept", page->kept);
    json_unsigned(&out, "metadata", page->metadata);
    json_unsigned(&out, "largest_free", page->largest_free);
    json_unsigned(&out, "free", page->free);
    json_unsigned(&out, "free_resident", page->free_resident);
    json_unsigned(&out, "threads", page->nr_caches);
    print_classes(&out, page);
    json_end(&out);
    json_finish(&out);
}

int command_heap(int argc, char **argv)
{
    static struct quire_heap_page page;
    static const char *const why[] = {
        [HEAP_PAGE_NO_PROCESS] = "there is no such process",
        [HEAP_PAGE_FORBIDDEN] =
            "its descriptors can't be looked at; they are its user's and root's",
        [HEAP_PAGE_NONE] = "it shares no counts: it has to be run with libquire-malloc.so and "
                           "QUIRE_MALLOC=share",
        [HEAP_PAGE_UNKNOWN] = "its library is of another version",
    };
    argv[0] = (char[]){NAME};
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, NULL);
    enum heap_page_result result = heap_page_read((uint32_t)wanted.pid, &page);
    if (result != HEAP_PAGE_READ) {
        complain("process %llu: %s", (unsigned long long)wanted.pid, why[result]);
        return EXIT_FAILED;
    }
    if (wanted.json)
        print_json(&page);
    else
        print_text(&page);
    return all_written();
}
