"""tests/report/browser.py FOLDER: pages of quire report in a browser: they draw, zoom and tell what is under the pointer

FOLDER has machine.html with machine.json (quire report -o json), cut.html and run.html, as browser.sh makes them.
Prints TAP.
"""
import json
import os
import sys

from webdriver import Browser

folder = os.path.abspath(sys.argv[1])
number = failed = 0


def check(name, right, why=""):
    global number, failed
    number += 1
    if not right:
        failed += 1
        print("# " + str(why).replace("\n", "\n# "))
    print("%sok %d - %s" % ("" if right else "not ", number, name), flush=True)


def equal(name, got, wanted):
    check(name, got == wanted, "%r, expected %r" % (got, wanted))


def opened(browser, name):
    browser.requests()
    browser.open("file://%s/%s.html" % (folder, name))
    browser.wait("document.documentElement.dataset.ready")


def quiet(browser, name):
    """Nothing is wrong on the console, and nothing was asked for."""
    equal(name + ": no complaints on the console", browser.complaints(), [])
    equal(name + ": nothing is asked for", browser.requests(), [])


def drawn(browser, selector):
    """How many colours the canvases below have: a picture has several."""
    return browser.script("""
        const colours = new Set();
        for (const canvas of document.querySelectorAll(arguments[0])) {
            if (!canvas.width || !canvas.height) continue;
            const copy = document.createElement('canvas');
            [copy.width, copy.height] = [canvas.width, canvas.height];
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const data = new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer);
            for (let i = 0; i < data.length; i += 7) colours.add(data[i]);
        }
        return colours.size""", selector)


def text(browser, selector):
    return browser.script("return document.querySelector(arguments[0]).textContent", selector)


SECTIONS = {
    "machine": ["map", "use", "free", "fragmentation", "faults", "swap", "processes", "areas", "slab", "phases"],
    "run": ["advice", "faults", "processes", "areas", "heap"],
}


def look_at_pictures(browser, name):
    got = browser.script("return [...document.querySelectorAll('section')].map((s) => s.id)")
    equal(name + ": there is a section for each picture", got, SECTIONS[name])
    for section in got:
        if browser.script("return !!document.querySelector(arguments[0])", "#%s canvas" % section):
            colours = drawn(browser, "#%s canvas" % section)
            check("%s: %s is drawn" % (name, section), colours > 4, "%d colours" % colours)
    wide = browser.script("return [document.documentElement.scrollWidth, innerWidth]")
    check(name + ": it is no wider than the window", wide[0] <= wide[1], wide)


def follow(browser):
    """Until every chart shows the same time, and none will be drawn again: that takes the pointer's words away."""
    browser.wait("""charts.length > 3 && !late.size && charts.every((c) =>
        c.graph.xAxisRange().every((s, i) => Math.abs(s - view.range[i]) < 1e-6))""")


def look_at_map(browser, report):
    """The pointer over a place tells the same as the report."""
    box = browser.script("const m = memoryMap.place(); return [m.left, m.top, m.right, m.bottom]")
    x, y = (box[0] + box[2]) / 2, box[1] + 0.7 * (box[3] - box[1])
    browser.pointer("#memory-map canvas.over", ("move", x, y))
    told = text(browser, "#map-readout")
    column, row = browser.script("return [memoryMap.cursor.column, memoryMap.cursor.row]")
    state = {}
    for changes in report["map"]["changes"][:column + 1]:
        for change in changes:
            if change[0] == row:
                state = dict(zip(change[1::2], change[2::2]))
    step = report["map"]["frames_per_row"]
    wanted = ["frames {:,} to {:,}".format(row * step, (row + 1) * step - 1),
              "0x{:08x} to".format(row * step * report["page_bytes"])]
    wanted += [": %d" % count for count in state.values()]
    check("the map tells what is under the pointer", sum(state.values()) == step and all(w in told for w in wanted),
          "%s, expected %s" % (told, wanted))
    before = browser.script("return [...view.range, ...memoryMap.frames]")
    browser.pointer("#memory-map canvas.over", ("move", x - 150, y - 60), "down", ("move", x, y), ("move", x + 150, y + 60), "up")
    after = browser.script("return [...view.range, ...memoryMap.frames]")
    check("dragging zooms the map", before[0] < after[0] < after[1] < before[1] and before[2] < after[2] < after[3] < before[3],
          (before, after))
    follow(browser)
    check("... and the time of every chart", True)
    check("... and offers the way back", not browser.script("return document.getElementById('reset').hidden"))
    check("... and is drawn", drawn(browser, "#memory-map canvas") > 4)
    browser.click("#reset")
    equal("which shows all again", browser.script("return [...view.range, ...memoryMap.frames]"), before)


