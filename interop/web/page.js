// Opens examples/web in a headless browser, plays, and checks what the page sees:
//
//     node page.js BROWSER PROFILE PAGE FOLDER NAME...
//
// Prints `joined` when the page has a player. Then it waits until the page sees a player of each
// NAME move, takes screenshots in FOLDER (light.png and dark.png), waits until these players have
// left, and prints what it saw. Exits with 1 after the first failed check.
//
// The browser is controlled by the DevTools protocol over a pipe.

'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const TIMEOUT_MS = 120000;

/** Flags of the browser: no window, no GPU, and frames although nobody looks at them. */
const FLAGS = [
	'--headless=new', '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
	'--enable-unsafe-swiftshader', '--disable-background-timer-throttling',
	'--disable-renderer-backgrounding', '--disable-dev-shm-usage', '--no-first-run',
	'--window-size=1200,750', '--remote-debugging-pipe',
];

/** A page in a browser of its own. */
class Page {
	constructor(browser, profile) {
		const flags = [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'];
		const log = fs.openSync(`${profile}.log`, 'w');
		this.process = spawn(browser, flags, { stdio: ['ignore', log, log, 'pipe', 'pipe'] });
		const [, , , input, output] = this.process.stdio;
		this.input = input;
		for (const part of [this.process, input, output]) {
			part.on('error', (error) => this.fail(error));
		}
		this.process.on('exit', (code) => this.fail(new Error(`the browser ended with ${code}`)));
		this.replies = new Map();
		this.last = 0;
		this.errors = [];
		this.session = undefined;
		let pending = '';
		output.setEncoding('utf8').on('data', (text) => {
			const messages = (pending + text).split('\0');
			pending = messages.pop();
			messages.forEach((message) => this.receive(JSON.parse(message)));
		});
	}

	fail(error) {
		for (const { reject } of this.replies.values()) reject(error);
		this.replies.clear();
	}

	receive({ id, method, params, result, error }) {
		const reply = this.replies.get(id);
		this.replies.delete(id);
		if (error) reply?.reject(new Error(error.message));
		else reply?.resolve(result);
		if (method === 'Runtime.exceptionThrown') {
			const { exception, text } = params.exceptionDetails;
			this.errors.push(exception?.description ?? text);
		}
		if (method === 'Log.entryAdded' && params.entry.level === 'error') {
			this.errors.push(params.entry.text);
		}
	}

	send(method, params = {}) {
		this.last += 1;
		const id = this.last;
		const sessionId = method.startsWith('Browser.') ? undefined : this.session;
		const message = { id, method, params, sessionId };
		return new Promise((resolve, reject) => {
			this.replies.set(id, { resolve, reject });
			this.input.write(`${JSON.stringify(message)}\0`);
		});
	}

	async open(url) {
		const { targetInfos } = await this.send('Target.getTargets');
		const { targetId } = targetInfos.find(({ type }) => type === 'page');
		const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
		this.session = attached.sessionId;
		for (const domain of ['Runtime', 'Log', 'Page']) await this.send(`${domain}.enable`);
		await this.send('Page.navigate', { url });
	}

	async evaluate(expression) {
		const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
			expression, returnByValue: true,
		});
		if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
		return result.value;
	}

	/** Ends the browser, so that no process of it uses the profile any more. */
	async close() {
		const closed = new Promise((resolve) => { this.process.on('exit', resolve); });
		if (this.process.exitCode !== null) return;
		this.send('Browser.close').catch(() => {});
		await Promise.race([closed, sleep(5000)]);
		this.process.kill('SIGKILL');
	}

	async key(type, code) {
		await this.send('Input.dispatchKeyEvent', { type, code, key: code });
	}

	async screenshot(scheme, file) {
		const features = [{ name: 'prefers-color-scheme', value: scheme }];
		await this.send('Emulation.setEmulatedMedia', { features });
		await sleep(100);
		const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
		fs.writeFileSync(file, Buffer.from(data, 'base64'));
	}
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

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
const page = new Page(browser, profile);
play(page, url, folder, names).then(() => 0, async (error) => {
	const shown = await page.evaluate('document.body.innerText').catch(String);
	console.error([error.stack, ...page.errors, `the page shows: ${shown}`].join('\n'));
	return 1;
}).then(async (code) => {
	await page.close();
	process.exit(code);
});
