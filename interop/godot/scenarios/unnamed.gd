extends "res://scenario.gd"
## A node without an explicit name, which Godot names `@Node@200`: calls of it and of a child, and a
## synchronizer of its properties.

const Gun := preload("res://scenes/gun.gd")
const NAME := "@Node@200"

var unnamed: Node


func run() -> void:
	unnamed = add_unnamed()
	var gun := Gun.new()
	gun.name = "Gun"
	unnamed.add_child(gun)
	var sync := MultiplayerSynchronizer.new()
	sync.name = "Sync"
	sync.replication_config = SceneReplicationConfig.new()
	sync.replication_config.add_property(^".:aim")
	unnamed.add_child(sync)
	super()


## Adds nodes without a name until Godot gives one the name NAME; the numbers only grow.
func add_unnamed() -> Node:
	for attempt in 200:
		var node := Gun.new()
		add_child(node)
		if node.name == NAME:
			return node
		node.free()
	fail("Godot gave no node the name " + NAME)
	return null


func serve() -> void:
	await wait_for_all("fired")
	check("shots at the server", [unnamed.shots, unnamed.get_node("Gun").shots], [[1], [2]])
	unnamed.fire.rpc(3)
	unnamed.get_node("Gun").fire.rpc(4)
	unnamed.aim = 30
	desk.next.rpc("fired")


func play() -> void:
	unnamed.fire.rpc_id(1, 1)
	unnamed.get_node("Gun").fire.rpc_id(1, 2)
	await step("fired")
	check("shots", [unnamed.shots, unnamed.get_node("Gun").shots], [[3], [4]])
	await until(func() -> bool: return unnamed.aim == 30, "the aim")
