// A gallery: queries with their hits, or groups of copies; a click leads on.
"use strict";

const $ = (id) => document.getElementById(id);
const own = new Map(); // picture -> the section that is about it
const sections = DATA.sections.map((section, number) => {
  const node = element("section", { id: `s${number}`, tabIndex: -1 });
  node.setAttribute("aria-label", section.heading);
  if (section.about >= 0) own.set(section.about, number);
  $("sections").append(node);
  return node;
});
for (const { caption, heads, rows } of DATA.tables) {
  const cells = (name, texts) => texts.map((textContent) => element(name, { textContent }));
  const head = element("tr", {}, ...cells("th", heads));
  const body = rows.map(([first, ...rest]) => element("tr", {}, ...cells("th", [first]), ...cells("td", rest)));
  for (const cell of head.children) cell.scope = "col";
  for (const row of body) row.firstChild.scope = "row";
  const title = element("caption", { textContent: caption });
  const table = element("table", {}, title, element("tbody", {}, ...body));
  if (heads.length) title.after(element("thead", {}, head));
  const frame = element("div", { className: "table", tabIndex: 0, role: "group" }, table);
  frame.setAttribute("aria-label", caption);
  $("tables").append(frame);
}
const onFill = []; // what else is to be done with a section that has got its tiles
let tileSide = 0;
let chosen = false; // the size, by the slider
let current = 0;

// A size of tiles at which the rows come out even and full; on a phone two stand beside each other.
function fitting() {
  const room = $("sections").clientWidth - 52;
  if (window.innerWidth <= 640) return Math.max(80, Math.floor((room - 10) / 2) - 14);
  const most = (lists) => Math.max(1, ...lists.map((list) => list.length));
  const asked = Math.min(2, most(DATA.sections.map(({ queries }) => queries)));
  const found = most(DATA.sections.map(({ tiles }) => tiles));
  const usual = DATA.sections.length > 1 ? 140 : 180;
  const largest = Math.max(usual, Math.min(usual + 50, 2 * Sprites.side)); // or they would be blurred
  const columns = Math.max(1, Math.floor((room - 30) / (usual + 24)) - asked);
  const even = Math.ceil(found / Math.ceil(found / columns));
  return Math.max(usual, Math.min(largest, Math.floor((room - 30) / (even + asked)) - 24));
}

function say(text) {
  $("status").textContent = text;
}

function tile({ picture, name, left, right, mark, minus }) {
  const button = element("button", { className: `tile${mark ? " mark" : ""}${minus ? " minus" : ""}` });
  button.title = picture >= 0 ? [Pictures.path(picture), Words.text(picture)].filter(Boolean).join("\n") : name;
  const frame = element("span", { className: "frame" });
  if (picture >= 0) frame.append(Sprites.canvas(picture, tileSide, name));
  else frame.append(element("span", { className: "soft", textContent: "no picture" }));
  const lines = Names.lines(name, tileSide).map((textContent) => element("bdi", { textContent }));
  const title = element("span", { className: "name" }, ...lines);
  const detail = element("span", { className: "detail" }, element("b", { textContent: left }), element("span", { textContent: right }));
  button.append(frame, detail, title);
  if (picture >= 0) button.addEventListener("click", () => follow(picture));
  return button;
}

function fill(node) {
  if (node.childElementCount) return;
  const section = DATA.sections[Number(node.id.slice(1))];
  const hits = element("div", { className: "hits" }, ...section.tiles.map(tile));
  if (!section.tiles.length) hits.append(element("div", { className: "empty", textContent: "no hits" }));
  if (section.note) hits.append(element("div", { className: "section-note", textContent: section.note }));
  if (section.queries.length) node.append(element("div", { className: "query" }, ...section.queries.map(tile)));
  node.append(hits);
  node.style.minHeight = "";
  for (const listener of onFill) listener(node, section);
}

// Of many sections only those near the window exist; the others keep their place.
function empty(node) {
  if (!node.childElementCount || node.contains(document.activeElement)) return;
  node.style.minHeight = `${node.offsetHeight}px`;
  node.replaceChildren();
}

