// Names, sizes and dates as they are read.

// What would not be seen, or would turn the text around it, is written out.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function printable(text) {
  return text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function nameOf(path) {
  const parts = path.split(/[/\\]/);
  return printable(parts.at(-1) || path);
}

export function folderOf(path) {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return end > 0 ? path.slice(0, end) : "";
}

export const count = (number) => number.toLocaleString("en");

export const pictures = (number) => (number === 1 ? "1 picture" : `${count(number)} pictures`);

export function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [at, left] = [0, size];
  while (left >= 1000 && at + 1 < units.length) [at, left] = [at + 1, left / 1000];
  return `${at && left < 10 ? left.toFixed(1) : Math.round(left)} ${units[at]}`;
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

// A date of a camera is its own clock's, so it is taken apart rather than moved between time zones.
export function taken(text) {
  const found = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:[T ](\d\d:\d\d))?/.exec(text);
  if (!found) return printable(text);
  const [, year, month, day, time] = found;
  const name = month ? MONTHS[Number(month) - 1] : "";
  return [day ? Number(day) : "", name, year].filter(Boolean).join(" ") + (time ? `, ${time}` : "");
}

export function modified(mtime_ns) {
  const date = new Date(mtime_ns / 1e6);
  const time = date.toTimeString().slice(0, 5);
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()}, ${time}`;
}

// Two digits tell hits apart; a true minus, as in print.
export const score = (value) => value.toFixed(2).replace("-", "−");
