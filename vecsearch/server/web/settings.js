// How it is shown: kept by this browser from one visit to the next.

const PREFIX = "vecsearch-";

export function setting(name, otherwise) {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function setSetting(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Without storage it lasts as long as the page.
  }
}
