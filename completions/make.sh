#!/bin/sh
# completions/make.sh bash|zsh|fish QUIRE: prints the completion of a shell
#
# Made from what --help lists, so that a new option is completed without being written down again; what words an
# option takes stands in values.txt. `make completions` does it for all three, a test compares.
set -eu
shell=$1
quire=$2
cd "$(dirname "$0")"

# Lines with tabs between: COMMAND LETTER WORD ARGUMENT KIND DESCRIPTION. KIND: none, value, maybe (=value
# may be left out).
options() {
    for command in $("$quire" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *[a-z].*/\1/p'); do
        "$quire" "$command" --help | awk -v command="$command" '
            function tell() {
                if (word == "")
                    return
                gsub(/ *\([^)]*\)/, "", text)
                sub(/[;:] .*/, "", text)
                sub(/\. .*/, "", text)
                sub(/[,.]$/, "", text)
                printf "%s\t%s\t%s\t%s\t%s\t%s\n", command, letter, word, argument, kind, text
                word = ""
            }
            /^ ? ? ? ? ? ?-/ {
                tell()
                letter = ""; argument = ""; kind = "none"; text = ""
                if (match($0, /-[A-Za-z],/))
                    letter = substr($0, RSTART + 1, 1)
                if (match($0, /--[a-z0-9-]+/)) {
                    word = substr($0, RSTART, RLENGTH)
                    rest = substr($0, RSTART + RLENGTH)
                } else { # a letter alone, "-o FORM": its word is itself
                    match($0, /-[A-Za-z]/)
                    word = substr($0, RSTART, RLENGTH)
                    rest = substr($0, RSTART + RLENGTH)
                    sub(/^ [A-Z]/, "=&", rest)
                    sub(/^= /, "=", rest)
                }
                if (rest ~ /^\[=/)
                    kind = "maybe"
                else if (rest ~ /^=/)
                    kind = "value"
                if (match(rest, /^\[?=[^ ]+/)) {
                    argument = substr(rest, 1, RLENGTH)
                    gsub(/^\[?=|\]$/, "", argument)
                    rest = substr(rest, RLENGTH + 1)
                }
                sub(/^ +/, "", rest)
                text = rest
                next
            }
            /^                             / {
                sub(/^ +/, "")
                text = text == "" ? $0 : text " " $0
                next
            }
            { tell() }
            END { tell() }'
    done
}

# Lines with a tab between: COMMAND DESCRIPTION.
commands() {
    "$quire" --help | awk '
        /^Commands:/ { inside = 1; next }
        inside && /^  [a-z]/ { if (name) print name "\t" text; name = $1; $1 = ""; text = substr($0, 2); next }
        inside && /^$/ { exit }
        inside { text = text " " $0 }
        END { print name "\t" text }'
}

{
    grep -v '^#' values.txt | sed 's/^/values /'
    commands | sed 's/^/command\t/'
    options | sed 's/^/option\t/'
} | awk -v shell="$shell" -f make.awk
