// The state of the server, as its events report it.

import { History, parse } from "./metrics.js";

/** The server's rooms, status and metrics. It calls `changed` after each change. */
export class Model {
  #api;
  #stream;
  #changed;
  /** Changes that were received while rooms are listed. */
  #newer;
  /** Earliest time of the next request for the cluster. */
  #nextCluster = 0;

  constructor(api, { changed, refused }) {
    this.#api = api;
    this.#changed = changed;
    /** Rooms by id. */
    this.rooms = new Map();
    /** False until all rooms were listed. */
    this.isListed = false;
    /** The last status, or null. */
    this.status = null;
    /** The nodes of the cluster, or null. */
    this.nodes = null;
    this.history = new History();
    /** The reason why no events are received, or null. */
    this.lost = null;
    this.#stream = api.stream("/v1/events?statistics=true", {
      opened: () => {
        this.lost = null;
        this.#list();
      },
      event: (name, data) => this.#handle(name, data),
      lost: (error) => {
        this.lost = error.message;
        this.#changed();
      },
      refused,
    });
  }

  close() {
    this.#stream.close();
  }

  /** Lists all rooms. Events that are received meanwhile are newer. */
  async #list() {
    const newer = new Map();
    this.#newer = newer;
    const rooms = new Map();
    try {
      let after = 0;
      while (after !== undefined) {
        const page = await this.#api.get(`/v1/rooms?limit=1000&after=${after}`);
        for (const room of page.rooms) rooms.set(room.id, room);
        after = page.next;
      }
    } catch {
      return; // the stream is lost, too, and lists them again
    }
    if (this.#newer !== newer) return;
    for (const [id, room] of newer) put(rooms, id, room);
    this.#newer = undefined;
    this.rooms = rooms;
    this.isListed = true;
    this.#changed();
  }

  #handle(name, data) {
    if (name === "metrics") {
      this.history.push(performance.now() / 1000, parse(data));
      if (this.history.latest.has("mp_cluster_nodes")) this.#readCluster();
    } else {
      const value = JSON.parse(data);
      if (name === "status") this.status = value;
      if (name === "room") this.#set(value.id, value);
      if (name === "closed") this.#set(value.id, null);
      if (name === "missed") this.#list();
    }
    this.#changed();
  }

  /** Reads the nodes of the cluster, at most every five seconds. */
  async #readCluster() {
    const now = performance.now();
    if (now < this.#nextCluster) return;
    this.#nextCluster = now + 5_000;
    try {
      this.nodes = (await this.#api.get("/v1/cluster")).nodes;
      this.#changed();
    } catch {
      // the next metrics read them again
    }
  }

  #set(id, room) {
    this.#newer?.set(id, room);
    put(this.rooms, id, room);
  }
}

function put(rooms, id, room) {
  if (room === null) rooms.delete(id);
  else rooms.set(id, room);
}
