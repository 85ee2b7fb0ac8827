#!/bin/sh
# kernel/symbols.sh: the names of an image's functions, for its own backtraces
#
#   symbols.sh table IMAGE    assembly of the table, from the image of the first link; without an
#                             image an empty table, for the first link itself
#   symbols.sh check A B      fails unless both images have the same functions at the same places
#
# The table: the number of entries; for each, in order of address, the low 32 bits of the address
# and where its name begins; the names, as the source has them: the linker's optimiser numbers functions
# of several files that have one name.
set -eu

# Those that lie in the code: debug information that the linker's optimiser made has weak names of its own.
# Addresses are of one width, so that they compare as text.
functions()
{
    "${NM:-nm}" -n "$1" | awk '
        $3 == "text_start" { start = $1 "" }
        $3 == "text_end" { end = $1 "" }
        $2 ~ /^[tTwW]$/ && $3 !~ /^(image_|text_)/ { address[++count] = $1 ""; name[count] = $3 }
        END {
            for (i = 1; i <= count; i++)
                if (address[i] >= start && address[i] < end)
                    print address[i], name[i]
        }'
}

table()
{
    echo '    .section .symbols, "a", @progbits'
    echo '    .balign 4'
    echo '    .globl kernel_symbols'
    echo 'kernel_symbols:'
    awk '
        $1 != previous {
            previous = $1
            entries = entries sprintf("    .long 0x%s, %d\n", substr($1, length($1) - 7), offset)
            sub(/\.lto_priv\.[0-9]+/, "", $2)
            names = names sprintf("    .asciz \"%s\"\n", $2)
            offset += length($2) + 1
            count++
        }
        END { printf "    .long %d\n%s%s", count, entries, names }'
    echo '    .section .note.GNU-stack, "", @progbits'
}

case $1 in
table)
    if [ $# -gt 1 ]; then functions "$2" | table; else table </dev/null; fi
    ;;
check)
    [ "$(functions "$2")" = "$(functions "$3")" ] || {
        echo "symbols.sh: functions moved between the links of $3" >&2
        exit 1
    }
    ;;
esac
