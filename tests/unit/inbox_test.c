/* tests/unit/inbox_test.c: what CPUs free of others' memory, and who finds it */
#include "tests/unit/shards.h"

static void what_another_cpu_frees_waits_in_the_inbox_and_counts_as_free(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *chain;
    unsigned long taken = take_pages(QUIRE_GFP_KERNEL, LARGEST, &chain);
    CHECK_EQ(taken, LARGEST);
    unsigned long before = zone_nr_free(zone);
    struct inbox *inbox = &zone->shard[0].inbox;
    chain = shards_free_into(inbox, 1, 1, chain);
    CHECK_EQ(inbox_frames(inbox), inbox->count);
    CHECK_EQ(zone_nr_free(zone), before + inbox->count);
    CHECK_EQ(zone_nr_free(zone) + zone_info(0).nr_pcp + chain_length(chain), zone->managed);
    CHECK_EQ(inbox->count, 0); /* zone_info took zone_lock */
    CHECK_EQ(inbox_frames(inbox), 0);
    free_chain(chain);
    shards_end(zone);
}

static void a_full_inbox_is_emptied_by_who_sends(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL, 4ul * INBOX_SLOTS, &chain);
    unsigned long before = zone->shard[0].nr_free;
    shards_free_on(1, chain);
    CHECK(zone->shard[0].nr_free > before); /* CPU 0 did nothing meanwhile */
    shards_end(zone);
}

static void a_drain_empties_the_inbox_of_its_shard(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL, 4ul * INBOX_SLOTS, &chain);
    struct inbox *inbox = &zone->shard[0].inbox;
    chain = shards_free_into(inbox, INBOX_SLOTS / 4, 1, chain);
    while (chain && inbox->count) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(zone->mem, chain);
        chain = next;
    }
    CHECK_EQ(inbox->count, 0);
    CHECK(chain_length(chain) > 0); /* while it freed, not for want of more */
    free_chain(chain);
    shards_end(zone);
}

static void an_allocation_finds_what_lies_in_an_inbox(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *chain = shards_take_all(0), *some = chain;
    struct quire_page *last = chain;
    for (unsigned i = 0; i < INBOX_SLOTS; i++)
        last = last->owner.pointer[0];
    chain = last->owner.pointer[0];
    last->owner.pointer[0] = NULL;
    shards_free_on(1, some);
    REQUIRE(zone->shard[0].inbox.count > 0);
    unsigned long inside = zone->shard[0].inbox.count;
    test_environment.set_cpu(1);
    struct quire_page *found;
    unsigned long got = take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &found);
    CHECK_EQ(got, INBOX_SLOTS + 1ul);
    CHECK(got > inside);
    CHECK_EQ(zone_nr_free(zone), 0);
    free_chain(found);
    test_environment.set_cpu(0);
    free_chain(chain);
    shards_end(zone);
}

static void a_large_block_is_put_together_from_an_inbox(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *huge = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, MAX_ORDER);
    REQUIRE(huge);
    struct quire_page *chain = shards_take_all(0);
    quire_split_page(zone->mem, huge, MAX_ORDER);
    test_environment.set_cpu(1);
    for (unsigned long i = 0; i < LARGEST; i++)
        quire_free_page(zone->mem, &huge[i]);
    test_environment.set_cpu(0);
    quire_drain_pages(zone->mem, 1);
    struct quire_page *again =
        quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, MAX_ORDER);
    CHECK(again == huge);
    if (again)
        quire_free_pages(zone->mem, again, MAX_ORDER);
    free_chain(chain);
    shards_end(zone);
}

static void lent_memory_in_an_inbox_is_not_for_who_cant_have_it(void)
{
    uint64_t base;
    struct zone *zone = shards_boot_with_area(&base);
    if (!zone)
        return;
    struct quire_page *rest = shards_take_all(1), *lent;
    take_pages(QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_MEMALLOC, ~0ul, &lent);
    CHECK_EQ(zone_nr_free(zone), 0);
    unsigned long spare = zone->watermark[WMARK_MIN] / 2;
    for (unsigned long i = 0; i < spare && rest; i++) {
        struct quire_page *next = rest->owner.pointer[0];
        quire_free_page(machine.mem, rest);
        rest = next;
    }
    quire_drain_all_pages(machine.mem);
    struct shard *shard = frame_shard(zone, lent->pfn);
    lent = shards_free_into(&shard->inbox, 1, shard == &zone->shard[0], lent);
    unsigned long held = pcp_pages(zone); /* zone_info would empty the inbox */
    struct quire_page *got;
    CHECK(take_pages(QUIRE_GFP_NOWAIT, ~0ul, &got) <= held);
    CHECK(zone_nr_free(zone) - zone_free_special(zone, QUIRE_MIGRATE_CMA) >= spare);
    free_chain(got);
    free_chain(rest);
    free_chain(lent);
    shards_end(zone);
}

