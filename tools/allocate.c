/* tools/allocate.c: memory that the command can't go on without */
#define _GNU_SOURCE
#include "allocate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *must(void *memory)
{
    if (!memory) {
        fputs("quire: there is no memory left\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

char *text(const char *format, ...)
{
    va_list list;
    char *made;
    va_start(list, format);
    if (vasprintf(&made, format, list) < 0)
        made = NULL;
    va_end(list);
    return must(made);
}

void texts_add(struct texts *texts, char *added)
{
    texts->text = must(realloc(texts->text, (texts->count + 2) * sizeof *texts->text));
    texts->text[texts->count++] = added;
    texts->text[texts->count] = NULL;
}

void texts_free(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->text[i]);
    free(texts->text);
    *texts = (struct texts){0};
}
