// Godot 4's SceneMultiplayer for browsers: a client that joins a room over WebRTC, without Godot.
//
//     const multiplayer = new SceneMultiplayer();
//     multiplayer.addNode('Main/Chat', { rpcs: { say: { mode: 'any_peer', call: print } } });
//     multiplayer.onConnected = () => multiplayer.rpc(1, 'Main/Chat', 'say', 'hello');
//     multiplayer.join("ws://127.0.0.1:7780/webrtc");
//
// Contents: 1 Bytes · 2 Variant · 3 Packets · 4 SceneMultiplayer · 5 WebRTC · 6 MD5
//
// Each value of GDScript has one type of JavaScript:
//
//     null nil · boolean bool · bigint int · number float · string String · Vector2 Vector2 ·
//     Uint8Array PackedByteArray
//
// Packets with other types are refused. So is everything malformed: `SceneMultiplayer.refused`
// counts it, and nothing is thrown.

'use strict';

// ---------------------------------------------------------------------------------------------
// 1 Bytes. All numbers are little-endian.

/** A packet or value that cannot be decoded. */
class DecodeError extends Error {}

/** Reads numbers and text from a Uint8Array. Throws a DecodeError at its end. */
class Reader {
	constructor(bytes) {
		this.bytes = bytes;
		this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		this.at = 0;
	}

	get left() {
		return this.bytes.length - this.at;
	}

	/** Advances by `size` bytes; returns the position before. */
	skip(size) {
		if (size > this.left) throw new DecodeError(`${size} bytes at ${this.at}, ${this.left} left`);
		this.at += size;
		return this.at - size;
	}

	u8() { return this.view.getUint8(this.skip(1)); }
	u16() { return this.view.getUint16(this.skip(2), true); }
	u32() { return this.view.getUint32(this.skip(4), true); }
	u64() { return this.view.getBigUint64(this.skip(8), true); }
	i8() { return this.view.getInt8(this.skip(1)); }
	i16() { return this.view.getInt16(this.skip(2), true); }
	i32() { return this.view.getInt32(this.skip(4), true); }
	i64() { return this.view.getBigInt64(this.skip(8), true); }
	f32() { return this.view.getFloat32(this.skip(4), true); }
	f64() { return this.view.getFloat64(this.skip(8), true); }

	take(size) {
		const start = this.skip(size);
		return this.bytes.subarray(start, start + size);
	}

	rest() { return this.take(this.left); }

	/** Text of `size` bytes. As in Godot, a NUL ends it. */
	text(size) {
		const bytes = this.take(size);
		const end = bytes.indexOf(0);
		try {
			return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
		} catch {
			throw new DecodeError('invalid UTF-8');
		}
	}
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Collects bytes. Every function returns the writer. */
class Writer {
	constructor() {
		this.buffer = new DataView(new ArrayBuffer(64));
		this.size = 0;
	}

	/** Makes room for `size` bytes; returns their position. */
	grow(size) {
		const at = this.size;
		this.size += size;
		if (this.size > this.buffer.byteLength) {
			const larger = new Uint8Array(Math.max(this.size, 2 * this.buffer.byteLength));
			larger.set(new Uint8Array(this.buffer.buffer));
			this.buffer = new DataView(larger.buffer);
		}
		return at;
	}

	write(size, set, value) {
		const at = this.grow(size);
		this.buffer[set](at, value, true);
		return this;
	}

	u8(value) { return this.write(1, 'setUint8', value); }
	u16(value) { return this.write(2, 'setUint16', value); }
	u32(value) { return this.write(4, 'setUint32', value); }
	u64(value) { return this.write(8, 'setBigUint64', value); }
	i8(value) { return this.write(1, 'setInt8', value); }
	i16(value) { return this.write(2, 'setInt16', value); }
	i32(value) { return this.write(4, 'setInt32', value); }
	i64(value) { return this.write(8, 'setBigInt64', value); }
	f32(value) { return this.write(4, 'setFloat32', value); }
	f64(value) { return this.write(8, 'setFloat64', value); }

	put(bytes) {
		const at = this.grow(bytes.length);
		new Uint8Array(this.buffer.buffer).set(bytes, at);
		return this;
	}

	text(text) { return this.put(new TextEncoder().encode(text)); }
	cstring(text) { return this.text(text).u8(0); }

