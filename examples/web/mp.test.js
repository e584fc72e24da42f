// Checks mp.js against recordings of Godot 4.6.3 (testdata/godot4): `node --test examples/web`.

'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const mp = require('./mp.js');

const recordings = (name) => {
	const file = path.join(__dirname, '../../testdata/godot4', `${name}.json`);
	return JSON.parse(fs.readFileSync(file, 'utf8'));
};
const variants = recordings('variants');
const files = ['rpc', 'sys', 'replication'];
const scenarios = Object.fromEntries(
	files.flatMap((file) => recordings(file).scenarios.map((it) => [`${file}/${it.name}`, it])),
);

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (array) => Buffer.from(array).toString('hex');
const encoded = (encode, value) => {
	const writer = new mp.Writer();
	encode(value, writer);
	return hex(writer.bytes());
};

/** Converts a recorded value; undefined if mp.js does not have its type. */
function valueOf({ type, value, f64_bits: bits }) {
	const number = (it) => (typeof it === 'string' ? Number(it.replace('inf', 'Infinity')) : it);
	switch (type) {
	case 'Nil': return null;
	case 'bool': case 'String': return value;
	case 'int': return BigInt(value);
	case 'float': return new DataView(bytes(bits).buffer).getFloat64(0);
	case 'Vector2': return new mp.Vector2(...value.map(number));
	case 'PackedByteArray': return bytes(value);
	default: return undefined;
	}
}

/** JavaScript does not keep the payload of a NaN. */
const isOtherNan = (row) => row.value === 'nan' && row.f64_bits !== '7ff8000000000000';

test('values are encoded and decoded as in Godot', () => {
	const rows = variants.encode.filter((row) => valueOf(row) !== undefined && !isOtherNan(row));
	assert.ok(rows.length >= 70, `${rows.length} rows`);
	for (const row of rows) {
		const value = valueOf(row);
		assert.strictEqual(encoded(mp.encodeVariant, value), row.hex, row.name);
		assert.strictEqual(encoded(mp.encodeCompressed, value), row.hex_compressed, row.name);
		assert.deepStrictEqual(mp.decodeVariant(new mp.Reader(bytes(row.hex))), value, row.name);
		const compressed = new mp.Reader(bytes(row.hex_compressed));
		assert.deepStrictEqual(mp.decodeCompressed(compressed), value, row.name);
		assert.strictEqual(compressed.left, 0, row.name);
	}
});

test('malformed values and values of other types are refused', () => {
	const refuses = (row) => assert.throws(
		() => mp.decodeVariant(new mp.Reader(bytes(row.hex))), mp.DecodeError, row.name,
	);
	variants.encode.filter((row) => valueOf(row) === undefined).forEach(refuses);
	let decoded = 0;
	for (const row of variants.decode) {
		if (!row.ok || valueOf(row.value) === undefined) {
			refuses(row);
			continue;
		}
		const reader = new mp.Reader(bytes(row.hex));
		assert.deepStrictEqual(mp.decodeVariant(reader), valueOf(row.value), row.name);
		// The padding of a PackedByteArray may be missing at the end; Godot counts it.
		assert.strictEqual(reader.at, Math.min(row.consumed, row.hex.length / 2), row.name);
		decoded += 1;
	}
	assert.ok(decoded >= 10, `${decoded} rows`);
});

test('packets are decoded and encoded as in Godot', () => {
	const counts = {};
	let unsupported = 0;
	for (const [name, { steps }] of Object.entries(scenarios)) {
		for (const packet of steps.flatMap((step) => step.packets)) {
			try {
				const decoded = mp.decodePacket(bytes(packet.hex));
				assert.strictEqual(hex(mp.encodePacket(decoded)), packet.hex, name);
				counts[decoded.command] = (counts[decoded.command] ?? 0) + 1;
			} catch (error) {
				if (!/^type \d+ is not supported|SYNC is shorter/.test(error.message)) throw error;
				unsupported += 1;
			}
		}
	}
	for (let command = 0; command < 8; command += 1) assert.ok(counts[command] >= 10, `${command}`);
	assert.ok(unsupported < 20, `${unsupported} packets are not supported`);
});

/** The entity of the recordings, and its synchronizer. */
function entity(authority, onSynchronized) {
	const value = { hp: 100n, tag: 't', pos: new mp.Vector2(1, 2), once: 5n, extra: null };
	const property = (name, spawn, mode) => ({ name, spawn, mode });
	const properties = [
		property('hp', true, 'always'), property('tag', true, 'on_change'),
		property('pos', false, 'always'), property('once', true, 'never'),
		property('extra', false, 'on_change'),
	];
	const synchronizer = { target: value, properties, onSynchronized };
	return { value, authority, children: { Sync: { authority, synchronizer } } };
}

