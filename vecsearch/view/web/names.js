// Names in the room there is: broken into lines, and cut in the middle where that is not enough.
"use strict";

const Names = {
  context: document.createElement("canvas").getContext("2d"),
  segmenter: Intl.Segmenter ? new Intl.Segmenter() : null,

  measure(text) {
    this.context.font ||= "14px sans-serif";
    return this.context.measureText(text).width;
  },

  // What is seen as one character each.
  clusters(text) {
    return this.segmenter ? Array.from(this.segmenter.segment(text), (one) => one.segment) : Array.from(text);
  },

  // The most first characters for which it holds; it holds for none.
  most(count, holds) {
    let [low, high] = [0, count];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (holds(middle)) low = middle;
      else high = middle;
    }
    return low;
  },

  // How many characters the extension has, with its dot.
  extension(name) {
    const dot = name.lastIndexOf(".");
    return dot > 0 && name.length - dot <= 6 ? name.length - dot : 0;
  },

  cut(name, width) {
    if (this.measure(name) <= width) return name;
    const seen = this.clusters(name);
    const extension = this.extension(name);
    const without = (kept) => {
      const tail = kept > extension ? extension + ((kept - extension) >> 1) : kept;
      const head = seen.slice(0, kept - tail).join("").trimEnd();
      return `${head}…${seen.slice(seen.length - tail).join("").trimStart()}`;
    };
    return without(this.most(seen.length, (kept) => this.measure(without(kept)) <= width));
  },

  // At most so many lines; broken after a folder, else after a space or a sign, else anywhere.
  lines(name, width, most = 2) {
    const lines = [];
    while (lines.length + 1 < most && this.measure(name) > width) {
      const seen = this.clusters(name);
      const start = (kept) => seen.slice(0, kept).join("");
      const fitting = start(this.most(seen.length, (kept) => this.measure(start(kept).trimEnd()) <= width));
      const folder = fitting.lastIndexOf("/") + 1;
      // An extension, or a part of it, alone in a line would look like a name.
      const before = fitting.slice(0, name.length - this.extension(name));
      const signs = Math.max(...[..." _-.,+&()"].map((sign) => before.lastIndexOf(sign))) + 1;
      const anywhere = before === fitting ? fitting : this.clusters(before).slice(0, -2).join("");
      let end = 2 * signs > fitting.length ? signs : anywhere.length;
      // The file's name stays whole where it fits.
      if (folder && (!name.includes("/", folder) || 2 * folder > fitting.length)) end = folder;
      if (!end || end >= name.length) break;
      lines.push(name.slice(0, end).trimEnd());
      name = name.slice(end).trimStart();
    }
    return [...lines, this.cut(name, width)];
  },
};