static void a_node_is_balanced_by_what_lies_in_inboxes_too(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *block = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, MAX_ORDER);
    REQUIRE(block && !quire_set_min_free_kbytes(zone->mem, 1 << (QUIRE_PAGE_SHIFT - 10)));
    if (zone->watermark[WMARK_HIGH] + 8 >= INBOX_SLOTS) {
        quire_free_pages(zone->mem, block, MAX_ORDER);
        test_skip("an inbox holds less than what a node is balanced by");
        return;
    }
    struct quire_page *rest = shards_take_all(0);
    quire_split_page(zone->mem, block, MAX_ORDER);
    unsigned long freed = 0;
    test_environment.set_cpu(1);
    while (inbox_frames(&zone->shard[0].inbox) <= zone->watermark[WMARK_HIGH] + 8 &&
           freed < LARGEST)
        quire_free_page(zone->mem, &block[freed++]);
    CHECK_EQ(zone->shard[0].nr_free, 0);
    CHECK(quire_node_balanced(zone->mem, 0, 3, QUIRE_ZONE_NORMAL));
    while (freed < LARGEST)
        quire_free_page(zone->mem, &block[freed++]);
    test_environment.set_cpu(0);
    free_chain(rest);
    shards_end(zone);
}

/* CPU 0 allocates huge blocks, CPU 1 frees them, so that some wait in the inbox of the first shard,
 * whose CPU's list is empty. NULL: the case is skipped. */
static struct zone *boot_with_huge_blocks_in_an_inbox(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return NULL;
    if (!zone->pcp[0]->list[PCP_HUGE].cap) {
        test_skip("the zone is too small for lists of huge blocks");
        return NULL;
    }
    struct quire_page *block[3 * 32]; /* of a list's most slots */
    unsigned blocks = 3u * zone->pcp[0]->list[PCP_HUGE].cap;
    for (unsigned i = 0; i < blocks; i++)
        block[i] = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, PAGEBLOCK_ORDER);
    quire_drain_all_pages(zone->mem);
    test_environment.set_cpu(1);
    for (unsigned i = 0; i < blocks; i++)
        if (block[i])
            quire_free_pages(zone->mem, block[i], PAGEBLOCK_ORDER);
    test_environment.set_cpu(0);
    CHECK(zone->shard[0].inbox.count > zone->pcp[0]->list[PCP_HUGE].refill);
    CHECK_EQ(inbox_frames(&zone->shard[0].inbox),
             (unsigned long)zone->shard[0].inbox.count << PAGEBLOCK_ORDER);
    return zone;
}

static void whole_pageblocks_go_from_an_inbox_to_a_list_of_their_kind(void)
{
    struct zone *zone = boot_with_huge_blocks_in_an_inbox();
    if (!zone)
        return;
    struct shard *shard = &zone->shard[0];
    unsigned long in_maps = shard->nr_free, waiting = inbox_frames(&shard->inbox);
    unsigned long free = zone_nr_free(zone), listed = pcp_pages(zone);
    struct quire_page *page = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, PAGEBLOCK_ORDER);
    REQUIRE(page);
    CHECK_EQ(shard->nr_free, in_maps);
    CHECK(inbox_frames(&shard->inbox) < waiting);
    CHECK_EQ(inbox_frames(&shard->inbox), (unsigned long)shard->inbox.count << PAGEBLOCK_ORDER);
    CHECK_EQ(zone_nr_free(zone) + pcp_pages(zone) + PAGEBLOCK_PAGES, free + listed);
    CHECK(pfn_to_pageblock(zone->mem, page->pfn)->nr_free == 0);
    quire_free_pages(zone->mem, page, PAGEBLOCK_ORDER);
    shards_end(zone);
}

static void a_request_of_another_type_finds_them_in_the_maps(void)
{
    struct zone *zone = boot_with_huge_blocks_in_an_inbox();
    if (!zone)
        return;
    struct shard *shard = &zone->shard[0];
    struct quire_page *page =
        quire_alloc_pages(zone->mem, QUIRE_GFP_HIGHUSER_MOVABLE, PAGEBLOCK_ORDER);
    REQUIRE(page);
    CHECK_EQ(shard->inbox.count, 0);
    CHECK_EQ(inbox_frames(&shard->inbox), 0);
    CHECK_EQ(pfn_to_pageblock(zone->mem, page->pfn)->type, QUIRE_MIGRATE_MOVABLE);
    quire_free_pages(zone->mem, page, PAGEBLOCK_ORDER);
    shards_end(zone);
}

static void smaller_blocks_are_put_together_before_they_are_used_again(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *chain, *page;
    take_pages(QUIRE_GFP_KERNEL, LARGEST, &chain);
    quire_drain_pages(zone->mem, 0);
    unsigned more_than_a_refill = zone->pcp[0]->list[0].refill + 1u;
    chain = shards_free_into(&zone->shard[0].inbox, more_than_a_refill, 1, chain);
    page = quire_alloc_page(zone->mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    CHECK_EQ(zone->shard[0].inbox.count, 0);
    quire_free_page(zone->mem, page);
    free_chain(chain);
    shards_end(zone);
}

static const struct test_case cases[] = {
    TEST_CASE(what_another_cpu_frees_waits_in_the_inbox_and_counts_as_free),
    TEST_CASE(a_full_inbox_is_emptied_by_who_sends),
    TEST_CASE(a_drain_empties_the_inbox_of_its_shard),
    TEST_CASE(an_allocation_finds_what_lies_in_an_inbox),
    TEST_CASE(a_large_block_is_put_together_from_an_inbox),
    TEST_CASE(lent_memory_in_an_inbox_is_not_for_who_cant_have_it),
    TEST_CASE(whole_pageblocks_go_from_an_inbox_to_a_list_of_their_kind),
    TEST_CASE(a_request_of_another_type_finds_them_in_the_maps),
    TEST_CASE(smaller_blocks_are_put_together_before_they_are_used_again),
    TEST_CASE(a_node_is_balanced_by_what_lies_in_inboxes_too),
    {0},
};
const struct test_suite suite_inbox = {"inbox", cases};
