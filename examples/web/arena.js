// The example `arena` in a browser: the scenes of examples/arena/godot for mp.js, and a canvas.

'use strict';

// ---------------------------------------------------------------------------------------------
// The game: the same nodes, methods and properties as in the Godot project.

const multiplayer = new SceneMultiplayer();
/** The players by path, and the coins. */
const players = new Map(), coins = new Map();
/** Round-trip time to the server in milliseconds; null before the first answer. */
let roundTrip = null;

/** player.tscn: the server sends title and position, the player's client sends its direction. */
function playerScene(name) {
	const player = { id: Number(name), title: '', position: new Vector2(), score: 0 };
	player.input = { direction: new Vector2() };
	const title = { name: 'title', spawn: true, mode: 'never' };
	const position = { name: 'position', spawn: true, mode: 'always' };
	const score = { name: 'score', spawn: true, mode: 'on_change' };
	const direction = { name: 'direction', spawn: false, mode: 'always' };
	const sync = { target: player, properties: [title, position, score] };
	// As often as the server moves the players.
	const input = { target: player.input, properties: [direction], interval: 50 };
	const children = {
		Sync: { synchronizer: sync },
		Input: { synchronizer: input, authority: player.id },
	};
	return { value: player, children };
}

/** coin.tscn: the server sends the position once. */
function coinScene() {
	const coin = { position: new Vector2() };
	const position = { name: 'position', spawn: true, mode: 'never' };
	return { value: coin, children: { Sync: { synchronizer: { target: coin, properties: [position] } } } };
}

multiplayer.addNode('Main', {
	children: {
		Arena: {
			rpcs: {
				enter: { mode: 'any_peer' },
				welcome: { mode: 'authority', call: (text) => showState('connected', text) },
				refuse: { mode: 'authority', call: (why) => showEntry(why) },
				ping: { mode: 'any_peer', transfer: 'unreliable' },
				pong: { mode: 'authority', transfer: 'unreliable', call: showRoundTrip },
			},
		},
		Coins: {},
		Players: {},
		CoinSpawner: {
			spawner: {
				parent: 'Main/Coins',
				scenes: [coinScene],
				onSpawned: (coin, path) => coins.set(path, coin),
				onDespawned: (_coin, path) => coins.delete(path),
			},
		},
		Spawner: {
			spawner: {
				parent: 'Main/Players',
				scenes: [playerScene],
				onSpawned: (player, path) => {
					players.set(path, { ...seen(player), player });
					showPlayers();
				},
				onDespawned: (_player, path) => {
					players.delete(path);
					showPlayers();
				},
			},
		},
	},
});

multiplayer.onConnected = () => {
	showState('connected', 'connected');
	enter();
};

multiplayer.onDisconnected = (reason) => {
	players.clear();
	coins.clear();
	roundTrip = null;
	showPlayers();
	showState('lost', reason);
	showEntry('');
};

/** Asks the server for a player. It answers with `welcome` or `refuse`. */
function enter() {
	multiplayer.rpc(SERVER, 'Main/Arena', 'enter', element('name').value.trim());
	element('entry').hidden = true;
}

/** Measures the round-trip time: the server answers with `pong`. */
function ping() {
	if (!ownPlayer()) return;
	multiplayer.rpc(SERVER, 'Main/Arena', 'ping', BigInt(Math.round(performance.now())));
}

function showRoundTrip(sent) {
	roundTrip = Math.max(0, Math.round(performance.now()) - Number(sent));
	showState('connected', `WebRTC, round trip ${roundTrip} ms`);
}

setInterval(ping, 500);

/** Returns the own player; undefined before the server has added it. */
function ownPlayer() {
	return players.get(`Main/Players/${multiplayer.id}`)?.player;
}

// ---------------------------------------------------------------------------------------------
// The page around the canvas.

function element(id) {
	return document.getElementById(id);
}

function showState(state, text) {
	element('status').dataset.state = state;
	element('status').textContent = text;
}

function showEntry(message) {
	element('entry').hidden = false;
	element('message').textContent = message;
}

/** The scores in the list, and those of the players. */
let shownScores = '';
const scores = () => [...players.values()].map(({ player }) => player.score).join(' ');

