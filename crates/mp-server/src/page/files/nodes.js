// The nodes of a room, with the values of synchronized properties.

import { element, setText } from "./dom.js";
import * as format from "./format.js";
import { Table } from "./table.js";

const RELAY = "This is a relay room: the server passes packets on between players, and has no nodes of its own.";
const MODES = { always: "always", on_change: "on change", never: "with the node" };
/** Levels beyond it are not indented further. */
const LEVELS_MAX = 12;
/** Width of a level in pixels. */
const LEVEL = 16;

/** A panel with the nodes of a room. */
export class Nodes {
  #table = new Table({
    caption: "Nodes", key: ({ key }) => key, empty: "The room has no nodes.",
    columns: [
      {
        name: "name", title: "Node", text: ({ name }) => name,
        update: (cell, { name, level, path }) => {
          setText(cell, name);
          cell.style.paddingInlineStart = `${8 + LEVEL * Math.min(level, LEVELS_MAX)}px`;
          cell.title = path;
        },
      },
      { name: "kind", title: "Kind", isWide: true, text: ({ kind }) => kind },
      { name: "authority", title: "Authority", isWide: true, text: ({ authority }) => authority },
      { name: "value", title: "Origin or value", text: ({ value }) => value },
      {
        name: "traffic", title: "Bytes", isNumber: true, value: ({ bytes }) => bytes,
        text: ({ bytes }) => (bytes === 0 ? "–" : format.bytes(bytes)),
      },
    ],
  });
  #note = element("p", { class: "empty" });
  element = element("section", { class: "panel", hidden: true },
    element("h2", {}, "Nodes"), this.#table.element, this.#note);

  /** Shows the nodes of an event. */
  set(room) {
    this.element.hidden = false;
    this.#table.element.hidden = room.relay;
    if (!room.relay) this.#table.set(lines(room));
    const { omitted } = room;
    setText(this.#note, room.relay ? RELAY
      : omitted > 0 ? `${format.count(omitted)} further nodes are not shown.` : "");
  }
}

/** Returns a line for each node, followed by those of its properties. */
export function lines({ nodes, traffic }) {
  const bytes = bytesOf(traffic?.rows ?? []);
  return nodes.flatMap((node) => {
    const { path, name, depth, kind, authority, spawned_by: spawnedBy, properties = [] } = node;
    const line = {
      key: path, path, name, level: depth, kind, authority: peer(authority),
      value: spawnedBy === undefined ? "scene" : `spawned by ${peer(spawnedBy)}`,
      bytes: bytes.get(path) ?? 0,
    };
    return [line, ...properties.map((property) => ({
      key: `${path} ${property.path}`, path, name: property.path, level: depth + 1,
      kind: MODES[property.mode], authority: "", value: property.value ?? "not readable",
      bytes: bytes.get(`${path} ${property.path}`) ?? 0,
    }))];
  });
}

/** Returns the bytes in both directions of each node, and of each property of a node. */
function bytesOf(rows) {
  const bytes = new Map();
  const add = (key, value) => bytes.set(key, (bytes.get(key) ?? 0) + value);
  for (const { kind, node, member, bytes_received: received, bytes_sent: sent } of rows) {
    add(node, received + sent);
    if (member !== "" && kind !== "rpc") add(`${node} ${member}`, received + sent);
  }
  return bytes;
}

function peer(id) {
  return id === 1 ? "server" : `player ${id}`;
}
