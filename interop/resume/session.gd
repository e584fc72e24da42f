extends Node
## Joins a room, and resumes the session whenever the connection is lost.

@export var url := "wss://game.example/arena"
var ticket := ""

func _ready() -> void:
	multiplayer.peer_packet.connect(_on_peer_packet)
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.server_disconnected.connect(join)
	multiplayer.connection_failed.connect(_on_connection_failed)
	join()

func join() -> void:
	var peer := WebSocketMultiplayerPeer.new()
	peer.create_client(url if ticket == "" else url + "?resume=" + ticket)
	# Without pings, a client whose packets are lost waits for the operating system, for minutes.
	peer.get_peer(1).heartbeat_interval = 2.0
	multiplayer.multiplayer_peer = peer

func _on_connected() -> void:
	ticket = "" # it is used, or refused

func _on_connection_failed() -> void:
	await get_tree().create_timer(1.0).timeout
	join()

func _on_peer_packet(id: int, packet: PackedByteArray) -> void:
	var notice: Variant = JSON.parse_string(packet.get_string_from_utf8())
	if id == 1 and notice is Dictionary and notice.get("code") == "resume":
		ticket = notice["ticket"]
