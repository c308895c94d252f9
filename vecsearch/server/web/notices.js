// What is told besides the pictures: that something takes long, what went wrong, what was done.

import { waiting } from "./api.js";
import { $, element } from "./dom.js";

const PATIENCE_MS = 180; // What is done sooner does not flash.
const SAID_MS = 3200;

let [working, timer, saidTimer] = [0, 0, 0];

// Shows that something goes on while it does.
export async function during(promise) {
  working += 1;
  timer ||= setTimeout(() => ($("progress").hidden = false), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    working -= 1;
    if (!working) {
      clearTimeout(timer);
      timer = 0;
      $("progress").hidden = true;
    }
  }
}

let release = null;

// The same for what begins and ends in different places.
export function setWorking(works) {
  if (works && !release) during(new Promise((resolve) => (release = resolve)));
  if (!works) release = release?.() ?? null;
}

export function say(text) {
  const node = $("said");
  node.textContent = text;
  node.classList.add("seen");
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => {
    node.classList.remove("seen");
    node.textContent = "";
  }, SAID_MS);
}

// Tells what went wrong and what can be done about it: *ways* maps what is offered to what does it.
export function trouble(error, ways = {}) {
  const detail = error.detail || "Something went wrong in this page.";
  const sentence = detail.charAt(0).toUpperCase() + detail.slice(1);
  const node = $("trouble");
  const told = element("div", {}, element("p", { className: "trouble-detail", textContent: sentence }));
  if (error.hint) told.append(element("p", { className: "trouble-hint", textContent: error.hint }));
  const actions = element("div", { className: "actions" });
  for (const [text, does] of Object.entries({ ...ways, Dismiss: () => {} })) {
    const onclick = () => (calm(), does());
    actions.append(element("button", { type: "button", className: "button", textContent: text, onclick }));
  }
  node.replaceChildren(told, actions);
  node.hidden = false;
  if (!error.detail) console.error(error);
}

export function calm() {
  $("trouble").hidden = true;
  $("trouble").replaceChildren();
}

waiting.addEventListener("busy", () => say("The server is busy. Trying again…"));
waiting.addEventListener("over", () => say(""));
