// The rooms of the server.

import { ask, notify } from "./dialog.js";
import { element, setText } from "./dom.js";
import { count } from "./format.js";
import { Table } from "./table.js";

/** The view `#/rooms`. */
export class Rooms {
  title = "Rooms";
  #count = element("span", { class: "count" });
  #table = new Table({
    caption: "Rooms", key: ({ id }) => id, sort: "players", descending: true,
    empty: "There is no room. Rooms appear here when players or operators create them.",
    columns: [
      {
        name: "name", title: "Name", text: ({ name }) => name,
        cell: ({ name }) => element("a", { href: link(name) }, name),
      },
      {
        name: "players", title: "Players", isNumber: true, value: ({ players }) => players,
        text: ({ players, max_players: max }) => `${count(players)} / ${count(max)}`,
      },
      { name: "state", title: "State", text: state },
      { name: "template", title: "Template", isWide: true, text: ({ template }) => template },
      { name: "type", title: "Type", isWide: true, text: ({ type }) => type },
      {
        name: "metadata", title: "Metadata", isWide: true,
        text: ({ metadata }) => Object.entries(metadata).map((pair) => pair.join(": ")).join(", "),
      },
      { name: "id", title: "Number", isNumber: true, isWide: true, value: ({ id }) => id, text: ({ id }) => String(id) },
    ],
  });

  constructor({ api, access }) {
    const create = access.allows("POST", "/v1/rooms")
      ? element("button", { type: "button", class: "primary", onclick: () => askForRoom(api) }, "Create a room")
      : null;
    this.element = element("div", {},
      element("div", { class: "heading" }, element("h1", {}, "Rooms ", this.#count), create),
      element("section", { class: "panel" }, this.#table.element));
  }

  update({ rooms, isListed }) {
    setText(this.#count, isListed ? count(rooms.size) : "");
    this.#table.set([...rooms.values()]);
  }
}

/** Returns the address of the view of a room. */
export function link(name) {
  return `#/rooms/${encodeURIComponent(name)}`;
}

/** Returns the state of a room in words. */
export function state({ state: name, locked, private: isPrivate, players, max_players: max }) {
  if (name !== "open") return name;
  const marks = [
    locked ? "locked" : "", isPrivate ? "private" : "", players >= max ? "full" : "",
  ].filter((mark) => mark !== "");
  return marks.length === 0 ? "open" : marks.join(", ");
}

function askForRoom(api) {
  ask({
    title: "Create a room",
    fields: [
      {
        name: "name", label: "Name", required: true, maxlength: 64,
        help: "1 to 64 letters, digits, hyphens, underscores and dots",
      },
      { name: "template", label: "Template", value: "default", required: true },
      {
        name: "max_players", label: "Maximum number of players", type: "number", min: 1, max: 4095,
        help: "empty: that of the template",
      },
      { name: "permanent", label: "Stays open without players", type: "checkbox", value: true },
    ],
    action: "Create",
    submit: async ({ max_players: max, ...room }) => {
      await api.send("POST", "/v1/rooms", max === "" ? room : { ...room, max_players: max });
      notify(`The room ${room.name} is open.`);
      location.hash = link(room.name);
    },
  });
}
