// Opens examples/web in a headless browser, plays, and checks what the page sees:
//
//     node page.js BROWSER PROFILE PAGE FOLDER NAME...
//
// Prints `joined` when the page has a player. Then it waits until the page sees a player of each
// NAME move, takes screenshots in FOLDER (light.png and dark.png), waits until these players have
// left, and prints what it saw. Exits with 1 after the first failed check.

'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { Page, sleep } = require('./browser.js');

const TIMEOUT_MS = 120000;

/** Waits until `condition` returns something. */
async function until(what, condition) {
	const limit = Date.now() + TIMEOUT_MS;
	for (;;) {
		const result = await condition();
		if (result) return result;
		assert.ok(Date.now() < limit, `the page does not see ${what}`);
		await sleep(20);
	}
}

/** The players on the page: { title, x, y, id }, and the own id. */
const PLAYERS = `({ own: multiplayer.id, all: [...players.values()].map(({ player }) => ({
	title: player.title, x: player.position.x, y: player.position.y, id: player.id,
})) })`;

async function play(page, url, folder, names) {
	await page.open(url);
	const seen = async () => {
		const ready = await page.evaluate("typeof players === 'object'");
		return ready ? page.evaluate(PLAYERS) : { own: 0, all: [] };
	};
	const own = ({ own: id, all }) => all.find((player) => player.id === id);
	await until('its own player', async () => own(await seen()));
	console.log('joined');

	// The own player moves down, by keys and through the server, out of the way of the others.
	await page.key('rawKeyDown', 'ArrowDown');
	await until('its own player move', async () => own(await seen()).y > 90);
	await page.key('keyUp', 'ArrowDown');

	const places = new Map(names.map((name) => [name, new Set()]));
	await until(`${names} move together`, async () => {
		const { all } = await seen();
		const others = all.filter(({ title }) => places.has(title));
		others.forEach(({ title, x, y }) => places.get(title).add(`${x} ${y}`));
		return others.length === names.length && [...places.values()].every((its) => its.size > 20);
	});
	await page.screenshot('light', path.join(folder, 'light.png'));
	await page.screenshot('dark', path.join(folder, 'dark.png'));

	await until('the others leave', async () => (await seen()).all.length === 1);
	assert.ok(own(await seen()), 'the own player stays');
	assert.strictEqual(await page.evaluate('multiplayer.refused'), 0, 'no packet is refused');
	assert.deepStrictEqual(page.errors, [], 'the page reports no error');
	const counts = [...places].map(([name, its]) => `${name} at ${its.size} places`);
	console.log(`saw ${counts.join(', ')}`);
}

const [browser, profile, url, folder, ...names] = process.argv.slice(2);
const page = new Page(browser, profile, { width: 1200, height: 750 });
play(page, url, folder, names).then(() => 0, async (error) => {
	const shown = await page.evaluate('document.body.innerText').catch(String);
	console.error([error.stack, ...page.errors, `the page shows: ${shown}`].join('\n'));
	return 1;
}).then(async (code) => {
	await page.close();
	process.exit(code);
});
