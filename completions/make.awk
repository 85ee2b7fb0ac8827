# completions/make.awk: a shell's completion from make.sh's list

BEGIN { FS = "\t" }

/^values / {
    split($0, word, " ")
    words = $0
    sub(/^values [^ ]+ [^ ]+ /, "", words)
    values[word[2], word[3]] = words
    next
}
$1 == "command" {
    command[++nr_commands] = $2
    about[nr_commands] = $3
    next
}
$1 == "option" {
    owner[++nr] = $2; letter[nr] = $3; word_of[nr] = $4; argument[nr] = $5; kind[nr] = $6; text[nr] = $7
    if ($4 ~ /^--/)
        listed[$2] = listed[$2] " " $4
}

# What completes an option's argument: words, file, folder, process, or nothing.
function completes(i,   name) {
    name = argument[i]
    if ((owner[i], word_of[i]) in values)
        return "words"
    if (name ~ /FOLDER|DIRECTORY/)
        return "folder"
    if (name ~ /^(FILE|PATH|HOST|WHERE)/)
        return "file"
    if (name == "PID")
        return "process"
    return "nothing"
}

function quoted(string) {
    gsub(/'/, "'\\''", string)
    return "'" string "'"
}

# What bash's case looks for.
function patterns(i) {
    return owner[i] word_of[i] (letter[i] == "" ? "" : " | " owner[i] "-" letter[i])
}

# Options whose arguments are completed alike.
function same(how, by,   i, all) {
    for (i = 1; i <= nr; i++)
        if (kind[i] == "value" && completes(i) == how)
            all = all (all == "" ? "" : " | ") patterns(i)
    if (all == "")
        return
    print "    " all ")"
    if (by != "")
        print "        " by
    print "        return"
    print "        ;;"
}

function bash(   i, c) {
    print "# quire's completion for bash, made by completions/make.sh"
    print ""
    print "_quire()"
    print "{"
    print "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}"
    print "    local command=${COMP_WORDS[1]} i"
    print "    COMPREPLY=()"
    print "    if ((COMP_CWORD == 1)); then"
    printf "        mapfile -t COMPREPLY < <(compgen -W '"
    for (c = 1; c <= nr_commands; c++)
        printf "%s ", command[c]
    print "--help --usage --version' -- \"$current\")"
    print "        return"
    print "    fi"
    print "    # Behind -- a program and what is its own."
    print "    for ((i = 2; i < COMP_CWORD; i++)); do"
    print "        [[ ${COMP_WORDS[i]} == -- ]] || continue"
    print "        if ((i + 1 == COMP_CWORD)); then"
    print "            mapfile -t COMPREPLY < <(compgen -c -- \"$current\")"
    print "        else"
    print "            compopt -o default 2>/dev/null"
    print "        fi"
    print "        return"
    print "    done"
    print "    # bash takes --arch=i386 apart."
    print "    if [[ $before == = ]]; then"
    print "        before=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    elif [[ $current == = ]]; then"
    print "        current="
    print "    fi"
    print "    case $command$before in"
    for (i = 1; i <= nr; i++)
        if (kind[i] == "value" && completes(i) == "words") {
            print "    " patterns(i) ")"
            print "        mapfile -t COMPREPLY < <(compgen -W '" values[owner[i], word_of[i]] "' -- \"$current\")"
            print "        return"
            print "        ;;"
        }
    same("folder", "compopt -o filenames 2>/dev/null\n        mapfile -t COMPREPLY < <(compgen -d -- \"$current\")")
    same("file", "compopt -o filenames 2>/dev/null\n        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")")
    same("process", "mapfile -t COMPREPLY < <(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$current\")")
    same("nothing", "")
    print "    esac"
    print "    if [[ $current == -* ]]; then"
    print "        case $command in"
    for (c = 1; c <= nr_commands; c++)
        print "        " command[c] ") mapfile -t COMPREPLY < <(compgen -W '" substr(listed[command[c]], 2) \
            "' -- \"$current\") ;;"
    print "        esac"
    print "        return"
    print "    fi"
    print "    case $command in"
    print "    trace) ((COMP_CWORD == 2)) && mapfile -t COMPREPLY < <(compgen -W 'convert info' -- \"$current\") ;;"
    print "    heap) mapfile -t COMPREPLY < <(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$current\") ;;"
    print "    esac"
    print "    # Traces, events and what else is a file."
    print "    ((${#COMPREPLY[@]})) || compopt -o default 2>/dev/null"
    print "    return 0"
    print "}"
    print "complete -F _quire quire"
}

# An option's specification for _arguments.
function zsh_option(i,   how, names, spec, action) {
    how = completes(i)
    action = how == "words" ? "(" values[owner[i], word_of[i]] ")" : how == "folder" ? "_files -/" : \
        how == "file" ? "_files" : how == "process" ? "_pids" : " "
    spec = text[i]
    gsub(/[][\\:]/, "\\\\&", spec)
    gsub(/'/, "'\\''", spec)
    names = argument[i]
    sub(/\[.*/, "", names)
    sub(/[:=].*/, "", names)
    spec = "[" spec "]" (kind[i] == "none" ? "" : (kind[i] == "maybe" ? "::" : ":") names ":" action)
    if (word_of[i] !~ /^--/)
        return "        '*" word_of[i] (kind[i] == "value" ? "+" : "") spec "' \\"
    spec = (kind[i] == "maybe" ? "=-" : kind[i] == "value" ? "=" : "") spec
    return (letter[i] == "" ? "" : "        '-" letter[i] (kind[i] == "value" ? "+" : "") \
        substr(spec, kind[i] == "value" ? 2 : kind[i] == "maybe" ? 3 : 1) "' \\\n") "        '*" word_of[i] spec "' \\"
}

function zsh(   i, c) {
    print "#compdef quire"
    print "# quire's completion for zsh, made by completions/make.sh"
    print ""
    print "_quire() {"
    print "    local curcontext=$curcontext state line"
    print "    _arguments -C '(- *)'{-h,--help}'[Show what there is and end]' \\"
    print "        '(- *)--usage[Show the options in short and end]' \\"
    print "        '(- *)'{-V,--version}'[Show the version and end]' '1:command:->command' '*::argument:->argument'"
    print "    case $state in"
    print "    command)"
    print "        local -a commands=("
    for (c = 1; c <= nr_commands; c++)
        print "            " quoted(command[c] ":" about[c])
    print "        )"
    print "        _describe command commands"
    print "        ;;"
    print "    argument) (( $+functions[_quire-$words[1]] )) && _quire-$words[1] ;;"
    print "    esac"
    print "}"
    for (c = 1; c <= nr_commands; c++) {
        print ""
        print "_quire-" command[c] "() {"
        print "    _arguments -S \\"
        for (i = 1; i <= nr; i++)
            if (owner[i] == command[c])
                print zsh_option(i)
        if (command[c] == "boot" || command[c] == "run")
            print "        '*::program:_normal'"
        else if (command[c] == "trace")
            print "        '1:what to do:(convert info)' '*:trace:_files'"
        else if (command[c] == "heap")
            print "        '1:process:_pids'"
        else if (command[c] == "translate")
            print "        '1:address: '"
        else
            print "        '*:file:_files'"
        print "}"
    }
    print ""
    print "_quire \"$@\""
}

function fish(   i, c, how) {
    print "# quire's completion for fish, made by completions/make.sh"
    print ""
    print "complete -c quire -n __fish_use_subcommand -f -s h -l help -d 'Show what there is and end'"
    print "complete -c quire -n __fish_use_subcommand -f -l usage -d 'Show the options in short and end'"
    print "complete -c quire -n __fish_use_subcommand -f -s V -l version -d 'Show the version and end'"
    for (c = 1; c <= nr_commands; c++)
        print "complete -c quire -n __fish_use_subcommand -f -a " command[c] " -d " quoted(about[c])
    for (i = 1; i <= nr; i++) {
        how = completes(i)
        printf "complete -c quire -n '__fish_seen_subcommand_from %s'%s", owner[i],
            letter[i] == "" ? "" : " -s " letter[i]
        if (word_of[i] ~ /^--/)
            printf " -l %s", substr(word_of[i], 3)
        else
            printf " -s %s", substr(word_of[i], 2)
        if (kind[i] == "value")
            printf " -r%s", how == "file" || how == "folder" ? "" : " -f"
        if (how == "words")
            printf " -a '%s'", values[owner[i], word_of[i]]
        else if (how == "folder")
            printf " -f -a '(__fish_complete_directories)'"
        else if (how == "process")
            printf " -a '(__fish_complete_pids)'"
        print " -d " quoted(text[i])
    }
    print "complete -c quire -n '__fish_seen_subcommand_from trace' -a 'convert info'"
    print "complete -c quire -n '__fish_seen_subcommand_from heap' -f -a '(__fish_complete_pids)'"
}

END {
    if (shell == "bash")
        bash()
    else if (shell == "zsh")
        zsh()
    else if (shell == "fish")
        fish()
    else {
        print "there is no completion for " shell > "/dev/stderr"
        exit 1
    }
}