/** The nodes of scenarios that name none. */
const USUAL_NODES = scenarios['rpc/client_to_server'].setup.nodes;

/** A client that plays a peer of a scenario. */
class Player {
	constructor(scenario, id) {
		this.id = id;
		this.inbox = [];
		this.sent = [];
		this.events = [];
		this.synchronized = 0;
		this.client = new mp.SceneMultiplayer();
		const { client } = this;
		const happened = (event) => (...args) => this.events.push({ event, args });
		client.onConnected = happened('connected_to_server');
		client.onPeerConnected = happened('peer_connected');
		client.onPeerDisconnected = happened('peer_disconnected');
		client.onPeerPacket = (from, data) => happened('peer_packet')(from, hex(data));
		const { nodes = USUAL_NODES, tree_of_each_peer: tree = {} } = scenario.setup;
		for (const [name, node] of Object.entries(nodes)) client.addNode(name, this.withRpcs(name, node));
		if (tree.St) client.addNode('St', entity(scenario.setup.authority_of_St_and_Sync));
		if (tree.Spawner) this.addSpawner(tree.Spawner);
	}

	withRpcs(node, { script_rpc_config: config }) {
		const rpcs = {};
		for (const [method, { rpc_mode, transfer_mode }] of Object.entries(config ?? {})) {
			const call = (...args) => {
				const sender = args.pop();
				this.events.push({ event: 'call', node, method, sender, args });
			};
			rpcs[method] = { mode: rpc_mode, transfer: transfer_mode, call };
		}
		return { rpcs };
	}

	addSpawner({ spawnable_scenes: names }) {
		const { value } = entity(1);
		const ent = () => entity(1, () => { this.synchronized += 1; });
		const scenes = { plain: () => ({ value }), ent };
		const happened = (event) => (_value, its) => {
			this.events.push({ event, args: [its.split('/').pop()] });
		};
		const spawner = {
			parent: 'Ents',
			scenes: names.map((name) => scenes[name] ?? (() => undefined)),
			spawnFunction: ent,
			onSpawned: happened('Spawner.spawned'),
			onDespawned: happened('Spawner.despawned'),
		};
		this.client.addNode('Ents');
		this.client.addNode('Spawner', { spawner });
	}

	send(mode, packet) {
		this.sent.push({ mode, hex: hex(packet) });
	}

	receive(packets) {
		this.inbox.push(...packets.filter(({ to }) => to === this.id));
	}

	poll() {
		this.inbox.splice(0).forEach((packet) => this.client.onPacket(bytes(packet.hex)));
		this.client.process();
	}
}

const COMPARED = [
	'connected_to_server', 'peer_connected', 'peer_disconnected', 'peer_packet', 'call',
	'Spawner.spawned', 'Spawner.despawned',
];
/** The recordings of calls do not list all signals of peers. */
const COMPARED_CALLS = ['call'];

/** Plays the part of a client up to a step; it must send and do what Godot did in each step. */
function play(scenario, id, compared, until) {
	const player = new Player(scenario, id);
	let [packets, events] = [0, 0];
	for (const step of scenario.steps) {
		if (until && step.do.startsWith(until)) break;
		const { op = {} } = step;
		if (step.do.startsWith('state of ')) {
			const [, name] = /^state of (\w+)/.exec(step.do);
			const { hp, tag, pos, once, extra } = player.client.nodes.get(`Ents/${name}`).value;
			const state = { hp: Number(hp), tag, pos: [pos.x, pos.y], once: Number(once) };
			state.extra = String(extra ?? '<null>');
			assert.deepStrictEqual(state, step.returns[id], step.do);
			continue;
		}
		if (op.op === 'link' && op.pairs.some((pair) => pair.includes(id))) player.client.onOpen(player);
		if (op.op === 'poll' && op.peers.includes(id)) {
			const before = op.peers.slice(0, op.peers.indexOf(id));
			player.receive(step.packets.filter(({ from }) => before.includes(from)));
			player.poll();
			player.receive(step.packets.filter(({ from }) => !before.includes(from)));
		} else {
			player.receive(step.packets);
		}
		if (op.op === 'send_bytes' && op.peer === id) {
			player.client.sendBytes(bytes(op.hex), op.to, op.mode);
		}
		if (op.op === 'rpc' && op.peer === id) {
			player.client.rpc(op.target, op.node, op.method, ...op.args.map(valueOf));
		}
		const sent = step.packets.filter(({ from }) => from === id);
		const expected = sent.map(({ mode, hex: packet }) => ({ mode, hex: packet }));
		assert.deepStrictEqual(player.sent.splice(0), expected, step.do);
		// mp.js has no `call_local`.
		const its = step.events.filter(({ peer, event, sender }) => (
			peer === id && compared.includes(event) && sender !== id
		));
		const wanted = its.map(({ event, args, node, method, sender }) => (
			event === 'call' ? { event, node, method, sender, args: args.map(valueOf) } : { event, args }
		));
		const happened = player.events.splice(0).filter(({ event }) => compared.includes(event));
		assert.deepStrictEqual(happened, wanted, step.do);
		packets += sent.length;
		events += wanted.length;
	}
	assert.ok(packets + events > 2, 'the scenario has something to compare');
	assert.strictEqual(player.client.refused, 0, player.client.lastRefusal);
}

