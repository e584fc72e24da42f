// Plots of values over the last minutes.

import { element, setText, svg } from "./dom.js";
import { duration } from "./format.js";

const WIDTH = 300;
const HEIGHT = 80;

/** Returns the path of a line through points `{ age, value }`, where `top` is the largest value. */
export function line(points, seconds, top) {
  return points.map(({ age, value }, at) => {
    const x = WIDTH * (1 - age / seconds);
    const y = HEIGHT * (1 - (top > 0 ? value / top : 0));
    return `${at === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}

/** Returns the next number above `value` with one digit: 1, 2 or 5 times a power of ten. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/**
 * A tile with a title, the last value of each series, and a plot.
 *
 * A series has a `name`, which may be empty for the only one. `format` makes texts of values;
 * `atLeast` is the smallest top of the scale.
 */
export class Plot {
  #format;
  #atLeast;
  #series;
  #top = element("span", { class: "top" });
  #span = element("span", { class: "span" });
  #picture;

  constructor({ title, series, format, atLeast = 0, isLarge = false }) {
    this.#format = format;
    this.#atLeast = atLeast;
    this.#series = series.map((name) => ({
      value: element("span", { class: "value" }, "–"),
      name,
      line: svg("path", { class: "line" }),
      area: svg("path", { class: "area" }),
    }));
    const legend = this.#series.map(({ name, value }) => element("span", { class: "series" },
      name === "" ? null : element("span", { class: "name" }, name), value));
    const paths = this.#series.map(({ line: path, area }) => svg("g", {}, area, path));
    this.#picture = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, ...paths);
    this.element = element("section", { class: isLarge ? "tile large" : "tile" },
      element("h3", {}, title),
      element("div", { class: "legend" }, ...legend),
      element("div", { class: "plot" }, this.#picture, this.#top, this.#span));
  }

  /** Shows the points of each series. */
  set(points, seconds) {
    const largest = Math.max(...points.flat().map(({ value }) => value), this.#atLeast);
    const top = roundUp(largest);
    this.#series.forEach((series, at) => {
      const path = line(points[at], seconds, top);
      const last = points[at].at(-1);
      series.line.setAttribute("d", path);
      series.area.setAttribute("d", path === "" ? "" : area(path, points[at], seconds));
      setText(series.value, last === undefined ? "–" : this.#format(last.value));
    });
    setText(this.#top, this.#format(top));
    setText(this.#span, `${duration(seconds)} ago`);
  }
}

/** Returns the path of the area below a line. */
function area(path, points, seconds) {
  const x = (point) => (WIDTH * (1 - point.age / seconds)).toFixed(1);
  return `${path}L${x(points.at(-1))} ${HEIGHT}L${x(points[0])} ${HEIGHT}Z`;
}
