"""tests/report/consistent.py REPORT.json STATS.json CHECK: what a report says of a machine is what the machine counted

REPORT.json is quire report -o json, STATS.json quire boot --stats, CHECK quire events --check's output.
Prints what isn't so; status 1 then.
"""
import json
import re
import sys

wrong = 0


def same(what, got, wanted):
    global wrong
    if got != wanted:
        print("%s: %s by the report, %s by the machine" % (what, got, wanted))
        wrong += 1


def faults(report, stats):
    counters = stats["vmstat"]["counters"]
    total = report["totals"]
    same("faults", total["faults"], counters["pgfault"])
    same("major faults", total["major_faults"], counters["pgmajfault"])
    same("failed faults", total["failed_faults"], counters["pgfault_failed"])
    same("swapped out", total["swap_out"], counters["pswpout"])
    same("swapped in", total["swap_in"], counters["pswpin"])
    same("scanned", total["scanned_direct"] + total["scanned_background"],
         counters["pgscan_kswapd"] + counters["pgscan_direct"])
    same("reclaimed", total["reclaimed_direct"] + total["reclaimed_background"],
         counters["pgsteal_kswapd"] + counters["pgsteal_direct"])
    for name, column in report["time"]["happened"].items():
        same(name + " over time", sum(column), total[name])
        same(name + " has columns", len(column), report["time"]["columns"])


def processes(report, stats):
    machine = {p["pid"]: p for p in stats["processes"]}
    told = {p["pid"]: p for p in report["processes"]}
    others = report["other_processes"]
    same("processes", len(told) + others["count"], len(machine))
    for name in ("minor_faults", "major_faults"):
        same(name + " of all", sum(p[name] for p in told.values()) + others[name], sum(p[name] for p in machine.values()))
    for pid, process in told.items():
        for name in ("minor_faults", "major_faults"):
            same("%s of %d" % (name, pid), process[name], machine[pid][name])
        peak = process["peak_resident_bytes"] // report["page_bytes"]
        # A page that takes another's place is counted before the other no longer is.
        if not 0 <= peak - machine[pid]["peak_resident_pages"] <= 1:
            same("peak of %d" % pid, peak, machine[pid]["peak_resident_pages"])
        areas = process.get("areas")
        if not areas:
            continue
        # Pages by area, as faults and unmaps tell of them, are what the space counts as resident.
        same("areas of %d" % pid, sum(a["resident"] for a in areas["list"]), areas["resident"])
        for area in areas["list"]:
            same("parts of %s" % area["start"], sum(area["resident_by_part"]), area["resident"])


def frames(report, stats, check):
    then = report["time"]["frames_then"]
    same("frames", report["frames"], stats["machine"]["managed_pages"])
    same("most frames in use", report["peak_used"]["frames"], stats["machine"]["peak_used_pages"])
    same("managed by zones", sum(z["managed"] for z in report["zones"]), report["frames"])
    # Frames become the allocator's while the machine boots, and none goes: from the program's start on all are there.
    sums = [sum(then[kind][i] for kind in then) for i in range(report["time"]["columns"])]
    same("frames over time", sums, sorted(sums))
    start = next(m["time_ns"] for m in report["marks"] if m["text"] == "the program starts")
    first = (start - report["time"]["begin_ns"]) // report["time"]["column_ns"]
    same("frames from the program's start on", set(sums[first:]), {report["frames"]})
    at_end = re.search("frames in use at the end:(.*)", check).group(1).split()
    for owner, count in zip(at_end[::2], at_end[1::2]):
        same("frames at the end: " + owner, then[owner][-1], int(count))
    free = sum(int(n) for n in re.findall(r"(\d+) frames free at the end", check))
    same("free frames", sum(then[k][-1] for k in then if k.startswith("free_")), free)


def map_rows(report):
    """The map's rows come to the same kinds as the columns, at each time."""
    then, rows = report["time"]["frames_then"], {}
    names = report["map"]["kinds"]
    now = dict.fromkeys(names, 0)
    for i, changes in enumerate(report["map"]["changes"]):
        for row, *kinds in changes:
            for kind, count in rows.get(row, ()):
                now[names[kind]] -= count
            rows[row] = list(zip(kinds[::2], kinds[1::2]))
            for kind, count in rows[row]:
                now[names[kind]] += count
            if sum(count for _, count in rows[row]) > report["map"]["frames_per_row"]:
                same("frames of row %d" % row, rows[row], report["map"]["frames_per_row"])
        same("map at column %d" % i, now, {name: then[name][i] for name in names})


def free_blocks(report, stats):
    """A zone without frames on per-CPU lists has the same blocks; another has smaller ones than the report."""
    zones = {(z["node"], z["zone"]): z for z in stats["buddyinfo"]["zones"]}
    types = {(z["node"], z["zone"]): z for z in stats["pagetypeinfo"]["zones"]}
    exact = 0
    for zone in report["zones"]:
        key = (zone["node"], zone["zone"])
        if key not in zones:
            same("free frames of %s" % (key,), zone["free"], 0)
            continue
        blocks = zones[key]["free_blocks_by_order"]
        ours = [sum(of_type) for of_type in zip(*zone["free_blocks_by_order"].values())]
        in_blocks = sum(n << order for order, n in enumerate(blocks))
        same("blocks of %s" % (key,), sum(n << order for order, n in enumerate(ours)), zone["free"])
        for least in range(len(ours)):
            large = [sum(n << order for order, n in enumerate(b) if order >= least) for b in (ours, blocks)]
            if large[0] < large[1]:
                same("frames of %s in blocks from order %d on" % (key, least), *large)
        if in_blocks == zone["free"] and in_blocks:
            exact += 1
            same("blocks of %s" % (key,), ours, blocks)
            for of_type in types[key]["types"]:
                same("blocks of %s %s" % (key, of_type["type"]),
                     zone["free_blocks_by_order"][of_type["type"].lower()], of_type["free_blocks_by_order"])
    print("%d zones with nothing on per-CPU lists" % exact)
    return exact


def main():
    report = json.load(open(sys.argv[1], encoding="utf-8"))
    stats = json.load(open(sys.argv[2], encoding="utf-8"))
    check = open(sys.argv[3], encoding="utf-8").read()
    faults(report, stats)
    processes(report, stats)
    frames(report, stats, check)
    map_rows(report)
    if not free_blocks(report, stats) and "--some-exact" in sys.argv:
        same("zones that can be compared", 0, "some")
    sys.exit(wrong != 0)


main()
