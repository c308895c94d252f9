// What every page has: its data, and thumbnails in sheets that arrive one after the other.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

// A sheet at full size, and halved again and again: the browser's own scaling would flicker.
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

  async add(number, base64) {
    const blob = new Blob([decodeBase64(base64)], { type: "image/webp" });
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

const Words = {
  places: new Uint16Array(decodeBase64(DATA.words.of).buffer),
  shares: decodeBase64(DATA.words.shares),
  // The likeliest words of picture i, with their shares: [["strawberry", 62], ...]
  of(i) {
    const found = [];
    for (let at = i * DATA.words.most; at < (i + 1) * DATA.words.most; at++) {
      const name = DATA.words.names[this.places[at]];
      if (name !== undefined) found.push([name, this.shares[at] === 255 ? null : this.shares[at]]);
    }
    return found;
  },
  text: (i) => Words.of(i).map(([name, share]) => (share === null ? name : `${name} ${share || "<1"}%`)).join(", "),
};

const Pictures = {
  path: (i) => DATA.root + DATA.paths[i],
  name: (i) => DATA.paths[i].slice(DATA.paths[i].lastIndexOf("/") + 1),
  folder: (i) => Pictures.path(i).slice(0, -Pictures.name(i).length - 1),
  // A link to the picture itself: pages and files may be opened, s3 and tar members may not.
  link: (i) => {
    const path = Pictures.path(i);
    if (/^https?:/.test(path)) return path;
    if (!path.isWellFormed()) return null; // bytes that are no text have no such link
    return path.startsWith("/") ? "file://" + path.split("/").map(encodeURIComponent).join("/") : null;
  },
};

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

async function copyText(text, say) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say();
}

// Light or dark: as the system has it, until the button says otherwise.
const Theme = {
  system: window.matchMedia("(prefers-color-scheme: dark)"),
  chosen: null,
  onchange: [],
  apply() {
    const dark = this.chosen ?? this.system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    for (const listener of this.onchange) listener();
  },
  toggle() {
    this.chosen = document.documentElement.dataset.theme !== "dark";
    this.apply();
  },
};
Theme.system.addEventListener("change", () => Theme.apply());
Theme.apply();
