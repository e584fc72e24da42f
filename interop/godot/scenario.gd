extends Node
## Base of all scenarios: connecting, synchronizing steps through the desk, waiting, checking. A
## scenario overrides `serve` and `play`; both may use `await`, and return when they are done.

const Tap := preload("res://tap.gd")
const MODES := {
	"u": MultiplayerPeer.TRANSFER_MODE_UNRELIABLE,
	"o": MultiplayerPeer.TRANSFER_MODE_UNRELIABLE_ORDERED,
	"r": MultiplayerPeer.TRANSFER_MODE_RELIABLE,
}
## Modes of the transfer channels 1 to 4 over WebRTC, on both sides.
const WEBRTC_CHANNELS := [
	MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_RELIABLE,
	MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_RELIABLE,
]
const STEP_SECONDS := 60.0
const JOIN_SECONDS := 90.0

signal _never

var main: Node
var desk: Node
var tap: MultiplayerPeer  ## set when `wants_tap()`
var ids: Array = []  ## peer ids by index, from `begin`
var seen: Array = []  ## signals of the multiplayer API, in order
var may_leave: Array = []  ## server: peers that may disconnect now
var may_lose_server := false  ## client
var waiting_for := "the start"
var _leaving := false


## Server side, after `begin`.
func serve() -> void:
	pass


## Client side, after `begin`.
func play() -> void:
	pass


func wants_tap() -> bool:
	return false


## Over WebRTC: whether all peers connect to each other; the server is then one of them.
func is_mesh() -> bool:
	return false


func run() -> void:
	multiplayer.connected_to_server.connect(_note.bind("connected_to_server"))
	multiplayer.connection_failed.connect(_note.bind("connection_failed"))
	multiplayer.peer_connected.connect(func(id: int) -> void: _note("peer_connected(%d)" % id))
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.server_disconnected.connect(_on_server_disconnected)
	if is_server():
		run_server()
	else:
		run_client()


func run_server() -> void:
	if not await listen():
		return
	await gather()
	await serve()
	await wait_for_all("all")
	may_leave = ids
	desk.end.rpc()
	await until(no_peers, "the clients to leave")
	main.finish()


func run_client() -> void:
	await enter()
	await play()
	desk.done.rpc_id(1, "all")
	await until(func() -> bool: return desk.ended, "end")
	main.finish()


# --- connecting


func listen() -> bool:
	var port: int = main.options["port"]
	var peer: MultiplayerPeer
	var error: Error
	if main.options["transport"] == "ws":
		peer = _web_socket()
		error = peer.create_server(port)
	elif main.options["transport"] == "wss":
		var key := CryptoKey.new()
		key.load(main.options["tls-key"])
		peer = _web_socket()
		error = peer.create_server(port, "*", TLSOptions.server(key, _certificate()))
	elif main.options["transport"] == "webrtc":
		peer = await _enter_lobby()
		error = OK if peer else ERR_CANT_CONNECT
	else:
		peer = ENetMultiplayerPeer.new()
		error = peer.create_server(port)
	if error != OK:
		main.say({"event": "listen_failed", "port": port, "error": error_string(error)})
		main.finish("cannot listen on port %d: %s" % [port, error_string(error)])
		return false
	_use(peer)
	main.say({
		"event": "listening",
		"transport": main.options["transport"],
		"port": port,
		"scenario": main.options["scenario"],
	})
	return true


## Server: waits for `join` of every client, then calls `begin` on all.
func gather() -> void:
	var count: int = main.options["peers"]
	await until(func() -> bool: return desk.joined.size() == count, "join of all", JOIN_SECONDS)
	ids = range(count).map(func(index: int) -> int: return desk.joined[index])
	check("the peers", sorted(multiplayer.get_peers()), sorted(ids))
	desk.begin.rpc(ids)


## Client: connects, calls `join`, and waits for `begin`.
func enter() -> void:
	await connect_to_server()
	desk.join.rpc_id(1, main.options["index"])
	await until(func() -> bool: return not desk.begin_ids.is_empty(), "begin", JOIN_SECONDS)
	ids = desk.begin_ids
	check("my id in begin", ids[main.options["index"]], me())


