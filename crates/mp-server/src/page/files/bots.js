// Bots that the server lets join a room.

import { path } from "./api.js";
import { ask, notify } from "./dialog.js";
import { count as shown } from "./format.js";

export const BOTS = "/v1/rooms/{room}/bots";

/** Asks how many bots join the room, and for how long. */
export function askForBots(api, room) {
  const url = path(BOTS, { room });
  ask({
    title: "Bots",
    text: "Bots are Godot clients without a game: they join as players, and leave after a time.",
    fields: [
      { name: "count", label: "Bots", type: "number", min: 1, max: 16, required: true, value: 1 },
      { name: "seconds", label: "Seconds", type: "number", min: 1, max: 3600, required: true, value: 60 },
      { name: "send", label: "Send a small packet every second", type: "checkbox" },
    ],
    action: "Let them join",
    submit: async (bots) => {
      const { ids } = await api.send("POST", url, bots);
      notify(`${shown(ids.length)} bots have joined the room.`);
    },
    others: [{ name: "Let all leave", run: async () => {
      const { count } = await api.send("DELETE", url);
      notify(`${shown(count)} bots leave the room.`);
    } }],
  });
}
