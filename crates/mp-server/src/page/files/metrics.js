// The samples of the server's metrics, and their history.

/**
 * Returns the samples of OpenMetrics text, by name. A sample has `labels` and a `value`. Lines that
 * begin with # describe families and are skipped.
 */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const [, name, labels, value] = match;
    if (!samples.has(name)) samples.set(name, []);
    samples.get(name).push({ labels: parseLabels(labels ?? ""), value: parseValue(value) });
  }
  return samples;
}

function parseLabels(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
  }
  return labels;
}

function parseValue(text) {
  return text === "+Inf" ? Infinity : Number(text);
}

/** Returns the sum of the samples of a name whose labels are equal to all of `labels`. */
export function sum(samples, name, labels = {}) {
  const wanted = Object.entries(labels);
  const matches = (sample) => wanted.every(([key, value]) => sample.labels[key] === value);
  return (samples.get(name) ?? []).filter(matches).reduce((total, { value }) => total + value, 0);
}

/** Seconds over which rates are averaged. The server publishes its counters once a second. */
const RATE_SECONDS = 5;

/** Shortest time span of a plot, in seconds. */
const SPAN_MIN = 60;

/** The samples of the last minutes. */
export class History {
  #seconds;
  #entries = [];

  constructor(seconds = 300) {
    this.#seconds = seconds;
  }

  /** Adds samples of a time in seconds. If the server has restarted, earlier ones are removed. */
  push(time, samples) {
    const start = (of) => sum(of, "process_start_time_seconds");
    const isOther = this.latest !== null && start(this.latest) !== start(samples);
    if (isOther) this.#entries = [];
    this.#entries.push({ time, samples });
    const first = this.#entries.findIndex((entry) => entry.time >= time - this.#seconds);
    this.#entries.splice(0, first);
  }

  /** The latest samples, or null. */
  get latest() {
    return this.#entries.at(-1)?.samples ?? null;
  }

  /** Seconds since the first samples: between a minute and the time that is kept. */
  get span() {
    const seconds = (this.#entries.at(-1)?.time ?? 0) - (this.#entries[0]?.time ?? 0);
    return Math.min(Math.max(seconds, SPAN_MIN), this.#seconds);
  }

  /** Returns the points of a gauge: `{ age, value }`, by time. */
  values(name, labels) {
    const now = this.#entries.at(-1)?.time ?? 0;
    return this.#entries.map(({ time, samples }) => ({
      age: now - time, value: sum(samples, name, labels),
    }));
  }

  /** Returns the points of a counter's rate per second. */
  rates(name, labels) {
    const values = this.values(name, labels);
    return values.slice(1).map((point, at) => ({
      age: point.age, value: rateAt(values, at + 1),
    }));
  }

  /** Returns the last rate of a counter per second, or 0. */
  rate(name, labels) {
    const recent = this.#entries.slice(-RATE_SECONDS - 2);
    const values = recent.map(({ time, samples }) => ({
      age: -time, value: sum(samples, name, labels),
    }));
    return values.length < 2 ? 0 : rateAt(values, values.length - 1);
  }
}

function rateAt(values, at) {
  const last = values[at];
  let from = at - 1;
  while (from > 0 && values[from].age - last.age < RATE_SECONDS) from -= 1;
  const seconds = values[from].age - last.age;
  return seconds > 0 ? Math.max(0, last.value - values[from].value) / seconds : 0;
}

/**
 * Returns an upper bound of the share `quantile` of a histogram of durations, in seconds; null
 * without values.
 */
export function quantile(samples, name, share) {
  const buckets = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) ?? []) {
    const bound = parseValue(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  return sorted.find(([, below]) => below >= total * share)[0];
}
