// Pictures of one's own: sent to the server, which names them, and kept here by that name, so that
// they can be shown after a reload, and sent again when the server has forgotten them.

import { Problem, sendPicture } from "./api.js";

const MOST_KEPT = 24;
const MOST_AT_ONCE = 8;
const kept = new Map();
let database = null;

function open() {
  database ??= new Promise((resolve) => {
    try {
      const opening = indexedDB.open("vecsearch", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("pictures", { keyPath: "name" });
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => resolve(null);
    } catch {
      resolve(null); // Some browsers have none in private windows: then a reload forgets.
    }
  });
  return database;
}

function wanted(request) {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(undefined);
  });
}

async function store(picture) {
  const opened = await open();
  if (!opened) return;
  const pictures = opened.transaction("pictures", "readwrite").objectStore("pictures");
  pictures.put({ ...picture, time: Date.now() });
  const all = (await wanted(pictures.getAll())) ?? [];
  all.sort((one, other) => other.time - one.time);
  all.slice(MOST_KEPT).forEach((old) => pictures.delete(old.name));
}

function keep({ name, width, height, blob, title }) {
  const found = { name, width, height, blob, title, address: URL.createObjectURL(blob) };
  kept.set(name, found);
  return found;
}

// Returns the picture with its address and size, or null if this browser never had it.
export async function pictureOf(name) {
  if (kept.has(name)) return kept.get(name);
  const opened = await open();
  if (!opened) return null;
  const found = await wanted(opened.transaction("pictures").objectStore("pictures").get(name));
  return found ? (kept.get(name) ?? keep(found)) : null;
}

export async function send(file) {
  const { picture: name, width, height } = await sendPicture(file);
  const found = kept.get(name) ?? keep({ name, width, height, blob: file, title: file.name ?? "" });
  // Kept for later, which nobody has to wait for.
  store({ name, width, height, blob: file, title: found.title }).catch(() => {});
  return found;
}

export async function sendAgain(names) {
  for (const name of names) {
    const found = await pictureOf(name);
    if (!found) {
      throw new Problem({
        code: "picture_gone",
        detail: "The picture of this question is not here any more.",
        hint: "Drop it here again, or choose another.",
      });
    }
    await send(found.blob);
  }
}

function filesOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  const images = files.filter((file) => !file.type || file.type.startsWith("image/"));
  return (images.length ? images : files).slice(0, MOST_AT_ONCE);
}

// Calls *ask* with the files that are dropped, pasted, chosen or taken.
export function watchPictures({ ask, choose, take, file, camera, drop }) {
  let depth = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    drop.hidden = false;
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    drop.hidden = depth === 0;
  });
  addEventListener("drop", (event) => {
    depth = 0;
    drop.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    ask(filesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    ask(files);
  });
  for (const input of [file, camera]) {
    input.addEventListener("change", () => {
      const files = filesOf(input);
      input.value = ""; // The same file again is a change, too.
      ask(files);
    });
  }
  choose.forEach((button) => button.addEventListener("click", () => file.click()));
  take.addEventListener("click", () => camera.click());
}
