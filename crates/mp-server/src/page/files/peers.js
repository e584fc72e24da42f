// The players of a room.

import { ask, notify } from "./dialog.js";
import { element } from "./dom.js";
import * as format from "./format.js";
import { path } from "./api.js";
import { Table } from "./table.js";

const KICK = "/v1/rooms/{room}/peers/{peer}";
const MOVE = "/v1/rooms/{room}/peers/{peer}/move";
const BANS = "/v1/bans";

/** A table of the players of a room, with what an operator may do with them. */
export class Peers {
  #previous = new Map();
  #table;

  constructor({ api, access }, room) {
    const operations = [
      ["Kick", "DELETE", KICK, askToKick],
      ["Move", "POST", MOVE, askToMove],
      ["Ban", "POST", BANS, askToBan, ({ subject }) => subject !== undefined],
    ].filter(([, method, template]) => access.allows(method, template));
    const buttons = (peer) => operations.filter(([, , , , fits]) => fits?.(peer) ?? true)
      .map(([name, , , askTo]) => element("button", {
        type: "button", class: "small", "aria-label": `${name} player ${peer.id}`,
        onclick: () => askTo(api, room, peer),
      }, name));
    const actions = operations.length === 0 ? [] : [{
      name: "operations", title: "",
      cell: (peer) => element("div", { class: "buttons" }, ...buttons(peer)),
    }];
    this.#table = new Table({
      caption: "Players", key: ({ id }) => id, columns: [...columns(), ...actions],
      empty: "No player is in this room.",
    });
    this.element = this.#table.element;
  }

  /** Shows the players. Rates are those since the previous call. */
  set(peers) {
    const now = performance.now() / 1000;
    const rows = peers.map((peer) => withRates(peer, this.#previous.get(peer.id), now));
    this.#previous = new Map(rows.map((row) => [row.id, row]));
    this.#table.set(rows);
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
    {
      name: "transport", title: "Transport",
      text: ({ transport, authenticating }) => (
        authenticating ? "authenticates" : transport ?? "–"),
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

/** Returns the share of packets that were sent again: an estimate of the loss. */
export function resent({ packets_sent: sent, retransmissions }) {
  return sent > 0 ? retransmissions / (sent + retransmissions) : null;
}

function dropped({ send_drops: sent, receive_drops: received }) {
  return sent === undefined ? null : sent + received;
}

function askToKick(api, room, { id: peer }) {
  ask({
    title: `Kick player ${peer}`,
    text: "The player is disconnected, and may join again.",
    fields: [{
      name: "reason", label: "Reason", maxlength: 256,
      help: "for the log, and for players of rooms whose template has notify",
    }],
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
    fields: [{ name: "to", label: "Room", required: true, maxlength: 64 }],
    action: "Move",
    submit: async ({ to }) => {
      await api.send("POST", path(MOVE, { room, peer }), { room: to });
      notify(`Player ${peer} is in the room ${to}.`);
    },
  });
}

function askToBan(api, room, { id, subject }) {
  ask({
    title: `Ban player ${id}`,
    text: `${subject} is disconnected from all rooms, and cannot join again until the ban ends.`,
    fields: [{ name: "hours", label: "Hours", type: "number", min: 1, help: "empty: until you end it" }],
    action: "Ban",
    isDanger: true,
    submit: async ({ hours }) => {
      await api.send("POST", BANS, { sub: subject, ...(hours === "" ? {} : { seconds: hours * 3600 }) });
      notify(`${subject} is banned.`);
    },
  });
}
