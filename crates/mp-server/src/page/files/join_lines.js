// The GDScript with which a player joins a room.

import { path } from "./api.js";
import { notify } from "./dialog.js";
import { element } from "./dom.js";

const JOIN = "/v1/rooms/{room}/join";

/** A panel with a line for each transport. */
export class JoinLines {
  #list = element("div", { class: "lines" });

  constructor(api, access, room) {
    const isKnown = access.allows("GET", JOIN);
    this.element = element("section", { class: "panel", hidden: !isKnown },
      element("h2", {}, "Join from Godot"), this.#list);
    if (isKnown) this.#load(api, room);
  }

  async #load(api, room) {
    try {
      const { lines } = await api.get(path(JOIN, { room }));
      this.#list.replaceChildren(...lines.map(line));
      if (lines.length === 0) {
        this.#list.append(element("p", { class: "empty" }, "No listener lets players select this room."));
      }
    } catch (error) {
      this.#list.replaceChildren(element("p", { class: "empty" }, error.message));
    }
  }
}

function line({ transport, gdscript }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(gdscript);
      notify("The line is copied.");
    } catch {
      notify("The browser does not allow to copy; select the line.");
    }
  };
  return element("div", { class: "line-of-code" },
    element("span", { class: "label" }, transport),
    element("code", { tabindex: "0" }, gdscript),
    element("button", {
      type: "button", class: "small", "aria-label": `Copy the line for ${transport}`, onclick: copy,
    }, "Copy"));
}
