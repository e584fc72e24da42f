extends Node
## Headless player of the example `arena`.
##
##     godot --headless --path examples/arena/godot -- --port=7780
##
## prints
##
##     connected
##     refused: a name has 1 to 16 characters
##     Ann is at (0.0, 0.0)
##     welcome, Ann
##     steering faster than the speed limit
##     the server enforced the speed limit
##
## and exits with 0; with 1 if the server is not running or does not enforce the limit.
##
## More options: --name=NAME; --wander=SECONDS walks in circles for that time instead, as company
## for the web page in examples/web; --url=ws://127.0.0.1:7780/webrtc joins over WebRTC, with the
## script that `mp-server gdscript` prints, saved as mp_webrtc_client.gd.

const SPEED_MAX := 120.0

var options := {"port": "7780", "name": "Ann", "wander": "0", "url": ""}

@onready var arena := $Arena

func _ready() -> void:
	for arg in OS.get_cmdline_user_args():
		var pair := arg.trim_prefix("--").split("=", true, 1)
		if options.has(pair[0]) and pair.size() == 2:
			options[pair[0]] = pair[1]
	$Spawner.spawned.connect(func(player: Node2D) -> void: print(player.title, " is at ", player.position))
	multiplayer.connected_to_server.connect(play)
	multiplayer.connection_failed.connect(func() -> void: leave("no server", 1))
	multiplayer.server_disconnected.connect(func() -> void: leave("the server left", 1))

	if options["url"] != "":
		var client: Node = load("res://mp_webrtc_client.gd").new()
		client.failed.connect(func(reason: String) -> void: leave(reason, 1))
		add_child(client)
		client.join(options["url"])
		return
	var peer := ENetMultiplayerPeer.new()
	peer.create_client("127.0.0.1", int(options["port"]))
	multiplayer.multiplayer_peer = peer

func play() -> void:
	print("connected")
	arena.enter.rpc_id(1, "")
	print(await arena.answered)
	arena.enter.rpc_id(1, options["name"])
	print(await arena.answered)

	var me: Node2D = $Players.get_node(str(multiplayer.get_unique_id()))
	if float(options["wander"]) > 0.0:
		await wander(me, float(options["wander"]))
		return leave("wandered", 0)
	print("steering faster than the speed limit")
	var started := Time.get_ticks_msec()
	me.get_node("Input").direction = Vector2(1000, 0)
	while me.position.x < SPEED_MAX and Time.get_ticks_msec() - started < 5000:
		await get_tree().process_frame
	var seconds := (Time.get_ticks_msec() - started) / 1000.0
	# 0.1 s of tolerance for the server's tick and the network.
	var farthest := SPEED_MAX * (seconds + 0.1)
	if me.position.x >= SPEED_MAX and me.position.x <= farthest:
		leave("the server enforced the speed limit", 0)
	else:
		leave("moved %.0f pixels in %.1f s" % [me.position.x, seconds], 1)

func wander(me: Node2D, seconds: float) -> void:
	var started := Time.get_ticks_msec()
	while Time.get_ticks_msec() - started < seconds * 1000.0:
		me.get_node("Input").direction = Vector2.from_angle((Time.get_ticks_msec() - started) / 1000.0)
		await get_tree().process_frame

func leave(text: String, code: int) -> void:
	print(text)
	multiplayer.multiplayer_peer.close()
	get_tree().quit(code)
