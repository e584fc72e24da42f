// The state of the server as a whole.

import { element, setText } from "./dom.js";
import * as format from "./format.js";
import { quantile, sum } from "./metrics.js";
import { Plot } from "./plot.js";
import { Table } from "./table.js";

/** The view `#/`. */
export class Overview {
  title = "Overview";
  #facts = new Map();
  #reasons = element("p", { class: "reasons", hidden: true });
  #players = new Plot({ title: "Players", series: [""], format: format.count, atLeast: 5 });
  #traffic = new Plot({
    title: "Traffic", series: ["received", "sent"], format: format.byteRate, isLarge: true,
    atLeast: 1000,
  });
  #cpu = new Plot({ title: "CPU, of one core", series: [""], format: format.percent, atLeast: 0.1 });
  #memory = new Plot({ title: "Memory", series: [""], format: format.bytes, atLeast: 1e6 });
  #kinds = new Table({
    caption: "Traffic by kind of message", filter: false,
    key: ({ kind }) => kind, empty: "No message was exchanged yet.",
    columns: [
      { name: "kind", title: "Kind", text: ({ kind }) => kind },
      rateColumn("received", "Received", format.byteRate),
      rateColumn("sent", "Sent", format.byteRate),
      rateColumn("messages", "Messages", format.rate),
      countColumn("total", "Messages in total", true),
    ],
  });
  #drops = new Table({
    caption: "Dropped packets", filter: false,
    key: ({ transport, direction, reason }) => `${transport} ${direction} ${reason}`,
    empty: "No packet was dropped.",
    columns: [
      { name: "reason", title: "Reason", text: ({ reason }) => format.words(reason) },
      { name: "transport", title: "Transport", text: ({ transport }) => transport },
      { name: "direction", title: "Direction", text: ({ direction }) => direction, isWide: true },
      rateColumn("rate", "Now", format.rate),
      countColumn("total", "In total"),
    ],
  });
  #refusals = new Table({
    caption: "Refused connections", filter: false,
    key: ({ what, reason }) => `${what} ${reason}`, empty: "No connection was refused.",
    columns: [
      { name: "what", title: "What", text: ({ what }) => what },
      { name: "reason", title: "Reason", text: ({ reason }) => format.words(reason) },
      rateColumn("rate", "Now", format.rate),
      countColumn("total", "In total"),
    ],
  });

  #nodes = new Table({
    caption: "Nodes of the cluster", filter: false,
    key: ({ id }) => id, empty: "No node is registered.",
    columns: [
      { name: "name", title: "Node", text: ({ id, name }) => name ?? id },
      countColumn("players", "Players"),
      countColumn("capacity", "Capacity"),
      { name: "state", title: "State", text: (node) => (node.accepts_rooms ? "open" : "about to end") },
      {
        name: "addresses", title: "Addresses", isWide: true,
        text: ({ addresses }) => Object.values(addresses).filter((it) => it !== null).join(", "),
      },
    ],
  });
  #cluster = panel("Nodes of the cluster", this.#nodes);

  constructor() {
    this.#cluster.hidden = true;
    const facts = element("dl", { class: "facts" });
    for (const name of ["Uptime", "Rooms", "Round trip", "Send queues", "Version", "Listens on", "Cluster"]) {
      const value = element("dd", {}, "–");
      facts.append(element("div", { hidden: name === "Cluster" }, element("dt", {}, name), value));
      this.#facts.set(name, value);
    }
    const plots = [this.#traffic, this.#players, this.#cpu, this.#memory];
    this.element = element("div", {},
      element("h1", { class: "hidden" }, "Overview"),
      this.#reasons,
      element("div", { class: "tiles" }, ...plots.map((plot) => plot.element)),
      element("section", { class: "panel" }, facts),
      element("div", { class: "columns" },
        panel("Traffic by kind", this.#kinds),
        panel("Dropped packets", this.#drops),
        panel("Refused connections", this.#refusals),
        this.#cluster));
  }

  update({ status, nodes, history }) {
    if (status !== null) this.#showStatus(status);
    this.#cluster.hidden = nodes === null;
    if (nodes !== null) this.#nodes.set(nodes);
    if (history.latest === null) return;
    const seconds = history.span;
    this.#players.set([history.values("mp_peers")], seconds);
    this.#traffic.set([
      history.rates("mp_network_received_bytes_total"),
      history.rates("mp_network_sent_bytes_total"),
    ], seconds);
    this.#cpu.set([history.rates("process_cpu_seconds_total")], seconds);
    this.#memory.set([history.values("process_resident_memory_bytes")], seconds);
    this.#showFacts(history.latest);
    if (history.latest.has("mp_cluster_nodes")) this.#showCluster(history);
    this.#kinds.set(kinds(history));
    this.#drops.set(drops(history));
    this.#refusals.set(refusals(history));
  }

  #showStatus(status) {
    const { open, creating, closing } = status.rooms;
    const others = [[creating, "opening"], [closing, "closing"]].filter(([number]) => number > 0)
      .map(([number, state]) => `, ${format.count(number)} ${state}`).join("");
    const set = (name, text) => setText(this.#facts.get(name), text);
    set("Uptime", format.duration(status.uptime_seconds));
    set("Rooms", `${format.count(open)} open${others}`);
    set("Version", status.version);
    set("Listens on", Object.entries(status.listening)
      .map(([transport, address]) => `${transport} ${address}`).join(", ") || "nothing yet");
    this.#reasons.hidden = status.reasons.length === 0;
    setText(this.#reasons, `The server accepts no new players: ${status.reasons.join(", ")}.`);
  }

  #showFacts(samples) {
    const [half, most] = [0.5, 0.99].map((share) => quantile(samples, "mp_round_trip_seconds", share));
    const roundTrip = half === null ? "not measured yet"
      : `≤ ${format.milliseconds(half)} for half, ≤ ${format.milliseconds(most)} for 99 %`;
    setText(this.#facts.get("Round trip"), roundTrip);
    setText(this.#facts.get("Send queues"), format.bytes(sum(samples, "mp_send_queue_bytes")));
  }

  /** Shows the nodes, the rooms and the traffic of a node of a cluster. */
  #showCluster(history) {
    const shown = (name) => format.count(sum(history.latest, name));
    const sent = format.byteRate(history.rate("mp_cluster_sent_bytes_total", {}));
    const value = this.#facts.get("Cluster");
    value.parentElement.hidden = false;
    setText(value, `${shown("mp_cluster_nodes")} nodes; ${shown("mp_cluster_rooms")} rooms here, `
      + `with ${shown("mp_cluster_guests")} players of other nodes; sends ${sent} to others`);
  }
}

function panel(title, { element: content }) {
  return element("section", { class: "panel" }, element("h2", {}, title), content);
}

function rateColumn(name, title, text) {
  return {
    name, title, isNumber: true, value: (row) => row[name], text: (row) => text(row[name]),
  };
}

function countColumn(name, title, isWide = false) {
  return {
    name, title, isNumber: true, isWide,
    value: (row) => row[name], text: (row) => format.count(row[name]),
  };
}

function kinds(history) {
  const samples = history.latest.get("mp_messages_received_total") ?? [];
  return samples.map(({ labels }) => ({
    kind: labels.kind,
    received: history.rate("mp_message_received_bytes_total", labels),
    sent: history.rate("mp_message_sent_bytes_total", labels),
    messages: history.rate("mp_messages_received_total", labels)
      + history.rate("mp_messages_sent_total", labels),
    total: sum(history.latest, "mp_messages_received_total", labels)
      + sum(history.latest, "mp_messages_sent_total", labels),
  })).filter(({ total }) => total > 0);
}

function drops(history) {
  return positive(history, "mp_packets_dropped_total", (labels) => labels);
}

function refusals(history) {
  const rooms = positive(history, "mp_admission_refused_total", ({ reason }) => (
    { what: "room", reason }));
  const handshakes = positive(history, "mp_handshakes_total", ({ transport, result }) => (
    result === "refused" ? { what: `${transport} handshake`, reason: "refused" } : null));
  const authentications = positive(history, "mp_authentications_total", ({ result }) => (
    ["ok", "accepted"].includes(result) ? null : { what: "authentication", reason: result }));
  return [...rooms, ...handshakes, ...authentications];
}

/** Returns a row of each sample of a counter that is not 0, described by its labels. */
function positive(history, name, describe) {
  return (history.latest.get(name) ?? []).filter(({ value }) => value > 0)
    .map(({ labels, value }) => {
      const description = describe(labels);
      return description && { ...description, rate: history.rate(name, labels), total: value };
    }).filter((row) => row !== null);
}
