// A question, and the address that holds all of it: who has the address can ask the same.
//
// ?index=food&like=3&like=word:pizza&unlike=7&box=10,20,300,200&under=/photos&threshold=0.5

const PICTURE = /^[0-9a-f]{32}$/;
const SORTS = ["added", "newest", "oldest", "name", "largest"];

export const EMPTY = Object.freeze({
  index: "", like: [], unlike: [], box: null, under: "", glob: "", since: "", until: "",
  threshold: null, expand: 0, rerank: 0, most: 0, sort: "", show: null,
});

function partOf(text) {
  if (/^\d{1,15}$/.test(text)) return { id: Number(text) };
  const colon = text.indexOf(":");
  const [kind, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (kind === "picture" && PICTURE.test(rest)) return { picture: rest };
  if (kind === "word" && rest) return { word: rest };
  return null;
}

export function textOf(part) {
  if (part.id !== undefined) return String(part.id);
  return part.word !== undefined ? `word:${part.word}` : `picture:${part.picture}`;
}

export const same = (one, other) => textOf(one) === textOf(other);

function number(text, least, most, otherwise) {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) && value >= least && value <= most ? value : otherwise;
}

const whole = (text, most, otherwise) => Math.trunc(number(text, 0, most, otherwise) ?? 0) || otherwise;

export function parse(search) {
  const given = new URLSearchParams(search);
  const parts = (name) => given.getAll(name).map(partOf).filter(Boolean);
  const box = (given.get("box") ?? "").split(",").map(Number);
  const sort = given.get("sort") ?? "";
  const show = given.get("show") ?? "";
  return {
    index: given.get("index") ?? "",
    like: parts("like"),
    unlike: parts("unlike"),
    box: box.length === 4 && box.every(Number.isSafeInteger) && box[2] > 0 && box[3] > 0 ? box : null,
    under: given.get("under") ?? "",
    glob: given.get("glob") ?? "",
    since: given.get("since") ?? "",
    until: given.get("until") ?? "",
    threshold: number(given.get("threshold"), -1, 1, null),
    expand: whole(given.get("expand"), 100, 0),
    rerank: whole(given.get("rerank"), 1000, 0),
    most: whole(given.get("k"), 100_000, 0),
    sort: SORTS.includes(sort) ? sort : "",
    show: /^\d{1,15}$/.test(show) ? Number(show) : null,
  };
}

export function addressOf(question) {
  const given = new URLSearchParams();
  const set = (name, value) => value && given.append(name, value);
  set("index", question.index);
  question.like.forEach((part) => given.append("like", textOf(part)));
  question.unlike.forEach((part) => given.append("unlike", textOf(part)));
  set("box", question.box?.join(","));
  for (const name of ["under", "glob", "since", "until"]) set(name, question[name]);
  if (question.threshold !== null) given.append("threshold", String(question.threshold));
  set("expand", String(question.expand || ""));
  set("rerank", String(question.rerank || ""));
  set("k", String(question.most || ""));
  set("sort", question.sort);
  if (question.show !== null) given.append("show", String(question.show));
  // Commas and colons may stand in a query string, and are easier to read.
  const text = given.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
  return text ? `?${text}` : "./";
}

export const isQuery = (question) => question.like.length > 0;

export const hasFilter = (question) => Boolean(question.under || question.glob || question.since || question.until);

// What the pictures in the grid depend on.
export function keyOf(question) {
  const sort = isQuery(question) ? "" : question.sort;
  return addressOf({ ...question, show: null, sort });
}

// A box is about one picture: it goes when the pictures change.
export function asking(question, like, unlike = []) {
  return { ...question, like, unlike: like.length ? unlike : [], box: null, show: null };
}

export function plus(question, part) {
  const unlike = question.unlike.filter((one) => !same(one, part));
  const like = question.like.some((one) => same(one, part)) ? question.like : [...question.like, part];
  return asking(question, like, unlike);
}

export function minus(question, part) {
  const like = question.like.filter((one) => !same(one, part));
  const unlike = question.unlike.some((one) => same(one, part)) ? question.unlike : [...question.unlike, part];
  return asking(question, like, unlike);
}

export function without(question, part) {
  const rest = (parts) => parts.filter((one) => !same(one, part));
  return asking(question, rest(question.like), rest(question.unlike));
}
