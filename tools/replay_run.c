/* tools/replay_run.c: one pass over a trace for all jobs
 *
 * A job is an engine at work on one or more sizes. The thread that runs the replay reads a batch
 * while the others give the batch before it to the jobs, helps them with what is left, and hands
 * out the next one when every job has seen the last. So a job sees all batches in order, whoever
 * works on it, and what comes out doesn't depend on the number of threads.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "replay.h"

#define BATCH_RUNS (2 * TRACE_BATCH)
#define MOST_THREADS 64u

struct job {
    const struct replay_engine *engine;
    void *state;
    unsigned policy, first_size, nr_sizes; /* policy: index into the run's */
};

/* A batch that is being filled or worked on. */
struct buffer {
    struct replay_batch batch;
    struct trace_run run[BATCH_RUNS];
    uint32_t visit[BATCH_RUNS + 1];
};

/* Visits go across batches: the last one stays here until another begins. */
struct reading {
    struct page_ids ids;
    uint64_t page; /* UINT64_MAX: none */
    uint32_t visit;
};

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct job *job;
    unsigned nr_jobs, next_job, jobs_left; /* of the batch */
    const struct replay_batch *batch;
    bool stop, failed;
    pthread_t thread[MOST_THREADS];
    unsigned nr_threads;
};

/* ---- jobs ------------------------------------------------------------------------------------ */

static unsigned jobs_of(const struct replay_engine *engine, unsigned nr_sizes)
{
    return (nr_sizes - 1) / engine->sizes + 1;
}

static void free_jobs(struct crew *crew)
{
    for (unsigned j = 0; j < crew->nr_jobs; j++)
        if (crew->job[j].state)
            crew->job[j].engine->free(crew->job[j].state);
    free(crew->job);
}

/* False: no memory. */
static bool begin_jobs(struct crew *crew, const struct replay_run *run)
{
    unsigned shift = trace_reader_page_shift(run->trace), count = 0;
    for (unsigned p = 0; p < run->nr_policies; p++)
        count += jobs_of(run->engine(run->policy[p]), run->nr_sizes);
    crew->job = calloc(count, sizeof *crew->job);
    if (!crew->job)
        return false;
    for (unsigned p = 0; p < run->nr_policies; p++) {
        const struct replay_engine *engine = run->engine(run->policy[p]);
        unsigned each = (run->nr_sizes - 1) / jobs_of(engine, run->nr_sizes) + 1;
        for (unsigned s = 0; s < run->nr_sizes; s += each) {
            struct job *job = &crew->job[crew->nr_jobs++];
            unsigned left = run->nr_sizes - s;
            *job = (struct job){engine, NULL, p, s, left < each ? left : each};
            job->state = engine->begin(run->frames + s, job->nr_sizes, shift);
            if (!job->state)
                return false;
        }
    }
    return true;
}

