// Thumbnails in sheets, which arrive one after the other. A sheet is kept at full size, and halved
// again and again: the browser's own scaling would flicker.
"use strict";

const Sprites = {
  side: DATA.sprites.side,
  pitch: DATA.sprites.pitch, // from one to the next; around each its edge is repeated
  pad: DATA.sprites.pad,
  columns: DATA.sprites.columns,
  perSheet: DATA.sprites.columns * DATA.sprites.rows,
  widths: decodeBase64(DATA.sprites.widths),
  heights: decodeBase64(DATA.sprites.heights),
  means: decodeBase64(DATA.sprites.means),
  sheets: [],
  onload: [],
  waiting: [], // by sheet, what is drawn again when it is there

  // Takes a sheet as base64, or as a Blob.
  async add(number, sheet) {
    const blob = sheet instanceof Blob ? sheet : new Blob([decodeBase64(sheet)], { type: "image/webp" });
    const levels = [await createImageBitmap(blob)];
    while (levels.length < 4) {
      const last = levels[levels.length - 1];
      const half = document.createElement("canvas");
      half.width = Math.max(1, last.width >> 1);
      half.height = Math.max(1, last.height >> 1);
      const context = half.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(last, 0, 0, half.width, half.height);
      levels.push(half);
    }
    this.sheets[number] = levels;
    for (const paint of this.waiting[number] ?? []) paint();
    delete this.waiting[number];
    for (const listener of this.onload) listener(number);
  },

  // Draws a thumbnail with its middle at (x, y), fitted into a square; a plain colour meanwhile.
  draw(context, sprite, x, y, square) {
    const scale = square / this.side;
    const width = this.widths[sprite] * scale;
    const height = this.heights[sprite] * scale;
    this.paint(context, sprite, x - width / 2, y - height / 2, width, height);
  },

  // Draws a thumbnail into a rectangle.
  paint(context, sprite, x, y, width, height) {
    const scale = Math.max(width / this.widths[sprite], height / this.heights[sprite]);
    const levels = this.sheets[Math.floor(sprite / this.perSheet)];
    if (!levels || width < 2) {
      const at = 3 * sprite;
      context.fillStyle = `rgb(${this.means[at]},${this.means[at + 1]},${this.means[at + 2]})`;
      context.fillRect(x, y, width, height);
      return;
    }
    const level = Math.min(levels.length - 1, Math.max(0, Math.floor(-Math.log2(scale))));
    const place = sprite % this.perSheet;
    const shrink = 2 ** -level;
    context.drawImage(
      levels[level],
      ((place % this.columns) * this.pitch + this.pad) * shrink,
      (Math.floor(place / this.columns) * this.pitch + this.pad) * shrink,
      this.widths[sprite] * shrink,
      this.heights[sprite] * shrink,
      x,
      y,
      width,
      height,
    );
  },

  // A canvas of its own with one thumbnail, which draws itself when its sheet arrives. It fits into
  // a square; one that nearly fills it does so, and loses a little at two edges, unless whole.
  canvas(sprite, square, label, whole = false) {
    const canvas = document.createElement("canvas");
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const [wide, high] = [this.widths[sprite], this.heights[sprite]];
    const scale = square / this.side;
    const fills = !whole && Math.max(wide, high) >= this.side - 1 && Math.min(wide, high) >= 0.92 * this.side;
    const width = fills ? square : Math.max(1, Math.round(wide * scale));
    const height = fills ? square : Math.max(1, Math.round(high * scale));
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    const paint = () => {
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      // To the very edge: half a pixel of nothing would be a line there.
      const fit = Math.max(canvas.width / wide, canvas.height / high);
      const [w, h] = fills ? [wide * fit, high * fit] : [canvas.width, canvas.height];
      this.paint(context, sprite, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
    };
    paint();
    const sheet = Math.floor(sprite / this.perSheet);
    if (!this.sheets[sheet]) (this.waiting[sheet] ??= []).push(paint);
    return canvas;
  },
};
