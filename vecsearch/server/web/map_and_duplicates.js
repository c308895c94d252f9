// The loader of the pages whose data take long to make: shows how far it is, then begins the page.
"use strict";

const Loading = {
  parts: JSON.parse(document.getElementById("parts").textContent),
  asked: new URLSearchParams(location.search),
  header: document.querySelector("header"),
  main: document.querySelector("main"),
  box: document.createElement("main"),

  make(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  },

  theme() {
    try {
      const chosen = localStorage.getItem("vecsearch-theme");
      if (chosen) return chosen;
    } catch {
      // Without storage it is as the system has it.
    }
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  },

  async begin() {
    document.documentElement.dataset.theme = this.theme();
    for (const node of [...this.header.children, this.main]) node.inert = true;
    this.main.hidden = true;
    this.box.id = "waiting";
    this.header.after(this.box);
    try {
      const { indexes } = await this.get("api/v1/indexes");
      const name = this.asked.get("index") ?? indexes[0]?.name;
      this.facts = indexes.find((one) => one.name === name) ?? { name };
      this.addNavigation(indexes);
      await this.start(await this.wait());
    } catch (error) {
      this.tell(error);
    }
  },

  // The address of a page, or of the API, for what is asked now.
  address(path, changes = {}) {
    const asked = new URLSearchParams(this.asked);
    asked.set("index", this.facts.name);
    for (const [name, value] of Object.entries(changes)) {
      asked.delete(name);
      for (const one of [value].flat()) if (one !== "") asked.append(name, one);
    }
    return `${path}?${asked}`;
  },

  async get(address) {
    for (;;) {
      const response = await fetch(address);
      if (response.ok) {
        const answer = await response.json();
        return response.status === 202 ? { ...answer, isWorking: true } : answer;
      }
      const problem = await response.json().catch(() => ({ detail: response.statusText }));
      if (response.status !== 503 || problem.code !== "busy") throw problem;
      this.show({ phase: "waiting", done: 0, total: 0 });
      await this.pause(1000 * (Number(response.headers.get("Retry-After")) || 1));
    }
  },

  pause: (ms) => new Promise((done) => setTimeout(done, ms)),

  async wait() {
    const asked = new URLSearchParams(this.asked);
    asked.delete("index");
    const address = `api/v1/indexes/${encodeURIComponent(this.facts.name)}/${this.parts.source}?${asked}`;
    for (let ms = 150; ; ms = Math.min(1000, 1.3 * ms)) {
      const answer = await this.get(address);
      if (!answer.isWorking) return answer;
      this.show(answer);
      await this.pause(ms);
    }
  },

  show({ phase, done, total }) {
    if (!this.bar) {
      const what = this.parts.source.startsWith("map") ? "The map is being made" : "Copies are being looked for";
      this.bar = this.make("progress", { max: 1 });
      this.bar.setAttribute("aria-label", "Progress");
      this.phase = this.make("p", { className: "phase" });
      this.phase.setAttribute("role", "status");
      this.count = this.make("p", { className: "soft" });
      const note = this.make("p", { className: "soft", textContent: "It is kept, and there at once the next time." });
      this.box.replaceChildren(this.make("h1", { textContent: what }), this.bar, this.phase, this.count, note);
    }
    // Of some phases only the beginning and the end are told.
    if (done && total) this.bar.value = done / total;
    else this.bar.removeAttribute("value");
    const words = phase === "waiting" ? "Waiting for other work to end" : phase[0].toUpperCase() + phase.slice(1);
    if (this.phase.textContent !== words) this.phase.textContent = words;
    const of = (number) => number.toLocaleString("en");
    this.count.textContent = done && total ? `${of(done)} of ${of(total)}` : total ? `${of(total)} pictures` : " ";
  },

  tell({ detail, hint, message }) {
    this.bar = null;
    const again = this.make("button", { textContent: "Try again", onclick: () => location.reload() });
    const title = this.make("h1", { textContent: "This did not work" });
    const text = this.make("p", { textContent: detail ?? message });
    text.setAttribute("role", "alert");
    this.box.replaceChildren(title, text, this.make("p", { className: "soft", textContent: hint ?? "" }), again);
  },

  // Where else one can go with this index; of several, the others.
  addNavigation(indexes) {
    const index = encodeURIComponent(this.facts.name);
    const nav = this.make("nav");
    nav.setAttribute("aria-label", "Pages");
    for (const [text, page] of [["Search", "./"], ["Map", "map.html"], ["Duplicates", "duplicates.html"]]) {
      const link = this.make("a", { textContent: text, href: `${page}?index=${index}` });
      if (location.pathname.endsWith(`/${page}`)) link.setAttribute("aria-current", "page");
      nav.append(link);
    }
    if (indexes.length > 1) {
      const select = this.make("select");
      select.setAttribute("aria-label", "Index");
      for (const { name } of indexes) select.append(new Option(name, name, false, name === this.facts.name));
      select.addEventListener("change", () => (location.search = `?${new URLSearchParams({ index: select.value })}`));
      nav.append(select);
    }
    this.header.prepend(nav);
  },

  // A choice of a parameter: another one is another page.
  choice(label, name, values, chosen) {
    const select = this.make("select", { title: label });
    select.setAttribute("aria-label", label);
    for (const [value, text] of values) select.append(new Option(text, value, false, value === chosen));
    select.addEventListener("change", () => location.assign(this.address(location.pathname.split("/").at(-1), { [name]: select.value })));
    return select;
  },

  async start(data) {
    document.title = `${data.server.title} - ${this.facts.name}`;
    this.header.querySelector("h1").textContent = data.server.title;
    this.header.querySelector(".soft").textContent = data.server.subtitle;
    this.box.remove();
    this.main.hidden = false;
    for (const node of [...this.header.children, this.main]) node.inert = false;
    const text = JSON.stringify(data);
    document.body.append(this.make("script", { type: "application/json", id: "data", textContent: text }));
    // They are loaded together, and run in their order.
    await Promise.all(this.parts.scripts.map((src) => new Promise((done, failed) => {
      const script = this.make("script", { src, async: false, onload: done });
      script.onerror = () => failed(new Error(`${src} cannot be loaded`));
      document.body.append(script);
    })));
  },
};
Loading.begin();
