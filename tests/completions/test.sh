#!/bin/sh
# tests/completions/test.sh QUIRE: shells complete what there is
#
# The files are what completions/make.sh makes of --help; the shells are asked what they complete.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1

is_current() { # SHELL FILE
    completions/make.sh "$1" "$quire" >"$tap_scratch/made" || return
    diff "$2" "$tap_scratch/made" && return
    echo "'make completions' makes them anew"
    return 1
}

all_options() {
    for command in $("$quire" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *[a-z].*/\1/p'); do
        "$quire" "$command" --help | sed -n 's/^ \{2,6\}\(-.*\)/\1/p' | sed 's/  .*//' |
            grep -o -e '--[a-z][a-z0-9-]*' | sort >"$tap_scratch/help"
        tests/completions/bash.bash quire "$command" -- | sort >"$tap_scratch/bash"
        [ "$(wc -l <"$tap_scratch/help")" -ge 4 ] && diff "$tap_scratch/help" "$tap_scratch/bash" || return
    done
}

# The last word is what stands before the cursor, bash having taken --x=y apart.
bash_completes() { # EXPECTED WORDS...
    expected=$1
    shift
    found=$(tests/completions/bash.bash "$@" | sort -u | tr '\n' ' ')
    echo "$* <TAB>: $found"
    [ "$found" = "$expected" ]
}

bash_completes_processes() {
    tests/completions/bash.bash quire translate --pid "$$" | tee "$tap_scratch/output" | grep -qx "$$" &&
        ! grep -v '^[0-9]*$' "$tap_scratch/output"
}

zsh_completes() { # TYPED EXPECTED
    zsh -f tests/completions/zsh.zsh "$1" "$2" 2>&1
}

# Each is a line, and a tab before its description. Nobody's configuration is read.
fish_completes() { # TYPED EXPECTED
    # shellcheck disable=SC2016 # fish's
    HOME=$tap_scratch fish --no-config -c 'source completions/quire.fish; complete -C $argv[1]' "$1" >"$tap_scratch/fish" 2>&1
    cat "$tap_scratch/fish"
    cut -f 1 "$tap_scratch/fish" | grep -qxF -e "$2"
}

fish_completes_no_files() {
    fish_completes 'quire boot --arch ' i386 && ! grep -q README "$tap_scratch/fish"
}

tap_check 'quire.bash is what --help says' is_current bash completions/quire.bash
tap_check '_quire is what --help says' is_current zsh completions/_quire
tap_check 'quire.fish is what --help says' is_current fish completions/quire.fish

mkdir "$tap_scratch/folder" && : >"$tap_scratch/folder/file" && mkdir "$tap_scratch/folder/inner"
here=$tap_scratch/folder
tap_check 'bash completes commands' bash_completes 'trace translate ' quire tr
tap_check "bash completes every command's options" all_options
tap_check 'bash completes an option' bash_completes '--save-initrd --seed --selftest --shell --stats --summary --swap ' quire boot --s
tap_check 'bash completes words that an option takes' bash_completes 'i386 ' quire boot --arch i
tap_check 'bash completes words behind =' bash_completes 'clock ' quire boot --policy = c
tap_check 'bash completes words behind = with nothing typed' bash_completes 'kvm tcg ' quire boot --accel =
tap_check 'bash completes words of a letter' bash_completes 'csv ' quire replay -o c
tap_check 'bash completes files' bash_completes "$here/file $here/inner " quire boot --events "$here/"
tap_check 'bash completes folders' bash_completes "$here/inner " quire boot --images "$here/"
tap_check 'bash completes nothing where a number goes' bash_completes '' quire boot --seed ''
tap_check 'bash completes processes' bash_completes_processes
tap_check 'bash completes programs behind --' bash_completes 'sha256sum ' quire boot -m 64M -- sha256su
tap_check 'bash completes what trace does' bash_completes 'convert ' quire trace con
if command -v zsh >/dev/null; then
    tap_check 'zsh completes commands' zsh_completes 'quire trans' 'quire translate'
    tap_check 'zsh completes options' zsh_completes 'quire boot --summ' 'quire boot --summary'
    tap_check 'zsh completes words that an option takes' zsh_completes 'quire boot --policy=mg' '--policy=mglru'
else
    tap_skip 'zsh completes' 'there is no zsh'
fi
if command -v fish >/dev/null; then
    tap_check 'fish completes commands' fish_completes 'quire trans' translate
    tap_check 'fish completes options' fish_completes 'quire boot --summ' --summary
    tap_check 'fish completes words that an option takes' fish_completes 'quire boot --policy=mg' --policy=mglru
    tap_check 'fish completes words behind a space, and no files' fish_completes_no_files
    tap_check 'fish completes what trace does' fish_completes 'quire trace con' convert
else
    tap_skip 'fish completes' 'there is no fish'
fi
tap_end
