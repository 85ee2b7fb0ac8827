/* heap/pool_text.c: copies and formatted text in pools */
#include "base/text.h"
#include "heap/pool.h"

void *quire_pool_memdup(struct quire_pool *pool, const void *from, size_t size)
{
    void *memory = quire_pool_alloc(pool, size);
    if (memory && size)
        __builtin_memcpy(memory, from, size);
    return memory;
}

static size_t length_of(const char *string, size_t most)
{
    size_t length = 0;
    while (length < most && string[length])
        length++;
    return length;
}

char *quire_pool_strndup(struct quire_pool *pool, const char *string, size_t size)
{
    size_t length = length_of(string, size);
    if (length == SIZE_MAX)
        return NULL;
    char *memory = quire_pool_alloc(pool, length + 1);
    if (!memory)
        return NULL;
    __builtin_memcpy(memory, string, length);
    memory[length] = '\0';
    return memory;
}

char *quire_pool_strdup(struct quire_pool *pool, const char *string)
{
    return quire_pool_strndup(pool, string, SIZE_MAX);
}

/* The length, its NUL not counted; negative: it can't be formatted. */
static int format_into(const struct pool *pool, char *buffer, size_t size, const char *format,
                       va_list args)
{
    va_list again;
    va_copy(again, args);
    int length;
    if (pool->config->format)
        length = pool->config->format(buffer, size, format, again);
    else {
        size_t needed = quire_vsnprintf(buffer, size, format, again);
        length = needed < INT32_MAX ? (int)needed : -1;
    }
    va_end(again);
    return length;
}

char *quire_pool_vprintf(struct quire_pool *front, const char *format, va_list args)
{
    const struct pool *pool = pool_of(front);
    char *text = front->at;
    size_t room = (size_t)(front->end - text);
    int length = format_into(pool, text, room, format, args);
    if (length < 0)
        return NULL;
    size_t size = (size_t)length + 1;
    bool fits = size <= room;
    text = quire_pool_alloc(front, size); /* there, when it fits */
    if (text && !fits)
        (void)format_into(pool, text, size, format, args);
    return text;
}

char *quire_pool_printf(struct quire_pool *pool, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = quire_pool_vprintf(pool, format, args);
    va_end(args);
    return text;
}
