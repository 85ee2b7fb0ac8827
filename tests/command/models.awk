# tests/command/models.awk: what quire replay --model has to find, for traces of valgrind's lackey
#
#   awk -v frames=N -v policy=lru|clock|fifo|opt -f tests/command/models.awk TRACE
#
# Prints `misses minor major evictions write_backs` for pages of 4 KiB. Written from the definitions, with
# arrays that are searched, and shares nothing with the command.

function number(hex, i, value) {
    for (i = 1; i <= length(hex); i++)
        value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return value
}

/^(I | [LSM])/ {
    split(substr($0, 4), part, ",")
    address = number(part[1])
    last = int((address + part[2] - 1) / 4096)
    for (p = int(address / 4096); p <= last; p++) {
        page[++n] = p
        writes[n] = $1 == "S" || $1 == "M"
    }
}

# What frame f holds is to go rather than what frame g holds.
function worse(f, g) {
    if (policy == "fifo")
        return came[f] < came[g]
    if (policy == "opt" && soon[f] != soon[g])
        return soon[f] > soon[g]
    return used[f] < used[g]
}

function evict(f, best) {
    best = 1
    if (policy == "clock") {
        while (referenced[hand]) {
            referenced[hand] = 0
            hand = hand % frames + 1
        }
        best = hand
        hand = hand % frames + 1
        return best
    }
    for (f = 2; f <= frames; f++)
        if (worse(f, best))
            best = f
    return best
}

END {
    for (i = n; i; i--) {
        next_use[i] = page[i] in seen_at ? seen_at[page[i]] : n + 1
        seen_at[page[i]] = i
    }
    hand = 1
    for (i = 1; i <= n; i++) {
        p = page[i]
        if (p in where) {
            f = where[p]
        } else {
            if (p in seen) major++; else minor++
            seen[p] = 1
            if (taken < frames) {
                f = ++taken
            } else {
                f = evict()
                evictions++
                write_backs += dirty[f]
                delete where[holds[f]]
            }
            holds[f] = p
            where[p] = f
            came[f] = i
            dirty[f] = 0
        }
        used[f] = i
        soon[f] = next_use[i]
        referenced[f] = 1
        if (writes[i])
            dirty[f] = 1
    }
    print minor + major, minor, major + 0, evictions + 0, write_backs + 0
}
