// A room: its players, traffic and nodes, and what an operator may do with it.

import { path } from "./api.js";
import { askForBots, BOTS } from "./bots.js";
import { ask, notify } from "./dialog.js";
import { element, setText } from "./dom.js";
import { byteRate, count } from "./format.js";
import { JoinLines } from "./join_lines.js";
import { Nodes } from "./nodes.js";
import { Peers } from "./peers.js";
import { Plot } from "./plot.js";
import { state } from "./rooms.js";
import { RoomTraffic } from "./traffic.js";

const ROOM = "/v1/rooms/{room}";
const ANNOUNCE = "/v1/rooms/{room}/announce";
/** Players that the server sends at most. */
const PLAYERS_MAX = 1000;
/** Time span of the plot in seconds. */
const PLOT_SECONDS = 60;

/** The view `#/rooms/NAME`. */
export class Room {
  #api;
  #name;
  #stream;
  #room = null;
  #state = element("span", { class: "badge" });
  #facts = element("p", { class: "subtitle" });
  #lock;
  #more = element("p", { class: "empty", hidden: true });
  #error = element("p", { class: "reasons", role: "alert", hidden: true });
  #traffic = new RoomTraffic();
  #nodes = new Nodes();
  #peers;
  /** Traffic of all players: `{ time, received, sent }`. */
  #rates = [];
  #plot = new Plot({
    title: "Traffic", series: ["received", "sent"], format: byteRate, isLarge: true, atLeast: 1000,
  });

  constructor({ api, access }, name) {
    this.title = name;
    this.#api = api;
    this.#name = name;
    this.#peers = new Peers({ api, access }, name);
    this.#lock = element("button", { type: "button", onclick: () => this.#toggleLock() }, "Lock");
    const button = (text, onclick, isDanger = false) =>
      element("button", { type: "button", class: isDanger ? "danger" : "", onclick }, text);
    const canChange = access.allows("PATCH", ROOM);
    const actions = [
      access.allows("POST", ANNOUNCE) ? button("Announce", () => this.#announce()) : null,
      access.allows("POST", BOTS) ? button("Bots", () => askForBots(api, name)) : null,
      canChange ? this.#lock : null,
      canChange ? button("Code", () => this.#setCode()) : null,
      canChange ? button("Size", () => this.#setSize()) : null,
      access.allows("DELETE", ROOM) ? button("Close", () => this.#close(), true) : null,
    ];
    this.element = element("div", {},
      element("p", { class: "path" }, element("a", { href: "#/rooms" }, "Rooms")),
      element("div", { class: "heading" },
        element("h1", {}, name, " ", this.#state),
        element("div", { class: "buttons" }, ...actions)),
      this.#facts,
      this.#error,
      element("div", { class: "tiles" }, this.#plot.element),
      element("section", { class: "panel" },
        element("h2", {}, "Players"), this.#peers.element, this.#more),
      this.#traffic.element,
      this.#nodes.element,
      new JoinLines(api, access, name).element);
    this.#stream = api.stream(path(`${ROOM}/events?limit=${PLAYERS_MAX}`, { room: name }), {
      opened: () => this.#fail(null),
      event: (event, data) => this.#handle(event, JSON.parse(data)),
      lost: (error) => this.#fail(error.message),
      refused: (error) => this.#fail(error.message),
    });
  }

  update() {}

  close() {
    this.#stream.close();
  }

  #handle(event, data) {
    if (event === "room") this.#show(data);
    if (event === "peers") {
      this.#draw(this.#peers.set(data.peers));
      this.#more.hidden = data.next === undefined;
      setText(this.#more, `Only the first ${count(PLAYERS_MAX)} players are shown.`);
    }
    if (event === "nodes") {
      this.#traffic.set(data.traffic);
      this.#nodes.set(data);
    }
    if (event === "closed") {
      this.#stream.close();
      this.#peers.set([]);
      setText(this.#state, "closed");
      this.#fail("The room is closed.");
    }
  }

  #draw(rates) {
    if (rates === null) return;
    const now = performance.now() / 1000;
    this.#rates.push({ time: now, ...rates });
    this.#rates = this.#rates.filter(({ time }) => time >= now - PLOT_SECONDS);
    const points = (name) => this.#rates.map((it) => ({ age: now - it.time, value: it[name] }));
    this.#plot.set([points("received"), points("sent")], PLOT_SECONDS);
  }

  #show(room) {
    this.#room = room;
    setText(this.#state, state(room));
    setText(this.#lock, room.locked ? "Unlock" : "Lock");
    const { players, max_players: max, template, type } = room;
    const metadata = Object.entries(room.metadata).map(([key, value]) => `${key}: ${value}`);
    setText(this.#facts, [
      `${count(players)} of ${count(max)} players`, `template ${template}`, `type ${type}`,
      ...metadata,
    ].join(" · "));
  }

  #fail(message) {
    this.#error.hidden = message === null;
    setText(this.#error, message ?? "");
  }

  /** Changes the room, and shows a notice. */
  async #change(settings, notice) {
    await this.#api.send("PATCH", path(ROOM, { room: this.#name }), settings);
    notify(notice);
  }

  async #toggleLock() {
    const locked = !this.#room?.locked;
    try {
      await this.#change({ locked }, locked ? "The room accepts no new players." : "The room is open.");
    } catch (error) {
      notify(error.message);
    }
  }

  #setCode() {
    ask({
      title: "Code of the room",
      text: "New players need the code. Without one, everyone may join.",
      fields: [{ name: "code", label: "Code", maxlength: 64, help: "empty: none" }],
      action: "Set",
      submit: ({ code }) => this.#change(
        { code: code === "" ? null : code },
        code === "" ? "The room has no code." : "New players need the code.",
      ),
    });
  }

  #setSize() {
    ask({
      title: "Maximum number of players",
      text: "Players beyond it stay.",
      fields: [{
        name: "max_players", label: "Players", type: "number", min: 1, max: 4095, required: true,
        value: this.#room?.max_players ?? "",
      }],
      action: "Set",
      submit: (settings) => this.#change(settings, "The size of the room is set."),
    });
  }

  #announce() {
    ask({
      title: "Announce",
      text: "All players of the room receive the text.",
      fields: [{ name: "text", label: "Text", required: true, maxlength: 1024 }],
      action: "Announce",
      submit: async ({ text }) => {
        const { players } = await this.#api.send("POST", path(ANNOUNCE, { room: this.#name }), { text });
        notify(`The text is sent to ${count(players)} players.`);
      },
    });
  }

  #close() {
    ask({
      title: `Close ${this.#name}`,
      text: "All players of the room are disconnected.",
      action: "Close the room",
      isDanger: true,
      submit: () => this.#api.send("DELETE", path(ROOM, { room: this.#name })),
    });
  }
}
