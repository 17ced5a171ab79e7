// The one canvas of the course. It draws a scene (see scene.py), moves marks at once by itself, and tells the
// kernel about it in messages that carry a counter; the answer repeats the counter. While an answer is on its
// way only the newest position of every mark is kept, so nothing queues up behind a slow kernel.

const ROLES = {
  text: ["--jp-content-font-color1", "#212121"],
  muted: ["--jp-content-font-color2", "#616161"],
  background: ["--jp-layout-color0", "#ffffff"],
  border: ["--jp-border-color1", "#bdbdbd"],
  panel: ["--jp-layout-color2", "#f5f5f5"],
};
const TARGET = 12; // px: a pointer target is at least 24 px wide
const PATIENCE = 10000; // ms without an answer after which events are sent again
const REST = 600; // ms without an arrow key after which a mark moved by keys counts as let go

function floats(view) {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function bytes(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function bitmap(packed) {
  const { width, height, channels } = packed;
  const source = bytes(packed.data);
  const image = new ImageData(width, height);
  if (channels === 4) image.data.set(source);
  else {
    for (let i = 0, j = 0; j < source.length; i += 4, j += 3) {
      image.data[i] = source[j];
      image.data[i + 1] = source[j + 1];
      image.data[i + 2] = source[j + 2];
      image.data[i + 3] = 255;
    }
  }
  const store = document.createElement("canvas");
  store.width = width;
  store.height = height;
  store.getContext("2d").putImageData(image, 0, 0);
  return store;
}

// Nearest allowed position; the same rule as Rail.snap in scene.py.
function onRail(rail, x, y) {
  let best = [x, y];
  let bestGap = Infinity;
  for (const [x0, y0, x1, y1, width] of rail) {
    const dx = x1 - x0;
    const dy = y1 - y0;
    const t = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / Math.max(dx * dx + dy * dy, 1e-12)));
    const footX = x0 + t * dx;
    const footY = y0 + t * dy;
    const distance = Math.hypot(x - footX, y - footY);
    const gap = Math.max(0, distance - width);
    if (gap < bestGap) {
      const keep = distance > 0 ? Math.min(1, width / distance) : 0;
      best = [footX + keep * (x - footX), footY + keep * (y - footY)];
      bestGap = gap;
    }
  }
  return best;
}

class Board {
  constructor(model, el) {
    this.model = model;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "course-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.dataset.lmSuppressShortcuts = "true";
    this.canvas.dataset.drawn = "0";
    this.canvas.dataset.answer = "0";
    this.canvas.dataset.sent = "0";
    el.appendChild(this.canvas);
    this.kept = new Map(); // name -> [packed, bitmap]
    this.stores = new Map(); // name -> the same at the size of the screen
    this.local = new Map(); // mark or "brush" -> {value, counter} until the kernel has answered
    this.pending = [];
    this.sent = 0;
    this.inFlight = 0;
    this.chosen = null;
    this.over = null;
    this.drag = null;
    this.scale = 1;
    this.listening = new AbortController();
    this.readScene();
    this.listen();
    this.resize();
  }

  // ---- what the kernel sends ---------------------------------------------------------------------------------
  readScene() {
    this.scene = this.model.get("scene");
    this.ready = Boolean(this.scene && this.scene.box);
    if (!this.ready) return;
    const kept = this.model.get("kept") || {};
    for (const name of Object.keys(kept)) {
      const old = this.kept.get(name);
      if (!old || old[0] !== kept[name]) this.kept.set(name, [kept[name], bitmap(kept[name])]);
    }
    this.layers = this.scene.layers.map((layer) => this.unpack(layer));
    const answer = this.model.get("answer");
    for (const [name, entry] of this.local) if (entry.counter && entry.counter <= answer) this.local.delete(name);
    const names = this.items().map((item) => item.name);
    if (this.chosen !== null && !names.includes(this.chosen)) this.chosen = null;
    this.describe();
  }

  unpack(layer) {
    if (layer.kind === "picture") {
      const entry = this.kept.get(layer.keep);
      return { ...layer, bitmap: layer.keep ? entry && entry[1] : bitmap(layer.picture) };
    }
    const read = { ...layer };
    for (const key of ["xy", "starts", "ends", "headings"]) if (layer[key]) read[key] = floats(layer[key]);
    if (layer.size && typeof layer.size === "object") read.size = floats(layer.size);
    for (const key of ["colour", "fill"]) if (layer[key] && typeof layer[key] === "object") read[key] = bytes(layer[key]);
    return read;
  }

