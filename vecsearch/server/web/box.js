// A part of the query picture: drawn with the pointer, moved by keys, or given as numbers. Numbers
// are pixels of the whole picture, as the API has them.

import { thumbnail } from "./api.js";
import { $, element, icon, iconButton } from "./dom.js";
import { factsOf } from "./known.js";
import { pictureOf } from "./pictures.js";

const LEAST = 8; // Pixels on the screen: less is a click.
const NEAR = 16; // So near a corner it is that which is drawn.

export class BoxDialog {
  constructor({ ask, fail }) {
    Object.assign(this, { ask, fail });
    this.dialog = $("box");
    this.image = element("img", { alt: "", draggable: false });
    this.frame = element("div", { className: "box-frame", tabIndex: 0, role: "group", ariaLabel: "The part: arrow keys move it, with Shift they change its size" });
    for (const corner of ["nw", "ne", "sw", "se"]) this.frame.append(element("span", { className: `handle ${corner}` }));
    this.area = element("div", { className: "box-area" }, this.image, this.frame);
    const field = (name, label) => {
      const input = element("input", { type: "number", name, min: "0", step: "1", required: true });
      return element("label", { className: "field" }, label, input);
    };
    this.form = element(
      "form",
      { className: "box-form" },
      element("div", { className: "numbers" }, field("x", "Left"), field("y", "Top"), field("w", "Width"), field("h", "Height")),
      element(
        "div",
        { className: "actions" },
        element("button", { type: "button", className: "button", textContent: "Whole picture", onclick: () => this.done(null) }),
        element("button", { type: "submit", className: "button primary" }, icon("search"), "Search with this part"),
      ),
    );
    this.dialog.replaceChildren(
      element("div", { className: "sheet-head" }, element("h2", { id: "box-title", textContent: "Which part is meant?" }), iconButton("close", "Close (Esc)", () => this.dialog.close())),
      element("p", { className: "soft" }, "Draw a box over the picture. ", element("span", { className: "keys-only", textContent: "Arrow keys move it, with Shift they change its size." })),
      this.area,
      this.form,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { x, y, width, height } = this.box;
      this.done([x, y, width, height]);
    });
    this.form.addEventListener("input", () => this.read());
    this.form.addEventListener("change", () => this.write());
    this.area.addEventListener("pointerdown", (event) => this.drag(event));
    this.frame.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("resize", () => this.dialog.open && this.fit());
  }

  async open(question) {
    const [part] = question.like;
    try {
      const found = part.id !== undefined ? await factsOf(question.index, part.id) : await pictureOf(part.picture);
      if (!found?.width) throw Object.assign(new Error(), { detail: "The picture is not here any more.", hint: "Drop it here again." });
      this.size = { width: found.width, height: found.height };
      this.image.src = found.address ?? thumbnail(question.index, found, "large");
      await this.image.decode();
    } catch (error) {
      return this.fail(error.detail ? error : Object.assign(error, { detail: "This browser cannot show the picture." }));
    }
    const { width, height } = this.size;
    this.isDrawn = question.box !== null;
    const [x, y, w, h] = question.box ?? [width / 4, height / 4, width / 2, height / 2];
    this.set(x, y, w, h);
    for (const name of ["x", "w"]) this.form.elements[name].max = String(width);
    for (const name of ["y", "h"]) this.form.elements[name].max = String(height);
    this.dialog.showModal();
    this.fit();
    this.frame.focus({ preventScroll: true });
  }

  // As large as there is room for, and never much larger than it is.
  fit() {
    const { width, height } = this.size;
    const room = Math.min(860, innerWidth - 56);
    const scale = Math.min(room / width, Math.min(620, innerHeight * 0.58) / height, Math.max(1, 560 / Math.max(width, height)));
    Object.assign(this.image.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    this.draw();
  }

  done(box) {
    this.dialog.close();
    this.ask(box);
  }

  // Keeps the box within the picture.
  set(x, y, width, height) {
    const w = Math.round(Math.max(1, Math.min(width, this.size.width)));
    const h = Math.round(Math.max(1, Math.min(height, this.size.height)));
    this.box = {
      x: Math.round(Math.max(0, Math.min(x, this.size.width - w))),
      y: Math.round(Math.max(0, Math.min(y, this.size.height - h))),
      width: w,
      height: h,
    };
    this.write();
    this.draw();
  }

  write() {
    const { x, y, width, height } = this.box;
    Object.entries({ x, y, w: width, h: height }).forEach(([name, value]) => (this.form.elements[name].value = String(value)));
  }

  read() {
    const [x, y, w, h] = ["x", "y", "w", "h"].map((name) => this.form.elements[name].valueAsNumber);
    if (![x, y, w, h].every(Number.isFinite) || w < 1 || h < 1) return;
    const width = Math.min(w, this.size.width);
    const height = Math.min(h, this.size.height);
    this.box = { x: Math.min(x, this.size.width - width), y: Math.min(y, this.size.height - height), width, height };
    this.draw();
  }

  draw() {
    if (!this.box || !this.image.clientWidth) return;
    const part = (value, of) => `${(100 * value) / of}%`;
    const { x, y, width, height } = this.box;
    Object.assign(this.frame.style, {
      left: part(x, this.size.width), top: part(y, this.size.height),
      width: part(width, this.size.width), height: part(height, this.size.height),
    });
  }

  drag(event) {
    if (event.button) return;
    event.preventDefault();
    this.frame.focus();
    const bounds = this.image.getBoundingClientRect();
    const scale = this.size.width / bounds.width;
    const at = ({ clientX, clientY }) => [
      Math.max(0, Math.min(bounds.width, clientX - bounds.left)) * scale,
      Math.max(0, Math.min(bounds.height, clientY - bounds.top)) * scale,
    ];
    const before = { ...this.box };
    const corner = this.isDrawn ? this.cornerAt(event) : null;
    const start = corner ? [corner.far[0], corner.far[1]] : at(event);
    // Before there is a box of one's own, a new one begins anywhere.
    const moves = !corner && this.isDrawn && event.target === this.frame && !this.isAll(before);
    this.area.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const now = at(moved);
      const [dx, dy] = [now[0] - start[0], now[1] - start[1]];
      if (Math.max(Math.abs(dx), Math.abs(dy)) < LEAST * scale) return;
      this.isDrawn = true;
      if (moves) this.set(before.x + dx, before.y + dy, before.width, before.height);
      else this.set(Math.min(start[0], now[0]), Math.min(start[1], now[1]), Math.abs(dx), Math.abs(dy));
    };
    const up = () => {
      this.area.removeEventListener("pointermove", move);
      this.area.removeEventListener("pointerup", up);
      this.area.removeEventListener("pointercancel", up);
    };
    this.area.addEventListener("pointermove", move);
    this.area.addEventListener("pointerup", up);
    this.area.addEventListener("pointercancel", up);
  }

  // The corner under the pointer, and the one that stays where it is while that is drawn.
  cornerAt({ clientX, clientY }) {
    const { left, right, top, bottom } = this.frame.getBoundingClientRect();
    const { x, y, width, height } = this.box;
    for (const [px, farX] of [[left, x + width], [right, x]]) {
      for (const [py, farY] of [[top, y + height], [bottom, y]]) {
        if (Math.hypot(clientX - px, clientY - py) < NEAR) return { far: [farX, farY] };
      }
    }
    return null;
  }

  isAll({ width, height }) {
    return width > 0.9 * this.size.width && height > 0.9 * this.size.height;
  }

  pressed(event) {
    const step = Math.max(1, Math.round(Math.max(this.size.width, this.size.height) / (event.ctrlKey ? 500 : 60)));
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [dx, dy] = directions[event.key] ?? [0, 0];
    const { x, y, width, height } = this.box;
    if (event.key !== "Enter" && !dx && !dy) return;
    event.preventDefault();
    if (event.key === "Enter") return this.form.requestSubmit();
    this.isDrawn = true;
    if (event.shiftKey) this.set(x, y, width + dx * step, height + dy * step);
    else this.set(x + dx * step, y + dy * step, width, height);
  }
}
