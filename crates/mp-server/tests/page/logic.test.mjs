// Tests of the live page without a browser: node --test crates/mp-server/tests/page

import assert from "node:assert/strict";
import { test } from "node:test";

import { Access, Api, path } from "../../src/page/files/api.js";
import { EventParser } from "../../src/page/files/events.js";
import * as format from "../../src/page/files/format.js";
import { positions } from "../../src/page/files/link.js";
import { History, parse, quantile, sum } from "../../src/page/files/metrics.js";
import { Model } from "../../src/page/files/model.js";
import { lines } from "../../src/page/files/nodes.js";
import { connection, passOf, resent, withRates } from "../../src/page/files/peers.js";
import { line, roundUp } from "../../src/page/files/plot.js";
import { byNode, keyed, Rates } from "../../src/page/files/rates.js";
import { arrange } from "../../src/page/files/table.js";

test("events are found in pieces of any size, and comments are skipped", () => {
  const text = 'event: room\ndata: {"id":1}\n\n: keep\n\nevent: metrics\ndata: a 1\ndata: b 2\n\nevent: late\nda';
  const expected = [{ name: "room", data: '{"id":1}' }, { name: "metrics", data: "a 1\nb 2" }];
  for (const size of [1, 2, 7, text.length]) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(events, expected, `pieces of ${size}`);
  }
});

test("a player without a connection is shown as kept", () => {
  assert.equal(connection({ transport: "enet", authenticating: false }), "enet");
  assert.equal(connection({ authenticating: true }), "authenticates");
  assert.match(connection({ authenticating: false, kept_seconds: 7 }), /^kept, 7/);
  assert.match(connection({ authenticating: false, kept_seconds: 0 }), /^kept, 0/);
});

test("samples have their labels, and lines that describe families are skipped", () => {
  const samples = parse('# TYPE a counter\na_total{x="1",y="a\\"b\\\\c\\n"} 2.5\na_total{x="2",y=""} 4\nb 1e3\n# EOF\n');
  assert.deepEqual(samples.get("a_total"), [
    { labels: { x: "1", y: 'a"b\\c\n' }, value: 2.5 }, { labels: { x: "2", y: "" }, value: 4 },
  ]);
  assert.equal(sum(samples, "a_total"), 6.5);
  assert.equal(sum(samples, "a_total", { x: "2" }), 4);
  assert.equal(sum(samples, "b"), 1000);
  assert.equal(sum(samples, "none"), 0);
});

test("a rate is that of the last five seconds", () => {
  const history = new History();
  assert.equal(history.rate("c_total"), 0);
  // The counter grows by 10 per second until the time 10, and then by 30.
  for (let at = 0; at <= 20; at += 1) history.push(at, parse(`c_total ${at <= 10 ? at * 10 : 100 + (at - 10) * 30}`));
  assert.equal(history.rate("c_total"), 30);
  const rates = history.rates("c_total");
  assert.equal(rates.length, 20);
  assert.deepEqual(rates[9], { age: 10, value: 10 });
  assert.deepEqual(rates.at(-1), { age: 0, value: 30 });
});

test("history keeps the last minutes, and starts again with a server that was restarted", () => {
  const history = new History(100);
  const push = (at, start) => history.push(at, parse(`process_start_time_seconds ${start}\nc_total ${at}`));
  for (let at = 0; at <= 300; at += 10) push(at, 1);
  assert.equal(history.values("c_total").length, 11);
  assert.equal(history.span, 100);
  push(310, 2);
  assert.deepEqual(history.values("c_total"), [{ age: 0, value: 310 }]);
  assert.equal(history.span, 60);
});

test("quantile of a histogram adds the transports", () => {
  const bucket = (transport, le, value) => `d_bucket{transport="${transport}",le="${le}"} ${value}`;
  const samples = parse([
    bucket("a", "0.1", 5), bucket("a", "1.0", 5), bucket("a", "+Inf", 5),
    bucket("b", "0.1", 0), bucket("b", "1.0", 4), bucket("b", "+Inf", 5),
  ].join("\n"));
  assert.equal(quantile(samples, "d", 0.5), 0.1);
  assert.equal(quantile(samples, "d", 0.9), 1);
  assert.equal(quantile(samples, "d", 1), Infinity);
  assert.equal(quantile(parse(""), "d", 0.5), null);
});

test("values have units that people read", () => {
  const table = [
    [format.bytes(0), "0 B"], [format.bytes(999), "999 B"], [format.bytes(1000), "1.00 kB"], [format.bytes(1234), "1.23 kB"],
    [format.bytes(12_345_678), "12.3 MB"], [format.byteRate(1500.4), "1.50 kB/s"],
    [format.rate(0.25), "0.3/s"], [format.rate(12), "12/s"], [format.rate(1234), "1.23 k/s"],
    [format.milliseconds(0), "0 ms"], [format.milliseconds(0.0021), "2.1 ms"], [format.milliseconds(0.25), "250 ms"],
    [format.percent(0.0213), "2.1 %"], [format.percent(0), "0 %"], [format.percent(1.5), "150 %"],
    [format.duration(0), "0 s"], [format.duration(59), "59 s"], [format.duration(3600), "1 h"],
    [format.duration(3725), "1 h 2 min"], [format.duration(90_000), "1 d 1 h"],
    [format.count(1_234_567), "1,234,567"], [format.words("too_many_of_address"), "too many of address"],
  ];
  for (const [text, expected] of table) assert.equal(text, expected);
});

