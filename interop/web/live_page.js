// Opens the live page of an mp-server in a headless browser, and checks what it shows and does:
//
//     node live_page.js BROWSER PROFILE SETUP_LINK FOLDER PLAYERS GAME_PAGE
//
// The server has PLAYERS players of the room `default` over ENet, whose traffic does not stop. The
// script makes the first token with SETUP_LINK. GAME_PAGE is the page of a room with nodes, on another
// server, which needs no token. It prints `drain` when the server may get SIGTERM,
// and `draining` when the page shows that; then the players may leave. Writes screenshots in FOLDER.
// Exits with 1 after the first failed check.

'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { Page, sleep } = require('./browser.js');
const { viewOf } = require('./live_page_view.js');

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const ROOMS = 1000;
/** A text that would run if it became markup. */
const MARKUP = '<script>document.hacked = true</script><img src=x onerror="document.hacked = true">';

const [browser, profile, link, folder, players, gamePage] = process.argv.slice(2);
const origin = new URL(link).origin;
const page = new Page(browser, profile, DESKTOP);
const {
	until, text, rows, click, confirm, go, api, compareWithMetrics, useToken,
} = viewOf(page, origin);

/** Enters values in the fields of the dialog. */
const enter = (values) => page.evaluate(`for (const [name, value] of Object.entries(${JSON.stringify(values)})) {
	document.querySelector(\`dialog [name=\${name}]\`).value = value;
}`);

const filter = (value) => page.evaluate(`{
	const input = document.querySelector('main input[type=search]');
	input.value = ${JSON.stringify(value)};
	input.dispatchEvent(new Event('input'));
}`);

async function key(code, virtualKey) {
	const event = { code, key: code, windowsVirtualKeyCode: virtualKey, text: code === 'Enter' ? '\r' : undefined };
	await page.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
	await page.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
}

async function resize(size) {
	const metrics = { ...size, deviceScaleFactor: 1, mobile: false };
	await page.send('Emulation.setDeviceMetricsOverride', metrics);
}

async function signIn() {
	await page.open(link);
	await until('the button that makes the token', () => text('#make'));
	assert.ok(!(await page.evaluate('location.href')).includes('#'), 'the code is not in the URL');
	await click('Make the token');
	const token = await until('the token', () => text('.token'));
	useToken(token);
	await click('Open the page');
	await until('that the server is ready', async () => await text('.state') === 'ready');

	// Again, by keyboard: first with a wrong token.
	await click('Sign out');
	await until('the field for the token', () => page.evaluate("document.activeElement?.id === 'token'"));
	await page.send('Input.insertText', { text: 'wrong-0123456789abcdef' });
	await key('Enter', 13);
	await until('why the token is refused', async () => (await text('.error')).includes('does not know'));
	await page.evaluate("document.getElementById('token').select()");
	await page.send('Input.insertText', { text: token });
	await key('Enter', 13);
	await until('that the server is ready', async () => await text('.state') === 'ready');
	assert.strictEqual(await page.evaluate('location.href'), `${origin}/`, 'no token is in the URL');
	assert.strictEqual(await page.evaluate('document.cookie'), '');
	// A browser logs the refusal of the wrong token, as of each response with an error.
	page.errors = page.errors.filter((error) => !error.includes('401'));
}

async function showMarkupAsText() {
	await api('POST', '/v1/rooms', { name: 'marked', permanent: true, metadata: { [MARKUP]: MARKUP } });
	await go('#/rooms');
	await until('the metadata', async () => (await rows('Rooms')).flat().includes(`${MARKUP}: ${MARKUP}`));
	await go('#/rooms/marked');
	await until('the metadata of the room', async () => (await text('.subtitle')).includes(MARKUP));
	await go(`#/rooms/${encodeURIComponent(MARKUP)}`);
	await until('the name of the room', async () => (await text('h1')).includes(MARKUP));
	await until('that there is no such room', async () => (await text('main .reasons')).includes('there is no room'));
	page.errors = page.errors.filter((error) => !error.includes('404'));
	assert.ok(!await page.evaluate('document.hacked'), 'no text of others runs');
	assert.strictEqual(await page.evaluate("document.querySelectorAll('main script, main img').length"), 0);
}

