// The process of the server: its configuration, and its end.

import { ask, notify } from "./dialog.js";
import { element, setText } from "./dom.js";
import { duration } from "./format.js";
import { Table } from "./table.js";

export const CONFIG = "/v1/config";
const RELOAD = "/v1/reload";
const DRAIN = "/v1/drain";
const ANNOUNCE = "/v1/announce";

/** The view `#/server`. */
export class Server {
  title = "Server";
  #api;
  #error = element("p", { class: "empty" });
  #drain = element("button", { type: "button", class: "danger", onclick: () => this.#askToDrain() }, "Drain");
  #table = new Table({
    caption: "Settings", key: ({ path }) => path, empty: "The settings are not loaded yet.",
    columns: [
      { name: "path", title: "Setting", text: ({ path }) => path },
      { name: "value", title: "Value", text: ({ value }) => value ?? "not set" },
      { name: "origin", title: "Origin", text: ({ origin }) => origin, isWide: true },
    ],
  });

  constructor({ api, access }) {
    this.#api = api;
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    const operations = [
      access.allows("POST", ANNOUNCE) ? button("Announce", () => this.#askToAnnounce()) : null,
      access.allows("POST", RELOAD) ? button("Reload", () => this.#reload()) : null,
      access.allows("POST", DRAIN) ? this.#drain : null,
    ];
    this.element = element("div", {},
      element("div", { class: "heading" },
        element("h1", {}, "Server"), element("div", { class: "buttons" }, ...operations)),
      element("section", { class: "panel" },
        element("h2", {}, "Settings in effect"), this.#error, this.#table.element));
    this.#load();
  }

  update({ status }) {
    this.#drain.disabled = status?.reasons.includes("draining") ?? false;
  }

  async #load() {
    try {
      this.#table.set((await this.#api.get(CONFIG)).settings);
      setText(this.#error, "");
    } catch (error) {
      setText(this.#error, error.message);
    }
  }

  async #reload() {
    try {
      const { applied, needs_restart: later } = await this.#api.send("POST", RELOAD);
      const parts = [
        applied.length > 0 ? `Changed: ${applied.join(", ")}.` : "No setting that can change now has changed.",
        later.length > 0 ? `After a restart: ${later.join(", ")}.` : "",
      ];
      notify(parts.join(" ").trim());
    } catch (error) {
      notify(error.message);
    }
    await this.#load();
  }

  #askToAnnounce() {
    ask({
      title: "Announce to all rooms",
      text: "The players of rooms whose template has notify receive the text.",
      fields: [{ name: "text", label: "Text", required: true, maxlength: 1024 }],
      action: "Announce",
      submit: async ({ text }) => {
        const { rooms, players } = await this.#api.send("POST", ANNOUNCE, { text });
        notify(`The text is sent; players: ${players}, rooms: ${rooms}.`);
      },
    });
  }

  #askToDrain() {
    ask({
      title: "Drain the server",
      text: "It refuses new players, waits until the others have left, and ends. This cannot be undone.",
      fields: [{
        name: "seconds", label: "Seconds to wait", type: "number", min: 0, max: 86_400,
        help: "empty: the setting shutdown.drain_timeout",
      }],
      action: "Drain",
      isDanger: true,
      submit: async ({ seconds }) => {
        await this.#api.send("POST", DRAIN, seconds === "" ? {} : { timeout_seconds: seconds });
        notify(seconds === "" ? "The server drains." : `The server ends within ${duration(seconds)}.`);
      },
    });
  }
}
