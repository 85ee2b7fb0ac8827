/* kernel/task/user.c: the current program's memory, from the kernel */
#include "user.h"

#include "errno.h"
#include "task/task.h"

int copy_from_user(void *to, uintptr_t from, size_t size)
{
    return quire_copy_from_user(current_process()->mm, to, from, size) ? -EFAULT : 0;
}

int copy_to_user(uintptr_t to, const void *from, size_t size)
{
    return quire_copy_to_user(current_process()->mm, to, from, size) ? -EFAULT : 0;
}

size_t copy_some_from_user(void *to, uintptr_t from, size_t size)
{
    return size - quire_copy_from_user(current_process()->mm, to, from, size);
}

size_t copy_some_to_user(uintptr_t to, const void *from, size_t size)
{
    return size - quire_copy_to_user(current_process()->mm, to, from, size);
}

int clear_user(uintptr_t to, size_t size)
{
    return quire_clear_user(current_process()->mm, to, size) ? -EFAULT : 0;
}

int string_from_user(char *to, uintptr_t from, size_t size)
{
    int64_t length = quire_strncpy_from_user(current_process()->mm, to, from, size);
    if (length < 0)
        return -EFAULT;
    return (size_t)length == size ? -ENAMETOOLONG : (int)length;
}
