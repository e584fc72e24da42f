# A node with RPC methods in Godot: `godot --headless --script res://calls.gd -- --fps 60`. With
# --ticks it calls all clients in every frame; otherwise it counts their calls, and prints the count
# for each line of its input.
extends SceneTree

class Game extends Node:
	var calls := 0
	var wrong := 0

	@rpc("any_peer", "unreliable")
	func hit(_number: int, position: Vector3, tag: String) -> void:
		if position.x == 1.5 and tag == "jump":
			calls += 1
		else:
			wrong += 1

	@rpc("authority", "unreliable")
	func tick(_number: int) -> void:
		pass

var game := Game.new()
var number := 0
var input := Thread.new()

func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	Engine.max_fps = int(arguments[arguments.find("--fps") + 1])
	game.name = "Game"
	root.add_child(game)
	var peer := ENetMultiplayerPeer.new()
	# Godot cannot return the port that the system chose, so try one after another.
	var port := 20000 + OS.get_process_id() % 20000
	while peer.create_server(port, 4095) != OK:
		port += 1
	(get_multiplayer() as SceneMultiplayer).server_relay = false
	get_multiplayer().multiplayer_peer = peer
	print("ready %d" % port)
	if "--ticks" not in arguments:
		input.start(answer_marks)

func _process(_delta: float) -> bool:
	if not input.is_started():
		number += 1
		game.tick.rpc(number)
	return false

func answer_marks() -> void:
	while OS.read_string_from_stdin(64) != "":
		print(JSON.stringify({"operations": game.calls, "wrong": game.wrong}))
