/* tools/cpio.h: a tree as an archive that a kernel unpacks: cpio, "newc" */
#ifndef TOOLS_CPIO_H
#define TOOLS_CPIO_H

#include "tree.h"

/* What it takes, in bytes. False, after a complaint: a file is too large for this form. */
bool cpio_size(const struct tree *tree, uint64_t *size);

/* Writes all of it. Files are read as they are written; one that has become shorter since it was
 * added is an error. False after a complaint, in which `name` stands for the archive. */
bool cpio_write(const struct tree *tree, int fd, const char *name);

#endif