def look_at_keys(browser):
    canvas = "#memory-map canvas.over"
    browser.script("memoryMap.reset(); document.querySelector(arguments[0]).focus()", canvas)
    start = browser.script("memoryMap.cursor = { column: 5, row: 5 }; return [...view.range]")
    browser.keys(canvas, "\ue014\ue014\ue013")  # right, right, up
    equal("arrow keys move on the map", browser.script("return [memoryMap.cursor.column, memoryMap.cursor.row]"), [7, 6])
    browser.keys(canvas, "+")
    zoomed = browser.script("return [...view.range]")
    check("plus zooms", zoomed[1] - zoomed[0] < 0.6 * (start[1] - start[0]), zoomed)
    browser.keys(canvas, "0")
    equal("0 shows all", browser.script("return [...view.range]"), start)


def look_at_charts(browser):
    follow(browser)
    whole = browser.script("return [...view.range]")
    chart = "#faults .chart"
    browser.pointer(chart, ("move", 400, 100), ("move", 420, 101))
    told = text(browser, "#faults .legend")
    check("a chart tells what is under the pointer", told.startswith("at ") and "minor: " in told and "major: " in told, told)
    browser.pointer(chart, ("move", 300, 100), "down", ("move", 400, 102), ("move", 500, 102), "up")
    after = browser.script("return [...view.range]")
    check("dragging zooms a chart", whole[0] < after[0] < after[1] < whole[1], after)
    follow(browser)
    check("... and all others", True)
    browser.pointer(chart, ("move", 400, 100), "down", "up", "down", "up")
    browser.wait("view.range[0] <= %r && view.range[1] >= %r" % (whole[0], whole[1]))
    check("a double click shows all", True)
    follow(browser)
    before = browser.script("return charts.find((c) => c.section.id === 'free').series.map((s) => s.values.join())")
    browser.script("const s = document.getElementById('free-type'); s.value = 'unmovable'; s.dispatchEvent(new Event('change'))")
    after = browser.script("return charts.find((c) => c.section.id === 'free').series.map((s) => s.values.join())")
    check("free memory of one type is less than of all", before != after)


def look_at_tables(browser, report):
    browser.click("#faults summary")
    browser.wait("document.querySelector('#faults tbody tr')")
    rows = browser.script("""return [...document.querySelectorAll('#faults tbody tr')].map((row) =>
        [...row.cells].slice(1, 3).map((cell) => Number(cell.textContent.replace(/,/g, ''))))""")
    happened = report["time"]["happened"]
    equal("a table has the exact numbers", rows, [list(pair) for pair in zip(happened["minor_faults"], happened["major_faults"])])
    csv = browser.script("""
        let made;
        const create = URL.createObjectURL;
        URL.createObjectURL = (blob) => { made = blob; return create(blob); };
        document.querySelector('#processes details').open = true;
        document.querySelector('#processes .tools button').click();
        URL.createObjectURL = create;
        return made.text()""")
    lines = csv.strip().split("\n")
    equal("a table can be had as CSV", (lines[0].split(",")[:2], len(lines)), (["pid", "name"], 1 + len(report["processes"])))
    facts = text(browser, "#facts")
    wanted = "{:,}".format(report["totals"]["minor_faults"])
    check("the facts have the totals", wanted in facts, facts)