const watcher = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => (isIntersecting ? fill(target) : empty(target))),
  { rootMargin: "1200px" },
);

function setSize(side) {
  tileSide = side;
  $("size").value = side;
  document.documentElement.style.setProperty("--tile", `${side}px`);
  const column = Math.max(1, Math.floor((window.innerWidth - side - 120) / (side + 24)));
  sections.forEach((node, number) => {
    watcher.unobserve(node);
    node.replaceChildren();
    const rows = Math.ceil(Math.max(1, DATA.sections[number].tiles.length) / column);
    node.style.minHeight = `${rows * (side + 70) + 24}px`;
    watcher.observe(node);
  });
}

function follow(picture) {
  const number = own.get(picture);
  const shown = sections[current];
  if (number !== undefined && (number !== current || !shown.contains(document.activeElement))) {
    // By the hash, so that the browser's way back leads back; the same one again is no change.
    if (location.hash === `#s${number}`) go(number);
    else location.hash = `s${number}`;
  } else {
    look(picture);
  }
}

function look(picture) {
  const dialog = $("one");
  const path = Pictures.path(picture);
  const copy = element("button", { textContent: "Copy path", onclick: () => copyText(path, () => say("path copied")) });
  const close = element("button", { textContent: "Close", onclick: () => dialog.close() });
  const actions = element("div", { className: "actions" }, copy, close);
  actions.prepend(...linksOf(picture));
  dialog.replaceChildren(
    Sprites.canvas(picture, Math.min(420, 3 * Sprites.side, window.innerWidth - 90), Pictures.name(picture), true),
    element("div", { className: "path", textContent: path }),
    element("div", { className: "soft words", textContent: Words.text(picture) }),
    actions,
  );
  dialog.showModal();
}

function go(number) {
  const node = sections[number];
  if (!node) return;
  sections[current]?.classList.remove("current");
  current = number;
  node.hidden = false;
  fill(node);
  node.classList.add("current");
  node.scrollIntoView({ block: "start" });
  node.focus({ preventScroll: true });
  say(DATA.sections[number].heading);
}

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  sections.forEach((node, number) => {
    const name = DATA.sections[number].heading.toLowerCase();
    node.hidden = !words.every((word) => name.includes(word));
    found += !node.hidden;
  });
  $("found").textContent = words.length ? `${found.toLocaleString("en")} found` : "";
}

function beside(step) {
  const tiles = [...(sections[current]?.querySelectorAll(".tile") ?? [])];
  const at = tiles.indexOf(document.activeElement);
  tiles[Math.max(0, Math.min(tiles.length - 1, at < 0 ? 0 : at + step))]?.focus();
}

function further(step) {
  for (let number = current + step; number >= 0 && number < sections.length; number += step) {
    if (!sections[number].hidden) return go(number);
  }
}

const KEYS = {
  j: () => further(1),
  k: () => further(-1),
  ArrowRight: () => beside(1),
  ArrowLeft: () => beside(-1),
  d: () => Theme.toggle(),
  "/": () => $("search").focus(),
  "?": () => $("keys").showModal(),
  Escape: () => search(($("search").value = "")),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.tagName === "INPUT";
  if (typing && event.key === "Escape") event.target.blur(), search(($("search").value = ""));
  if (typing || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!KEYS[key]) return;
  KEYS[key]();
  event.preventDefault();
});

$("search").addEventListener("input", (event) => search(event.target.value));
$("size").addEventListener("input", (event) => ((chosen = true), setSize(Number(event.target.value))));
window.addEventListener("resize", () => !chosen && fitting() !== tileSide && setSize(fitting()));
$("theme").addEventListener("click", () => Theme.toggle());
$("help").addEventListener("click", () => $("keys").showModal());
window.addEventListener("hashchange", () => go(Number(location.hash.slice(2)) || 0));
document.addEventListener("focusin", (event) => {
  const node = event.target.closest("section");
  if (node) current = Number(node.id.slice(1));
});
Names.context.font = getComputedStyle(document.body).font;
setSize(fitting());
if (location.hash) go(Number(location.hash.slice(2)) || 0);
