extends Node
## Joins a room over ENet (--port) or WebSocket (--url), with an authentication packet if --auth is
## given; or requests a seat by HTTP (--match), with the token of the player if --token is given,
## prints `match ROOM` or `match REASON`, and joins over --over=enet or websocket. Prints
## `connected`, `peer ID`, `gone ID`, `receives TEXT`, `auth TEXT`, and how the connection ends:
## over WebSocket with the `reason` of the close frame.

var options := {
	"host": "127.0.0.1",
	"port": "",
	"url": "",
	"auth": "",
	"match": "",
	"token": "",
	"over": "websocket",
	"greeting": "hello",
}
## The connection over WebSocket, which has the reason of its end.
var socket: WebSocketPeer


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	if options["match"] != "" and not await _request_seat():
		return
	if options["auth"] != "":
		multiplayer.auth_callback = func(_id: int, data: PackedByteArray) -> void:
			print("auth ", data.get_string_from_utf8())
		multiplayer.peer_authenticating.connect(_on_authenticating)
		multiplayer.peer_authentication_failed.connect(
			func(_id: int) -> void: print("authentication failed")
		)
	multiplayer.connected_to_server.connect(func() -> void: print("connected"))
	multiplayer.connection_failed.connect(_on_ended.bind("connection failed"))
	multiplayer.server_disconnected.connect(_on_ended.bind("disconnected"))
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(func(id: int) -> void: print("gone ", id))
	multiplayer.peer_packet.connect(
		func(_id: int, packet: PackedByteArray) -> void:
			print("receives ", packet.get_string_from_utf8())
	)
	if options["url"] != "":
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_client(options["url"])
		socket = peer.get_peer(1)
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_client(options["host"], int(options["port"]))
		multiplayer.multiplayer_peer = peer


## Requests a seat, and sets how to take it. Returns false if there is none.
func _request_seat() -> bool:
	var http := HTTPRequest.new()
	add_child(http)
	var headers := ["Content-Type: application/json"]
	if options["token"] != "":
		headers.append("Authorization: Bearer " + options["token"])
	http.request(options["match"], headers, HTTPClient.METHOD_POST, JSON.stringify({}))
	var response: Array = await http.request_completed
	http.queue_free()
	var seat: Dictionary = JSON.parse_string(response[3].get_string_from_utf8())
	if response[1] != 200:
		print("match ", seat["code"])
		return false
	print("match ", seat["room"])
	if options["over"] == "enet":
		options["host"] = seat["addresses"]["enet"]["host"]
		options["port"] = seat["addresses"]["enet"]["port"]
		options["auth"] = "token=" + seat["token"]
	else:
		options["url"] = seat["addresses"]["websocket"] + "?token=" + seat["token"]
	return true


func _on_authenticating(id: int) -> void:
	multiplayer.send_auth(id, options["auth"].to_utf8_buffer())
	multiplayer.complete_auth(id)


func _on_ended(how: String) -> void:
	print(how)
	if socket:
		print("reason ", socket.get_close_reason())


func _on_peer_connected(id: int) -> void:
	if id == 1:
		return
	print("peer ", id)
	multiplayer.send_bytes(options["greeting"].to_utf8_buffer(), 0)
