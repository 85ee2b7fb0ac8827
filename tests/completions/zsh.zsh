# tests/completions/zsh.zsh TYPED EXPECTED: whether zsh makes one of the other at TAB, with completions/_quire
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='> '; fpath=($PWD/completions \$fpath); autoload -U compinit; compinit -D -u; echo re''ady"
zpty -r -m shell seen '*ready*'
zpty -w -n shell "$1"$'\t'
typeset line
status_of=1
for i in {1..3000}; do
    sleep 0.1
    while zpty -r -t shell seen; do
        line+=$seen
    done
    if [[ $line == *$2* ]]; then
        status_of=0
        break
    fi
done
print -r -- ${(V)line}
zpty -d shell
exit $status_of
