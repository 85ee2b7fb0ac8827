/* tests/model/vm_swap_model.c: slots, counts and the swap cache against a list
 *
 * Random operations on pages that no process has: into the swap cache, written, dropped, read back,
 * entries counted and given back, areas coming and going. The model knows of each slot that is in
 * use how many entries mean it, what it holds, and which page is cached for it.
 */
#include "tests/unit/vm_machine.h"
#include "vm/lru.h"
#include "vm/swap.h"

#define MAX_ITEMS 900u /* more than there are slots */
#define AREAS 3u

struct item {
    swap_entry entry;
    unsigned count;
    uint64_t word;
    struct quire_page *page; /* cached, as far as the model knows; read-ahead may bring it sooner */
    bool written;            /* the slot holds `word` */
};

static struct item items[MAX_ITEMS];
static bool shrinking; /* slots are given back rather than taken, so that clusters come free */
static unsigned nr_items;
static unsigned long nr_discarded, nr_refused;
static int area[AREAS];
static const unsigned area_slots[AREAS] = {40, 300, 513};
static char *store[AREAS];
static char bytes[40 + 300 + 513][16]; /* only the first words of pages matter */

static int model_read(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    char(*base)[16] = arg;
    for (unsigned i = 0; i < count; i++)
        page_write(test_vm, pages[i], 0, base[slot + i], 16);
    return 0;
}

static int model_write(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    char(*base)[16] = arg;
    for (unsigned i = 0; i < count; i++)
        page_read(test_vm, pages[i], 0, base[slot + i], 16);
    return 0;
}

static void model_discard(void *arg, uint64_t slot, uint64_t count)
{
    char(*base)[16] = arg;
    for (uint64_t i = 0; i < count; i++)
        base[slot + i][0] = (char)0xdd; /* what is discarded and yet read is found out */
    nr_discarded += (unsigned long)count;
}

static void turn_on(unsigned i)
{
    static const struct quire_swap_ops plain = {model_read, model_write, NULL};
    static const struct quire_swap_ops discards = {model_read, model_write, model_discard};
    struct quire_swap_config config = {
        .ops = i ? &discards : &plain,
        .store = store[i],
        .nr_slots = area_slots[i],
        .priority = i == 2 ? 1 : 0,
        .name = "model",
    };
    area[i] = quire_swapon(test_vm, &config);
    CHECK(area[i] >= 0);
}

