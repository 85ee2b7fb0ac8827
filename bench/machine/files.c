/* bench/machine/files.c: pages of a file in memory (tmpfs) */
#include <fcntl.h>
#include <string.h>

#include "operations.h"

#define SIZE (32 * MIB)
#define PAGES (SIZE / PAGE)

static char *map_file(int fd, int protection, int flags)
{
    void *at = mmap(NULL, SIZE, protection, flags, fd, 0);
    need(at != MAP_FAILED, "mmap of a file");
    return at;
}

void measure_files(void)
{
    static char chunk[64 << 10];
    int fd = open("/tmp/operations", O_RDWR | O_CREAT | O_TRUNC, 0600);
    need(fd >= 0, "/tmp/operations");
    memset(chunk, 1, sizeof chunk);
    begin();
    for (size_t done = 0; done < SIZE; done += sizeof chunk)
        need(write(fd, chunk, sizeof chunk) == sizeof chunk, "write");
    row("file_write_page(64K_chunks)", PAGES);

    char *at = map_file(fd, PROT_READ, MAP_SHARED);
    begin();
    read_pages(at, SIZE);
    row("file_shared_read_page(faultaround)", PAGES);
    unmap(at, SIZE);

    at = map_file(fd, PROT_READ, MAP_SHARED);
    begin();
    for (size_t offset = 0; offset < SIZE; offset += 16 * PAGE)
        (void)*(volatile char *)(at + offset);
    row("file_shared_read_fault_per_16pages", PAGES / 16);
    unmap(at, SIZE);

    at = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    begin();
    touch(at, SIZE);
    row("file_shared_write_page", PAGES);
    unmap(at, SIZE);

    at = map_file(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    begin();
    touch(at, SIZE);
    row("file_private_write_cow_page", PAGES);
    begin();
    unmap(at, SIZE);
    row("file_private_munmap_page", PAGES);
    need(!close(fd) && !unlink("/tmp/operations"), "/tmp/operations");
}
