// Simulates a bad link of a player on the live page of an mp-server, in a headless browser:
//
//     node live_page_link.js BROWSER PROFILE ORIGIN PEER MILLISECONDS
//
// The server runs with --dev, and has two players in the room `default`, PEER among them. The script
// compares the page with /metrics. Then it sets the latency of both directions by slider, and waits
// until the page shows the round trip. With 0 it ends the simulation by button. Exits with 1 after
// the first failed check.

'use strict';

const assert = require('node:assert');
const { Page } = require('./browser.js');
const { viewOf } = require('./live_page_view.js');

const PLAYERS = '2';

const [browser, profile, origin, peer, latency] = process.argv.slice(2);
const seconds = Number(latency) / 1000;
const page = new Page(browser, profile, { width: 1280, height: 800 });
const view = viewOf(page, origin);

/** Moves all sliders of this name, as a user does. Returns the texts beside them. */
const slide = (name, value) => page.evaluate(`[...document.querySelectorAll('dialog input')]
	.filter((input) => input.ariaLabel === ${JSON.stringify(name)})
	.map((input) => {
		input.value = ${value};
		input.dispatchEvent(new Event('input'));
		return input.parentElement.querySelector('output').textContent;
	})`);

/** The round trip of the player in seconds, as the page shows it. */
async function roundTrip() {
	const row = (await view.rows('Players')).find(([id]) => id === peer);
	return row === undefined ? NaN : Number.parseFloat(row[4]) / 1000;
}

async function play() {
	await page.open(origin);
	await view.until('that the server is ready', async () => await view.text('.state') === 'ready');
	await view.compareWithMetrics(PLAYERS);
	await view.go('#/rooms/default');
	await view.until('the players', async () => (await view.rows('Players')).length === Number(PLAYERS));
	await view.click(`Manage player ${peer}`);
	await view.click('Link', 'dialog');
	await view.until('the sliders', () => page.evaluate("document.querySelector('dialog output') !== null"));
	if (seconds > 0) {
		assert.deepStrictEqual(await slide('Latency', seconds), Array(2).fill(`${latency} ms`));
		await view.confirm('Simulate');
		await view.until('the round trip', async () => await roundTrip() >= 2 * seconds);
	} else {
		await view.confirm('End');
	}
	assert.deepStrictEqual(page.errors, [], 'the page reports no error');
}

play().then(() => 0, async (error) => {
	const shown = await page.evaluate('document.body.innerText').catch(String);
	console.error([error.stack, ...page.errors, `the page shows: ${shown}`].join('\n'));
	return 1;
}).then(async (code) => {
	await page.close();
	process.exit(code);
});
