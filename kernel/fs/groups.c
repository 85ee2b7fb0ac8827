/* kernel/fs/groups.c: lists of supplementary groups (man 7 credentials)
 *
 * Every look at a file of another user searches one, so they are sorted.
 */
#include "memory.h"
#include "task/credentials.h"

struct group_list *groups_create(unsigned count)
{
    struct group_list *groups = quire_kmalloc(
        machine_slab, sizeof *groups + count * sizeof groups->gid[0], QUIRE_GFP_KERNEL);
    if (groups) {
        groups->refs = 1;
        groups->count = count;
    }
    return groups;
}

struct group_list *groups_get(struct group_list *groups)
{
    if (groups)
        groups->refs++;
    return groups;
}

void groups_put(struct group_list *groups)
{
    if (groups && !--groups->refs)
        quire_kfree(machine_slab, groups);
}

/* Moves gid[at] down to where no child in the heap gid[0, count) is greater. */
static void sift(uint32_t *gid, unsigned at, unsigned count)
{
    for (unsigned child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && gid[child + 1] > gid[child])
            child++;
        if (gid[child] <= gid[at])
            return;
        uint32_t greater = gid[child];
        gid[child] = gid[at];
        gid[at] = greater;
    }
}

/* A heap: no recursion and no memory, and a program can't make it slow. */
void groups_sort(struct group_list *groups)
{
    uint32_t *gid = groups->gid;
    for (unsigned at = groups->count / 2; at-- > 0;)
        sift(gid, at, groups->count);
    for (unsigned end = groups->count; end-- > 1;) {
        uint32_t greatest = gid[0];
        gid[0] = gid[end];
        gid[end] = greatest;
        sift(gid, 0, end);
    }
}

static bool groups_have(const struct group_list *groups, uint32_t gid)
{
    unsigned from = 0, to = groups->count;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (groups->gid[middle] == gid)
            return true;
        if (groups->gid[middle] < gid)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

bool credentials_in_group(const struct credentials *who, uint32_t gid)
{
    return who->egid == gid || (who->groups && groups_have(who->groups, gid));
}
