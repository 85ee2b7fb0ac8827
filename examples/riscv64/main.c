/* examples/riscv64/main.c: frames and objects on QEMU's virt machine, which begins at 2 GiB
 *
 * Fills memory with objects of random sizes, checks what is in them, gives all of them back, and
 * expects to have every frame again, merged.
 */
#include <quire/phys.h>
#include <quire/port.h>
#include <quire/slab.h>

#define UART ((volatile unsigned char *)0x10000000)
#define UART_STATUS 5
#define UART_READY 0x20
#define FINISHER ((volatile uint32_t *)0x100000)
#define FINISH_PASS 0x5555
#define FINISH_FAIL 0x13333 /* QEMU's status is 1 */
#define MEMORY_BYTES (128ul << 20)
#define MAX_OBJECTS 200000ul

extern char image_start[], image_end[];

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
_Noreturn void riscv64_main(void);
_Noreturn void riscv64_trap(unsigned long cause, unsigned long at, unsigned long value);

/* Through volatile, so that gcc doesn't make these loops calls of themselves. */
void *memcpy(void *to, const void *from, size_t size)
{
    volatile char *t = to;
    for (size_t i = 0; i < size; i++)
        t[i] = ((const char *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    volatile char *t = to;
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    while (size--)
        t[size] = ((const char *)from)[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    volatile char *t = to;
    for (size_t i = 0; i < size; i++)
        t[i] = (char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void put(char c)
{
    while (!(UART[UART_STATUS] & UART_READY))
        ;
    UART[0] = (unsigned char)c;
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void say_number(unsigned long value, unsigned base)
{
    if (value >= base)
        say_number(value / base, base);
    put("0123456789abcdef"[value % base]);
}

_Noreturn static void finish(uint32_t how)
{
    *FINISHER = how;
    for (;;)
        __asm__ volatile("wfi");
}

void riscv64_log(const char *text)
{
    say("quire: ");
    say(text);
    say("\n");
}

_Noreturn void riscv64_panic(const char *text)
{
    say("panic: ");
    say(text);
    say("\n");
    finish(FINISH_FAIL);
}

_Noreturn void riscv64_trap(unsigned long cause, unsigned long at, unsigned long value)
{
    say("trap 0x");
    say_number(cause, 16);
    say(" at 0x");
    say_number(at, 16);
    say(", value 0x");
    say_number(value, 16);
    say("\n");
    finish(FINISH_FAIL);
}

static void expect(bool good, const char *what)
{
    if (!good)
        riscv64_panic(what);
}

static struct quire_mem *take_memory(const struct quire_port_mem *port)
{
    static struct quire_memblock map;
    struct quire_mem *mem;
    const uint64_t base = (uintptr_t)image_start;
    quire_memblock_init(&map, "virt", port);
    expect(!quire_memblock_reserve(&map, base, (uint64_t)(image_end - image_start)), "the image");
    expect(!quire_memblock_add(&map, base, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM), "memory");
    expect(!quire_mem_init(&mem, &map, &(struct quire_mem_config){.port = port}), "zones");
    return mem;
}

static unsigned long free_largest_blocks(struct quire_mem *mem)
{
    struct quire_zone_info zone;
    expect(!quire_zone_info(mem, 0, &zone), "the zone");
    return zone.nr_blocks[QUIRE_MAX_ORDER];
}

/* Sizes by a generator of Lehmer's; each object is linked to the one before and holds its size. */
struct object {
    struct object *before;
    size_t size;
};

static unsigned long fill(struct quire_slab *slab, struct object **last)
{
    unsigned long count = 0;
    uint64_t random = 1;
    for (; count < MAX_OBJECTS; count++) {
        random = random * 48271 % 2147483647;
        size_t size = sizeof(struct object) + random % 4000;
        struct object *object = quire_kmalloc(slab, size, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
        if (!object)
            break;
        memset(object, (int)size, size);
        *object = (struct object){*last, size};
        *last = object;
    }
    return count;
}

static void empty(struct quire_slab *slab, struct object *last)
{
    while (last) {
        struct object *before = last->before;
        const unsigned char *bytes = (const void *)last;
        for (size_t i = sizeof *last; i < last->size; i++)
            expect(bytes[i] == (unsigned char)last->size, "an object's content");
        quire_kfree(slab, last);
        last = before;
    }
}

_Noreturn void riscv64_main(void)
{
    static const struct quire_port_mem port;
    struct quire_mem *mem = take_memory(&port);
    const unsigned long before = quire_nr_free_pages(mem), largest = free_largest_blocks(mem);
    struct quire_slab *slab;
    struct object *last = NULL;
    expect(!quire_slab_init(&slab, mem, NULL), "general caches");
    say_number(before, 10);
    say(" frames are free, of ");
    say_number(quire_nr_managed_pages(mem), 10);
    say("\n");
    say_number(fill(slab, &last), 10);
    say(" objects filled memory\n");
    empty(slab, last);
    expect(!quire_slab_destroy(slab), "objects that nobody freed");
    quire_mem_check(mem);
    quire_drain_all_pages(mem);
    say_number(quire_nr_free_pages(mem), 10);
    say(" frames are free\n");
    expect(quire_nr_free_pages(mem) == before, "frames that were lost");
    expect(free_largest_blocks(mem) == largest, "merging");
    finish(FINISH_PASS);
}
