// Light or dark, before anything is drawn: as the system has it until the button says otherwise.
"use strict";

const Theme = {
  system: window.matchMedia("(prefers-color-scheme: dark)"),

  get isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : this.system.matches;
  },

  toggle() {
    const chosen = this.isDark ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try {
      localStorage.setItem("vecsearch-theme", chosen);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  },

  restore() {
    try {
      const chosen = localStorage.getItem("vecsearch-theme");
      if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
    } catch {
      // As above.
    }
  },
};

Theme.restore();
