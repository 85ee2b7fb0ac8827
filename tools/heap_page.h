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

#endif