function showPlayers() {
	const best = [...players.values()].sort((a, b) => Number(b.player.score) - Number(a.player.score));
	shownScores = scores();
	element('list').replaceChildren(...best.map(({ player, hue }) => {
		const item = document.createElement('li');
		item.textContent = `${player.title} ${player.score}`;
		item.style.setProperty('--color', colorOf(hue));
		item.classList.toggle('own', player.id === multiplayer.id);
		return item;
	}));
}

element('entry').addEventListener('submit', (event) => {
	event.preventDefault();
	if (multiplayer.id !== 0) return enter();
	showState('connecting', 'connecting …');
	element('entry').hidden = true;
	multiplayer.join(element('server').value);
});

// The server notices at once that a closed page has left.
addEventListener('pagehide', () => multiplayer.leave());

const query = new URLSearchParams(location.search);
const host = location.hostname || '127.0.0.1';
element('server').value = query.get('server') ?? `ws://${host}:7780/webrtc`;
element('name').value = query.get('name') ?? '';
if (element('name').value) element('entry').requestSubmit();

// ---------------------------------------------------------------------------------------------
// Input: keys, or the pointer while it is down.

const KEYS = {
	ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
	KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1],
};
const pressed = new Set();
let pointer = null;

addEventListener('keydown', ({ code }) => {
	if (code in KEYS && element('entry').hidden) pressed.add(code);
});
addEventListener('keyup', ({ code }) => pressed.delete(code));
addEventListener('blur', () => pressed.clear());
element('field').addEventListener('pointerdown', ({ clientX, clientY, pointerId }) => {
	pointer = [clientX, clientY];
	element('field').setPointerCapture(pointerId);
});
element('field').addEventListener('pointermove', ({ clientX, clientY }) => {
	if (pointer) pointer = [clientX, clientY];
});
for (const end of ['pointerup', 'pointercancel']) {
	element('field').addEventListener(end, () => { pointer = null; });
}

/** Returns the direction in which the player steers, of length 0 to 1. */
function steering() {
	let [x, y] = [0, 0];
	for (const code of pressed) {
		x += KEYS[code][0];
		y += KEYS[code][1];
	}
	const me = players.get(`Main/Players/${multiplayer.id}`);
	if (pointer && me) {
		const at = onScreen(me.shown);
		[x, y] = [(pointer[0] - at.x) / 60, (pointer[1] - at.y) / 60];
	}
	const length = Math.hypot(x, y);
	return length > 1 ? new Vector2(x / length, y / length) : new Vector2(x, y);
}

// ---------------------------------------------------------------------------------------------
// The canvas. Positions arrive 20 times per second; drawn ones follow smoothly.

const canvas = element('field');
const context = canvas.getContext('2d');
const camera = new Vector2();
/** Half the size of the arena, as HALF_SIZE in arena.rs. */
const HALF = { x: 480, y: 270 };
const RADIUS = 14, COIN_RADIUS = 9, GRID = 48, TRAIL_MS = 1400, SMOOTHING_MS = 60, CAMERA_MS = 250;
const HUES = [166, 24, 262, 210, 330, 95, 48, 0];
const CALM = matchMedia('(prefers-reduced-motion: reduce)');
let last = performance.now();

/** Returns the drawn state of a new player, with a hue that no other has while there are some. */
function seen({ position }) {
	const taken = [...players.values()].map(({ hue }) => hue);
	const hue = HUES.find((it) => !taken.includes(it)) ?? HUES[players.size % HUES.length];
	return { shown: new Vector2(position.x, position.y), trail: [], hue };
}

function colorOf(hue) {
	const style = getComputedStyle(document.documentElement);
	return `hsl(${hue} 45% ${style.getPropertyValue('--player-lightness')})`;
}

function onScreen({ x, y }) {
	return { x: x - camera.x + innerWidth / 2, y: y - camera.y + innerHeight / 2 };
}

/** Moves `from` towards `to` by the part that `elapsed` is of `time`. */
function approach(from, to, elapsed, time) {
	const part = 1 - Math.exp(-elapsed / time);
	from.x += (to.x - from.x) * part;
	from.y += (to.y - from.y) * part;
}

function frame(now) {
	const elapsed = Math.min(now - last, 100);
	last = now;
	const me = ownPlayer();
	if (me) me.input.direction = steering();
	multiplayer.process(now);
	for (const { player, shown, trail } of players.values()) {
		approach(shown, player.position, elapsed, SMOOTHING_MS);
		trail.push({ x: shown.x, y: shown.y, at: now });
		while (trail[0].at < now - TRAIL_MS) trail.shift();
	}
	if (scores() !== shownScores) showPlayers();
	if (me) approach(camera, players.get(`Main/Players/${me.id}`).shown, elapsed, CAMERA_MS);
	draw(now);
	requestAnimationFrame(frame);
}

