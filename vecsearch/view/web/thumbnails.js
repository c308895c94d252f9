// Thumbnails that a server has, each at an address of its own, in place of sheets of them.
"use strict";

const Sprites = {
  side: DATA.sprites.side,
  widths: new Uint16Array(decodeBase64(DATA.sprites.widths).buffer), // as they fit into the side
  heights: new Uint16Array(decodeBase64(DATA.sprites.heights).buffer),

  // An image that fits into a square; one that nearly fills it does so, and loses a little at two
  // edges, unless whole. One that cannot be had is told in words.
  canvas(i, square, label, whole = false) {
    const [wide, high] = [this.widths[i], this.heights[i]];
    const scale = square / this.side;
    const fills = !whole && Math.max(wide, high) >= this.side - 1 && Math.min(wide, high) >= 0.92 * this.side;
    const pixels = square * Math.min(3, window.devicePixelRatio || 1);
    const size = pixels <= 160 ? "small" : pixels <= 420 ? "medium" : "large";
    const image = element("img", { alt: label, decoding: "async", draggable: false });
    image.width = fills ? square : Math.max(1, Math.round(wide * scale));
    image.height = fills ? square : Math.max(1, Math.round(high * scale));
    image.style.objectFit = "cover";
    image.addEventListener("error", () => image.replaceWith(element("span", { className: "soft", textContent: "no picture" })));
    image.src = Server.image(i, `thumbnail?size=${size}`);
    return image;
  },
};
