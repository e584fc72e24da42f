// Simulated link conditions of a player.

import { path } from "./api.js";
import { notify, show } from "./dialog.js";
import { element, setText } from "./dom.js";
import * as format from "./format.js";

export const LINK = "/v1/rooms/{room}/peers/{peer}/link";

const DIRECTIONS = [["to_player", "To the player"], ["from_player", "From the player"]];

/** Bytes per second: no limit, then less and less. */
const RATES = [0, 10e6, 5e6, 2e6, 1e6, 500e3, 200e3, 100e3, 50e3, 20e3, 10e3, 5e3, 2e3, 1e3];

/**
 * Conditions, with their largest value and step or a list of values, and the text of a value.
 * Connections over WebSocket have those that are `ofStreams`.
 */
const CONDITIONS = [
  {
    name: "latency_seconds", label: "Latency", max: 1, step: 0.005, text: format.milliseconds,
    ofStreams: true,
  },
  { name: "jitter_seconds", label: "Jitter", max: 0.5, step: 0.005, text: format.milliseconds },
  { name: "loss", label: "Loss", max: 0.5, step: 0.005, text: format.percent },
  { name: "duplication", label: "Duplication", max: 0.5, step: 0.005, text: format.percent },
  { name: "reordering", label: "Reordering", max: 0.5, step: 0.005, text: format.percent },
  { name: "bytes_per_second", label: "Rate", values: RATES, text: rateText, ofStreams: true },
];

function rateText(rate) {
  return rate === 0 ? "no limit" : format.byteRate(rate);
}

/** Shows sliders for the conditions of both directions. */
export async function askForLink(api, room, { id: peer, transport }) {
  const url = path(LINK, { room, peer });
  let current;
  try {
    current = await api.get(url);
  } catch (error) {
    notify(error.message);
    return;
  }
  const conditions = CONDITIONS.filter(({ ofStreams }) => ofStreams || transport !== "websocket");
  const directions = DIRECTIONS.map(([name, title]) =>
    direction(name, title, conditions, current[name]));
  const read = () => Object.fromEntries(directions.map(({ name, values }) => [name, values()]));
  show({
    title: `Link of player ${peer}`,
    text: "Simulates a bad network, for development. Latencies of both directions add up.",
    content: directions.map(({ fieldset }) => fieldset),
    actions: [
      { name: "End", run: async () => {
        await api.send("DELETE", url);
        notify(`The link of player ${peer} is not simulated any more.`);
      } },
      { name: "Simulate", isPrimary: true, run: async () => {
        await api.send("PUT", url, read());
        notify(`The link of player ${peer} is simulated.`);
      } },
    ],
  });
}

function direction(name, title, conditions, current) {
  const sliders = conditions.map((condition) => slider(condition, current[condition.name] ?? 0));
  const fieldset = element("fieldset", {},
    element("legend", {}, title), ...sliders.map(({ row }) => row));
  // Conditions that have no slider stay as they are.
  const values = () => ({
    ...current, ...Object.fromEntries(sliders.map(({ name: of, value }) => [of, value()])),
  });
  return { name, fieldset, values };
}

/**
 * Returns the positions of a slider that begins at `value`: the last one, the distance between two,
 * that of the value, and a function from a position to its value.
 */
export function positions({ max, step, values }, value) {
  if (values === undefined) return { max: Math.max(max, value), step, start: value, at: (it) => it };
  const limits = [...new Set([...values, value])].filter((it) => it > 0).sort((a, b) => b - a);
  const all = [0, ...limits];
  return { max: all.length - 1, step: 1, start: all.indexOf(value), at: (it) => all[it] };
}

function slider(condition, value) {
  const { name, label, text } = condition;
  const { max, step, start, at } = positions(condition, value);
  const shown = element("output", {}, text(value));
  const input = element("input", {
    type: "range", min: 0, max, step, value: start,
    "aria-label": label, "aria-valuetext": text(value),
    oninput: () => {
      const changed = text(at(input.valueAsNumber));
      setText(shown, changed);
      input.setAttribute("aria-valuetext", changed);
    },
  });
  const row = element("label", { class: "slider" }, element("span", {}, label), input, shown);
  return { name, row, value: () => at(input.valueAsNumber) };
}
