// The switch between the themes of the system, light and dark.

import { element } from "./dom.js";

const KEY = "mp-theme";
const THEMES = ["auto", "light", "dark"];

/** Returns a selection of the theme. The choice is stored in this browser. */
export function themeSwitch() {
  const stored = localStorage.getItem(KEY);
  const options = THEMES.map((theme) =>
    element("option", { value: theme, selected: theme === stored }, theme),
  );
  return element("select", {
    "aria-label": "Theme",
    class: "quiet",
    onchange: ({ target }) => apply(target.value),
  }, ...options);
}

function apply(theme) {
  if (theme === "auto") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
}
