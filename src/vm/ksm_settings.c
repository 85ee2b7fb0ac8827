/* vm/ksm_settings.c: how pages of the same content are merged; ksm.c does it */
#include "vm/ksm_tree.h"

/* With the lock, as long as nothing is merged by the old ones; or -EBUSY. */
static int begin_setting(struct quire_vm *vm, struct ksm **ksm)
{
    unsigned long alone;
    int error = ksm_prepare(vm);
    if (error)
        return error;
    *ksm = quire_load_acquire(&vm->ksm);
    rwlock_write(&(*ksm)->lock);
    if (!ksm_trim(vm, *ksm, &alone))
        return 0;
    rwlock_write_unlock(&(*ksm)->lock);
    return -QUIRE_EBUSY;
}

int quire_ksm_set_max_sharing(struct quire_vm *vm, unsigned most)
{
    struct ksm *ksm;
    int error = most < 2 ? -QUIRE_EINVAL : begin_setting(vm, &ksm);
    if (error)
        return error;
    ksm->max_sharing = most;
    rwlock_write_unlock(&ksm->lock);
    return 0;
}

/* What is known of pages has another key then. */
int quire_ksm_set_across_nodes(struct quire_vm *vm, bool across)
{
    struct ksm *ksm;
    int error = begin_setting(vm, &ksm);
    if (error)
        return error;
    ksm_drop_items(vm, ksm, 0);
    ksm->within_nodes = !across;
    rwlock_write_unlock(&ksm->lock);
    return 0;
}

int quire_ksm_set_zero_pages(struct quire_vm *vm, bool use)
{
    int error = ksm_prepare(vm);
    if (error)
        return error;
    struct ksm *ksm = quire_load_acquire(&vm->ksm);
    rwlock_write(&ksm->lock);
    ksm->zero_pages = use;
    rwlock_write_unlock(&ksm->lock);
    return 0;
}
