// What a question is made of, each part as a chip that can be taken out.

import { thumbnail } from "./api.js";
import { $, element, icon, iconButton } from "./dom.js";
import { briefOf } from "./known.js";
import { pictureOf } from "./pictures.js";
import { isQuery, minus, plus, textOf, without } from "./question.js";
import { nameOf, printable, score } from "./text.js";

// *go* is told the next question, *drawBox* opens the picture to mark a part.
export class Chips {
  constructor({ go, drawBox }) {
    Object.assign(this, { go, drawBox });
    this.shown = "";
  }

  // *facts*: what the index is, for whether a part of a picture can be asked for.
  show(question, facts) {
    const { show, sort, ...rest } = question;
    const shown = JSON.stringify([rest, facts?.can_embed]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.question = question;
    const limits = this.limits(question);
    $("question").hidden = !isQuery(question) && !limits.length;
    const parts = [
      ...question.like.map((part, number) => this.part(part, number ? "plus" : "", facts)),
      ...question.unlike.map((part) => this.part(part, "minus", facts)),
    ];
    const held = document.activeElement?.closest("#question") ? [...$("question").querySelectorAll("button")].indexOf(document.activeElement) : -1;
    $("parts").replaceChildren(...parts);
    $("parts").hidden = !parts.length;
    $("limits").replaceChildren(...limits);
    $("limits").hidden = !limits.length;
    if (held >= 0) this.refocus(held);
  }

  // Where a chip was taken out by key, the next one takes the focus.
  refocus(number) {
    const buttons = [...$("question").querySelectorAll("button")].filter((button) => button.offsetParent);
    (buttons[Math.min(number, buttons.length - 1)] ?? $("results")).focus({ preventScroll: true });
  }

  part(part, sign, facts) {
    const { question } = this;
    const picture = element("span", { className: "part-picture" });
    const name = element("span", { className: "part-name" });
    const note = element("span", { className: "part-note" });
    const label = element("span", { className: "part-label" }, name, note);
    const buttons = element("span", { className: "part-buttons" });
    const node = element("li", { className: `part ${sign}` }, picture, label, buttons);
    node.dataset.part = textOf(part);
    if (sign) node.prepend(element("span", { className: "sign", role: "img", ariaLabel: sign === "plus" ? "and like" : "but not like" }, icon(sign)));
    const told = (text) => {
      name.textContent = text;
      buttons.lastElementChild.ariaLabel = `Take out ${text}`;
    };
    const alone = question.like.length === 1 && !question.unlike.length;
    if (alone && part.word === undefined && facts?.can_embed) {
      buttons.append(iconButton("box", question.box ? "Change the part that is meant" : "Search with a part of it", () => this.drawBox()));
    }
    if (!alone || sign) {
      const turned = sign === "minus" ? plus(question, part) : minus(question, part);
      if (turned.like.length) {
        const turn = sign === "minus" ? "More like it instead" : "Less like it instead";
        buttons.append(iconButton(sign === "minus" ? "plus" : "minus", turn, () => this.go(turned)));
      }
    }
    buttons.append(iconButton("close", "Take out", () => this.go(without(question, part))));
    if (part.word !== undefined) {
      picture.append(icon("word"));
      told(printable(part.word));
      note.textContent = "word";
    } else {
      picture.append(icon("image"));
      told(part.id !== undefined ? `Picture ${part.id}` : "Your picture");
      note.textContent = part.id !== undefined ? "from the collection" : "sent by you";
      if (alone && question.box) note.textContent = `a part, ${question.box[2]} × ${question.box[3]} pixels`;
      this.illustrate(part, picture, told);
    }
    return node;
  }

  async illustrate(part, picture, told) {
    const image = element("img", { alt: "", decoding: "async", draggable: false });
    const { index, box } = this.question;
    try {
      let size;
      if (part.id !== undefined) {
        const brief = await briefOf(index, part.id);
        told(nameOf(brief.path));
        if (brief.has_file === false) return;
        image.src = thumbnail(index, brief, "small");
        size = brief;
      } else {
        const found = await pictureOf(part.picture);
        if (!found) return;
        if (found.title) told(nameOf(found.title));
        image.src = found.address;
        size = found;
      }
      await image.decode();
      picture.replaceChildren(image);
      if (box && size.width) this.frame(picture, box, size);
    } catch {
      // Without a picture the sign stays; what is wrong with the question is told elsewhere.
    }
  }

  // Shows only the part that is meant.
  frame(picture, [x, y, width, height], size) {
    const image = picture.firstElementChild;
    const scale = Math.min(56 / width, 56 / height);
    picture.classList.add("framed");
    Object.assign(image.style, {
      width: `${size.width * scale}px`, height: `${size.height * scale}px`,
      left: `${(56 - width * scale) / 2 - x * scale}px`, top: `${(56 - height * scale) / 2 - y * scale}px`,
      clipPath: `inset(${y * scale}px ${(size.width - x - width) * scale}px ${(size.height - y - height) * scale}px ${x * scale}px)`,
    });
  }

  limits(question) {
    const chips = [];
    const chip = (text, changes) => chips.push(element("li", { className: "limit" }, element("span", { textContent: text }), iconButton("close", `Take out: ${text}`, () => this.go({ ...question, ...changes }))));
    if (question.under) chip(`in ${printable(question.under)}`, { under: "" });
    if (question.glob) chip(`named ${printable(question.glob)}`, { glob: "" });
    if (question.since) chip(`since ${printable(question.since)}`, { since: "" });
    if (question.until) chip(`until ${printable(question.until)}`, { until: "" });
    if (!isQuery(question)) return chips;
    if (question.threshold !== null) chip(`similarity at least ${score(question.threshold)}`, { threshold: null });
    if (question.box) chip("a part of the picture", { box: null });
    if (question.expand) chip("follows the neighbours", { expand: 0 });
    if (question.rerank) chip("ordered by common neighbours", { rerank: 0 });
    if (question.most) chip(`at most ${question.most}`, { most: 0 });
    return chips;
  }
}
