// Copies in a server: what was decided is kept by the browser, saved as a file, and recorded.
"use strict";

const groups = DATA.sections.map((_, number) => parts(number).map(({ compared, picture }) => ({
  id: compared.id,
  path: Pictures.path(picture),
  certain: compared.certain,
})));
const recorded = new Set(); // pairs that the index remembers now
const STORED = `vecsearch-copies-${DATA.server.index}`;

const pairOf = (own, id) => `${own}-${id}`;

// What was decided of all groups: JSON in a file, and what the list of paths is made of.
function decisions() {
  const found = [];
  groups.forEach(([own, ...others], number) => {
    const { apart, copies, keep } = decided[number];
    if (!apart.size && !copies.size && keep === null) return;
    const told = ({ id, path }) => ({ id, path });
    const kept = keep === null ? own : others.find(({ id }) => id === keep);
    const copied = others.filter(({ id }) => copies.has(id));
    const rest = others.filter((one) => one !== kept && !copies.has(one.id) && !apart.has(one.id));
    found.push({
      kept: told(kept),
      copies: (kept === own ? copied : [own, ...copied]).map(told),
      not_copies: others.filter(({ id }) => apart.has(id)).map(told),
      undecided: rest.map(told),
    });
  });
  return found;
}

function saveDecisions() {
  const { index, generation } = DATA.server;
  const asked = Object.fromEntries([...Loading.asked].filter(([name]) => name !== "index" && name !== "keep"));
  const keep = Loading.asked.getAll("keep");
  const text = JSON.stringify({ index, generation, parameters: { ...asked, ...(keep.length ? { keep } : {}) }, groups: decisions() }, null, 2);
  saveText(`${text}\n`, `${index}-decisions.json`, "application/json");
  say("decisions saved");
}

function savePaths() {
  const paths = decisions().flatMap(({ copies }) => copies.map(({ path }) => path));
  saveText(paths.map((path) => `${path}\n`).join(""), `${DATA.server.index}-copies.txt`);
  say(`${paths.length} paths saved`);
}

function pairsApart() {
  const pairs = [];
  groups.forEach(([own], number) => {
    for (const id of decided[number].apart) if (!recorded.has(pairOf(own.id, id))) pairs.push([own.id, id]);
  });
  return pairs;
}

async function record() {
  const pairs = pairsApart();
  for (let start = 0; start < pairs.length; start += 256) {
    const part = pairs.slice(start, start + 256);
    const response = await fetch(`api/v1/indexes/${Server.index}/duplicates/not-copies`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pairs: part }),
    });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({ detail: response.statusText }));
      remark.textContent = [problem.detail, problem.hint].filter(Boolean).join("; ");
      break;
    }
    for (const [own, id] of part) recorded.add(pairOf(own, id));
    remark.textContent = `${recorded.size === 1 ? "1 pair is" : `${recorded.size} pairs are`} recorded as no copies.`;
  }
  say(remark.textContent);
  writeCommands();
}

// All copies of a section, or of all, that nothing was decided about.
function decideRest() {
  groups.forEach(([, ...others], number) => {
    const { apart, copies, keep } = decided[number];
    for (const { id } of others) if (!apart.has(id) && keep !== id) copies.add(id);
    show(number);
  });
  writeCommands();
}

function findAgain() {
  const kept = groups.flatMap((_, number) => (decided[number].keep === null ? [] : [`id:${decided[number].keep}`]));
  location.assign(Loading.address("duplicates.html", { keep: [...kept, ...Loading.asked.getAll("keep")] }));
}

// --- what the browser keeps, until the next time ---

const stored = () => JSON.parse(Stored.get(STORED) ?? "{}");

function store() {
  const pairs = stored(); // some may be in no group now
  groups.forEach(([own, ...others], number) => {
    const { apart, copies } = decided[number];
    for (const { id } of others) delete pairs[pairOf(own.id, id)];
    for (const id of apart) pairs[pairOf(own.id, id)] = "apart";
    for (const id of copies) pairs[pairOf(own.id, id)] = "copy";
  });
  Stored.set(STORED, JSON.stringify(pairs));
}

