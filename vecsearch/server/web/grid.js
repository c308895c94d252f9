// The grid of pictures. Only the rows near the window exist, and all rows are equally high, so that
// nothing moves when pictures arrive, and any place of a large collection is reached at once.

import { thumbnail } from "./api.js";
import { element, icon, iconButton } from "./dom.js";
import { nameOf, printable, score } from "./text.js";

const MOST_HEIGHT = 15_000_000; // Browsers draw nothing beyond some height.
const SETTLE_MS = 90;
const FAST = 2.5; // Windows per second, beyond which pictures would only fly past.

export class Grid {
  // *actions*: addressOf(item), search(item), look(place), plus(item), minus(item)
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.source = null;
    this.index = "";
    this.rows = new Map();
    this.spare = [];
    this.active = 0;
    this.target = 200;
    this.gap = 8;
    this.columns = 1;
    this.side = 0;
    this.settle = 0;
    this.frame = 0;
    this.last = { top: 0, time: 0 };
    addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.resize()).observe(root);
    addEventListener("resize", () => this.resize());
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
    this.hovers = matchMedia("(hover: hover)");
    this.lent = element("div", { className: "tile-actions" });
    this.lent.append(this.button("plus", "More like this", "plus"), this.button("minus", "Less like this", "minus"));
    if (this.hovers.matches) this.lent.append(this.button("expand", "Look at it", "look"));
    root.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (!tile) return;
      this.activate(Number(tile.dataset.place));
      this.lend(tile);
    });
    root.addEventListener("pointerover", (event) => {
      // What has the focus keeps it.
      if (event.pointerType === "mouse" && !this.lent.contains(document.activeElement)) this.lend(event.target.closest(".tile"));
    });
  }

  show(source, index) {
    this.source = source;
    this.index = index;
    this.active = 0;
    this.root.classList.toggle("has-scores", source.question.like.length > 0);
    this.clear();
    this.changed();
  }

  setSize(target) {
    this.target = target;
    this.resize();
  }

  clear() {
    for (const row of this.rows.values()) this.drop(row);
    this.rows.clear();
  }

  // Keeps the picture at the top of the window where it is.
  resize() {
    const width = this.root.clientWidth;
    if (!width) return;
    const gap = width < 600 ? 4 : width < 1000 ? 6 : 10;
    const columns = Math.max(2, Math.round((width + gap) / (this.target + gap)));
    const side = (width - (columns - 1) * gap) / columns;
    if (columns === this.columns && side === this.side && gap === this.gap) return;
    const above = this.top - scrollY;
    const place = above < 0 && this.side ? Math.floor(-above / this.pitch) * this.columns : -1;
    Object.assign(this, { gap, columns, side });
    this.root.style.setProperty("--columns", columns);
    this.root.style.setProperty("--side", `${side}px`);
    this.root.style.setProperty("--gap", `${gap}px`);
    this.clear();
    this.changed();
    if (place > 0) scrollTo(0, this.top + Math.floor(place / columns) * this.pitch);
  }

  get pitch() {
    return this.side + this.gap;
  }

  get top() {
    return this.root.getBoundingClientRect().top + scrollY;
  }

  get rowCount() {
    const most = Math.floor(MOST_HEIGHT / this.pitch);
    return Math.min(most, Math.ceil((this.source?.count ?? 0) / this.columns));
  }

  // Whether there are more than fit.
  get isCut() {
    return this.rowCount * this.columns < (this.source?.count ?? 0);
  }

  // There are more or other items.
  changed() {
    if (!this.source || !this.side) return;
    const rows = this.rowCount;
    this.root.style.height = `${Math.max(0, rows * this.pitch - this.gap)}px`;
    this.root.setAttribute("aria-rowcount", this.source.ended ? rows : -1);
    this.root.setAttribute("aria-colcount", this.columns);
    this.draw(true);
  }

  scrolled() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(false);
    });
  }

  // The rows that should exist: from the first to before the last, or to where there are none yet.
  range(isOpen = false) {
    const top = this.root.getBoundingClientRect().top;
    const window_ = innerHeight;
    const first = Math.floor((-top - window_ * 0.6) / this.pitch);
    const last = Math.ceil((-top + window_ * 1.8) / this.pitch);
    return [Math.max(0, first), Math.min(isOpen ? Infinity : this.rowCount, Math.max(0, last))];
  }

  draw(again) {
    if (!this.source || !this.side) return;
    const now = performance.now();
    const moved = Math.abs(scrollY - this.last.top) / innerHeight;
    const fast = !again && moved / Math.max(0.008, (now - this.last.time) / 1000) > FAST && moved > 0.3;
    this.last = { top: scrollY, time: now };
    const [first, last] = this.range();
    const held = this.rowOf(document.activeElement);
    for (const [number, row] of this.rows) {
      if ((number < first || number >= last) && row !== held) {
        this.rows.delete(number);
        this.drop(row);
      }
    }
    let next = this.root.firstElementChild;
    for (let number = first; number < last; number += 1) {
      let row = this.rows.get(number);
      if (!row) {
        row = this.take();
        while (next && Number(next.dataset.row) < number) next = next.nextElementSibling;
        this.root.insertBefore(row, next);
        this.rows.set(number, row);
        this.place(row, number);
        this.fill(row, !fast);
      } else if (again || (row.waits && !fast)) {
        this.fill(row, !fast);
      }
      next = row.nextElementSibling;
    }
    this.tabStop();
    if (fast) {
      clearTimeout(this.settle);
      this.settle = setTimeout(() => this.draw(true), SETTLE_MS);
    } else {
      clearTimeout(this.settle);
      const [from, to] = this.range(true);
      this.source.want(from * this.columns, Math.max(to, 1) * this.columns);
    }
  }

  rowOf(node) {
    return this.root.contains(node) ? node.closest(".row") : null;
  }

  take() {
    const row = this.spare.pop() ?? element("div", { className: "row", role: "row" });
    while (row.childElementCount < this.columns) row.append(this.tile());
    while (row.childElementCount > this.columns) row.lastElementChild.remove();
    return row;
  }

  drop(row) {
    row.remove();
    for (const tile of row.children) this.unload(tile);
    if (this.spare.length < 12) this.spare.push(row);
  }

  place(row, number) {
    row.dataset.row = number;
    row.setAttribute("aria-rowindex", number + 1);
    row.style.transform = `translateY(${number * this.pitch}px)`;
    row.waits = true;
  }

  tile() {
    const image = element("img", { alt: "", decoding: "async", draggable: false });
    image.addEventListener("load", () => tile.classList.add("ready"));
    image.addEventListener("error", () => image.getAttribute("src") && this.breaks(tile, "cannot be shown"));
    const link = element("a", { className: "tile-link", draggable: false, tabIndex: -1 }, image);
    const label = element("span", { className: "tile-name", ariaHidden: "true" });
    const own = element("span", { className: "tile-score", ariaHidden: "true" });
    const tile = element("div", { className: "tile", role: "gridcell" }, link, label, own);
    Object.assign(tile, { image, link, label, own, shown: null });
    // Where nothing hovers, the way to look at a picture is always there.
    if (!this.hovers.matches) tile.append(this.button("expand", "Look at it", "look"));
    return tile;
  }

  button(icon_, label, value) {
    return iconButton(icon_, label, null, { value, tabIndex: this.hovers.matches ? 0 : -1, className: "icon-button tile-button" });
  }

  // What can be done with a picture is there for one tile only, since that is much less to draw.
  lend(tile) {
    if (!tile?.shown || this.lent.parentNode === tile) return;
    tile.append(this.lent);
  }

  unload(tile) {
    tile.shown = null;
    tile.classList.remove("ready", "broken");
    tile.broken?.remove();
    tile.broken = null;
    if (this.lent.parentNode === tile) this.lent.remove();
    tile.image.removeAttribute("src");
  }

  fill(row, loads) {
    const start = Number(row.dataset.row) * this.columns;
    let waits = false;
    [...row.children].forEach((tile, column) => {
      const place = start + column;
      const item = this.source.item(place);
      tile.hidden = place >= this.source.count;
      tile.dataset.place = place;
      if (!item) {
        if (tile.shown) this.unload(tile);
        tile.classList.add("blank");
        tile.link.removeAttribute("href");
        tile.link.ariaLabel = "Not loaded yet";
        waits = true;
        return;
      }
      if (tile.shown !== item) this.write(tile, item, column);
      if (!tile.image.hasAttribute("src") && item.has_file !== false && !item.gone) {
        if (loads) tile.image.src = thumbnail(this.index, item, this.size);
        else waits = true;
      }
    });
    row.waits = waits;
  }

  // A picture is cropped to its tile, so its shorter side has to be as long as that.
  get size() {
    return this.side * Math.min(devicePixelRatio, 2) * 1.35 <= 160 ? "small" : "medium";
  }

  write(tile, item, column) {
    if (tile.shown) this.unload(tile);
    tile.shown = item;
    tile.classList.remove("blank");
    const name = nameOf(item.path);
    tile.ariaColIndex = String(column + 1);
    tile.link.href = this.actions.addressOf(item);
    tile.link.ariaLabel = item.score === undefined ? name : `${name}, similarity ${score(item.score)}`;
    tile.label.textContent = name;
    tile.own.textContent = item.score === undefined ? "" : score(item.score);
    tile.title = printable(item.path);
    if (item.gone || item.has_file === false) {
      tile.link.ariaLabel += item.gone ? ", the file is gone" : ", without a file";
      this.breaks(tile, item.gone ? "file is gone" : "no file");
    }
  }

  breaks(tile, why) {
    tile.classList.add("broken");
    tile.broken ??= element("span", { className: "tile-broken", ariaHidden: "true" }, icon("broken"), element("span"));
    tile.broken.lastElementChild.textContent = why;
    tile.append(tile.broken);
  }

  // One tile can be reached by Tab: the active one, or the first that is there.
  tabStop() {
    const [first, last] = this.range();
    const row = Math.floor(this.active / this.columns);
    const place = row >= first && row < last ? this.active : Math.max(0, Math.ceil(-this.root.getBoundingClientRect().top / this.pitch)) * this.columns;
    const tile = this.tileAt(place) ?? this.tileAt(first * this.columns);
    if (this.stop === tile) return;
    if (this.stop) this.stop.link.tabIndex = -1;
    this.stop = tile;
    if (tile) tile.link.tabIndex = 0;
  }

  tileAt(place) {
    const tile = this.rows.get(Math.floor(place / this.columns))?.children[place % this.columns];
    return tile && !tile.hidden ? tile : null;
  }

  activate(place) {
    this.active = place;
    this.tabStop();
  }

  get activeItem() {
    return this.source?.item(this.active);
  }

  // Scrolls no more than it takes to see the tile.
  reveal(place) {
    const header = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    const top = this.top + Math.floor(place / this.columns) * this.pitch;
    if (top < scrollY + header) scrollTo({ top: top - header, behavior: "instant" });
    else if (top + this.side > scrollY + innerHeight) scrollTo({ top: top + this.side - innerHeight + this.gap, behavior: "instant" });
  }

  focus(place) {
    const last = Math.min(this.source.count, this.rowCount * this.columns) - 1;
    if (last < 0) return;
    const there = Math.max(0, Math.min(last, place));
    this.reveal(there);
    this.draw(false);
    this.activate(there);
    this.tileAt(there)?.link.focus({ preventScroll: true });
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile?.shown || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const button = event.target.closest("button");
    if (button) {
      this.act(button.value, tile);
    } else if (event.target.closest("a")) {
      event.preventDefault();
      this.actions.search(tile.shown);
    }
  }

  act(action, tile) {
    if (action === "look") this.actions.look(Number(tile.dataset.place));
    else this.actions[action](tile.shown);
  }

  pressed(event) {
    if (event.ctrlKey && ["Home", "End"].includes(event.key)) {
      event.preventDefault();
      this.focus(event.key === "Home" ? 0 : Infinity);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const screen = Math.max(1, Math.floor((innerHeight * 0.8) / this.pitch)) * this.columns;
    const start = this.active - (this.active % this.columns);
    const steps = {
      ArrowRight: this.active + 1, ArrowLeft: this.active - 1,
      ArrowDown: this.active + this.columns, ArrowUp: this.active - this.columns,
      PageDown: this.active + screen, PageUp: this.active - screen,
      Home: start, End: start + this.columns - 1,
    };
    const tile = event.target.closest(".tile");
    if (event.key in steps) {
      event.preventDefault();
      const place = steps[event.key];
      // Up from the first row, and down from the last but one, stay in their column or where they are.
      if (place < 0 && event.key === "ArrowUp") return;
      this.focus(place);
    } else if (event.key === "Enter" && event.target.tagName === "A" && tile?.shown) {
      event.preventDefault();
      this.actions.look(Number(tile.dataset.place));
    }
  }
}