/* False: no memory. */
static bool end_jobs(const struct crew *crew, struct replay_run *run)
{
    struct replay_counts *counts = calloc(run->nr_sizes, sizeof *counts);
    bool ok = counts;
    for (unsigned j = 0; ok && j < crew->nr_jobs; j++) {
        const struct job *job = &crew->job[j];
        ok = job->engine->end(job->state, counts);
        for (unsigned s = 0; ok && s < job->nr_sizes; s++)
            run->result[(job->first_size + s) * run->nr_policies + job->policy] =
                (struct replay_result){run->policy[job->policy], run->frames[job->first_size + s],
                                       counts[s]};
    }
    free(counts);
    return ok;
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Works on jobs that nobody has taken; called and left with the lock held. */
static void work(struct crew *crew)
{
    while (crew->next_job < crew->nr_jobs) {
        struct job *job = &crew->job[crew->next_job++];
        const struct replay_batch *batch = crew->batch;
        pthread_mutex_unlock(&crew->lock);
        bool ok = job->engine->references(job->state, batch);
        QUIRE_EXPENSIVE(!ok || job->engine->is_valid(job->state));
        pthread_mutex_lock(&crew->lock);
        crew->failed |= !ok;
        if (!--crew->jobs_left)
            pthread_cond_signal(&crew->done);
    }
}

static void *worker(void *arg)
{
    struct crew *crew = arg;
    pthread_mutex_lock(&crew->lock);
    while (!crew->stop) {
        work(crew);
        if (!crew->stop)
            pthread_cond_wait(&crew->work, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* With fewer threads than wanted if there are no more. */
static void start_threads(struct crew *crew, unsigned wanted)
{
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->work, NULL);
    pthread_cond_init(&crew->done, NULL);
    crew->next_job = crew->nr_jobs; /* no batch yet */
    while (crew->nr_threads + 1 < wanted && crew->nr_threads < MOST_THREADS &&
           crew->nr_threads < crew->nr_jobs &&
           !pthread_create(&crew->thread[crew->nr_threads], NULL, worker, crew))
        crew->nr_threads++;
}

static void end_threads(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->stop = true;
    pthread_cond_broadcast(&crew->work);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned t = 0; t < crew->nr_threads; t++)
        pthread_join(crew->thread[t], NULL);
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->work);
    pthread_mutex_destroy(&crew->lock);
}

static void hand_out(struct crew *crew, const struct replay_batch *batch)
{
    pthread_mutex_lock(&crew->lock);
    crew->batch = batch;
    crew->next_job = 0;
    crew->jobs_left = crew->nr_jobs;
    pthread_cond_broadcast(&crew->work);
    pthread_mutex_unlock(&crew->lock);
}

/* Until every job has seen the batch. False: one of them has no memory. */
static bool help(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    work(crew);
    while (crew->jobs_left)
        pthread_cond_wait(&crew->done, &crew->lock);
    bool ok = !crew->failed;
    pthread_mutex_unlock(&crew->lock);
    return ok;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void put_visit(struct replay_run *run, const struct reading *reading, struct buffer *to)
{
    if (reading->page == UINT64_MAX)
        return;
    to->visit[to->batch.nr_visits++] = reading->visit;
    run->visits++;
}

/* False: see *error. */
static bool add_runs(struct replay_run *run, struct reading *reading, struct buffer *to,
                     size_t count, struct trace_error *error)
{
    const struct trace_run *from = &to->run[to->batch.nr_runs], *end = from + count;
    for (; from < end; from++) {
        uint32_t writes = from->kind & TRACE_WRITES ? VISIT_WRITES : 0;
        run->references += from->count;
        if (from->page == reading->page) {
            reading->visit |= writes;
            continue;
        }
        put_visit(run, reading, to);
        uint32_t id = page_ids_get(&reading->ids, from->page);
        if (id == PAGE_ID_NONE) {
            trace_fail(error, "there is no memory for more than %u pages", reading->ids.count);
            return false;
        }
        reading->page = from->page;
        reading->visit = id << 1 | writes;
    }
    to->batch.nr_runs += count;
    return true;
}

/* The next batch. 1: there are more, 0: it is the last one, -1: see *error. */
static int fill(struct replay_run *run, struct reading *reading, struct buffer *to,
                struct trace_error *error)
{
    ssize_t count = 1;
    to->batch = (struct replay_batch){.run = to->run, .visit = to->visit};
    while (count && to->batch.nr_runs + TRACE_BATCH <= BATCH_RUNS) {
        count = trace_read(run->trace, to->run + to->batch.nr_runs, error);
        if (count < 0 || !add_runs(run, reading, to, (size_t)count, error))
            return -1;
    }
    if (!count) {
        put_visit(run, reading, to);
        reading->page = UINT64_MAX;
    }
    to->batch.nr_pages = run->pages = reading->ids.count;
    return count > 0;
}

static bool no_memory(const struct replay_run *run, struct trace_error *error)
{
    trace_fail(error, "there is no memory to replay a trace of %u pages in so many sizes",
               run->pages);
    return false;
}

static bool replay(struct replay_run *run, struct crew *crew, struct reading *reading,
                   struct buffer *buffer, struct trace_error *error)
{
    int more = fill(run, reading, &buffer[0], error);
    for (unsigned which = 0; more >= 0; which ^= 1) {
        bool last = !more;
        hand_out(crew, &buffer[which].batch);
        if (run->progress)
            run->progress(run);
        if (!last)
            more = fill(run, reading, &buffer[which ^ 1], error);
        if (!help(crew))
            return no_memory(run, error);
        if (last)
            return true;
    }
    return false;
}

bool replay_run(struct replay_run *run, struct trace_error *error)
{
    struct crew crew = {0};
    struct reading reading = {.page = UINT64_MAX};
    struct buffer *buffer = malloc(2 * sizeof *buffer);
    bool ok = false;
    run->references = run->visits = run->pages = 0;
    if (!page_ids_init(&reading.ids) || !buffer || !begin_jobs(&crew, run)) {
        no_memory(run, error);
    } else {
        start_threads(&crew, run->threads);
        ok = replay(run, &crew, &reading, buffer, error);
        end_threads(&crew);
        if (ok && !end_jobs(&crew, run))
            ok = no_memory(run, error);
    }
    free_jobs(&crew);
    page_ids_free(&reading.ids);
    free(buffer);
    return ok;
}
