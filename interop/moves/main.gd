extends Node
## A player whom an operator moves between rooms. It calls the room at every frame. When it has
## arrived in a room and has received its nodes, it prints `ROOM ROUND: NODES peers=N`. When the
## room has its own node as well, it prints `ready ROOM ROUND team=N` with a property of that node.

## The state of the room, which is sent at every tick.
var clock := 0
## The room in which the own player node is.
var room := ""
var calls := 0
## Name of the own nodes.
var own_name := ""
## The own node that no spawner announces.
var owned: Node
## Number of rooms so far.
var arrivals := 0
## The properties of the own node in the room: beats, mood and team.
var known := [0, 0, 0]


func _ready() -> void:
	$Spawner.spawn_function = _make
	$Units.child_exiting_tree.connect(_on_unit_leaving)
	multiplayer.connected_to_server.connect(_on_connected)
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


func _on_connected() -> void:
	own_name = str(multiplayer.get_unique_id())
	print("connected ", own_name)
	owned = preload("res://owned.tscn").instantiate()
	owned.name = own_name
	$Owned.add_child(owned)


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
	arrivals += 1
	owned.mood = arrivals
	known = [0, 0, 0]
	# The clock of the room and the own node must arrive, too.
	clock = -1
	while clock < 0 or known[0] == 0 or known[1] != arrivals:
		ask.rpc_id(1, in_room)
		await get_tree().process_frame
	print("ready %s %d team=%d" % [in_room, round_number, known[2]])


@rpc("any_peer")
func ask(_room: String) -> void:
	pass


## The room answers with the properties of the own node.
@rpc("authority")
func answer(beats: int, mood: int, team: int) -> void:
	known = [beats, mood, team]
