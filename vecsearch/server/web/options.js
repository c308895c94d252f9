// The options: filters, how hits are found, how they are shown. They work while they are changed.

import { $, debounced, element } from "./dom.js";
import { isQuery } from "./question.js";
import { score } from "./text.js";

const NEIGHBOURS = 5;
const CANDIDATES = 200;

export class Options {
  // *go* is told the next question and whether it replaces the one before; *opened* opens them.
  constructor({ go, question, show, opened }) {
    Object.assign(this, { go, question, show });
    this.panel = $("options");
    this.form = this.panel.querySelector("form");
    this.button = $("options-button");
    const later = debounced(() => this.apply(), 300);
    const soon = debounced(() => this.apply(), 120);
    this.form.addEventListener("input", (event) => {
      this.tell();
      const { name } = event.target;
      if (name === "whole" || name === "size") return this.show();
      if (name === "under" || name === "glob" || name === "since" || name === "until") later();
      else soon();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
      this.close();
    });
    this.form.querySelector("[data-close]").addEventListener("click", () => this.close());
    this.form.querySelector("[data-reset]").addEventListener("click", () => {
      this.go({ ...this.question(), under: "", glob: "", since: "", until: "", threshold: null, expand: 0, rerank: 0, most: 0 });
      this.fill();
    });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
    this.button.addEventListener("click", () => (this.panel.hidden ? opened() : this.close()));
    document.addEventListener("pointerdown", (event) => {
      const inside = this.panel.contains(event.target) || this.button.contains(event.target);
      if (!this.panel.hidden && !inside) this.close(false);
    });
  }

  get fields() {
    return this.form.elements;
  }

  open() {
    this.fill();
    this.panel.hidden = false;
    this.pushed = false;
    this.button.setAttribute("aria-expanded", "true");
    this.panel.focus({ preventScroll: true });
  }

  close(refocus = true) {
    if (this.panel.hidden) return;
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (refocus) this.button.focus({ preventScroll: true });
  }

  setFolders(folders) {
    $("folders").replaceChildren(...folders.map((folder) => element("option", { value: folder })));
  }

  fill() {
    const question = this.question();
    const { fields } = this;
    for (const name of ["under", "glob", "since", "until"]) {
      if (document.activeElement !== fields[name]) fields[name].value = question[name];
    }
    fields.threshold.value = String(Math.max(0, question.threshold ?? 0));
    fields.expand.checked = question.expand > 0;
    fields.rerank.checked = question.rerank > 0;
    const most = question.most ? String(question.most) : "";
    if (![...fields.most.options].some((option) => option.value === most)) fields.most.append(element("option", { textContent: most }));
    fields.most.value = most;
    this.form.querySelector("[data-query]").hidden = !isQuery(question);
    this.tell();
  }

  tell() {
    const value = Number(this.fields.threshold.value);
    this.fields["threshold-out"].value = value > 0 ? score(value) : "any";
  }

  // The first change makes an entry of the history, those after it change that.
  apply() {
    const { fields } = this;
    const before = this.question();
    const threshold = Number(fields.threshold.value);
    const keeps = before.threshold !== null && before.threshold <= 0 && threshold === 0;
    const next = {
      ...before,
      under: fields.under.value.trim(),
      glob: fields.glob.value.trim(),
      since: fields.since.value,
      until: fields.until.value,
    };
    if (isQuery(before)) {
      next.threshold = threshold > 0 ? threshold : keeps ? before.threshold : null;
      next.expand = fields.expand.checked ? before.expand || NEIGHBOURS : 0;
      next.rerank = fields.rerank.checked ? before.rerank || CANDIDATES : 0;
      next.most = Number(fields.most.value);
    }
    if (JSON.stringify(next) === JSON.stringify(before)) return;
    this.go(next, this.pushed);
    this.pushed = true;
  }
}
