/* kernel/fs/text_file.c: text that is made once, or a part at a time, and read in pieces */
#include "fs/text_file.h"

#include "string.h"

#define BLOCK_BYTES (4096 - sizeof(struct text_block *) - sizeof(size_t))

struct text_block {
    struct text_block *next;
    size_t used;
    char bytes[];
};

/* All blocks but the last are full. */
static bool make_room(struct text_file *file)
{
    if (file->last && file->last->used < BLOCK_BYTES)
        return true;
    struct text_block *block =
        quire_kmalloc(machine_slab, sizeof *block + BLOCK_BYTES, QUIRE_GFP_KERNEL);
    if (!block)
        return false;
    block->next = NULL;
    block->used = 0;
    if (file->last)
        file->last->next = block;
    else
        file->first = block;
    file->last = block;
    return true;
}

void text_file_write(void *arg, const char *text, size_t length)
{
    struct text_file *file = arg;
    while (length && !file->failed) {
        if (!make_room(file)) {
            file->failed = true;
            return;
        }
        struct text_block *block = file->last;
        size_t room = BLOCK_BYTES - block->used;
        size_t piece = length < room ? length : room;
        __builtin_memcpy(block->bytes + block->used, text, piece);
        block->used += piece;
        file->size += piece;
        text += piece;
        length -= piece;
    }
}

size_t text_file_read(const struct text_file *file, uint64_t at, void *to, size_t size)
{
    const struct text_block *block = file->first;
    size_t done = 0;
    if (at < file->start)
        return 0;
    at -= file->start;
    for (; block && at >= block->used; block = block->next)
        at -= block->used;
    for (; block && done < size; block = block->next, at = 0) {
        size_t left = block->used - (size_t)at;
        size_t piece = size - done < left ? size - done : left;
        __builtin_memcpy((char *)to + done, block->bytes + (size_t)at, piece);
        done += piece;
    }
    return done;
}

void text_file_forget(struct text_file *file, uint64_t at)
{
    struct text_block *block;
    while ((block = file->first) && at - file->start >= block->used) {
        file->start += block->used;
        file->first = block->next;
        if (!file->first)
            file->last = NULL;
        quire_kfree(machine_slab, block);
    }
}

void text_file_clear(struct text_file *file)
{
    for (struct text_block *block = file->first, *next; block; block = next) {
        next = block->next;
        quire_kfree(machine_slab, block);
    }
    *file = (struct text_file){0};
}