const PLAYED = [
	['rpc/first_call_and_path_confirmation', 2],
	['rpc/client_to_server', 2],
	['rpc/broadcast_mixed_confirmation', 2],
	['rpc/broadcast_mixed_confirmation', 3],
	['rpc/raw_bytes_with_path', 2],
	['rpc/transfer_modes_and_channels', 2],
	['sys/connect_and_relay_add_peer', 1432778632],
	['sys/three_clients_order', 3],
	['sys/relay', 3],
	['sys/relay_rpc', 2],
	['sys/relay_rpc', 3],
	['replication/spawn_despawn_plain', 2],
	['replication/spawn_with_state_sync_delta', 2, 'peer 1: e.extra = ['],
	['replication/two_entities_one_sync_packet', 2],
	['replication/late_join', 3],
	['replication/static_synchronizer', 2],
	['replication/static_synchronizer_client_authority', 2, 'authority of St'],
	['replication/static_synchronizer_client_authority', 3, 'authority of St'],
];

for (const [name, id, until] of PLAYED) {
	const compared = name.startsWith('rpc/') ? COMPARED_CALLS : COMPARED;
	test(`peer ${id} of ${name} sends and does what Godot did`, () => (
		play(scenarios[name], id, compared, until)
	));
}

/** Packets that mp.js handles otherwise than Godot. */
const REFUSED_HERE = /leaves the multiplayer root|absolute path|from 100|source -1|client itself/;
const REPORTED_ONLY_BY_GODOT = /wrong checksum|server_relay is off/;

test('malformed packets that Godot refuses are refused, and others are not', () => {
	let [refused, accepted] = [0, 0];
	for (const name of ['rpc/malformed_calls', 'sys/sys_validation', 'replication/malformed']) {
		const player = new Player(scenarios[name], 2);
		for (const { do: title, op = {}, packets, events } of scenarios[name].steps) {
			// mp.js cannot change an authority.
			if (title.startsWith('authority of')) break;
			if (op.op === 'link') player.client.onOpen(player);
			if (op.op === 'poll' && op.peers.includes(2)) player.poll();
			player.receive(packets);
			// The transport of mp.js has no peer but the server.
			if (op.op !== 'inject' || op.to !== 2 || op.from !== 1) continue;
			const before = player.client.refused;
			player.synchronized = 0;
			player.client.onPacket(bytes(op.hex));
			const is = player.client.refused > before;
			const was = events.some(({ peer, event }) => peer === 2 && event === 'engine_error');
			const expected = REFUSED_HERE.test(title) || (was && !REPORTED_ONLY_BY_GODOT.test(title));
			assert.strictEqual(is, expected, `${name}: ${title}: ${player.client.lastRefusal}`);
			const { length } = events.filter(({ event }) => event.endsWith('synchronized'));
			assert.strictEqual(player.synchronized, length, title);
			if (is) refused += 1;
			else accepted += 1;
		}
	}
	assert.ok(refused >= 40 && accepted >= 30, `${refused} refused, ${accepted} accepted`);
});

