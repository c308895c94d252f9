// The map in a server: its sheets of thumbnails, and how it is laid out.
"use strict";

async function fetchSheets() {
  const { index, made, sheets: number } = DATA.server;
  for (let sheet = 0; sheet < number; sheet++) {
    const address = `api/v1/indexes/${encodeURIComponent(index)}/map/sheets/${sheet}?made=${made}`;
    const response = await fetch(address).catch(() => null); // the server may have ended
    if (!response?.ok) return say("the thumbnails are not there any more: load the page again");
    await Sprites.add(sheet, await response.blob());
  }
}

$("search").before(
  Loading.choice("Layout", "method", [["tsne", "t-SNE"], ["umap", "UMAP"], ["pca", "PCA"]], Loading.asked.get("method") ?? "tsne"),
  Loading.choice("Colours", "color", [["cluster", "Groups"], ["folder", "Folders"], ["none", "No colours"]], DATA.color),
);

// Of a part of the collection it is said which, and a click leads to the whole.
const FILTERS = { under: "below", glob: "like", since: "since", until: "until" };
const only = Object.entries(FILTERS).flatMap(([name, word]) => Loading.asked.getAll(name).map((value) => `${word} ${value}`));
if (only.length) {
  const whole = Loading.address("map.html", Object.fromEntries(Object.keys(FILTERS).map((name) => [name, ""])));
  const button = element("button", { textContent: `${only.join(", ")} ✕`, title: "All pictures", onclick: () => location.assign(whole) });
  button.classList.add("filter");
  $("search").before(button);
}
fetchSheets();
