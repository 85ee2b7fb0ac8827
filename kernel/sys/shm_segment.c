/* kernel/sys/shm_segment.c: System V shared memory: what segments there are
 *
 * Linux: ipc/util.c, ipc/shm.c. An id is a sequence number and an index, as Linux composes it.
 *
 *   invariant   the list is in the order of indices; no two are the same, and no two segments that
 *               can be found by a key have the same key
 */
#include "sys/shm_segment.h"

#include "base/text.h"
#include "errno.h"
#include "fs/inode.h"
#include "memory.h"
#include "task/capability.h"
#include "task/shm.h"
#include "task/task.h"

#define INDEX_BITS 15
#define INDEX_MASK ((1 << INDEX_BITS) - 1)
#define MAX_SEQUENCE 0xffff

struct segments shm_segments = {.list = {&shm_segments.list, &shm_segments.list}};

static int last_index = -1, next_sequence;

/* ---- finding --------------------------------------------------------------------------------- */

struct segment *segment_at(int id)
{
    list_for_each (at, &shm_segments.list) {
        struct segment *segment = quire_container_of(at, struct segment, link);
        if (segment->index == (id & INDEX_MASK))
            return segment;
    }
    return NULL;
}

int segment_find(int id, struct segment **found)
{
    struct segment *segment = id < 0 ? NULL : segment_at(id);
    if (!segment)
        return -EINVAL;
    *found = segment;
    return segment_id(segment) == id ? 0 : -EIDRM;
}

struct segment *segment_by_key(int key)
{
    list_for_each (at, &shm_segments.list) {
        struct segment *segment = quire_container_of(at, struct segment, link);
        if (segment->key == key)
            return segment;
    }
    return NULL;
}

struct segment *segment_of(const struct quire_mapping *mapping)
{
    list_for_each (at, &shm_segments.list) {
        struct segment *segment = quire_container_of(at, struct segment, link);
        if (mapping && segment->mapping == mapping)
            return segment;
    }
    return NULL;
}

int segment_highest_index(void)
{
    return list_empty(&shm_segments.list)
               ? 0
               : quire_container_of(shm_segments.list.prev, struct segment, link)->index;
}

int segment_permission(const struct segment *segment, uint32_t wanted)
{
    const struct credentials *who = &current_process()->credentials;
    uint32_t granted = segment->mode;
    wanted = wanted >> 6 | wanted >> 3 | wanted;
    if (who->euid == segment->uid || who->euid == segment->cuid)
        granted >>= 6;
    else if (credentials_in_group(who, segment->gid) || credentials_in_group(who, segment->cgid))
        granted >>= 3;
    return (wanted & ~granted & 7) && !credentials_can(who, CAP_IPC_OWNER) ? -EACCES : 0;
}

bool segment_is_users(const struct segment *segment)
{
    uint32_t euid = current_process()->credentials.euid;
    return euid == segment->uid || euid == segment->cuid;
}

bool segment_is_owner(const struct segment *segment)
{
    return segment_is_users(segment) || caller_can(CAP_SYS_ADMIN);
}

/* ---- coming and going ------------------------------------------------------------------------ */

void segment_hold(struct segment *segment)
{
    segment->holds++;
}

/* What its mapping knows; that may have to wait for a lock. */
struct quire_mapping_info segment_info(struct segment *segment)
{
    struct quire_mapping_info info = {0};
    segment_hold(segment);
    if (segment->mapping)
        quire_mapping_info(segment->mapping, &info);
    segment->holds--;
    return info;
}

static void segment_free(struct segment *segment)
{
    list_del(&segment->link);
    shm_segments.count--;
    shm_segments.nr_pages -= segment_pages(segment->size);
    if (segment->mode & SHM_DEST)
        shm_segments.nr_removed--;
    if (segment->mapping)
        quire_mapping_put(segment->mapping); /* no area is left to show its name */
    quire_kfree(machine_slab, segment);
}

