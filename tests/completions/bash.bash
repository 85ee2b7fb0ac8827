#!/bin/bash
# tests/completions/bash.bash WORD...: what completions/quire.bash offers for the last word
. completions/quire.bash
[[ $(complete -p quire) == 'complete -F _quire quire' ]] || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_quire
((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"
exit 0
