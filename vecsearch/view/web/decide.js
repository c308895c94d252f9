// What is a copy, and what to keep: pictures side by side, and the commands that say so.

const decided = DATA.sections.map(() => ({ apart: new Set(), copies: new Set(), keep: null }));
const onDecide = []; // what else is to be done when something was decided
const stage = element("dialog", { id: "compare" });
stage.setAttribute("aria-label", "Two pictures compared");
document.body.append(stage);

const given = element("pre", { tabIndex: 0 });
given.setAttribute("aria-label", "Commands");
const copyGiven = element("button", { textContent: "Copy", onclick: () => copyText(given.textContent, () => say("commands copied")) });
const told = element("span", { className: "soft" });
const commands = element("footer", { hidden: true }, element("div", { className: "actions" }, told, copyGiven), given);
document.body.append(commands);

function writeCommands() {
  const lines = [];
  const kept = [];
  decided.forEach(({ apart, keep }, number) => {
    const own = DATA.sections[number].queries[0].compared.id;
    for (const id of apart) lines.push(`${DATA.decisions.not_copies} id:${own} id:${id}`);
    if (keep !== null) kept.push(`--keep id:${keep}`);
  });
  const { again, keep: before } = DATA.decisions; // the first is preferred most
  if (kept.length) lines.push([again, ...kept, before].filter(Boolean).join(" "));
  commands.hidden = !lines.length;
  given.textContent = lines.join("\n");
  told.textContent = `${lines.length === 1 ? "1 command" : `${lines.length} commands`} to run, for what was marked here:`;
  for (const listener of onDecide) listener();
  document.body.style.paddingBottom = commands.hidden ? "" : `${commands.offsetHeight}px`;
}

function parts(number) {
  const { queries, tiles } = DATA.sections[number];
  return [queries[0], ...tiles];
}

function mark(number, tile, what) {
  const state = decided[number];
  const id = tile.compared.id;
  const own = DATA.sections[number].queries[0].compared.id;
  if (what === "apart") {
    if (id === own || tile.compared.certain) return;
    if (!state.apart.delete(id)) state.apart.add(id);
    state.copies.delete(id);
    if (state.keep === id) state.keep = null;
  } else if (what === "copy") {
    if (id === own) return;
    if (!state.copies.delete(id)) state.copies.add(id);
    state.apart.delete(id);
    if (state.keep === id) state.keep = null;
  } else if (what === "keep") {
    state.keep = state.keep === id || id === own ? null : id;
    state.apart.delete(id);
    state.copies.delete(id);
  }
  show(number);
  writeCommands();
}

function isMarked(number, id, what) {
  const { apart, copies, keep } = decided[number];
  return what === "apart" ? apart.has(id) : what === "copy" ? copies.has(id) : keep === id;
}

// Shows on the tiles of a section, and in the dialog, what was decided.
function show(number) {
  const { apart, keep } = decided[number];
  const pictures = parts(number);
  sections[number].querySelectorAll(".choice").forEach((choice, place) => {
    const { id } = pictures[place].compared;
    choice.classList.toggle("apart", apart.has(id));
    choice.firstChild.classList.toggle("mark", keep === null ? place === 0 : keep === id);
    for (const button of choice.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", isMarked(number, id, button.dataset.mark));
    }
  });
}

function marks(number, tile) {
  const button = (what, textContent, key) => {
    const made = element("button", { textContent, title: `${textContent} (${key})`, onclick: () => mark(number, tile, what) });
    made.dataset.mark = what;
    made.setAttribute("aria-pressed", "false");
    return made;
  };
  const both = [button("keep", "Keep this", "B")];
  if (!tile.compared.certain) both.unshift(button("apart", "Not a copy", "X"));
  if (Server) both.unshift(button("copy", "A copy", "C"));
  return element("div", { className: "marks" }, ...both);
}

sections.forEach((node, number) => {
  const copies = DATA.sections[number].tiles.length;
  node.classList.add(copies < 2 ? "one" : copies < 4 ? "few" : "many");
});

// A group of a few has room in two columns, where there are two.
new ResizeObserver(([{ target }]) => {
  target.classList.toggle("columns", target.clientWidth >= 2 * (2 * tileSide + 120) + 36);
}).observe($("sections"));

onFill.push((node) => {
  const number = Number(node.id.slice(1));
  node.querySelectorAll(".tile").forEach((tile, place) => {
    const picture = parts(number)[place];
    const choice = element("div", { className: "choice" });
    tile.replaceWith(choice);
    choice.append(tile, element("div", { className: "remark", textContent: picture.compared.remark }));
    if (place) choice.append(marks(number, picture));
  });
  show(number);
});

