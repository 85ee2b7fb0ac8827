/* tests/trace/model_test.c: the exact models against simulations that look at every frame
 *
 * Naive here is: an array of frames, searched from end to end at each reference, and for OPT the
 * whole trace searched for the next reference of each page.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/trace/traces.h"
#include "tools/replay.h"

#define MOST_FRAMES 2000u

static const enum replay_policy policies[] = {REPLAY_LRU, REPLAY_CLOCK, REPLAY_FIFO, REPLAY_OPT};
#define NR_POLICIES (sizeof policies / sizeof *policies)

/* ---- naive ----------------------------------------------------------------------------------- */

struct frame {
    uint64_t page;
    uint64_t came, used, next; /* references by number; next: UINT64_MAX: never */
    bool referenced, dirty;
};

struct naive {
    enum replay_policy policy;
    uint64_t frames, used, hand;
    struct frame frame[MOST_FRAMES];
    struct replay_counts counts;
};

static struct naive naive;

static struct frame *choose(void)
{
    struct frame *best = naive.frame;
    if (naive.policy == REPLAY_CLOCK) {
        for (;; naive.hand = (naive.hand + 1) % naive.frames) {
            best = &naive.frame[naive.hand];
            if (!best->referenced)
                break;
            best->referenced = false;
        }
        naive.hand = (naive.hand + 1) % naive.frames;
        return best;
    }
    for (struct frame *f = naive.frame; f < naive.frame + naive.frames; f++)
        switch (naive.policy) {
        case REPLAY_FIFO:
            best = f->came < best->came ? f : best;
            break;
        case REPLAY_LRU:
            best = f->used < best->used ? f : best;
            break;
        default:
            best =
                f->next > best->next || (f->next == best->next && f->used < best->used) ? f : best;
        }
    return best;
}

static struct frame *find_frame(uint64_t page)
{
    for (uint64_t f = 0; f < naive.used; f++)
        if (naive.frame[f].page == page)
            return &naive.frame[f];
    return NULL;
}

static void naive_reference(const struct trace *trace, size_t at, bool first)
{
    const struct trace_run *run = &trace->run[at];
    struct frame *frame = find_frame(run->page);
    if (!frame) {
        naive.counts.minor += first;
        naive.counts.major += !first;
        if (naive.used < naive.frames) {
            frame = &naive.frame[naive.used++];
        } else {
            frame = choose();
            naive.counts.evictions++;
            naive.counts.write_backs += frame->dirty;
        }
        *frame = (struct frame){.page = run->page, .came = at};
    }
    frame->used = at;
    frame->referenced = true;
    frame->dirty |= run->kind == TRACE_WRITE || run->kind == TRACE_MODIFY;
    if (naive.policy == REPLAY_OPT) {
        size_t next = at + 1;
        while (next < trace->count && trace->run[next].page != run->page)
            next++;
        frame->next = next < trace->count ? next : UINT64_MAX;
    }
}

static bool is_first(const struct trace *trace, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (trace->run[i].page == trace->run[at].page)
            return false;
    return true;
}

static struct replay_counts naive_run(const struct trace *trace, const bool *first,
                                      enum replay_policy policy, uint64_t frames)
{
    naive.policy = policy;
    naive.frames = frames;
    naive.used = naive.hand = 0;
    naive.counts = (struct replay_counts){0};
    for (size_t i = 0; i < trace->count; i++)
        naive_reference(trace, i, first[i]);
    return naive.counts;
}

/* ---- the models ------------------------------------------------------------------------------ */

static struct trace_error error;

