/* malloc/mallinfo.c: what glibc's functions tell, about this heap
 *
 *     arena     uordblks + fordblks
 *     ordblks   free blocks in slabs, and one for the free pages
 *     smblks    free blocks on threads' stacks, and fsmblks their bytes
 *     hblks     blocks that count as mapped (mallopt.c), and hblkhd their bytes
 *     usmblks   0, as glibc's
 *     uordblks  bytes of blocks that the program has, each as large as its class, but for mapped
 *     fordblks  bytes that are free and take memory: on stacks, in slabs, in pages, in large blocks
 *               that are kept for a while
 *     keepcost  bytes that malloc_trim would give back of that: pages and kept blocks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "malloc/options.h"

static void read_info(struct quire_heap_info *info)
{
    *info = (struct quire_heap_info){0};
    if (self.inside || !heap_enter())
        return;
    quire_heap_info(heap, info);
    heap_leave();
}

static struct mallinfo2 mallinfo2_of(const struct quire_heap_info *info)
{
    struct mallinfo2 is = {
        .ordblks = info->nr_slots + info->nr_kept + (info->dirty != 0),
        .smblks = info->nr_cached,
        .hblks = info->nr_mapped,
        .hblkhd = info->mapped,
        .fsmblks = info->cached,
        .uordblks = info->used + info->large - info->mapped,
        .fordblks = info->cached + info->slots + info->dirty + info->kept,
        .keepcost = info->dirty + info->kept,
    };
    is.arena = is.uordblks + is.fordblks;
    return is;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    struct quire_heap_info info;
    read_info(&info);
    return mallinfo2_of(&info);
}

static int narrow(size_t value)
{
    return (int)value; /* wraps, as glibc's */
}

static struct mallinfo narrow_info(void)
{
    struct mallinfo2 is = mallinfo2();
    return (struct mallinfo){
        .arena = narrow(is.arena),
        .ordblks = narrow(is.ordblks),
        .smblks = narrow(is.smblks),
        .hblks = narrow(is.hblks),
        .hblkhd = narrow(is.hblkhd),
        .usmblks = narrow(is.usmblks),
        .fsmblks = narrow(is.fsmblks),
        .uordblks = narrow(is.uordblks),
        .fordblks = narrow(is.fordblks),
        .keepcost = narrow(is.keepcost),
    };
}

EXPORT struct mallinfo mallinfo(void)
{
    return narrow_info();
}

EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    if (self.inside || !heap_enter())
        return 0;
    size_t bytes = quire_heap_trim(heap, self.cache.slots ? &self.cache : NULL);
    heap_leave();
    return bytes != 0;
}

/* The lines of glibc, by the name of arena that it uses for the first. */
EXPORT void malloc_stats(void)
{
    struct quire_heap_info info;
    read_info(&info);
    struct mallinfo2 is = mallinfo2_of(&info);
    message("Arena 0:");
    message("system bytes     = %10zu", is.arena);
    message("in use bytes     = %10zu", is.uordblks);
    message("Total (incl. mmap):");
    message("system bytes     = %10zu", is.arena + is.hblkhd);
    message("in use bytes     = %10zu", is.uordblks + is.hblkhd);
    message("max mmap regions = %10lu", info.nr_peak_mapped);
    message("max mmap bytes   = %10zu", info.peak_mapped);
}

/* ---- malloc_info ----------------------------------------------------------------------------- */

static void print_class(FILE *out, unsigned number)
{
    struct quire_heap_class_info info = {0};
    if (self.inside || !heap_enter())
        return;
    (void)quire_heap_class_info(heap, number, &info);
    heap_leave();
    if (info.pages)
        fprintf(out,
                "    <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%lu\" used=\"%lu\" "
                "cached=\"%lu\"/>\n",
                info.size, info.size, (info.slots - info.used) * info.size, info.slots - info.used,
                info.used, info.cached);
}

static void print_totals(FILE *out, const struct quire_heap_info *info, const char *indent)
{
    struct mallinfo2 is = mallinfo2_of(info);
    fprintf(out, "%s<total type=\"fast\" count=\"%lu\" size=\"%zu\"/>\n", indent, info->nr_cached,
            info->cached);
    fprintf(out, "%s<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", indent, is.ordblks,
            is.fordblks - info->cached);
}

static size_t most(size_t one, size_t other)
{
    return one > other ? one : other;
}

/* glibc's elements, and those of its own: <quire>. */
EXPORT int malloc_info(int flags, FILE *out)
{
    struct quire_heap_info info;
    if (flags)
        return EINVAL;
    read_info(&info);
    struct mallinfo2 is = mallinfo2_of(&info);
    fputs("<malloc version=\"1\">\n  <heap nr=\"0\">\n  <sizes>\n", out);
    for (unsigned class = 1; class < QUIRE_HEAP_CLASSES; class ++)
        print_class(out, class);
    fputs("  </sizes>\n", out);
    print_totals(out, &info, "  ");
    fprintf(out,
            "  <system type=\"current\" size=\"%zu\"/>\n  <system type=\"max\" size=\"%zu\"/>\n"
            "  <aspace type=\"total\" size=\"%zu\"/>\n  <aspace type=\"mprotect\" size=\"%zu\"/>\n"
            "  </heap>\n",
            is.arena, most(info.peak, is.arena), info.committed, info.committed);
    print_totals(out, &info, "");
    fprintf(out, "<total type=\"mmap\" count=\"%lu\" size=\"%zu\"/>\n", info.nr_mapped,
            info.mapped);
    fprintf(out,
            "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n"
            "<aspace type=\"total\" size=\"%zu\"/>\n<aspace type=\"mprotect\" size=\"%zu\"/>\n",
            is.arena + is.hblkhd, most(info.peak, is.arena + is.hblkhd), info.committed,
            info.committed);
    fprintf(out,
            "<quire used=\"%zu\" dirty=\"%zu\" kept=\"%zu\" metadata=\"%zu\" threads=\"%lu\" "
            "largest_free=\"%zu\" free=\"%zu\" free_resident=\"%zu\"/>\n</malloc>\n",
            info.used + info.large, info.dirty, info.kept, info.metadata, info.nr_caches,
            info.largest_free, info.free, info.free_resident);
    return 0;
}

EXPORT struct mallinfo __libc_mallinfo(void);
struct mallinfo __libc_mallinfo(void)
{
    return narrow_info();
}
