// The page: a question in the address, its pictures in the grid, and what leads from one to the next.

import { getDescription, getIndexes } from "./api.js";
import { BoxDialog } from "./box.js";
import { Chips } from "./chips.js";
import { Detail } from "./detail.js";
import { $, element } from "./dom.js";
import { Grid } from "./grid.js";
import { watchKeys } from "./keys.js";
import { calm, during, say, setWorking, trouble } from "./notices.js";
import { Options } from "./options.js";
import { send, watchPictures } from "./pictures.js";
import { EMPTY, addressOf, asking, hasFilter, isQuery, keyOf, minus, parse, plus } from "./question.js";
import { setSetting, setting } from "./settings.js";
import { sourceOf } from "./sources.js";
import { folderOf, pictures, printable } from "./text.js";
import { WordBox } from "./word_box.js";

const STALE_MS = 350; // So long the pictures of the last question stay before they fade.
const AGAIN_MS = 3000;
const MOST_SOURCES = 12;

let question = { ...EMPTY };
let indexes = [];
let source = null;
let coming = null;
let staleTimer = 0;
let retryTimer = 0;
const sources = new Map();

const factsNow = () => indexes.find(({ name }) => name === question.index);

// --- from one question to the next ---

function go(next, replaces = false) {
  const before = history.state ?? {};
  if (!replaces) history.replaceState({ ...before, ...position() }, "");
  const state = { opened: next.show !== null && (replaces ? Boolean(before.opened) : true) };
  history[replaces ? "replaceState" : "pushState"](state, "", addressOf(next));
  apply(next, null);
}

const position = () => ({ scroll: scrollY, place: grid.active });

// *kept* is where one was, for the way back.
function apply(next, kept) {
  const before = question;
  question = next;
  if (!factsNow() && indexes.length) question = { ...question, index: indexes[0].name };
  dress(); // First, since what stands above the pictures moves them.
  if (!source || keyOf(before) !== keyOf(question)) change(kept);
  if (question.show === null) detail.close();
  else open(question.show);
}

function open(id) {
  const place = source?.placeOf(id) ?? -1;
  if (place >= 0) {
    grid.activate(place);
    grid.reveal(place);
  }
  detail.show(question.index, id, place >= 0 ? source.item(place) : undefined);
}

function change(kept) {
  calm();
  clearTimeout(retryTimer);
  const key = keyOf(question);
  const hadFocus = $("grid").contains(document.activeElement) || document.activeElement === document.body;
  let next = sources.get(key);
  if (!next) next = sourceOf(question, factsNow()?.images ?? 0);
  sources.delete(key);
  sources.set(key, next);
  if (sources.size > MOST_SOURCES) sources.delete(sources.keys().next().value);
  coming?.stop();
  if (source && source !== next) {
    source.stop();
    source.changed = () => {};
  }
  coming = next;
  const move = { scroll: kept?.scroll ?? 0, place: kept?.place ?? 0, focuses: hadFocus && source !== null };
  next.changed = () => arrived(next, move);
  next.problem = null;
  if (next.started || !source) {
    adopt(next, move);
  } else {
    // The old pictures stay until the new ones are there, so that nothing flashes.
    clearTimeout(staleTimer);
    staleTimer = setTimeout(() => $("grid").classList.add("stale"), STALE_MS);
    setWorking(true);
    next.want(0, 1);
  }
}

function arrived(from, move) {
  if (from === coming) adopt(from, move);
  else if (from === source) grid.changed();
  if (from !== source) return;
  told(from);
}

function adopt(next, move) {
  coming = null;
  source = next;
  clearTimeout(staleTimer);
  $("grid").classList.remove("stale");
  setWorking(false);
  grid.show(next, question.index);
  scrollTo({ top: move.scroll, behavior: "instant" });
  grid.draw(true);
  if (move.focuses && next.count && document.activeElement === document.body) {
    grid.active = Math.min(move.place, next.count - 1);
    grid.tabStop();
    grid.tileAt(grid.active)?.link.focus({ preventScroll: true });
  }
  told(next);
}

// What is said about the pictures that are there, or are not.
function told(from) {
  setWorking(!from.started && !from.problem);
  if (from.problem) failed(from);
  headline();
  ending();
  if (question.show !== null && detail.id === question.show) detail.arrows();
}

function failed(from) {
  const { problem } = from;
  if (isNothing(problem)) return;
  // What is wrong with the question stays wrong; what was wrong with the server may be over.
  const isWrong = (problem.status >= 400 && problem.status < 500) || problem.code === "picture_gone";
  trouble(problem, isWrong ? { "Show all pictures": home } : { "Try again": () => from.retry() });
  if (problem.code === "unreachable") again();
}

// An index that has no image that the filters let through says so by an error.
const isNothing = (problem) => problem?.status === 404 && problem.code === "not_found" && hasFilter(question);

// Without a server, look now and then whether it is back.
function again() {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(async () => {
    try {
      indexes = (await getIndexes()).indexes;
    } catch {
      return again();
    }
    calm();
    say("The server is back");
    if (!source) return start();
    grid.clear();
    source.retry();
    coming?.retry();
  }, AGAIN_MS);
}

