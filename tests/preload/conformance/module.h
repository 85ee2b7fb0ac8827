/* tests/preload/conformance/module.h: a library that is opened and closed while the program runs */
#ifndef QUIRE_TESTS_PRELOAD_MODULE_H
#define QUIRE_TESTS_PRELOAD_MODULE_H

#include <stddef.h>

#define MODULE_BLOCK_BYTES 3000u
#define MODULE_STORAGE_BYTES 20000u

/* By the name `conformance_module`. */
struct module {
    char *(*take_constructed)(void); /* made by the constructor, the caller's from now on */
    char *(*allocate)(size_t size);
    char *(*thread_storage)(void); /* MODULE_STORAGE_BYTES, zeros at first */
};

#endif
