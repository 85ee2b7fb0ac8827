/* tests/guest/fail_memory.c: mappings, swap and shared memory for which allocations fail */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

int op_mmap(void)
{
    unsigned char *at =
        mmap(NULL, 600 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 3);
    touch(at + 590 * PAGE, 3);
    TRY(munmap(at + 100 * PAGE, 100 * PAGE));
    TRY(munmap(at, 600 * PAGE));
    return 0;
}

int op_populate(void)
{
    unsigned char *at = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 40);
    return munmap(at, 40 * PAGE) ? errno : 0;
}

int op_split(void)
{
    TRY(mprotect(pages + 4 * PAGE, 2 * PAGE, PROT_READ));
    TRY(mprotect(pages + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    TRY(madvise(pages + 8 * PAGE, PAGE, MADV_DONTFORK));
    TRY(mlock(pages + 10 * PAGE, 2 * PAGE));
    TRY(munlock(pages + 10 * PAGE, PAGE));
    TRY(madvise(pages + 12 * PAGE, 2 * PAGE, MADV_DONTNEED));
    touch(pages, NR_PAGES);
    return 0;
}

int op_mremap(void)
{
    unsigned char *to = mremap(pages, NR_PAGES * PAGE, 2 * NR_PAGES * PAGE, MREMAP_MAYMOVE);
    if (to == MAP_FAILED)
        return errno;
    touch(to, 2 * NR_PAGES);
    unsigned char *hole = mmap(NULL, 1024 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hole == MAP_FAILED)
        return errno;
    if (mremap(to, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole) == MAP_FAILED)
        return errno;
    touch(hole, 4);
    return 0;
}

int op_brk(void)
{
    unsigned char *end = sbrk(10 * PAGE);
    if (end == (void *)-1)
        return errno;
    touch(end, 10);
    return sbrk(-(intptr_t)(10 * PAGE)) == (void *)-1 ? errno : 0;
}

/* Frames go out of use, one with what is in it and one without, for good. */
int op_frames(void)
{
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_SOFT_OFFLINE));
    touch(pages, NR_PAGES);
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_HWPOISON));
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_DONTNEED));
    touch(pages, NR_PAGES);
    return 0;
}

int op_swap(void)
{
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT));
    touch(pages, NR_PAGES);
    return 0;
}

int op_swap_in(void)
{
    bool resident = false;
    unsigned char map[NR_PAGES];
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_WILLNEED));
    TRY(mincore(pages, NR_PAGES * PAGE, map));
    for (unsigned i = 0; i < NR_PAGES; i++)
        resident |= map[i] & 1;
    touch(pages, NR_PAGES);
    return 0;
}

int op_shm(void)
{
    int id = shmget(IPC_PRIVATE, 8 * PAGE, IPC_CREAT | 0600);
    if (id < 0)
        return errno;
    int error = 0;
    unsigned char *at = shmat(id, NULL, 0);
    if (at == (void *)-1)
        error = errno;
    shmctl(id, IPC_RMID, NULL); /* so that the process's end takes it */
    if (error)
        return error;
    touch(at, 8);
    return shmdt(at) ? errno : 0;
}

int op_memfd(void)
{
    int fd = memfd_create("fail", MFD_ALLOW_SEALING);
    TRY(fd);
    TRY(ftruncate(fd, 8 * (off_t)PAGE));
    unsigned char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 8);
    TRY(madvise(at, 8 * PAGE, MADV_PAGEOUT));
    touch(at, 8);
    return munmap(at, 8 * PAGE) ? errno : 0;
}

int op_vector(void)
{
    static char one[300];
    struct iovec many[100];
    for (unsigned i = 0; i < COUNT(many); i++)
        many[i] = (struct iovec){one + i, 1};
    TRY(preadv(file, many, COUNT(many), 0));
    TRY(pwritev(file, many, COUNT(many), 0));
    TRY(process_vm_readv(getpid(), many, COUNT(many), many, COUNT(many), 0));
    return 0;
}
