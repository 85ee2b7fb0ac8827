/* kernel/fs/lock.c: advisory locks of files
 *
 * An inode's locks are a list. Setting one first takes that range from all locks of the owner,
 * which may shorten them or cut one in two, and then adds the new one.
 *
 *   invariant   locks of one owner and kind don't overlap, and those of different owners overlap
 *               only if both are for reading
 */
#include "fs/lock.h"

#include "memory.h"
#include "string.h"

static struct event changed; /* some lock has gone */

static struct lock *lock_of(struct list *link)
{
    return quire_container_of(link, struct lock, link);
}

static bool overlap(const struct lock *a, const struct lock *b)
{
    return a->kind == b->kind && a->first <= b->last && b->first <= a->last;
}

const struct lock *lock_conflict(const struct inode *inode, const struct lock *wanted)
{
    list_for_each (link, &inode->locks) {
        const struct lock *lock = lock_of(link);
        if (wanted->type != LOCK_NONE && lock->owner != wanted->owner && overlap(lock, wanted) &&
            (lock->type == LOCK_WRITE || wanted->type == LOCK_WRITE))
            return lock;
    }
    return NULL;
}

/* Takes `wanted`'s range from a lock of the same owner; true: it is gone. Its second half, if it is
 * cut in two, becomes *spare, which is NULL then. */
static bool cut(struct inode *inode, struct lock *lock, const struct lock *wanted,
                struct lock **spare)
{
    bool left = lock->first<wanted->first, right = lock->last> wanted->last;
    if (left && right) {
        **spare = *lock;
        (*spare)->first = wanted->last + 1;
        list_add_tail(&inode->locks, &(*spare)->link);
        *spare = NULL;
    }
    if (left)
        lock->last = wanted->first - 1;
    else if (right)
        lock->first = wanted->last + 1;
    return !left && !right;
}

static void take_range(struct inode *inode, const struct lock *wanted, struct lock **spare)
{
    struct list *next;
    for (struct list *link = inode->locks.next; link != &inode->locks; link = next) {
        struct lock *lock = lock_of(link);
        next = link->next;
        if (lock->owner == wanted->owner && overlap(lock, wanted) &&
            cut(inode, lock, wanted, spare)) {
            list_del(link);
            quire_kfree(machine_slab, lock);
        }
    }
}

static int wait_for(struct inode *inode, const struct lock *wanted, bool wait)
{
    for (;;) {
        uint32_t seen = event_read(&changed);
        if (!lock_conflict(inode, wanted))
            return 0;
        if (!wait)
            return -EAGAIN;
        int error = event_wait(&changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

int lock_set(struct inode *inode, const struct lock *wanted, bool wait)
{
    struct lock *lock = quire_kmalloc(machine_slab, sizeof *lock, QUIRE_GFP_KERNEL);
    struct lock *spare = quire_kmalloc(machine_slab, sizeof *spare, QUIRE_GFP_KERNEL);
    int error = lock && spare ? 0 : -ENOLCK;
    if (!error)
        error = wait_for(inode, wanted, wait);
    if (!error) {
        take_range(inode, wanted, &spare);
        if (wanted->type != LOCK_NONE) {
            *lock = *wanted;
            list_add_tail(&inode->locks, &lock->link);
            lock = NULL;
        }
        event_signal(&changed);
    }
    quire_kfree(machine_slab, lock);
    quire_kfree(machine_slab, spare);
    return error;
}

void lock_release_owner(struct inode *inode, const void *owner)
{
    struct list *next;
    bool any = false;
    for (struct list *link = inode->locks.next; link != &inode->locks; link = next) {
        struct lock *lock = lock_of(link);
        next = link->next;
        if (lock->owner != owner)
            continue;
        list_del(link);
        quire_kfree(machine_slab, lock);
        any = true;
    }
    if (any)
        event_signal(&changed);
}
