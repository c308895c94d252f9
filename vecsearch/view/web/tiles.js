// The map's ground: drawn in tiles that are kept, so that moving the map is copying them.
"use strict";

const TILE = 256;
const MOST_TILES = 400;
const BUDGET_MS = 7;
const FILLED = 0.88; // of its square is a thumbnail's
const TERRITORY = 1.3; // squares on a side are tinted for a picture

const borderOf = (square) => Math.max(1, Math.min(6, square / 22));

class Tiles {
  constructor(points) {
    this.points = points;
    this.colours = {};
    this.tints = {};
    this.kept = new Map();
    this.version = 0;
    this.invalidate();
  }

  // Everything changed: what is kept is shown until it is drawn anew.
  invalidate() {
    this.version++;
    this.bases = new Map();
    this.ground = getComputedStyle(document.documentElement).getPropertyValue("--ground");
  }

  draw(context, view, ratio, width, height) {
    const { points } = this;
    this.largest = DATA.largest * ratio;
    const scale = view.scale * ratio;
    const level = Math.ceil(Math.log2(scale));
    const size = TILE / 2 ** level; // in units of the map
    context.fillStyle = this.ground;
    context.fillRect(0, 0, width, height);
    // While pictures draw together there are no tiles to keep; few enough are in view by then.
    if (points.part > 0 && points.part < 1) {
      const [x1, y1] = [view.x + width / scale, view.y + height / scale];
      this.drawWithin(context, view.x, view.y, x1, y1, scale);
      return false;
    }
    this.drawBase(context, view, scale);
    const first = [Math.floor(view.x / size), Math.floor(view.y / size)];
    const last = [
      Math.floor((view.x + width / scale) / size),
      Math.floor((view.y + height / scale) / size),
    ];
    const least = [Math.floor((points.left - 1) / size), Math.floor((points.top - 1) / size)];
    const most = [Math.floor((points.right + 1) / size), Math.floor((points.bottom + 1) / size)];
    const started = performance.now();
    let missing = false;
    let visible = 0;
    for (let ty = Math.max(first[1], least[1]); ty <= Math.min(last[1], most[1]); ty++) {
      for (let tx = Math.max(first[0], least[0]); tx <= Math.min(last[0], most[0]); tx++) {
        visible++;
        const key = `${points.part}/${level}/${tx}/${ty}`;
        let tile = this.kept.get(key);
        const old = !tile || tile.version !== this.version;
        if (old && performance.now() - started < BUDGET_MS) {
          tile = this.render(level, tx, ty, size);
        } else if (old) {
          missing = true;
        }
        if (tile) this.kept.delete(key), this.kept.set(key, tile); // the last one to be let go
        const x = Math.round((tx * size - view.x) * scale);
        const y = Math.round((ty * size - view.y) * scale);
        const right = Math.round(((tx + 1) * size - view.x) * scale);
        const bottom = Math.round(((ty + 1) * size - view.y) * scale);
        if (tile) context.drawImage(tile.canvas, x, y, right - x, bottom - y);
        else this.drawCoarser(context, level, tx, ty, x, y, right - x, bottom - y);
      }
    }
    for (const key of this.kept.keys()) {
      if (this.kept.size <= Math.max(MOST_TILES, 2 * visible)) break;
      this.kept.delete(key);
    }
    return missing;
  }

  drawCoarser(context, level, tx, ty, x, y, width, height) {
    for (let up = 1; up < 6; up++) {
      const tile = this.kept.get(`${this.points.part}/${level - up}/${tx >> up}/${ty >> up}`);
      if (!tile) continue;
      const part = TILE >> up;
      const left = (tx - ((tx >> up) << up)) * part;
      const top = (ty - ((ty >> up) << up)) * part;
      context.drawImage(tile.canvas, left, top, part, part, x, y, width, height);
      return;
    }
  }

