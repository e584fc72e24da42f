extends Node
# A player of the room in ../room.rs, which has a Rust server and a Rust player, too. Prints what it
# sees, and reports to the server when it has seen everything.

const REQUEST := 42
const EXPECTED := 9

var seen := {}


func _ready() -> void:
	var peer := ENetMultiplayerPeer.new()
	peer.create_client("127.0.0.1", OS.get_cmdline_user_args()[0].to_int())
	multiplayer.multiplayer_peer = peer
	multiplayer.connected_to_server.connect(_enter)
	multiplayer.connection_failed.connect(get_tree().quit.bind(1))
	multiplayer.server_disconnected.connect(get_tree().quit)
	$Spawner.spawned.connect(_spawned)


func _enter() -> void:
	cheer.rpc_id(1, "from Godot")
	price.rpc_id(1, REQUEST, "sword")


func _spawned(player: Node) -> void:
	_see("spawned %s" % player.name_tag)
	var sync: MultiplayerSynchronizer = player.get_node("Sync")
	sync.delta_synchronized.connect(func() -> void:
		_see("health of %s: %d" % [player.name_tag, player.health]))
	sync.synchronized.connect(func() -> void:
		if player.place.x == 5.0:
			_see("place of %s: %s" % [player.name_tag, player.place]))


func _see(what: String) -> void:
	if seen.has(what):
		return
	seen[what] = true
	print(what)
	if seen.size() == EXPECTED:
		cheer.rpc_id(1, "seen")


@rpc("any_peer") func cheer(text: String) -> void:
	_see("cheer: " + text)


@rpc func shout(text: String) -> void:
	_see("shout: " + text)


@rpc("any_peer") func price(request: int, item: String) -> void:
	price_answer.rpc_id(multiplayer.get_remote_sender_id(), request, item.length())


@rpc("any_peer") func price_answer(request: int, value: int) -> void:
	if request == REQUEST and multiplayer.get_remote_sender_id() == 1:
		_see("price: %d" % value)
