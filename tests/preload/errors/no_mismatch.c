/* tests/preload/errors/no_mismatch.c: instead of mismatch.cc and objects.cc where there is no
 * compiler for C++ */
#include "errors.h"

extern const struct error_group errors_mismatch, errors_objects;
static const struct heap_error errors[] = {{NULL, NULL}};
const struct error_group errors_mismatch = {"mismatch", errors};
const struct error_group errors_objects = {"objects", errors};
