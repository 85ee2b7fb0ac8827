#!/bin/sh
# tests/layers/check.sh [ROOT]: each layer includes only itself and what lies below it
#
# Looks at every #include under ROOT/src and ROOT/include. Allowed are
#   in src/LAYER      "LAYER/x.h" of this layer or one below, "x.h" beside the file,
#                     <quire/x.h> of this layer or below, freestanding headers
#   in include/quire  <quire/x.h> of this layer or below, freestanding headers, and in port.h the
#                     port's <quire_port.h>
# Prints each violation with its line; exit status 0 none, 1 some, 2 it could not look.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2

# shellcheck disable=SC2016 # the dollars are awk's
violations=$(find src include/quire -name '*.[ch]' | LC_ALL=C sort | xargs awk '
BEGIN {
    split("base phys slab map vm heap", layers)
    for (i in layers)
        rank[layers[i]] = i
    # Public headers that belong to no single layer lie below all.
    header["config"] = header["types"] = header["version"] = header["port"] = rank["base"]
    for (i in layers)
        if (layers[i] != "base")
            header[layers[i]] = i
    # The header of a layer may be several.
    header["file"] = header["ksm"] = header["numa"] = header["swap"] = header["userfault"] = rank["vm"]
    header["heap_page"] = header["pool"] = rank["heap"]
    split("fault mmu paging pgtable segment vmalloc windows", names)
    for (i in names)
        header[names[i]] = rank["map"]
    split("stdarg stdbool stddef stdint stdalign stdnoreturn limits float iso646", names)
    for (i in names)
        freestanding[names[i] ".h"] = 1
}
function bad(why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
}
FNR == 1 {
    split(FILENAME, part, "/")
    public = part[1] == "include"
    if (public) {
        layer = substr(part[3], 1, length(part[3]) - 2)
        own = header[layer]
    } else {
        layer = part[2]
        own = rank[layer]
    }
    if (!own)
        printf "%s: this file is of no layer\n", FILENAME
}
own && /^[ \t]*#[ \t]*include/ {
    target = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
    angle = substr(target, 1, 1) == "<"
    if (!angle && substr(target, 1, 1) != "\"") {
        bad("the name of an included file is to be written out")
        next
    }
    target = substr(target, 2)
    sub(/[">].*/, "", target)
    n = split(target, path, "/")
    if (angle && n == 2 && path[1] == "quire") {
        name = substr(path[2], 1, length(path[2]) - 2)
        if (!header[name])
            bad("there is no such public header")
        else if (header[name] > own)
            bad("quire/" path[2] " lies above " layer)
    } else if (angle) {
        if (!(target in freestanding) && !(public && layer == "port" && target == "quire_port.h"))
            bad("not a freestanding header")
    } else if (public)
        bad("a public header includes an internal one")
    else if (n == 2) {
        if (!rank[path[1]])
            bad("there is no such layer")
        else if (rank[path[1]] > own)
            bad(path[1] " lies above " layer)
    } else if (n != 1)
        bad("outside the layers")
}') || exit 2
[ -z "$violations" ] && exit
printf '%s\n' "$violations"
exit 1
