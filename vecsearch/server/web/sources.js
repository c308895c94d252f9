// What the grid shows: images of an index in an order, or the hits of a question. Both are loaded a
// part at a time, where the grid needs them, and call *changed* when there is more.

import * as api from "./api.js";
import { remember } from "./known.js";
import { hasFilter, isQuery } from "./question.js";
import { sendAgain } from "./pictures.js";

const PART = 100;
const FIRST_HITS = 60;
const MORE_HITS = 200; // Each part is a search of its own, so the later ones are larger.

const ORDERS = {
  "": {}, added: { sort: "id", reverse: "true" }, newest: { sort: "taken", reverse: "true" },
  oldest: { sort: "taken" }, name: { sort: "path" }, largest: { sort: "size", reverse: "true" },
};

export function sourceOf(question, total) {
  return isQuery(question) ? new Hits(question) : new Listing(question, total);
}

class Source {
  constructor(question) {
    this.question = question;
    this.items = [];
    this.places = new Map(); // id -> place
    this.count = 0;
    this.ended = false;
    this.problem = null;
    this.changed = () => {};
    this.work = new AbortController();
  }

  get started() {
    return this.places.size > 0 || this.ended;
  }

  item(place) {
    return this.items[place];
  }

  // Where an image is; -1 for one that is not loaded.
  placeOf(id) {
    return this.places.get(id) ?? -1;
  }

  put(place, item) {
    this.items[place] = item;
    remember(this.question.index, item);
    this.places.set(item.id, place);
  }

  stop() {
    this.work.abort();
    this.work = new AbortController();
  }

  retry() {
    this.problem = null;
    this.changed();
  }

  fail(error) {
    if (error.name === "AbortError") return;
    this.problem = error;
    this.changed();
  }
}

class Listing extends Source {
  constructor(question, total) {
    super(question);
    // With a filter nobody knows how many there are before the end is reached.
    this.knowsCount = !hasFilter(question);
    this.count = this.knowsCount ? total : 0;
    this.ended = this.knowsCount && total === 0;
    this.loading = new Map();
  }

  want(from, to) {
    if (this.problem || (this.ended && !this.knowsCount)) return;
    const first = Math.floor(Math.max(0, from) / PART);
    let last = Math.floor(Math.max(0, Math.min(to, this.count) - 1) / PART);
    if (!this.knowsCount) last = to >= this.count ? Math.ceil(this.count / PART) : last;
    // What has been scrolled past is not waited for.
    for (const [part, work] of this.loading) {
      if (this.knowsCount && (part < first - 1 || part > last + 1)) this.cancel(part, work);
    }
    for (let part = first; part <= last; part += 1) {
      if (this.items[part * PART] === undefined && !this.loading.has(part)) this.load(part);
    }
  }

  stop() {
    super.stop();
    for (const [part, work] of this.loading) this.cancel(part, work);
  }

  // At once, so that it can be asked for again before the browser has told of its end.
  cancel(part, work) {
    this.loading.delete(part);
    work.abort();
  }

  async load(part) {
    const work = new AbortController();
    this.loading.set(part, work);
    const { under, glob, since, until, sort } = this.question;
    const given = new URLSearchParams({ limit: String(PART), ...ORDERS[sort] });
    if (part) given.set("after", String(part * PART));
    for (const [name, value] of Object.entries({ under, glob, since, until })) if (value) given.set(name, value);
    try {
      const { images, next } = await api.getImages(this.question.index, given, work.signal);
      if (work.signal.aborted) return;
      this.loading.delete(part);
      images.forEach((image, number) => this.put(part * PART + number, image));
      const end = part * PART + images.length;
      if (next === undefined || next === null) {
        this.count = end; // Images may have come or gone since they were counted.
        this.ended = true;
      } else {
        this.count = Math.max(this.count, end);
      }
      this.changed();
    } catch (error) {
      if (work.signal.aborted) return;
      this.loading.delete(part);
      this.fail(error);
    }
  }
}

class Hits extends Source {
  constructor(question) {
    super(question);
    this.loading = false;
  }

  want(from, to) {
    if (this.ended || this.problem || this.loading || to <= this.count) return;
    this.load();
  }

  stop() {
    super.stop();
    this.loading = false;
  }

  get limit() {
    const wanted = this.count ? MORE_HITS : FIRST_HITS;
    return this.question.most ? Math.min(wanted, this.question.most - this.count) : wanted;
  }

  request() {
    const { like, unlike, box, under, glob, since, until, threshold, expand, rerank } = this.question;
    const json = { queries: like, k: this.limit };
    if (unlike.length) json.minus = unlike;
    if (like.length > 1 || unlike.length) json.combine = "mean";
    if (this.count) json.offset = this.count;
    if (box) json.box = box;
    if (under) json.under = [under];
    if (glob) json.glob = [glob];
    if (since) json.since = since;
    if (until) json.until = until;
    if (threshold !== null) json.threshold = threshold;
    if (expand) json.expand = expand;
    if (rerank) json.rerank = rerank;
    return json;
  }

  async load() {
    const { signal } = this.work;
    this.loading = true;
    try {
      const json = this.request();
      const { results } = await this.ask(json, signal);
      const [result] = results;
      if (result.error) throw new api.Problem({ detail: result.error });
      const start = this.count;
      result.hits.forEach((hit, number) => this.put(start + number, hit));
      this.count = start + result.hits.length;
      this.ended = result.hits.length < json.k || this.count === this.question.most;
      this.loading = false;
      this.changed();
    } catch (error) {
      if (!signal.aborted) this.loading = false;
      this.fail(error);
    }
  }

  async ask(json, signal) {
    const { index, like, unlike } = this.question;
    try {
      return await api.query(index, json, signal);
    } catch (error) {
      if (error.code !== "picture_gone") throw error;
      await sendAgain([...like, ...unlike].flatMap((part) => part.picture ?? []));
      return api.query(index, json, signal);
    }
  }
}
