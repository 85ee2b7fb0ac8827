/* kernel/task/futex.c: fast user-space locks (man 2 futex)
 *
 * Who sleeps is a struct waiter on his own stack, in the bucket of what he sleeps on. That is an
 * address space and an address, or for memory that is shared a page frame and an offset: the frame
 * is pinned while somebody waits on it, so that it stays the one. Private memory has the address as
 * its name even where the caller doesn't say that it is private, since a fork may give its owner
 * another frame at any time.
 *
 * A waiter is in his bucket before he looks at the word. So a wake that comes while the page of the
 * word is read from a swap area isn't lost.
 *
 *   invariant   a waiter is in a bucket if and only if `woken` is 0
 */
#include "task/futex.h"

#include "errno.h"
#include "memory.h"
#include "task/sched.h"
#include "user.h"

#define NR_BUCKETS 64u
#define PAGEMAP_FILE (1ull << 61) /* of a file, or shared memory */
#define PAGEMAP_PRESENT (1ull << 63)

/* A frame that is waited on; one each. */
struct shared_page {
    struct list link;
    struct quire_page *page;
    unsigned users;
};

struct key {
    const void *space; /* quire_mm or quire_page */
    uintptr_t offset;
    struct shared_page *shared; /* NULL: private */
};

struct waiter {
    struct list link;
    struct key key;
    uint32_t bits;
    uint32_t woken;
};

static struct list buckets[NR_BUCKETS];
static struct list shared_pages = {&shared_pages, &shared_pages};

/* ---- keys ------------------------------------------------------------------------------------ */

