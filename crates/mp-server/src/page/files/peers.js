// The players of a room.

import { path } from "./api.js";
import { ask, choose, notify, reasonField } from "./dialog.js";
import { element } from "./dom.js";
import * as format from "./format.js";
import { askForLink, LINK } from "./link.js";
import { isDev } from "./session.js";
import { Table } from "./table.js";

const KICK = "/v1/rooms/{room}/peers/{peer}";
const MOVE = "/v1/rooms/{room}/peers/{peer}/move";
const BANS = "/v1/bans";

/** A table of the players of a room, with what an operator may do with them. */
export class Peers {
  /** The players of the last event with their rates, by id. */
  #previous = new Map();
  #table;

  constructor({ api, access }, room) {
    const operations = [
      { name: "Kick", method: "DELETE", template: KICK, ask: askToKick },
      { name: "Move", method: "POST", template: MOVE, ask: askToMove },
      { name: "Ban", method: "POST", template: BANS, ask: askToBan, isFor: (it) => banned(it) !== null },
      { name: "Link", method: "PUT", template: LINK, ask: askForLink, isFor: isDev },
    ].filter(({ method, template }) => access.allows(method, template));
    const actions = operations.length === 0 ? [] : [{
      name: "operations", title: "",
      cell: ({ id }) => element("button", {
        type: "button", class: "small", "aria-label": `Manage player ${id}`,
        onclick: () => manage(this.#previous.get(id), operations, { api, room }),
      }, "Manage"),
    }];
    this.#table = new Table({
      caption: "Players", key: ({ id }) => id, columns: [...columns(), ...actions],
      empty: "No player is in this room.",
    });
    this.element = this.#table.element;
  }

  /**
   * Shows the players, with rates since the previous call. Returns the sums of these rates, or null
   * if none is known yet.
   */
  set(peers) {
    const now = performance.now() / 1000;
    const rows = peers.map((peer) => withRates(peer, this.#previous.get(peer.id), now));
    this.#previous = new Map(rows.map((row) => [row.id, row]));
    this.#table.set(rows);
    if (rows.length > 0 && rows.every(({ receiving }) => receiving === null)) return null;
    const total = (name) => rows.reduce((sum, row) => sum + (row[name] ?? 0), 0);
    return { received: total("receiving"), sent: total("sending") };
  }
}

/** Returns a player with its rates since the previous event; null in its first one. */
export function withRates(peer, previous, now) {
  const { bytes_received: received = 0, bytes_sent: sent = 0 } = peer.connection ?? {};
  const row = { ...peer, ...peer.connection, received, sent, at: now, receiving: null, sending: null };
  if (previous === undefined || received < previous.received) return row;
  const seconds = now - previous.at;
  if (seconds <= 0) return { ...previous, ...peer, ...peer.connection };
  row.receiving = (received - previous.received) / seconds;
  row.sending = (sent - previous.sent) / seconds;
  return row;
}

function columns() {
  const number = (name, title, text, value) => ({
    name, title, isNumber: true, value, text: (row) => {
      const shown = value(row);
      return shown === undefined || shown === null ? "–" : text(shown);
    },
  });
  return [
    { name: "id", title: "Peer", value: ({ id }) => id, text: ({ id }) => String(id) },
    { name: "subject", title: "Player", text: ({ subject }) => subject ?? "anonymous" },
    { name: "address", title: "Address", text: ({ address }) => address ?? "–" },
    {
      name: "transport", title: "Transport",
      text: connection,
    },
    number("round_trip", "Round trip", format.milliseconds, (row) => row.round_trip_seconds),
    number("receiving", "Received", format.byteRate, (row) => row.receiving),
    number("sending", "Sent", format.byteRate, (row) => row.sending),
    number("resent", "Resent", format.percent, resent),
    number("dropped", "Dropped", format.count, dropped),
    number("queued", "Queued", format.bytes, (row) => row.queued_bytes),
    number("bytes", "In total", format.bytes, ({ received, sent }) => received + sent),
    number("connected", "Connected", format.duration, (row) => row.connected_seconds),
  ];
}

/** Returns the transport of a player, or what it has in place of a connection. */
export function connection({ transport, authenticating, kept_seconds: kept }) {
  if (kept !== undefined) return `kept, ${format.duration(kept)}`;
  return authenticating ? "authenticates" : transport ?? "–";
}

/** Returns the share of packets that were sent again: an estimate of the loss. */
export function resent({ packets_sent: sent, retransmissions }) {
  return sent > 0 ? retransmissions / (sent + retransmissions) : null;
}

function dropped({ send_drops: sent, receive_drops: received }) {
  return sent === undefined ? null : sent + received;
}

/** Asks what to do with a player. */
function manage(peer, operations, { api, room }) {
  const { id, transport, address, subject } = peer;
  const choices = operations.filter(({ isFor }) => isFor?.(peer) ?? true)
    .map(({ name, ask: askTo }) => ({ name, run: () => askTo(api, room, peer) }));
  const text = [subject ?? "anonymous", address, transport].filter(Boolean).join(" · ");
  choose({ title: `Player ${id}`, text, choices });
}

function askToKick(api, room, { id: peer }) {
  ask({
    title: `Kick player ${peer}`,
    text: "The player is disconnected, and may join again.",
    fields: [reasonField("players of rooms whose template has notify")],
    action: "Kick",
    isDanger: true,
    submit: async ({ reason }) => {
      await api.send("DELETE", path(KICK, { room, peer }), { reason });
      notify(`Player ${peer} is disconnected.`);
    },
  });
}

function askToMove(api, room, { id: peer }) {
  ask({
    title: `Move player ${peer}`,
    text: "The player changes the room without connecting again.",
    fields: [
      { name: "to", label: "Room", required: true, maxlength: 64 },
      {
        name: "pass", label: "Code or seat", maxlength: 64,
        help: "of a private room its code, of a locked one the ticket of a seat",
      },
    ],
    action: "Move",
    submit: async ({ to, pass }) => {
      await api.send("POST", path(MOVE, { room, peer }), { to, ...passOf(pass) });
      notify(`Player ${peer} is in the room ${to}.`);
    },
  });
}

/** Returns the code or the ticket of a seat with which a player enters a room. */
export function passOf(text) {
  if (text === "") return {};
  return /^mpt_[A-Za-z0-9_-]{22}$/.test(text) ? { seat: text } : { code: text };
}

/** Returns whom a ban of a player is for: its subject, else its address. */
function banned({ subject, address }) {
  if (subject !== undefined) return { sub: subject };
  return address === undefined ? null : { address };
}

function askToBan(api, room, peer) {
  const target = banned(peer);
  const [name] = Object.values(target);
  ask({
    title: `Ban player ${peer.id}`,
    text: target.sub === undefined
      ? `All players of the address ${name} are disconnected, and cannot join again until the ban ends.`
      : `${name} is disconnected from all rooms, and cannot join again until the ban ends.`,
    fields: [
      { name: "hours", label: "Hours", type: "number", min: 1, help: "empty: until you end it" },
      reasonField("the players who are disconnected"),
    ],
    action: "Ban",
    isDanger: true,
    submit: async ({ hours, reason }) => {
      const time = hours === "" ? {} : { seconds: hours * 3600 };
      await api.send("POST", BANS, { ...target, ...time, reason });
      notify(`${name} is banned.`);
    },
  });
}
