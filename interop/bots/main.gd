extends Node
## A server over ENet or WebSocket (--transport, --port) that authenticates its players, spawns one
## node for each, and answers calls and bytes. Prints `listening`, and after --seconds
## `joined N, left N, pings N, steps N, bytes N`.
##
## With --role=client a player, who calls, sends bytes and leaves. Prints `connected`, and at the
## end `pongs N, shouts N`. Without --auth=no it authenticates. It waits for --players others.

const PlayerScene := preload("res://player.tscn")

var options := {
	"port": "0", "transport": "enet", "seconds": "60", "role": "server", "auth": "yes", "players": "0"
}
var counts := {
	"joined": 0, "left": 0, "pings": 0, "steps": 0, "bytes": 0, "pongs": 0, "shouts": 0
}


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	if options["role"] == "client":
		_join()
		return
	multiplayer.auth_callback = _on_auth
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.peer_packet.connect(_on_peer_packet)
	var port := int(options["port"])
	if options["transport"] == "ws":
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_server(port)
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_server(port, 256)
		multiplayer.multiplayer_peer = peer
	print("listening")
	get_tree().create_timer(float(options["seconds"])).timeout.connect(_end)


func _on_auth(id: int, data: PackedByteArray) -> void:
	if data.get_string_from_utf8().begins_with("bot-"):
		multiplayer.complete_auth(id)


func _on_peer_connected(id: int) -> void:
	counts["joined"] += 1
	var player := PlayerScene.instantiate()
	player.name = str(id)
	$Players.add_child(player)


func _on_peer_disconnected(id: int) -> void:
	counts["left"] += 1
	$Players.get_node(str(id)).queue_free()


func _on_peer_packet(id: int, data: PackedByteArray) -> void:
	counts["bytes"] += data.size()
	multiplayer.send_bytes(data, id, MultiplayerPeer.TRANSFER_MODE_UNRELIABLE)


func _end() -> void:
	print("joined {joined}, left {left}, pings {pings}, steps {steps}, bytes {bytes}".format(counts))
	get_tree().quit()


func _join() -> void:
	if options["auth"] == "yes":
		multiplayer.auth_callback = func(_id: int, _data: PackedByteArray) -> void: pass
		multiplayer.peer_authenticating.connect(func(id: int) -> void:
			multiplayer.send_auth(id, "bot-hunter2".to_utf8_buffer())
			multiplayer.complete_auth(id))
	multiplayer.connected_to_server.connect(_play)
	multiplayer.connection_failed.connect(get_tree().quit.bind(1))
	var port := int(options["port"])
	if options["transport"] == "ws":
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_client("ws://127.0.0.1:%d" % port)
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_client("127.0.0.1", port)
		multiplayer.multiplayer_peer = peer


func _play() -> void:
	print("connected")
	while multiplayer.get_peers().size() < 1 + int(options["players"]):
		await get_tree().create_timer(0.05).timeout
	for number in 10:
		$Arena.ping.rpc_id(1, number, Vector2(number, 1), "godot")
		await get_tree().create_timer(0.1).timeout
	$Arena.shout.rpc("hello")
	await get_tree().create_timer(0.5).timeout
	multiplayer.send_bytes("raw text".to_utf8_buffer(), 1)
	var player := $Players.get_node_or_null(str(multiplayer.get_unique_id()))
	if player:
		for number in 10:
			player.steer.rpc_id(1, Vector2(number, -1))
			await get_tree().create_timer(0.1).timeout
	else:
		await get_tree().create_timer(2.0).timeout
	print("pongs {pongs}, shouts {shouts}".format(counts))
	multiplayer.multiplayer_peer.close()
	get_tree().quit()