async function useRoom() {
	await go('#/rooms/default');
	const peers = await until('the players of the room', async () => {
		const all = await rows('Players');
		return all.length === Number(players) && all.every((cells) => cells[4].endsWith('ms')) && all;
	});
	assert.ok(peers.every(([, , address, transport]) => `${address} ${transport}` === '127.0.0.1 enet'), `${peers}`);
	await until('a line to join', async () => (await text('.line-of-code code')).includes('create_client("127.0.0.1"'));
	await useBots();
	await click(`Manage player ${peers[0][0]}`);
	await click('Kick', 'dialog');
	await enter({ reason: 'test of the page' });
	await page.screenshot('light', path.join(folder, 'kick-light.png'));
	await confirm('Kick');
	await until('that the player has left', async () => (
		!(await rows('Players')).some(([id]) => id === peers[0][0])));
	await click('Lock');
	await until('that the room is locked', async () => await text('.badge') === 'locked');
	await click('Unlock');
	await until('that the room is open', async () => await text('.badge') === 'open');
}

async function useBots() {
	const bots = (count) => async () => (await rows('Players')).length === Number(players) + count;
	await click('Bots');
	await enter({ count: '2' });
	await page.screenshot('light', path.join(folder, 'bots-light.png'));
	await confirm('Let them join');
	await until('the bots', bots(2));
	await click('Bots');
	await confirm('Let all leave');
	await until('that the bots have left', bots(0));
}

/** The room with nodes: its tables show what the server sends and receives, and names as text. */
async function seeNodes() {
	await page.open(gamePage);
	const hostile = '<img src=x onerror=hacked=1>';
	const nodes = await until('the nodes', async () => {
		const all = await rows('Nodes');
		return all.length > 20 && all;
	});
	const node = (name) => nodes.find(([shown]) => shown === name);
	assert.deepStrictEqual(node(hostile), [hostile, 'node', 'server', 'scene', '–']);
	assert.deepStrictEqual(node('Mover1').slice(1, 4), ['node', 'server', 'spawned by server']);
	assert.deepStrictEqual(node('.:name_tag').slice(1, 4), ['with the node', '', hostile]);
	const first = node('.:position')[3];
	await until('another position', async () => (
		(await rows('Nodes')).find(([shown]) => shown === '.:position')[3] !== first));

	await until('the calls of players', async () => {
		const calls = await rows('Traffic by methods');
		const note = calls.find(([method, of]) => method === 'note' && of === 'Log');
		return note?.[2] === 'player and server' && note[3].endsWith('/s') && !note[3].startsWith('0 ');
	});
	await click('Properties');
	await until('the positions', async () => (
		(await rows('Traffic by properties')).some(([property, of, when, , sent]) => (
			property === '.:position' && of === 'Movers/Mover1/Sync' && when === 'always' && sent.endsWith('/s')))));
	await click('Kinds');
	await until('the kinds', async () => {
		const kinds = (await rows('Traffic by kinds')).map(([kind]) => kind);
		return kinds.includes('sync') && kinds.includes('rpc');
	});
	assert.ok(!await page.evaluate("'hacked' in window"), 'no name of a node runs');
	assert.strictEqual(await page.evaluate("document.querySelectorAll('main img').length"), 0);
	for (const view of ['Nodes', 'Methods']) {
		await click(view);
		await checkView(`game-${view.toLowerCase()}`);
	}
	for (const [size, kind] of [[DESKTOP, 'desktop'], [PHONE, 'phone']]) {
		await resize(size);
		for (const [title, name] of [['Nodes', 'tree'], ['Traffic by method, node and property', 'traffic']]) {
			await page.evaluate(`[...document.querySelectorAll('h2')]
				.find((it) => it.textContent === ${JSON.stringify(title)}).scrollIntoView()`);
			for (const theme of ['light', 'dark']) {
				await page.screenshot(theme, path.join(folder, `game-${name}-${kind}-${theme}.png`));
			}
		}
	}
	await resize(DESKTOP);
}

/** The relay room: methods are numbers, and there are no nodes. */
async function seeRelayedCalls() {
	await go('#/rooms/default');
	await until('the calls between players', async () => (
		(await rows('Traffic by methods')).some(([method, of, between]) => (
			method === 'method 0' && of === 'Main' && between === 'players'))));
	await until('that a relay room has no nodes', async () => (
		(await text('main')).includes('This is a relay room')));
}

