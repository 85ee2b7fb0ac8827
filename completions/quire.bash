# quire's completion for bash, made by completions/make.sh

_quire()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'boot events heap replay report run trace translate --help --usage --version' -- "$current")
        return
    fi
    # Behind -- a program and what is its own.
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        if ((i + 1 == COMP_CWORD)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$current")
        else
            compopt -o default 2>/dev/null
        fi
        return
    done
    # bash takes --arch=i386 apart.
    if [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $current == = ]]; then
        current=
    fi
    case $command$before in
    boot--arch | boot-a)
        mapfile -t COMPREPLY < <(compgen -W 'i386 x86-64 auto' -- "$current")
        return
        ;;
    boot--policy)
        mapfile -t COMPREPLY < <(compgen -W 'lru mglru clock fifo' -- "$current")
        return
        ;;
    boot--accel)
        mapfile -t COMPREPLY < <(compgen -W 'tcg kvm' -- "$current")
        return
        ;;
    events--output | events-o)
        mapfile -t COMPREPLY < <(compgen -W 'text json csv' -- "$current")
        return
        ;;
    replay--policy)
        mapfile -t COMPREPLY < <(compgen -W 'lru clock fifo mglru opt' -- "$current")
        return
        ;;
    replay--output | replay-o)
        mapfile -t COMPREPLY < <(compgen -W 'table csv json' -- "$current")
        return
        ;;
    report-o)
        mapfile -t COMPREPLY < <(compgen -W 'html text json csv' -- "$current")
        return
        ;;
    report--table)
        mapfile -t COMPREPLY < <(compgen -W 'time map zones processes areas caches classes marks' -- "$current")
        return
        ;;
    run--heap)
        mapfile -t COMPREPLY < <(compgen -W 'quire none jemalloc mimalloc tcmalloc' -- "$current")
        return
        ;;
    run--compare)
        mapfile -t COMPREPLY < <(compgen -W 'glibc quire jemalloc mimalloc tcmalloc' -- "$current")
        return
        ;;
    trace--output | trace-o)
        mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$current")
        return
        ;;
    translate--access)
        mapfile -t COMPREPLY < <(compgen -W 'read write exec' -- "$current")
        return
        ;;
    translate--mode)
        mapfile -t COMPREPLY < <(compgen -W 'i386 pae x86-64 la57' -- "$current")
        return
        ;;
    translate--register)
        mapfile -t COMPREPLY < <(compgen -W 'ds ss es fs gs cs' -- "$current")
        return
        ;;
    boot--cwd | boot--images)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    boot--swap | boot--add | boot--events | boot--stats | boot--qemu | boot--save-initrd | report--output | run--output | run--record | run--report | translate--gdt | translate--snapshot)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    translate--pid)
        mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current")
        return
        ;;
    boot--mem | boot-m | boot--numa | boot-n | boot--env | boot--effort | boot--seed | boot--append | boot--timeout | boot-t | events--from | events--only | events--to | replay--mem | replay--page-size | replay--step | replay--threads | report--size | report--title | run--interval | run--rounds | trace--page-size | trace--top | translate--selector | translate--cr3 | translate--map)
        return
        ;;
    esac
    if [[ $current == -* ]]; then
        case $command in
        boot) mapfile -t COMPREPLY < <(compgen -W '--demo --selftest --shell --arch --mem --numa --policy --swap --add --cwd --env --events --stats --summary --verbose --effort --seed --accel --append --dry-run --images --qemu --save-initrd --timeout --help --usage --version' -- "$current") ;;
        events) mapfile -t COMPREPLY < <(compgen -W '--check --count --from --only --output --to --help --usage --version' -- "$current") ;;
        heap) mapfile -t COMPREPLY < <(compgen -W '--json --help --usage --version' -- "$current") ;;
        replay) mapfile -t COMPREPLY < <(compgen -W '--mem --page-size --step --model --policy --output --threads --help --usage --version' -- "$current") ;;
        report) mapfile -t COMPREPLY < <(compgen -W '--output --size --table --title --help --usage --version' -- "$current") ;;
        run) mapfile -t COMPREPLY < <(compgen -W '--calls --heap --interval --json --output --record --report --compare --rounds --help --usage --version' -- "$current") ;;
        trace) mapfile -t COMPREPLY < <(compgen -W '--output --page-size --top --zstd --help --usage --version' -- "$current") ;;
        translate) mapfile -t COMPREPLY < <(compgen -W '--access --mode --user --gdt --register --selector --cr3 --map --pid --snapshot --json --help --usage --version' -- "$current") ;;
        esac
        return
    fi
    case $command in
    trace) ((COMP_CWORD == 2)) && mapfile -t COMPREPLY < <(compgen -W 'convert info' -- "$current") ;;
    heap) mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current") ;;
    esac
    # Traces, events and what else is a file.
    ((${#COMPREPLY[@]})) || compopt -o default 2>/dev/null
    return 0
}
complete -F _quire quire
