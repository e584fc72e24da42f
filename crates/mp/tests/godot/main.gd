extends Node
# Asks the server for a price, and prints its answer. Quits when the server closes.

const REQUEST := 0x0123_4567_89AB_CDEF


func _ready() -> void:
	var peer := ENetMultiplayerPeer.new()
	peer.create_client("127.0.0.1", OS.get_cmdline_user_args()[0].to_int())
	multiplayer.multiplayer_peer = peer
	multiplayer.connected_to_server.connect(_ask)
	multiplayer.connection_failed.connect(get_tree().quit.bind(1))
	multiplayer.server_disconnected.connect(get_tree().quit)
	$Shop.answered.connect(_print)


func _ask() -> void:
	$Shop.price.rpc_id(1, REQUEST, "sword")


func _print(peer: int, request: int, value: int) -> void:
	print("peer ", peer, " answers ", value, " to its request: ", request == REQUEST)