def look_at_areas(browser, report):
    browser.pointer("#areas canvas", ("move", 500, 11))
    area = report["processes"][0]["areas"]["list"][0]
    told = text(browser, "#area-readout")
    check("an area tells of itself", told.startswith("%s to %s" % (area["start"], area["end"])) and
          "{:,} of {:,} page".format(area["resident"], area["pages"]) in told, told)


def look_at_colours(browser, name):
    def paper():
        return browser.script("return getComputedStyle(document.body).backgroundColor")
    browser.set_dark(False)
    light = paper()
    browser.set_dark(True)
    browser.wait("document.documentElement.classList.contains('dark')")
    dark = paper()
    check(name + ": colours follow the system", light == "rgb(255, 255, 255)" and dark != light, (light, dark))
    browser.click("#theme")
    equal(name + ": and the button, to light", paper(), light)
    browser.click("#theme")
    equal(name + ": ... to dark", paper(), dark)
    browser.click("#theme")
    browser.set_dark(False)


def look_at_a_kill(browser):
    """Of events in which process 7 has 300 pages in memory and 256 in swap, and is killed."""
    facts = text(browser, "#facts")
    check("how a program ended is told", "killed by signal 9, for want of memory" in facts, facts)
    check("a kill for want of memory is told, with what the process had",
          "Killed for want of memory1 process" in facts and "1.2 MiB in memory, 1.0 MiB in swap" in facts, facts)
    equal("it is a line in the pictures", browser.script("return phases.filter((p) => !p.isOurs).map((p) => p.text)"),
          ["a,?b??? killed for want of memory"])
    equal("sizes have one digit behind the point", browser.script(
        "return [1023, 1024, 22072524, 22072525, 2 ** 20 - 51, 512 * 2 ** 20].map(size)"),
          ["1,023 B", "1.0 KiB", "21.0 MiB", "21.1 MiB", "1.0 MiB", "512.0 MiB"])
    equal("a share of something is neither nothing nor all", browser.script(
        "return [[0, 0], [1, 1e5], [1, 3], [99999, 1e5], [7, 7]].map(([a, b]) => percent(a, b))"),
          ["0.0 %", "<0.1 %", "33.3 %", ">99.9 %", "100.0 %"])
    equal("fields of CSV are quoted, and no formula", browser.script(
        """return ['a', 'a,b', 'a"b', 'a\\nb', 'a\\rb', '=1+1', '@x', -1].map(csvField)"""),
          ["a", '"a,b"', '"a""b"', '"a\nb"', '"a\rb"', "'=1+1", "'@x", "-1"])


def main():
    with open(os.path.join(folder, "machine.json"), encoding="utf-8") as file:
        report = json.load(file)
    with Browser() as browser:
        opened(browser, "machine")
        look_at_pictures(browser, "machine")
        look_at_map(browser, report)
        look_at_keys(browser)
        look_at_charts(browser)
        look_at_tables(browser, report)
        look_at_areas(browser, report)
        look_at_colours(browser, "machine")
        quiet(browser, "machine")
        browser.metrics(600, 900)
        opened(browser, "machine")
        look_at_pictures(browser, "machine")
        quiet(browser, "machine, narrow")
        browser.metrics(1280, 900)
        opened(browser, "cut")
        check("a page of a file that is cut admits it", "This isn't all" in text(browser, "#trouble") and
              not browser.script("return document.getElementById('trouble').hidden"), text(browser, "#trouble"))
        quiet(browser, "cut")
        opened(browser, "empty")
        check("a page of no events is a page", "0 B" in text(browser, "#facts"), text(browser, "#facts"))
        quiet(browser, "empty")
        opened(browser, "killed")
        look_at_a_kill(browser)
        quiet(browser, "killed")
        if os.path.exists(os.path.join(folder, "run.html")):
            opened(browser, "run")
            look_at_pictures(browser, "run")
            look_at_colours(browser, "run")
            check("no text is markup", browser.script("return !document.getElementById('evil') && document.scripts.length === 3"))
            quiet(browser, "run")
    print("1..%d" % number)
    sys.exit(failed != 0)


main()
