// Traffic of a room by method, node, property and kind.

import { element, setText } from "./dom.js";
import * as format from "./format.js";
import { byNode, keyed, Rates } from "./rates.js";
import { Table } from "./table.js";

const PROPERTY_KINDS = ["sync", "delta", "spawn"];
/** The times at which properties are sent. */
const TIMES = { sync: "always", delta: "on change", spawn: "with the node" };

const NODE = { name: "node", title: "Node", text: ({ node }) => node };

/** The tables: `rows(traffic)` selects the rows, each with a `key`. */
const VIEWS = [
  {
    name: "Methods", empty: "No method was called yet.",
    columns: [
      { name: "member", title: "Method", text: ({ member }) => member }, NODE,
      { name: "between", title: "Between", isWide: true, text: ({ relayed }) => (
        relayed ? "players" : "player and server") },
    ],
    rows: ({ rows }) => rows.filter(({ kind }) => kind === "rpc").map(keyed),
  },
  {
    name: "Nodes", empty: "No node has sent or received anything yet.",
    columns: [NODE],
    rows: ({ rows }) => byNode(rows),
  },
  {
    name: "Properties", empty: "No property was sent or received yet.",
    columns: [
      { name: "member", title: "Property", text: ({ member }) => member }, NODE,
      { name: "kind", title: "Sent", isWide: true, text: ({ kind }) => TIMES[kind] },
    ],
    rows: ({ rows }) => rows
      .filter(({ kind, member }) => PROPERTY_KINDS.includes(kind) && member !== "").map(keyed),
  },
  {
    name: "Kinds", empty: "No message was exchanged yet.",
    columns: [{ name: "kind", title: "Kind", text: ({ kind }) => kind }],
    rows: ({ kinds }) => kinds.filter(({ packets_received: received, packets_sent: sent }) => received + sent > 0)
      .map((row) => ({ ...row, key: row.kind })),
  },
];

/** A panel with the traffic of a room since the first viewer. */
export class RoomTraffic {
  #views;
  #other = element("p", { class: "empty" });

  constructor() {
    this.#views = VIEWS.map((view) => {
      const table = new Table({
        caption: `Traffic by ${view.name.toLowerCase()}`, key: ({ key }) => key,
        columns: [...view.columns, ...counters()], empty: view.empty, sort: "total", descending: true,
      });
      const button = element("button", {
        type: "button", class: "small", onclick: () => this.#choose(view.name),
      }, view.name);
      return { ...view, table, button, rates: new Rates() };
    });
    this.element = element("section", { class: "panel" },
      element("div", { class: "heading" },
        element("h2", {}, "Traffic by method, node and property"),
        element("div", { class: "buttons", role: "group", "aria-label": "Traffic by" },
          ...this.#views.map(({ button }) => button))),
      ...this.#views.map(({ table }) => table.element),
      this.#other);
    this.#choose("Methods");
  }

  /** Shows the traffic of an event; undefined while the room does not count it yet. */
  set(traffic) {
    if (traffic === undefined) return;
    const now = performance.now() / 1000;
    for (const { rows, rates, table } of this.#views) table.set(rates.push(now, rows(traffic)));
    const { bytes_received: received, bytes_sent: sent } = traffic.other;
    setText(this.#other, received + sent === 0 ? ""
      : `Further methods, nodes and properties: ${format.bytes(received)} received, ${format.bytes(sent)} sent.`);
  }

  #choose(name) {
    for (const { name: of, button, table } of this.#views) {
      button.setAttribute("aria-pressed", String(of === name));
      table.element.hidden = of !== name;
    }
  }
}

function counters() {
  const rate = (name, title, text, isWide) => ({
    name, title, isNumber: true, isWide, value: (row) => row[name],
    text: (row) => (row[name] === null ? "–" : text(row[name])),
  });
  return [
    rate("receiving", "Received", format.byteRate),
    rate("sending", "Sent", format.byteRate),
    rate("packets", "Packets", format.rate, true),
    {
      name: "total", title: "In total", isNumber: true, isWide: true, value: total,
      text: (row) => format.bytes(total(row)),
    },
  ];
}

function total({ bytes_received: received, bytes_sent: sent }) {
  return received + sent;
}
