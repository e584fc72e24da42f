extends Node
## Joins a room over ENet (--port) or WebSocket (--url), and prints `id ID`. With --measures it
## sends a packet to the other player every 50 ms and prints `round_trip MILLISECONDS` for each
## reply; without, it returns the packets that it receives.

var options := {"port": "", "url": "", "measures": ""}
var other := 0


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	multiplayer.connected_to_server.connect(
		func() -> void: print("id ", multiplayer.get_unique_id())
	)
	multiplayer.server_disconnected.connect(func() -> void: print("disconnected"))
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_packet.connect(_on_packet)
	if options["url"] != "":
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_client(options["url"])
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_client("127.0.0.1", int(options["port"]))
		multiplayer.multiplayer_peer = peer


func _on_peer_connected(id: int) -> void:
	if id == 1:
		return
	other = id
	if options["measures"] != "":
		var timer := Timer.new()
		timer.timeout.connect(_send)
		add_child(timer)
		timer.start(0.05)


func _send() -> void:
	var packet := PackedByteArray()
	packet.resize(8)
	packet.encode_s64(0, Time.get_ticks_usec())
	multiplayer.send_bytes(packet, other)


func _on_packet(id: int, packet: PackedByteArray) -> void:
	if options["measures"] == "":
		multiplayer.send_bytes(packet, id)
	else:
		print("round_trip ", (Time.get_ticks_usec() - packet.decode_s64(0)) / 1000.0)
