/* slab/report.c: what is said about a mistake
 *
 * Lines in the log with all that is known: the cache, the object, its slab, what was expected and
 * found, who allocated and freed it; then one line with the gist to ops->bad_page. Callers are
 * addresses, named by the port where it can (text.h).
 */
#include "base/text.h"
#include "slab/debug.h"
#include "slab/page.h"

static void log_object(const struct cache *cache, const struct mistake *mistake,
                       const struct quire_page *head)
{
    char *base = slab_address(cache->slab, head);
    unsigned long at = (unsigned long)((char *)mistake->object - base);
    quire_log(QUIRE_LOG_ERROR,
              "  object %p of %u bytes: number %lu of %u in the slab at %p, frame 0x%x, order %u",
              mistake->object, cache->object_size, at / cache->size, slab_objects(head),
              (void *)base, head->pfn, slab_order(head));
    if (mistake->asked)
        quire_log(QUIRE_LOG_ERROR, "  kmalloc was asked for %zu bytes", mistake->asked);
}

static void log_track(const char *what, const struct track *track)
{
    char caller[CODE_TEXT_BYTES];
    if (track->caller)
        quire_log(QUIRE_LOG_ERROR, "  %s by %s on CPU %u at %llu ns", what,
                  code_text(track->caller, caller), track->cpu, (unsigned long long)track->when_ns);
}

static void log_details(struct cache *cache, const char *name, const struct mistake *mistake,
                        const struct quire_page *page)
{
    quire_log(QUIRE_LOG_ERROR, "quire: cache \"%s\": a mistake was found:", name);
    if (page && page_flags(page) & QUIRE_PAGE_SLAB && page_cache_id(page) == cache->id)
        log_object(cache, mistake, page_head((struct quire_page *)(uintptr_t)page));
    if (mistake->bytes)
        quire_log(QUIRE_LOG_ERROR, "  at object + %ld: expected 0x%x, found %02x %02x %02x %02x...",
                  mistake->offset, mistake->expected, mistake->found[0], mistake->found[1],
                  mistake->found[2], mistake->found[3]);
    log_track("allocated", &mistake->track[TRACK_ALLOC]);
    log_track("freed", &mistake->track[TRACK_FREE]);
    char caller[CODE_TEXT_BYTES];
    if (mistake->caller)
        quire_log(QUIRE_LOG_ERROR, "  found in a call from %s", code_text(mistake->caller, caller));
}

static void put_gist(const struct cache *cache, const char *name, const struct mistake *mistake,
                     const struct quire_page *page, char *text, size_t size)
{
    char other[NAME_BYTES];
    size_t used = quire_snprintf(text, size, "quire: cache \"%s\": %s: object %p", name,
                                 mistake->what, mistake->object);
    char *to = text + used;
    size -= used;
    if (mistake->bytes)
        quire_snprintf(to, size, ", byte %ld is 0x%x, not 0x%x", mistake->offset, mistake->found[0],
                       mistake->expected);
    else if (mistake->given)
        quire_snprintf(to, size, ", pointer %p, %ld bytes in", mistake->given,
                       (long)((char *)mistake->given - (char *)mistake->object));
    else if (page && page_flags(page) & QUIRE_PAGE_SLAB && page_cache_id(page) != cache->id &&
             cache_name(cache->slab, page_cache_id(page), 0, other))
        quire_snprintf(to, size, ", of cache \"%s\"", other);
}

void mistake_report(struct cache *cache, const struct mistake *mistake)
{
    char text[256], name[NAME_BYTES];
    struct quire_page *page = mistake->page;
    cache_name(cache->slab, cache->id, 0, name);
    if (!page && !object_page_checked(cache->slab, mistake->object, &page))
        page = NULL;
    log_details(cache, name, mistake, page);
    put_gist(cache, name, mistake, page, text, sizeof text);
    quire_report_mistake(cache->slab->mem, quire_pfn(page ? page->pfn : 0), text);
}

void report_misfits(struct cache *cache, const struct aftermath *after)
{
    unsigned told = after->nr_misfits < MAX_MISFITS ? after->nr_misfits : MAX_MISFITS;
    for (unsigned i = 0; i < told; i++)
        mistake_report(cache, &(struct mistake){.what = after->misfit[i].what,
                                                .object = after->misfit[i].object});
    if (after->nr_misfits == told)
        return;
    char text[160], name[NAME_BYTES];
    cache_name(cache->slab, cache->id, 0, name);
    quire_snprintf(text, sizeof text,
                   "quire: cache \"%s\": %u more such frees were found with these", name,
                   after->nr_misfits - told);
    quire_report_mistake(cache->slab->mem, quire_pfn(0), text);
}

static void log_kfree(uintptr_t caller)
{
    char text[CODE_TEXT_BYTES];
    quire_log(QUIRE_LOG_ERROR, "quire: kfree was called from %s", code_text(caller, text));
}

void report_bad_kfree(struct quire_slab *slab, struct quire_page *page, void *ptr, uintptr_t caller)
{
    char text[192];
    struct quire_page *head = page ? large_head(slab, page) : NULL;
    char *block = head ? slab_address(slab, head) : NULL;
    log_kfree(caller);
    if (head)
        quire_snprintf(text, sizeof text,
                       "quire: kfree of a pointer into a large block: %p, %lu bytes into the %lu "
                       "bytes at %p",
                       ptr, (unsigned long)((char *)ptr - block),
                       QUIRE_PAGE_SIZE << quire_page_order(head), (void *)block);
    else
        quire_snprintf(text, sizeof text, "quire: kfree of %s: %p",
                       page ? "a pointer into a page that is no slab's and no large block's"
                            : "an address that isn't memory of the direct map",
                       ptr);
    quire_report_mistake(slab->mem, quire_pfn(page ? page->pfn : 0), text);
}

/* ---- objects that are still out -------------------------------------------------------------- */

static void log_writes(void *arg, const char *text, size_t length)
{
    (void)arg;
    while (length) {
        size_t end = 0;
        while (end < length && text[end] != '\n')
            end++;
        if (end)
            quire_log(QUIRE_LOG_ERROR, "  %.*s", (int)end, text);
        end += end < length;
        text += end;
        length -= end;
    }
}

void report_leak(struct quire_kmem_cache *handle, unsigned long active)
{
    char text[160];
    if (handle->cache->flags & QUIRE_SLAB_STORE_USER)
        quire_kmem_cache_dump_users(handle, log_writes, NULL);
    quire_snprintf(text, sizeof text,
                   "quire: cache \"%s\" can't be destroyed: %lu objects are still allocated",
                   handle->name, active);
    quire_report_mistake(handle->slab->mem, quire_pfn(0), text);
}

void report_foreign_kfree(struct quire_slab *slab, void *ptr, uintptr_t caller)
{
    char text[160];
    log_kfree(caller);
    quire_snprintf(text, sizeof text, "quire: kfree of another quire_slab's object: %p", ptr);
    quire_report_mistake(slab->mem, quire_pfn(0), text);
}