test("rows are filtered by all texts and sorted by values", () => {
  const columns = [
    { name: "name", text: (row) => row.name },
    { name: "players", text: (row) => `${row.players} / 8`, value: (row) => row.players },
  ];
  const rows = [{ name: "room-10", players: 2 }, { name: "room-9", players: 10 }, { name: "<b>", players: 3 }];
  const names = (view) => arrange(rows, columns, { filter: "", ...view }).map(({ name }) => name);
  assert.deepEqual(names({ sort: "name" }), ["<b>", "room-9", "room-10"]);
  assert.deepEqual(names({ sort: "players", descending: true }), ["room-9", "<b>", "room-10"]);
  assert.deepEqual(names({ filter: " OOM" }), ["room-10", "room-9"]);
  assert.deepEqual(names({ filter: "3 /" }), ["<b>"]);
  assert.equal(rows[0].name, "room-10", "the rows themselves stay in order");
});

test("unknown values are last", () => {
  const columns = [{ name: "rtt", value: (row) => row.rtt }];
  const sorted = arrange([{}, { rtt: 2 }, { rtt: 1 }], columns, { filter: "", sort: "rtt" });
  assert.deepEqual(sorted, [{ rtt: 1 }, { rtt: 2 }, {}]);
});

test("rates of a player are those between two events", () => {
  const peer = (received, sent) => ({ id: 2, connection: { bytes_received: received, bytes_sent: sent } });
  const first = withRates(peer(100, 50), undefined, 10);
  assert.deepEqual([first.receiving, first.sending], [null, null]);
  const second = withRates(peer(300, 50), first, 12);
  assert.deepEqual([second.receiving, second.sending], [100, 0]);
  // Another connection of the same id.
  assert.equal(withRates(peer(10, 0), second, 13).receiving, null);
  assert.equal(withRates({ id: 2 }, undefined, 0).receiving, null);
  assert.equal(resent({ packets_sent: 90, retransmissions: 10 }), 0.1);
  assert.equal(resent({}), null);
});

test("plots have a round scale and lines within the picture", () => {
  assert.deepEqual([0, 0.3, 1, 3, 7, 1201].map(roundUp), [1, 0.5, 1, 5, 10, 2000]);
  const points = [{ age: 60, value: 0 }, { age: 0, value: 5 }];
  assert.equal(line(points, 60, 10), "M0.0 80.0L300.0 40.0");
  assert.equal(line([], 60, 10), "");
});

test("controls follow the description of the API and the scopes of the token", () => {
  const operation = (scope) => ({ security: [{ token: [scope] }] });
  const paths = { "/v1/rooms": { get: operation("read"), post: operation("rooms") } };
  const access = new Access({ paths }, ["read"]);
  assert.ok(access.allows("GET", "/v1/rooms"));
  assert.ok(!access.allows("POST", "/v1/rooms"), "the scope is missing");
  assert.ok(!access.allows("DELETE", "/v1/rooms"), "the server has no such operation");
  assert.ok(!access.allows("GET", "/v1/other"));
});

test("names are escaped in paths", () => {
  assert.equal(path("/v1/rooms/{room}/peers/{peer}", { room: "a/b?c", peer: 2 }), "/v1/rooms/a%2Fb%3Fc/peers/2");
});

/** Answers requests with `respond(path, options)` while `run` runs. */
async function withServer(respond, run) {
  const original = globalThis.fetch;
  globalThis.fetch = respond;
  try {
    return await run();
  } finally {
    globalThis.fetch = original;
  }
}

test("token is sent in a header only, and problems have the text of the server", async () => {
  const requests = [];
  const respond = async (url, options) => {
    requests.push([url, options.headers]);
    const body = JSON.stringify({ code: "wrong_token", detail: "the server does not know this token" });
    return new Response(body, { status: 401 });
  };
  await withServer(respond, async () => {
    const error = await new Api("secret").get("/v1/status").catch((caught) => caught);
    assert.deepEqual([error.status, error.code, error.message], [401, "wrong_token", "the server does not know this token"]);
    assert.ok(error.isFinal);
  });
  assert.deepEqual(requests, [["/v1/status", { Authorization: "Bearer secret" }]]);
});