/* Through the compact form, on `threads`; results by [size * NR_POLICIES + policy], to be freed. */
static struct replay_result *model_run(const struct trace *trace, const uint64_t *frames,
                                       unsigned nr_sizes, unsigned threads)
{
    size_t size;
    uint8_t *data = trace_compact(trace, 12, 0, &size);
    struct memory_source from = {data, size, 0, 0};
    struct trace_source source = memory_source(&from);
    struct replay_run run = {
        .trace = data ? trace_open_source(&source, 0, &error) : NULL,
        .engine = replay_model,
        .policy = policies,
        .nr_policies = NR_POLICIES,
        .frames = frames,
        .nr_sizes = nr_sizes,
        .threads = threads,
        .result = calloc(nr_sizes * NR_POLICIES, sizeof *run.result),
    };
    CHECK(run.trace && run.result && replay_run(&run, &error));
    uint64_t references = 0;
    for (size_t i = 0; i < trace->count; i++)
        references += trace->run[i].count;
    CHECK_EQ(run.references, references);
    trace_close(run.trace);
    free(data);
    return run.result;
}

static void check_counts(const struct replay_result *got, const struct replay_counts *expected)
{
    bool same = got->counts.minor == expected->minor && got->counts.major == expected->major &&
                got->counts.evictions == expected->evictions &&
                got->counts.write_backs == expected->write_backs;
    if (!same)
        test_note(
            "policy %u, %llu frames: minor %llu for %llu, major %llu for %llu, evictions "
            "%llu for %llu, write-backs %llu for %llu",
            got->policy, (unsigned long long)got->frames, (unsigned long long)got->counts.minor,
            (unsigned long long)expected->minor, (unsigned long long)got->counts.major,
            (unsigned long long)expected->major, (unsigned long long)got->counts.evictions,
            (unsigned long long)expected->evictions, (unsigned long long)got->counts.write_backs,
            (unsigned long long)expected->write_backs);
    CHECK(same);
}

static void compare(const struct trace *trace, const uint64_t *frames, unsigned nr_sizes)
{
    bool *first = malloc(trace->count + 1);
    struct replay_result *result = model_run(trace, frames, nr_sizes, 1 + test_random_below(3));
    REQUIRE(first && result);
    for (size_t i = 0; i < trace->count; i++)
        first[i] = is_first(trace, i);
    for (unsigned s = 0; s < nr_sizes; s++)
        for (unsigned p = 0; p < NR_POLICIES; p++) {
            struct replay_counts expected = naive_run(trace, first, policies[p], frames[s]);
            check_counts(&result[s * NR_POLICIES + p], &expected);
        }
    free(result);
    free(first);
}

/* ---- traces ---------------------------------------------------------------------------------- */

/* The same chance for each page. */
static void even(struct trace *trace, size_t count, uint32_t pages)
{
    for (size_t i = 0; i < count; i++)
        trace_add(trace, test_random_below(pages), 1, test_random_below(TRACE_NR_KINDS));
}

/* A few pages often, others seldom. */
static void skewed(struct trace *trace, size_t count, uint32_t pages)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t page = test_random_below(pages);
        for (unsigned n = test_random_below(6); n; n--)
            page = test_random_below(page + 1);
        trace_add(trace, page, 1 + test_random_below(3), test_random_below(TRACE_NR_KINDS));
    }
}

/* Loops of changing length, over pages that move on. */
static void loops(struct trace *trace, size_t count, uint32_t pages)
{
    uint64_t base = 0;
    while (trace->count < count) {
        uint32_t length = 1 + test_random_below(pages), times = 1 + test_random_below(4);
        uint32_t kind = test_random_below(TRACE_NR_KINDS);
        for (uint32_t i = 0; i < length * times; i++)
            trace_add(trace, base + i % length, 1, kind);
        base += test_random_below(pages / 2 + 1);
    }
}

static void random_traces(size_t count, unsigned rounds)
{
    static void (*const make[])(struct trace *, size_t, uint32_t) = {even, skewed, loops};
    for (unsigned round = 0; round < rounds; round++) {
        struct trace trace = {0};
        uint64_t frames[8];
        uint32_t pages = 2 + test_random_below(round % 4 ? 30 : 300);
        unsigned nr_sizes = 0;
        make[round % 3](&trace, 1 + test_random_below((uint32_t)count), pages);
        for (uint64_t size = 1 + test_random_below(3); nr_sizes < 8 && size < 2 * pages;
             size += 1 + test_random_below(1 + pages / 5))
            frames[nr_sizes++] = size;
        if (nr_sizes)
            compare(&trace, frames, nr_sizes);
        trace_free(&trace);
    }
}

