/* page.js: the page: facts on top, then a section for each picture
 */

function addFact(name, value, more) {
  const dd = make("dd", {}, value);
  if (more) dd.append(make("small", {}, more));
  document.getElementById("facts").append(make("div", {}, make("dt", {}, name), dd));
}

function endText() {
  const program = report.program;
  if (report.end === "panic") return "the machine panicked";
  if (program.how === "exited") return `exit status ${program.exit_status}`;
  if (program.how === "killed")
    return `killed by signal ${program.signal}` + (program.for_want_of_memory ? ", for want of memory" : "");
  return program.how;
}

function addFacts() {
  const total = report.totals, length = time.end_ns - time.begin_ns;
  const first = report.processes.length ? report.processes[0] : null;
  addFact("End", endText(), "after " + seconds(length));
  if (report.oom_kills) addFact("Killed for want of memory", plural(report.oom_kills, "process", "processes"), oomText());
  if (!isRun)
    addFact("Memory", size(report.frames * page), `${count(report.frames)} frames, ${report.word_bits} bits`);
  addFact("At most in use", size(report.peak_used.frames * page), isRun
    ? "resident, all processes together" : `${percent(report.peak_used.frames, report.frames)}, caches included`);
  addFact("Minor faults", count(total.minor_faults), length ? `${short(total.minor_faults / (length / 1e9))} a second` : "");
  addFact("Major faults", count(total.major_faults), total.failed_faults ? `${count(total.failed_faults)} failed` : "read from swap or files");
  if (first)
    addFact("Largest process", size(first.peak_resident_bytes), `${processName(first)}, resident`);
  if (isRun) {
    addFact("Processor", seconds(report.user_ns), `and ${seconds(report.kernel_ns)} in the kernel`);
    if (report.heap) addFact("Heap", report.heap, heapText());
    return;
  }
  addFact("Swap", size(total.swap_out * page) + " out", size(total.swap_in * page) + " in");
  const scanned = total.scanned_direct + total.scanned_background;
  const reclaimed = total.reclaimed_direct + total.reclaimed_background;
  addFact("Reclaimed", size(reclaimed * page), scanned ? `${percent(reclaimed, scanned)} of ${count(scanned)} scanned` : "none was needed");
}

/* The first of them, as far as marks have it. */
function oomText() {
  const first = report.marks.find((mark) => mark.kind === "oom-kill");
  return first ? `first ${first.text} (${first.pid}) at ${seconds(first.time_ns)}: ${size(first.resident_bytes)} in memory, ` +
    `${size(first.swapped_bytes)} in swap` : "";
}

function heapText() {
  return report.processes.some((process) => process.heap)
    ? `${size(report.heaps.given_back_bytes)} given back` : "tells nothing of itself";
}

function addLead() {
  const lead = document.getElementById("lead");
  lead.textContent = isRun
    ? "What this program did with memory, as Linux and its heap told of it."
    : `What happened to the memory of a machine that ran this program, from ${plural(report.events, "event")}: ` +
      "whose each frame was, and when.";
  const trouble = [];
  if (report.trouble) trouble.push(`This isn't all: ${report.trouble}. The pictures show what is before.`);
  if (report.lost_events) trouble.push(`${count(report.lost_events)} events came before anybody listened, and are missing.`);
  if (report.samples_dropped) trouble.push(`${count(report.samples_dropped)} samples were left out when it was recorded.`);
  const box = document.getElementById("trouble");
  box.textContent = trouble.join(" ");
  box.hidden = !trouble.length;
}

/* ---- of a run -------------------------------------------------------------------------------- */

function addAdvice() {
  if (!report.advice || !report.advice.length) return;
  const section = addSection("advice", "Advice", "What the figures suggest.");
  section.append(make("ul", { class: "advice" }, ...report.advice.map((text) => make("li", {}, text))));
}