test("changes that are received while rooms are listed win over the list", async () => {
  const room = (id, players) => ({ id, name: `r${id}`, players });
  let handlers;
  let finishFirst;
  const pages = [
    new Promise((resolve) => { finishFirst = () => resolve({ rooms: [room(1, 0), room(2, 0)], next: 2 }); }),
    Promise.resolve({ rooms: [room(3, 0)] }),
  ];
  const paths = [];
  const api = {
    get: (url) => { paths.push(url); return pages.shift(); },
    stream: (url, given) => { handlers = given; return { close() {} }; },
  };
  const model = new Model(api, { changed() {}, refused() {} });
  handlers.opened();
  handlers.event("room", JSON.stringify(room(1, 5)));
  handlers.event("closed", JSON.stringify({ id: 2 }));
  finishFirst();
  while (!model.isListed) await new Promise((resolve) => { setImmediate(resolve); });
  assert.deepEqual(paths, ["/v1/rooms?limit=1000&after=0", "/v1/rooms?limit=1000&after=2"]);
  assert.deepEqual([...model.rooms.values()], [room(1, 5), room(3, 0)]);
  handlers.event("closed", JSON.stringify({ id: 3 }));
  assert.deepEqual([...model.rooms.keys()], [1]);
});

test("a slider of rates begins without a limit, falls, and has the current value", () => {
  const rates = { values: [0, 1000, 100] };
  const all = ({ max, at }) => Array.from({ length: max + 1 }, (_, position) => at(position));
  assert.deepEqual(all(positions(rates, 0)), [0, 1000, 100]);
  const current = positions(rates, 500);
  assert.deepEqual([all(current), current.start], [[0, 1000, 500, 100], 2]);
  assert.deepEqual(all(positions(rates, 1000)), [0, 1000, 100]);
});

test("a slider of times reaches the current value", () => {
  assert.equal(positions({ max: 1, step: 0.005 }, 0.2).max, 1);
  const { max, start, at } = positions({ max: 1, step: 0.005 }, 4);
  assert.deepEqual([max, start, at(0.5)], [4, 4, 0.5]);
});

const traffic = (kind, node, member, received, sent, relayed = false) => ({
  kind, node, member, relayed, packets_received: received > 0 ? 1 : 0, bytes_received: received,
  packets_sent: sent > 0 ? 1 : 0, bytes_sent: sent,
});

test("rates of rows are means of five seconds, and rows without earlier counters begin at zero", () => {
  const rates = new Rates();
  const at = (time, bytes) => rates.push(time, [keyed(traffic("rpc", "Log", "note", bytes, 0))])[0];
  assert.equal(at(0, 100).receiving, null);
  assert.equal(at(1, 150).receiving, 50);
  for (let time = 2; time <= 20; time += 1) at(time, 150 + (time - 1) * 10);
  assert.equal(at(21, 350).receiving, 10);
  const added = rates.push(22, [keyed(traffic("rpc", "Log", "note", 360, 0)), keyed(traffic("rpc", "Log", "late", 50, 0))]);
  assert.deepEqual(added.map(({ receiving }) => receiving), [10, 10]);
  assert.equal(at(23, 5).receiving, null, "the accounting has started again");
});

test("traffic is summed up by node, and packets without a node are left out", () => {
  const rows = [traffic("rpc", "Log", "a", 1, 2), traffic("sync", "Log", "", 10, 20), traffic("raw", "", "", 5, 5)];
  assert.deepEqual(byNode(rows), [{
    key: "Log", node: "Log", packets_received: 2, bytes_received: 11, packets_sent: 2, bytes_sent: 22,
  }]);
});

test("nodes are followed by their properties, with the bytes of both", () => {
  const property = { path: ".:health", mode: "on_change", spawn: true, value: "42" };
  const nodes = [
    { path: ".", name: "Game", depth: 0, authority: 1, kind: "node" },
    { path: "Sync", name: "Sync", depth: 1, authority: 7, spawned_by: 7, kind: "synchronizer", properties: [property] },
  ];
  const rows = [traffic("delta", "Sync", "", 0, 16), traffic("delta", "Sync", ".:health", 0, 4), traffic("spawn", "Sync", ".:health", 3, 0)];
  const shown = lines({ nodes, traffic: { rows } });
  assert.deepEqual(shown.map(({ name, level, bytes }) => [name, level, bytes]), [["Game", 0, 0], ["Sync", 1, 23], [".:health", 2, 7]]);
  assert.deepEqual(shown.map(({ authority, value }) => [authority, value]), [
    ["server", "scene"], ["player 7", "spawned by player 7"], ["", "42"],
  ]);
  assert.deepEqual(lines({ nodes: [] }), []);
});

test("an entry to a room is a ticket of a seat or a code", () => {
  const ticket = `mpt_${"a-Z_9".repeat(4)}xy`;
  assert.deepEqual(passOf(ticket), { seat: ticket });
  assert.deepEqual(passOf("mpt_1234"), { code: "mpt_1234" });
  assert.deepEqual(passOf("1234"), { code: "1234" });
  assert.deepEqual(passOf(""), {});
});
