// The box for words: an editable combobox with the words of the index (WAI-ARIA, combobox pattern).

import { getWords } from "./api.js";
import { debounced, element } from "./dom.js";
import { printable } from "./text.js";

const MOST_SHOWN = 12;

// Where the part begins that was looked for: any of several words may begin with it.
function beginning(word, prefix) {
  const text = ` ${word}`.toLowerCase();
  return Math.max(0, text.indexOf(` ${prefix.toLowerCase()}`));
}

export class WordBox {
  // *ask* is told the word that was chosen, *index* tells where to look, *fail* what went wrong.
  constructor({ input, list, ask, index, fail }) {
    Object.assign(this, { input, list, ask, index, fail });
    this.at = -1;
    this.work = null;
    const look = debounced(() => this.look(), 80);
    input.addEventListener("input", look);
    input.addEventListener("focus", () => input.value && look());
    input.addEventListener("blur", () => setTimeout(() => this.close(), 120));
    input.addEventListener("keydown", (event) => this.pressed(event));
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // Keeps the focus.
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(option.dataset.word);
    });
  }

  async look() {
    this.work?.abort();
    const prefix = this.input.value.trim();
    if (!prefix) return this.close();
    const work = (this.work = new AbortController());
    try {
      const { words } = await getWords(this.index(), prefix, work.signal);
      if (document.activeElement === this.input && !work.signal.aborted) {
        const first = ({ word }) => (beginning(word, prefix) ? 1 : 0);
        words.sort((one, other) => first(one) - first(other));
        this.show(words.slice(0, MOST_SHOWN), prefix);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(words, prefix) {
    this.at = -1;
    const options = words.map(({ word }, number) => {
      const at = beginning(word, prefix);
      return element(
        "div",
        { role: "option", id: `word-${number}`, className: "word", "data-word": word, ariaSelected: "false" },
        printable(word.slice(0, at)),
        element("b", { textContent: printable(word.slice(at, at + prefix.length)) }),
        printable(word.slice(at + prefix.length)),
      );
    });
    if (!options.length) {
      const nothing = `No word of this collection begins with “${printable(prefix)}”`;
      options.push(element("div", { className: "word none", role: "option", ariaDisabled: "true", ariaSelected: "false", textContent: nothing }));
    }
    this.list.replaceChildren(...options);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.at = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    const options = this.list.hidden ? [] : [...this.list.querySelectorAll("[data-word]")];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!options.length) return void this.look();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.select(options, (this.at + step + options.length + (this.at < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      // What was written in full is meant, else the first that begins like it.
      const written = this.input.value.trim();
      const chosen = options[this.at]?.dataset.word;
      if (chosen || written) this.take(chosen ?? written, !chosen);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (!this.list.hidden) this.close();
      else if (this.input.value) this.input.value = "";
      else this.input.blur();
    }
  }

  select(options, at) {
    options[this.at]?.setAttribute("aria-selected", "false");
    this.at = at;
    options[at].setAttribute("aria-selected", "true");
    options[at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", options[at].id);
  }

  async take(word, isWritten = false) {
    this.work?.abort();
    this.close();
    if (isWritten) {
      try {
        const { words } = await getWords(this.index(), word);
        const found = words.find((one) => one.word.toLowerCase() === word.toLowerCase()) ?? words[0];
        if (!found) return this.fail(word);
        word = found.word;
      } catch (error) {
        return this.fail(word, error);
      }
    }
    this.input.value = "";
    this.ask(word);
  }
}
