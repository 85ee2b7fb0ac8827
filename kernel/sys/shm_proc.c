/* kernel/sys/shm_proc.c: /proc/sysvipc/shm, in Linux's columns */
#include "sys/proc.h"
#include "sys/shm_segment.h"

#if defined(__x86_64__)
#define SIZE_WIDTH "21"
#else
#define SIZE_WIDTH "10"
#endif

/* The one of the lowest index from `index` on; NULL. */
static struct segment *next_segment(int index)
{
    list_for_each (at, &shm_segments.list) {
        struct segment *segment = quire_container_of(at, struct segment, link);
        if (segment->index >= index)
            return segment;
    }
    return NULL;
}

static void put_segment(struct text *text, const struct segment *s,
                        const struct quire_mapping_info *use)
{
    char mode[8];
    quire_snprintf(mode, sizeof mode, "%u%u%u%u", s->mode >> 9 & 7, s->mode >> 6 & 7,
                   s->mode >> 3 & 7, s->mode & 7);
    const char *octal = mode;
    while (octal[0] == '0' && octal[1])
        octal++;
    text_printf(text, "%10d %10d  %4s %" SIZE_WIDTH "llu %5d %5d  %5lu %5u %5u %5u %5u ", s->key,
                segment_id(s), octal, (unsigned long long)s->size, s->creator, s->last,
                use->nr_areas, s->uid, s->gid, s->cuid, s->cgid);
    text_printf(text, "%10lld %10lld %10lld %" SIZE_WIDTH "llu %" SIZE_WIDTH "llu\n",
                (long long)s->attached, (long long)s->detached, (long long)s->changed,
                (unsigned long long)use->nr_pages << QUIRE_PAGE_SHIFT,
                (unsigned long long)use->nr_swapped << QUIRE_PAGE_SHIFT);
}

/* Writing may sleep: so from a copy, and the next one is looked for anew. */
int proc_show_shm(struct text *text)
{
    struct segment *segment;
    text_printf(text,
                "       key      shmid perms %" SIZE_WIDTH "s  cpid  lpid nattch   uid   gid  cuid"
                "  cgid      atime      dtime      ctime %" SIZE_WIDTH "s %" SIZE_WIDTH "s\n",
                "size", "rss", "swap");
    for (int index = 0; (segment = next_segment(index)); index++) {
        segment_hold(segment);
        struct quire_mapping_info use = segment_info(segment);
        struct segment copy = *segment;
        segment_release(segment);
        index = copy.index;
        put_segment(text, &copy, &use);
    }
    return 0;
}