async function banAndUnban() {
	await go('#/bans');
	await click('Ban an address');
	await enter({ value: '192.0.2.0/24', hours: '1' });
	await confirm('Ban');
	await until('the ban', async () => (await rows('Bans'))[0]?.[0] === '192.0.2.0/24');
	await click('Ban a player');
	await enter({ value: MARKUP });
	await confirm('Ban');
	await until('the ban of a player', async () => (await rows('Bans'))[1]?.[0] === MARKUP);
	for (const target of ['192.0.2.0/24', MARKUP]) await click(`End the ban of ${target}`);
	await until('that nobody is banned', async () => (await rows('Bans')).length === 0);
}

async function seeSettings() {
	await go('#/server');
	await until('the settings', async () => (await rows('Settings')).length > 1);
	await filter('ADMIN.ADDRESS');
	const [[name, value]] = await rows('Settings');
	assert.deepStrictEqual([name, value], ['admin.address', JSON.stringify(new URL(origin).host)]);
	await click('Reload');
	await until('the result', async () => (await text('#notices')).includes('No setting'));
}

async function createRooms() {
	await go('#/rooms');
	await click('Create a room');
	await enter({ name: 'by-hand', max_players: '8' });
	await confirm('Create');
	await until('the new room', async () => (await text('.subtitle')).startsWith('0 of 8 players'));
	for (let at = 0; at < ROOMS; at += 20) {
		const names = Array.from({ length: 20 }, (_, of) => `room-${at + of}`);
		await Promise.all(names.map((name) => api('POST', '/v1/rooms', { name, permanent: true })));
	}
	await go('#/rooms');
	const count = (ROOMS + 3).toLocaleString('en');
	await until('all rooms', async () => (await text('.position')).endsWith(`of ${count}`));
	await filter('ROOM-77');
	await until('the rooms of the filter', async () => (await rows('Rooms')).length === 11);
}

/** Checks what people with keyboards, screen readers and phones need. */
async function checkView(name) {
	await sleep(300);
	const { nodes } = await page.send('Accessibility.getFullAXTree');
	const controls = ['button', 'link', 'textbox', 'searchbox', 'combobox', 'spinbutton', 'checkbox', 'table'];
	const nameless = nodes.filter(({ ignored, role, name: label }) => (
		!ignored && controls.includes(role?.value) && !label?.value?.trim()));
	assert.deepStrictEqual(nameless, [], `${name}: everything has a name`);
	await page.evaluate('document.body.focus()');
	await key('Tab', 9);
	assert.ok(await page.evaluate(`(() => {
		const style = getComputedStyle(document.activeElement);
		return document.activeElement !== document.body && style.outlineStyle !== 'none';
	})()`), `${name}: the focus is visible`);
	for (const [size, kind] of [[DESKTOP, 'desktop'], [PHONE, 'phone']]) {
		await resize(size);
		await sleep(100);
		const width = await page.evaluate('document.documentElement.scrollWidth');
		assert.ok(width <= size.width, `${name}: ${width} pixels on a ${kind}`);
		for (const theme of ['light', 'dark']) {
			await page.screenshot(theme, path.join(folder, `${name}-${kind}-${theme}.png`));
		}
	}
	await resize(DESKTOP);
}

async function checkViews() {
	for (const [name, hash] of [['overview', '#/'], ['rooms', '#/rooms'], ['room', '#/rooms/default'], ['bans', '#/bans'], ['server', '#/server']]) {
		await go(hash);
		await checkView(name);
	}
}

async function seeTheEnd() {
	assert.deepStrictEqual(page.errors, [], 'the page reports no error');
	console.log('drain');
	await until('that the server drains', async () => await text('.state') === 'draining');
	await go('#/');
	await until('why players are refused', async () => (await text('main .reasons')).includes('draining'));
	console.log('draining');
	await until('that the connection is lost', async () => (await text('.lost')).includes('lost'));
	assert.strictEqual(await text('.state'), 'not connected');
}

async function play() {
	await seeNodes();
	await signIn();
	const kinds = await compareWithMetrics(players);
	await showMarkupAsText();
	await useRoom();
	await seeRelayedCalls();
	await banAndUnban();
	await seeSettings();
	await createRooms();
	await checkViews();
	await seeTheEnd();
	console.log(`${kinds} kinds of messages equal /metrics, a player was kicked, ${ROOMS} rooms listed`);
}

play().then(() => 0, async (error) => {
	const shown = await page.evaluate('document.body.innerText').catch(String);
	console.error([error.stack, ...page.errors, `the page shows: ${shown}`].join('\n'));
	await page.screenshot('light', path.join(folder, 'failed.png')).catch(() => {});
	return 1;
}).then(async (code) => {
	await page.close();
	process.exit(code);
});
