extends Node
## A server over ENet or WebSocket (--transport, --port) that authenticates its players, spawns one
## node for each, and answers calls and bytes. Prints `listening`, and after --seconds
## `joined N, left N, pings N, steps N, bytes N`.

const PlayerScene := preload("res://player.tscn")

var options := {"port": "0", "transport": "enet", "seconds": "60"}
var counts := {"joined": 0, "left": 0, "pings": 0, "steps": 0, "bytes": 0}


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
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