// Before the tile's own listener, which would look at one picture alone.
$("sections").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  event.stopPropagation();
  const number = Number(tile.closest("section").id.slice(1));
  const place = [...tile.closest("section").querySelectorAll(".tile")].indexOf(tile);
  compare(number, Math.max(1, place));
}, true);

function compare(number, place, flipped = stage.classList.contains("flip")) {
  const pictures = parts(number);
  const [kept, copy] = [pictures[0], pictures[place]];
  const narrow = window.innerWidth < 700;
  const side = Math.round(Math.min(2 * Sprites.side, narrow || flipped ? window.innerWidth - 70 : window.innerWidth / 2 - 60, window.innerHeight * 0.55));
  const figure = (tile, what) => {
    const link = Pictures.link(tile.picture);
    const caption = element("figcaption", {}, element("b", { textContent: what }), " ");
    caption.append(link ? element("a", { href: link, target: "_blank", rel: "noreferrer", textContent: tile.name }) : tile.name);
    return element("figure", {}, element("div", {}, Sprites.canvas(tile.picture, side, tile.name)), caption);
  };
  const figures = element("div", { className: "figures" }, figure(kept, "Kept"), figure(copy, "Copy"));
  figures.firstChild.classList.add("top");
  const flip = () => figures.childNodes.forEach((one) => one.classList.toggle("top"));
  figures.addEventListener("click", (event) => {
    if (stage.classList.contains("flip") && !event.target.closest("a")) flip();
  });
  const names = [...new Set([...Object.keys(kept.compared.facts), ...Object.keys(copy.compared.facts)])];
  const rows = names.map((name) => {
    const values = [kept, copy].map((tile) => tile.compared.facts[name] ?? "");
    const cells = values.map((textContent) => element("td", { textContent }));
    const row = element("tr", {}, element("th", { textContent: name, scope: "row" }), ...cells);
    if (values[0] !== values[1]) row.className = "differs";
    return row;
  });
  const head = element("tr", {}, element("td"), ...["Kept", "Copy"].map((textContent) => element("th", { textContent, scope: "col" })));
  const step = (by) => compare(number, 1 + ((place - 1 + by + pictures.length - 1) % (pictures.length - 1)));
  const turn = (on) => {
    stage.classList.toggle("flip", on);
    compare(number, place, on);
  };
  const button = (textContent, title, onclick) => element("button", { textContent, title, onclick });
  const actions = element("div", { className: "actions" });
  const flipping = button("Flip", "One in the place of the other (Space)", () => (stage.classList.contains("flip") ? flip() : turn(true)));
  actions.append(flipping);
  if (flipped) actions.append(button("Side by side", "Both at once (S)", () => turn(false)));
  if (pictures.length > 2) actions.append(button("Next copy", "The next of this group (right arrow)", () => step(1)));
  const own = [...marks(number, copy).children];
  const press = () => own.forEach((one) => {
    one.setAttribute("aria-pressed", isMarked(number, copy.compared.id, one.dataset.mark));
  });
  own.forEach((one) => one.addEventListener("click", press));
  press();
  actions.append(...own, button("Close", "Close (Esc)", () => stage.close()));
  stage.replaceChildren(figures, actions, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  stage.onkeydown = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const done = {
      " ": () => flipping.click(),
      s: () => turn(false),
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      c: () => actions.querySelector("[data-mark=copy]")?.click(),
      x: () => actions.querySelector("[data-mark=apart]")?.click(),
      b: () => actions.querySelector("[data-mark=keep]").click(),
    }[key];
    if (!done || event.ctrlKey || event.metaKey || event.altKey) return;
    done();
    event.preventDefault();
  };
  if (!stage.open) stage.showModal();
  flipping.focus();
}

// The tile that has the focus, or the first copy of the section that is looked at.
function marked(what) {
  const node = sections[current];
  const tiles = [...(node?.querySelectorAll(".tile") ?? [])];
  const choice = document.activeElement?.closest(".choice");
  const place = choice && node?.contains(choice) ? tiles.indexOf(choice.firstChild) : 1;
  if (tiles[place]) mark(current, parts(current)[place], what);
}
KEYS.x = () => marked("apart");
KEYS.b = () => marked("keep");
if (Server) KEYS.c = () => marked("copy");
for (const [key, text] of [...(Server ? [["C", "a copy"]] : []), ["X", "not a copy"], ["B", "keep this one"], ["Space", "flip the two that are compared"]]) {
  const name = element("dt", {}, element("kbd", { textContent: key }));
  $("keys").querySelector("dl").append(name, element("dd", { textContent: text }));
}
sections.filter((node) => node.childElementCount).forEach((node) => onFill.at(-1)(node));
