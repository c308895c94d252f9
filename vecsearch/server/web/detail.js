// One picture, large, with what is known of it and what can be done with it.

import { original, thumbnail } from "./api.js";
import { $, element, icon, iconButton } from "./dom.js";
import { briefOf, factsOf } from "./known.js";
import { isQuery } from "./question.js";
import { bytes, count, folderOf, modified, nameOf, printable, score, taken } from "./text.js";

export class Detail {
  // *actions*: show(id), closed(), search(item), plus(item), minus(item), within(folder), word(text),
  // step(id, by) -> the item beside it, question(), say(text)
  constructor(actions) {
    this.actions = actions;
    this.dialog = $("detail");
    this.id = null;
    this.build();
    this.dialog.addEventListener("close", () => {
      if (this.dialog.open) return; // The event comes late, and it has been opened again.
      const { id } = this;
      this.id = null;
      if (id !== null) this.actions.closed(id);
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
    this.watchSwipes();
  }

  build() {
    this.preview = element("img", { className: "detail-preview", alt: "" });
    this.large = element("img", { className: "detail-large" });
    this.large.addEventListener("load", () => this.large.classList.add("ready"));
    this.large.addEventListener("error", () => this.large.getAttribute("src") && this.missing("The file cannot be shown"));
    this.note = element("p", { className: "detail-missing", hidden: true }, icon("broken"), element("span"));
    this.stage = element(
      "div",
      { className: "detail-stage" },
      this.preview, this.large, this.note,
      iconButton("previous", "Previous picture (←)", () => this.go(-1), { className: "icon-button side previous" }),
      iconButton("next", "Next picture (→)", () => this.go(1), { className: "icon-button side next" }),
    );
    this.title = element("h2", { id: "detail-title" });
    this.place = element("p", { className: "detail-folder" });
    this.facts = element("dl", { className: "facts" });
    this.words = element("ul", { className: "word-list", ariaLabel: "Words" });
    const button = (text, name, action, className = "button") =>
      element("button", { type: "button", className, onclick: action }, icon(name), text);
    this.plus = button("More like this", "plus", () => this.act("plus"));
    this.minus = button("Less like this", "minus", () => this.act("minus"));
    this.link = element("a", { className: "button", target: "_blank", rel: "noreferrer" }, icon("expand"), "Open the original");
    this.panel = element(
      "div",
      { className: "detail-panel" },
      element("div", { className: "sheet-head" }, this.title, iconButton("close", "Close (Esc)", () => this.dialog.close())),
      this.place,
      button("Search with this", "search", () => this.act("search"), "button primary"),
      element("div", { className: "pair" }, this.plus, this.minus),
      this.facts,
      this.words,
      element("div", { className: "detail-end" }, button("Copy path", "copies", () => this.copy()), this.link),
    );
    this.dialog.replaceChildren(this.stage, this.panel);
    this.dialog.removeAttribute("aria-label");
    this.dialog.tabIndex = -1;
    this.dialog.setAttribute("aria-labelledby", "detail-title");
  }

  // Shows an image; *item* is what the grid knows of it, with the score if it is a hit.
  async show(index, id, item) {
    if (this.id === id && this.index === index) return;
    this.index = index;
    this.id = id;
    this.item = item ?? { id };
    this.reset();
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus({ preventScroll: true }); // Rather than the first of its buttons.
    }
    try {
      const brief = item ?? (await briefOf(index, id));
      if (this.id !== id) return;
      this.item = { ...brief, score: item?.score };
      this.picture(this.item);
      this.tell(this.item);
      const facts = await factsOf(index, id);
      if (this.id !== id) return;
      this.item = { ...facts, score: item?.score };
      if (facts.gone) this.missing("The file is gone");
      this.tell(this.item);
    } catch (error) {
      if (this.id !== id) return;
      this.title.textContent = `Picture ${id}`;
      this.missing(error.detail ?? "It cannot be shown");
    }
    this.ahead();
  }

  close() {
    this.id = null; // Nobody has to be told.
    if (this.dialog.open) this.dialog.close();
  }

  reset() {
    this.note.hidden = true;
    this.large.classList.remove("ready");
    for (const image of [this.large, this.preview]) {
      image.removeAttribute("src");
      image.style.maxWidth = image.style.maxHeight = "";
    }
    this.preview.hidden = false;
    this.title.textContent = "…";
    this.place.replaceChildren();
    this.facts.replaceChildren();
    this.words.replaceChildren();
    const canSteer = isQuery(this.actions.question());
    this.minus.disabled = !canSteer;
    this.arrows();
  }

  arrows() {
    for (const [name, by] of [["previous", -1], ["next", 1]]) {
      this.stage.querySelector(`.${name}`).hidden = !this.actions.step(this.id, by);
    }
  }

  picture(item) {
    this.large.alt = nameOf(item.path);
    if (item.has_file === false) return this.missing("The image has no file");
    if (item.gone) return this.missing("The file is gone");
    // What the grid has shown is there at once, and the large one takes its place.
    this.preview.src = thumbnail(this.index, item, "medium");
    this.large.src = thumbnail(this.index, item, "large");
  }

  // Small pictures are not blown up: that shows nothing more.
  bound({ width, height }) {
    if (!width || !height) return;
    const most = Math.max(2.5, 480 / Math.max(width, height));
    for (const image of [this.large, this.preview]) {
      image.style.maxWidth = `${width * most}px`;
      image.style.maxHeight = `${height * most}px`;
    }
  }

  missing(text) {
    this.note.lastElementChild.textContent = text;
    this.note.hidden = false;
    this.preview.hidden = true;
    for (const image of [this.large, this.preview]) image.removeAttribute("src");
  }

  tell(item) {
    this.title.textContent = nameOf(item.path);
    const folder = folderOf(item.path);
    this.place.replaceChildren();
    if (folder) {
      const only = element("button", { type: "button", className: "quiet", title: "Only this folder", textContent: printable(folder), onclick: () => this.actions.within(folder) });
      this.place.append(only);
    }
    this.bound(item);
    this.link.href = original(this.index, item);
    this.link.hidden = item.has_file === false || item.gone === true;
    const rows = [];
    const row = (name, value) => rows.push(element("dt", { textContent: name }), element("dd", { textContent: value }));
    if (item.score !== undefined) row("Similarity", score(item.score));
    if (item.width) row("Size", `${count(item.width)} × ${count(item.height)}`);
    if (item.size_bytes && item.has_file !== false) row("File", bytes(item.size_bytes));
    if (item.taken) row("Taken", taken(item.taken));
    if (item.mtime_ns && item.has_file !== false) row("Modified", modified(item.mtime_ns));
    row("Id", String(item.id));
    this.facts.replaceChildren(...rows);
    this.words.replaceChildren(
      ...(item.words ?? []).map(({ word, share }) => {
        const percent = share ? ` ${Math.round(share * 100)} %` : "";
        const ask = element("button", { type: "button", className: "chip", title: `Search with the word ${printable(word)}`, onclick: () => this.actions.word(word) }, printable(word));
        if (percent) ask.append(element("small", { textContent: percent }));
        return element("li", {}, ask);
      }),
    );
    this.words.hidden = !item.words?.length;
  }

  // The next ones are fetched before they are wanted.
  ahead() {
    for (const by of [1, -1]) {
      const item = this.actions.step(this.id, by);
      if (item && item.has_file !== false && !item.gone) new Image().src = thumbnail(this.index, item, "large");
    }
  }

  go(by) {
    const item = this.actions.step(this.id, by);
    if (item) this.actions.show(item.id);
  }

  act(action) {
    if (!this.item.path || (action === "minus" && this.minus.disabled)) return;
    this.actions[action](this.item);
  }

  async copy() {
    if (!this.item.path) return;
    await copyText(this.item.path, this.dialog);
    this.actions.say("Path copied");
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const keys = {
      ArrowLeft: () => this.go(-1), ArrowUp: () => this.go(-1),
      ArrowRight: () => this.go(1), ArrowDown: () => this.go(1),
      s: () => this.act("search"), "+": () => this.act("plus"), "-": () => this.act("minus"),
      c: () => this.copy(),
    };
    if (!keys[key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[key]();
  }

  watchSwipes() {
    let start = null;
    this.stage.addEventListener("touchstart", (event) => {
      start = event.touches.length === 1 ? [event.touches[0].clientX, event.touches[0].clientY] : null;
    }, { passive: true });
    this.stage.addEventListener("touchend", (event) => {
      if (!start) return;
      const [x, y] = [event.changedTouches[0].clientX - start[0], event.changedTouches[0].clientY - start[1]];
      if (Math.abs(x) > 50 && Math.abs(x) > 2 * Math.abs(y)) this.go(x < 0 ? 1 : -1);
    }, { passive: true });
  }
}

// The clipboard is only for secure pages; over plain HTTP a selection is copied. It is made inside
// the dialog, since nothing outside it can be selected meanwhile.
async function copyText(text, parent) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { value: text, className: "unseen", ariaHidden: "true" });
    parent.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