## Client: connects; retries for JOIN_SECONDS.
func connect_to_server() -> void:
	var limit := now() + JOIN_SECONDS
	while true:
		seen = []
		_leaving = false
		var peer: MultiplayerPeer
		if main.options["transport"] == "ws":
			peer = _web_socket()
			peer.create_client("ws://%s:%d" % [main.options["host"], main.options["port"]])
		elif main.options["transport"] == "wss":
			peer = _web_socket()
			var url := "wss://%s:%d" % ["localhost", main.options["port"]]
			peer.create_client(url, TLSOptions.client(_certificate()))
		elif main.options["transport"] == "webrtc" and is_mesh():
			peer = await _enter_lobby()
			if peer == null:
				_note("connection_failed")
		elif main.options["transport"] == "webrtc":
			_join_over_webrtc()
		else:
			peer = ENetMultiplayerPeer.new()
			peer.create_client(main.options["host"], main.options["port"])
		if peer:
			_use(peer)
		# Other peers of a mesh may be connected before the server.
		var is_over := func() -> bool:
			return seen.any(func(it: String) -> bool: return not it.begins_with("peer_connected"))
		await until(is_over, "a connection", JOIN_SECONDS)
		if "connected_to_server" in seen:
			return
		if now() > limit:
			main.finish("cannot connect")
			await _never


## Closes the connection, if it is open.
func leave() -> void:
	_leaving = true
	var peer := multiplayer.multiplayer_peer
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	peer.close()
	tap = null


# --- synchronizing steps


## Client: calls `done(step)`, and waits for `next(step)`.
func step(name_of_step: String) -> void:
	desk.done.rpc_id(1, name_of_step)
	await wait_for_next(name_of_step)


## Client: waits for `next(step)`.
func wait_for_next(name_of_step: String) -> void:
	await until(func() -> bool: return name_of_step in desk.received_steps, "next " + name_of_step)


## Server: waits for `done(step)` of every client.
func wait_for_all(name_of_step: String) -> void:
	await until(func() -> bool: return desk.all_done(name_of_step, ids), "done " + name_of_step)


## Waits until `condition` holds. Fails the scenario after `seconds`.
func until(condition: Callable, what: String, seconds := STEP_SECONDS) -> void:
	waiting_for = what
	var limit := now() + seconds
	while not condition.call():
		if now() > limit:
			fail("timed out waiting for %s; signals so far: %s" % [what, seen])
		if main.over:
			await _never
		await get_tree().process_frame
	waiting_for = "nothing"


## Calls `action` every 50 ms until `condition` holds.
func repeat_until(condition: Callable, what: String, action: Callable) -> void:
	var next_time := [0.0]
	await until(func() -> bool:
		if now() >= next_time[0]:
			next_time[0] = now() + 0.05
			action.call()
		return condition.call(), what)


func pause(seconds: float) -> void:
	await get_tree().create_timer(seconds).timeout


# --- checking


## Fails the scenario unless `got` equals `want`, including types.
func check(what: String, got: Variant, want: Variant) -> void:
	if not same(got, want):
		fail("%s: got %s, expected %s" % [what, text(got), text(want)])


func fail(why: String) -> void:
	main.say({"event": "check_failed", "why": why})
	main.finish(why)


## Compares with types: 1 differs from 1.0, an Array[int] from an Array. Any object id equals any
## object.
static func same(got: Variant, want: Variant) -> bool:
	if typeof(got) != typeof(want):
		return false
	match typeof(got):
		TYPE_FLOAT:
			return got == want or (is_nan(got) and is_nan(want))
		TYPE_OBJECT:
			return got is EncodedObjectAsID and got.object_id != 0
		TYPE_ARRAY:
			if got.get_typed_builtin() != want.get_typed_builtin() or got.size() != want.size():
				return false
			return range(got.size()).all(func(i: int) -> bool: return same(got[i], want[i]))
		TYPE_DICTIONARY:
			if got.get_typed_key_builtin() != want.get_typed_key_builtin():
				return false
			if got.get_typed_value_builtin() != want.get_typed_value_builtin():
				return false
			return same(got.keys(), want.keys()) and same(got.values(), want.values())
	return got == want


