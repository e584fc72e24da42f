// What a test sees of the live page of mp-server, and does with it.

'use strict';

const assert = require('node:assert');
const { sleep } = require('./browser.js');

const TIMEOUT_MS = 120000;

/** Returns functions that read and use the live page of the server at `origin`. */
function viewOf(page, origin) {
	/** Token of requests beside the page; servers for development need none. */
	let token;
	const useToken = (value) => { token = value; };

	async function until(what, condition) {
		const limit = Date.now() + TIMEOUT_MS;
		for (;;) {
			const result = await condition();
			if (result) return result;
			assert.ok(Date.now() < limit, `the page does not show ${what}`);
			await sleep(50);
		}
	}

	const text = (selector) => page.evaluate(
		`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`,
	);

	/** The texts of the cells of a table, by rows. */
	const rows = (caption) => page.evaluate(`[...document.querySelectorAll('table')]
		.filter((table) => table.caption.textContent === ${JSON.stringify(caption)})
		.flatMap((table) => [...table.tBodies[0].rows])
		.map((row) => [...row.cells].map((cell) => cell.textContent))`);

	/** Clicks the button with this text or name. */
	async function click(name, within = 'body') {
		const isClicked = await page.evaluate(`(() => {
			const named = (button) => (button.ariaLabel ?? button.textContent).startsWith(${JSON.stringify(name)});
			const button = [...document.querySelectorAll('${within} button, ${within} a')].find(named);
			button?.click();
			return button !== undefined;
		})()`);
		assert.ok(isClicked, `there is a button ${name}`);
	}

	/** Clicks the button of the dialog, which closes when the server has responded. */
	async function confirm(name) {
		await click(name, 'dialog');
		await until('the page without the dialog', async () => (
			await page.evaluate("document.querySelector('dialog') === null")));
	}

	const go = (hash) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);

	/** A request as an operator sends it. */
	async function api(method, url, body) {
		const response = await fetch(`${origin}${url}`, {
			method,
			headers: {
				...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'application/json',
			},
			body: body && JSON.stringify(body),
		});
		assert.ok(response.ok, `${method} ${url}: ${response.status}`);
		return response.text();
	}

	/** The samples of /metrics: `name{labels}` and values. */
	async function metrics() {
		const lines = (await api('GET', '/metrics')).split('\n').filter((line) => !line.startsWith('#'));
		return Object.fromEntries(lines.map((line) => line.split(' ')).map(([name, value]) => [name, Number(value)]));
	}

	/** Counters grow, so that each value of the page is between an earlier and a later one. */
	async function compareWithMetrics(players) {
		const shown = (caption, column) => async () => Object.fromEntries((await rows(caption))
			.map((cells) => [cells[0], Number(cells[column].replaceAll(',', ''))]));
		const totals = (samples) => (kind) => samples[`mp_messages_received_total{kind="${kind}"}`]
			+ samples[`mp_messages_sent_total{kind="${kind}"}`];
		const read = shown('Traffic by kind of message', 4);
		const before = totals(await metrics());
		const values = await until('the latest messages', async () => {
			const now = await read();
			return now.relay >= before('relay') && now;
		});
		const after = totals(await metrics());
		for (const [kind, value] of Object.entries(values)) {
			assert.ok(before(kind) <= value && value <= after(kind), `${kind}: ${value}`);
		}
		assert.ok(values.relay > 0);
		const samples = await metrics();
		const peers = samples['mp_peers{transport="enet"}'] + samples['mp_peers{transport="websocket"}'];
		assert.strictEqual(peers, Number(players));
		await until('the players', async () => (await page.evaluate(`[...document.querySelectorAll('.tile')]
			.find((tile) => tile.querySelector('h3').textContent === 'Players').querySelector('.value').textContent`)) === players);
		return Object.keys(values).length;
	}

	return {
		until, text, rows, click, confirm, go, api, metrics, compareWithMetrics, useToken,
	};
}

module.exports = { viewOf };
