#!/bin/sh
# tests/layers/test.sh: the sources keep to their layers, and check.sh sees it when they don't
set -u
here=$(dirname "$0")
# shellcheck source=../harness/tap.sh
. "$here/../harness/tap.sh"
tree=$tap_scratch

# A tree of one file beside two good ones; check.sh says whether it is allowed.
tree_with() { # FILE LINE
    rm -rf "$tree/src" "$tree/include"
    mkdir -p "$tree/src/base" "$tree/src/phys" "$tree/include/quire"
    echo '#include <stdint.h>' >"$tree/include/quire/types.h"
    printf '#include "base/list.h"\n#include <quire/phys.h>\n' >"$tree/src/phys/good.c"
    mkdir -p "$(dirname "$tree/$1")"
    echo "$2" >"$tree/$1"
    "$here/check.sh" "$tree"
}

tap_check 'the sources keep to their layers' "$here/check.sh"

tap_check 'a layer may include itself' tree_with src/phys/a.c '#include "phys/internal.h"'
tap_check 'a layer may include its neighbours beside it' tree_with src/phys/a.c '#include "zone.h"'
tap_check 'a layer may include what lies below' tree_with src/slab/a.c '#include "phys/page.h"'
tap_check 'the port contract may include the port' \
    tree_with include/quire/port.h '#include <quire_port.h>'

tap_fails 'base may not include phys' tree_with src/base/a.c '#include "phys/page.h"'
tap_fails 'phys may not include slab' tree_with src/phys/a.c '#include "slab/slab.h"'
tap_fails 'phys may not include the public header of vm' \
    tree_with src/phys/a.c '#include <quire/vm.h>'
tap_fails 'spaces hide nothing' tree_with src/phys/a.h '  #  include   "vm/area.h"'
tap_fails 'a folder that is no layer is found' tree_with src/util/a.c '#include <stddef.h>'
tap_fails 'libc is not below' tree_with src/phys/a.c '#include <string.h>'
tap_fails 'a way around the layers is found' tree_with src/phys/a.c '#include "../vm/area.h"'
tap_fails 'a name made by a macro is found' tree_with src/phys/a.c '#include HEADER'
tap_fails 'a port is not included by a layer' tree_with src/phys/a.c '#include <quire_port.h>'
tap_fails 'a public header may not include an internal one' \
    tree_with include/quire/phys.h '#include "phys/page.h"'
tap_fails 'a public header may not include one above' \
    tree_with include/quire/phys.h '#include <quire/heap.h>'
tap_end
