// A map of pictures on a canvas: zoom, pan, hover, choose; by mouse, touch or keyboard.

const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00", "#5b4b8a", "#7f7f7f", "#a0522d"];
export const colourOf = (value) => COLOURS[value % COLOURS.length];

export class LatentMap {
  constructor(canvas, { onHover, onChoose }) {
    this.canvas = canvas;
    this.onHover = onHover;
    this.onChoose = onChoose;
    this.marks = [];
    this.cursor = null;
    this.all();
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.at(event)); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.held = null; });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  // places: [x, y] in [0, 1000]; values: a class for each place, or null.
  show({ places, sheet, cols, thumb, values, known }) {
    Object.assign(this, { places, sheet, cols, thumb, values, known });
    this.draw();
  }

  all() { this.scale = 1; this.left = 0; this.top = 0; if (this.places) this.draw(); }

  zoom(by, at = [500, 500]) {
    const scale = Math.min(20, Math.max(1, this.scale * by));
    this.left = at[0] - (at[0] - this.left) * this.scale / scale;
    this.top = at[1] - (at[1] - this.top) * this.scale / scale;
    this.scale = scale;
    this.bound();
    this.draw();
  }

  bound() {
    const most = 1000 - 1000 / this.scale;
    this.left = Math.min(most, Math.max(0, this.left));
    this.top = Math.min(most, Math.max(0, this.top));
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [this.left + (event.clientX - box.left) / box.width * 1000 / this.scale,
      this.top + (event.clientY - box.top) / box.height * 1000 / this.scale];
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.held = { x: event.clientX, y: event.clientY, left: this.left, top: this.top, moved: false };
  }

  move(event) {
    if (!this.places) return;
    const held = this.held;
    if (held) {
      const box = this.canvas.getBoundingClientRect();
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) > 5) held.moved = true;
      if (held.moved) {
        this.left = held.left - (event.clientX - held.x) / box.width * 1000 / this.scale;
        this.top = held.top - (event.clientY - held.y) / box.height * 1000 / this.scale;
        this.bound();
        this.draw();
      }
      return;
    }
    this.point(this.nearest(this.at(event)));
  }

  release(event) {
    const held = this.held;
    this.held = null;
    if (held && !held.moved && this.places) this.choose(this.at(event));
  }

  key(event) {
    if (!this.places) return;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in ways) this.step(...ways[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4, this.places[this.cursor] ?? undefined);
    else if (event.key === "-") this.zoom(1 / 1.4, this.places[this.cursor] ?? undefined);
    else if (event.key === "0") this.all();
    else if ((event.key === "Enter" || event.key === " ") && this.cursor !== null) this.choose(this.places[this.cursor]);
    else return;
    event.preventDefault();
  }

  // To the nearest picture in a direction.
  step(dx, dy) {
    const [x, y] = this.places[this.cursor ?? this.nearest([500, 500])];
    let best = null, least = Infinity;
    for (const [k, [px, py]] of this.places.entries()) {
      const along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 4 && along + 2 * aside < least && aside <= along) { least = along + 2 * aside; best = k; }
    }
    if (best === null && this.cursor === null) best = this.nearest([x, y]);
    if (best === null) return;
    const span = 1000 / this.scale, [bx, by] = this.places[best];
    if (bx < this.left || bx > this.left + span) this.left = bx - span / 2;
    if (by < this.top || by > this.top + span) this.top = by - span / 2;
    this.bound();
    this.point(best);
  }

  nearest([x, y]) {
    let best = 0, least = Infinity;
    for (const [k, [px, py]] of this.places.entries()) {
      const away = (px - x) ** 2 + (py - y) ** 2;
      if (away < least) { least = away; best = k; }
    }
    return best;
  }

  point(k) {
    if (k === this.cursor) return;
    this.cursor = k;
    this.onHover(k);
    this.draw();
  }

  // A click on a picture is that picture; a click between pictures is the place.
  choose([x, y]) {
    const k = this.nearest([x, y]);
    const [px, py] = this.places[k];
    const near = Math.hypot(px - x, py - y) * this.scale < 14;
    this.onChoose(near ? { point: k } : { x, y }, near ? [px, py] : [x, y]);
  }

  mark(marks) { this.marks = marks; this.draw(); }

  draw() {
    const { canvas, places, sheet } = this;
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth * ratio, height = canvas.clientHeight * ratio;
    if (!places || !sheet || !width) return;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const side = Math.min(96, 30 * Math.sqrt(this.scale)) * ratio, gap = side + 3 * ratio;
    const to = ([x, y]) => [(x - this.left) * this.scale / 1000 * width, (y - this.top) * this.scale / 1000 * height];
    const taken = new Map();
    const free = (x, y) => {
      for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) {
        for (const [ox, oy] of taken.get(`${Math.floor(x / gap) + i},${Math.floor(y / gap) + j}`) ?? []) {
          if (Math.abs(ox - x) < gap && Math.abs(oy - y) < gap) return false;
        }
      }
      return true;
    };
    const hidden = [];
    const shown = [];
    for (const [k, place] of places.entries()) {
      const [x, y] = to(place);
      if (x < -side || y < -side || x > width + side || y > height + side) continue;
      if (!free(x, y)) { hidden.push([k, x, y]); continue; }
      const cell = `${Math.floor(x / gap)},${Math.floor(y / gap)}`;
      taken.set(cell, [...(taken.get(cell) ?? []), [x, y]]);
      shown.push([k, x, y]);
    }
    for (const [k, x, y] of hidden) {
      pen.fillStyle = this.colour(k) ?? "#8a96a1";
      pen.beginPath(); pen.arc(x, y, 2 * ratio, 0, 7); pen.fill();
    }
    for (const [k, x, y] of shown) this.picture(pen, k, x, y, side, ratio);
    if (this.cursor !== null) this.picture(pen, this.cursor, ...to(places[this.cursor]), Math.max(side, 64 * ratio), ratio, true);
    for (const [place, text] of this.marks) this.pin(pen, ...to(place), text, ratio);
  }

  colour(k) {
    const value = this.values?.[k];
    return value === undefined || value >= this.known ? null : colourOf(value);
  }

  picture(pen, k, x, y, side, ratio, chosen = false) {
    const { sheet, thumb, cols } = this, colour = this.colour(k);
    const edge = chosen ? 3 * ratio : colour ? 2 * ratio : 0;
    if (edge) { pen.fillStyle = chosen ? getComputedStyle(this.canvas).color : colour; pen.fillRect(x - side / 2 - edge, y - side / 2 - edge, side + 2 * edge, side + 2 * edge); }
    pen.drawImage(sheet, (k % cols) * thumb, Math.floor(k / cols) * thumb, thumb, thumb, x - side / 2, y - side / 2, side, side);
  }

  pin(pen, x, y, text, ratio) {
    pen.beginPath(); pen.arc(x, y, 11 * ratio, 0, 7);
    pen.fillStyle = "#14191e"; pen.fill();
    pen.strokeStyle = "#fff"; pen.lineWidth = 2 * ratio; pen.stroke();
    pen.fillStyle = "#fff"; pen.font = `600 ${12 * ratio}px system-ui, sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
    pen.fillText(text, x, y);
  }
}
