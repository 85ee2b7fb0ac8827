/* base.js: the report's data, numbers as text, tables, colours, and the time that is shown
 *
 * Everything here is made from the JSON in #data. Text goes into the page as text, never as markup.
 */
const report = JSON.parse(document.getElementById("data").textContent);
const time = report.time;
const isRun = report.source === "run";
const page = report.page_bytes;

/* ---- elements -------------------------------------------------------------------------------- */

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* ---- numbers --------------------------------------------------------------------------------- */

function count(number) {
  return Math.round(number).toLocaleString("en-US");
}

function plural(number, one, many) {
  return count(number) + " " + (number === 1 ? one : many || one + "s");
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; bytes >= 1024 - (unit && 0.05) && unit < units.length - 1; unit++) bytes /= 1024;
  return (unit ? bytes.toFixed(1) : count(bytes)) + " " + units[unit];
}

function seconds(ns) {
  const s = ns / 1e9;
  if (Math.abs(s) < 1e-3) return (ns / 1e3).toFixed(1) + " µs";
  return s < 1 ? (s * 1e3).toFixed(1) + " ms" : s.toFixed(3) + " s";
}

/* What isn't nothing isn't 0, and what isn't all isn't 100. */
function percent(part, whole) {
  const share = whole ? 100 * part / whole : 0;
  if (part && share < 0.05) return "<0.1 %";
  return part < whole && share >= 99.95 ? ">99.9 %" : share.toFixed(1) + " %";
}

/* ---- time ------------------------------------------------------------------------------------ */

/* A column's beginning and end, in seconds of the machine's clock. */
function columnBegin(column) {
  return (time.begin_ns + column * time.column_ns) / 1e9;
}
function columnEnd(column) {
  return column + 1 < time.columns ? columnBegin(column + 1) : Math.max(time.end_ns / 1e9, columnBegin(column));
}
function columnAt(s) {
  const column = Math.floor((s * 1e9 - time.begin_ns) / time.column_ns);
  return Math.min(Math.max(column, 0), time.columns - 1);
}
const wholeTime = [columnBegin(0), Math.max(columnEnd(time.columns - 1), columnBegin(0) + 1e-6)];

/* What all pictures show: [from, to]. Whoever draws registers, and is called with each change. */
const view = { range: wholeTime.slice(), listeners: [] };

function setView(from, to) {
  const least = Math.min(4 * time.column_ns / 1e9, wholeTime[1] - wholeTime[0]);
  if (to - from < least) {
    const middle = (from + to) / 2;
    from = middle - least / 2;
    to = middle + least / 2;
  }
  const length = Math.min(to - from, wholeTime[1] - wholeTime[0]);
  from = Math.min(Math.max(from, wholeTime[0]), wholeTime[1] - length);
  to = from + length;
  if (length >= wholeTime[1] - wholeTime[0] - 1e-9) [from, to] = wholeTime;
  if (from === view.range[0] && to === view.range[1]) return;
  view.range = [from, to];
  document.getElementById("reset").hidden = isWhole();
  for (const listener of view.listeners) listener();
}

function isWhole() {
  return view.range[0] <= wholeTime[0] && view.range[1] >= wholeTime[1] - 1e-9;
}

/* The largest of 1, 2 and 5 times a power of ten that cuts a length into so many pieces at least. */
function roundStep(length, pieces) {
  const power = 10 ** Math.floor(Math.log10(length / pieces));
  return [5, 2, 1].map((n) => n * power).find((step) => length / step >= pieces) || power;
}

/* A list of [column, value] as a value for each column. */
function spread(points, scale) {
  const values = new Array(time.columns).fill(0);
  for (let i = 0; i < points.length; i++) {
    const end = i + 1 < points.length ? points[i + 1][0] : time.columns;
    values.fill(points[i][1] * (scale || 1), points[i][0], end);
  }
  return values;
}

/* ---- colours --------------------------------------------------------------------------------- */

const theme = { choice: "system", listeners: [], colours: {} };
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  if (!theme.colours[name])
    theme.colours[name] = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  return theme.colours[name];
}