// --- what stands around the pictures ---

function dress() {
  const facts = factsNow();
  const asks = isQuery(question);
  chips.show(question, facts);
  $("index").value = question.index;
  $("brand").href = addressOf({ ...EMPTY, index: question.index });
  $("to-map").href = `map.html?index=${encodeURIComponent(question.index)}`;
  $("to-duplicates").href = `duplicates.html?index=${encodeURIComponent(question.index)}`;
  $("sort").value = question.sort;
  $("sort-label").hidden = asks;
  $("word").hidden = !facts?.has_words;
  $("ask-hint").hidden = Boolean(facts?.has_words);
  $("ask-hint").textContent = facts?.can_embed ? "Drop, paste or choose a picture" : "Click a picture to find similar ones";
  $("ask-hint").disabled = !facts?.can_embed;
  const drops = facts?.can_embed && matchMedia("(hover: hover)").matches;
  $("word").placeholder = drops ? "Search with a word, or drop a picture" : "Search with a word";
  $("choose").hidden = $("take").hidden = !facts?.can_embed;
  const count = ["under", "glob", "since", "until"].filter((name) => question[name]).length
    + (asks ? [question.threshold !== null, question.expand, question.rerank, question.most].filter(Boolean).length : 0);
  $("options-button").dataset.count = count || "";
  if (!$("options").hidden) options.fill();
  headline();
}

function headline() {
  if (!source) return;
  const { count, ended } = source;
  let text = "Pictures";
  if (source.question.like.length) text = "Most similar pictures";
  else if (ended || source.knowsCount) text = pictures(count);
  $("heading").textContent = text;
  const words = question.like.map(({ word }) => word).filter(Boolean).join(", ");
  document.title = [words && printable(words), question.index && printable(question.index), "vecsearch"].filter(Boolean).join(" · ");
}

function ending() {
  const node = $("end");
  node.replaceChildren();
  if (!source || coming) return;
  const { count, ended, problem } = source;
  if (!count && (ended || isNothing(problem))) return node.append(emptiness());
  if (!ended || !count) return;
  if (grid.isCut) node.append(element("p", { textContent: "There are more than fit into a page. Options help to find some of them." }));
  else if (isQuery(question)) node.append(element("p", { textContent: `That is all: ${pictures(count)}.` }));
}

function emptiness() {
  const button = (text, next) => element("button", { type: "button", className: "button", textContent: text, onclick: () => go(next) });
  const made = (title, text, ...buttons) =>
    element("div", { className: "empty" }, element("h2", { textContent: title }), element("p", { textContent: text }), element("div", { className: "actions" }, ...buttons));
  const open_ = { ...question, under: "", glob: "", since: "", until: "" };
  if (!isQuery(question) && !hasFilter(question)) return made("No pictures yet", "This collection is empty. “vecsearch build” fills it.");
  if (question.threshold !== null && isQuery(question)) {
    return made("Nothing is that similar", "With a lower least similarity there may be pictures.", button("Any similarity", { ...question, threshold: null }));
  }
  if (hasFilter(question)) return made("No picture is like that", "The filters let no picture through.", button("Take the filters away", open_));
  return made("Nothing else is here", "The collection has no other picture.", button("All pictures", { ...EMPTY, index: question.index }));
}

// --- what one can do ---

const partOf = (item) => ({ id: item.id });

function remove(item) {
  if (!isQuery(question)) return say("First choose what to look for. Then less like another works.");
  if (question.like.length === 1 && question.like[0].id === item.id) return say("This is the picture that is looked for.");
  go(minus(question, partOf(item)));
}

async function askWith(files) {
  if (!files.length) return;
  if (!factsNow()?.can_embed) {
    return trouble({ detail: "This collection takes no pictures of your own.", hint: "Click one of its pictures to find similar ones." });
  }
  const parts = [];
  let problem = null;
  for (const file of files) {
    try {
      parts.push({ picture: (await during(send(file))).name });
    } catch (error) {
      problem = error;
    }
  }
  const distinct = parts.filter((part, number) => parts.findIndex((one) => one.picture === part.picture) === number);
  if (distinct.length) go(asking(question, distinct));
  if (problem) trouble(problem);
}

function drawBox() {
  const [part] = question.like;
  if (!part || question.like.length > 1 || question.unlike.length || part.word !== undefined) {
    return say("A part can be marked when one picture is looked for.");
  }
  if (!factsNow()?.can_embed) return say("This collection cannot look for parts of pictures.");
  box.open(question);
}

const home = () => go({ ...EMPTY, index: question.index, sort: question.sort });

const grid = new Grid($("grid"), {
  addressOf: (item) => addressOf(asking(question, [partOf(item)])),
  search: (item) => go(asking(question, [partOf(item)])),
  look: (place) => go({ ...question, show: source.item(place).id }),
  plus: (item) => go(plus(question, partOf(item))),
  minus: remove,
});

const chips = new Chips({ go, drawBox });

const box = new BoxDialog({
  ask: (marked) => JSON.stringify(marked) !== JSON.stringify(question.box) && go({ ...question, box: marked, show: null }),
  fail: (error) => trouble(error),
});

