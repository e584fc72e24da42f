// Simulated link conditions of a player.

import { path } from "./api.js";
import { notify, show } from "./dialog.js";
import { element, setText } from "./dom.js";
import * as format from "./format.js";

export const LINK = "/v1/rooms/{room}/peers/{peer}/link";

const DIRECTIONS = [["to_player", "To the player"], ["from_player", "From the player"]];

/** Conditions, with their largest value and the text of a value. */
const CONDITIONS = [
  { name: "latency_seconds", label: "Latency", max: 1, step: 0.005, text: format.milliseconds },
  { name: "jitter_seconds", label: "Jitter", max: 0.5, step: 0.005, text: format.milliseconds },
  { name: "loss", label: "Loss", max: 0.5, step: 0.005, text: format.percent },
  { name: "duplication", label: "Duplication", max: 0.5, step: 0.005, text: format.percent },
  { name: "reordering", label: "Reordering", max: 0.5, step: 0.005, text: format.percent },
];

/** Shows sliders for the conditions of both directions. */
export async function askForLink(api, room, { id: peer }) {
  const url = path(LINK, { room, peer });
  let current;
  try {
    current = await api.get(url);
  } catch (error) {
    notify(error.message);
    return;
  }
  const directions = DIRECTIONS.map(([name, title]) => direction(name, title, current[name]));
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

function direction(name, title, current) {
  const sliders = CONDITIONS.map((condition) => slider(condition, current[condition.name] ?? 0));
  const fieldset = element("fieldset", {},
    element("legend", {}, title), ...sliders.map(({ row }) => row));
  // Conditions that have no slider stay as they are.
  const values = () => ({
    ...current, ...Object.fromEntries(sliders.map(({ name: of, value }) => [of, value()])),
  });
  return { name, fieldset, values };
}

function slider({ name, label, max, step, text }, value) {
  const shown = element("output", {}, text(value));
  const input = element("input", {
    type: "range", min: 0, max: Math.max(max, value), step, value, "aria-label": label,
    oninput: () => {
      setText(shown, text(input.valueAsNumber));
      input.setAttribute("aria-valuetext", text(input.valueAsNumber));
    },
  });
  const row = element("label", { class: "slider" }, element("span", {}, label), input, shown);
  return { name, row, value: () => input.valueAsNumber };
}