	bytes() { return new Uint8Array(this.buffer.buffer.slice(0, this.size)); }
}

// ---------------------------------------------------------------------------------------------
// 2 Variant. A value is a u32 header (bits 0-7 type, bit 16 64-bit payload) and a payload of a
// multiple of 4 bytes. In packets, bool and int are shorter: their first byte contains all.

class Vector2 {
	constructor(x = 0, y = 0) {
		this.x = x;
		this.y = y;
	}
}

const NIL = 0, BOOL = 1, INT = 2, FLOAT = 3, STRING = 4, VECTOR2 = 5, PACKED_BYTE_ARRAY = 29;
const WIDE = 1 << 16;

/** Appends a value in the form of GDScript's `var_to_bytes`. */
function encodeVariant(value, writer = new Writer()) {
	const blob = (type, bytes) => {
		writer.u32(type).u32(bytes.length).put(bytes);
		return writer.put(new Uint8Array(-bytes.length & 3));
	};
	if (value === null) return writer.u32(NIL);
	if (value instanceof Vector2) return writer.u32(VECTOR2).f32(value.x).f32(value.y);
	if (value instanceof Uint8Array) return blob(PACKED_BYTE_ARRAY, value);
	switch (typeof value) {
	case 'boolean': return writer.u32(BOOL).u32(value ? 1 : 0);
	case 'bigint':
		if (fits(value, 32)) return writer.u32(INT).i32(Number(value));
		return writer.u32(INT | WIDE).i64(value);
	case 'number':
		if (Math.fround(value) === value) return writer.u32(FLOAT).f32(value);
		return writer.u32(FLOAT | WIDE).f64(value);
	case 'string': return blob(STRING, new TextEncoder().encode(value));
	default: throw new TypeError(`${typeof value} is not a Variant type of mp.js`);
	}
}

/** Reads a value in the form of GDScript's `var_to_bytes`. */
function decodeVariant(reader) {
	const header = reader.u32();
	const real = () => (header & WIDE ? reader.f64() : reader.f32());
	switch (header & 0xff) {
	case NIL: return null;
	case BOOL: return reader.u32() !== 0;
	case INT: return header & WIDE ? reader.i64() : BigInt(reader.i32());
	case FLOAT: return real();
	case VECTOR2: return new Vector2(Math.fround(real()), Math.fround(real()));
	case STRING: {
		const size = reader.u32();
		const text = reader.text(size);
		reader.skip(-size & 3);
		return text;
	}
	case PACKED_BYTE_ARRAY: {
		const bytes = reader.take(reader.u32());
		reader.skip(Math.min(-bytes.length & 3, reader.left));
		return bytes;
	}
	default: throw new DecodeError(`type ${header & 0xff} is not supported`);
	}
}

/** Appends a value as in packets. */
function encodeCompressed(value, writer) {
	if (typeof value === 'boolean') return writer.u8(BOOL | (value ? 0x80 : 0));
	if (typeof value !== 'bigint') return encodeVariant(value, writer);
	if (fits(value, 8)) return writer.u8(INT).i8(Number(value));
	if (fits(value, 16)) return writer.u8(INT | 0x40).i16(Number(value));
	if (fits(value, 32)) return writer.u8(INT | 0x80).i32(Number(value));
	return writer.u8(INT | 0xc0).i64(value);
}

/** Reads a value as in packets. */
function decodeCompressed(reader) {
	const first = reader.u8();
	if ((first & 0x3f) === BOOL) return (first & 0x80) !== 0;
	switch (first) {
	case INT: return BigInt(reader.i8());
	case INT | 0x40: return BigInt(reader.i16());
	case INT | 0x80: return BigInt(reader.i32());
	case INT | 0xc0: return reader.i64();
	}
	reader.at -= 1;
	return decodeVariant(reader);
}

/** Reads `count` values; without `count`, all that are left. */
function decodeValues(reader, count = Infinity) {
	const values = [];
	while (values.length < count && (count !== Infinity || reader.left > 0)) {
		values.push(decodeCompressed(reader));
	}
	return values;
}

function encodeValues(values) {
	const writer = new Writer();
	values.forEach((value) => encodeCompressed(value, writer));
	return writer.bytes();
}

function fits(int, bits) {
	return BigInt.asIntN(bits, int) === int;
}

// ---------------------------------------------------------------------------------------------
// 3 Packets. Bits 0-2 of the first byte are the command, bits 4-7 its flags. A decoded packet is
// an object with `command` and the fields of that command; `encodePacket` is the inverse.

const REMOTE_CALL = 0, SIMPLIFY_PATH = 1, CONFIRM_PATH = 2, RAW = 3;
const SPAWN = 4, DESPAWN = 5, SYNC = 6, SYS = 7;
/** The second byte of SYS. */
const AUTH = 0, ADD_PEER = 1, DEL_PEER = 2, RELAY = 3;
/** The scene of a SPAWN with data for a `spawn_function`. */
const CUSTOM_SCENE = 255;
/** Marks the id of a synchronizer that is the path id of its node. */
const PATH_ID = 0x80000000;

/** Decodes a packet. Throws a DecodeError. */
function decodePacket(bytes) {
	const reader = new Reader(bytes);
	const first = reader.u8();
	const command = first & 7;
	switch (command) {
	case REMOTE_CALL: return decodeCall(reader, first);
	case SIMPLIFY_PATH: {
		const checksum = reader.text(33);
		return { command, checksum, id: reader.u32(), path: reader.text(reader.left) };
	}
	case CONFIRM_PATH: {
		const packet = { command, matches: reader.u8() !== 0, id: reader.u32() };
		if (reader.left > 0) throw new DecodeError('CONFIRM_PATH is longer than 6 bytes');
		return packet;
	}
	case RAW:
		if (reader.left === 0) throw new DecodeError('RAW is empty');
		return { command, data: reader.rest() };
	case SPAWN: {
		const [scene, spawner, id] = [reader.u8(), reader.u32(), reader.u32()];
		const [count, size] = [reader.u32(), reader.u32()];
		if (count * 4 > reader.left) throw new DecodeError(`${count} synchronizers`);
		const synchronizers = Array.from({ length: count }, () => reader.u32());
		const name = reader.text(size);
		if (size === 0 || /[.:@/"%]/.test(name)) throw new DecodeError(`invalid name ${name}`);
		if (scene !== CUSTOM_SCENE) {
			return { command, scene, spawner, id, synchronizers, name, state: reader.rest() };
		}
		const data = decodeCompressed(new Reader(reader.take(reader.u32())));
		return { command, scene, spawner, id, synchronizers, name, data, state: reader.rest() };
	}
	case DESPAWN: return { command, id: reader.u32() };
	case SYNC: {
		const isDelta = (first & 0x10) !== 0;
		const packet = { command, isDelta, elements: [] };
		if (bytes.length < 11) throw new DecodeError('SYNC is shorter than 11 bytes');
		if (!isDelta) packet.time = reader.u16();
		while (reader.left > (isDelta ? 16 : 8)) {
			const element = { id: reader.u32() };
			if (isDelta) element.mask = reader.u64();
			element.values = reader.take(reader.u32());
			packet.elements.push(element);
		}
		return packet;
	}
	default: {
		const sys = reader.u8();
		if (sys === AUTH) return { command, sys, data: reader.rest() };
		const peer = reader.i32();
		if (sys > RELAY) throw new DecodeError(`unknown SYS command ${sys}`);
		if (sys !== RELAY) return { command, sys, peer };
		if (reader.left === 0) throw new DecodeError('RELAY is empty');
		return { command, sys, peer, inner: reader.rest() };
	}
	}
}

/** Decodes a call: `node` is a path id, or `path` the path of the node. */
function decodeCall(reader, first) {
	const command = REMOTE_CALL;
	const idBytes = [1, 2, 4][(first >> 4) & 3];
	if (!idBytes) throw new DecodeError('invalid size of a node id');
	let node = idBytes === 1 ? reader.u8() : idBytes === 2 ? reader.u16() : reader.u32();
	const method = first & 0x40 ? reader.u16() : reader.u8();
	let path;
	let end = reader.bytes.length;
	if (node >= PATH_ID) {
		end = node - PATH_ID;
		if (end < reader.at || end >= reader.bytes.length) throw new DecodeError('no path');
		path = new Reader(reader.bytes.subarray(end)).text(reader.bytes.length - end);
		node = undefined;
	}
	const area = new Reader(reader.bytes.subarray(reader.at, end));
	let args;
	if (first & 0x80) {
		args = area.left > 0 ? [area.rest()] : [];
	} else {
		args = decodeValues(area, area.u8());
	}
	return { command, node, idBytes, path, method, args };
}

/** Encodes a packet. */
function encodePacket(packet) {
	const { command } = packet;
	const writer = new Writer();
	switch (command) {
	case REMOTE_CALL: return encodeCall(packet);
	case SIMPLIFY_PATH:
		return writer.u8(command).cstring(packet.checksum).u32(packet.id).cstring(packet.path).bytes();
	case CONFIRM_PATH: return writer.u8(command).u8(packet.matches ? 1 : 0).u32(packet.id).bytes();
	case RAW: return writer.u8(command).put(packet.data).bytes();
	case SPAWN: {
		const { scene, spawner, id, synchronizers, name, data, state } = packet;
		const size = new TextEncoder().encode(name).length + 1;
		writer.u8(command).u8(scene).u32(spawner).u32(id).u32(synchronizers.length).u32(size);
		synchronizers.forEach((synchronizer) => writer.u32(synchronizer));
		writer.cstring(name);
		if (scene === CUSTOM_SCENE) {
			const bytes = encodeValues([data]);
			writer.u32(bytes.length).put(bytes);
		}
		return writer.put(state).bytes();
	}
	case DESPAWN: return writer.u8(command).u32(packet.id).bytes();
	case SYNC:
		if (packet.isDelta) writer.u8(command | 0x10);
		else writer.u8(command).u16(packet.time);
		for (const { id, mask, values } of packet.elements) {
			writer.u32(id);
			if (packet.isDelta) writer.u64(mask);
			writer.u32(values.length).put(values);
		}
		return writer.bytes();
	default:
		writer.u8(command).u8(packet.sys);
		if (packet.sys === AUTH) return writer.put(packet.data).bytes();
		writer.i32(packet.peer);
		return packet.sys === RELAY ? writer.put(packet.inner).bytes() : writer.bytes();
	}
}

/** `idBytes` is the size of the node id; by default the smallest. */
function encodeCall({ node, idBytes, path, method, args }) {
	if (path !== undefined) idBytes = 4;
	idBytes ??= node <= 0xff ? 1 : node <= 0xffff ? 2 : 4;
	const isRaw = args.length === 0 || (args.length === 1 && args[0] instanceof Uint8Array);
	const flags = ((idBytes >> 1) << 4) | (method > 0xff ? 0x40 : 0) | (isRaw ? 0x80 : 0);
	const tail = new Writer();
	if (method > 0xff) tail.u16(method);
	else tail.u8(method);
	if (isRaw) args.forEach((bytes) => tail.put(bytes));
	else tail.u8(args.length).put(encodeValues(args));
	const writer = new Writer().u8(REMOTE_CALL | flags);
	if (path !== undefined) {
		return writer.u32(PATH_ID + 5 + tail.size).put(tail.bytes()).cstring(path).bytes();
	}
	writer.write(idBytes, { 1: 'setUint8', 2: 'setUint16', 4: 'setUint32' }[idBytes], node);
	return writer.put(tail.bytes()).bytes();
}

// ---------------------------------------------------------------------------------------------
// 4 SceneMultiplayer: the nodes, RPCs and synchronized properties of a client.
//
// A node has a path below the root (`Main/Players/7`) and these options, all optional:
//
//     authority     the peer that may call RPCs of mode `authority` and send properties (default 1)
//     rpcs          { NAME: { mode: 'any_peer' | 'authority', transfer: 'reliable' | 'unreliable' |
//                   'unreliable_ordered', call: (args..., sender) => {} } }: the same names as
//                   the @rpc methods of the Godot script
//     spawner       { parent: PATH, scenes: [(name) => OPTIONS], spawnFunction: (data) => OPTIONS,
//                   onSpawned(value, path), onDespawned(value, path) }
//     synchronizer  { target: OBJECT, interval: MILLISECONDS, onSynchronized(),
//                   properties: [{ name, spawn: BOOL, mode: 'never' | 'always' | 'on_change' }] }
//     value         an object of the program, for onSpawned
//     children      { NAME: OPTIONS }

/** The id of the server. */
const SERVER = 1;
/** Maximum number of path ids that a peer may announce. */
const PATHS_MAX = 65536;
/** Maximum size in bytes of a SYNC and of a DELTA. */
const SYNC_BYTES_MAX = 1350, DELTA_BYTES_MAX = 65535;

/** The state of a remote peer. */
class Peer {
	constructor(id) {
		this.id = id;
		/** Its path ids: id to path. */
		this.paths = new Map();
		/** Our path ids that it was sent, and those that it has confirmed. */
		this.announced = new Set();
		this.confirmed = new Set();
		/** What it has spawned: net id to path of the entity, net id to node of a synchronizer. */
		this.entities = new Map();
		this.synchronizers = new Map();
		this.netTime = 0;
		/** The values of on_change properties that it was sent: node to array of bytes. */
		this.sent = new Map();
	}
}

class SceneMultiplayer {
	constructor() {
		/** The own id; 0 until connected. */
		this.id = 0;
		/** Connected peers by id, in the order in which they joined. */
		this.peers = new Map();
		/** Number of received packets that were refused, and why the last one was. */
		this.refused = 0;
		this.lastRefusal = '';
		this.nodes = new Map();
		this.transport = null;
		this.lastPathId = 0;
		this.onConnected = () => {};
		this.onDisconnected = (_reason) => {};
		this.onPeerConnected = (_id) => {};
		this.onPeerDisconnected = (_id) => {};
		this.onPeerPacket = (_id, _bytes) => {};
		this.addNode('.');
	}

	/** Joins the room whose signaling is at `url`. onConnected or onDisconnected follows. */
	join(url, options) {
		connectWebRtc(url, this, options);
	}

	/** Ends the session. onDisconnected follows. */
	leave() {
		this.transport?.close('left');
	}

	// The handlers of a transport.

	onOpen(transport) {
		this.transport = transport;
		this.id = transport.id;
		this.admit(SERVER);
	}

	onPacket(bytes) {
		this.refusing(() => this.receive(decodePacket(bytes), this.peers.get(SERVER), false));
	}

	onClose(reason) {
		for (const id of [...this.peers.keys()].reverse()) this.remove(id);
		this.transport = null;
		this.id = 0;
		this.lastPathId = 0;
		this.nodes.forEach((node) => { node.pathId = 0; });
		this.onDisconnected(reason);
	}

	// Nodes.

	addNode(path, { children = {}, rpcs = {}, authority = SERVER, ...parts } = {}) {
		const methods = Object.keys(rpcs).sort().map((name) => ({ name, ...rpcs[name] }));
		const checksum = md5(methods.map(({ name }) => name).join(''));
		const node = { path, authority, methods, checksum, pathId: 0, ...parts };
		this.nodes.set(path, node);
		for (const [name, child] of Object.entries(children)) this.addNode(`${path}/${name}`, child);
		return node;
	}

	/** Removes a node and those below it. */
	removeNode(path) {
		for (const node of this.below(path)) {
			this.nodes.delete(node.path);
			this.peers.forEach((peer) => peer.sent.delete(node));
		}
	}

	/** Returns the node at `path` and those below it. */
	below(path) {
		const all = [...this.nodes.values()];
		return all.filter((node) => node.path === path || node.path.startsWith(`${path}/`));
	}

	// Sending.

	/**
	 * Calls a method on the node at `path` of other peers: on one, on all (0), or on all but one
	 * (-ID).
	 */
	rpc(target, path, name, ...args) {
		const node = this.nodes.get(path);
		const method = node?.methods.findIndex((it) => it.name === name) ?? -1;
		if (method < 0) throw new Error(`${path} has no RPC ${name}`);
		const peers = [...this.peers.values()].filter(
			(peer) => target === 0 || peer.id === target || (target < 0 && peer.id !== -target),
		);
		const confirmed = peers.map((peer) => this.announce(peer, node));
		const idBytes = confirmed.every(Boolean) ? undefined : 4;
		peers.forEach((peer, index) => {
			const where = confirmed[index] ? { node: node.pathId, idBytes } : { path };
			const call = encodePacket({ command: REMOTE_CALL, ...where, method, args });
			this.send(call, peer.id, node.methods[method].transfer);
		});
	}

	/** Sends bytes, which the others receive as onPeerPacket. */
	sendBytes(data, target = 0, mode = 'reliable') {
		this.send(encodePacket({ command: RAW, data }), target, mode);
	}

	/** Sends the properties of the own synchronizers. Call it once per frame. */
	process(now = performance.now()) {
		const own = [...this.nodes.values()].filter((it) => it.synchronizer && it.authority === this.id);
		if (own.length === 0) return;
		const due = own.filter(({ synchronizer }) => now >= (synchronizer.nextAt ?? 0));
		for (const { synchronizer } of due) synchronizer.nextAt = now + (synchronizer.interval ?? 0);
		for (const peer of this.peers.values()) {
			peer.netTime = (peer.netTime + 1) & 0xffff;
			const known = (node) => this.announce(peer, node);
			this.sendStates(peer, due.filter(known));
			this.sendChanges(peer, own.filter(known));
		}
	}

	sendStates(peer, nodes) {
		const elements = nodes.map((node) => {
			const values = propertiesOf(node, 'always').map(({ name }) => node.synchronizer.target[name]);
			return { id: (PATH_ID | node.pathId) >>> 0, values: encodeValues(values) };
		});
		const isDelta = false;
		for (const part of split(elements.filter(({ values }) => values.length > 0), 8, SYNC_BYTES_MAX)) {
			const packet = { command: SYNC, isDelta, time: peer.netTime, elements: part };
			this.send(encodePacket(packet), peer.id, 'unreliable');
		}
	}

	sendChanges(peer, nodes) {
		const elements = [];
		for (const node of nodes) {
			const target = node.synchronizer.target;
			const now = propertiesOf(node, 'on_change').map(({ name }) => encodeValues([target[name]]));
			const before = peer.sent.get(node) ?? [];
			const changed = now.map((bytes, index) => String(bytes) !== String(before[index]));
			peer.sent.set(node, now);
			if (!changed.includes(true)) continue;
			const mask = changed.reduce((sum, is, bit) => (is ? sum | (1n << BigInt(bit)) : sum), 0n);
			const values = new Writer();
			now.filter((_, index) => changed[index]).forEach((bytes) => values.put(bytes));
			elements.push({ id: (PATH_ID | node.pathId) >>> 0, mask, values: values.bytes() });
		}
		for (const part of split(elements, 16, DELTA_BYTES_MAX)) {
			const packet = { command: SYNC, isDelta: true, elements: part };
			this.send(encodePacket(packet), peer.id, 'reliable');
		}
	}

	/** Sends a peer the path id of a node, once. Returns whether the peer has confirmed it. */
	announce(peer, node) {
		node.pathId ||= ++this.lastPathId;
		const { pathId: id, checksum, path } = node;
		if (!peer.announced.has(id)) {
			peer.announced.add(id);
			this.send(encodePacket({ command: SIMPLIFY_PATH, checksum, id, path }), peer.id);
		}
		return peer.confirmed.has(id);
	}

	/** Sends a packet. The server relays those for other clients. */
	send(packet, target, mode = 'reliable') {
		const relayed = { command: SYS, sys: RELAY, peer: target, inner: packet };
		this.transport?.send(mode, target === SERVER ? packet : encodePacket(relayed));
	}

	// Receiving.

	receive(packet, peer, isRelayed) {
		if (!peer) throw new DecodeError('from an unknown peer');
		switch (packet.command) {
		case REMOTE_CALL: return this.receiveCall(packet, peer);
		case SIMPLIFY_PATH: return this.receivePath(packet, peer);
		case CONFIRM_PATH:
			if (peer.announced.has(packet.id)) peer.confirmed.add(packet.id);
			return;
		case RAW: return this.onPeerPacket(peer.id, packet.data);
		case SPAWN: return this.receiveSpawn(packet, peer);
		case DESPAWN: return this.receiveDespawn(packet, peer);
		case SYNC: return this.receiveSync(packet, peer);
		case SYS:
			if (isRelayed) throw new DecodeError('SYS in a RELAY');
			if (packet.sys === AUTH) {
				if (packet.data.length > 0) throw new DecodeError('AUTH after the admission');
				return;
			}
			if (packet.peer <= SERVER || packet.peer === this.id) {
				throw new DecodeError(`SYS about peer ${packet.peer}`);
			}
			if (packet.sys === ADD_PEER) return this.admit(packet.peer);
			if (packet.sys === DEL_PEER) return this.remove(packet.peer);
			return this.receive(decodePacket(packet.inner), this.peers.get(packet.peer), true);
		}
	}

	admit(id) {
		this.peers.set(id, new Peer(id));
		if (id === SERVER) this.onConnected();
		this.onPeerConnected(id);
	}

	remove(id) {
		const peer = this.peers.get(id);
		if (!peer) return;
		this.peers.delete(id);
		for (const path of peer.entities.values()) this.removeNode(path);
		this.onPeerDisconnected(id);
	}

	/** Returns the node of a path id that the peer has announced. */
	resolve(peer, id) {
		const node = this.nodes.get(peer.paths.get(id));
		if (!node) throw new DecodeError(`path id ${id} has no node`);
		return node;
	}

	receivePath({ checksum, id, path }, peer) {
		if (peer.paths.has(id)) throw new DecodeError(`path id ${id} is announced twice`);
		const node = this.nodes.get(path);
		if (!node) throw new DecodeError(`no node ${path}`);
		if (peer.paths.size >= PATHS_MAX) throw new DecodeError('too many path ids');
		peer.paths.set(id, path);
		const matches = node.checksum === checksum;
		this.send(encodePacket({ command: CONFIRM_PATH, matches, id }), peer.id);
	}

	receiveCall({ node: id, path, method: index, args }, peer) {
		const node = path === undefined ? this.resolve(peer, id) : this.nodes.get(path);
		const method = node?.methods[index];
		if (!method) throw new DecodeError(`no method ${index} of ${node?.path ?? path}`);
		const isAllowed = method.mode === 'any_peer' || peer.id === node.authority;
		if (!isAllowed) throw new DecodeError(`${peer.id} may not call ${method.name}`);
		method.call?.(...args, peer.id);
	}

	receiveSpawn({ scene, spawner: id, id: entity, synchronizers, name, data, state }, peer) {
		const node = this.resolve(peer, id);
		const { spawner } = node;
		const isAllowed = spawner && node.authority === peer.id;
		if (!isAllowed) throw new DecodeError(`${peer.id} may not spawn by ${node.path}`);
		const path = `${spawner.parent}/${name}`;
		if (this.nodes.has(path)) throw new DecodeError(`${path} exists`);
		if (peer.entities.has(entity)) throw new DecodeError(`net id ${entity} is in use`);
		const isCustom = scene === CUSTOM_SCENE;
		const options = isCustom ? spawner.spawnFunction?.(data) : spawner.scenes?.[scene]?.(name);
		if (!options) throw new DecodeError(`no scene ${scene}`);
		this.addNode(path, options);
		peer.entities.set(entity, path);
		const own = this.below(path).filter((it) => it.synchronizer && it.authority === peer.id);
		const reader = new Reader(state);
		for (const [index, it] of own.entries()) {
			this.refusing(() => {
				if (index >= synchronizers.length) throw new DecodeError(`${it.path} has no net id`);
				peer.synchronizers.set(synchronizers[index], it);
				if (reader.left === 0) return;
				const properties = it.synchronizer.properties.filter((property) => property.spawn);
				assign(it, properties, decodeValues(reader, properties.length));
			});
		}
		spawner.onSpawned?.(options.value, path);
		if (synchronizers.length > own.length) throw new DecodeError(`${path}: too many net ids`);
	}

	receiveDespawn({ id }, peer) {
		const path = peer.entities.get(id);
		if (path === undefined) throw new DecodeError(`net id ${id} is unknown`);
		const spawners = [...this.nodes.values()].filter((node) => node.spawner);
		const of = spawners.find(({ spawner }) => path.startsWith(`${spawner.parent}/`));
		const { value } = this.nodes.get(path) ?? {};
		peer.entities.delete(id);
		for (const node of this.below(path)) {
			for (const [netId, it] of peer.synchronizers) if (it === node) peer.synchronizers.delete(netId);
		}
		this.removeNode(path);
		of?.spawner.onDespawned?.(value, path);
	}

	receiveSync({ isDelta, time, elements }, peer) {
		for (const { id, mask, values } of elements) {
			const node = id >= PATH_ID ? this.resolve(peer, id - PATH_ID) : peer.synchronizers.get(id);
			if (!node) {
				// A SYNC is unreliable, and may overtake the SPAWN of its node.
				if (isDelta) this.refuse(`net id ${id} is unknown`);
				continue;
			}
			const { synchronizer } = node;
			if (!synchronizer || node.authority !== peer.id) {
				this.refuse(`${peer.id} has no authority over ${node.path}`);
				continue;
			}
			const reader = new Reader(values);
			if (isDelta) {
				const watched = propertiesOf(node, 'on_change');
				const properties = watched.filter((_, bit) => mask & (1n << BigInt(bit)));
				const its = decodeValues(reader, properties.length);
				if (its.length === 0 || reader.left > 0) throw new DecodeError(`not of ${node.path}`);
				assign(node, properties, its);
			} else {
				const last = synchronizer.time;
				if (last !== undefined && time <= last && last - time < 32767) continue;
				synchronizer.time = time;
				const properties = propertiesOf(node, 'always');
				assign(node, properties, decodeValues(reader, properties.length));
			}
			synchronizer.onSynchronized?.();
		}
	}

	/** Runs `handle`, and counts the packet if it is refused. */
	refusing(handle) {
		try {
			handle();
		} catch (error) {
			if (!(error instanceof DecodeError)) throw error;
			this.refuse(error.message);
		}
	}

	refuse(reason) {
		this.refused += 1;
		this.lastRefusal = reason;
	}
}

function propertiesOf({ synchronizer }, mode) {
	return synchronizer.properties.filter((property) => property.mode === mode);
}

function assign({ synchronizer }, properties, values) {
	properties.forEach(({ name }, index) => { synchronizer.target[name] = values[index]; });
}

/** Divides elements into packets of at most `max` bytes, or of one element. */
function* split(elements, header, max) {
	let [part, size] = [[], 0];
	for (const element of elements) {
		const more = header + element.values.length;
		if (part.length > 0 && size + more + 3 > max) {
			yield part;
			[part, size] = [[], 0];
		}
		part.push(element);
		size += more;
	}
	if (part.length > 0) yield part;
}

// ---------------------------------------------------------------------------------------------
// 5 WebRTC: the three negotiated channels of Godot's WebRTCMultiplayerPeer, and the signaling of
// Godot's demo: JSON messages { type, id, data } over WebSocket.

const JOIN = 0, ID = 1, OFFER = 4, ANSWER = 5, CANDIDATE = 6;
/** Reason with which a session is closed that has not sent JOIN after a second. */
const NO_JOIN = 'Have not joined lobby yet';
const JOIN_ATTEMPTS = 3;

const CHANNELS = {
	reliable: { id: 1, label: 'reliable', options: {} },
	unreliable_ordered: { id: 2, label: 'ordered', options: { maxRetransmits: 0 } },
	unreliable: { id: 3, label: 'unreliable', options: { maxRetransmits: 0, ordered: false } },
};

/**
 * Joins the room whose signaling is at `url`, as a client of peer 1. Calls `onOpen` of `handlers`
 * with the transport, then `onPacket` for each packet, and once `onClose` with the reason.
 *
 * `room` is the name of the lobby in JOIN: the room that the client selects, if the server has several.
 * Uses the STUN and TURN servers of the ID message (`ice_servers`) besides `iceServers`.
 */
function connectWebRtc(url, handlers, { iceServers = [], room = '', timeout = 20000 } = {}) {
	const connection = new RTCPeerConnection({ iceServers });
	let socket;
	const transport = { id: 0, send, close };
	const channels = {};
	const early = [];
	let isOpen = false;
	let isClosed = false;
	const timer = setTimeout(() => close('no answer'), timeout);

	function close(reason) {
		if (isClosed) return;
		isClosed = true;
		clearTimeout(timer);
		socket.close();
		connection.close();
		handlers.onClose(reason);
	}

	function send(mode, packet) {
		if (channels[mode].readyState === 'open') channels[mode].send(packet);
	}

	function receive(packet) {
		if (isClosed) return;
		if (isOpen) handlers.onPacket(packet);
		else early.push(packet);
	}

	function opened() {
		if (isClosed || Object.values(channels).some((channel) => channel.readyState !== 'open')) return;
		clearTimeout(timer);
		// The connection needs no signaling any more.
		socket.close();
		isOpen = true;
		handlers.onOpen(transport);
		early.splice(0).forEach(receive);
	}

	for (const [mode, { id, label, options }] of Object.entries(CHANNELS)) {
		const channel = connection.createDataChannel(label, { negotiated: true, id, ...options });
		channel.binaryType = 'arraybuffer';
		channel.onopen = opened;
		channel.onmessage = ({ data }) => {
			if (data instanceof ArrayBuffer) receive(new Uint8Array(data));
		};
		channel.onclose = () => close('the connection has ended');
		channels[mode] = channel;
	}
	connection.onconnectionstatechange = () => {
		const isLost = ['disconnected', 'failed'].includes(connection.connectionState);
		if (isLost) close('the connection is lost');
	};

	const signal = (type, data) => {
		if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type, id: SERVER, data }));
	};
	connection.onicecandidate = ({ candidate }) => {
		if (!candidate?.candidate) return;
		signal(CANDIDATE, `\n${candidate.sdpMid}\n${candidate.sdpMLineIndex}\n${candidate.candidate}`);
	};
	const answer = async ({ type, id, data, ice_servers: more = [] }) => {
		switch (type) {
		case ID:
			transport.id = id;
			if (more.length > 0) connection.setConfiguration({ iceServers: [...iceServers, ...more] });
			await connection.setLocalDescription(await connection.createOffer());
			return signal(OFFER, connection.localDescription.sdp);
		case ANSWER:
			return connection.setRemoteDescription({ type: 'answer', sdp: data });
		case CANDIDATE: {
			const [, sdpMid, sdpMLineIndex, candidate] = data.split('\n');
			return connection.addIceCandidate({ candidate, sdpMid, sdpMLineIndex: Number(sdpMLineIndex) });
		}
		}
	};
	// One message at a time: a candidate must not overtake the answer.
	let answered = Promise.resolve();
	let attempts = 0;
	const dial = () => {
		attempts += 1;
		socket = new WebSocket(url);
		socket.onopen = () => signal(JOIN, room);
		socket.onmessage = ({ data }) => {
			answered = answered.then(() => answer(JSON.parse(data)));
			answered.catch((error) => close(`signaling: ${error.message}`));
		};
		socket.onclose = ({ code, reason }) => {
			if (isOpen || isClosed) return;
			// The browser may have been so slow that the server no longer waited for JOIN.
			if (reason === NO_JOIN && attempts < JOIN_ATTEMPTS) return dial();
			close(reason || (code === 1006 ? 'no server' : `signaling ends with code ${code}`));
		};
	};
	dial();
}

