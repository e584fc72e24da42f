// Rates of a room's traffic, from the counters that the server sends every second.

/** Seconds over which rates are averaged. */
const RATE_SECONDS = 5;

const COUNTERS = ["packets_received", "bytes_received", "packets_sent", "bytes_sent"];

/** The counters of the last seconds by row. The rows begin at zero with the first viewer. */
export class Rates {
  #reports = [];

  /**
   * Adds counters of a time in seconds: rows with a `key`. Returns the rows with `receiving`,
   * `sending` and `packets` per second, which are null in the first report.
   */
  push(time, rows) {
    const counters = new Map(rows.map((row) => [row.key, row]));
    this.#reports = this.#reports.filter((report) => report.time > time - RATE_SECONDS - 1);
    if (this.#reports.some((report) => isLater(report.counters, counters))) this.#reports = [];
    this.#reports.push({ time, counters });
    const [first] = this.#reports;
    return rows.map((row) => withRates(row, first.counters.get(row.key), time - first.time));
  }
}

/** Returns whether counters have decreased: the accounting has started again. */
function isLater(earlier, counters) {
  return [...earlier].some(([key, { bytes_received: received, bytes_sent: sent }]) => {
    const now = counters.get(key);
    return now === undefined || now.bytes_received < received || now.bytes_sent < sent;
  });
}

function withRates(row, earlier, seconds) {
  const rate = (name) => (seconds > 0 ? (row[name] - (earlier?.[name] ?? 0)) / seconds : null);
  const packets = seconds > 0 ? rate("packets_received") + rate("packets_sent") : null;
  return { ...row, receiving: rate("bytes_received"), sending: rate("bytes_sent"), packets };
}

/** Returns a row of the traffic with its key. */
export function keyed(row) {
  return { ...row, key: JSON.stringify([row.kind, row.relayed, row.node, row.member]) };
}

/** Returns the sums of the rows of each node. Packets without a node are left out. */
export function byNode(rows) {
  const nodes = new Map();
  for (const row of rows.filter(({ node }) => node !== "")) {
    const sum = nodes.get(row.node) ?? { key: row.node, node: row.node };
    for (const name of COUNTERS) sum[name] = (sum[name] ?? 0) + row[name];
    nodes.set(row.node, sum);
  }
  return [...nodes.values()];
}
