extends Node
## A player of a game that one of them hosts, over ENet (--port), WebSocket (--url), or in a web
## build WebRTC (--webrtc, with the script of `mp-server gdscript`). With --host it is the host: an
## ordinary client of the room that has authority over the nodes of the server.
## With --after=FILE it connects when the file exists.
## With --serve=PORT it is a server of Godot, which knows nothing of rooms.
##
## Every 0.2 s the host calls all players, and a guest calls the server and the other guests.
## Prints each of these once: `connected ID`, `peer ID`, `gone ID`, `says SENDER TEXT` (a call of
## the server), `asked SENDER TEXT` (a call at the server), `greets SENDER TEXT` (a call between
## guests), `hosts` and `disconnected`. The texts are `even` and `odd`; a guest that has become the
## host says `even again` and `odd again`.

var options := {"port": "", "url": "", "webrtc": "", "host": null, "after": "", "serve": ""}
var is_host := false
## True if the player has become the host in place of another.
var is_next_host := false
var turns := 0
var printed := {}


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1] if pair.size() > 1 else ""
	is_host = options["host"] != null
	$BoxSpawner.spawn_function = _make_box
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.server_disconnected.connect(func() -> void: print("disconnected"))
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.peer_packet.connect(_on_peer_packet)
	while options["after"] != "" and not FileAccess.file_exists(options["after"]):
		await get_tree().create_timer(0.05).timeout
	var peer: MultiplayerPeer
	if options["serve"] != "":
		is_host = true
		peer = ENetMultiplayerPeer.new()
		peer.create_server(int(options["serve"]))
		multiplayer.multiplayer_peer = peer
		_on_connected()
		return
	if options["webrtc"] != "":
		var client: Node = load("res://mp_webrtc_client.gd").new()
		add_child(client)
		client.join(options["webrtc"])
		return
	if options["url"] != "":
		peer = WebSocketMultiplayerPeer.new()
		peer.create_client(options["url"])
	else:
		peer = ENetMultiplayerPeer.new()
		peer.create_client("127.0.0.1", int(options["port"]))
	multiplayer.multiplayer_peer = peer


## Returns the id by which the local peer knows a player of the game. The host is 1 for the others,
## and has another id for itself, unless it is a server of Godot.
func id_of(player: int) -> int:
	return multiplayer.get_unique_id() if is_host and player == 1 else player


## The host takes the place of the server: authority over its nodes, and a player of its own.
func _on_connected() -> void:
	print("connected ", multiplayer.get_unique_id())
	if is_host:
		set_multiplayer_authority(id_of(1), false)
		$Spawner.set_multiplayer_authority(id_of(1))
		$BoxSpawner.set_multiplayer_authority(id_of(1))
		_add_player(1)
		var box: Node = $BoxSpawner.spawn("red")
		_add_item(box, "apple", 3)
	var timer := Timer.new()
	add_child(timer)
	timer.timeout.connect(_take_turn)
	timer.start(0.2)


func _take_turn() -> void:
	if multiplayer.multiplayer_peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		return
	turns += 1
	var text := "odd" if turns % 2 else "even"
	if is_host:
		say.rpc(text + (" again" if is_next_host else ""))
		var player := $Players.get_node("1")
		if player.hp > (10 if is_next_host else 50):
			player.hp -= 10
		return
	ask.rpc_id(1, text)
	for id in multiplayer.get_peers():
		if id != 1:
			greet.rpc_id(id, text)


## The room asks this guest to be the host, since the host has left.
func _on_peer_packet(id: int, packet: PackedByteArray) -> void:
	if id == 1 and packet.get_string_from_utf8() == "become_host":
		_become_host()


## Takes the place of the host: authority over its nodes, which are added again, so that the other
## guests receive them from here. They keep the nodes that they have.
func _become_host() -> void:
	print("hosts")
	is_host = true
	is_next_host = true
	set_multiplayer_authority(id_of(1), false)
	$Spawner.set_multiplayer_authority(id_of(1))
	$BoxSpawner.set_multiplayer_authority(id_of(1))
	# The local player goes on as that of the server.
	$Players.get_node("1").free()
	for player in $Players.get_children():
		$Players.remove_child(player)
		if player.name == str(multiplayer.get_unique_id()):
			player.name = "1"
		elif not multiplayer.get_peers().has(player.name.to_int()):
			player.free()
			continue
		# Without this Godot does not announce the node.
		player.request_ready()
		$Players.add_child(player)
	# Players who have joined without a host, perhaps the local one.
	for id in multiplayer.get_peers():
		if not $Players.has_node(str(id)):
			_add_player(id)
	# Nodes of a spawn function are spawned again. Those in them are created again, since Godot
	# announces nodes to a later guest in the order of their creation.
	for old in $Boxes.get_children():
		$Boxes.remove_child(old)
		var box: Node = $BoxSpawner.spawn(old.label)
		for item in old.get_node("Items").get_children():
			_add_item(box, item.name, item.count + 1)
		old.free()
	$Players.get_node("1").direction = 9


func _add_item(box: Node, item_name: String, count: int) -> void:
	var item := preload("res://item.tscn").instantiate()
	item.name = item_name
	box.get_node("Items").add_child(item)
	item.count = count


func _make_box(label: String) -> Node:
	var box := preload("res://box.tscn").instantiate()
	box.name = label
	box.label = label
	return box


func print_once(line: String) -> void:
	if not printed.has(line):
		printed[line] = true
		print(line)


func _on_peer_connected(id: int) -> void:
	# For the host, 1 is the room, which is no player.
	if id == 1:
		return
	print("peer ", id)
	if is_host:
		_add_player(id)


func _on_peer_disconnected(id: int) -> void:
	print("gone ", id)
	if is_host:
		$Players.get_node(str(id)).queue_free()


func _add_player(id: int) -> void:
	var player := preload("res://player.tscn").instantiate()
	player.name = str(id)
	$Players.add_child(player)


@rpc("authority")
func say(text: String) -> void:
	print_once("says %d %s" % [multiplayer.get_remote_sender_id(), text])


@rpc("any_peer")
func ask(text: String) -> void:
	print_once("asked %d %s" % [multiplayer.get_remote_sender_id(), text])


@rpc("any_peer")
func greet(text: String) -> void:
	print_once("greets %d %s" % [multiplayer.get_remote_sender_id(), text])
