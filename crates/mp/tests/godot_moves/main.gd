extends Node
## A player that a server moves between rooms. It calls the server at every frame, and prints the
## nodes that it has when it has arrived in a room.

## The state of the room, which is sent at every tick.
var clock := 0
## The room in which the own player node is.
var room := ""
var calls := 0
## Name of the own player node.
var own_name := ""


func _ready() -> void:
	$Spawner.spawn_function = _make
	$Units.child_exiting_tree.connect(_on_unit_leaving)
	multiplayer.connected_to_server.connect(
		func() -> void: own_name = str(multiplayer.get_unique_id())
	)
	multiplayer.server_disconnected.connect(func() -> void: get_tree().quit())
	var address := OS.get_cmdline_user_args()[0]
	if address.begins_with("ws:"):
		var peer := WebSocketMultiplayerPeer.new()
		peer.create_client(address)
		multiplayer.multiplayer_peer = peer
	else:
		var peer := ENetMultiplayerPeer.new()
		peer.create_client("127.0.0.1", int(address))
		multiplayer.multiplayer_peer = peer


func _process(_delta: float) -> void:
	if multiplayer.get_peers().has(1):
		calls += 1
		poke.rpc_id(1, room, calls)
		poke_fast.rpc_id(1, room, calls)
		var own: Node = $Units.get_node_or_null(own_name) if own_name else null
		if own:
			own.input = calls
			own.act.rpc_id(1, calls)


func _make(data: Variant) -> Node:
	var unit: Node = preload("res://unit.tscn").instantiate()
	unit.name = "Made"
	unit.hp = data
	return unit


func _on_unit_leaving(unit: Node) -> void:
	if unit.name == own_name:
		room = ""


@rpc("any_peer")
func poke(_room: String, _number: int) -> void:
	pass


@rpc("any_peer", "unreliable")
func poke_fast(_room: String, _number: int) -> void:
	pass


## The server calls this when the player has arrived in a room and has received its nodes.
@rpc("authority")
func arrived(in_room: String, round_number: int) -> void:
	room = in_room
	var text := "%s %d:" % [in_room, round_number]
	for unit in $Units.get_children():
		if unit.name.is_valid_int():
			text += " self" if unit.name == own_name else " other"
		else:
			text += " %s=%d" % [unit.name, unit.get("hp") if unit.get("hp") != null else 0]
		for inner in (unit.get_node("Inside").get_children() if unit.has_node("Inside") else []):
			text += " %s/%s=%d" % [unit.name, inner.name, inner.hp]
	print(text, " peers=", multiplayer.get_peers().size())
	# The clock of the room must arrive, too.
	clock = -1
	while clock < 0:
		await get_tree().process_frame
	ready_to_leave.rpc_id(1, in_room, round_number)


@rpc("any_peer")
func ready_to_leave(_room: String, _round_number: int) -> void:
	pass