// ---------------------------------------------------------------------------------------------
// 6 MD5 (RFC 1321), which Godot uses as the checksum of the names of RPCs.

function md5(text) {
	const bytes = new TextEncoder().encode(text);
	const padded = new Writer().put(bytes).u8(0x80);
	while (padded.size % 64 !== 56) padded.u8(0);
	padded.u64(BigInt(bytes.length) * 8n);
	const reader = new Reader(padded.bytes());
	const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
	while (reader.left > 0) {
		const words = Array.from({ length: 16 }, () => reader.u32());
		let [a, b, c, d] = state;
		for (let i = 0; i < 64; i += 1) {
			const round = i >> 4;
			const mixed = [
				(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d),
			][round];
			const word = words[[i, 5 * i + 1, 3 * i + 5, 7 * i][round] % 16];
			const constant = Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1)));
			const sum = (a + mixed + constant + word) >>> 0;
			const shift = MD5_SHIFTS[round][i % 4];
			[a, b, c, d] = [d, (b + ((sum << shift) | (sum >>> (32 - shift)))) >>> 0, b, c];
		}
		[a, b, c, d].forEach((value, index) => { state[index] += value; });
	}
	const digest = new Writer();
	state.forEach((word) => digest.u32(word));
	return Array.from(digest.bytes(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const MD5_SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

// For tests under node; a page uses the names above.
if (typeof module !== 'undefined') {
	module.exports = {
		DecodeError, Reader, SceneMultiplayer, Vector2, Writer, decodeCompressed, decodePacket,
		decodeVariant, encodeCompressed, encodePacket, encodeVariant, md5,
	};
}