  render(level, tx, ty, size) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = TILE;
    const context = canvas.getContext("2d", { alpha: false });
    context.fillStyle = this.ground;
    context.fillRect(0, 0, TILE, TILE);
    this.drawPoints(context, tx * size, ty * size, size, 2 ** level);
    const tile = { canvas, version: this.version };
    this.kept.set(`${this.points.part}/${level}/${tx}/${ty}`, tile);
    return tile;
  }

  drawBase(context, view, scale) {
    const { left, top, right, bottom } = this.points;
    const side = Math.max(right - left, bottom - top) + 2;
    let base = this.bases.get(this.points.part);
    if (!base) {
      this.bases.set(this.points.part, (base = document.createElement("canvas")));
      base.width = base.height = 1024;
      const painter = base.getContext("2d");
      this.drawPoints(painter, left - 1, top - 1, side, 1024 / side, true);
    }
    const x = (left - 1 - view.x) * scale;
    const y = (top - 1 - view.y) * scale;
    context.drawImage(base, x, y, side * scale, side * scale);
  }

  drawPoints(context, x0, y0, size, scale, plain = false) {
    this.drawWithin(context, x0, y0, x0 + size, y0 + size, scale, plain);
  }

  drawWithin(context, x0, y0, x1, y1, scale, plain = false) {
    const square = Math.min(scale * FILLED, this.largest);
    const inside = [...this.points.within(x0 - 1, y0 - 1, x1 + 1, y1 + 1)];
    if (DATA.color === "cluster" && DATA.largest > 100) this.drawTerritory(context, inside, x0, y0, scale);
    for (const i of inside) {
      this.drawPoint(context, i, (this.points.x[i] - x0) * scale, (this.points.y[i] - y0) * scale, square, plain);
    }
  }

  // The ground under each crowd is tinted, so that crowds are seen from afar.
  drawTerritory(context, inside, x0, y0, scale) {
    const side = TERRITORY * scale;
    context.globalAlpha = 1;
    for (const i of inside) {
      const tint = this.tints[this.points.labels[i]];
      if (!tint) continue;
      context.fillStyle = tint;
      const [x, y] = [(this.points.x[i] - x0) * scale - side / 2, (this.points.y[i] - y0) * scale - side / 2];
      if (side < 12) {
        context.fillRect(x, y, side, side);
      } else {
        context.beginPath();
        context.roundRect(x, y, side, side, side / 3);
        context.fill();
      }
    }
  }

  drawPoint(context, i, x, y, square, plain = false) {
    const sprite = this.points.sprites[i];
    const colour = this.colours[this.points.labels[i]];
    if (sprite < 0) {
      context.fillStyle = colour || "#9aa3b2";
      const dot = Math.max(1.5, Math.min(0.4 * square, 4));
      context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
      return;
    }
    if (plain) square = Math.max(square, 2);
    if (square >= 10 && colour) {
      const width = (Sprites.widths[sprite] * square) / Sprites.side;
      const height = (Sprites.heights[sprite] * square) / Sprites.side;
      const border = borderOf(square);
      context.fillStyle = colour;
      context.fillRect(x - width / 2 - border, y - height / 2 - border, width + 2 * border, height + 2 * border);
    }
    Sprites.draw(context, sprite, x, y, square);
  }
}

// Points in buckets of a grid, for what is within a rectangle.
class Points {
  // Where they are on the whole map, and where they are drawn together to a grid.
  constructor(places, packed, labels, sprites) {
    Object.assign(this, { places, packed, labels, sprites, count: labels.length });
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    this.draw(0);
  }

  at(i, part) {
    return [0, 1].map((axis) => this.places[axis][i] * (1 - part) + this.packed[axis][i] * part);
  }

  // Moves all by a part of the way, from 0 to 1, to their places in the grid.
  draw(part) {
    if (part === this.part) return;
    this.part = part;
    const { x, y } = this;
    for (let i = 0; i < this.count; i++) {
      x[i] = this.places[0][i] * (1 - part) + this.packed[0][i] * part;
      y[i] = this.places[1][i] * (1 - part) + this.packed[1][i] * part;
    }
    this.sort();
  }

  sort() {
    const { x, y } = this;
    this.left = this.top = Infinity;
    this.right = this.bottom = -Infinity;
    for (let i = 0; i < x.length; i++) {
      this.left = Math.min(this.left, x[i]);
      this.right = Math.max(this.right, x[i]);
      this.top = Math.min(this.top, y[i]);
      this.bottom = Math.max(this.bottom, y[i]);
    }
    this.cell = Math.max(2, Math.max(this.right - this.left, this.bottom - this.top) / 256);
    this.columns = Math.floor((this.right - this.left) / this.cell) + 1;
    this.rows = Math.floor((this.bottom - this.top) / this.cell) + 1;
    const bucket = new Uint32Array(this.count);
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < this.count; i++) {
      bucket[i] =
        Math.floor((y[i] - this.top) / this.cell) * this.columns + Math.floor((x[i] - this.left) / this.cell);
      this.starts[bucket[i] + 1]++;
    }
    for (let b = 0; b < this.columns * this.rows; b++) this.starts[b + 1] += this.starts[b];
    this.order = new Uint32Array(this.count);
    const filled = this.starts.slice();
    for (let i = 0; i < this.count; i++) this.order[filled[bucket[i]]++] = i;
  }

  *within(x0, y0, x1, y1) {
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    const first = clamp(Math.floor((x0 - this.left) / this.cell), this.columns - 1);
    const last = clamp(Math.floor((x1 - this.left) / this.cell), this.columns - 1);
    const low = clamp(Math.floor((y0 - this.top) / this.cell), this.rows - 1);
    const high = clamp(Math.floor((y1 - this.top) / this.cell), this.rows - 1);
    for (let row = low; row <= high; row++) {
      const end = this.starts[row * this.columns + last + 1];
      for (let at = this.starts[row * this.columns + first]; at < end; at++) {
        const i = this.order[at];
        if (this.x[i] >= x0 && this.x[i] <= x1 && this.y[i] >= y0 && this.y[i] <= y1) yield i;
      }
    }
  }

  nearest(x, y, reach) {
    let best = -1;
    let least = Infinity;
    for (const i of this.within(x - reach, y - reach, x + reach, y + reach)) {
      const away = Math.max(Math.abs(this.x[i] - x), Math.abs(this.y[i] - y));
      if (away < least) [best, least] = [i, away];
    }
    return best;
  }
}