static struct list *bucket_of(const struct key *key)
{
    uint32_t hash = ((uint32_t)(uintptr_t)key->space >> 4 ^ (uint32_t)key->offset >> 2);
    struct list *bucket = &buckets[hash * 0x9e3779b1u >> 16 & (NR_BUCKETS - 1)];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

static bool keys_are_equal(const struct key *a, const struct key *b)
{
    return a->space == b->space && a->offset == b->offset;
}

static void key_get(const struct key *key)
{
    if (key->shared)
        key->shared->users++;
}

static void key_put(struct key *key)
{
    struct shared_page *shared = key->shared;
    key->shared = NULL;
    if (!shared || --shared->users)
        return;
    list_del(&shared->link);
    quire_put_user_page(machine_vm, shared->page, false);
    quire_kfree(machine_slab, shared);
}

/* Takes over the caller's pin of the page, or gives it back. */
static struct shared_page *shared_page_of(struct quire_page *page)
{
    struct shared_page *fresh = quire_kmalloc(machine_slab, sizeof *fresh, QUIRE_GFP_KERNEL);
    list_for_each (at, &shared_pages) {
        struct shared_page *shared = quire_container_of(at, struct shared_page, link);
        if (shared->page != page)
            continue;
        shared->users++;
        quire_put_user_page(machine_vm, page, false);
        quire_kfree(machine_slab, fresh);
        return shared;
    }
    if (!fresh) {
        quire_put_user_page(machine_vm, page, false);
        return NULL;
    }
    *fresh = (struct shared_page){.page = page, .users = 1};
    list_add_tail(&shared_pages, &fresh->link);
    return fresh;
}

/* Written to if it can be: then private memory has its own copy, and is seen to be private. */
static int pin(struct quire_page **page, uintptr_t at)
{
    struct quire_mm *mm = current_process()->mm;
    int error = quire_get_user_page(mm, at, true, page);
    return error == -EFAULT ? quire_get_user_page(mm, at, false, page) : error;
}

static uint64_t pagemap_at(uintptr_t at)
{
    uint64_t entry;
    quire_pagemap(current_process()->mm, at & ~(uintptr_t)(QUIRE_PAGE_SIZE - 1), 1, &entry);
    return entry;
}

/* The page at an address, pinned, and whether it is shared; again if reclaim took its entry from
 * the tables between the two looks. */
static int pin_shared(struct quire_page **page, uintptr_t at, bool *shared)
{
    for (;;) {
        int error = pin(page, at);
        if (error)
            return error;
        uint64_t entry = pagemap_at(at);
        *shared = entry & PAGEMAP_FILE;
        if (entry & PAGEMAP_PRESENT)
            return 0;
        quire_put_user_page(machine_vm, *page, false);
    }
}

static int key_of(struct key *key, uintptr_t at, bool shared)
{
    *key = (struct key){.space = current_process()->mm, .offset = at};
    if (!shared)
        return 0;
    struct quire_page *page;
    int error = pin_shared(&page, at, &shared);
    if (error)
        return error;
    if (!shared) {
        quire_put_user_page(machine_vm, page, false);
        return 0;
    }
    key->space = page;
    key->offset = at & (QUIRE_PAGE_SIZE - 1);
    key->shared = shared_page_of(page);
    return key->shared ? 0 : -ENOMEM;
}

/* ---- words ----------------------------------------------------------------------------------- */

int futex_word_open(struct futex_word *word, uintptr_t at)
{
    int error = quire_get_user_page(current_process()->mm, at, true, &word->page);
    if (error)
        return error;
    word->window = quire_port_kmap_local(&machine_port, quire_page_to_phys(word->page));
    word->value = (uint32_t *)(void *)(word->window + (at & (QUIRE_PAGE_SIZE - 1)));
    return 0;
}

void futex_word_close(struct futex_word *word)
{
    quire_port_kunmap_local(&machine_port, word->window);
    quire_put_user_page(machine_vm, word->page, true);
}

/* ---- wait ------------------------------------------------------------------------------------ */

static int sleep_while(struct waiter *waiter, uintptr_t at, uint32_t value, uint64_t deadline)
{
    uint32_t now;
    if (copy_from_user(&now, at, sizeof now))
        return -EFAULT;
    if (now != value && !waiter->woken)
        return -EAGAIN;
    while (!waiter->woken) {
        int error = sched_sleep(&waiter->woken, 0, SLEEP_INTERRUPTIBLE, deadline);
        if (error && !waiter->woken)
            return error;
    }
    return 0;
}

int futex_wait(uintptr_t at, bool shared, uint32_t value, uint32_t bits, uint64_t deadline)
{
    struct waiter waiter = {.bits = bits};
    int error = key_of(&waiter.key, at, shared);
    if (error)
        return error;
    list_add_tail(bucket_of(&waiter.key), &waiter.link);
    error = sleep_while(&waiter, at, value, deadline);
    if (!waiter.woken)
        list_del(&waiter.link);
    key_put(&waiter.key);
    return waiter.woken ? 0 : error;
}

/* ---- wake ------------------------------------------------------------------------------------ */

static void wake_waiter(struct waiter *waiter)
{
    list_del(&waiter->link);
    waiter->woken = 1;
    sched_wake(&waiter->woken, 1);
}

static unsigned wake_key(const struct key *key, unsigned most, uint32_t bits)
{
    struct list *bucket = bucket_of(key), *next;
    unsigned woken = 0;
    for (struct list *at = bucket->next; at != bucket && woken < most; at = next) {
        struct waiter *waiter = quire_container_of(at, struct waiter, link);
        next = at->next;
        if (!(waiter->bits & bits) || !keys_are_equal(&waiter->key, key))
            continue;
        wake_waiter(waiter);
        woken++;
    }
    return woken;
}

int futex_wake_bits(uintptr_t at, bool shared, unsigned most, uint32_t bits)
{
    struct key key;
    int error = key_of(&key, at, shared);
    if (error)
        return error;
    int woken = (int)wake_key(&key, most, bits);
    key_put(&key);
    return woken;
}

int futex_wake(uintptr_t at, unsigned most)
{
    return at & 3 ? -EINVAL : futex_wake_bits(at, true, most, FUTEX_ALL_BITS);
}

/* ---- requeue --------------------------------------------------------------------------------- */

static void move_waiter(struct waiter *waiter, const struct key *to)
{
    list_del(&waiter->link);
    key_put(&waiter->key);
    waiter->key = *to;
    key_get(to);
    list_add_tail(bucket_of(to), &waiter->link);
}

static unsigned wake_and_move(const struct key *from, const struct key *to,
                              const struct futex_requeue *request)
{
    unsigned woken = wake_key(from, request->wake, FUTEX_ALL_BITS), moved = 0;
    struct list *bucket = bucket_of(from), *last = bucket->prev, *next;
    if (keys_are_equal(from, to))
        return woken;
    /* Up to the last one that was there before: both buckets may be the same. */
    for (struct list *at = bucket->next; at != bucket && moved < request->move; at = next) {
        struct waiter *waiter = quire_container_of(at, struct waiter, link);
        bool is_last = at == last;
        next = at->next;
        if (keys_are_equal(&waiter->key, from)) {
            move_waiter(waiter, to);
            moved++;
        }
        if (is_last)
            break;
    }
    return woken + moved;
}

static int check_expected(const struct futex_requeue *request)
{
    uint32_t now;
    if (!request->expected)
        return 0;
    if (copy_from_user(&now, request->from, sizeof now))
        return -EFAULT;
    return now == *request->expected ? 0 : -EAGAIN;
}

int futex_requeue(const struct futex_requeue *request)
{
    struct key from, to;
    int result = key_of(&from, request->from, request->shared);
    if (result)
        return result;
    result = key_of(&to, request->to, request->shared);
    if (!result) {
        result = check_expected(request);
        if (!result)
            result = (int)wake_and_move(&from, &to, request);
        key_put(&to);
    }
    key_put(&from);
    return result;
}

/* ---- wake and change ------------------------------------------------------------------------- */

static int sign_extend_12(uint32_t bits)
{
    return (int)((bits & 0xfff) ^ 0x800) - 0x800;
}

/* FUTEX_OP_SET, _ADD, _OR, _ANDN, _XOR. */
static int change(struct futex_word *word, uint32_t code, uint32_t *old)
{
    uint32_t operand = (uint32_t)sign_extend_12(code >> 12), value = *word->value;
    if (code & 0x80000000u)
        operand = 1u << (operand & 31);
    *old = value;
    switch (code >> 28 & 7) {
    case 0:
        *word->value = operand;
        return 0;
    case 1:
        *word->value = value + operand;
        return 0;
    case 2:
        *word->value = value | operand;
        return 0;
    case 3:
        *word->value = value & ~operand;
        return 0;
    case 4:
        *word->value = value ^ operand;
        return 0;
    default:
        return -ENOSYS;
    }
}

/* FUTEX_OP_CMP_EQ, _NE, _LT, _LE, _GT, _GE; -ENOSYS. */
static int compare(uint32_t code, uint32_t old)
{
    int a = (int)old, b = sign_extend_12(code);
    switch (code >> 24 & 15) {
    case 0:
        return a == b;
    case 1:
        return a != b;
    case 2:
        return a < b;
    case 3:
        return a <= b;
    case 4:
        return a > b;
    case 5:
        return a >= b;
    default:
        return -ENOSYS;
    }
}

static int change_and_wake(const struct futex_wake_op *request, const struct key *key,
                           const struct key *key_changed)
{
    struct futex_word word;
    uint32_t old;
    int error = futex_word_open(&word, request->at_changed);
    if (error)
        return error;
    error = change(&word, request->code, &old);
    futex_word_close(&word);
    if (error)
        return error;
    int wanted = compare(request->code, old);
    if (wanted < 0)
        return wanted;
    unsigned woken = wake_key(key, request->wake, FUTEX_ALL_BITS);
    if (wanted)
        woken += wake_key(key_changed, request->wake_changed, FUTEX_ALL_BITS);
    return (int)woken;
}

int futex_wake_op(const struct futex_wake_op *request)
{
    struct key key, key_changed;
    int result = key_of(&key, request->at, request->shared);
    if (result)
        return result;
    result = key_of(&key_changed, request->at_changed, request->shared);
    if (!result) {
        result = change_and_wake(request, &key, &key_changed);
        key_put(&key_changed);
    }
    key_put(&key);
    return result;
}