/** Replaces the browser's classes. Returns the sockets and connections that mp.js creates. */
function browser() {
	const [sockets, connections] = [[], []];
	global.WebSocket = class {
		static OPEN = 1;
		readyState = 1;
		sent = [];
		constructor() { sockets.push(this); }
		send(text) { this.sent.push(JSON.parse(text)); }
		close() {}
	};
	global.RTCPeerConnection = class {
		constructor({ iceServers }) {
			this.iceServers = iceServers;
			connections.push(this);
		}
		createDataChannel() { return { readyState: 'connecting' }; }
		createOffer() { return {}; }
		setConfiguration({ iceServers }) {
			for (const { urls } of iceServers) {
				if (!urls.every((url) => /^(stun|turn)s?:/.test(url))) throw new Error(`no URL: ${urls}`);
			}
			this.iceServers = iceServers;
		}
		setLocalDescription() {
			this.gathersFrom = this.iceServers;
			this.localDescription = { sdp: 'offer' };
		}
		close() {}
	};
	return { sockets, connections };
}

test('a session that is closed before JOIN is opened again, a later one is not', async () => {
	const { sockets } = browser();
	const client = new mp.SceneMultiplayer();
	const reasons = [];
	client.onDisconnected = (reason) => reasons.push(reason);
	client.join('ws://localhost/webrtc');
	sockets[0].onclose({ code: 4000, reason: 'Have not joined lobby yet' });
	assert.strictEqual(sockets.length, 2);
	const [, socket] = sockets;
	socket.onopen();
	assert.deepStrictEqual(socket.sent, [{ type: 0, id: 1, data: '' }]);
	socket.onmessage({ data: '{"type": 1, "id": 7, "data": ""}' });
	await new Promise(setImmediate);
	assert.deepStrictEqual(socket.sent[1], { type: 4, id: 1, data: 'offer' });
	socket.onclose({ code: 4000, reason: 'full' });
	assert.strictEqual(sockets.length, 2);
	assert.deepStrictEqual(reasons, ['full']);
});

test('a session that is refused before its ID is not opened again', () => {
	const { sockets } = browser();
	const client = new mp.SceneMultiplayer();
	const reasons = [];
	client.onDisconnected = (reason) => reasons.push(reason);
	client.join('ws://localhost/webrtc');
	sockets[0].onclose({ code: 4000, reason: 'Lobby is full' });
	assert.strictEqual(sockets.length, 1);
	assert.deepStrictEqual(reasons, ['Lobby is full']);
});

test('JOIN has the name of the room', () => {
	const { sockets } = browser();
	new mp.SceneMultiplayer().join('ws://localhost/webrtc', { room: 'duel/a?code=1' });
	sockets[0].onopen();
	assert.deepStrictEqual(sockets[0].sent, [{ type: 0, id: 1, data: 'duel/a?code=1' }]);
	sockets[0].onclose({ code: 1006, reason: '' });
});

test('candidates are gathered from the STUN and TURN servers of the ID message', async () => {
	const own = { urls: ['stun:stun.example'] };
	const turn = { urls: ['turns:turn.example:443'], username: '1:7', credential: 'secret' };
	for (const [servers, expected] of [[[turn], [own, turn]], [[], [own]], [undefined, [own]]]) {
		const { sockets, connections } = browser();
		const client = new mp.SceneMultiplayer();
		client.join('ws://localhost/webrtc', { iceServers: [own] });
		sockets[0].onmessage({ data: JSON.stringify({ type: 1, id: 7, data: '', ice_servers: servers }) });
		await new Promise(setImmediate);
		assert.deepStrictEqual(connections[0].gathersFrom, expected);
		assert.strictEqual(sockets[0].sent.at(-1).type, 4);
		sockets[0].onclose({ code: 1006, reason: '' });
	}
});

test('a malformed list of STUN and TURN servers ends the attempt with a reason', async () => {
	for (const servers of [[{ urls: ['http://turn.example'] }], { length: 1 }]) {
		const { sockets, connections } = browser();
		const client = new mp.SceneMultiplayer();
		const reasons = [];
		client.onDisconnected = (reason) => reasons.push(reason);
		client.join('ws://localhost/webrtc');
		sockets[0].onmessage({ data: JSON.stringify({ type: 1, id: 7, data: '', ice_servers: servers }) });
		await new Promise(setImmediate);
		assert.match(reasons.join(), /^signaling: /);
		assert.strictEqual(connections[0].gathersFrom, undefined);
	}
});

test('the root is confirmed, so that a server knows that the page still runs', () => {
	const player = new Player(scenarios['rpc/client_to_server'], 2);
	player.client.onOpen(player);
	const probe = { command: 1, checksum: mp.md5(''), id: 77, path: '.' };
	player.client.onPacket(mp.encodePacket(probe));
	assert.deepStrictEqual(player.sent, [{ mode: 'reliable', hex: '02014d000000' }]);
});