static unsigned used_of(unsigned i)
{
    unsigned used = 0;
    for (unsigned n = 0; n < nr_items; n++)
        used += (int)entry_type(items[n].entry) - 1 == area[i];
    return used;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void drop_item(unsigned n)
{
    items[n] = items[--nr_items];
}

/* A pin and the page's lock: as every caller has. */
static void unlock(struct quire_page *page)
{
    page_unlock(page);
    vm_put_page(test_vm, page);
}

static struct quire_page *lock_of(struct item *item)
{
    struct quire_page *page = swap_cache_find(test_vm, item->entry);
    if (page)
        page_lock(page);
    return page;
}

static void new_item(void)
{
    struct item *item = &items[nr_items];
    struct quire_page *page = nr_items < MAX_ITEMS ? vm_alloc_page(test_vm, 0) : NULL;
    if (!page)
        return;
    page_lock(page);
    page_set_root(page, PAGE_KIND_ANON, 0);
    *item = (struct item){.word = test_random(), .page = page, .count = 1};
    page_write(test_vm, page, 0, &item->word, sizeof item->word);
    page_set(page, PG_UPTODATE);
    bool used = page_use(page); /* as an entry would: the first reference is its users' */
    page_pin(page);
    CHECK(used);
    int error = swap_cache_add(test_vm, page);
    page_drop_user(test_vm, page);
    if (error) {
        CHECK_EQ(error, (uint64_t)-QUIRE_ENOSPC);
        CHECK_EQ(swap_free_pages(test_vm), 0);
        nr_refused++;
        unlock(page);
        return;
    }
    lru_add(test_vm, page, 0);
    item->entry = swap_cache_entry(test_vm, page);
    CHECK(swap_duplicate(test_vm, item->entry));
    for (unsigned n = 0; n < nr_items; n++)
        CHECK(items[n].entry != item->entry);
    nr_items++;
    unlock(page);
}

static void write_item(struct item *item)
{
    struct quire_page *page = lock_of(item);
    CHECK_EQ(page == item->page, true);
    if (!page)
        return;
    CHECK_EQ(swap_write_page(test_vm, page, NULL), 0);
    item->written = true;
    unlock(page);
}

static void evict_item(struct item *item)
{
    struct quire_page *page = lock_of(item);
    if (!page)
        return;
    bool dirty = page_has(page, PG_DIRTY);
    if (test_random_below(2)) { /* somebody else holds it */
        page_pin(page);
        CHECK(!swap_cache_evict(test_vm, page));
        vm_put_page(test_vm, page);
    }
    bool gone = swap_cache_evict(test_vm, page);
    CHECK_EQ(gone, !dirty);
    CHECK(!gone || item->written);
    if (gone)
        item->page = NULL;
    unlock(page);
}

static void read_item(struct item *item)
{
    bool major = false;
    int error = 0;
    uint64_t word = 0;
    struct quire_page *page = swap_in(test_vm, item->entry, NULL, &major, &error);
    CHECK(page || error == -QUIRE_ENOMEM);
    if (!page)
        return;
    CHECK(!item->page || item->page == page);
    CHECK(!major || !item->page);
    page_read(test_vm, page, 0, &word, sizeof word);
    CHECK_EQ(word, item->word);
    item->page = page;
    unlock(page);
}

static void change_item(struct item *item)
{
    struct quire_page *page = lock_of(item);
    if (!page)
        return;
    item->word = test_random();
    item->written = false;
    page_write(test_vm, page, 0, &item->word, sizeof item->word);
    page_set(page, PG_DIRTY);
    unlock(page);
}

static void count_item(unsigned n)
{
    struct item *item = &items[n];
    CHECK_EQ(swap_count(test_vm, item->entry), item->count);
    if (test_random_below(shrinking ? 16 : 2) == 1) {
        CHECK(swap_duplicate(test_vm, item->entry));
        item->count++;
        return;
    }
    swap_entry entry = item->entry;
    swap_free(test_vm, entry);
    if (--item->count)
        return;
    /* With the last entry the slot goes, and the page that only the cache has. */
    CHECK_EQ(swap_count(test_vm, entry), 0);
    CHECK(!swap_cache_find(test_vm, entry));
    drop_item(n);
}

static void remove_item(unsigned n)
{
    struct quire_page *page = lock_of(&items[n]);
    if (!page)
        return;
    if (items[n].written && !page_has(page, PG_DIRTY)) {
        swap_cache_remove(test_vm, page); /* the slot keeps what it has */
        CHECK(page_has(page, PG_DIRTY));
        items[n].page = NULL;
    }
    unlock(page);
}

static void turn_off_and_on(void)
{
    unsigned i = test_random_below(AREAS);
    if (used_of(i))
        return; /* entries that no page table has can't be brought back */
    CHECK_EQ(quire_swapoff(test_vm, area[i]), 0);
    turn_on(i);
}

static void step(void)
{
    unsigned what = test_random_below(100);
    if (what < (shrinking ? 2u : 25u) || !nr_items) {
        new_item();
        return;
    }
    unsigned n = test_random_below(nr_items);
    struct item *item = &items[n];
    /* Read-ahead brings pages that the model hasn't asked for. */
    if (!item->page && (item->page = swap_cache_find(test_vm, item->entry)))
        vm_put_page(test_vm, item->page);
    if (what < 40 && item->page)
        write_item(item);
    else if (what < 55)
        evict_item(item);
    else if (what < 65)
        read_item(item);
    else if (what < 70)
        change_item(item);
    else if (what < 95 || (shrinking && what < 97))
        count_item(n);
    else if (what < 98)
        remove_item(n);
    else
        turn_off_and_on();
}

static void check_all(void)
{
    unsigned long used = 0;
    for (unsigned i = 0; i < AREAS; i++) {
        struct quire_swap_info info;
        CHECK_EQ(quire_swap_info(test_vm, area[i], &info), 0);
        CHECK_EQ(info.nr_used, used_of(i));
        used += (unsigned long)info.nr_used;
    }
    CHECK_EQ(swap_total_pages(test_vm) - swap_free_pages(test_vm), used);
    for (unsigned n = 0; n < nr_items; n++)
        CHECK_EQ(swap_count(test_vm, items[n].entry), items[n].count);
    quire_vm_check(test_vm);
}

static void slots_and_cached_pages_are_what_the_list_says(void)
{
    if (!vm_boot(8 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    uint64_t effort = test_environment.effort / 10;
    nr_items = 0;
    nr_discarded = nr_refused = 0;
    for (unsigned i = 0, slot = 0; i < AREAS; slot += area_slots[i++]) {
        store[i] = bytes[slot];
        turn_on(i);
    }
    for (uint64_t n = 0; n < effort; n++) {
        step();
        if (n % 4096 == 0) {
            check_all();
            shrinking = n / 4096 % 4 < 2;
            CHECK_EQ(quire_vm_set_page_cluster(test_vm, test_random_below(4)), 0);
        }
        test_environment.set_cpu(test_random_below(2));
    }
    check_all();
    while (nr_items) {
        while (items[0].count) {
            items[0].count--;
            swap_free(test_vm, items[0].entry);
        }
        drop_item(0);
    }
    check_all();
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    test_note("%lu slots were discarded, %lu pages found none", nr_discarded, nr_refused);
    for (unsigned i = 0; i < AREAS; i++)
        CHECK_EQ(quire_swapoff(test_vm, area[i]), 0);
    test_environment.set_cpu(0);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(slots_and_cached_pages_are_what_the_list_says),
    {0},
};

const struct test_suite suite_vm_swap_model = {"vm_swap_model", cases};