function restore() {
  const pairs = stored();
  groups.forEach(([own, ...others], number) => {
    for (const { id, certain } of others) {
      const what = pairs[pairOf(own.id, id)];
      if (what === "copy") decided[number].copies.add(id);
      else if (what === "apart" && !certain) decided[number].apart.add(id);
    }
  });
}

// --- the foot of the page ---

const action = (textContent, title, onclick) => element("button", { textContent, title, onclick });
const remark = element("span", { className: "soft" });
remark.setAttribute("role", "status");
const actions = commands.querySelector(".actions");
const restButton = action("The rest are copies", "Decide so about all that nothing was decided about", decideRest);
const recordButton = action("Record", "The index remembers that these are no copies", record);
const againButton = action("Find again", "Look for copies anew, with what was decided", findAgain);
const jsonButton = action("Save decisions", "What was decided, as JSON", saveDecisions);
const pathsButton = action("Save paths of copies", "The paths of what was decided to be a copy, a line each", savePaths);
copyGiven.textContent = "Copy commands";
copyGiven.title = "The commands that do the same where the server runs";
given.hidden = true;
const buttons = element("div", { className: "buttons" }, restButton, againButton, jsonButton, pathsButton, copyGiven);
if (DATA.server.has_edits) restButton.after(recordButton);
actions.append(buttons);
told.after(remark);

function summarise() {
  const found = decisions();
  const count = (name) => found.reduce((sum, one) => sum + one[name].length, 0);
  const all = groups.reduce((sum, { length }) => sum + length - 1, 0);
  const [copies, apart] = [count("copies"), count("not_copies")];
  const number = (value, one, many) => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
  const done = [copies ? number(copies, "copy", "copies") : "", apart ? `${apart.toLocaleString("en")} not` : ""].filter(Boolean);
  told.textContent = done.length ? `${done.join(", ")} of ${all.toLocaleString("en")}` : `${number(all, "picture", "pictures")} to decide about`;
  commands.hidden = !all;
  const pairs = pairsApart();
  const kept = decided.some(({ keep }) => keep !== null);
  restButton.disabled = copies + apart >= all;
  recordButton.disabled = !pairs.length;
  recordButton.textContent = pairs.length > 1 ? `Record ${pairs.length} pairs` : "Record 1 pair";
  if (!pairs.length) recordButton.textContent = "Record";
  againButton.disabled = !kept && !recorded.size;
  pathsButton.disabled = !copies;
  jsonButton.disabled = !found.length;
  copyGiven.disabled = !given.textContent;
  store();
}

// --- what counts as a copy ---

function modeOf(asked) {
  if (asked.get("exact") === "true") return "exact";
  if (asked.has("threshold")) return "features";
  return asked.get("edited") === "false" ? "near" : "edited";
}

const MODES = {
  edited: { exact: "", edited: "", threshold: "" },
  near: { exact: "", edited: "false", threshold: "" },
  exact: { exact: "true", edited: "", threshold: "" },
  features: { exact: "", edited: "", threshold: "0.95" },
};
const mode = element("select", { title: "What counts as a copy" });
mode.setAttribute("aria-label", "What counts as a copy");
for (const [value, text] of [["edited", "Also edited copies"], ["near", "Same picture"], ["exact", "Same bytes"], ["features", "Similar features"]]) {
  mode.append(new Option(text, value, false, value === modeOf(Loading.asked)));
}
mode.addEventListener("change", () => location.assign(Loading.address("duplicates.html", MODES[mode.value])));
$("search").before(mode);
if (Loading.asked.has("threshold")) {
  const cosine = element("input", { type: "number", min: -1, max: 1, step: 0.005, value: Loading.asked.get("threshold"), className: "cosine", title: "The least cosine" });
  cosine.setAttribute("aria-label", "The least cosine");
  cosine.addEventListener("change", () => location.assign(Loading.address("duplicates.html", { threshold: cosine.value })));
  mode.after(cosine);
}
if (!groups.length) {
  const note = element("p", { className: "none", textContent: "No copies were found." });
  $("sections").append(note);
}

onDecide.push(summarise);
restore();
groups.forEach((_, number) => show(number));
writeCommands();
