/* tools/image.h: where the kernel images are */
#ifndef TOOLS_IMAGE_H
#define TOOLS_IMAGE_H

#include <stdbool.h>

/* Finds the image `name` in `directory`, or, when that is NULL, beside the build or where
 * installation puts images. The path, which the caller frees; NULL after a complaint that names
 * every place. */
char *find_image(const char *name, const char *directory);

#endif
