// The API of the server. Addresses are relative: a proxy may have put a prefix before them.

const ROOT = "api/v1/";
const MOST_TRIES = 6;

export class Problem extends Error {
  // What the server tells as problem+json, or what kept it from telling.
  constructor({ status = 0, code = "", detail = "", hint = "" }) {
    super(detail);
    Object.assign(this, { status, code, detail, hint });
  }
}

// Told with how many seconds it takes until the next try; the notices listen.
export const waiting = new EventTarget();

export async function request(path, { method = "GET", json, body, signal } = {}) {
  const headers = {};
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  } else if (body) {
    headers["Content-Type"] = /^image\//.test(body.type) ? body.type : "application/octet-stream";
  }
  for (let tries = 1; ; tries += 1) {
    const response = await reach(ROOT + path, { method, headers, body, signal });
    if (response.ok) {
      if (tries > 1) waiting.dispatchEvent(new Event("over"));
      return response.status === 204 ? null : response.json();
    }
    const after = response.headers.get("Retry-After");
    if (response.status !== 503 || after === null || tries === MOST_TRIES) {
      if (tries > 1) waiting.dispatchEvent(new Event("over"));
      throw await problemOf(response);
    }
    waiting.dispatchEvent(new Event("busy"));
    // A little more each time, and not all at once: whoever waits would come back together.
    await pause((Number(after) || 1) * 1000 * (0.9 + 0.4 * Math.random()) * Math.sqrt(tries), signal);
  }
}

async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      code: "unreachable",
      detail: "The server does not answer.",
      hint: "Is “vecsearch serve” still running? This page tries again by itself.",
    });
  }
}

async function problemOf(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // A proxy in between may answer in its own way.
  }
  return new Problem({
    status: response.status,
    code: told.code ?? "",
    detail: told.detail ?? `The server answered with ${response.status} ${response.statusText}`.trim(),
    hint: told.hint ?? "",
  });
}

function pause(time_ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", abort), resolve()), time_ms);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
  });
}

const of = (index) => `indexes/${encodeURIComponent(index)}`;

export const getIndexes = () => request("indexes");
export const getDescription = (index) => request(of(index));
export const getFacts = (index, id, signal) => request(`${of(index)}/images/${id}`, { signal });
export const getImages = (index, parameters, signal) => request(`${of(index)}/images?${parameters}`, { signal });
export const query = (index, json, signal) => request(`${of(index)}/query`, { method: "POST", json, signal });
export const sendPicture = (file) => request("pictures", { method: "POST", body: file });

export function getWords(index, prefix, signal) {
  return request(`${of(index)}/words?${new URLSearchParams({ prefix })}`, { signal });
}

// With the version of the file in it, the browser never asks for the same picture twice.
export function thumbnail(index, { id, version }, size) {
  return `${ROOT}${of(index)}/images/${id}/thumbnail?size=${size}${version ? `&v=${version}` : ""}`;
}

export function original(index, { id, version }) {
  return `${ROOT}${of(index)}/images/${id}/original${version ? `?v=${version}` : ""}`;
}
