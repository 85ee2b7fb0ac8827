/* kernel/fs/text_file.h: text that is made once, or a part at a time, and read in pieces
 *
 * In blocks of a page, since a text of many pages needs no more than that in a row.
 */
#ifndef KERNEL_FS_TEXT_FILE_H
#define KERNEL_FS_TEXT_FILE_H

#include <quire/types.h>

struct text_block;

struct text_file {
    struct text_block *first, *last;
    uint64_t start; /* what comes before was forgotten */
    uint64_t size;  /* of all that was written, forgotten or not */
    uint64_t place; /* the maker's */
    bool failed;    /* there was no memory for all of it */
};

/* A quire_write_fn; `file` is a struct text_file, all zero at first. */
void text_file_write(void *file, const char *text, size_t length);
/* Frees blocks that have nothing from `at` on. */
void text_file_forget(struct text_file *file, uint64_t at);
/* Bytes that were copied, none before `start`. O(size kept before `at`). */
size_t text_file_read(const struct text_file *file, uint64_t at, void *to, size_t size);
void text_file_clear(struct text_file *file);

#endif
