/* tools/allocate.h: memory that the command can't go on without */
#ifndef TOOLS_ALLOCATE_H
#define TOOLS_ALLOCATE_H

#include <stddef.h>

/* What malloc and the like returned; when that is NULL, the process ends after a complaint. */
void *must(void *memory);

/* printf into memory of its own. */
__attribute__((format(printf, 1, 2))) char *text(const char *format, ...);

/* A list of texts, NULL-terminated once there is one. */
struct texts {
    char **text;
    size_t count;
};
/* Keeps `text` itself, and frees it with the list. */
void texts_add(struct texts *texts, char *text);
void texts_free(struct texts *texts);

#endif