function parts(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function mix(a, b, share) {
  const from = parts(a), to = parts(b);
  return "#" + from.map((c, i) => Math.round(c + (to[i] - c) * share).toString(16).padStart(2, "0")).join("");
}

/* From the smallest order to the largest. */
function orderColour(order, most) {
  const share = most ? order / most : 0;
  return share < 0.5 ? mix(colour("low-order"), colour("middle-order"), 2 * share)
    : mix(colour("middle-order"), colour("high-order"), 2 * share - 1);
}

const seriesNames = ["anon", "table", "file", "slab", "vmalloc", "shmem", "kernel", "metadata"];
function seriesColour(i) {
  return colour(seriesNames[i % seriesNames.length]);
}

function applyTheme(choice) {
  theme.choice = choice;
  const root = document.documentElement;
  if (choice === "system") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", choice);
  root.classList.toggle("dark", choice === "dark" || (choice === "system" && darkSystem.matches));
  theme.colours = {};
  const button = document.getElementById("theme");
  button.textContent = "Colours: " + choice;
  button.setAttribute("aria-label", "Colours: " + choice + ". Change");
  for (const listener of theme.listeners) listener();
}

document.getElementById("theme").addEventListener("click", () => {
  const choices = ["system", "light", "dark"];
  applyTheme(choices[(choices.indexOf(theme.choice) + 1) % 3]);
});
darkSystem.addEventListener("change", () => applyTheme(theme.choice));
addEventListener("beforeprint", () => { theme.before = theme.choice; applyTheme("light"); });
addEventListener("afterprint", () => applyTheme(theme.before || "system"));

/* ---- tables ---------------------------------------------------------------------------------- */

/* What begins as a formula gets an apostrophe, which keeps it text in a spreadsheet. */
function csvField(value) {
  const text = (typeof value === "string" && /^[=+@-]/.test(value) ? "'" : "") + value;
  return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
}

function download(name, head, rows) {
  const lines = [head, ...rows].map((row) => row.map(csvField).join(","));
  const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  const link = make("a", { href: url, download: name + ".csv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function fillTable(box, head, rows) {
  const isText = head.map((_, i) => rows.some((row) => typeof row[i] === "string"));
  const cell = (tag, value, i) => make(tag, isText[i] ? { class: "text" } : tag === "th" ? { scope: "col" } : {},
    typeof value === "number" ? value.toLocaleString("en-US", { maximumFractionDigits: 9 }) : String(value));
  const body = make("tbody");
  for (const row of rows) body.append(make("tr", {}, ...row.map((value, i) => cell("td", value, i))));
  box.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...head.map((h, i) => cell("th", h, i)))), body));
}

/* The exact numbers beside a picture: made when they are opened. `rows` is a function, since what is
 * chosen in a picture may change. */
function addNumbers(section, name, head, rows, note, of) {
  const box = make("div", { class: "numbers", tabindex: "0", role: "region", "aria-label": name + ": numbers" });
  const details = make("details", { "data-table": name }, make("summary", {}, of || "Numbers"));
  const fill = () => fillTable(box, typeof head === "function" ? head() : head, rows());
  details.append(make("div", { class: "tools" },
    make("button", {
      type: "button",
      onclick: () => download(name, typeof head === "function" ? head() : head, rows()),
    }, "Download CSV"), make("label", {}, note || "")), box);
  details.addEventListener("toggle", () => { if (details.open) fill(); });
  section.append(details);
  return () => { if (details.open) fill(); };
}

/* ---- sections -------------------------------------------------------------------------------- */

/* `see` is what one sees: text, with what is between ** and ** set off. */
function addSection(id, title, see) {
  const text = make("p", { class: "see" });
  see.split("**").forEach((piece, i) => text.append(i % 2 ? make("strong", {}, piece) : piece));
  const section = make("section", { id, "aria-labelledby": id + "-title" },
    make("h2", { id: id + "-title" }, title), text);
  document.getElementById("main").append(section);
  document.getElementById("contents").append(make("a", { href: "#" + id }, title));
  return section;
}

/* Phases that pictures show as lines. */
const phases = report.marks.filter((mark) => ["phase", "exec", "oom-kill"].includes(mark.kind))
  .map((mark) => ({
    at: mark.time_ns / 1e9, text: mark.kind === "exec" ? "exec " + mark.text
      : mark.kind === "oom-kill" ? `${mark.text} killed for want of memory` : mark.text,
    isOurs: mark.kind === "exec" || /^the program (starts|has ended)$/.test(mark.text),
  }));

/* Lines and, where there is room, their words, in the first of three rows that has it: to the right of
 * the line, or to the left where the picture ends. A program's own words come before ours, which a small
 * picture leaves out then. `x` is a time's place. */
function drawPhases(context, left, top, width, height, x, isSmall) {
  const shown = phases.filter((phase) => phase.at >= view.range[0] && phase.at <= view.range[1])
    .map((phase) => ({ ...phase, x: Math.min(Math.round(x(phase.at)), left + width - 1) + 0.5 }));
  const taken = [[], [], []];
  context.save();
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  context.textAlign = "left";
  context.setLineDash([3, 3]);
  context.strokeStyle = colour("soft");
  context.lineWidth = 1;
  context.beginPath();
  for (const phase of shown) {
    context.moveTo(phase.x, top);
    context.lineTo(phase.x, top + height);
  }
  context.stroke();
  const words = isSmall && phases.some((phase) => !phase.isOurs) ? shown.filter((phase) => !phase.isOurs) : shown;
  for (const phase of words.sort((a, b) => a.isOurs - b.isOurs || a.at - b.at)) {
    const length = context.measureText(phase.text).width + 8;
    const from = phase.x + length > left + width ? phase.x - length - 1 : phase.x + 1;
    const row = taken.findIndex((spans) => spans.every(([a, b]) => from + length + 2 < a || from > b + 2));
    if (row < 0 || from < left) continue;
    taken[row].push([from, from + length]);
    context.fillStyle = colour("paper");
    context.globalAlpha = 0.8;
    context.fillRect(from, top + 1 + 15 * row, length, 14);
    context.globalAlpha = 1;
    context.fillStyle = colour(phase.isOurs ? "soft" : "ink");
    context.fillText(phase.text, from + 4, top + 3 + 15 * row);
  }
  context.restore();
}
