extends Node
## A ship named `Ship_<peer id>` after the owner of its helm. `ship.tscn` defines its replication.

const Pod := preload("res://scenes/pod.tscn")

static var log: Array = []  ## spawns and despawns: `+name`, `-name`

var title := ""
var place := Vector2.ZERO
var fuel := 0
var secret := 0


func _enter_tree() -> void:
	$Helm.set_multiplayer_authority(str(name).trim_prefix("Ship_").to_int())
	$BaySpawner.spawn_function = make_pod
	$BaySpawner.spawned.connect(func(pod: Node) -> void: log.append("+" + pod.name))
	$BaySpawner.despawned.connect(func(pod: Node) -> void: log.append("-" + pod.name))


func make_pod(data: Dictionary) -> Node:
	var pod := Pod.instantiate()
	pod.name = data["name"]
	pod.mass = data["mass"]
	return pod
