// Plays Godot's web build in a headless browser by keys, and takes a picture:
//
//     node picture.js BROWSER PROFILE URL WIDTHxHEIGHT FILE
//
// Waits until the game prints a welcome. Then it holds the right arrow key, then the one down, and
// writes FILE (PNG) while the player walks.

'use strict';

const { Page, sleep } = require('./browser.js');

const TIMEOUT_MS = 120000;
const HOLD_MS = 1200;

async function play(page, url, file) {
	await page.open(url);
	const limit = Date.now() + TIMEOUT_MS;
	while (!page.lines.some((line) => line.includes('welcome'))) {
		if (Date.now() > limit) throw new Error('the game prints no welcome');
		await sleep(50);
	}
	await page.evaluate("document.getElementById('canvas').focus()");
	for (const key of ['ArrowRight', 'ArrowDown']) {
		await page.key('rawKeyDown', key);
		await sleep(HOLD_MS);
		if (key === 'ArrowDown') await page.screenshot('dark', file);
		await page.key('keyUp', key);
	}
}

const [browser, profile, url, size, file] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
const page = new Page(browser, profile, { width, height });
play(page, `${url}&size=${size}`, file).then(() => 0, async (error) => {
	await page.screenshot('dark', file).catch(() => {});
	console.error([error.stack, ...page.errors, ...page.lines].join('\n'));
	return 1;
}).then(async (code) => {
	await page.close();
	process.exit(code);
});