  answered() {
    const answer = this.model.get("answer");
    this.canvas.dataset.answer = String(answer);
    if (answer >= this.inFlight) {
      this.inFlight = 0;
      clearTimeout(this.waiting);
      this.flush();
    }
  }

  // ---- what it sends -----------------------------------------------------------------------------------------
  tell(event) {
    const same = (other) => other.kind === event.kind && other.name === event.name;
    if (["move", "brush", "hover"].includes(event.kind)) this.pending = this.pending.filter((other) => !same(other));
    this.pending.push(event);
    this.flush();
  }

  flush() {
    if (this.inFlight || this.pending.length === 0) return;
    this.sent += 1;
    // Several views can show one model: a counter that is never below the model's own answer stays unique enough.
    this.sent = Math.max(this.sent, this.model.get("answer") + 1);
    this.inFlight = this.sent;
    this.canvas.dataset.sent = String(this.sent);
    for (const event of this.pending) {
      const entry = this.local.get(event.kind === "brush" ? "brush" : event.name);
      if (entry && ["move", "brush"].includes(event.kind)) entry.counter = this.sent;
    }
    this.model.send({ kind: "events", counter: this.sent, events: this.pending });
    this.pending = [];
    this.waiting = setTimeout(() => {
      this.inFlight = 0;
      this.flush();
    }, PATIENCE);
  }

  // ---- geometry ----------------------------------------------------------------------------------------------
  px(x, y) {
    const [left, right, bottom, top] = this.scene.box;
    const { width, height } = this.scene;
    return [(((x - left) / (right - left)) * width) * this.scale, (((top - y) / (top - bottom)) * height) * this.scale];
  }

  data(px, py) {
    const [left, right, bottom, top] = this.scene.box;
    const { width, height } = this.scene;
    return [left + (px / (width * this.scale)) * (right - left), top - (py / (height * this.scale)) * (top - bottom)];
  }

  unit() {
    const [left, right] = this.scene.box;
    return (this.scene.width / Math.abs(right - left)) * this.scale; // pixels per data unit, along x
  }

  at(mark) {
    const entry = this.local.get(mark.name);
    if (entry) return entry.value;
    return [mark.x, mark.y];
  }

  mark(name) {
    return this.scene.marks.find((mark) => mark.name === name);
  }

  brushBox() {
    const entry = this.local.get("brush");
    return entry ? entry.value : this.scene.brush;
  }

  items() {
    if (!this.ready) return [];
    const brush = this.brushBox() ? [{ name: "brush", label: "selection rectangle; arrows move it, plus and minus resize it" }] : [];
    return [...this.scene.marks, ...brush, ...this.scene.fields];
  }

  place(mark, x, y) {
    const [left, right, bottom, top] = this.scene.box;
    x = Math.min(Math.max(x, Math.min(left, right)), Math.max(left, right));
    y = Math.min(Math.max(y, Math.min(bottom, top)), Math.max(bottom, top));
    if (mark.orbit > 0) {
      const [cx, cy] = this.at(this.mark(mark.parent));
      const angle = Math.atan2(y - cy, x - cx);
      x = cx + mark.orbit * Math.cos(angle);
      y = cy + mark.orbit * Math.sin(angle);
    } else if (mark.rail) {
      [x, y] = onRail(mark.rail, x, y);
    }
    const [oldX, oldY] = this.at(mark);
    this.local.set(mark.name, { value: [x, y], counter: 0 });
    for (const child of this.scene.marks) {
      if (child.parent !== mark.name) continue;
      const [childX, childY] = this.at(child);
      this.local.set(child.name, { value: [childX + x - oldX, childY + y - oldY], counter: this.sent + 1 });
    }
    this.tell({ kind: "move", name: mark.name, x, y });
  }

  placeBrush(box) {
    const [left, right, bottom, top] = this.scene.box;
    const [l, r] = [Math.min(box[0], box[1]), Math.max(box[0], box[1])];
    const [b, t] = [Math.min(box[2], box[3]), Math.max(box[2], box[3])];
    const [x0, x1, y0, y1] = [Math.min(left, right), Math.max(left, right), Math.min(bottom, top), Math.max(bottom, top)];
    const value = [Math.max(l, x0), Math.min(r, x1), Math.max(b, y0), Math.min(t, y1)];
    this.local.set("brush", { value, counter: 0 });
    this.tell({ kind: "brush", name: "brush", box: value });
  }

