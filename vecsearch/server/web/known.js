// What is known of images already, so that it is not asked for again: lists and hits tell some of
// it, and all of it is asked for when one is looked at.

import { getFacts } from "./api.js";

const MOST = 5000;
const some = new Map();
const all = new Map();
const key = (index, id) => `${index}/${id}`;

function keep(map, name, value) {
  map.delete(name);
  map.set(name, value);
  if (map.size > MOST) map.delete(map.keys().next().value);
}

export const remember = (index, item) => keep(some, key(index, item.id), item);

// All that is known of an image.
export function factsOf(index, id) {
  const name = key(index, id);
  if (!all.has(name)) {
    const facts = getFacts(index, id);
    keep(all, name, facts);
    facts.catch(() => all.delete(name));
  }
  return all.get(name);
}

// Its path and version, at once if they are known.
export function briefOf(index, id) {
  return some.get(key(index, id)) ?? factsOf(index, id);
}
