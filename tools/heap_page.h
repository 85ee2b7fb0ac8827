/* tools/heap_page.h: reads what a program with libquire-malloc.so shares (quire/heap_page.h) */
#ifndef TOOLS_HEAP_PAGE_H
#define TOOLS_HEAP_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <quire/heap_page.h>

enum heap_page_result {
    HEAP_PAGE_READ,
    HEAP_PAGE_NO_PROCESS,
    HEAP_PAGE_FORBIDDEN,
    HEAP_PAGE_NONE,    /* it doesn't share one */
    HEAP_PAGE_UNKNOWN, /* of another version */
};

/* A whole copy of the page of process `pid`. */
enum heap_page_result heap_page_read(uint32_t pid, struct quire_heap_page *page);
/* That of process `pid`, as it is called where it runs, which begins at byte `start` of a file. */
enum heap_page_result heap_page_read_at(int file, uint64_t start, uint32_t pid,
                                        struct quire_heap_page *page);
/* What a process is called where it runs: in a container, by another number. */
uint32_t heap_page_innermost_pid(uint32_t pid);
/* Where place `n` of a file of places begins. */
static inline uint64_t heap_page_place(uint32_t n)
{
    return QUIRE_HEAP_FIRST_PLACE + (uint64_t)n * QUIRE_HEAP_PLACE_BYTES;
}

#endif
