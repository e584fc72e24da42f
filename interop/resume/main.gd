extends Node
## A player whose connection is lost for a while: `session.gd` joins again. Prints `connected ID`,
## `lost`, `failed`, `peer ID`, `gone ID`, `ticket` for each ticket, `counted NUMBER` for each call
## of the room, and `state NODES` when the nodes of the room or their properties change. The address
## of the room is the first argument.

var state := ""


func _enter_tree() -> void:
	$Session.url = OS.get_cmdline_user_args()[0]
	$Spawner.spawn_function = _make
	multiplayer.connected_to_server.connect(
		func() -> void: print("connected ", multiplayer.get_unique_id())
	)
	multiplayer.server_disconnected.connect(func() -> void: print("lost"))
	multiplayer.connection_failed.connect(func() -> void: print("failed"))
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.peer_packet.connect(func(_id: int, _packet: PackedByteArray) -> void: print("ticket"))


func _make(data: Variant) -> Node:
	var unit: Node = preload("res://unit.tscn").instantiate()
	unit.name = "Made"
	unit.hp = data
	return unit


func _on_peer_connected(id: int) -> void:
	if id != 1:
		print("peer ", id)


func _on_peer_disconnected(id: int) -> void:
	if id != 1:
		print("gone ", id)


## The room calls this at each change.
@rpc("authority")
func count(number: int) -> void:
	print("counted ", number)


func _process(_delta: float) -> void:
	var now := "state"
	for unit in $Units.get_children():
		now += " %s=%d" % [unit.name, unit.hp]
	if now != state:
		state = now
		print(state)
