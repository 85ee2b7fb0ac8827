/* map.js: the map of physical memory: whose the frames were, by address and time
 *
 * The report has, for each column of time, the rows of frames that changed. They are spread to a cell
 * for each row and column once: the number of a state, of which each has its kinds and counts. A
 * picture with a point a cell is drawn from that, and stretched to what is looked at.
 */

/* The kind of most frames of a row: free ones of all orders are one kind against an owner's, and
 * the order of most of them counts when they win. */
function mostOf(state) {
  let owner = 0xff, owned = 0, order = 0xff, ofOrder = 0, free = 0;
  for (let i = 0; i < state.length; i += 2) {
    const [kind, frames] = [state[i], state[i + 1]];
    if (kind >= nrOwners) {
      free += frames;
      if (frames > ofOrder) [order, ofOrder] = [kind, frames];
    } else if (frames > owned) {
      [owner, owned] = [kind, frames];
    }
  }
  return free > owned ? order : owner;
}

function readMap() {
  const map = report.map, rows = map.rows, columns = time.columns;
  const states = [[]], cell = new Uint32Array(rows * columns);
  const kindOf = [0xff];
  for (let column = 0; column < columns; column++) {
    if (column) cell.copyWithin(column * rows, (column - 1) * rows, column * rows);
    for (const change of map.changes[column]) {
      const state = change.slice(1);
      cell[column * rows + change[0]] = states.length;
      states.push(state);
      kindOf.push(mostOf(state));
    }
  }
  return { rows, columns, cell, states, kindOf: Uint8Array.from(kindOf), step: map.frames_per_row };
}

const nrOwners = 8;

function kindText(kind) {
  if (kind < nrOwners) return ownerTexts[owners[kind]];
  return `free, order ${kind - nrOwners}`;
}

function kindColour(kind) {
  if (kind < nrOwners) return colour(owners[kind]);
  const share = report.max_order ? (kind - nrOwners) / report.max_order : 1;
  return mix(colour("free-small"), colour("free-large"), share);
}

/* Bytes as an address: short where addresses are few. */
function frameAddress(frame) {
  return "0x" + (BigInt(Math.round(frame)) * BigInt(page)).toString(16).padStart(8, "0");
}

class MemoryMap {
  constructor(section) {
    this.map = readMap();
    this.section = section;
    this.frames = [0, this.map.rows * this.map.step];
    this.trimHoles();
    this.whole = this.frames.slice();
    this.hidden = new Set();
    this.cursor = null;
    this.build();
    this.paint();
    view.listeners.push(() => this.draw());
    theme.listeners.push(() => { this.paint(); this.draw(); this.fillKinds(); });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  /* Rows at both ends that never had a frame aren't shown. */
  trimHoles() {
    const { rows, columns, cell, states, step } = this.map;
    const used = (row) => states[cell[(columns - 1) * rows + row]].length > 0;
    let first = 0, last = rows - 1;
    while (first < last && !used(first)) first++;
    while (last > first && !used(last)) last--;
    if (used(first)) this.frames = [first * step, (last + 1) * step];
  }

  build() {
    this.under = make("canvas");
    this.over = make("canvas", {
      class: "over", tabindex: "0", role: "application",
      "aria-label": "Map of physical memory. Arrow keys move, plus and minus zoom, 0 shows everything",
    });
    this.box = make("div", { class: "map", id: "memory-map" }, this.under, this.over);
    this.readout = make("div", { class: "readout", id: "map-readout", "aria-live": "polite" });
    this.kinds = make("div", { class: "kinds", role: "group", "aria-label": "Kinds of frames to show" });
    const button = (text, label, act) => make("button", { type: "button", "aria-label": label, onclick: act }, text);
    this.section.append(make("div", { class: "tools" },
      button("+", "Zoom in", () => this.zoom(0.5)), button("−", "Zoom out", () => this.zoom(2)),
      button("All", "Show everything", () => this.reset()),
      make("label", {}, "drag to zoom, Ctrl and the wheel too; double-click for everything")),
    this.box, this.readout, this.kinds);
    this.fillKinds();
    this.say();
    this.listen();
  }

  /* ---- kinds ---- */

  fillKinds() {
    const shown = owners.map((_, kind) => kind).filter((kind) => time.frames_then[owners[kind]].some((n) => n));
    const toggle = (kinds, text, swatch) => make("button", {
      type: "button", "aria-pressed": String(!this.hidden.has(kinds[0])),
      onclick: () => {
        for (const kind of kinds) if (!this.hidden.delete(kind)) this.hidden.add(kind);
        this.paint();
        this.draw();
        this.fillKinds();
      },
    }, swatch, text);
    const swatchOf = (kind) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = kindColour(kind);
      return swatch;
    };
    const free = Array.from({ length: report.max_order + 1 }, (_, order) => nrOwners + order);
    const ramp = make("span", { class: "ramp" }, ...free.map((kind) => {
      const step = make("i");
      step.style.background = kindColour(kind);
      return step;
    }));
    this.kinds.replaceChildren(...shown.map((kind) => toggle([kind], kindText(kind), swatchOf(kind))),
      toggle(free, `free, in blocks of order 0 to ${report.max_order}`, ramp));
  }

