/* tests/preload/errors/no_mismatch.c: instead of mismatch.cc where there is no compiler for C++ */
#include "errors.h"

extern const struct error_group errors_mismatch;
static const struct heap_error errors[] = {{NULL, NULL}};
const struct error_group errors_mismatch = {"mismatch", errors};
