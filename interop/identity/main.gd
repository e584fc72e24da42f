extends Node
## Joins a server that authenticates players by --token, over ENet (--port) or WebSocket (--url).
## With --auth it sends the token in an authentication packet, by the code of the guide; otherwise
## the URL has it. Prints `connected ID`, the server's reasons and announcements as `CODE: TEXT`,
## and how the connection ends: over WebSocket with the `reason` of the close frame. With --greeting
## it sends this text to each other player. Prints `receives TEXT` for texts of others.
##
## `cargo xtask rooms` copies this project, and replaces the two lines `# code of PAGE` by the
## GDScript of those pages.

var token := ""
## The connection over WebSocket, which has the reason of its end.
var socket: WebSocketPeer


func _ready() -> void:
	var options := {"port": "", "url": "", "auth": "", "token": "", "greeting": ""}
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	token = options["token"]
	if options["auth"] != "":
		_authenticate()
		multiplayer.peer_authentication_failed.connect(
			func(_id: int) -> void: print("authentication failed")
		)
	_receive_notices()
	multiplayer.peer_packet.connect(
		func(id: int, packet: PackedByteArray) -> void:
			if id != 1:
				print("receives ", packet.get_string_from_utf8())
	)
	multiplayer.peer_connected.connect(
		func(id: int) -> void:
			if id != 1 and options["greeting"] != "":
				multiplayer.send_bytes(options["greeting"].to_utf8_buffer(), id)
	)
	multiplayer.connected_to_server.connect(
		func() -> void: print("connected ", multiplayer.get_unique_id())
	)
	multiplayer.connection_failed.connect(_on_ended.bind("connection failed"))
	multiplayer.server_disconnected.connect(_on_ended.bind("disconnected"))
	if options["url"] != "":
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_client(options["url"])
		socket = peer.get_peer(1)
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_client("127.0.0.1", int(options["port"]))
		multiplayer.multiplayer_peer = peer


func _authenticate() -> void:
	# code of crates/mp/guide/authentication.md
	pass


func _receive_notices() -> void:
	# code of docs/operating/admin.md
	pass


func _on_ended(how: String) -> void:
	print(how)
	if socket:
		print("reason ", socket.get_close_reason())