static void short_traces_come_out_as_naive_ones(void)
{
    random_traces(40, 1000);
}

static void longer_traces_come_out_as_naive_ones(void)
{
    random_traces(2000, 45);
}

static void every_trace_of_few_pages_comes_out_as_naive_ones(void)
{
    static const uint64_t frames[] = {1, 2, 3, 4};
    for (unsigned word = 0; word < 4096; word++) {
        struct trace trace = {0};
        for (unsigned i = 0; i < 6; i++)
            trace_add(&trace, word >> 2 * i & 3, 1, i & 1 ? TRACE_READ : TRACE_WRITE);
        compare(&trace, frames, 4);
        trace_free(&trace);
    }
}

static void a_loop_that_does_not_fit_misses_always_but_with_opt(void)
{
    static const uint64_t frames[] = {900};
    static const uint64_t misses[NR_POLICIES] = {100000, 100000, 100000, 10900};
    struct trace trace = {0};
    for (unsigned i = 0; i < 100000; i++)
        trace_add(&trace, i % 1000, 1, TRACE_READ);
    struct replay_result *result = model_run(&trace, frames, 1, 2);
    REQUIRE(result);
    for (unsigned p = 0; p < NR_POLICIES; p++) {
        CHECK_EQ(result[p].counts.minor, 1000);
        CHECK_EQ(result[p].counts.minor + result[p].counts.major, misses[p]);
        CHECK_EQ(result[p].counts.evictions, misses[p] - 900);
        CHECK_EQ(result[p].counts.write_backs, 0);
    }
    free(result);
    trace_free(&trace);
}

/* More sizes than one pass of FIFO and CLOCK takes, and enough pages and visits for every structure
 * to grow and to be numbered anew; what comes out doesn't depend on the threads. */
static void many_sizes_come_out_the_same_on_any_number_of_threads(void)
{
    static uint64_t frames[80];
    struct trace trace = {0};
    for (unsigned s = 0; s < 80; s++)
        frames[s] = 1 + 3 * s * s;
    skewed(&trace, 150000, 20000);
    struct replay_result *one = model_run(&trace, frames, 80, 1),
                         *three = model_run(&trace, frames, 80, 3);
    REQUIRE(one && three);
    uint64_t lru = UINT64_MAX, opt = UINT64_MAX;
    for (unsigned r = 0; r < 80 * NR_POLICIES; r++) {
        check_counts(&one[r], &three[r].counts);
        uint64_t misses = one[r].counts.minor + one[r].counts.major;
        if (one[r].policy == REPLAY_OPT) {
            CHECK(misses <= opt);
            opt = misses;
            for (unsigned p = 1; p < NR_POLICIES; p++)
                CHECK(one[r - p].counts.minor + one[r - p].counts.major >= misses);
        } else if (one[r].policy == REPLAY_LRU) {
            CHECK(misses <= lru);
            lru = misses;
        }
    }
    free(one);
    free(three);
    trace_free(&trace);
}

static void an_empty_trace_misses_nothing(void)
{
    static const uint64_t frames[] = {1, 7};
    struct trace trace = {0};
    compare(&trace, frames, 2);
}

static const struct test_case cases[] = {
    TEST_CASE(an_empty_trace_misses_nothing),
    TEST_CASE(every_trace_of_few_pages_comes_out_as_naive_ones),
    TEST_CASE(short_traces_come_out_as_naive_ones),
    TEST_CASE(longer_traces_come_out_as_naive_ones),
    TEST_CASE(a_loop_that_does_not_fit_misses_always_but_with_opt),
    TEST_CASE(many_sizes_come_out_the_same_on_any_number_of_threads),
    {0},
};
const struct test_suite suite_model = {"model", cases};
