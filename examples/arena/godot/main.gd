extends Node
## The player of the example `arena`.
##
##     godot --path examples/arena/godot -- --name=Ann
##
## opens a window, in which the arrow keys move the player.
##
##     godot --headless --path examples/arena/godot -- --port=7780
##
## plays by itself (check.gd), and prints
##
##     connected
##     refused: a name has 1 to 16 characters
##     Ann is at (0.0, 0.0)
##     welcome, Ann
##     steering faster than the speed limit
##     the server enforced the speed limit
##
## It exits with 0; with 1 if the server is not running or does not enforce the limit.
##
## More options: --host=ADDRESS; --wander=SECONDS walks in circles for that time instead, as company
## for the web page in examples/web; --url=ws://127.0.0.1:7780/webrtc joins over WebRTC, with the
## script that `mp-server gdscript` prints, saved as mp_webrtc_client.gd.

var options := {"host": "127.0.0.1", "port": "7780", "name": "Ann", "wander": "0", "url": ""}

## Id of the own peer; 0 before it is connected.
var own_id := 0

@onready var arena := $Arena
@onready var hud := $Screen/Hud

func _ready() -> void:
	for arg in OS.get_cmdline_user_args():
		var pair := arg.trim_prefix("--").split("=", true, 1)
		if options.has(pair[0]) and pair.size() == 2:
			options[pair[0]] = pair[1]
	multiplayer.connected_to_server.connect(play)
	multiplayer.connection_failed.connect(lose.bind("no server"))
	multiplayer.server_disconnected.connect(lose.bind("the server left"))
	hud.status = "connecting"

	if options["url"] != "":
		var client: Node = load("res://mp_webrtc_client.gd").new()
		client.failed.connect(lose)
		add_child(client)
		client.join(options["url"])
		return
	var peer := ENetMultiplayerPeer.new()
	peer.create_client(options["host"], int(options["port"]))
	multiplayer.multiplayer_peer = peer

func play() -> void:
	print("connected")
	own_id = multiplayer.get_unique_id()
	hud.status = "WebRTC" if options["url"] != "" else "ENet"
	if plays_itself():
		add_child(load("res://check.gd").new())
		return
	arena.enter.rpc_id(1, options["name"])
	print(await arena.answered)

## Returns whether no user plays.
func plays_itself() -> bool:
	return DisplayServer.get_name() == "headless" or float(options["wander"]) > 0.0

## Returns the own player; null before the server has spawned it.
func own_player() -> Node2D:
	return $Players.get_node_or_null(str(own_id))

func _process(_delta: float) -> void:
	if own_player() and not plays_itself():
		own_player().get_node("Input").direction = Input.get_vector("ui_left", "ui_right", "ui_up", "ui_down")

## Measures the round-trip time. Connected to the timer in main.tscn.
func _on_ping_timeout() -> void:
	if own_player():
		arena.ping.rpc_id(1, Time.get_ticks_msec())

func lose(reason: String) -> void:
	hud.status = reason
	own_id = 0
	if plays_itself():
		leave(reason, 1)

func leave(text: String, code: int) -> void:
	print(text)
	multiplayer.multiplayer_peer.close()
	get_tree().quit(code)
