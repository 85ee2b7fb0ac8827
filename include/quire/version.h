/* quire/version.h: which release these headers are of */
#ifndef QUIRE_VERSION_H
#define QUIRE_VERSION_H

#define QUIRE_VERSION_MAJOR 0
#define QUIRE_VERSION_MINOR 1
#define QUIRE_VERSION_PATCH 0
#define QUIRE_VERSION "0.1.0"

/* Whether these headers are of that release or a later one: for #if. */
#define QUIRE_VERSION_AT_LEAST(major, minor, patch)                                                \
    (QUIRE_VERSION_MAJOR * 1000000 + QUIRE_VERSION_MINOR * 1000 + QUIRE_VERSION_PATCH >=           \
     (major)*1000000 + (minor)*1000 + (patch))

#endif