function draw(now) {
	const style = getComputedStyle(document.documentElement);
	const ink = (name) => style.getPropertyValue(`--${name}`);
	const [width, height] = [innerWidth, innerHeight];
	const scale = devicePixelRatio;
	if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
		[canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
	}
	context.setTransform(scale, 0, 0, scale, 0, 0);
	context.clearRect(0, 0, width, height);
	drawGround(ink('dot'), ink('axis'), width, height);
	coins.forEach(({ position }) => drawCoin(position));
	const all = [...players.values()];
	if (!CALM.matches) all.forEach((it) => drawTrail(it, now));
	all.forEach((it) => drawPlayer(it, ink('ground'), ink('ink'), width, height));
}

function drawCoin(position) {
	const { x, y } = onScreen(position);
	for (const [color, radius] of [['#b8860b', COIN_RADIUS], ['#f2c14e', COIN_RADIUS - 3]]) {
		context.fillStyle = color;
		context.beginPath();
		context.arc(x, y, radius, 0, 2 * Math.PI);
		context.fill();
	}
}

/** Dots on a grid, the border, and a cross where players enter. */
function drawGround(dot, axis, width, height) {
	const origin = onScreen({ x: 0, y: 0 });
	const first = (start) => ((start % GRID) + GRID) % GRID;
	context.fillStyle = dot;
	for (let x = first(origin.x); x < width; x += GRID) {
		for (let y = first(origin.y); y < height; y += GRID) {
			context.beginPath();
			context.arc(x, y, 1.5, 0, 2 * Math.PI);
			context.fill();
		}
	}
	context.strokeStyle = axis;
	context.lineWidth = 3;
	context.beginPath();
	context.roundRect(origin.x - HALF.x, origin.y - HALF.y, 2 * HALF.x, 2 * HALF.y, 14);
	context.stroke();
	context.lineWidth = 1.5;
	context.beginPath();
	context.moveTo(origin.x - 9, origin.y);
	context.lineTo(origin.x + 9, origin.y);
	context.moveTo(origin.x, origin.y - 9);
	context.lineTo(origin.x, origin.y + 9);
	context.stroke();
}

function drawTrail({ hue, trail }, now) {
	context.strokeStyle = colorOf(hue);
	context.lineCap = 'butt';
	for (let i = 1; i < trail.length; i += 1) {
		const age = (now - trail[i].at) / TRAIL_MS;
		const [from, to] = [onScreen(trail[i - 1]), onScreen(trail[i])];
		context.globalAlpha = 0.35 * (1 - age);
		context.lineWidth = RADIUS * (1 - age) + 1;
		context.beginPath();
		context.moveTo(from.x, from.y);
		context.lineTo(to.x, to.y);
		context.stroke();
	}
	context.globalAlpha = 1;
}

/** A disc with the name above it; at the border of the canvas if the player is beyond it. */
function drawPlayer({ player, shown, hue }, ground, ink, width, height) {
	const at = onScreen(shown);
	const margin = 34;
	const x = Math.min(Math.max(at.x, margin), width - margin);
	const y = Math.min(Math.max(at.y, margin + 14), height - margin);
	const isOutside = x !== at.x || y !== at.y;
	const radius = isOutside ? RADIUS / 2.5 : RADIUS;
	context.fillStyle = colorOf(hue);
	context.strokeStyle = ground;
	context.lineWidth = 3;
	context.beginPath();
	context.arc(x, y, radius, 0, 2 * Math.PI);
	context.stroke();
	context.fill();
	if (player.id === multiplayer.id) {
		context.strokeStyle = colorOf(hue);
		context.lineWidth = 1.5;
		context.beginPath();
		context.arc(x, y, radius + 5, 0, 2 * Math.PI);
		context.stroke();
	}
	const weight = player.id === multiplayer.id ? 600 : 400;
	context.fillStyle = ink;
	context.font = `${weight} 13px system-ui, "DejaVu Sans", sans-serif`;
	context.textAlign = 'center';
	context.lineWidth = 4;
	context.strokeStyle = ground;
	context.strokeText(player.title, x, y - radius - 11);
	context.fillText(player.title, x, y - radius - 11);
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showPlayers);
requestAnimationFrame(frame);
