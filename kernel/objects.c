/* kernel/objects.c: small objects on the machine's own memory
 *
 * The slab layer is begun for what is to be seen and ended again, so that the other scenes and
 * tests have the machine for themselves. Objects hold their own address, which is looked at before
 * they are freed.
 */
#include "objects.h"

#include <quire/slab.h>

#include "base/bits.h"
#include "kernel.h"
#include "memory.h"

#define NR_TASKS 500u
#define NR_BLOCKS 1000u
#define NR_TIMED 10000u
#define TASK_BYTES 600u
#define LINE_BYTES 160u

static struct quire_slab *slab;
static struct quire_kmem_cache *tasks;
static void *task[NR_TASKS], *block[NR_BLOCKS];
static unsigned long lost;

/* ---- slabinfo -------------------------------------------------------------------------------- */

/* Lines of slabinfo, without what lies beyond the pages of a slab, of caches with objects. */
static struct {
    char text[LINE_BYTES];
    size_t length;
} line;

static bool is_wanted(void)
{
    size_t at = 0;
    while (at < line.length && line.text[at] != ' ')
        at++;
    while (at < line.length && line.text[at] == ' ')
        at++;
    char first = at < line.length ? line.text[at] : '0';
    return first == '<' || (first >= '1' && first <= '9'); /* the heads of columns, or objects */
}

static void end_line(void)
{
    size_t length = 0;
    while (length < line.length && line.text[length] != ':')
        length++;
    if (is_wanted()) {
        print("  ");
        console_write(NULL, line.text, length);
        print("\n");
    }
    line.length = 0;
}

static void write_summary(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            end_line();
        else if (line.length < LINE_BYTES)
            line.text[line.length++] = text[i];
    }
}

static void print_summary(void)
{
    if (quire_slabinfo(slab, QUIRE_FORMAT_TEXT, write_summary, NULL))
        print("  slabinfo has no such format\n");
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool begin(void)
{
    lost = 0;
    if (quire_slab_init(&slab, machine_mem, NULL))
        return false;
    tasks = quire_kmem_cache_create(slab, "task", TASK_BYTES, 0, QUIRE_SLAB_HWCACHE_ALIGN, NULL);
    return tasks;
}

/* From 8 bytes to beyond the largest class. */
static size_t block_size(unsigned i)
{
    return 8 + (size_t)i * i % (i % 50 ? 1000 : 20000);
}

static void take(void)
{
    for (unsigned i = 0; i < NR_TASKS; i++)
        if ((task[i] = quire_kmem_cache_zalloc(tasks, QUIRE_GFP_KERNEL)))
            *(void **)task[i] = task[i];
    for (unsigned i = 0; i < NR_BLOCKS; i++)
        if ((block[i] = quire_kmalloc(slab, block_size(i), QUIRE_GFP_KERNEL)))
            *(void **)block[i] = block[i];
}

/* Every `step`th, from `first` on. */
static void give_back(unsigned first, unsigned step)
{
    for (unsigned i = first; i < NR_TASKS; i += step) {
        lost += !task[i] || *(void **)task[i] != task[i];
        quire_kmem_cache_free(tasks, task[i]);
    }
    for (unsigned i = first; i < NR_BLOCKS; i += step) {
        lost += !block[i] || *(void **)block[i] != block[i];
        quire_kfree(slab, block[i]);
    }
}

static void end(void)
{
    if (quire_kmem_cache_destroy(tasks))
        lost++;
    quire_slab_check(slab);
    lost += quire_slab_destroy(slab);
    quire_drain_all_pages(machine_mem);
}

static void time_pairs(void)
{
    uint64_t start = quire_port_clock_ns();
    for (unsigned i = 0; i < NR_TIMED; i++)
        quire_kmem_cache_free(tasks, quire_kmem_cache_alloc(tasks, QUIRE_GFP_KERNEL));
    uint64_t ns = quire_port_clock_ns() - start;
    print("  %u times an object taken and freed: %llu us in all, on this emulated CPU\n", NR_TIMED,
          (unsigned long long)quire_div64(ns, 1000));
}

/* ---- what is asked for ----------------------------------------------------------------------- */

void objects_print_view(void)
{
    print("\n---- slabinfo\n");
    if (!begin()) {
        print("there is no memory for it\n");
        return;
    }
    if (quire_slabinfo(slab, QUIRE_FORMAT_TEXT, console_write, NULL))
        print("slabinfo has no such format\n");
    end();
}

void objects_show(void)
{
    unsigned long before = quire_nr_free_pages(machine_mem);
    if (!begin()) {
        print("  there is no memory for it\n");
        return;
    }
    print("  a cache of tasks, and the general ones, take %lu pages before the first object\n",
          before - quire_nr_free_pages(machine_mem));
    take();
    print("  with %u tasks and %u blocks of many sizes:\n", NR_TASKS, NR_BLOCKS);
    print_summary();
    give_back(0, 2);
    unsigned long shrunk = quire_slab_shrink(slab, -1);
    print("  with every second one freed, %lu pages could be given back:\n", shrunk);
    print_summary();
    time_pairs();
    give_back(1, 2);
    end();
    print("  at the end %lu objects are lost\n", lost);
}

bool objects_check(void)
{
    quire_drain_all_pages(machine_mem);
    unsigned long before = quire_nr_free_pages(machine_mem);
    if (!begin()) {
        print("# slab: there is no memory for it on this machine\n");
        return false;
    }
    take();
    give_back(0, 2);
    give_back(1, 2);
    end();
    unsigned long after = quire_nr_free_pages(machine_mem);
    print("# slab: %u objects on the machine's own memory, %lu lost; %lu pages free before, %lu "
          "after\n",
          NR_TASKS + NR_BLOCKS, lost, before, after);
    return !lost && before == after;
}