static func text(value: Variant) -> String:
	var whole := "%s %s" % [type_string(typeof(value)), var_to_str(value)]
	return whole if whole.length() < 500 else whole.left(500) + " ..."


## Returns a pattern: byte i is (7 i + i / 256 + seed) modulo 256.
static func pattern(size: int, seed_byte: int) -> PackedByteArray:
	var bytes := PackedByteArray()
	bytes.resize(size)
	for i in size:
		bytes[i] = (7 * i + (i >> 8) + seed_byte) & 255
	return bytes


static func sorted(list: Array) -> Array:
	var copy := list.duplicate()
	copy.sort()
	return copy


# --- helpers


func is_server() -> bool:
	return main.options["role"] == "server"


func me() -> int:
	return multiplayer.get_unique_id()


func sender() -> int:
	return multiplayer.get_remote_sender_id()


## Client: returns the id of the other client in a scenario of two.
func other() -> int:
	return ids[1 - main.options["index"]]


func no_peers() -> bool:
	return multiplayer.get_peers().is_empty()


func now() -> float:
	return Time.get_ticks_msec() / 1000.0


## With the tap, over ENet: checks mode and channel of the packet being handled. A WebSocket has
## only one of each.
func check_arrival(what: String, mode: int, channel: int) -> void:
	if tap and main.options["transport"] == "enet":
		check("mode and channel of " + what, [tap.mode, tap.channel], [mode, channel])


func _use(peer: MultiplayerPeer) -> void:
	if peer is ENetMultiplayerPeer:
		peer.host.compress(["none", "range", "fastlz", "zlib", "zstd"].find(main.options["compression"]))
	if wants_tap():
		tap = Tap.new(peer)
		peer = tap
	multiplayer.multiplayer_peer = peer


## Joins the lobby at the port, or creates it. Returns null if that fails.
func _enter_lobby() -> MultiplayerPeer:
	var lobby: Node = preload("res://lobby.gd").new()
	lobby.channels_config = WEBRTC_CHANNELS
	var entered := []
	lobby.entered.connect(func(peer: MultiplayerPeer) -> void: entered.append(peer))
	lobby.failed.connect(func(_why: String) -> void: entered.append(null))
	add_child(lobby)
	lobby.join("ws://%s:%d/webrtc" % [main.options["host"], main.options["port"]], is_mesh())
	await until(func() -> bool: return not entered.is_empty(), "a lobby", JOIN_SECONDS)
	return entered[0]


## mp-server's own script sets the peer when signaling has given this side its id.
func _join_over_webrtc() -> void:
	var client: Node = load("res://mp_webrtc_client.gd").new()
	client.channels_config = WEBRTC_CHANNELS
	client.failed.connect(func(why: String) -> void:
		if seen.is_empty():
			_note("connection_failed: " + why))
	add_child(client)
	client.join("ws://%s:%d/webrtc" % [main.options["host"], main.options["port"]])


func _web_socket() -> WebSocketMultiplayerPeer:
	var peer := WebSocketMultiplayerPeer.new()
	peer.inbound_buffer_size = 1 << 22
	peer.outbound_buffer_size = 1 << 22
	peer.max_queued_packets = 16384
	return peer


func _certificate() -> X509Certificate:
	var certificate := X509Certificate.new()
	certificate.load(main.options["tls-cert"])
	return certificate


func _note(what: String) -> void:
	if not _leaving:
		seen.append(what)
		main.say({"event": "signal", "signal": what, "peers": Array(multiplayer.get_peers())})


func _on_peer_disconnected(id: int) -> void:
	_note("peer_disconnected(%d)" % id)
	if is_server() and not _leaving and not id in may_leave:
		fail("peer %d left too early" % id)


func _on_server_disconnected() -> void:
	_note("server_disconnected")
	if not _leaving and not may_lose_server:
		fail("the server left too early")