const detail = new Detail({
  question: () => question,
  say,
  show: (id) => go({ ...question, show: id }, true),
  closed: (id) => {
    if (question.show !== id) return;
    if (history.state?.opened) history.back();
    else go({ ...question, show: null }, true);
    const place = source?.placeOf(id) ?? -1;
    if (place >= 0) grid.focus(place);
  },
  step: (id, by) => {
    const place = source?.placeOf(id) ?? -1;
    if (place < 0) return undefined;
    source.want(place + by, place + by + 30);
    return source.item(place + by);
  },
  search: (item) => go(asking(question, [partOf(item)])),
  plus: (item) => go(plus(question, partOf(item))),
  minus: remove,
  within: (under) => go({ ...question, under, show: null }),
  word: (word) => go(asking(question, [{ word }])),
});

const options = new Options({
  go,
  question: () => question,
  opened: () => openOptions(),
  show: () => look(options.fields.size.value, options.fields.whole.checked),
});

new WordBox({
  input: $("word"),
  list: $("words"),
  index: () => question.index,
  ask: (word) => {
    $("word").blur();
    go(asking(question, [{ word }]));
  },
  fail: (word, error) => (error ? trouble(error) : say(`This collection has no word “${printable(word)}”`)),
});

watchPictures({
  ask: askWith,
  choose: [$("choose"), $("ask-hint")],
  take: $("take"),
  file: $("file"),
  camera: $("camera"),
  drop: $("drop"),
});

const act = (action) => () => grid.activeItem && $("grid").contains(document.activeElement) && action(grid.activeItem);

function enter(step) {
  if (!$("grid").contains(document.activeElement) && source?.count) grid.focus(step ? grid.active : 0);
}

watchKeys({
  "/": () => ($("word").hidden ? $("choose") : $("word")).focus(),
  u: () => factsNow()?.can_embed && $("file").click(),
  s: act((item) => go(asking(question, [partOf(item)]))),
  "+": act((item) => go(plus(question, partOf(item)))),
  "=": act((item) => go(plus(question, partOf(item)))),
  "-": act(remove),
  b: drawBox,
  o: () => openOptions(),
  d: () => Theme.toggle(),
  "?": () => $("keys").showModal(),
  Escape: () => (isQuery(question) || hasFilter(question)) && home(),
  ArrowDown: enter,
  ArrowRight: enter,
});

let described = "";

// The folders of the index, and those of the pictures that one sees.
async function openOptions() {
  options.open();
  const seen = [...new Set((source?.items ?? []).slice(0, 2000).map((item) => item && folderOf(item.path)))].filter(Boolean);
  options.setFolders(seen.slice(0, 60));
  if (described === question.index) return;
  described = question.index;
  try {
    const { sources: roots } = await getDescription(question.index);
    options.setFolders([...new Set([...roots, ...seen.slice(0, 60)])]);
  } catch {
    described = ""; // A field without suggestions works as well.
  }
}

// --- how it is shown ---

const usual = () => (innerWidth < 600 ? 118 : innerWidth < 1000 ? 160 : 200);

function look(size, isWhole) {
  setSetting("size", size);
  setSetting("whole", isWhole ? "1" : "");
  dressGrid();
}

function dressGrid() {
  const size = Number(setting("size", "")) || usual();
  const isWhole = setting("whole", "") === "1";
  $("size").value = options.fields.size.value = String(size);
  options.fields.whole.checked = isWhole;
  $("grid").classList.toggle("whole", isWhole);
  grid.setSize(size);
}

$("size").addEventListener("input", () => look($("size").value, options.fields.whole.checked));
$("sort").addEventListener("change", () => go({ ...question, sort: $("sort").value }));
$("index").addEventListener("change", () => go({ ...EMPTY, index: $("index").value }));
$("clear").addEventListener("click", home);
$("theme").addEventListener("click", () => Theme.toggle());
$("help").addEventListener("click", () => $("keys").showModal());
$("ask").addEventListener("submit", (event) => event.preventDefault());
$("brand").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  home();
});
addEventListener("popstate", (event) => apply(parse(location.search), event.state ?? {}));
addEventListener("pagehide", () => history.replaceState({ ...history.state, ...position() }, ""));

// --- the beginning ---

async function start() {
  try {
    indexes = (await during(getIndexes())).indexes;
  } catch (error) {
    trouble(error, { "Try again": start });
    if (error.code === "unreachable") again();
    return;
  }
  const asked = parse(location.search);
  if (!indexes.length) {
    $("end").append(element("p", { textContent: "No collection is served." }));
    return;
  }
  $("index").replaceChildren(...indexes.map(({ name, images }) => element("option", { value: name, textContent: printable(name), title: pictures(images) })));
  $("index").hidden = indexes.length < 2;
  if (asked.index && !indexes.some(({ name }) => name === asked.index)) {
    say(`There is no collection “${printable(asked.index)}” here`);
    asked.index = "";
  }
  apply({ ...asked, index: asked.index || indexes[0].name }, history.state);
}

history.scrollRestoration = "manual";
dressGrid();
start();
