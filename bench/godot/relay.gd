# Relay room in Godot: `godot --headless --script res://relay.gd -- --fps 60`. It only polls;
# SceneMultiplayer relays.
extends SceneTree

func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	var at := arguments.find("--fps")
	if at >= 0:
		Engine.max_fps = int(arguments[at + 1])
	var peer := ENetMultiplayerPeer.new()
	# Godot cannot return the port that the system chose, so try one after another.
	var port := 20000 + OS.get_process_id() % 20000
	while peer.create_server(port, 512) != OK:
		port += 1
	get_multiplayer().multiplayer_peer = peer
	print("ready %d" % port)
