extends Node
## Joins a room over WebRTC and sends nothing. Prints `connected`, `gone ID` for each player that
## leaves, `ticket TICKET` with which the player could resume, and `closed` at the end of the room.
## With --freeze the main loop stops after connecting.

var options := {"url": "", "room": "", "freeze": ""}


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.peer_disconnected.connect(func(id: int) -> void: print("gone ", id))
	multiplayer.server_disconnected.connect(_leave.bind("closed", 0))
	multiplayer.connection_failed.connect(_leave.bind("connection_failed", 1))
	multiplayer.peer_packet.connect(_on_peer_packet)
	var client: Node = load("res://mp_webrtc_client.gd").new()
	add_child(client)
	client.room = options["room"]
	client.join(options["url"])


func _on_connected() -> void:
	print("connected ", multiplayer.get_unique_id())
	if options["freeze"] != "":
		# The page lives on, and with it the connection.
		JavaScriptBridge.eval("window.requestAnimationFrame = () => 0", true)


func _on_peer_packet(_id: int, packet: PackedByteArray) -> void:
	var notice: Dictionary = JSON.parse_string(packet.get_string_from_utf8())
	print("ticket ", notice.get("ticket"))


func _leave(text: String, code: int) -> void:
	print(text)
	get_tree().quit(code)
