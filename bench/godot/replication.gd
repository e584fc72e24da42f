# Nodes with synchronizers in Godot, moved by a script in every frame: `godot --headless --script
# res://replication.gd -- --nodes 1000 --fps 60`. With `--changes 10` it moves 10 of them per frame, and
# only changes are sent.
extends SceneTree

var movers: Array[Node3D] = []
var tick := 0
var changes := 0
var next := 0

func _initialize() -> void:
	Engine.max_fps = int(argument("--fps", "60"))
	var nodes := int(argument("--nodes", "1000"))
	changes = int(argument("--changes", str(nodes)))
	var mode := SceneReplicationConfig.REPLICATION_MODE_ALWAYS
	if changes < nodes:
		mode = SceneReplicationConfig.REPLICATION_MODE_ON_CHANGE
	for number in nodes:
		var mover := Node3D.new()
		mover.name = "N%d" % number
		mover.position = Vector3(number, 0, 7)
		var config := SceneReplicationConfig.new()
		config.add_property(NodePath(".:position"))
		config.property_set_replication_mode(NodePath(".:position"), mode)
		var sync := MultiplayerSynchronizer.new()
		sync.name = "Sync"
		sync.replication_config = config
		mover.add_child(sync)
		root.add_child(mover)
		movers.append(mover)
	var peer := ENetMultiplayerPeer.new()
	# Godot cannot return the port that the system chose, so try one after another.
	var port := 20000 + OS.get_process_id() % 20000
	while peer.create_server(port, 512) != OK:
		port += 1
	(get_multiplayer() as SceneMultiplayer).server_relay = false
	get_multiplayer().multiplayer_peer = peer
	print("ready %d" % port)

func _process(_delta: float) -> bool:
	tick += 1
	for _number in changes:
		movers[next].position.y = tick
		next = (next + 1) % movers.size()
	return false

func argument(name: String, default: String) -> String:
	var arguments := OS.get_cmdline_user_args()
	var at := arguments.find(name)
	return arguments[at + 1] if at >= 0 else default