function addHeaps() {
  const processes = report.processes.filter((process) => process.heap);
  if (!processes.length) return;
  processes.sort((a, b) => mostHeld(b) - mostHeld(a));
  const section = addSection("heap", "Heaps",
    `What a heap **held** of Linux, and how much of that was **used** by the program's blocks; what is between is free, ` +
    `kept for the next blocks. The largest was that of **${processName(processes[0])}**, with at most ${size(mostHeld(processes[0]))}. ` +
    `In all, ${size(report.heaps.given_back_bytes)} went back to Linux.`);
  const select = make("select", { id: "heap-process" }, ...processes.map((process, i) =>
    make("option", { value: String(i) }, processName(process))));
  section.append(make("div", { class: "tools" }, make("label", { for: "heap-process" }, "Process"), select));
  const seriesOf = (heap) => [
    { name: "held", values: spread(heap.held_then) }, { name: "used", values: spread(heap.used_then) },
  ];
  const chart = addChart(section, seriesOf(processes[0].heap), {
    value: size, axis: mebibytes, label: "heap", fill: true, colours: () => [colour("slab"), colour("anon")],
  });
  const box = make("div", { class: "numbers", id: "classes" });
  section.append(box);
  const chosen = () => processes[Number(select.value)].heap;
  const fill = () => box.replaceChildren(classTable(chosen().classes));
  fill();
  const refill = addNumbers(section, "classes", ["size_bytes", "allocated", "freed", "live", "held_bytes"], () =>
    chosen().classes.map((c) => [c.size, c.allocated, c.freed, c.live, c.held_bytes]),
  "size 0: larger blocks; allocated and freed are 0 where calls weren't counted", "Sizes of blocks at the end");
  select.addEventListener("change", () => { chart.setSeries(seriesOf(chosen())); fill(); refill(); });
}

function mostHeld(process) {
  return process.heap.held_then.reduce((most, [, held]) => Math.max(most, held), process.heap.held_bytes);
}

/* Bars of what the sizes of block that hold most hold at the end. */
function classTable(classes) {
  const largest = [...classes].sort((a, b) => b.held_bytes - a.held_bytes).slice(0, 10).filter((c) => c.held_bytes);
  const rows = largest.map((c) => {
    const bar = make("div", { class: "bar" });
    bar.style.width = `${100 * c.held_bytes / largest[0].held_bytes}%`;
    return make("tr", {}, make("td", {}, c.size ? size(c.size) : "larger"), make("td", {}, size(c.held_bytes)),
      make("td", {}, count(c.live)), make("td", { class: "text wide" }, bar));
  });
  return make("table", {}, make("thead", {}, make("tr", {},
    ...["block", "held at the end", "live blocks", ""].map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows));
}

/* ---- the rest -------------------------------------------------------------------------------- */

function addPhases() {
  if (isRun || !report.marks.length) return;
  const shown = report.marks.filter((mark) => mark.kind !== "exit" && mark.kind !== "fork").length;
  const section = addSection("phases", "Phases",
    `Phases, beginnings of programs and kills for want of memory, ${count(shown)} in all, are lines in the pictures; the numbers have ` +
    "forks and ends, too. " +
    "A program marks a phase by writing to /dev/kmsg." +
    (report.marks_left_out ? ` ${count(report.marks_left_out)} later ones were too many and are left out.` : ""));
  addNumbers(section, "phases", ["time_s", "kind", "pid", "text", "status_or_parent", "resident_bytes", "swapped_bytes", "oom_score"], () =>
    report.marks.map((mark) => [mark.time_ns / 1e9, mark.kind, mark.pid || 0, mark.text, mark.status ?? mark.parent ?? 0,
      mark.resident_bytes ?? 0, mark.swapped_bytes ?? 0, mark.oom_score ?? 0]));
}

function addFoot() {
  const rows = report.map ? ` and addresses into ${plural(report.map.rows, "row")} of ${plural(report.map.frames_per_row, "frame")}` : "";
  document.getElementById("foot").append(
    make("p", {}, `Made by quire ${report.quire} from ${report.file}. Sampled: time is cut into ${plural(time.columns, "slice")} of ` +
      `${seconds(time.column_ns)}${rows}. Pictures show the state at each slice's end, so what comes and goes within one isn't ` +
      "seen; what is counted, such as faults, is counted whole" +
      (isRun ? ", and drawn evenly between the samples before and after" : "") + ". Totals are exact."),
    make("p", {}, "Charts are drawn by dygraphs (MIT licence; its notice is in this page's source). This page asks for nothing " +
      "from a network."));
}

/* A press of the button shows all of the time, and, of the map, all addresses. */
function addReset(map) {
  document.getElementById("reset").addEventListener("click", () => {
    if (map) map.reset();
    else setView(...wholeTime);
  });
}

applyTheme("system");
addLead();
addFacts();
addAdvice();
const memoryMap = addMap();
if (!isRun) {
  addUse();
  addFree();
  addFragmentation();
}
addFaults();
if (!isRun) addSwap();
addProcesses();
addAreas();
if (isRun) addHeaps();
else addCaches();
addPhases();
addFoot();
addReset(memoryMap);
document.documentElement.dataset.ready = "yes";