void shm_reap(void)
{
    struct list *at = shm_segments.list.next;
    while (shm_segments.nr_removed && at != &shm_segments.list) {
        struct segment *segment = quire_container_of(at, struct segment, link);
        bool is_over = (segment->mode & SHM_DEST) && !segment->holds &&
                       !segment_info(segment).nr_areas && !segment->holds;
        at = at->next;
        if (is_over) {
            segment_free(segment);
            at = shm_segments.list.next; /* it may have slept */
        }
    }
}

void segment_remove(struct segment *segment)
{
    if (segment->mode & SHM_DEST)
        return;
    segment->mode |= SHM_DEST;
    segment->key = IPC_PRIVATE;
    shm_segments.nr_removed++;
}

void segment_release(struct segment *segment)
{
    segment->holds--;
    shm_reap();
}

/* Gives it the lowest free index from `first` on; what it comes behind in the list. */
static struct list *find_index(struct segment *segment, int first)
{
    struct list *before = &shm_segments.list;
    segment->index = first;
    list_for_each (at, &shm_segments.list) {
        int taken = quire_container_of(at, struct segment, link)->index;
        if (taken > segment->index)
            break;
        segment->index += taken == segment->index;
        before = at;
    }
    return before;
}

/* An id comes again only when the sequence does, or who may asked for it (shm_next_id). -ENOSPC:
 * no index is free from that one's on, which then isn't asked for any more, as on Linux. */
static int segment_insert(struct segment *segment)
{
    int wanted = (int)shm_limits.next_id;
    shm_limits.next_id = SHM_ANY_ID;
    struct list *before = find_index(segment, wanted < 0 ? 0 : wanted & INDEX_MASK);
    if (segment->index > INDEX_MASK)
        return -ENOSPC;
    if (wanted >= 0) {
        segment->sequence = wanted >> INDEX_BITS;
    } else {
        if (segment->index <= last_index)
            next_sequence = (next_sequence + 1) & MAX_SEQUENCE;
        last_index = segment->index;
        segment->sequence = next_sequence;
    }
    list_add(before, &segment->link);
    shm_segments.count++;
    shm_segments.nr_pages += segment_pages(segment->size);
    return 0;
}

static int check_new(uint64_t size, unsigned flags)
{
    if (!size || size > shm_limits.bytes || (flags & SHM_HUGETLB))
        return -EINVAL;
    if (shm_segments.count >= shm_limits.segments ||
        shm_segments.nr_pages + segment_pages(size) > shm_limits.pages)
        return -ENOSPC;
    return 0;
}

/* Has its place before its memory: the inode that maps show is the segment's id. */
int segment_create(int key, uint64_t size, unsigned flags)
{
    const struct process *process = current_process();
    struct segment *segment = quire_kzalloc(machine_slab, sizeof *segment, QUIRE_GFP_KERNEL);
    if (!segment)
        return -ENOMEM;
    /* Looked at when nothing sleeps any more before it has its place. */
    int error = key != IPC_PRIVATE && segment_by_key(key) ? -EEXIST : check_new(size, flags);
    segment->key = key;
    segment->size = size;
    if (!error)
        error = segment_insert(segment);
    if (error) {
        quire_kfree(machine_slab, segment);
        return error;
    }
    segment->mode = flags & SHM_PERMISSIONS;
    segment->uid = segment->cuid = process->credentials.euid;
    segment->gid = segment->cgid = process->credentials.egid;
    segment->creator = process->pid;
    segment->changed = fs_time_now().seconds;
    quire_snprintf(segment->name, sizeof segment->name, "/SYSV%08x (deleted)", (unsigned)key);
    segment_hold(segment);
    int id = segment_id(segment);
    struct quire_mapping_config config = {.size = segment_pages(size) << QUIRE_PAGE_SHIFT,
                                          .name = segment->name,
                                          .device_minor = 1,
                                          .inode = (uint64_t)id,
                                          .may_write = true,
                                          .may_exec = true,
                                          .noreserve = flags & SHM_NORESERVE};
    error = quire_mapping_create(&segment->mapping, machine_vm, &config);
    if (error) /* somebody may be looking at it already */
        segment_remove(segment);
    segment_release(segment);
    if (error)
        return error == -EINVAL ? -ENOMEM : error; /* larger than a file can be */
    return id;
}
