/* page.js: the page: facts on top, then a section for each picture
 */

function addFact(name, value, more) {
  const dd = make("dd", {}, value);
  if (more) dd.append(make("small", {}, more));
  document.getElementById("facts").append(make("div", {}, make("dt", {}, name), dd));
}

function endText() {
  if (isRun) return report.end;
  const exits = report.marks.filter((mark) => mark.kind === "exit");
  const first = report.marks.find((mark) => mark.kind === "fork");
  const exit = first && exits.find((mark) => mark.pid === first.pid);
  if (report.end === "panic") return "the machine panicked";
  if (!exit) return report.complete ? "the machine ended" : "not told";
  return exit.status & 127 ? `killed by signal ${exit.status & 127}` : `exit status ${exit.status >> 8}`;
}

function addFacts() {
  const total = report.totals, length = time.end_ns - time.begin_ns;
  const first = report.processes.length ? report.processes[0] : null;
  addFact("End", endText(), "after " + seconds(length));
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

function heapText() {
  const heaps = report.processes.filter((process) => process.heap).map((process) => process.heap);
  return heaps.length ? `${size(sumOf(heaps.map((heap) => heap.given_back_bytes)))} given back` : "tells nothing of itself";
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
  const owner = report.processes.find((process) => process.heap);
  if (!owner) return;
  const heap = owner.heap;
  const section = addSection("heap", "The heap",
    `The heap of ${processName(owner)} held **${size(heap.held_bytes)}** at the end, of which ${size(heap.used_bytes)} ` +
    `were the program's; ${size(heap.given_back_bytes)} had gone back to Linux, in all. It mapped memory ` +
    `${count(heap.mmaps)} times and unmapped it ${count(heap.munmaps)} times.`);
  if (heap.held_then.length)
    addChart(section, [
      { name: "held", values: spread(heap.held_then) }, { name: "used", values: spread(heap.used_then) },
    ], { value: size, axis: mebibytes, label: "heap", fill: true, colours: () => [colour("slab"), colour("anon")] });
  if (heap.classes.length) addClasses(section, heap.classes);
}

/* Bars of what each size of block holds; the table has all of them. */
function addClasses(section, classes) {
  const largest = [...classes].sort((a, b) => b.held_bytes - a.held_bytes).slice(0, 12).filter((c) => c.held_bytes);
  const rows = largest.map((c) => {
    const bar = make("div");
    bar.style.cssText = `height:0.8em;border-radius:2px;background:var(--slab);width:${100 * c.held_bytes / largest[0].held_bytes}%`;
    return make("tr", {}, make("td", {}, c.size ? size(c.size) : "larger"), make("td", {}, size(c.held_bytes)),
      make("td", {}, count(c.live)), make("td", { class: "text", style: "width:60%" }, bar));
  });
  if (rows.length)
    section.append(make("table", { id: "classes" }, make("thead", {}, make("tr", {},
      ...["block", "held", "live blocks", ""].map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)));
  addNumbers(section, "classes", ["size_bytes", "allocated", "freed", "live", "held_bytes"], () =>
    classes.map((c) => [c.size, c.allocated, c.freed, c.live, c.held_bytes]));
}

/* ---- the rest -------------------------------------------------------------------------------- */

function addPhases() {
  if (!report.marks.length) return;
  const shown = report.marks.filter((mark) => mark.kind !== "exit" && mark.kind !== "fork").length;
  const section = addSection("phases", "Phases",
    `${plural(shown, "phase")} and beginnings of programs are lines in the pictures; the numbers have forks and ends, too. ` +
    (isRun ? "" : "A program marks a phase by writing to /dev/kmsg.") +
    (report.marks_left_out ? ` ${count(report.marks_left_out)} later ones were too many and are left out.` : ""));
  addNumbers(section, "phases", ["time_s", "kind", "pid", "text", "status_or_parent"], () => report.marks.map((mark) =>
    [mark.time_ns / 1e9, mark.kind, mark.pid || 0, mark.text, mark.status ?? mark.parent ?? 0]));
}

function addFoot() {
  const rows = report.map ? ` and addresses into ${plural(report.map.rows, "row")} of ${plural(report.map.frames_per_row, "frame")}` : "";
  document.getElementById("foot").append(
    make("p", {}, `Made by quire ${report.quire} from ${report.file}. Sampled: time is cut into ${plural(time.columns, "slice")} of ` +
      `${seconds(time.column_ns)}${rows}. Pictures show the state at each slice's end, so what comes and goes within one isn't ` +
      "seen; what is counted, such as faults, is counted whole. Totals are exact."),
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
