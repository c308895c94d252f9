// Keys that work wherever the focus is. Those of the grid, of a dialog and of a field are theirs.

import { $, isTyping } from "./dom.js";

export function watchKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = actions[key];
    if (!action || (event.target.tagName === "SELECT" && key.length === 1 && /[a-z]/.test(key))) return;
    event.preventDefault();
    action();
  });
  for (const dialog of [$("keys"), $("box"), $("detail")]) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  $("keys").querySelector("[data-close]").addEventListener("click", () => $("keys").close());
}
