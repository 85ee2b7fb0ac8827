/* charts.js: what goes over time, drawn by dygraphs
 *
 * Each chart has the time that all have: whoever zooms one, zooms them all.
 */

const charts = [];

/* Charts that aren't in the window follow one a frame, so that the one that is dragged doesn't wait. */
const late = new Set();

function drawLate() {
  const [chart] = late;
  if (!chart) return;
  late.delete(chart);
  chart.follow();
  if (late.size) requestAnimationFrame(drawLate);
}

view.listeners.push(() => {
  const wasEmpty = !late.size;
  for (const chart of charts) {
    const box = chart.box.getBoundingClientRect();
    if (box.bottom > 0 && box.top < innerHeight) {
      late.delete(chart);
      chart.follow();
    } else {
      late.add(chart);
    }
  }
  if (wasEmpty && late.size) requestAnimationFrame(drawLate);
});

function legendLine(data) {
  const line = document.createDocumentFragment();
  if (data.x !== undefined) line.append(make("span", {}, data.xHTML));
  for (const series of data.series) {
    if (!series.isVisible) continue;
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = series.color;
    const value = data.x !== undefined && series.yHTML !== undefined ? ": " + series.yHTML : "";
    line.append(make("span", {}, swatch, series.label + value));
  }
  return line;
}

/* dygraphs draws a box without ends for steps: a last point ends the last column. */
function rowsOf(series, isFlow) {
  const rows = [];
  for (let i = 0; i < time.columns; i++)
    rows.push([isFlow ? columnBegin(i) : columnEnd(i), ...series.map((s) => s.values[i])]);
  if (isFlow) rows.push([columnEnd(time.columns - 1), ...series.map((s) => s.values[time.columns - 1])]);
  else rows.unshift([columnBegin(0), ...series.map((s) => s.values[0])]);
  return rows;
}

/* options: stacked, flow (numbers of whole columns, drawn as steps), value(number) as text, axis(number)
 * as text, label of the axis, colours() of the series, dashed: indices, top: the axis's end. */
function addChart(section, series, options) {
  const box = make("div", { class: "chart", role: "img", "aria-label": section.querySelector("h2").textContent });
  const legend = make("div", { class: "legend" });
  section.append(box, legend);
  const chart = { section, options, series, box };
  const look = () => ({
    colors: options.colours(),
    gridLineColor: colour("grid"),
    axisLineColor: colour("line"),
  });
  const settings = {
    labels: ["time", ...series.map((s) => s.name)],
    labelsDiv: document.createElement("div"),
    legend: "always",
    legendFormatter: (data) => { legend.replaceChildren(legendLine(data)); return ""; },
    stackedGraph: !!options.stacked,
    stackedGraphNaNFill: "none",
    fillGraph: !!options.stacked || !!options.fill,
    fillAlpha: options.stacked ? 0.75 : 0.2,
    stepPlot: !!options.flow,
    strokeWidth: options.stacked ? 0.6 : 1.5,
    highlightCircleSize: 3,
    animatedZooms: false,
    ylabel: options.label,
    includeZero: true,
    valueRange: options.top ? [0, options.top] : null,
    dateWindow: view.range.slice(),
    axisLabelFontSize: 12,
    xRangePad: 0,
    rightGap: 8,
    series: Object.fromEntries((options.dashed || []).map((i) => [series[i].name, { strokePattern: [6, 4] }])),
    axes: {
      x: {
        drawAxis: true, axisLabelWidth: 60,
        valueFormatter: (s) => "at " + seconds(s * 1e9),
        axisLabelFormatter: (s) => axisTime(s),
      },
      y: {
        axisLabelWidth: 62, valueFormatter: options.value, axisLabelFormatter: options.axis || options.value,
        labelsKMG2: options.value === size, /* ticks at powers of 2 */
      },
    },
    underlayCallback: (context, area, graph) =>
      drawPhases(context, area.x, area.y, area.w, area.h, (s) => graph.toDomXCoord(s), true),
    zoomCallback: (from, to) => { if (!chart.quiet) setView(from, to); },
    ...look(),
  };
  chart.graph = new Dygraph(box, rowsOf(series, options.flow), settings);
  chart.follow = () => {
    chart.quiet = true;
    chart.graph.updateOptions({ dateWindow: view.range.slice() });
    chart.quiet = false;
  };
  theme.listeners.push(() => chart.graph.updateOptions(look()));
  chart.setSeries = (changed) => {
    chart.series = changed;
    chart.graph.updateOptions({ file: rowsOf(changed, options.flow) });
  };
  charts.push(chart);
  return chart;
}