  // ---- drawing -----------------------------------------------------------------------------------------------
  colour(value) {
    const role = ROLES[value];
    if (!role) return value;
    return getComputedStyle(this.canvas).getPropertyValue(role[0]).trim() || role[1];
  }

  pick(value, i) {
    if (typeof value === "string") return this.palette(value);
    const j = 4 * i;
    return `rgba(${value[j]},${value[j + 1]},${value[j + 2]},${value[j + 3] / 255})`;
  }

  palette(value) {
    if (!(value in this.roles)) this.roles[value] = this.colour(value);
    return this.roles[value];
  }

  resize() {
    if (!this.ready) return;
    const room = this.canvas.parentElement ? this.canvas.parentElement.clientWidth : 0;
    this.scale = room > 0 ? Math.min(1, room / this.scene.width) : 1;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.scene.width * this.scale * ratio));
    const height = Math.max(1, Math.round(this.scene.height * this.scale * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.canvas.style.width = `${width / ratio}px`;
      this.canvas.style.height = `${height / ratio}px`;
    }
    this.ratio = ratio;
    this.draw();
  }

  draw() {
    if (!this.ready) return;
    this.roles = {};
    this.family = getComputedStyle(this.canvas).getPropertyValue("--jp-ui-font-family") || "sans-serif";
    const context = this.canvas.getContext("2d");
    this.context = context;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = this.palette("background");
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    for (const layer of this.layers) this[layer.kind](layer);
    this.drawBrush();
    const held = (mark) => this.drag !== null && [mark.name, mark.parent].includes(this.drag.name);
    for (const mark of this.scene.marks) if (!held(mark)) this.drawMark(mark);
    for (const mark of this.scene.marks) if (held(mark)) this.drawMark(mark); // what the hand holds lies on top
    this.drawFocus();
    this.canvas.dataset.drawn = String(Number(this.canvas.dataset.drawn) + 1);
  }

  // One redraw for everything that happens now: a scene, pictures and an answer arrive together.
  soon(news = false) {
    this.news = this.news || news;
    if (this.planned) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      if (this.closed) return;
      if (this.news) {
        this.news = false;
        this.readScene();
        this.answered();
      }
      this.resize();
    });
  }

  picture(layer) {
    if (!layer.bitmap) return;
    const [left, right, bottom, top] = layer.extent;
    const [x0, y0] = this.px(left, top);
    const [x1, y1] = this.px(right, bottom);
    this.context.globalAlpha = layer.opacity;
    if (layer.keep) this.context.drawImage(this.scaled(layer, x1 - x0, y1 - y0), x0, y0, x1 - x0, y1 - y0);
    else {
      this.context.imageSmoothingEnabled = layer.smooth;
      this.context.imageSmoothingQuality = "medium";
      this.context.drawImage(layer.bitmap, x0, y0, x1 - x0, y1 - y0);
    }
    this.context.globalAlpha = 1;
  }

  // A background at the size of the screen, made once per size: scaling it down at every redraw is slow.
  scaled(layer, width, height) {
    const [w, h] = [Math.max(1, Math.round(Math.abs(width) * this.ratio)), Math.max(1, Math.round(Math.abs(height) * this.ratio))];
    const old = this.stores.get(layer.keep);
    if (old && old.from === layer.bitmap && old.store.width === w && old.store.height === h) return old.store;
    const store = document.createElement("canvas");
    store.width = w;
    store.height = h;
    const context = store.getContext("2d");
    context.imageSmoothingEnabled = layer.smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(layer.bitmap, 0, 0, w, h);
    this.stores.set(layer.keep, { from: layer.bitmap, store });
    return store;
  }

  points(layer) {
    for (let i = 0; 2 * i < layer.xy.length; i++) {
      const [x, y] = this.px(layer.xy[2 * i], layer.xy[2 * i + 1]);
      const size = (typeof layer.size === "number" ? layer.size : layer.size[i]) * this.scale;
      this.symbol(x, y, layer.shape, size, this.pick(layer.colour, i), layer.filled, layer.outline, layer.headings ? layer.headings[i] : 0);
    }
  }

  symbol(x, y, shape, size, colour, filled, outline, heading) {
    const c = this.context;
    c.beginPath();
    if (shape === "circle" || shape === "ring") c.arc(x, y, size, 0, 2 * Math.PI);
    else if (shape === "square") c.rect(x - 0.9 * size, y - 0.9 * size, 1.8 * size, 1.8 * size);
    else if (shape === "cross" || shape === "plus" || shape === "tick") {
      const s = 0.8 * size;
      if (shape === "cross") [[-s, -s, s, s], [-s, s, s, -s]].forEach(([a, b, d, e]) => (c.moveTo(x + a, y + b), c.lineTo(x + d, y + e)));
      if (shape === "plus") [[-size, 0, size, 0], [0, -size, 0, size]].forEach(([a, b, d, e]) => (c.moveTo(x + a, y + b), c.lineTo(x + d, y + e)));
      if (shape === "tick") (c.moveTo(x - s, y), c.lineTo(x - 0.25 * s, y + 0.8 * s), c.lineTo(x + s, y - 0.8 * s));
      c.lineCap = "round";
      c.lineJoin = "round";
      if (outline) {
        c.lineWidth = 0.45 * size + 3 * this.scale;
        c.strokeStyle = this.palette(outline);
        c.stroke();
      }
      c.lineWidth = 0.45 * size;
      c.strokeStyle = colour;
      c.stroke();
      return;
    } else {
      const corners = {
        triangle: [[0, -1.15], [1, 0.7], [-1, 0.7]],
        diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
        arrow: [[1.5, 0], [-0.9, -0.95], [-0.45, 0], [-0.9, 0.95]],
        star: Array.from({ length: 10 }, (_, i) => {
          const r = i % 2 ? 0.5 : 1.2;
          const a = -Math.PI / 2 + (i * Math.PI) / 5;
          return [r * Math.cos(a), r * Math.sin(a)];
        }),
      }[shape];
      const turn = shape === "arrow" ? heading : 0;
      const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
      corners.forEach(([a, b], i) => {
        const [px, py] = [x + size * (a * cos + b * sin), y + size * (b * cos - a * sin)];
        if (i) c.lineTo(px, py);
        else c.moveTo(px, py);
      });
      c.closePath();
    }
    c.lineJoin = "round";
    if (filled && shape !== "ring") {
      if (outline) {
        c.lineWidth = 2.5 * this.scale;
        c.strokeStyle = this.palette(outline);
        c.stroke();
      }
      c.fillStyle = colour;
      c.fill();
    } else {
      if (shape !== "ring" && size <= 10 * this.scale) {
        c.fillStyle = this.palette("background");
        c.fill();
      }
      c.lineWidth = 2.5 * this.scale;
      c.strokeStyle = colour;
      c.stroke();
    }
  }

  segments(layer) {
    const c = this.context;
    for (let i = 0; 2 * i < layer.starts.length; i++) {
      const [x0, y0] = this.px(layer.starts[2 * i], layer.starts[2 * i + 1]);
      const [x1, y1] = this.px(layer.ends[2 * i], layer.ends[2 * i + 1]);
      const length = Math.hypot(x1 - x0, y1 - y0);
      c.strokeStyle = c.fillStyle = this.pick(layer.colour, i);
      c.lineWidth = layer.width * this.scale;
      c.lineCap = "round";
      c.setLineDash(layer.dashed ? [5 * this.scale, 5 * this.scale] : []);
      const head = layer.arrow ? Math.min(length, (4 + 3 * layer.width) * this.scale) : 0;
      const [ux, uy] = length > 0 ? [(x1 - x0) / length, (y1 - y0) / length] : [0, 0];
      c.beginPath();
      c.moveTo(x0, y0);
      c.lineTo(x1 - 0.8 * head * ux, y1 - 0.8 * head * uy);
      c.stroke();
      c.setLineDash([]);
      if (head > 0) {
        c.beginPath();
        c.moveTo(x1, y1);
        c.lineTo(x1 - head * ux - 0.5 * head * uy, y1 - head * uy + 0.5 * head * ux);
        c.lineTo(x1 - head * ux + 0.5 * head * uy, y1 - head * uy - 0.5 * head * ux);
        c.fill();
      }
    }
  }

  polygons(layer) {
    const c = this.context;
    let at = 0;
    c.globalAlpha = layer.opacity;
    layer.counts.forEach((count, i) => {
      c.beginPath();
      for (let j = 0; j < count; j++, at++) {
        const [x, y] = this.px(layer.xy[2 * at], layer.xy[2 * at + 1]);
        if (j) c.lineTo(x, y);
        else c.moveTo(x, y);
      }
      c.closePath();
      this.finish(typeof layer.fill === "string" ? layer.fill && this.palette(layer.fill) : this.pick(layer.fill, i), layer);
    });
    c.globalAlpha = 1;
  }

  circle(layer) {
    const [x, y] = this.px(layer.x, layer.y);
    this.context.globalAlpha = layer.opacity;
    this.context.beginPath();
    this.context.arc(x, y, layer.radius * this.unit(), 0, 2 * Math.PI);
    this.finish(layer.fill && this.palette(layer.fill), layer);
    this.context.globalAlpha = 1;
  }

  finish(fill, layer) {
    const c = this.context;
    if (fill) {
      c.fillStyle = fill;
      c.fill();
    }
    if (layer.outline && layer.width > 0) {
      c.setLineDash(layer.dashed ? [6 * this.scale, 5 * this.scale] : []);
      c.lineWidth = layer.width * this.scale;
      c.lineJoin = "round";
      c.strokeStyle = this.palette(layer.outline);
      c.stroke();
      c.setLineDash([]);
    }
  }

  text(layer) {
    layer.strings.forEach((string, i) => {
      const [x, y] = this.px(layer.xy[2 * i], layer.xy[2 * i + 1]);
      this.write(string, x, y, layer);
    });
  }

  write(string, x, y, { colour = "text", size = 13, align = "left", bold = false, halo = false }) {
    const c = this.context;
    c.font = `${bold ? "600 " : ""}${size * this.scale}px ${this.family}`;
    c.textAlign = { left: "left", centre: "center", right: "right" }[align];
    c.textBaseline = "middle";
    if (halo) {
      c.lineWidth = 4 * this.scale;
      c.lineJoin = "round";
      c.strokeStyle = this.palette("background");
      c.strokeText(string, x, y);
    }
    c.fillStyle = this.palette(colour);
    c.fillText(string, x, y);
  }

  drawMark(mark) {
    const [x, y] = this.px(...this.at(mark));
    if (mark.card) return this.drawCard(mark, x, y);
    const size = mark.size * this.scale;
    let heading = mark.heading || 0;
    if (mark.orbit > 0) {
      const [px, py] = this.px(...this.at(this.mark(mark.parent)));
      heading = Math.atan2(py - y, x - px);
      this.context.beginPath();
      this.context.moveTo(px, py);
      this.context.lineTo(x, y);
      this.context.lineWidth = 5 * this.scale;
      this.context.strokeStyle = this.palette("background");
      this.context.stroke();
      this.context.lineWidth = 2.5 * this.scale;
      this.context.strokeStyle = this.palette(mark.colour);
      this.context.stroke();
    }
    this.symbol(x, y, mark.shape, size, this.palette(mark.colour), mark.filled, "background", heading);
    if (mark.tag) this.write(mark.tag, x + size + 4 * this.scale, y - size, { colour: "text", size: 12, bold: true, halo: true });
    if (this.over === mark.name && this.chosen !== mark.name) this.halo(x, y, size + 5 * this.scale, false);
  }

  drawCard(mark, x, y) {
    const [c, card, s] = [this.context, mark.card, this.scale];
    const [w, h] = [card.width * s, card.height * s];
    const plate = (grow) => (c.beginPath(), c.roundRect(x - w / 2 - grow, y - h / 2 - grow, w + 2 * grow, h + 2 * grow, 6 * s));
    plate(0);
    c.fillStyle = this.palette(mark.filled ? "panel" : "background");
    c.fill();
    c.lineWidth = 2 * s;
    c.strokeStyle = this.palette(mark.colour);
    c.stroke();
    this.write(card.title, x, y + card.rows[0] * s, { size: 13, align: "centre", bold: true });
    if (card.note) this.write(card.note, x, y + card.rows[1] * s, { size: 12, align: "centre" });
    if (card.level !== null) {
      const [half, down] = [card.bar[0] * s, card.bar[1] * s];
      const line = (end, width, colour) => {
        c.beginPath();
        c.moveTo(x - half, y + down);
        c.lineTo(end, y + down);
        c.lineWidth = width * s;
        c.lineCap = "round";
        c.strokeStyle = this.palette(colour);
        c.stroke();
      };
      line(x + half, 4, "border");
      line(x - half + 2 * half * card.level, 4, mark.colour);
    }
    if (this.over !== mark.name || this.chosen === mark.name) return;
    plate(3 * s);
    c.lineWidth = 1.5 * s;
    c.strokeStyle = this.palette("text");
    c.stroke();
  }

  halo(x, y, radius, strong) {
    const c = this.context;
    c.beginPath();
    c.arc(x, y, radius, 0, 2 * Math.PI);
    c.lineWidth = (strong ? 2.5 : 1.5) * this.scale;
    c.setLineDash(strong ? [4 * this.scale, 3 * this.scale] : []);
    c.strokeStyle = this.palette("text");
    c.stroke();
    c.setLineDash([]);
  }

  drawBrush() {
    const box = this.brushBox();
    if (!box) return;
    const c = this.context;
    const [x0, y0] = this.px(box[0], box[3]);
    const [x1, y1] = this.px(box[1], box[2]);
    c.fillStyle = "rgba(204,121,167,0.16)";
    c.fillRect(x0, y0, x1 - x0, y1 - y0);
    c.lineWidth = 2.5 * this.scale;
    c.strokeStyle = "#CC79A7";
    c.strokeRect(x0, y0, x1 - x0, y1 - y0);
    for (const [x, y] of [[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) this.symbol(x, y, "square", 5 * this.scale, "#CC79A7", true, "background", 0);
  }

  drawFocus() {
    if (document.activeElement !== this.canvas && !this.focused) return;
    const mark = this.mark(this.chosen);
    if (mark && !mark.card) {
      const [x, y] = this.px(...this.at(mark));
      this.halo(x, y, (mark.size + 6) * this.scale, true);
      return;
    }
    const box = mark ? this.cardBox(mark) : this.chosen === "brush" ? this.brushBox() : (this.scene.fields.find((one) => one.name === this.chosen) || {}).box;
    if (!box) return;
    const [x0, y0] = this.px(box[0], box[3]);
    const [x1, y1] = this.px(box[1], box[2]);
    const c = this.context;
    c.lineWidth = 2.5 * this.scale;
    c.setLineDash([4 * this.scale, 3 * this.scale]);
    c.strokeStyle = this.palette("text");
    c.strokeRect(Math.min(x0, x1) - 2, Math.min(y0, y1) - 2, Math.abs(x1 - x0) + 4, Math.abs(y1 - y0) + 4);
    c.setLineDash([]);
  }

  cardBox(mark) {
    const [x, y] = this.px(...this.at(mark));
    const [w, h] = [(mark.card.width / 2 + 2) * this.scale, (mark.card.height / 2 + 2) * this.scale];
    const [left, top] = this.data(x - w, y - h);
    const [right, bottom] = this.data(x + w, y + h);
    return [left, right, bottom, top];
  }

  describe() {
    const item = this.items().find((one) => one.name === this.chosen);
    const chosen = item ? ` Chosen: ${item.label || item.name}.` : "";
    const text = `${this.scene.label}${chosen}`;
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
    this.canvas.dataset.chosen = this.chosen || "";
    const drags = this.scene.marks.length > 0 || this.scene.brush || this.scene.can_brush;
    this.canvas.style.touchAction = drags ? "none" : "manipulation";
  }

  choose(name) {
    this.chosen = name;
    this.describe();
    const field = this.scene.fields.some((one) => one.name === name);
    this.hover(field ? name : null);
    this.draw();
  }

  hover(name) {
    if (this.over === name) return;
    const wasField = this.scene.fields.some((one) => one.name === this.over);
    const isField = this.scene.fields.some((one) => one.name === name);
    this.over = name;
    if (wasField || isField) this.tell({ kind: "hover", name: isField ? name : "" });
  }

  // ---- pointer -----------------------------------------------------------------------------------------------
  pointer(event) {
    const edge = this.canvas.getBoundingClientRect();
    return [event.clientX - edge.left, event.clientY - edge.top];
  }

  hit(px, py) {
    let best = null;
    let bestGap = Infinity;
    for (const mark of this.scene.marks) {
      const [x, y] = this.px(...this.at(mark));
      // A large hollow mark is taken by its rim, so that a mark in its middle can be taken too.
      const far = Math.hypot(px - x, py - y);
      if (mark.card) {
        // A card is taken anywhere on it, but a small mark that lies on it comes first.
        const on = Math.abs(px - x) <= (mark.card.width / 2) * this.scale && Math.abs(py - y) <= (mark.card.height / 2) * this.scale;
        if (on && TARGET <= bestGap) [best, bestGap] = [{ kind: "mark", name: mark.name }, TARGET];
        continue;
      }
      const gap = !mark.filled && mark.size > 10 ? Math.abs(far - mark.size * this.scale) : far;
      if (gap <= Math.max(TARGET, (mark.size + 3) * this.scale) && gap <= bestGap) [best, bestGap] = [{ kind: "mark", name: mark.name }, gap];
    }
    if (best) return best;
    const box = this.brushBox();
    if (box) {
      const [x0, y0] = this.px(box[0], box[3]);
      const [x1, y1] = this.px(box[1], box[2]);
      const near = (a, b) => Math.abs(a - b) <= TARGET;
      if ((near(px, x0) || near(px, x1)) && (near(py, y0) || near(py, y1))) {
        return { kind: "corner", name: "brush", fixed: [near(px, x0) ? box[1] : box[0], near(py, y0) ? box[2] : box[3]] };
      }
      const edge = (a, low, high) => a >= low - 6 && a <= high + 6;
      const onEdge = ((near(px, x0) || near(px, x1)) && edge(py, y0, y1)) || ((near(py, y0) || near(py, y1)) && edge(px, x0, x1));
      if (onEdge) return { kind: "inside", name: "brush" };
    }
    const [x, y] = this.data(px, py);
    for (const field of [...this.scene.fields].reverse()) {
      const [left, right, bottom, top] = field.box;
      if ((x - left) * (x - right) <= 0 && (y - bottom) * (y - top) <= 0) return { kind: "field", name: field.name };
    }
    return { kind: "ground", name: null };
  }

  down(event) {
    if (!this.ready || event.button > 0) return;
    this.letGo();
    const [px, py] = this.pointer(event);
    const found = this.hit(px, py);
    this.drag = { ...found, px, py, start: this.data(px, py), box: this.brushBox(), moved: false };
    if (found.kind === "mark") {
      const [x, y] = this.at(this.mark(found.name));
      this.drag.offset = [x - this.drag.start[0], y - this.drag.start[1]];
    }
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    if (found.kind !== "ground") this.choose(found.name);
    event.preventDefault();
    event.stopPropagation();
  }

  move(event) {
    if (!this.ready) return;
    const [px, py] = this.pointer(event);
    if (!this.drag) {
      const found = this.hit(px, py);
      const shape = { mark: "grab", corner: "nwse-resize", inside: "move", field: "pointer" }[found.kind];
      this.canvas.style.cursor = shape || (this.scene.can_brush ? "crosshair" : "default");
      if (this.over !== found.name) {
        this.hover(found.name);
        this.soon();
      }
      return;
    }
    const [x, y] = this.data(px, py);
    const drag = this.drag;
    if (!drag.moved && Math.hypot(px - drag.px, py - drag.py) < 3) return;
    drag.moved = true;
    if (drag.kind === "mark") {
      this.canvas.style.cursor = "grabbing";
      const mark = this.mark(drag.name);
      if (mark) this.place(mark, x + drag.offset[0], y + drag.offset[1]);
    } else if (drag.kind === "inside") {
      const [dx, dy] = [x - drag.start[0], y - drag.start[1]];
      this.placeBrush([drag.box[0] + dx, drag.box[1] + dx, drag.box[2] + dy, drag.box[3] + dy]);
    } else if (drag.kind === "corner") this.placeBrush([drag.fixed[0], x, drag.fixed[1], y]);
    else if (drag.kind === "ground" && this.scene.can_brush) this.placeBrush([drag.start[0], x, drag.start[1], y]);
    this.draw();
  }

  up(event) {
    const drag = this.drag;
    if (!drag) return;
    this.drag = null;
    this.canvas.style.cursor = "default";
    if (this.canvas.hasPointerCapture(event.pointerId)) this.canvas.releasePointerCapture(event.pointerId);
    if (drag.moved) this.tell({ kind: "release", name: drag.name || "brush" });
    else if (drag.kind === "field" || drag.kind === "mark") this.tell({ kind: "press", name: drag.name });
    else if (drag.kind === "ground" && this.scene.can_tap) this.tell({ kind: "tap", name: "", x: drag.start[0], y: drag.start[1] });
    this.draw();
  }

  // ---- keyboard ----------------------------------------------------------------------------------------------
  key(event) {
    if (!this.ready) return;
    event.stopPropagation(); // JupyterLab must not take letters for commands
    const items = this.items();
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.key === "Escape") {
      this.canvas.blur();
    } else if (event.key === "Tab" && items.length > 0) {
      this.letGo();
      const at = items.findIndex((item) => item.name === this.chosen);
      const next = at < 0 ? (event.shiftKey ? items.length - 1 : 0) : (at + (event.shiftKey ? -1 : 1) + items.length) % items.length;
      this.choose(items[next].name);
      event.preventDefault();
    } else if (direction && items.length > 0) {
      if (this.chosen === null) this.choose(items[0].name);
      this.step(direction, event.shiftKey);
      event.preventDefault();
    } else if ((event.key === "+" || event.key === "-" || event.key === "=") && this.chosen === "brush") {
      const box = this.brushBox();
      const grow = (event.key === "-" ? -0.05 : 0.05) * Math.abs(box[1] - box[0]);
      if (box[1] - box[0] + 2 * grow > 0 && box[3] - box[2] + 2 * grow > 0) {
        this.placeBrush([box[0] - grow, box[1] + grow, box[2] - grow, box[3] + grow]);
      }
      this.draw();
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === " ") && this.chosen !== null) {
      this.letGo();
      this.tell({ kind: "press", name: this.chosen });
      event.preventDefault();
    }
  }

  step([dx, dy], large) {
    const [, , bottom, top] = this.scene.box;
    const down = bottom > top ? -1 : 1;
    const mark = this.mark(this.chosen);
    if (mark) {
      const size = large ? mark.leap : mark.step;
      const [x, y] = this.at(mark);
      if (mark.orbit > 0) {
        const [cx, cy] = this.at(this.mark(mark.parent));
        const angle = Math.atan2(y - cy, x - cx) + ((dx ? -dx : dy) * size * Math.PI) / 180;
        this.place(mark, cx + mark.orbit * Math.cos(angle), cy + mark.orbit * Math.sin(angle));
      } else this.place(mark, x + dx * size, y + dy * down * size);
      // Arrow keys have no moment of letting go: the hand rests, chooses another mark or leaves the canvas.
      clearTimeout(this.resting);
      this.held = mark.name;
      this.resting = setTimeout(() => this.letGo(), REST);
    } else if (this.chosen === "brush") {
      const box = this.brushBox();
      const size = (large ? 0.25 : 0.05) * Math.abs(box[1] - box[0]);
      this.placeBrush([box[0] + dx * size, box[1] + dx * size, box[2] + dy * down * size, box[3] + dy * down * size]);
    } else {
      const names = this.scene.fields.map((one) => one.name);
      const at = names.indexOf(this.chosen);
      const next = names[Math.min(names.length - 1, Math.max(0, at + (dx || -dy)))];
      this.choose(next);
    }
    this.draw();
  }

  letGo() {
    clearTimeout(this.resting);
    if (!this.held) return;
    const name = this.held;
    this.held = null;
    if (!this.closed) this.tell({ kind: "release", name });
  }

  // ---- life --------------------------------------------------------------------------------------------------
  listen() {
    const signal = { signal: this.listening.signal };
    const on = (name, handler) => this.canvas.addEventListener(name, handler.bind(this), signal);
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.up);
    on("pointerleave", () => this.drag || (this.ready && (this.hover(null), this.soon())));
    on("keydown", this.key);
    on("focus", () => this.soon());
    on("blur", () => this.ready && (this.letGo(), this.hover(null), this.soon()));
    this.changed = () => this.soon(true);
    for (const name of ["scene", "kept", "answer"]) this.model.on(`change:${name}`, this.changed);
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.canvas.parentElement);
    this.sights = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.resize());
    this.sights.observe(this.canvas);
    window.addEventListener("resize", () => this.resize(), signal); // also fires when the pixel ratio changes
  }

  close() {
    this.listening.abort();
    this.themes.disconnect();
    this.sizes.disconnect();
    this.sights.disconnect();
    clearTimeout(this.waiting);
    clearTimeout(this.resting);
    for (const name of ["scene", "kept", "answer"]) this.model.off(`change:${name}`, this.changed);
    this.closed = true;
    this.canvas.remove();
  }
}

function render({ model, el }) {
  const board = new Board(model, el);
  return () => board.close();
}

export default { render };
