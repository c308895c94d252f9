// What every page has: its data, what it knows of pictures, light and dark.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

const Words = {
  places: new Uint16Array(decodeBase64(DATA.words.of).buffer),
  shares: decodeBase64(DATA.words.shares),
  // The likeliest words of picture i, with their shares: [["strawberry", 62], ...]
  of(i) {
    const found = [];
    for (let at = i * DATA.words.most; at < (i + 1) * DATA.words.most; at++) {
      const name = DATA.words.names[this.places[at]];
      if (name !== undefined) found.push([name, this.shares[at] === 255 ? null : this.shares[at]]);
    }
    return found;
  },
  text: (i) => Words.of(i).map(([name, share]) => (share === null ? name : `${name} ${share || "<1"}%`)).join(", "),
};

// Where the page comes from a server: the addresses of what that has of picture i.
const Server = DATA.server && {
  index: encodeURIComponent(DATA.server.index),
  ids: new Float64Array(decodeBase64(DATA.server.ids).buffer),
  image: (i, what) => `api/v1/indexes/${Server.index}/images/${Server.ids[i]}/${what}`,
  similar: (i) => `./?index=${Server.index}&like=${Server.ids[i]}`,
};

const Pictures = {
  path: (i) => DATA.root + DATA.paths[i],
  name: (i) => DATA.paths[i].slice(DATA.paths[i].lastIndexOf("/") + 1),
  folder: (i) => Pictures.path(i).slice(0, -Pictures.name(i).length - 1),
  // A link to the picture itself: pages and files may be opened, s3 and tar members may not.
  link: (i) => {
    if (Server) return Server.image(i, "original");
    const path = Pictures.path(i);
    if (/^https?:/.test(path)) return path;
    if (!path.isWellFormed()) return null; // bytes that are no text have no such link
    return path.startsWith("/") ? "file://" + path.split("/").map(encodeURIComponent).join("/") : null;
  },
};

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// What a picture leads to: to search with it, where there is a server, and the picture itself.
function linksOf(i) {
  const links = Server ? [element("a", { href: Server.similar(i), textContent: "Search with this", className: "similar" })] : [];
  const link = Pictures.link(i);
  if (link) links.push(element("a", { href: link, target: "_blank", rel: "noreferrer", textContent: "Open" }));
  return links;
}

function saveText(text, name, type = "text/plain") {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copyText(text, say) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say();
}

// What the browser keeps for the next time, if it may.
const Stored = {
  get(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name, text) {
    try {
      localStorage.setItem(name, text);
    } catch {
      // Without storage it lasts as long as the page.
    }
  },
};

// Light or dark: as the system has it, until the button says otherwise; on all pages of a server.
const Theme = {
  system: window.matchMedia("(prefers-color-scheme: dark)"),
  chosen: null,
  restore() {
    const chosen = Stored.get("vecsearch-theme");
    if (chosen) this.chosen = chosen === "dark";
  },
  onchange: [],
  apply() {
    const dark = this.chosen ?? this.system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    for (const listener of this.onchange) listener();
  },
  toggle() {
    this.chosen = document.documentElement.dataset.theme !== "dark";
    if (Server) Stored.set("vecsearch-theme", this.chosen ? "dark" : "light");
    this.apply();
  },
};
if (Server) Theme.restore();
Theme.system.addEventListener("change", () => Theme.apply());
Theme.apply();
