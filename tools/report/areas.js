/* areas.js: a process's areas, a bar each, with what of it is resident
 *
 * A bar is as long as the logarithm of its area's size: addresses are sparse, and a heap of a GiB
 * stands beside a page of data. Within a bar addresses go from left to right.
 */

const barHeight = 22;

class AreaMap {
  constructor(section, processes) {
    this.section = section;
    this.processes = processes;
    this.chosen = processes[0];
    this.select = make("select", { id: "area-process" }, ...processes.map((process, i) =>
      make("option", { value: String(i) }, processName(process))));
    this.canvas = make("canvas", { role: "img", "aria-label": "Areas of the process" });
    this.box = make("div", { class: "areas" }, this.canvas);
    this.readout = make("div", { class: "readout", id: "area-readout", "aria-live": "polite" });
    section.append(make("div", { class: "tools" }, make("label", { for: "area-process" }, "Process"), this.select),
      this.box, this.readout);
    this.select.addEventListener("change", () => {
      this.chosen = processes[Number(this.select.value)];
      this.at = null;
      this.draw();
      this.say();
      this.refill();
    });
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => { this.at = null; this.draw(); this.say(); });
    theme.listeners.push(() => this.draw());
    new ResizeObserver(() => { if (this.box.clientWidth !== this.width) this.draw(); }).observe(this.box);
    this.say();
  }

  get list() {
    return this.chosen.areas.list;
  }

  place() {
    const width = this.box.clientWidth, narrow = width < 640;
    const left = narrow ? 134 : 344;
    return { width, narrow, left, room: width - left - 4 };
  }

  barWidth(area, p) {
    const most = Math.max(...this.list.map((a) => a.pages), 2);
    return Math.max(4, Math.log2(area.pages + 1) / Math.log2(most + 1) * p.room);
  }

  draw() {
    const p = this.place(), ratio = devicePixelRatio || 1, height = Math.max(1, this.list.length) * barHeight;
    this.width = p.width;
    this.canvas.width = Math.round(p.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = height + "px";
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.textBaseline = "middle";
    this.list.forEach((area, i) => this.drawArea(context, p, area, i * barHeight));
  }

  drawArea(context, p, area, y) {
    context.font = "12px ui-monospace, 'Liberation Mono', monospace";
    context.fillStyle = colour("soft");
    context.textAlign = "left";
    context.fillText(area.start, 0, y + barHeight / 2);
    if (!p.narrow) {
      context.fillText(area.rights, 136, y + barHeight / 2);
      context.font = "12px system-ui, sans-serif";
      context.fillStyle = colour("ink");
      let name = area.name || "anonymous";
      while (name.length > 4 && context.measureText(name).width > p.left - 182) name = "…" + name.slice(2);
      context.fillText(name, 176, y + barHeight / 2);
    }
    const width = this.barWidth(area, p), top = y + 3, height = barHeight - 6;
    context.fillStyle = colour("free-large");
    context.fillRect(p.left, top, width, height);
    context.fillStyle = colour(area.rights[3] === "s" ? "shmem" : /file|^\//.test(area.name) ? "file" : "anon");
    const parts = area.resident_by_part.length ? area.resident_by_part : null;
    if (parts) {
      const each = partPages(area);
      parts.forEach((resident, part) => {
        const pages = Math.min(each, area.pages - part * each);
        if (!resident || pages <= 0) return;
        const from = Math.round(p.left + width * part * each / area.pages);
        const to = Math.round(p.left + width * (part * each + pages) / area.pages);
        context.globalAlpha = 0.25 + 0.75 * resident / pages;
        context.fillRect(from, top, Math.max(to - from, 1), height);
      });
    } else {
      context.fillRect(p.left, top, width * area.resident / area.pages, height);
      if (area.swapped) {
        context.fillStyle = colour("table");
        context.fillRect(p.left + width * area.resident / area.pages, top, width * area.swapped / area.pages, height);
      }
    }
    context.globalAlpha = 1;
    context.strokeStyle = this.at && this.at.area === area ? colour("ink") : colour("line");
    context.strokeRect(p.left + 0.5, top + 0.5, width - 1, height - 1);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect(), p = this.place();
    const area = this.list[Math.floor((event.clientY - box.top) / barHeight)];
    const share = area ? (event.clientX - box.left - p.left) / this.barWidth(area, p) : 0;
    this.at = area ? { area, share } : null;
    this.draw();
    this.say();
  }

  say() {
    const areas = this.chosen.areas;
    if (!this.at) {
      this.readout.textContent = `${processName(this.chosen)} at ${seconds(areas.time_ns)}: ` +
        `${plural(this.list.length, "area")}, ${size(sumOf(this.list.map((a) => a.pages)) * page)} mapped, ` +
        `${size(areas.resident * page)} resident` + (areas.left_out ? `; ${count(areas.left_out)} more areas are left out` : "");
      return;
    }
    const { area, share } = this.at, each = partPages(area);
    const span = (text) => make("span", {}, text);
    const line = [span(`${area.start} to ${area.end}`), span(area.rights), span(area.name || "anonymous"),
      span(`${count(area.resident)} of ${plural(area.pages, "page")} resident (${percent(area.resident, area.pages)})`)];
    if (area.swapped) line.push(span(`${count(area.swapped)} in swap`));
    const part = Math.floor(share * area.pages / each);
    if (area.resident_by_part.length && share >= 0 && share < 1 && part < area.resident_by_part.length) {
      const from = BigInt(area.start) + BigInt(part * each) * BigInt(page);
      line.push(span(`from 0x${from.toString(16)}: ${count(area.resident_by_part[part])} of ` +
        `${count(Math.min(each, area.pages - part * each))}`));
    }
    this.readout.replaceChildren(...line);
  }
}

function partPages(area) {
  return Math.ceil(area.pages / Math.max(1, area.resident_by_part.length || 64));
}

function addAreas() {
  const processes = report.processes.filter((process) => process.areas && process.areas.list.length);
  if (!processes.length) return;
  const section = addSection("areas", "Areas of a process",
    (isRun ? "What a process had mapped when it was last looked at"
      : "What a process had mapped when it was largest") +
    ": a bar for each area, as long as the logarithm of its size, filled where pages are **resident**" +
    (isRun ? " and, in orange, in swap." : ". Stronger colour: more pages of that part are there.") +
    (processes.length < report.processes.length ? ` Known of ${processes.length} of ${report.processes.length}.` : ""));
  const map = new AreaMap(section, processes);
  map.refill = addNumbers(section, "areas", ["start", "end", "rights", "name", "pages", "resident"].concat(isRun ? ["swapped"] : []),
    () => map.list.map((a) => [a.start, a.end, a.rights, a.name, a.pages, a.resident].concat(isRun ? [a.swapped] : [])));
  map.draw();
}