function axisTime(s) {
  const length = view.range[1] - view.range[0];
  const digits = length > 20 ? 0 : length > 2 ? 1 : length > 0.2 ? 2 : length > 0.02 ? 3 : 5;
  return s.toFixed(digits) + " s";
}

/* ---- what there is to draw ------------------------------------------------------------------- */

function mebibytes(bytes) {
  return bytes >= 1 << 30 ? (bytes / (1 << 30)).toFixed(1) + " GiB" : bytes >= 1 << 20
    ? +(bytes / (1 << 20)).toFixed(1) + " MiB" : +(bytes / 1024).toFixed(1) + " KiB";
}

function short(number) {
  return number >= 1e6 ? +(number / 1e6).toFixed(1) + "M" : number >= 1e3 ? +(number / 1e3).toFixed(1) + "k"
    : String(+number.toPrecision(3));
}

const ownerTexts = {
  kernel: "kernel", table: "page tables", slab: "slab", anon: "anonymous", file: "page cache",
  shmem: "shared memory", vmalloc: "vmalloc", metadata: "allocator's metadata",
};
const owners = Object.keys(ownerTexts);

function sumOf(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

function freeFrames(column) {
  let sum = 0;
  for (let order = 0; order <= report.max_order; order++) sum += time.frames_then["free_" + order][column];
  return sum;
}

function addUse() {
  const last = time.columns - 1;
  const largest = owners.filter((o) => o !== "metadata").sort((a, b) =>
    Math.max(...time.frames_then[b]) - Math.max(...time.frames_then[a])).slice(0, 2);
  const section = addSection("use", "What memory was used for",
    `At most **${size(report.peak_used.frames * page)}** of ${size(report.frames * page)} were in use, at ` +
    `${seconds(report.peak_used.time_ns)}. Most went to ` +
    largest.map((o) => `${ownerTexts[o]} (up to ${size(Math.max(...time.frames_then[o]) * page)})`).join(" and ") +
    `. At the end ${size(freeFrames(last) * page)} were free.`);
  const shown = owners.filter((o) => time.frames_then[o].some((n) => n));
  /* dygraphs stacks from the last one up. */
  addChart(section, shown.map((o) => ({ name: ownerTexts[o], values: time.frames_then[o].map((n) => n * page) })), {
    stacked: true, value: size, axis: mebibytes, label: "in use", top: report.frames * page * 1.02,
    colours: () => shown.map((o) => colour(o)),
  });
  addNumbers(section, "use", ["end_s", ...owners.map((o) => o + "_frames"), "free_frames"], () =>
    Array.from({ length: time.columns }, (_, i) =>
      [columnEnd(i), ...owners.map((o) => time.frames_then[o][i]), freeFrames(i)]),
  `frames of ${size(page)} at the end of each slice`);
}

function addFree() {
  const types = Object.keys(time.free_blocks_then);
  const orders = Array.from({ length: report.max_order + 1 }, (_, order) => order);
  const section = addSection("free", "Free memory by size of block",
    (freeFrames(time.columns - 1) ? `At the end **${size(freeFrames(time.columns - 1) * page)}** were free, the largest block of ` +
    `${size(page * 2 ** Math.max(0, ...orders.filter((o) => time.frames_then["free_" + o][time.columns - 1])))}. `
      : "At the end no frame was free. ") +
    "Light bands are large blocks, dark ones what is cut into small pieces. Frames on per-CPU lists count as free, " +
    "and as merged with their neighbours.");
  const blocks = (type, order, i) => type === "all"
    ? time.frames_then["free_" + order][i] / 2 ** order : time.free_blocks_then[type][order][i];
  const seriesOf = (type) => orders.map((order) => ({
    name: `order ${order}`,
    values: Array.from({ length: time.columns }, (_, i) => blocks(type, order, i) * 2 ** order * page),
  }));
  const select = make("select", { id: "free-type" }, make("option", { value: "all" }, "all types"),
    ...types.map((type) => make("option", { value: type }, type)));
  section.append(make("div", { class: "tools" }, make("label", { for: "free-type" }, "Pageblocks for content that is"),
    select));
  const chart = addChart(section, seriesOf("all"), {
    stacked: true, value: size, axis: mebibytes, label: "free",
    colours: () => orders.map((order) => orderColour(order, report.max_order)),
  });
  const refill = addNumbers(section, "free-blocks", ["end_s", ...orders.map((o) => `blocks_of_order_${o}`)], () =>
    Array.from({ length: time.columns }, (_, i) => [columnEnd(i), ...orders.map((o) => blocks(select.value, o, i))]),
  "blocks at the end of each slice, of the chosen type");
  select.addEventListener("change", () => { chart.setSeries(seriesOf(select.value)); refill(); });
  addZones(section);
}

function addZones(section) {
  const head = ["node", "zone", "type", "managed_frames", "free_frames",
    ...Array.from({ length: report.max_order + 1 }, (_, o) => `order_${o}`)];
  addNumbers(section, "zones", head, () => report.zones.flatMap((zone) =>
    Object.entries(zone.free_blocks_by_order).filter(([, blocks]) => sumOf(blocks))
      .map(([type, blocks]) => [zone.node, zone.zone, type, zone.managed, zone.free, ...blocks])),
  "free blocks at the end, by zone and type", "Zones at the end");
}

function addFragmentation() {
  const most = report.max_order;
  const shown = [...new Set([3, 6, 9, most])].filter((order) => order <= most);
  const last = time.columns - 1, unusable = time.unusable_permille_by_order;
  const section = addSection("fragmentation", "Fragmentation",
    "The share of free memory that is in blocks too small for an allocation: 0 % is one large block, 100 % means " +
    `that such an allocation needs compaction or reclaim. At the end **${(unusable[Math.min(9, most)][last] / 10).toFixed(1)} %** ` +
    `of free memory was unusable for a huge page (order ${Math.min(9, most)}, ${size(page * 2 ** Math.min(9, most))}).`);
  addChart(section, shown.map((order) => ({
    name: `order ${order} (${size(page * 2 ** order)})`, values: unusable[order].map((n) => n / 10),
  })), {
    value: (n) => n.toFixed(1) + " %", axis: (n) => n + " %", label: "unusable", top: 102,
    colours: () => shown.map((_, i) => orderColour(shown.length - 1 - i, shown.length - 1)),
  });
  addNumbers(section, "fragmentation", ["end_s", ...unusable.map((_, o) => `unusable_permille_${o}`)], () =>
    Array.from({ length: time.columns }, (_, i) => [columnEnd(i), ...unusable.map((values) => values[i])]));
}

/* Numbers of whole columns, as so many a second. */
function rates(values) {
  return values.map((n, i) => {
    const length = columnEnd(i) - columnBegin(i);
    return length > 0 ? n / Math.max(length, time.column_ns / 1e9) : 0;
  });
}

function perSecond(n) {
  return short(n) + "/s";
}

function addFaults() {
  const happened = time.happened, total = report.totals;
  const most = happened.minor_faults.reduce((best, n, i) =>
    n + happened.major_faults[i] > happened.minor_faults[best] + happened.major_faults[best] ? i : best, 0);
  const all = total.minor_faults + total.major_faults;
  const section = addSection("faults", "Page faults",
    `**${count(total.minor_faults)} minor** faults, which only cost time, and **${count(total.major_faults)} major** ` +
    "ones, which had to read from swap or a file" +
    (all ? `. Most at ${seconds(columnBegin(most) * 1e9)}: ` +
      `${count(happened.minor_faults[most] + happened.major_faults[most])} in ${seconds(time.column_ns)}.` : "."));
  addChart(section, [
    { name: "minor", values: rates(happened.minor_faults) }, { name: "major", values: rates(happened.major_faults) },
  ], {
    flow: true, fill: true, value: perSecond, label: "faults a second",
    colours: () => [colour("minor"), colour("major")],
  });
  const names = Object.keys(happened).filter((name) => name.includes("fault"));
  addNumbers(section, "faults", ["begin_s", ...names], () =>
    Array.from({ length: time.columns }, (_, i) => [columnBegin(i), ...names.map((name) => happened[name][i])]),
  "how many in each slice");
}

function addSwap() {
  const happened = time.happened, total = report.totals;
  const scanned = total.scanned_direct + total.scanned_background;
  const reclaimed = total.reclaimed_direct + total.reclaimed_background;
  if (!total.swap_out && !total.swap_in && !scanned && !total.compaction_moved) return;
  const section = addSection("swap", "Swap and reclaim",
    `**${size(total.swap_out * page)}** written to swap and **${size(total.swap_in * page)}** read back. Reclaim looked ` +
    `at ${count(scanned)} pages and freed ${count(reclaimed)} (${percent(reclaimed, scanned)}), ` +
    `${count(total.reclaimed_direct)} of them while a program waited` +
    (total.compaction_moved ? `. Compaction moved ${count(total.compaction_moved)} pages.` : "."));
  const add = (a, b) => a.map((n, i) => n + b[i]);
  if (total.swap_out || total.swap_in)
    addChart(section, [
      { name: "swapped out", values: rates(happened.swap_out) }, { name: "swapped in", values: rates(happened.swap_in) },
    ], {
      flow: true, fill: true, value: perSecond, label: "pages a second",
      colours: () => [colour("table"), colour("anon")],
    });
  if (scanned)
    addChart(section, [
      { name: "scanned", values: rates(add(happened.scanned_direct, happened.scanned_background)) },
      { name: "reclaimed", values: rates(add(happened.reclaimed_direct, happened.reclaimed_background)) },
    ], {
      flow: true, value: perSecond, label: "pages a second", colours: () => [colour("soft"), colour("file")],
    });
  const names = Object.keys(happened).filter((name) => /swap_|scanned|reclaimed|moved/.test(name));
  addNumbers(section, "swap", ["begin_s", ...names], () =>
    Array.from({ length: time.columns }, (_, i) => [columnBegin(i), ...names.map((name) => happened[name][i])]),
  "pages in each slice");
}

function processName(process) {
  return `${process.name || "process"} (${process.pid})`;
}

function addProcesses() {
  if (!report.processes.length) return;
  const shown = report.processes.slice(0, 8);
  const swapped = shown.filter((process) => process.swapped_then.length);
  const first = shown[0], others = report.other_processes;
  const all = report.processes.length + others.count;
  const section = addSection("processes", "Processes",
    `${plural(all, "process", "processes")}; the largest was **${processName(first)}**, with at most ` +
    `${size(first.peak_resident_bytes)} resident at ${seconds(first.peak_ns)}. Lines are what is resident` +
    (swapped.length ? ", dashed ones what is in swap" : "") +
    (report.processes.length > 8 ? "; the eight largest are drawn." : "."));
  addChart(section, [
    ...shown.map((process) => ({ name: processName(process), values: spread(process.resident_then) })),
    ...swapped.map((process) => ({ name: processName(process) + ", swapped", values: spread(process.swapped_then) })),
  ], {
    value: size, axis: mebibytes, label: "resident", dashed: swapped.map((_, i) => shown.length + i),
    colours: () => [...shown.map((_, i) => seriesColour(i)), ...swapped.map((p) => seriesColour(shown.indexOf(p)))],
  });
  const head = ["pid", "name", "parent", "begin_s", "end_s", "peak_resident_bytes", "peak_s", "minor_faults",
    "major_faults", "failed_faults"].concat(isRun ? ["user_s", "kernel_s"] : []);
  addNumbers(section, "processes", head, () => report.processes.map((p) => [p.pid, p.name, p.parent, p.begin_ns / 1e9,
    p.end_ns / 1e9, p.peak_resident_bytes, p.peak_ns / 1e9, p.minor_faults, p.major_faults, p.failed_faults]
    .concat(isRun ? [p.user_ns / 1e9, p.kernel_ns / 1e9] : [])),
  others.count ? `and ${count(others.count)} others with ${count(others.minor_faults)} minor and ` +
    `${count(others.major_faults)} major faults` : "");
}

function addCaches() {
  if (!report.caches.length) return;
  const caches = [...report.caches].sort((a, b) => b.peak_frames - a.peak_frames);
  const shown = caches.slice(0, 7), rest = caches.slice(7);
  const at_end = sumOf(caches.map((cache) => cache.frames));
  const section = addSection("slab", "Slab caches",
    `Small objects of the kernel took ${size(at_end * page)} at the end, in ${plural(caches.length, "cache")}; the ` +
    `largest was **${shown[0].name}**, with at most ${size(shown[0].peak_frames * page)}.`);
  const series = shown.map((cache) => ({ name: cache.name, values: spread(cache.frames_then, page) }));
  if (rest.length) {
    const sum = new Array(time.columns).fill(0);
    for (const cache of rest) spread(cache.frames_then, page).forEach((n, i) => { sum[i] += n; });
    series.push({ name: "others", values: sum });
  }
  addChart(section, series, {
    stacked: true, value: size, axis: mebibytes, label: "in slabs",
    colours: () => series.map((_, i) => i < shown.length ? seriesColour(i) : colour("metadata")),
  });
  addNumbers(section, "slab-caches", ["cache", "object_bytes", "objects_per_slab", "slabs", "frames", "peak_frames"],
    () => caches.map((c) => [c.name, c.object_bytes, c.objects_per_slab, c.slabs, c.frames, c.peak_frames]));
}