  /* ---- drawing ---- */

  /* A point for each cell, low addresses at the bottom. */
  paint() {
    const { rows, columns, cell, kindOf } = this.map;
    const colours = new Uint32Array(256);
    const pixel = ([r, g, b]) => (0xff000000 | b << 16 | g << 8 | r) >>> 0;
    for (let kind = 0; kind <= nrOwners + report.max_order; kind++)
      colours[kind] = this.hidden.has(kind) ? 0 : pixel(parts(kindColour(kind)));
    this.picture = this.picture || make("canvas", { width: columns, height: rows });
    const context = this.picture.getContext("2d"), image = context.createImageData(columns, rows);
    const points = new Uint32Array(image.data.buffer);
    for (let column = 0; column < columns; column++)
      for (let row = 0; row < rows; row++)
        points[(rows - 1 - row) * columns + column] = colours[kindOf[cell[column * rows + row]]];
    context.putImageData(image, 0, 0);
  }

  place() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    const left = 14 + 6.2 * frameAddress(this.whole[1]).length;
    return { width, height, left: Math.round(left), top: 4, right: width - 9, bottom: height - 22 };
  }

  prepare(canvas) {
    const ratio = devicePixelRatio || 1, { width, height } = this.place();
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  x(s) {
    const p = this.place();
    return p.left + (s - view.range[0]) / (view.range[1] - view.range[0]) * (p.right - p.left);
  }

  y(frame) {
    const p = this.place();
    return p.bottom - (frame - this.frames[0]) / (this.frames[1] - this.frames[0]) * (p.bottom - p.top);
  }

  draw() {
    const p = this.place(), context = this.prepare(this.under), { rows, columns, step } = this.map;
    if (p.right <= p.left) return;
    context.save();
    context.beginPath();
    context.rect(p.left, p.top, p.right - p.left, p.bottom - p.top);
    context.clip();
    this.hatch(context, p);
    const begin = this.x(columnBegin(0)), end = this.x(columnBegin(0) + columns * time.column_ns / 1e9);
    const top = this.y(rows * step), bottom = this.y(0);
    context.imageSmoothingEnabled = bottom - top < rows || end - begin < columns;
    context.drawImage(this.picture, begin, top, end - begin, bottom - top);
    context.restore();
    this.drawAxes(context, p);
    drawPhases(context, p.left, p.top, p.right - p.left, p.bottom - p.top, (s) => this.x(s));
    this.drawOver();
  }

  /* What is seen where the allocator has no frames, or those of a kind that isn't shown. */
  hatch(context, p) {
    context.fillStyle = colour("paper");
    context.fillRect(p.left, p.top, p.right - p.left, p.bottom - p.top);
    context.strokeStyle = colour("line");
    context.beginPath();
    for (let x = p.left - (p.bottom - p.top); x < p.right; x += 7) {
      context.moveTo(x, p.bottom);
      context.lineTo(x + p.bottom - p.top, p.top);
    }
    context.stroke();
  }

  drawAxes(context, p) {
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.strokeRect(p.left - 0.5, p.top - 0.5, p.right - p.left + 1, p.bottom - p.top + 1);
    context.fillStyle = colour("soft");
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    const frames = this.frames[1] - this.frames[0];
    const step = 2 ** Math.ceil(Math.log2(frames / Math.max(2, (p.bottom - p.top) / 40)));
    for (let frame = Math.ceil(this.frames[0] / step) * step; frame <= this.frames[1]; frame += step)
      context.fillText(frameAddress(frame), p.left - 6, Math.min(Math.max(this.y(frame), p.top + 6), p.bottom - 5));
    context.textAlign = "center";
    const length = view.range[1] - view.range[0], each = roundStep(length, Math.max(2, (p.right - p.left) / 200));
    for (let i = Math.ceil(view.range[0] / each); i * each <= view.range[1]; i++)
      context.fillText(axisTime(i * each), Math.min(Math.max(this.x(i * each), p.left + 14), p.right - 16), p.bottom + 13);
    this.drawZones(context, p);
  }

  drawZones(context, p) {
    context.save();
    context.textAlign = "right";
    context.strokeStyle = colour("ink");
    context.setLineDash([1, 3]);
    for (const zone of report.zones) {
      if (!zone.spanned) continue;
      const low = this.y(zone.start), high = this.y(zone.start + zone.spanned);
      if (high > p.top && high < p.bottom) {
        context.beginPath();
        context.moveTo(p.left, Math.round(high) + 0.5);
        context.lineTo(p.right, Math.round(high) + 0.5);
        context.stroke();
      }
      const at = (Math.max(high, p.top) + Math.min(low, p.bottom)) / 2;
      if (Math.min(low, p.bottom) - Math.max(high, p.top) < 16) continue;
      const text = report.zones.some((z) => z.node) ? `node ${zone.node} ${zone.zone}` : zone.zone;
      const width = context.measureText(text).width + 8;
      context.globalAlpha = 0.8;
      context.fillStyle = colour("paper");
      context.fillRect(p.right - width - 2, at - 8, width, 16);
      context.globalAlpha = 1;
      context.fillStyle = colour("ink");
      context.fillText(text, p.right - 6, at);
    }
    context.restore();
  }

  drawOver() {
    const p = this.place(), context = this.prepare(this.over);
    context.lineWidth = 1;
    context.strokeStyle = colour("ink");
    if (this.cursor) {
      const { column, row } = this.cursor, step = this.map.step;
      const x = this.x(columnBegin(column)), width = this.x(columnBegin(column) + time.column_ns / 1e9) - x;
      const y = this.y((row + 1) * step), height = this.y(row * step) - y;
      context.save();
      context.beginPath();
      context.rect(p.left, p.top, p.right - p.left, p.bottom - p.top);
      context.clip();
      context.globalAlpha = 0.35;
      context.beginPath();
      context.moveTo(x + width / 2, p.top);
      context.lineTo(x + width / 2, p.bottom);
      context.moveTo(p.left, y + height / 2);
      context.lineTo(p.right, y + height / 2);
      context.stroke();
      context.globalAlpha = 1;
      context.strokeRect(x - 1, y - 1, Math.max(width, 2) + 2, Math.max(height, 2) + 2);
      context.restore();
    }
    if (this.drag) {
      const { x0, y0, x1, y1 } = this.drag;
      context.fillStyle = colour("accent");
      context.globalAlpha = 0.2;
      context.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
      context.globalAlpha = 1;
      context.strokeStyle = colour("accent");
      context.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    }
  }

  /* ---- what the cursor is on ---- */

  point(event) {
    const box = this.over.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  timeAt(x) {
    const p = this.place();
    return view.range[0] + (x - p.left) / (p.right - p.left) * (view.range[1] - view.range[0]);
  }

  frameAt(y) {
    const p = this.place();
    return this.frames[0] + (p.bottom - y) / (p.bottom - p.top) * (this.frames[1] - this.frames[0]);
  }

  moveTo(x, y) {
    const p = this.place();
    const inside = x >= p.left && x <= p.right && y >= p.top && y <= p.bottom;
    this.cursor = inside ? {
      column: columnAt(this.timeAt(x)),
      row: Math.min(Math.max(Math.floor(this.frameAt(y) / this.map.step), 0), this.map.rows - 1),
    } : null;
    this.drawOver();
    this.say();
  }

  say() {
    if (!this.cursor) {
      this.readout.textContent = `Each point is ${plural(this.map.step, "frame")} (${size(this.map.step * page)}) at the ` +
        `end of ${seconds(time.column_ns)}, in the colour of what most of them hold. Point at it for the exact numbers.`;
      return;
    }
    const { column, row } = this.cursor, { rows, cell, states, step } = this.map;
    const state = states[cell[column * rows + row]];
    const line = [make("span", {}, make("strong", {}, `at ${seconds(columnEnd(column) * 1e9)}`)),
      make("span", {}, `${frameAddress(row * step)} to ${frameAddress((row + 1) * step)}` +
        (step > 1 ? `, frames ${count(row * step)} to ${count((row + 1) * step - 1)}` : `, frame ${count(row)}`))];
    const kinds = [];
    for (let i = 0; i < state.length; i += 2) kinds.push([state[i], state[i + 1]]);
    for (const [kind, frames] of kinds.sort((a, b) => b[1] - a[1])) {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = kindColour(kind);
      line.push(make("span", {}, swatch, `${kindText(kind)}: ${count(frames)}`));
    }
    if (!kinds.length) line.push(make("span", {}, "no frames of the allocator"));
    this.readout.replaceChildren(...line);
  }

  /* ---- zooming ---- */

  setFrames(from, to) {
    const least = Math.min(8 * this.map.step, this.whole[1] - this.whole[0]);
    if (to - from < least) [from, to] = [(from + to - least) / 2, (from + to + least) / 2];
    const length = Math.min(to - from, this.whole[1] - this.whole[0]);
    from = Math.min(Math.max(from, this.whole[0]), this.whole[1] - length);
    this.frames = [from, from + length];
  }

  /* By a factor, around a place; without one, around the middle. */
  zoom(factor, x, y) {
    const p = this.place();
    const s = this.timeAt(x === undefined ? (p.left + p.right) / 2 : x);
    const frame = this.frameAt(y === undefined ? (p.top + p.bottom) / 2 : y);
    this.setFrames(frame - (frame - this.frames[0]) * factor, frame + (this.frames[1] - frame) * factor);
    setView(s - (s - view.range[0]) * factor, s + (view.range[1] - s) * factor);
    this.draw();
  }

  reset() {
    this.frames = this.whole.slice();
    setView(...wholeTime);
    this.draw();
  }

  endDrag() {
    const { x0, y0, x1, y1 } = this.drag;
    this.drag = null;
    if (Math.abs(x1 - x0) > 5 && Math.abs(y1 - y0) > 5) {
      const s = [this.timeAt(Math.min(x0, x1)), this.timeAt(Math.max(x0, x1))];
      this.setFrames(this.frameAt(Math.max(y0, y1)), this.frameAt(Math.min(y0, y1)));
      setView(s[0], s[1]);
      this.draw();
    } else {
      this.drawOver();
    }
  }

  keep(x, y) {
    const p = this.place();
    return { x: Math.min(Math.max(x, p.left), p.right), y: Math.min(Math.max(y, p.top), p.bottom) };
  }

  listen() {
    const over = this.over;
    over.addEventListener("pointerdown", (event) => {
      if (event.button || event.pointerType === "touch") return;
      const { x, y } = this.keep(this.point(event).x, this.point(event).y);
      this.drag = { x0: x, y0: y, x1: x, y1: y };
      over.setPointerCapture(event.pointerId);
    });
    over.addEventListener("pointermove", (event) => {
      const { x, y } = this.point(event);
      if (this.drag) [this.drag.x1, this.drag.y1] = [this.keep(x, y).x, this.keep(x, y).y];
      this.moveTo(x, y);
    });
    over.addEventListener("pointerup", () => { if (this.drag) this.endDrag(); });
    over.addEventListener("pointercancel", () => { this.drag = null; this.drawOver(); });
    over.addEventListener("pointerleave", () => { if (!this.drag) this.moveTo(-1, -1); });
    over.addEventListener("dblclick", () => this.reset());
    over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { x, y } = this.point(event);
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, x, y);
    }, { passive: false });
    over.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (steps[event.key]) {
      const at = this.cursor || { column: columnAt((view.range[0] + view.range[1]) / 2),
        row: Math.floor((this.frames[0] + this.frames[1]) / 2 / this.map.step) };
      const far = event.shiftKey ? 10 : 1;
      this.cursor = {
        column: Math.min(Math.max(at.column + steps[event.key][0] * far, 0), time.columns - 1),
        row: Math.min(Math.max(at.row + steps[event.key][1] * far, 0), this.map.rows - 1),
      };
      this.drawOver();
      this.say();
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const at = this.cursor && [this.x((columnBegin(this.cursor.column) + columnEnd(this.cursor.column)) / 2),
        this.y((this.cursor.row + 0.5) * this.map.step)];
      this.zoom(event.key === "-" ? 2 : 0.5, ...(at || []));
    } else if (event.key === "0" || event.key === "Escape") {
      this.reset();
    } else {
      return;
    }
    event.preventDefault();
  }
}

function addMap() {
  if (!report.map) return null;
  const section = addSection("map", "Physical memory",
    "Every frame of the machine, by **address** (upwards) and **time** (to the right), in the colour of its owner. " +
    "Free memory has the colour of the paper, darker where it is in smaller blocks; what is hatched isn't the allocator's.");
  const map = new MemoryMap(section);
  const names = report.map.kinds;
  addNumbers(section, "map", ["end_s", "first_frame", "frames", ...names], () => {
    const column = map.cursor ? map.cursor.column : columnAt(view.range[1]);
    return Array.from({ length: map.map.rows }, (_, row) => {
      const state = map.map.states[map.map.cell[column * map.map.rows + row]], counts = new Array(names.length).fill(0);
      for (let i = 0; i < state.length; i += 2) counts[state[i]] = state[i + 1];
      return [columnEnd(column), row * map.map.step, sumOf(counts), ...counts];
    });
  }, "at the end of the time that is shown; -o csv --table=map has all times");
  return map;
}
