// The bans of the server.

import { ask, notify, reasonField } from "./dialog.js";
import { element } from "./dom.js";
import { Table } from "./table.js";

export const BANS = "/v1/bans";

/** The view `#/bans`. */
export class Bans {
  title = "Bans";
  #api;
  #table;

  constructor({ api }) {
    this.#api = api;
    this.#table = new Table({
      caption: "Bans", key: ({ address, sub }) => `${address} ${sub}`,
      empty: "No address and no player is banned.",
      columns: [
        { name: "banned", title: "Address or player", text: banned },
        { name: "kind", title: "Kind", text: ({ sub }) => (sub === undefined ? "address" : "player") },
        {
          name: "ends", title: "Ends", value: ({ ends }) => ends,
          text: ({ ends }) => (ends === undefined ? "never" : new Date(ends * 1000).toLocaleString()),
        },
        {
          name: "operations", title: "",
          cell: (ban) => element("button", {
            type: "button", class: "small", "aria-label": `End the ban of ${banned(ban)}`,
            onclick: () => this.#end(ban),
          }, "End"),
        },
      ],
    });
    const add = (name, kind, placeholder) => element("button", {
      type: "button", onclick: () => this.#add(kind, placeholder),
    }, name);
    this.element = element("div", {},
      element("div", { class: "heading" },
        element("h1", {}, "Bans"),
        element("div", { class: "buttons" },
          add("Ban an address", "address", "192.0.2.0/24"), add("Ban a player", "sub", ""))),
      element("section", { class: "panel" }, this.#table.element));
    this.#load();
  }

  update() {}

  async #load() {
    try {
      this.#table.set((await this.#api.get(BANS)).bans);
    } catch (error) {
      notify(error.message);
    }
  }

  async #end({ address, sub }) {
    const query = new URLSearchParams(address === undefined ? { sub } : { address });
    try {
      await this.#api.send("DELETE", `${BANS}?${query}`);
      notify(`The ban of ${banned({ address, sub })} has ended.`);
    } catch (error) {
      notify(error.message);
    }
    await this.#load();
  }

  #add(kind, placeholder) {
    const label = kind === "address" ? "Address or network" : "Subject of the player";
    ask({
      title: `Ban ${kind === "address" ? "an address" : "a player"}`,
      text: "The players are disconnected, and cannot join again until the ban ends.",
      fields: [
        { name: "value", label, required: true, placeholder },
        { name: "hours", label: "Hours", type: "number", min: 1, help: "empty: until you end it" },
        reasonField("the players who are disconnected"),
      ],
      action: "Ban",
      isDanger: true,
      submit: async ({ value, hours, reason }) => {
        const time = hours === "" ? {} : { seconds: hours * 3600 };
        const ban = { [kind]: value, ...time, reason };
        const { disconnected } = await this.#api.send("POST", BANS, ban);
        notify(`${value} is banned; players disconnected: ${disconnected}.`);
        await this.#load();
      },
    });
  }
}

/** Returns the address, the network or the subject of a ban. */
function banned({ address, sub }) {
  return address ?? sub;
}
