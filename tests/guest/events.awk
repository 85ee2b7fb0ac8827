# tests/guest/events.awk: what the events of a machine come to, by process, from quire events' text
#
# An address space's number may be another one's later, so each gets a number of its own here.

function field(name,    i, pair) {
    for (i = 3; i <= NF; i++) {
        split($i, pair, "=")
        if (pair[1] == name)
            return pair[2]
    }
    return ""
}

$2 == "mm" && field("pid") == 0 { space[field("mm")] = ++nr_spaces; next }
$2 == "mm" { owner[space[field("mm")]] = field("pid"); next }
$2 == "mm-end" {
    at = space[field("mm")]
    for (kind in kinds)
        if (rss[at, kind] != 0) {
            print "rss " kind " " rss[at, kind]
            exit 1
        }
    ended++
}
$2 == "fault" { faults++; fault[space[field("mm")], field("result")]++ }
$2 == "fault" && field("kind") == "swap" { swap_faults++ }
$2 == "rss" { kinds[field("kind")] = 1; rss[space[field("mm")], field("kind")] += field("pages") }
$2 == "fork" { parent[field("pid")] = field("parent"); nr_forks++ }
$2 == "exit" { status[field("pid")] = field("status"); nr_exits++ }
$2 == "reclaim" && field("how") != "request" { scanned += field("scanned"); reclaimed += field("reclaimed") }
$2 == "swap-out" { out++ }
$2 == "swap-in" { into++ }
$2 == "area" && field("pages") == 13 && field("page") ~ /^0x20.00000$/ { begun[field("page")]++ }
$2 == "area-end" && field("page") in begun { gone++ }
$2 == "sample" { free[field("zone")] = field("free") }

END {
    for (i = 1; i <= nr_spaces; i++)
        if (owner[i]) {
            minor[owner[i]] += fault[i, "minor"]
            major[owner[i]] += fault[i, "major"]
        }
    for (pid in minor)
        printf "process %d minor %d major %d\n", pid, minor[pid], major[pid]
    for (pid in parent)
        printf "fork %d of %d status %d\n", pid, parent[pid], status[pid]
    for (page in begun)
        nr_begun++
    for (zone in free)
        nr_free += free[zone]
    printf "faults %d\nforks %d\nexits %d\nscanned %d\nreclaimed %d\nout %d\nin %d\nareas %d\n" \
        "gone %d\nfree %d\nspaces %d\nended %d\n", faults, nr_forks, nr_exits, scanned, reclaimed, out, into,
        nr_begun, gone, nr_free, nr_spaces, ended
}
